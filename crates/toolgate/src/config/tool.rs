//! `[tools."source.operation"]`: what the operator states about a tool, against its source.
//!
//! ```toml
//! [tools."stripe.refund"]
//! risk = "high"
//! resource = "customer:{args.customer}"
//! ```
//!
//! The tables that name probes (`entity`, `trigger`, `effect`) are read in [`super::checks`].
//!
//! Must not know: which tools there are.

use std::collections::BTreeMap;

use serde_json::json;
use toolgate_model::{Authors, ToolId};
use toolgate_tools::{Overrides, ToolOverride};

use super::Reading;
use super::reader::{Problem, Section};
use super::tree::{Entry, Value};

impl Reading<'_, '_> {
    /// All overrides.
    pub(super) fn overrides(&mut self, root: &mut Section) -> Overrides {
        let mut tools = self.reader.table(root, "tools");
        tools
            .take_rest()
            .into_iter()
            .filter_map(|entry| self.tool(entry))
            .collect()
    }

    fn tool(&mut self, entry: Entry) -> Option<(ToolId, ToolOverride)> {
        let path = format!("tools.{}", entry.key);
        let id = entry.key.parse::<ToolId>();
        if let Err(error) = &id {
            let help = "quote the whole name: `[tools.\"source.operation\"]`".to_owned();
            let place = (path.as_str(), &entry.origin);
            self.reader
                .complain(Problem::Value, place, error.to_string(), Some(help));
        }
        let section = self.reader.as_table(&path, entry.node);
        let stated = self.stated(section);
        Some((id.ok()?, stated))
    }

    fn stated(&mut self, mut section: Section) -> ToolOverride {
        let (effect, checks) = self.checks(&mut section);
        let attributes = self.attributes(&mut section);
        let authors = self.authors(&mut section);
        let reader = &mut *self.reader;
        let stated = ToolOverride {
            risk: reader.optional(&mut section, "risk"),
            verb: reader.optional(&mut section, "verb"),
            resource: reader.optional(&mut section, "resource"),
            timeout: reader.optional(&mut section, "timeout"),
            effect,
            lifecycle: reader.optional(&mut section, "lifecycle"),
            version: reader.optional(&mut section, "version"),
            category: reader.optional(&mut section, "category"),
            attributes,
            checks,
            authors,
            wire_name: reader.optional(&mut section, "wire_name"),
            posture: reader.optional(&mut section, "posture"),
        };
        reader.finish(section);
        stated
    }

    /// `"anyone"`, `"trusted"`, or the fields of the result that anyone can write.
    fn authors(&mut self, section: &mut Section) -> Option<Authors> {
        let path = format!("{}authors", section.path);
        let node = section.take("authors")?;
        let text = |value: &Value| match value {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        let authors = match &node.value {
            Value::Text(word) if word == "anyone" => Some(Authors::Anyone),
            Value::Text(word) if word == "trusted" => Some(Authors::Trusted),
            Value::List(items) => items
                .iter()
                .map(|item| text(&item.value))
                .collect::<Option<Vec<_>>>()
                .map(Authors::Fields),
            _ => None,
        };
        match &authors {
            Some(authors) => self.reader.note(path, json!(authors), node.origin),
            None => {
                let wanted = "\"anyone\", \"trusted\", or a list of fields of the result";
                self.reader.misfit(&path, &node, wanted);
            }
        }
        authors
    }

    fn attributes(&mut self, section: &mut Section) -> BTreeMap<String, String> {
        let mut table = self.reader.table(section, "attributes");
        let mut attributes = BTreeMap::new();
        for entry in table.take_rest() {
            let path = format!("{}{}", table.path, entry.key);
            match &entry.node.value {
                Value::Text(text) => {
                    self.reader
                        .note(path, text.as_str().into(), entry.node.origin.clone());
                    attributes.insert(entry.key, text.clone());
                }
                _ => self
                    .reader
                    .misfit(&path, &entry.node, "an expression in quotes"),
            }
        }
        attributes
    }
}
