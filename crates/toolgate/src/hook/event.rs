//! What coding agents say to their hooks, in one form.
//!
//! ```text
//! Claude Code, Codex   {"hook_event_name": "PreToolUse", "tool_name", "tool_input", "tool_use_id"}
//! Gemini CLI           {"hook_event_name": "BeforeTool", "tool_name", "tool_input"}
//! Cursor               {"hook_event_name": "preToolUse" | "beforeShellExecution" | …}
//! ```
//!
//! A payload that is none of these is an error and never a tool that runs. Must not know: the gate.

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use toolgate_model::Digest;

use crate::fault::Fault;

/// LIMIT: characters of a tool's name; the gate bounds names, too.
const NAME_CHARS_MAX: usize = 120;

/// LIMIT: bytes of a result that is reported whole.
const RESULT_BYTES_MAX: usize = 512 << 10;

/// A coding agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Coder {
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Cursor.
    Cursor,
    /// Gemini CLI.
    Gemini,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) moment: Moment,
    pub(super) call: Use,
    /// The agent's session.
    pub(super) session: Option<String>,
    /// Its own id of this one use, which makes an idempotency key.
    pub(super) key: Option<String>,
    /// Whether what runs can be changed by the answer.
    pub(super) replaceable: bool,
}

/// When a hook is asked.
#[derive(Debug, PartialEq)]
pub(super) enum Moment {
    /// Before the tool runs.
    Before,
    /// After it has.
    After(Told),
}

/// What came of a tool.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// It ended.
    Ended(Value),
    /// It failed.
    Failed(String),
}

/// One use of a tool.
#[derive(Debug)]
pub(super) struct Use {
    /// As the agent calls it.
    pub(super) tool: String,
    pub(super) arguments: Value,
}

impl Event {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Fault`] where it is not of an event that this hook is for.
    pub(super) fn read(coder: Coder, text: &str) -> Result<Self, Fault> {
        let payload: Value = serde_json::from_str(text).map_err(|error| {
            Fault::usage(format!("the payload is no JSON: {error}"))
                .help("this command is for an agent's hook, which writes to its standard input")
        })?;
        let name = text_of(&payload, "hook_event_name").unwrap_or_default();
        let unknown = || {
            Fault::usage(format!("`{name}` is no event that a tool is judged at"))
                .help("register it for the events that stand in docs/guides/coding-agents.md")
        };
        let (moment, shape) = match (coder, name) {
            (Coder::ClaudeCode | Coder::Codex, "PreToolUse")
            | (Coder::Gemini, "BeforeTool")
            | (Coder::Cursor, "preToolUse") => (Moment::Before, Shape::Named),
            (Coder::ClaudeCode | Coder::Codex, "PostToolUse")
            | (Coder::Gemini, "AfterTool")
            | (Coder::Cursor, "postToolUse") => (ended(&payload), Shape::Named),
            (Coder::ClaudeCode | Coder::Codex, "PostToolUseFailure")
            | (Coder::Cursor, "postToolUseFailure") => (failed(&payload), Shape::Named),
            (Coder::Cursor, "beforeShellExecution") => (Moment::Before, Shape::Shell),
            (Coder::Cursor, "afterShellExecution") => (ended(&payload), Shape::Shell),
            (Coder::Cursor, "beforeMCPExecution") => (Moment::Before, Shape::Mcp),
            (Coder::Cursor, "afterMCPExecution") => (ended(&payload), Shape::Mcp),
            (Coder::Cursor, "beforeReadFile") => (Moment::Before, Shape::Read),
            _ => return Err(unknown()),
        };
        let call = shape.call(&payload)?;
        let sessions = ["session_id", "conversation_id"];
        let session = sessions.iter().find_map(|key| text_of(&payload, key));
        let id = text_of(&payload, "tool_use_id").filter(|id| !id.is_empty());
        Ok(Self {
            moment,
            key: id.map(|id| format!("{}:{id}", session.unwrap_or_default())),
            session: session.map(str::to_owned),
            replaceable: matches!(shape, Shape::Named),
            call,
        })
    }

    /// What brings an event before a use and the one after it together.
    pub(super) fn pair(&self) -> String {
        let session = self.session.as_deref().unwrap_or_default();
        let whole = match &self.key {
            Some(key) => json!([key, self.call.tool]),
            None => json!([session, self.call.tool, self.call.arguments]),
        };
        Digest::of(whole.to_string().as_bytes()).hex()
    }
}

/// How a payload names what is used.
#[derive(Clone, Copy)]
enum Shape {
    Named,
    Shell,
    Mcp,
    Read,
}

impl Shape {
    fn call(self, payload: &Value) -> Result<Use, Fault> {
        let missing = |key: &str| Fault::usage(format!("the payload has no `{key}`"));
        let named = || text_of(payload, "tool_name").ok_or_else(|| missing("tool_name"));
        let member = |key: &str| payload.get(key).cloned().ok_or_else(|| missing(key));
        let (tool, arguments) = match self {
            Self::Named => (named()?.to_owned(), member("tool_input")?),
            Self::Mcp => (format!("mcp__{}", named()?), member("tool_input")?),
            Self::Shell => ("Shell".to_owned(), json!({"command": member("command")?})),
            Self::Read => (
                "Read".to_owned(),
                json!({"file_path": member("file_path")?}),
            ),
        };
        // Cursor writes the arguments of MCP tools as a text.
        let mut arguments = match arguments {
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            other => other,
        };
        let Some(members) = arguments.as_object_mut() else {
            return Err(Fault::usage("the arguments of the tool are no object"));
        };
        if known(&tool).is_some_and(|known| matches!(known.path, Folder)) {
            let folder = text_of(payload, "cwd").unwrap_or(".");
            members.entry("path").or_insert_with(|| json!(folder));
        }
        Ok(Use {
            tool: allowed(&tool)?,
            arguments,
        })
    }
}

impl Use {
    /// The tool as it is registered. What is known of an agent's own tools is said; of all others
    /// nothing is, so that the gate rates them by their names.
    pub(super) fn definition(&self, timeout_ms: u32) -> Value {
        let known = known(&self.tool);
        let mut tool = Map::new();
        tool.insert("name".to_owned(), json!(self.tool));
        tool.insert("timeout_ms".to_owned(), json!(timeout_ms));
        let mut schema = json!({"type": "object"});
        if let Some(known) = known {
            tool.insert("risk".to_owned(), json!(known.risk));
            tool.insert("verb".to_owned(), json!(known.verb));
            if let Argument(name) = known.path {
                let path = format!("args.{name}");
                tool.insert("attributes".to_owned(), json!({"path": path}));
            }
            let properties = known
                .arguments
                .iter()
                .map(|name| ((*name).to_owned(), json!({})));
            let properties: Map<_, _> = properties.collect();
            schema = json!({"type": "object", "properties": properties});
        }
        tool.insert("input_schema".to_owned(), schema);
        Value::Object(tool)
    }
}

impl Told {
    /// The report of it.
    pub(super) fn report(&self) -> Value {
        match self {
            Self::Ended(data) if data.to_string().len() > RESULT_BYTES_MAX => self.brief(),
            Self::Ended(data) => json!({"status": "succeeded", "data": data}),
            Self::Failed(why) => {
                let message: String = why.chars().take(1_000).collect();
                let error = json!({"code": "tool_error", "message": message});
                json!({"status": "failed", "error": error})
            }
        }
    }

    /// The report without what the gate could not keep.
    pub(super) fn brief(&self) -> Value {
        match self {
            Self::Ended(data) => {
                let text = data.to_string();
                let digest = Digest::of(text.as_bytes()).to_string();
                json!({"status": "succeeded", "data": {"bytes": text.len(), "digest": digest}})
            }
            Self::Failed(_) => {
                let error = json!({"code": "tool_error", "message": "it failed"});
                json!({"status": "failed", "error": error})
            }
        }
    }
}

/// A tool that coding agents bring along.
struct BuiltIn {
    name: &'static str,
    risk: &'static str,
    verb: &'static str,
    path: Where,
    arguments: &'static [&'static str],
}

/// Where the path is, for rules about paths.
#[derive(Clone, Copy)]
enum Where {
    /// Nowhere.
    None,
    /// In this argument.
    Argument(&'static str),
    /// In `path`, and where that is left out it is the folder that the agent works in.
    Folder,
}

use Where::{Argument, Folder};

const fn built_in(
    (name, risk, verb): (&'static str, &'static str, &'static str),
    path: Where,
    arguments: &'static [&'static str],
) -> BuiltIn {
    BuiltIn {
        name,
        risk,
        verb,
        path,
        arguments,
    }
}

const FILE: Where = Where::Argument("file_path");

/// Tools of Claude Code, Codex, Cursor and Gemini CLI, by their names there.
const BUILT_IN: &[BuiltIn] = &[
    built_in(
        ("Bash", "medium", "WRITE"),
        Where::None,
        &["command", "description", "timeout", "run_in_background"],
    ),
    built_in(
        ("Shell", "medium", "WRITE"),
        Where::None,
        &["command", "cwd"],
    ),
    built_in(
        ("run_shell_command", "medium", "WRITE"),
        Where::None,
        &["command", "description", "directory"],
    ),
    built_in(
        ("Read", "low", "READ"),
        FILE,
        &["file_path", "offset", "limit"],
    ),
    built_in(
        ("Write", "medium", "WRITE"),
        FILE,
        &["file_path", "content"],
    ),
    built_in(
        ("Edit", "medium", "WRITE"),
        FILE,
        &["file_path", "old_string", "new_string", "replace_all"],
    ),
    built_in(
        ("MultiEdit", "medium", "WRITE"),
        FILE,
        &["file_path", "edits"],
    ),
    built_in(
        ("NotebookEdit", "medium", "WRITE"),
        Argument("notebook_path"),
        &[
            "notebook_path",
            "new_source",
            "cell_id",
            "cell_type",
            "edit_mode",
        ],
    ),
    built_in(("Glob", "low", "READ"), Folder, &["pattern", "path"]),
    built_in(
        ("Grep", "low", "READ"),
        Folder,
        &["pattern", "path", "glob", "output_mode", "type"],
    ),
    built_in(("LS", "low", "READ"), Folder, &["path", "ignore"]),
    built_in(("TodoWrite", "low", "WRITE"), Where::None, &["todos"]),
    built_in(("WebFetch", "low", "READ"), Where::None, &["url", "prompt"]),
    built_in(
        ("WebSearch", "low", "READ"),
        Where::None,
        &["query", "allowed_domains", "blocked_domains"],
    ),
    built_in(
        ("apply_patch", "medium", "WRITE"),
        Where::None,
        &["command", "input", "patch"],
    ),
    built_in(
        ("read_file", "low", "READ"),
        FILE,
        &["file_path", "offset", "limit"],
    ),
    built_in(
        ("write_file", "medium", "WRITE"),
        FILE,
        &["file_path", "content"],
    ),
    built_in(
        ("replace", "medium", "WRITE"),
        FILE,
        &["file_path", "old_string", "new_string"],
    ),
    built_in(
        ("list_directory", "low", "READ"),
        Where::None,
        &["path", "dir_path"],
    ),
    built_in(
        ("web_fetch", "low", "READ"),
        Where::None,
        &["prompt", "url"],
    ),
    built_in(
        ("google_web_search", "low", "READ"),
        Where::None,
        &["query"],
    ),
];

fn known(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|known| known.name == name)
}

fn ended(payload: &Value) -> Moment {
    let keys = ["tool_response", "tool_output", "result_json", "output"];
    let result = keys.iter().find_map(|key| payload.get(key));
    Moment::After(Told::Ended(result.cloned().unwrap_or_default()))
}

fn failed(payload: &Value) -> Moment {
    let keys = ["error", "error_message"];
    let why = keys.iter().find_map(|key| text_of(payload, key));
    Moment::After(Told::Failed(why.unwrap_or("it failed").to_owned()))
}

/// The name with only the characters that names of tools have.
fn allowed(name: &str) -> Result<String, Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
        let shown: String = name.chars().take(40).collect();
        return Err(Fault::usage(format!(
            "`{shown}` is no name that a tool can have"
        )));
    }
    Ok(name.to_owned())
}

fn text_of<'p>(payload: &'p Value, key: &str) -> Option<&'p str> {
    payload.get(key).and_then(Value::as_str)
}
