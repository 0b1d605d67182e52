//! The fixtures as data, and the filling in of what a caller gave.
//!
//! A text may name a place in the facts of its call by a JSON pointer in braces:
//! `Hello, {/answers/user_name/content/name}!` with `{"answers": {"user_name": …}}`.
//! Must not know: MCP's requests, transports or eras.

use std::collections::BTreeMap;

use rmcp::model::{JsonObject, Prompt, Resource, ResourceTemplate, Tool};
use serde::Deserialize;
use serde_json::{Value, json};

/// Requests to the caller's client by key, not yet filled in.
pub type Asks = BTreeMap<String, Value>;

/// Everything the server offers.
#[derive(Deserialize)]
pub struct Fixtures {
    pub tools: Vec<ToolFixture>,
    pub prompts: Vec<PromptFixture>,
    pub resources: Vec<ResourceFixture>,
    pub templates: Vec<TemplateFixture>,
    pub completions: Vec<String>,
}

/// A tool, and what happens in order when it is called.
#[derive(Deserialize)]
pub struct ToolFixture {
    pub name: String,
    pub description: String,
    #[serde(default = "no_arguments")]
    pub schema: Value,
    /// Client capabilities without which it refuses.
    #[serde(default)]
    pub needs: JsonObject,
    #[serde(flatten)]
    pub rounds: Rounds,
    /// It goes on as a task where the client can follow one.
    pub task: Option<TaskFixture>,
    #[serde(default)]
    pub tells: Vec<Tell>,
    #[serde(default)]
    pub seconds: Value,
    pub announces: Option<List>,
    pub answer: Value,
}

/// What is asked of the caller's client before there is an answer.
#[derive(Default, Deserialize)]
pub struct Rounds {
    #[serde(default)]
    pub rounds: Vec<Asks>,
    /// How far it is travels with the client, sealed; else the answers alone say so.
    #[serde(default)]
    pub sealed: bool,
    /// It asks by requests of its own or not at all, as a server does that was written before
    /// there were rounds: modern callers are turned away.
    #[serde(default)]
    pub by_request: bool,
}

#[derive(Default, Deserialize)]
pub struct TaskFixture {
    /// A client that cannot follow tasks cannot call it.
    #[serde(default)]
    pub required: bool,
    /// Asked from within the task, all at once.
    #[serde(default)]
    pub asks: Asks,
}

/// Something said while a tool runs.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    Log(String),
    Progress(f64),
}

/// A list whose change is announced.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    Tools,
    Prompts,
}

#[derive(Deserialize)]
pub struct PromptFixture {
    pub prompt: Prompt,
    #[serde(flatten)]
    pub rounds: Rounds,
    pub answer: Value,
}

#[derive(Deserialize)]
pub struct ResourceFixture {
    pub resource: Resource,
    pub contents: Value,
}

#[derive(Deserialize)]
pub struct TemplateFixture {
    pub template: ResourceTemplate,
    pub contents: Value,
}

impl Fixtures {
    /// The fixtures of this server.
    pub fn read() -> serde_json::Result<Self> {
        serde_json::from_str(include_str!("fixtures.json"))
    }

    pub fn tool(&self, name: &str) -> Option<&ToolFixture> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    pub fn prompt(&self, name: &str) -> Option<&PromptFixture> {
        self.prompts.iter().find(|one| one.prompt.name == name)
    }

    /// What stands at a URI: a listed resource, or what a template makes of it.
    pub fn contents(&self, uri: &str) -> Option<Value> {
        let listed = self.resources.iter().find(|one| one.resource.uri == uri);
        let listed = listed.map(|one| with_place(&one.contents, uri, &one.resource.mime_type));
        listed.or_else(|| self.templates.iter().find_map(|one| one.contents(uri)))
    }
}

impl ToolFixture {
    pub fn tool(&self) -> Tool {
        let schema = self.schema.as_object().cloned().unwrap_or_default();
        Tool::new(self.name.clone(), self.description.clone(), schema)
    }

    /// How long it takes: a number, or where the arguments say it.
    pub fn seconds(&self, facts: &Value) -> f64 {
        let stated = self
            .seconds
            .as_str()
            .and_then(|pointer| facts.pointer(pointer));
        stated.unwrap_or(&self.seconds).as_f64().unwrap_or(0.0)
    }
}

impl TemplateFixture {
    /// The contents of a URI that this template makes; its one variable is `{id}`.
    fn contents(&self, uri: &str) -> Option<Value> {
        let (before, after) = self.template.uri_template.split_once("{id}")?;
        let id = uri.strip_prefix(before)?.strip_suffix(after)?;
        let filled = filled(&self.contents, &json!({ "id": id }));
        Some(with_place(&filled, uri, &self.template.mime_type))
    }
}

/// The same value with every `{/pointer}` in its texts replaced by what stands there.
pub fn filled(value: &Value, facts: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(filled_text(text, facts)),
        Value::Array(items) => items.iter().map(|item| filled(item, facts)).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, member)| (key.clone(), filled(member, facts)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn filled_text(text: &str, facts: &Value) -> String {
    let Some((before, rest)) = text.split_once("{/") else {
        return text.to_owned();
    };
    let Some((pointer, after)) = rest.split_once('}') else {
        return text.to_owned();
    };
    let found = match facts.pointer(&format!("/{pointer}")) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "(nothing)".to_owned(),
    };
    format!("{before}{found}{}", filled_text(after, facts))
}

fn with_place(contents: &Value, uri: &str, mime_type: &Option<String>) -> Value {
    let mut placed = json!({ "uri": uri, "mimeType": mime_type });
    for (key, value) in contents.as_object().into_iter().flatten() {
        placed[key] = value.clone();
    }
    placed
}

fn no_arguments() -> Value {
    json!({ "type": "object", "properties": {} })
}
