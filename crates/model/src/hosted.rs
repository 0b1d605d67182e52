//! A tool that a host runs itself, as it is declared or registered, and the one form in which it is
//! pinned.
//!
//! ```json
//! {"name": "refund", "description": "Pays money back.", "inputSchema": {"type": "object"},
//!  "_meta": {"dev.toolgate/host": {"registered": true, "trusted": true, "risk": "high"}}}
//! ```
//! Everything that is said of such a tool stands in its definition, so what people agreed to is all
//! of it, and a gate that starts again knows it from its pins. Must not know: who may register what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Duration, Effect, ResourceTemplate, Risk, Verb};

/// The entry of `_meta` in which the definition of such a tool holds what its host states.
const KEY: &str = "dev.toolgate/host";

/// A tool that a host runs itself.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTool {
    /// Its name within its source.
    pub name: String,
    /// What it says of itself, for models and people.
    pub description: Option<String>,
    /// JSON Schema of the arguments; `Null` where nothing is said.
    pub input_schema: Value,
    /// What is stated about it.
    pub stated: HostStatement,
}

/// What a host states about a tool of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostStatement {
    /// Whether it was registered while the gate ran, and is not in its configuration.
    #[serde(default)]
    pub registered: bool,
    /// Whether the word of whoever states it is taken; else it may only raise the rating.
    #[serde(default)]
    pub trusted: bool,
    /// How much harm one call can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// What it does to its resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<Verb>,
    /// Whether a call may leave a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// How the resource is made from the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceTemplate>,
    /// How long one run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// A tag such as `issues`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Well-known attributes made from arguments: name to expression text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl HostTool {
    /// The definition that it is pinned by.
    pub fn definition(&self) -> Value {
        let mut definition = json!({"name": self.name, "_meta": {KEY: self.stated}});
        if let Some(members) = definition.as_object_mut() {
            if let Some(description) = &self.description {
                members.insert("description".to_owned(), description.as_str().into());
            }
            if !self.input_schema.is_null() {
                members.insert("inputSchema".to_owned(), self.input_schema.clone());
            }
        }
        definition
    }

    /// The tool that this definition pins; none where it is of another kind of source.
    pub fn of_definition(definition: &Value) -> Option<Self> {
        let stated = definition.get("_meta")?.get(KEY)?.clone();
        let text = |key: &str| definition.get(key)?.as_str().map(str::to_owned);
        Some(Self {
            name: text("name")?,
            description: text("description"),
            input_schema: definition.get("inputSchema").cloned().unwrap_or_default(),
            stated: serde_json::from_value(stated).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{HostStatement, HostTool};
    use crate::{Effect, ResourceTemplate, Risk, Verb, json};
    use serde_json::{Value, json};

    #[test]
    fn what_was_pinned_is_known_again() {
        let whole = HostTool {
            name: "refund".to_owned(),
            description: Some("Pays money back.".to_owned()),
            input_schema: json!({"type": "object", "properties": {"amount": {"minimum": 0.5}}}),
            stated: HostStatement {
                registered: true,
                trusted: true,
                risk: Some(Risk::High),
                verb: Some(Verb::Write),
                effect: Some(Effect::None),
                resource: Some(ResourceTemplate::parse("customer:{args.customer}").unwrap()),
                timeout: Some(crate::Duration::from_secs(20)),
                category: Some("billing".to_owned()),
                version: Some("2.1.0".to_owned()),
                attributes: [("path".to_owned(), "args.file_path".to_owned())].into(),
            },
        };
        let bare = HostTool {
            name: "ping".to_owned(),
            description: None,
            input_schema: Value::Null,
            stated: HostStatement::default(),
        };
        for tool in [whole, bare] {
            let pinned = json::canonical(&tool.definition());
            let back: Value = serde_json::from_str(&pinned).unwrap();
            assert_eq!(HostTool::of_definition(&back), Some(tool));
        }
    }

    #[test]
    fn a_tool_of_another_source_is_none_of_these() {
        let mcp = json!({"name": "refund", "inputSchema": {}, "_meta": {"version": "1"}});
        assert_eq!(HostTool::of_definition(&mcp), None);
    }
}
