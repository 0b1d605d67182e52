//! A small server of MCP over stdio that offers more than tools: prompts, resources, templates,
//! subscriptions. For the tests of this crate only.
//!
//! `library-server modern` speaks 2026-07-28, `library-server legacy` 2025-11-25; further words
//! make it odd: `plain` (declares tools only), `broken` (cannot list its prompts), `deaf` (a
//! subscription is refused). Its tools: `touch` updates a resource, `grow` adds one, `announce`
//! says that prompts changed though they did not, `seen` tells what came in, `hang` gives no answer
//! and `stall` reads nothing any more.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Write as _};

use serde_json::{Value, json};

#[derive(Default)]
struct Server {
    words: Vec<String>,
    grown: usize,
    subscribed: BTreeSet<String>,
    /// The streams of a modern client: the request's number and its filter.
    streams: Vec<(Value, Value)>,
    seen: Vec<Value>,
}

fn main() {
    let mut server = Server {
        words: std::env::args().skip(1).collect(),
        ..Server::default()
    };
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if let Ok(message) = serde_json::from_str::<Value>(&line) {
            server.handle(message);
        }
    }
}

fn print(message: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{message}").and_then(|()| out.flush());
}

fn reply(id: &Value, result: &Value) {
    print(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
}

fn refuse(id: &Value, code: i64, message: &str) {
    let error = json!({"code": code, "message": message});
    print(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
}

fn notify(method: &str, params: &Value) {
    print(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
}

impl Server {
    fn is(&self, word: &str) -> bool {
        self.words.iter().any(|given| given == word)
    }

    fn handle(&mut self, message: Value) {
        self.seen.push(message.clone());
        let id = message.get("id").cloned().unwrap_or_default();
        let params = message.get("params").cloned().unwrap_or_default();
        match message.get("method").and_then(Value::as_str).unwrap_or("") {
            "server/discover" if self.is("modern") => self.discover(&id),
            "initialize" if self.is("legacy") => self.initialize(&id),
            "ping" if self.is("legacy") => reply(&id, &json!({})),
            "tools/list" => reply(&id, &json!({"tools": tools()})),
            "prompts/list" if self.is("broken") => refuse(&id, -32603, "out of paper"),
            "prompts/list" => prompts(&id, &params),
            "resources/list" => reply(&id, &json!({"resources": self.resources()})),
            "resources/templates/list" => reply(
                &id,
                &json!({"resourceTemplates": [{"uriTemplate": "shelf:{n}", "name": "shelf"}]}),
            ),
            "resources/subscribe" if self.is("deaf") => refuse(&id, -32602, "not that one"),
            "resources/subscribe" => {
                self.subscribed.insert(uri(&params));
                reply(&id, &json!({}));
            }
            "resources/unsubscribe" => {
                self.subscribed.remove(&uri(&params));
                reply(&id, &json!({}));
            }
            "subscriptions/listen" => self.listen(id, at(&params, "notifications").clone()),
            "notifications/cancelled" => self
                .streams
                .retain(|(of, _)| of != at(&params, "requestId")),
            "resources/read" => reply(
                &id,
                &json!({"contents": [{"uri": at(&params, "uri"), "text": "once upon a time"}]}),
            ),
            "prompts/get" => reply(&id, &json!({"messages": [], "asked": params})),
            "completion/complete" => reply(&id, &json!({"completion": {"values": ["a"]}})),
            "tools/call" => self.call(&id, &params),
            "server/discover" | "initialize" => refuse(&id, -32601, "no such method"),
            _ => {}
        }
    }

    fn capabilities(&self) -> Value {
        if self.is("plain") {
            return json!({"tools": {}});
        }
        json!({
            "tools": {},
            "prompts": {"listChanged": true},
            "resources": {"subscribe": true, "listChanged": true},
            "completions": {},
        })
    }

    fn discover(&self, id: &Value) {
        let result = json!({"supportedVersions": ["2026-07-28"], "resultType": "complete",
            "capabilities": self.capabilities(), "instructions": "Whisper."});
        reply(id, &result);
    }

    fn initialize(&self, id: &Value) {
        let result = json!({"protocolVersion": "2025-11-25", "serverInfo": {"name": "library"},
            "capabilities": self.capabilities(), "instructions": "Whisper."});
        reply(id, &result);
    }

    fn resources(&self) -> Vec<Value> {
        let grown = (1..=self.grown).map(|n| json!({"uri": format!("book:grown{n}")}));
        let old = json!({"uri": "book:1", "name": "one", "size": 1});
        [old].into_iter().chain(grown).collect()
    }

    fn listen(&mut self, id: Value, filter: Value) {
        let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
        let params = json!({"_meta": meta, "notifications": filter});
        notify("notifications/subscriptions/acknowledged", &params);
        self.streams.push((id, filter));
    }

    fn call(&mut self, id: &Value, params: &Value) {
        let arguments = at(params, "arguments");
        match at(params, "name").as_str().unwrap_or("") {
            "touch" => self.touch(at(arguments, "uri").as_str().unwrap_or("")),
            "grow" => {
                self.grown += 1;
                self.tell("resources");
            }
            "announce" => self.tell("prompts"),
            "seen" => return reply(id, &json!({"content": [], "seen": self.seen})),
            "hang" => return,
            "stall" => stall(),
            _ => return refuse(id, -32602, "unknown tool"),
        }
        reply(id, &json!({"content": []}));
    }

    /// Says that a resource was updated, to whoever subscribed it.
    fn touch(&self, uri: &str) {
        let method = "notifications/resources/updated";
        if self.subscribed.contains(uri) {
            notify(method, &json!({"uri": uri, "x-by": 1.50}));
        }
        for (stream, filter) in &self.streams {
            let uris = at(filter, "resourceSubscriptions").as_array();
            if uris.is_some_and(|uris| uris.contains(&uri.into())) {
                let meta = json!({"io.modelcontextprotocol/subscriptionId": stream});
                notify(method, &json!({"_meta": meta, "uri": uri}));
            }
        }
    }

    /// Says that a list changed, to whoever listens.
    fn tell(&self, list: &str) {
        let method = format!("notifications/{list}/list_changed");
        if self.is("legacy") {
            notify(&method, &json!({}));
        }
        for (stream, filter) in &self.streams {
            if at(filter, &format!("{list}ListChanged")) == true {
                let meta = json!({"io.modelcontextprotocol/subscriptionId": stream});
                notify(&method, &json!({"_meta": meta}));
            }
        }
    }
}

/// Reads nothing any more, until whoever started it is gone.
fn stall() -> ! {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        std::thread::park_timeout(std::time::Duration::from_secs(1));
    }
    std::process::exit(0)
}

fn at<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn uri(params: &Value) -> String {
    at(params, "uri").as_str().unwrap_or("").to_owned()
}

fn tools() -> Vec<Value> {
    let names = [
        "touch",
        "grow",
        "announce",
        "seen",
        "hang",
        "stall",
        "resources/read",
    ];
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
    names.into_iter().map(tool).collect()
}

/// Two pages, the second of which leads back to the first.
fn prompts(id: &Value, params: &Value) {
    let first = params.get("cursor").is_none();
    let name = if first { "greet" } else { "part" };
    reply(id, &json!({"prompts": [{"name": name}], "nextCursor": "2"}));
}
