//! MCP over standard streams: carried to a gate that runs, served by one of its own, or wrapped.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::kit::{Gate, directory, program, run};

/// A client that speaks the era of sessions, as most do.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u32,
}

impl Client {
    fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut client = Self {
            child,
            input,
            output: BufReader::new(output),
            next: 0,
        };
        let info = json!({"name": "test", "version": "1"});
        let hello =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
        assert_eq!(
            client.ask("initialize", hello)["protocolVersion"],
            "2025-11-25"
        );
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }

    /// The result of a request; what comes in between is not for us.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "the server has gone"
            );
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == json!(id) {
                assert!(message["error"].is_null(), "{message}");
                return message["result"].clone();
            }
        }
    }

    fn tools(&mut self) -> Vec<String> {
        let listed = self.ask("tools/list", json!({}));
        let tools = listed["tools"].as_array().unwrap().iter();
        tools
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn call(&mut self, name: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": name, "arguments": arguments}))
    }

    fn leave(self) {
        let Self {
            mut child, input, ..
        } = self;
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn messages_are_carried_to_the_gate_that_runs() {
    let gate = Gate::start(&[]);
    std::fs::write(gate.home.path().join("agent.key"), gate.key()).unwrap();
    let mut command = program(gate.home.path());
    command.args(["mcp", "--key-file", "agent.key", "--data", "data"]);
    let mut client = Client::start(command);
    let tools = client.tools();
    assert!(tools.contains(&"desk__refund".to_owned()), "{tools:?}");
    assert!(
        !tools.contains(&"desk__close_account".to_owned()),
        "{tools:?}"
    );
    let read = client.call("desk__get_charge", json!({"charge": "ch_1"}));
    assert_eq!(read["structuredContent"]["id"], "ch_1", "{read}");
    let small = json!({"charge": "ch_1", "customer": "cust_123", "amount": 5});
    assert_ne!(client.call("desk__refund", small)["isError"], true);
    client.leave();
    assert!(
        gate.run(&["log", "tail"])
            .ended(0)
            .out
            .contains("invocation.succeeded")
    );
}

#[test]
fn without_a_key_or_with_a_wrong_one_nothing_is_listed() {
    let gate = Gate::start(&[]);
    let said = gate.run(&["mcp"]).ended(8);
    assert!(said.err.contains("toolgate key create"), "{}", said.err);
    assert!(
        said.out.is_empty(),
        "stdout belongs to the protocol: {}",
        said.out
    );
}

#[test]
fn a_wrapped_server_reads_at_once_and_writes_after_approval() {
    let home = directory(&[]);
    let mut command = program(home.path());
    command.args(["mcp", "wrap", "--name", "desk", "--data", "data", "--"]);
    command.args([
        env!("CARGO_BIN_EXE_toolgate"),
        "refund-desk",
        "--stdio",
        "--ledger",
        "desk.jsonl",
    ]);
    let mut client = Client::start(command);
    let tools = client.tools();
    assert!(
        tools.contains(&"refund".to_owned()),
        "the server's own names: {tools:?}"
    );
    let read = client.call("get_charge", json!({"charge": "ch_1"}));
    assert_eq!(read["structuredContent"]["id"], "ch_1", "{read}");

    let arguments = json!({"charge": "ch_1", "customer": "cust_123", "amount": 5});
    let waiting = client.call("refund", arguments.clone());
    assert_eq!(waiting["isError"], true, "{waiting}");
    let details = &waiting["_meta"]["dev.toolgate/outcome"]["denial"]["details"];
    let (id, digest) = (
        details["approval_id"].as_str().unwrap(),
        details["digest"].as_str().unwrap(),
    );
    run(
        home.path(),
        &["approve", id, "--digest", digest, "--data", "data"],
    )
    .ended(0);
    let ledger = std::fs::read_to_string(home.path().join("desk.jsonl")).unwrap();
    assert_eq!(ledger.matches("\"effect\"").count(), 1, "{ledger}");
    client.leave();
    run(home.path(), &["audit", "verify", "--data", "data"]).ended(0);
}

#[test]
fn a_client_may_be_the_only_reason_for_a_gate() {
    let files = [(
        "toolgate.toml",
        "listen = \"127.0.0.1:0\"\ndata = \"data\"\n",
    )];
    let gate = Gate::start_in(directory(&files));
    let key = gate.key();
    let home = gate.stop();
    // The desk was the demo's; without it the gate still says who is asking.
    let mut command = program(home.path());
    command.args(["mcp"]).env("TOOLGATE_TOKEN", &key);
    let mut client = Client::start(command);
    let tools = client.tools();
    assert!(tools.contains(&"toolgate_whoami".to_owned()), "{tools:?}");
    client.leave();
    assert!(!home.path().join("data/server.json").exists());
}
