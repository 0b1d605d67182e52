//! People around a gate that is really started: their groups, what they watch, what rings them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use toolgate_testkit::Process;

use crate::kit::{Gate, directory, program};

/// A refund that needs approval in the demo's world.
fn refund(gate: &Gate, key: &str) -> Value {
    let arguments = json!({"customer": "cust_123", "charge": "ch_1", "amount": 640});
    let envelope = gate.invoke(key, "desk.refund", &arguments);
    assert_eq!(envelope["status"], "pending_approval", "{envelope}");
    envelope["denial"]["details"].clone()
}

#[test]
fn people_are_put_into_groups_and_taken_out() {
    let gate = Gate::start(&[]);
    let add = ["user", "add", "bo@acme.com", "--role", "approver"];
    let mut with = add.to_vec();
    with.extend(["--group", "finance", "--group", "oncall", "--json"]);
    let added = gate.run(&with).ended(0).json();
    let token = added["token"].as_str().unwrap();
    let groups = ["user", "groups", "bo@acme.com"];
    assert_eq!(gate.run(&groups).ended(0).out, "finance\noncall\n");
    gate.run(&["user", "groups", "bo@acme.com", "legal"])
        .ended(0);
    assert_eq!(gate.run(&groups).ended(0).out, "legal\n");
    gate.run(&["user", "groups", "bo@acme.com", "--none"])
        .ended(0);
    assert_eq!(gate.run(&groups).ended(0).out, "");
    gate.run(&["user", "groups", "bo@acme.com", "owner"])
        .ended(2);
    // Whoever manages nobody changes nothing, and is nobody once disabled.
    gate.run_as(token, &["user", "groups", "bo@acme.com", "finance"])
        .ended(8);
    gate.run_as(token, &["approvals", "ls"]).ended(0);
    gate.run(&["user", "disable", "bo@acme.com"]).ended(0);
    gate.run_as(token, &["approvals", "ls"]).ended(8);
}

#[test]
fn whoever_watches_is_told_what_waits_and_what_becomes_of_it() {
    let gate = Gate::start(&[]);
    let key = gate.key();
    let first = refund(&gate, &key);
    let mut command = program(gate.home.path());
    command.args(["approvals", "watch", "--json", "--data", "data"]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut watch = Process::start(command).unwrap();
    let mut next = || -> Value { serde_json::from_str(&watch.line().unwrap()).unwrap() };
    let waiting = next();
    assert_eq!(waiting["change"], "waiting");
    assert_eq!(waiting["approval"]["approval_id"], first["approval_id"]);
    let id = first["approval_id"].as_str().unwrap();
    gate.run(&["deny", id, "--reason", "not today"]).ended(0);
    let rejected = next();
    assert_eq!(rejected["change"], "approval.rejected");
    assert_eq!(rejected["approval"]["status"], "rejected");
    assert_eq!(rejected["approval"]["votes"][0]["reason"], "not today");
    watch.kill().unwrap();
}

/// On a terminal: opened by its number, shown, and denied with a reason.
#[test]
fn whoever_watches_on_a_terminal_decides_on_what_was_shown() {
    let gate = Gate::start(&[]);
    let key = gate.key();
    let waiting = refund(&gate, &key);
    let watch = format!(
        "{} approvals watch --data data",
        env!("CARGO_BIN_EXE_toolgate")
    );
    // `script` gives the program a terminal of its own.
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &watch, "/dev/null"])
        .current_dir(gate.home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for name in ["TOOLGATE_URL", "TOOLGATE_TOKEN", "TOOLGATE_CONFIG"] {
        command.env_remove(name);
    }
    let mut child = command.spawn().unwrap();
    let mut typed = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut seen = String::new();
    let mut until = |text: &str| {
        let mut chunk = [0; 4_096];
        while !seen.contains(text) {
            let length = screen.read(&mut chunk).unwrap();
            assert_ne!(length, 0, "it ended before `{text}`: {seen}");
            seen.push_str(&String::from_utf8_lossy(&chunk[..length]));
        }
        std::mem::take(&mut seen)
    };
    let list = until("q to leave");
    assert!(list.contains("1 call waits"), "{list}");
    typed.write_all(b"1\n").unwrap();
    let shown = until("[a]pprove");
    let digest = waiting["digest"].as_str().unwrap();
    assert!(shown.contains(digest) && shown.contains("640"), "{shown}");
    typed.write_all(b"d\n").unwrap();
    until("why");
    typed.write_all(b"too much\n").unwrap();
    until("nothing waits");
    typed.write_all(b"q\n").unwrap();
    drop(typed);
    assert!(child.wait().unwrap().success());
    let id = waiting["approval_id"].as_str().unwrap();
    let ended = gate
        .run(&["approvals", "show", id, "--json"])
        .ended(0)
        .json();
    assert_eq!(ended["votes"][0]["reason"], "too much");
}

/// One request of a webhook: its headers by name, and its body.
fn received(stream: &TcpStream) -> (Vec<(String, String)>, Value) {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let length = value(&headers, "content-length").parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (headers, serde_json::from_slice(&body).unwrap())
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> &'h str {
    let found = headers.iter().find(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("no `{name}`")).1
}

#[test]
fn a_gate_that_dies_while_it_rings_rings_again() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", receiver.local_addr().unwrap());
    let config =
        format!("[[notify]]\nname = \"pager\"\nurl = \"{url}\"\nsecret = \"file:pager.key\"\n");
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let home = directory(&[("toolgate.toml", &config), ("pager.key", secret)]);
    let gate = Gate::start_in(home);
    let key = gate.key();
    let asked = refund(&gate, &key);
    let (silent, _) = receiver.accept().unwrap();
    let (headers, body) = received(&silent);
    assert_eq!(body["type"], "approval.requested");
    assert_eq!(body["data"]["approval_id"], asked["approval_id"]);
    // The receiver never answers, and the gate dies where it waits for that.
    let home = gate.kill();
    drop(silent);
    let gate = Gate::start_in(home);
    let (mut stream, _) = receiver.accept().unwrap();
    let (again, _) = received(&stream);
    assert_eq!(value(&again, "webhook-id"), value(&headers, "webhook-id"));
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        .unwrap();
    drop(stream);
    let log = || gate.run(&["notify", "log", "pager", "--json"]).ended(0);
    let delivered = toolgate_testkit::wait_until(std::time::Duration::from_secs(60), "it", || {
        let items = log().json()["items"].as_array().unwrap().clone();
        items.first().cloned()
    });
    let delivered = delivered.unwrap();
    assert_eq!(delivered["outcome"], "delivered", "{delivered}");
    assert_eq!(delivered["event"], value(&headers, "webhook-id"));
    assert!(!log().out.contains(secret) && !log().out.contains("/hook"));
    // Nobody answers a test now, and that is said.
    drop(receiver);
    gate.run(&["notify", "test", "pager"]).ended(1);
    gate.run(&["notify", "test", "nobody"]).ended(2);
    gate.run(&["notify", "ls"]).ended(0);
}
