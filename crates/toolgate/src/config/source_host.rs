//! `host = { … }` of a `[[source]]`: a program that runs its tools itself.
//!
//! ```toml
//! [[source]]
//! name = "app"
//! host = { agents = ["billing_agent"] }
//! [[source.host.tools]]
//! name = "refund"
//! risk = "high"
//! resource = "customer:{args.customer}"
//! ```
//! What stands here is the operator's word: nobody registers over it. Must not know: which tools
//! are registered.

use serde_json::json;
use toolgate_model::{HostStatement, HostTool};
use toolgate_tools::HostConfig;

use super::Reading;
use super::reader::Section;
use super::source::Transport;
use super::tree::{Node, Value};

impl Reading<'_, '_> {
    /// The host that this table describes.
    pub(super) fn host(&mut self, path: &str, node: Node) -> Option<Transport> {
        let mut table = self.reader.as_table(path, node);
        let agents: Option<Vec<String>> = self.reader.optional(&mut table, "agents");
        let sections = self.reader.tables(&mut table, "tools");
        let tools = sections.into_iter().map(|tool| self.host_tool(tool));
        let tools = tools.collect::<Vec<_>>();
        self.reader.finish(table);
        Some(Transport::Host(HostConfig {
            agents: agents.unwrap_or_default(),
            tools: tools.into_iter().flatten().collect(),
        }))
    }

    fn host_tool(&mut self, mut section: Section) -> Option<HostTool> {
        let input_schema = self.input_schema(&mut section);
        let reader = &mut *self.reader;
        let name: Option<String> = reader.required(&mut section, "name");
        let description = reader.optional(&mut section, "description");
        let stated = HostStatement {
            registered: false,
            trusted: true,
            risk: reader.optional(&mut section, "risk"),
            verb: reader.optional(&mut section, "verb"),
            effect: reader.optional(&mut section, "effect"),
            resource: reader.optional(&mut section, "resource"),
            timeout: reader.optional(&mut section, "timeout"),
            category: reader.optional(&mut section, "category"),
            version: reader.optional(&mut section, "version"),
            attributes: Default::default(),
        };
        reader.finish(section);
        Some(HostTool {
            name: name?,
            description,
            input_schema,
            stated,
        })
    }

    /// A JSON Schema, written as a table.
    fn input_schema(&mut self, section: &mut Section) -> serde_json::Value {
        let path = format!("{}input_schema", section.path);
        let Some(node) = section.take("input_schema") else {
            return serde_json::Value::Null;
        };
        match schema(&node.value).filter(serde_json::Value::is_object) {
            Some(schema) => {
                self.reader.note(path, schema.clone(), node.origin);
                schema
            }
            None => {
                let wanted = "a table of JSON Schema, of texts, whole numbers, booleans and lists";
                self.reader.misfit(&path, &node, wanted);
                serde_json::Value::Null
            }
        }
    }
}

/// The same value as JSON; none where there is something in it that JSON Schema has no use for.
fn schema(value: &Value) -> Option<serde_json::Value> {
    match value {
        Value::Text(text) => Some(json!(text)),
        Value::Integer(number) => Some(json!(number)),
        Value::Bool(truth) => Some(json!(truth)),
        Value::List(items) => items.iter().map(|item| schema(&item.value)).collect(),
        Value::Table(entries) => {
            let member =
                |entry: &super::tree::Entry| Some((entry.key.clone(), schema(&entry.node.value)?));
            let members: Option<serde_json::Map<_, _>> = entries.iter().map(member).collect();
            members.map(serde_json::Value::Object)
        }
        Value::Other(_) => None,
    }
}
