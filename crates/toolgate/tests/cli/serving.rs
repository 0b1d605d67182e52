//! A gate that is really started, with a refund desk behind it, and everything asked of it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::kit::{Gate, run};

#[test]
fn a_gate_serves_and_ends_when_told() {
    let gate = Gate::start(&[]);
    let (key, url) = (gate.key(), gate.url());
    let read = gate.invoke(&key, "desk.get_charge", &json!({"charge": "ch_1"}));
    assert_eq!(read["outcome"], "success", "{read}");
    let denied = gate.invoke(&key, "desk.close_account", &json!({"customer": "cust_123"}));
    assert_eq!(denied["denial"]["code"], "not_granted");
    assert!(gate.log().contains(&url), "{}", gate.log());
    gate.run(&["doctor"]).ended(0);
    for (file, mode) in [
        ("", 0o700),
        ("admin.token", 0o600),
        ("server.json", 0o600),
        ("signing.key", 0o600),
    ] {
        let metadata = std::fs::metadata(gate.data().join(file)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "`{file}`");
    }
    let home = gate.stop();
    assert!(!home.path().join("data/server.json").exists());
    run(home.path(), &["audit", "verify", "--data", "data"]).ended(0);
}

#[test]
fn agents_keys_and_people_are_made_and_ended() {
    let gate = Gate::start(&[]);
    gate.run(&[
        "agent",
        "add",
        "helper",
        "--owner",
        "ana@acme.com",
        "--tool",
        "desk.get_*",
        "--max-risk",
        "medium",
    ])
    .ended(0);
    gate.run(&[
        "agent",
        "can",
        "helper",
        "desk.get_charge",
        "--arguments",
        r#"{"charge": "ch_1"}"#,
    ])
    .ended(0);
    gate.run(&["agent", "can", "helper", "desk.close_account"])
        .ended(5);
    gate.run(&["agent", "show", "nobody"]).ended(2);
    let made = gate
        .run(&["key", "create", "helper", "--ttl", "1d", "--json"])
        .ended(0)
        .json();
    let (token, id) = (
        made["token"].as_str().unwrap(),
        made["id"].as_str().unwrap(),
    );
    // An agent's key administers nothing.
    gate.run_as(token, &["agent", "ls"]).ended(8);
    gate.run(&["agent", "suspend", "helper"]).ended(0);
    gate.run_as(token, &["tool", "ls"]).ended(8);
    gate.run(&["agent", "resume", "helper"]).ended(0);
    gate.run_as(token, &["tool", "ls"]).ended(0);
    gate.run(&["key", "revoke", id]).ended(0);
    gate.run_as(token, &["tool", "ls"]).ended(8);
    let listed = gate.run(&["key", "ls", "helper"]).ended(0).out;
    assert!(
        listed.contains("revoked") && !listed.contains(token),
        "{listed}"
    );
    let viewer = gate
        .run(&["user", "add", "cy@acme.com", "--role", "viewer", "--json"])
        .ended(0)
        .json();
    let viewer = viewer["token"].as_str().unwrap();
    gate.run_as(viewer, &["agent", "ls"]).ended(0);
    gate.run_as(viewer, &["agent", "suspend", "helper"])
        .ended(8);
}

#[test]
fn a_frozen_call_is_decided_by_its_digest() {
    let gate = Gate::start(&[]);
    let key = gate.key();
    let large = json!({"charge": "ch_1", "customer": "cust_123", "amount": 640});
    let waiting = gate.invoke(&key, "desk.refund", &large);
    let details = &waiting["denial"]["details"];
    let (id, digest) = (
        details["approval_id"].as_str().unwrap(),
        details["digest"].as_str().unwrap(),
    );
    assert!(
        gate.run(&["approvals", "show", id])
            .ended(0)
            .out
            .contains("640")
    );
    gate.run(&["approve", id, "--digest", "0"]).ended(2);
    gate.run(&["approve", id, "--digest", "00000000"]).ended(7);
    gate.run_as(&key, &["approve", id, "--digest", digest])
        .ended(8);
    let approved = gate
        .run(&["approve", id, "--digest", &digest[7..15], "--json"])
        .ended(0)
        .json();
    assert_eq!(approved["status"], "succeeded", "{approved}");
    gate.run(&["approve", id, "--digest", digest]).ended(7);

    let another = json!({"charge": "ch_1", "customer": "cust_123", "amount": 641});
    let waiting = gate.invoke(&key, "desk.refund", &another);
    let id = waiting["denial"]["details"]["approval_id"]
        .as_str()
        .unwrap();
    gate.run(&["deny", id, "--reason", "not this one"]).ended(0);
    let invocation = waiting["invocation_id"].as_str().unwrap();
    let story = gate.run(&["log", "show", invocation]).ended(0).out;
    assert!(
        story.contains("approval.rejected") && story.contains("not this one"),
        "{story}"
    );
    let receipt = gate
        .run(&["receipt", approved["invocation_id"].as_str().unwrap()])
        .ended(0);
    assert_eq!(receipt.json()["invocation"], approved["invocation_id"]);
    let file = gate.home.path().join("receipt.json");
    std::fs::write(&file, receipt.json().to_string()).unwrap();
    let proven = gate
        .run(&["audit", "verify", "receipt.json", "--json"])
        .ended(0);
    assert_eq!(proven.json()["executed"], proven.json()["approved"]);
    assert!(proven.json()["approved"].is_string());
    let forged = receipt.json().to_string().replace("sha256:", "sha256:0");
    std::fs::write(&file, forged).unwrap();
    gate.run(&["audit", "verify", "receipt.json"]).ended(7);
}

#[test]
fn policies_are_versions_and_mistakes_are_drawn() {
    let rule = |effect: &str| {
        format!(
            r#"{{"rules": [{{"rule_id": "c", "when": "tool == desk.get_charge", "effect": "{effect}"}}]}}"#
        )
    };
    let gate = Gate::start(&[("closed.json", &rule("deny"))]);
    let (key, file) = (gate.key(), gate.home.path().join("closed.json"));
    let read =
        || gate.invoke(&key, "desk.get_charge", &json!({"charge": "ch_1"}))["outcome"].clone();
    gate.run(&["policy", "apply", "closed.json"]).ended(0);
    assert_eq!(read(), "success", "a draft binds nobody");
    gate.run(&["policy", "activate", "closed"]).ended(0);
    assert_eq!(read(), "denied");
    std::fs::write(&file, rule("allow")).unwrap();
    gate.run(&[
        "policy",
        "apply",
        "closed.json",
        "--activate",
        "-m",
        "opened",
    ])
    .ended(0);
    assert_eq!(read(), "success");
    gate.run(&["policy", "rollback", "closed"]).ended(0);
    assert_eq!(read(), "denied");
    gate.run(&["policy", "activate", "closed@2"]).ended(0);
    assert_eq!(read(), "success");
    std::fs::write(&file, rule("denny")).unwrap();
    let said = gate
        .run(&["policy", "apply", "closed.json", "--activate"])
        .ended(3);
    assert!(
        said.err.contains("closed.json:1:") && said.err.contains("`deny`"),
        "{}",
        said.err
    );
    assert_eq!(read(), "success", "a mistake changes nothing");
    gate.run(&["policy", "deactivate", "closed"]).ended(0);
    assert!(
        gate.run(&["policy", "show", "closed", "--versions"])
            .ended(0)
            .out
            .contains("opened")
    );
    gate.run(&["eval", "-f", "-"]).ended(2);
}

#[test]
fn policy_files_are_loaded_again_when_they_change() {
    let config = "policies = [\"policies/\"]\n";
    let deny = r#"{"rules": [{"when": "tool == desk.get_charge", "effect": "deny"}]}"#;
    let gate = Gate::start(&[("toolgate.toml", config), ("policies/.keep", "")]);
    let key = gate.key();
    let read =
        || gate.invoke(&key, "desk.get_charge", &json!({"charge": "ch_1"}))["outcome"].clone();
    assert_eq!(read(), "success");
    std::fs::write(gate.home.path().join("policies/closed.json"), deny).unwrap();
    let limit = std::time::Duration::from_secs(60);
    toolgate_testkit::wait_until(limit, "the new policy", || {
        (read() == "denied").then_some(())
    })
    .unwrap();
    std::fs::write(gate.home.path().join("policies/closed.json"), "{").unwrap();
    toolgate_testkit::wait_until(limit, "the mistake in the log", || {
        gate.log()
            .contains("the old ones stay in force")
            .then_some(())
    })
    .unwrap();
    assert_eq!(read(), "denied", "the old one stays in force");
}

#[test]
fn a_busy_port_and_a_busy_directory_are_named_with_their_fix() {
    let gate = Gate::start(&[]);
    let address = gate.url().trim_start_matches("http://").to_owned();
    let said = run(
        gate.home.path(),
        &["serve", "--listen", &address, "--data", "other"],
    )
    .ended(1);
    assert!(
        said.err.contains(&format!("`{address}` is in use")) && said.err.contains("--listen"),
        "{}",
        said.err
    );
    assert!(
        !gate.home.path().join("other").exists(),
        "nothing was written"
    );
    let said = gate.run(&["serve", "--listen", "127.0.0.1:0"]).ended(1);
    assert!(
        said.err.contains("is in use by another process"),
        "{}",
        said.err
    );
    // And the one that runs is not disturbed.
    gate.run(&["tool", "ls"]).ended(0);
}

#[test]
fn what_waits_outlives_a_kill_and_the_bundle_proves_the_log() {
    let gate = Gate::start(&[]);
    let key = gate.key();
    let large = json!({"charge": "ch_1", "customer": "cust_123", "amount": 700});
    let waiting = gate.invoke(&key, "desk.refund", &large);
    let id = waiting["denial"]["details"]["approval_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let home = gate.kill();
    // What it wrote about where it listens is no gate, and nobody who listens there now is sent
    // the directory's token.
    let said = run(home.path(), &["tool", "ls", "--data", "data"]).ended(1);
    assert!(
        said.err.contains("no gate runs on the data directory"),
        "{}",
        said.err
    );
    std::fs::remove_file(home.path().join("data/server.json")).unwrap();
    let gate = Gate::start_in(home);
    assert!(gate.run(&["approvals", "ls"]).ended(0).out.contains(&id));
    let bundle = gate.run(&["log", "export"]).ended(0).out;
    let path = gate.home.path().join("log.ndjson");
    std::fs::write(&path, &bundle).unwrap();
    gate.run(&[
        "audit",
        "verify",
        "log.ndjson",
        "--key",
        "data/verifier.key",
    ])
    .ended(0);
    // The key of another log, published with Go's note package: the bundle's own word is not asked.
    let other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    gate.run(&["audit", "verify", "log.ndjson", "--key", other])
        .ended(7);
    std::fs::write(&path, bundle.replacen("refund_agent", "refund_agemt", 1)).unwrap();
    let said = gate
        .run(&[
            "audit",
            "verify",
            "log.ndjson",
            "--key",
            "data/verifier.key",
        ])
        .ended(7);
    assert!(said.out.contains("NOT SOUND"), "{}", said.out);
}
