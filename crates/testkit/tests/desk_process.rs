//! The refund desk as a stranger meets it: a process, its port, its ledger file.
//!
//! Everything here goes through real sockets and real kills; nothing looks inside.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use toolgate_testkit::desk::Sums;
use toolgate_testkit::{Process, RawResponse, exchange, free_port, read_lines, wait_until};

use desk::{Desk, call, command, post, refund, start};

#[cfg(test)]
mod desk {
    use std::net::SocketAddr;
    use std::path::Path;
    use std::process::Command;

    use serde_json::{Value, json};
    use toolgate_testkit::{Process, RawResponse, exchange};

    pub(super) struct Desk {
        pub(super) process: Process,
        pub(super) address: SocketAddr,
    }

    pub(super) fn command(ledger: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refund-desk"));
        command.arg("--ledger").arg(ledger).args(args);
        command
    }

    pub(super) fn start(ledger: &Path, args: &[&str]) -> Desk {
        let listen = ["--listen", "127.0.0.1:0"];
        let mut process = Process::start(command(ledger, &[&listen, args].concat())).unwrap();
        let said: Value = serde_json::from_str(&process.line().unwrap()).unwrap();
        let url = said["listening"].as_str().unwrap().to_owned();
        let address = url.strip_prefix("http://").unwrap();
        let address = address.strip_suffix("/mcp").unwrap().parse().unwrap();
        Desk { process, address }
    }

    pub(super) fn post(
        desk: &Desk,
        path: &str,
        headers: &str,
        body: &str,
    ) -> std::io::Result<RawResponse> {
        let address = desk.address;
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
        );
        exchange(address, request.as_bytes())
    }

    pub(super) fn call(tool: &str, args: Value) -> String {
        let params = json!({"name": tool, "arguments": args});
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
    }

    pub(super) fn refund(amount: u32) -> String {
        call(
            "refund",
            json!({"charge": "ch_load", "customer": "cust_load", "amount": amount}),
        )
    }
}

#[test]
fn what_was_answered_before_a_kill_is_in_the_ledger_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("desk.jsonl");
    let mut answered = 0;
    for _ in 0..3 {
        let mut desk: Desk = start(&ledger, &[]);
        for amount in 1..=5 {
            let response = post(&desk, "/mcp", "", &refund(amount)).unwrap();
            assert_eq!(response.status, 200);
            answered += 1;
        }
        desk.process.kill().unwrap();
    }
    let sums = Sums::of_file(&ledger).unwrap();
    assert_eq!((sums.refunds, sums.refunded_cents), (answered, 3 * 1_500));
    let requests = read_lines(&ledger).unwrap();
    let requests = requests.iter().filter(|line| line.get("request").is_some());
    assert_eq!(requests.count(), 15);
}

#[test]
fn each_kind_of_damage_looks_as_it_does_in_the_world() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("desk.jsonl");
    let mut desk = start(&ledger, &["--switches"]);
    let arm = |kind: &str| {
        let fault = json!({"fault": {"kind": kind, "tool": "refund", "times": 1}}).to_string();
        assert_eq!(post(&desk, "/switch", "", &fault).unwrap().status, 200);
    };
    let body = |response: RawResponse| String::from_utf8(response.body).unwrap();
    arm("garbage");
    let garbage = post(&desk, "/mcp", "", &refund(1)).unwrap();
    assert_eq!(
        (garbage.status, body(garbage).as_str()),
        (200, "this is not JSON\n")
    );
    arm("cut");
    let cut = body(post(&desk, "/mcp", "", &refund(2)).unwrap());
    assert!(
        cut.contains("jsonrpc") && !cut.ends_with("0\r\n\r\n"),
        "{cut}"
    );
    arm("drop");
    let dropped = post(&desk, "/mcp", "", &refund(3))
        .map(body)
        .unwrap_or_default();
    assert!(!dropped.contains("jsonrpc"), "{dropped}");
    arm("exit");
    let gone = post(&desk, "/mcp", "", &refund(4))
        .map(body)
        .unwrap_or_default();
    assert!(!gone.contains("jsonrpc"), "{gone}");
    assert_eq!(desk.process.wait().unwrap().code(), Some(9));
    assert_eq!(Sums::of_file(&ledger).unwrap().refunded_cents, 1_000);
}

#[test]
fn strangers_and_malformed_requests_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let desk = start(&dir.path().join("desk.jsonl"), &[]);
    let status =
        |path: &str, headers: &str, body: &str| post(&desk, path, headers, body).unwrap().status;
    assert_eq!(status("/mcp", "Origin: http://evil.example\r\n", "{}"), 403);
    assert_eq!(status("/mcp", "Origin: http://localhost:9\r\n", "{}"), 400);
    assert_eq!(status("/mcp", "", "nonsense"), 400);
    assert_eq!(status("/mcp", "", &"x".repeat((1 << 20) + 1)), 413);
    assert_eq!(status("/switch", "", "{}"), 404);
    let get = format!(
        "GET /mcp HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        desk.address
    );
    assert_eq!(exchange(desk.address, get.as_bytes()).unwrap().status, 405);
    let foreign = get.replace(&desk.address.to_string(), "evil.example");
    assert_eq!(
        exchange(desk.address, foreign.as_bytes()).unwrap().status,
        403
    );
}

#[test]
fn on_streams_it_answers_line_by_line_and_can_be_switched_from_beside() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("desk.jsonl");
    let control = format!("127.0.0.1:{}", free_port().unwrap());
    let args = ["--stdio", "--switches", "--control", &control];
    let mut command = command(&ledger, &args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let address: SocketAddr = control.parse().unwrap();
    let fault = r#"{"fault":{"kind":"garbage","tool":"get_charge"}}"#;
    let switch = format!(
        "POST /switch HTTP/1.1\r\nHost: {control}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{fault}",
        fault.len()
    );
    let switched = || exchange(address, switch.as_bytes()).ok();
    let answer = wait_until(Duration::from_secs(20), "the switch to answer", switched).unwrap();
    assert_eq!(answer.status, 200);
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", call("get_charge", json!({"charge": "ch_1"}))).unwrap();
    writeln!(input, "{}", refund(7)).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert!(
        text.contains("this is not JSON\n") && text.contains("re_1"),
        "{text}"
    );
    assert_eq!(Sums::of_file(&ledger).unwrap().refunded_cents, 700);
}

#[test]
fn a_second_desk_waits_for_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("desk.jsonl");
    let mut first = start(&ledger, &[]);
    let mut second = Process::start(command(&ledger, &["--listen", "127.0.0.1:0"])).unwrap();
    // The second one says where it listens only once it holds the ledger: after the first died.
    post(&first, "/mcp", "", &refund(1)).unwrap();
    first.process.kill().unwrap();
    assert!(second.line().unwrap().contains("listening"));
    let lines = read_lines(&ledger).unwrap();
    let effects = lines.iter().filter(|line| line.get("effect").is_some());
    assert_eq!(effects.count(), 1);
}

#[test]
fn flags_that_make_no_sense_are_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("desk.jsonl");
    for args in [
        &["--stdio", "--listen", "127.0.0.1:0"][..],
        &[],
        &["--stdio", "--fault", "kind=explode"],
        &["--stdio", "--control", "127.0.0.1:0"],
    ] {
        let output = command(&ledger, args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}
