//! A server of MCP over stdio that does whatever is wrong, on request: what the tests of this
//! crate point the gate at.
//!
//! `fault-server modern` speaks 2026-07-28, `fault-server legacy` 2025-11-25. Further words ask
//! for faults from the start: `leaves` (on anything before `initialize`), `mute` (answers no
//! probe), `noise` (prints garbage only), `litter` (garbage between messages), `endless` and
//! `circle` (pages of tools), `crash` (at once), `stubborn` (stays when its input closes), `odd`
//! (tools that cannot be described), `scripted` (a tool `script` by which a call says itself what
//! the server does about it, see [`Server::script`]). All other faults are tools.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, Write as _};
use std::process::exit;

use serde_json::{Value, json};

/// A conversation that a call scripted: what is printed on each further message about it.
struct Script {
    steps: VecDeque<Vec<String>>,
    call: Value,
}

struct Server {
    words: Vec<String>,
    scripts: BTreeMap<String, Script>,
    extra_tools: Vec<String>,
    listening: Option<Value>,
    seen: Vec<Value>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut server = Server {
        words,
        scripts: BTreeMap::new(),
        extra_tools: Vec::new(),
        listening: None,
        seen: Vec::new(),
    };
    if server.is("crash") {
        eprintln!("no configuration found");
        exit(3);
    }
    while server.is("noise") {
        print("DEBUG: not a protocol");
    }
    if server.is("litter") {
        print("Server listening on stdio");
        print("{\"level\":\"info\"}");
        print("");
    }
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str::<Value>(&line) {
            Ok(message) => server.handle(message),
            Err(error) => eprintln!("not JSON: {error}"),
        }
    }
    while server.is("stubborn") {
        std::thread::park();
    }
}

fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        exit(0);
    }
}

fn reply(id: &Value, result: &str) {
    print(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
    ));
}

fn refuse(id: &Value, code: i64, message: &str, data: Value) {
    let error = json!({"code": code, "message": message, "data": data});
    print(&json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string());
}

fn text(text: &str) -> String {
    json!({"content": [{"type": "text", "text": text}]}).to_string()
}

impl Server {
    fn is(&self, word: &str) -> bool {
        self.words.iter().any(|given| given == word)
    }

    fn handle(&mut self, message: Value) {
        self.seen.push(message.clone());
        let id = message.get("id").cloned().unwrap_or_default();
        let method = message.get("method").and_then(Value::as_str).unwrap_or("");
        let params = message.get("params").cloned().unwrap_or_default();
        match method {
            "server/discover" => self.discover(&id),
            "initialize" => self.initialize(&id),
            "tools/list" => self.list(&id, &params),
            "tools/call" => self.call(&id, &params),
            "subscriptions/listen" => self.listening = Some(id),
            "tasks/get" => self.step(text_of(&params, "taskId"), &id, &Value::Null),
            "tasks/update" | "tasks/cancel" => reply(&id, "{}"),
            "logging/setLevel" => reply(&id, "{}"),
            "prompts/list" => reply(&id, r#"{"prompts":[]}"#),
            "resources/list" => reply(&id, r#"{"resources":[]}"#),
            "resources/templates/list" => reply(&id, r#"{"resourceTemplates":[]}"#),
            "resources/read" | "prompts/get" | "completion/complete" => {
                let name = ["uri", "name", "key"].map(|key| text_of(&params, key));
                let key = name
                    .into_iter()
                    .find(|name| self.scripts.contains_key(*name));
                self.step(key.unwrap_or_default(), &id, &params);
            }
            // An answer to a question, whose id begins with the name of its script.
            "" => {
                let key = id.as_str().and_then(|id| id.split_once('/'));
                let said = ["result", "error"].map(|name| message.get(name).cloned());
                let said = said.into_iter().flatten().next().unwrap_or_default();
                let key = key.map_or("", |(key, _)| key);
                if let Some(call) = self.scripts.get(key).map(|script| script.call.clone()) {
                    self.step(key, &call, &said);
                }
            }
            _ => {}
        }
    }

    /// Prints the next step of a script, the last one again and again.
    fn step(&mut self, key: &str, id: &Value, said: &Value) {
        let Some(script) = self.scripts.get_mut(key) else {
            return refuse(id, -32602, "no such script", Value::Null);
        };
        let step = match script.steps.len() {
            0 | 1 => script.steps.front().cloned(),
            _ => script.steps.pop_front(),
        };
        for line in step.into_iter().flatten() {
            let line = line.replace("SAID", &said.to_string());
            print(&line.replace("ID", &id.to_string()));
        }
    }

    /// A call that says itself what the server does about it: `{"key", "steps": [[line]]}`.
    fn script(&mut self, id: &Value, params: &Value, arguments: &Value) {
        let key = text_of(arguments, "key").to_owned();
        let steps = || serde_json::from_value(arguments.get("steps").cloned()?).ok();
        let script = self.scripts.entry(key.clone()).or_insert_with(|| Script {
            steps: steps().unwrap_or_default(),
            call: Value::Null,
        });
        script.call = id.clone();
        let said = ["inputResponses", "requestState"].map(|name| params.get(name).cloned());
        self.step(&key, id, &json!(said));
    }

    fn discover(&self, id: &Value) {
        if self.is("leaves") {
            eprintln!("expected initialize");
            exit(1);
        }
        if self.is("future") {
            refuse(
                id,
                -32022,
                "unsupported",
                json!({"supported": ["2031-01-01"]}),
            );
        } else if self.is("modern") {
            let info =
                json!({"io.modelcontextprotocol/serverInfo": {"name": "f", "version": "7.1"}});
            let result = json!({"supportedVersions": ["2026-07-28"], "resultType": "complete",
                "capabilities": self.capabilities(), "_meta": info});
            reply(id, &result.to_string());
        } else if !self.is("mute") {
            refuse(id, -32601, "Method not found", Value::Null);
        }
    }

    fn capabilities(&self) -> Value {
        let tools = json!({"listChanged": true});
        if self.is("scripted") {
            json!({"tools": tools, "logging": {}, "prompts": {}, "resources": {}, "completions": {}})
        } else {
            json!({"tools": tools})
        }
    }

    fn initialize(&self, id: &Value) {
        let result = json!({"protocolVersion": "2025-11-25",
            "capabilities": self.capabilities(), "serverInfo": {"name": "f", "version": "6.0"}});
        reply(id, &result.to_string());
    }

    fn list(&self, id: &Value, params: &Value) {
        let page: u64 = params
            .get("cursor")
            .and_then(Value::as_str)
            .and_then(|cursor| cursor.parse().ok())
            .unwrap_or_default();
        let mut tools = vec![];
        if page == 0 {
            tools = self.tools();
        } else {
            tools.push(json!({"name": format!("page_{page}"), "inputSchema": {"type": "object"}}));
        }
        let next = if self.is("endless") {
            page + 1
        } else {
            (page + 1) % 3
        };
        let more = self.is("endless") || self.is("circle");
        let cursor = more.then(|| next.to_string());
        let result = json!({"tools": tools, "nextCursor": cursor, "resultType": "complete"});
        reply(id, &result.to_string());
    }

    fn tools(&self) -> Vec<Value> {
        let mut names: Vec<&str> = [
            "echo",
            "print",
            "hang",
            "half",
            "die",
            "grow",
            "ask",
            "huge",
            "seen",
            "doze",
            "last",
            "environment",
        ]
        .to_vec();
        names.extend(self.is("scripted").then_some("script"));
        names.extend(self.extra_tools.iter().map(String::as_str));
        let describe = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
        let mut tools: Vec<Value> = names.into_iter().map(describe).collect();
        if self.is("odd") {
            tools.extend(odd_tools());
        }
        tools
    }

    fn call(&mut self, id: &Value, params: &Value) {
        let name = params.get("name").and_then(Value::as_str).unwrap_or("");
        let arguments = params.get("arguments").cloned().unwrap_or_default();
        match name {
            "echo" => reply(id, &json!({"content": [], "params": params}).to_string()),
            // Prints these lines as they stand, with ID for the request's id.
            "print" => {
                let lines = arguments.get("lines").and_then(Value::as_array);
                for line in lines.into_iter().flatten().filter_map(Value::as_str) {
                    print(&line.replace("ID", &id.to_string()));
                }
            }
            "script" => self.script(id, params, &arguments),
            "hang" => progress(params),
            "half" => {
                progress(params);
                let mut out = std::io::stdout().lock();
                let _ = write!(out, r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":["#);
                let _ = out.flush();
                exit(1);
            }
            "die" => {
                eprintln!("out of memory");
                exit(9);
            }
            "grow" => self.grow(id),
            "ask" => {
                print(r#"{"jsonrpc":"2.0","id":"q1","method":"ping"}"#);
                print(r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}"#);
                reply(id, &text("asked"));
            }
            "huge" => reply(id, &text(&"x".repeat(300 << 10))),
            "seen" => reply(id, &json!({"content": [], "seen": self.seen}).to_string()),
            // A whole answer, but no end of line.
            "last" => {
                let mut out = std::io::stdout().lock();
                let _ = write!(
                    out,
                    r#"{{"jsonrpc":"2.0","id":{id},"result":{{"last":1}}}}"#
                );
                let _ = out.flush();
                exit(0);
            }
            // Reads nothing until this file is there.
            "doze" => {
                progress(params);
                let file = arguments.get("file").and_then(Value::as_str).unwrap_or("");
                while !std::path::Path::new(file).exists() {
                    std::thread::yield_now();
                }
                reply(id, &text("awake"));
            }
            "environment" => {
                reply(
                    id,
                    &json!({"content": [], "environment": environment()}).to_string(),
                );
            }
            _ => refuse(id, -32602, &format!("unknown tool: {name}"), Value::Null),
        }
    }

    fn grow(&mut self, id: &Value) {
        self.extra_tools
            .push(format!("grown_{}", self.extra_tools.len() + 1));
        match &self.listening {
            Some(stream) => print(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{stream}}}}}}}"#
            )),
            None if self.is("modern") => {}
            None => print(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#),
        }
        reply(id, &text("grown"));
    }
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a child process sees is the question"
)]
fn environment() -> std::collections::BTreeMap<String, String> {
    std::env::vars().collect()
}

fn progress(params: &Value) {
    if let Some(token) = params.pointer("/_meta/progressToken") {
        let params = json!({"progressToken": token, "progress": 1, "message": "working"});
        let message =
            json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params});
        print(&message.to_string());
    }
}

fn odd_tools() -> Vec<Value> {
    let long = "x".repeat(20_000);
    vec![
        json!({"name": "echo", "description": "the second of this name"}),
        json!({"name": ""}),
        json!({"title": "nameless"}),
        json!({"name": "wordy", "description": long}),
        json!({"name": "listed", "inputSchema": []}),
        json!(["not", "a", "tool"]),
        json!({"name": "über maß"}),
    ]
}
