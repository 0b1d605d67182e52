//! The proxy as a process in front of a desk in another: commands on its input, counts on its
//! output, and the end of both with the end of the input.

use std::process::Command;

use serde_json::{Value, json};
use toolgate_testkit::{Process, read_lines};

use proxied::{Proxy, refund};

#[cfg(test)]
mod proxied {
    use std::io::{BufReader, Write as _};
    use std::net::SocketAddr;
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

    use serde_json::{Value, json};
    use toolgate_testkit::exchange;

    pub(super) struct Proxy {
        pub(super) child: Child,
        pub(super) input: ChildStdin,
        output: BufReader<ChildStdout>,
        pub(super) address: SocketAddr,
    }

    impl Proxy {
        pub(super) fn start(to: &str, plan: &Value) -> Self {
            let mut command = Command::new(env!("CARGO_BIN_EXE_faulty-proxy"));
            command.args(["--to", to, "--plan", &plan.to_string()]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let input = child.stdin.take().unwrap();
            let mut output = BufReader::new(child.stdout.take().unwrap());
            let said: Value = serde_json::from_str(&line(&mut output)).unwrap();
            let address = said["listening"].as_str().unwrap().parse().unwrap();
            Self {
                child,
                input,
                output,
                address,
            }
        }

        pub(super) fn tell(&mut self, command: &str) -> Value {
            writeln!(self.input, "{command}").unwrap();
            serde_json::from_str(&line(&mut self.output)).unwrap()
        }
    }

    fn line(output: &mut impl std::io::BufRead) -> String {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    }

    pub(super) fn refund(address: SocketAddr, amount: u32) -> Option<u16> {
        let order = json!({"charge": "ch_load", "customer": "cust_load", "amount": amount});
        let params = json!({"name": "refund", "arguments": order});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            .to_string();
        let length = body.len();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let response = exchange(address, request.as_bytes()).ok()?;
        Some(response.status).filter(|status| *status != 0)
    }
}

#[test]
fn commands_line_by_line_decide_what_the_desk_hears_of() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("desk.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_refund-desk"));
    command
        .args(["--listen", "127.0.0.1:0", "--ledger"])
        .arg(&ledger);
    let mut desk = Process::start(command).unwrap();
    let said: Value = serde_json::from_str(&desk.line().unwrap()).unwrap();
    let url = said["listening"].as_str().unwrap();
    let to = &url["http://".len()..url.len() - "/mcp".len()];

    let plan = json!({"aim": {"tools": ["refund"]}});
    let mut proxy = Proxy::start(to, &plan);
    // The desk believes the name by which it is asked only if it is its own machine's.
    assert_eq!(refund(proxy.address, 1), Some(200));
    proxy.tell(r#"{"arm":{"fault":"before","times":2}}"#);
    proxy.tell(r#"{"arm":{"fault":"after"}}"#);
    let seen: Vec<_> = (2..=5)
        .map(|amount| refund(proxy.address, amount))
        .collect();
    assert_eq!(seen, [None, None, None, Some(200)]);

    let lines = read_lines(&ledger).unwrap();
    let landed: Vec<_> = lines
        .iter()
        .filter_map(|line| line["effect"]["refund"]["amount"].as_str())
        .collect();
    assert_eq!(landed, ["1.00", "4.00", "5.00"]);

    let counts = proxy.tell(r#""counts""#);
    assert_eq!(
        (&counts["aimed"], &counts["before"], &counts["after"]),
        (&json!(5), &json!(2), &json!(1))
    );
    let refused = proxy.tell("nonsense");
    assert!(refused["error"].is_string(), "{refused}");

    let Proxy {
        mut child, input, ..
    } = proxy;
    drop(input);
    assert!(child.wait().unwrap().success());
}
