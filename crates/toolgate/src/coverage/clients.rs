//! Configurations of MCP clients: which servers they reach, and whether through a gate.
//!
//! ```text
//! {"mcpServers": {"files": {"command": "npx", "args": ["server-filesystem", "."]}}}     directly
//! {"mcpServers": {"files": {"command": "toolgate", "args": ["mcp", "wrap", "--", …]}}}  through it
//! ```
//!
//! Claude Code and Desktop, Cursor, Windsurf, Cline and Gemini say `mcpServers`; VS Code says
//! `servers`, Zed `context_servers`, Codex `[mcp_servers.name]`; the gate's own `toolgate.toml` has
//! `[[source]]`. Must not know: code.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde_json::{Map, Value};

use super::{Finding, State};

/// Where servers stand, by client.
const SERVERS: [&str; 6] = [
    "/mcpServers",
    "/servers",
    "/context_servers",
    "/mcp_servers",
    "/mcp/servers",
    "/mcp/mcpServers",
];

/// Members that hold a server's address.
const ADDRESSES: [&str; 3] = ["url", "serverUrl", "httpUrl"];

/// The address of a gate of which nothing else is said.
const DEFAULT: [&str; 2] = ["http://127.0.0.1:8787", "http://localhost:8787"];

/// Words before which the program's name stands that is really run.
const LAUNCHERS: [&str; 4] = ["env", "exec", "nice", "nohup"];

/// The gates that are known.
#[derive(Debug)]
pub(super) struct Gates(Vec<String>);

/// One configuration.
#[derive(Debug)]
pub(super) struct Client {
    path: PathBuf,
    servers: Vec<Server>,
}

/// A server that a client reaches.
#[derive(Debug)]
struct Server {
    name: String,
    line: usize,
    /// The words of its command.
    words: Vec<String>,
    state: State,
    reason: String,
    /// Whether this is a source of a gate: it is reached by the gate, and by nobody else here.
    source: bool,
}

impl Gates {
    /// The gates at these addresses, and those that run here.
    pub(super) fn of(named: &[String]) -> Self {
        let named = named.iter().map(String::as_str);
        let all = named.chain(DEFAULT).filter_map(origin);
        Self(all.collect())
    }

    fn has(&self, url: &str) -> bool {
        origin(url).is_some_and(|origin| self.0.contains(&origin))
    }
}

/// The servers of one configuration; none where it names none.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn read(path: &Path, text: &str, gates: &Gates) -> Result<Option<Client>, String> {
    let toml = path.extension().is_some_and(|ending| ending == "toml");
    let root = if toml { of_toml(text) } else { of_json(text) }?;
    let mut servers = Vec::new();
    let projects = root.pointer("/projects").and_then(Value::as_object);
    let roots = std::iter::once(&root).chain(projects.into_iter().flat_map(Map::values));
    for root in roots {
        for pointer in SERVERS {
            let named = root.pointer(pointer).and_then(Value::as_object);
            for (name, server) in named.into_iter().flatten() {
                servers.push(Server::of(name, server, (text, gates)));
            }
        }
    }
    let sources = root.get("source").and_then(Value::as_array);
    for source in sources.into_iter().flatten() {
        servers.extend(Server::of_gate(source, text));
    }
    Ok((!servers.is_empty()).then(|| Client {
        path: path.to_owned(),
        servers,
    }))
}

/// What these configurations reach.
pub(super) fn findings(clients: &[Client]) -> Vec<Finding> {
    let of = |client: &Client| -> Vec<Finding> {
        let reached = client.servers.iter().filter(|server| !server.source);
        let finding = |server: &Server| Finding {
            path: client.path.clone(),
            line: server.line,
            name: server.name.clone(),
            kind: "MCP client".to_owned(),
            served: false,
            state: server.state,
            reason: server.reason.clone(),
        };
        reached.map(finding).collect()
    };
    clients.iter().flat_map(of).collect()
}

impl Client {
    /// How this configuration starts the server in that file of code, if it does.
    pub(super) fn launches(&self, code: &Path) -> impl Iterator<Item = (State, String)> {
        let starting = self.servers.iter().filter(|server| server.starts(code));
        starting.map(|server| {
            let reason = format!(
                "`{}` of {}: {}",
                server.name,
                self.path.display(),
                server.reason
            );
            (server.state, reason)
        })
    }
}

impl Server {
    fn of(name: &str, server: &Value, (text, gates): (&str, &Gates)) -> Self {
        let words = words(server);
        let address = ADDRESSES.iter().find_map(|key| server.get(key)?.as_str());
        let disabled = server.get("disabled") == Some(&Value::Bool(true))
            || server.get("enabled") == Some(&Value::Bool(false));
        let (state, reason) = match (address, words.as_slice()) {
            _ if disabled => (State::Covered, "switched off".to_owned()),
            (Some(url), _) => by_address(url, gates),
            (None, []) => (
                State::Unknown,
                "it names no command and no address".to_owned(),
            ),
            (None, words) => by_command(words),
        };
        Self {
            name: name.to_owned(),
            line: line_of(text, name),
            words,
            state,
            reason,
            source: false,
        }
    }

    /// A `[[source]]` of a gate.
    fn of_gate(source: &Value, text: &str) -> Option<Self> {
        let name = source.get("name")?.as_str()?;
        let command = source.pointer("/mcp/command")?.as_array()?;
        Some(Self {
            name: name.to_owned(),
            line: line_of(text, name),
            words: command
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            state: State::Covered,
            reason: "the gate starts it".to_owned(),
            source: true,
        })
    }

    /// Whether its command runs that file: by its path, or as a module.
    fn starts(&self, code: &Path) -> bool {
        self.words.iter().any(|word| {
            let path = Path::new(word.trim_start_matches("./"));
            let module = word.replace('.', "/") + ".py";
            (path.components().next().is_some() && code.ends_with(path))
                || path.is_absolute() && path.ends_with(code)
                || code.ends_with(module)
        })
    }
}

/// The command of a server: a text with arguments beside it, a list, or (Zed) an object.
fn words(server: &Value) -> Vec<String> {
    let command = server.get("command");
    let inner = command.and_then(|command| command.get("path"));
    let program = inner.or(command);
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    };
    let arguments = command
        .and_then(|command| command.get("args"))
        .or_else(|| server.get("args"));
    program
        .into_iter()
        .chain(arguments)
        .flat_map(texts)
        .collect()
}

fn by_command(words: &[String]) -> (State, String) {
    let mut rest = words.iter().map(String::as_str).skip_while(|word| {
        LAUNCHERS.contains(&program(word)) || (word.contains('=') && !word.contains('/'))
    });
    let first = rest.next().unwrap_or_default();
    if program(first) == "toolgate" {
        let mut said = rest.filter(|word| !word.starts_with('-'));
        return if said.any(|word| word == "mcp") {
            (State::Covered, "through `toolgate mcp`".to_owned())
        } else {
            (
                State::Unknown,
                "it starts `toolgate`, but not `toolgate mcp`".to_owned(),
            )
        };
    }
    if words.iter().any(|word| word.contains("toolgate")) {
        let reason = format!("`{first}` may start the gate; what it runs cannot be seen");
        return (State::Unknown, reason);
    }
    (State::Uncovered, format!("`{first}` is started directly"))
}

fn by_address(url: &str, gates: &Gates) -> (State, String) {
    if gates.has(url) {
        return (
            State::Covered,
            "through the gate at that address".to_owned(),
        );
    }
    if url.contains('$') || Url::parse(url).is_err() {
        return (
            State::Unknown,
            format!("where `{url}` leads cannot be seen"),
        );
    }
    let reason = format!("`{url}` is reached directly; if a gate is there, name it with `--gate`");
    (State::Uncovered, reason)
}

/// The name of a program without its folder and ending.
fn program(word: &str) -> &str {
    let name = word.rsplit(['/', '\\']).next().unwrap_or_default();
    name.strip_suffix(".exe").unwrap_or(name)
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// The first line that has the name, quoted or as the head of a table.
fn line_of(text: &str, name: &str) -> usize {
    let forms = [
        format!("\"{name}\""),
        format!(".{name}]"),
        format!("'{name}'"),
    ];
    let mut lines = text.lines();
    let found = lines.position(|line| forms.iter().any(|form| line.contains(form)));
    found.map_or(1, |at| at + 1)
}

fn of_toml(text: &str) -> Result<Value, String> {
    let value: toml::Value =
        toml::from_str(text).map_err(|error| format!("it is no TOML: {}", error.message()))?;
    serde_json::to_value(value).map_err(|error| format!("it cannot be read: {error}"))
}

/// JSON as editors write it: with comments and commas at the end.
fn of_json(text: &str) -> Result<Value, String> {
    let parsed =
        jsonc_parser::parse_to_serde_value::<Value>(text, &jsonc_parser::ParseOptions::default());
    parsed.map_err(|error| format!("it is no JSON: {error}"))
}
