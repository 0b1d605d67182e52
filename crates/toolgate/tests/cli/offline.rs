//! Commands that need no gate: help, errors, exit codes, policies, decisions.

use snapbox::{assert_data_eq, str};

use crate::kit::{directory, run, run_with};

const REFUNDS: &str = r#"{
  "rules": [
    {"rule_id": "large", "when": "tool == stripe.refund and amount > 500", "effect": "require_approval"},
    {"rule_id": "closed", "when": "tool == stripe.refund and charge == ch_9", "effect": "deny"},
    {"rule_id": "fine", "when": "tool == stripe.refund", "effect": "allow"}
  ]
}"#;

fn eval(call: &str, arguments: &[&str]) -> crate::kit::Said {
    let home = directory(&[("policies/refunds.json", REFUNDS)]);
    let mut all = vec!["eval", "-f", "-", "--policy", "policies"];
    all.extend(arguments);
    run_with(home.path(), &all, call)
}

#[test]
fn the_help_names_every_command() {
    let home = directory(&[]);
    let said = run(home.path(), &["--help"]).ended(0);
    assert_data_eq!(said.out, snapbox::file!["help.txt"]);
}

#[test]
fn a_wrong_command_line_is_usage() {
    let home = directory(&[]);
    run(home.path(), &["polcy"]).ended(2);
    run(home.path(), &["approve", "apr_1"]).ended(2);
    run(home.path(), &[]).ended(2);
}

#[test]
fn without_a_gate_the_error_says_how_to_start_one() {
    let home = directory(&[]);
    let said = run(home.path(), &["tool", "ls"]).ended(1);
    assert_data_eq!(
        said.err,
        str![[r#"
error: no gate runs on the data directory `./toolgate-data`
  help: start one with `toolgate serve`, or set TOOLGATE_URL and TOOLGATE_TOKEN

"#]]
    );
    let said = run(home.path(), &["tool", "ls", "--json"]).ended(1);
    assert_eq!(said.json()["error"]["code"], "unreachable");
}

#[test]
fn a_named_gate_without_a_token_gets_no_token_of_ours() {
    let home = directory(&[("toolgate-data/admin.token", "tgp_secret")]);
    let said = run(home.path(), &["tool", "ls", "--url", "http://127.0.0.1:1"]).ended(8);
    assert!(
        said.err
            .contains("there is no token for `http://127.0.0.1:1`"),
        "{}",
        said.err
    );
}

#[test]
fn a_wrong_configuration_is_drawn_whole_and_starts_nothing() {
    let home = directory(&[(
        "toolgate.toml",
        "lissten = \"127.0.0.1:0\"\n[posture]\nlow = \"alow\"\n",
    )]);
    let said = run(home.path(), &["serve"]).ended(3);
    assert_data_eq!(
        said.err,
        str![[r#"
error[C002]: `lissten` is not a key of the configuration
 --> toolgate.toml:1:1
  |
1 | lissten = "127.0.0.1:0"
  | ^^^^^^^
  |
help: did you mean `listen`?

error[C003]: `posture.low` cannot be `alow`
 --> toolgate.toml:3:7
  |
3 | low = "alow"
  |       ^^^^^^
  |
help: it takes "allow", "require_approval" or "deny"

error: the configuration has 2 problems

"#]]
    );
    assert!(!home.path().join("toolgate-data").exists());
}

#[test]
fn a_wrong_policy_is_drawn_under_its_text() {
    let text = "{\n  \"rules\": [\n    {\"when\": \"amount > 500\", \"effect\": \"require_aproval\"}\n  ]\n}\n";
    let home = directory(&[("refunds.json", text)]);
    let said = run(home.path(), &["check", "refunds.json"]).ended(3);
    assert!(said.err.contains(" --> refunds.json:3:40"), "{}", said.err);
    assert!(
        said.err.contains("help: did you mean `require_approval`?"),
        "{}",
        said.err
    );
    let json = run(home.path(), &["check", "refunds.json", "--json"])
        .ended(3)
        .json();
    assert_eq!(json["diagnostics"][0]["span"]["line"], 3);
    assert_eq!(json["errors"], 1);
}

#[test]
fn policies_that_load_are_named_by_their_digest() {
    let home = directory(&[
        ("policies/refunds.json", REFUNDS),
        ("policies/x.test.json", "no"),
    ]);
    let json = run(home.path(), &["check", "policies", "--json"])
        .ended(0)
        .json();
    assert_eq!(
        (&json["documents"], &json["errors"]),
        (&1.into(), &0.into())
    );
    assert!(
        json["policy_version"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    run(home.path(), &["check", "nowhere"]).ended(2);
}

#[test]
fn the_exit_code_of_eval_is_the_verdict() {
    eval(
        r#"{"tool": "stripe.refund", "arguments": {"amount": 100, "charge": "ch_1"}}"#,
        &[],
    )
    .ended(0);
    eval(
        r#"{"tool": "stripe.refund", "arguments": {"amount": 640, "charge": "ch_1"}}"#,
        &[],
    )
    .ended(6);
    eval(
        r#"{"tool": "stripe.refund", "arguments": {"amount": 1, "charge": "ch_9"}}"#,
        &[],
    )
    .ended(5);
    // No rule speaks of this tool, and nobody has rated it: high risk needs approval.
    eval(r#"{"tool": "stripe.payout"}"#, &[]).ended(6);
    eval(r#"{"tool": "stripe.payout"}"#, &["--risk", "critical"]).ended(5);
}

#[test]
fn a_missing_or_mistyped_amount_is_no_way_around() {
    for arguments in ["", r#", "amount": "640""#, r#", "amount": null"#] {
        let call =
            format!(r#"{{"tool": "stripe.refund", "arguments": {{"charge": "ch_1"{arguments}}}}}"#);
        let said = eval(&call, &["--json"]).ended(6);
        let rule = &said.json()["decision"]["rules"][0];
        assert_eq!(
            (&rule["rule"], &rule["truth"]),
            (&"large".into(), &"unknown".into())
        );
    }
}

#[test]
fn explain_shows_the_truth_of_every_part() {
    let call = r#"{"tool": "stripe.refund", "arguments": {"amount": 640, "charge": "ch_1"}}"#;
    let said = eval(call, &["--explain"]).ended(6);
    for part in [
        "refunds/large",
        "amount > 500: true",
        "refunds/closed",
        "charge == ch_9: false",
    ] {
        assert!(said.out.contains(part), "`{part}` is not in {}", said.out);
    }
}

#[test]
fn a_raw_request_is_judged_as_the_tool_that_it_is_a_use_of() {
    let request = |method: &str, url: &str| {
        format!(r#"{{"http": {{"method": "{method}", "url": "{url}"}}}}"#)
    };
    let read = request("GET", "https://API.github.com/repos/acme/./site/issues");
    let said = eval(&read, &["--json"]).ended(0);
    let sent = "https://api.github.com/repos/acme/site/issues";
    assert!(said.out.contains(sent), "{}", said.out);
    let delete = request("DELETE", "https://api.github.com/repos/acme/site");
    let said = eval(&delete, &["--json"]).ended(5);
    assert!(said.out.contains("critical"), "{}", said.out);
    eval(&request("POST", "https://api.example.com/x"), &[]).ended(6);
    // What can be read in two ways is denied, and not a fault of whoever asks.
    let said = eval(
        &request("GET", "https://github.com@evil.test/"),
        &["--json"],
    )
    .ended(5);
    assert!(said.out.contains("invalid_arguments"), "{}", said.out);
    eval(
        r#"{"tool": "a.b", "http": {"method": "GET", "url": "https://a.b/"}}"#,
        &[],
    )
    .ended(2);
    eval(r#"{"arguments": {}}"#, &[]).ended(2);
}

#[test]
fn what_cannot_be_evaluated_is_never_a_verdict() {
    eval("{", &[]).ended(2);
    eval(r#"{"tool": "stripe.refund", "tol": 1}"#, &[]).ended(2);
    eval(
        r#"{"tool": "stripe.refund", "arguments": {"a": 1, "a": 2}}"#,
        &[],
    )
    .ended(2);
    let home = directory(&[
        ("bad.json", "{\"rules\": 1}"),
        ("call.json", r#"{"tool": "a.b"}"#),
    ]);
    run(
        home.path(),
        &["eval", "-f", "call.json", "--policy", "bad.json"],
    )
    .ended(3);
    // No policy at all is a refusal with its own code.
    let said = run(home.path(), &["eval", "-f", "call.json", "--policy", "."]).ended(3);
    assert!(said.out.is_empty());
}

#[test]
fn init_writes_a_gate_that_checks_and_nothing_over_another() {
    let home = directory(&[]);
    run(home.path(), &["init", "mine"]).ended(0);
    let mine = home.path().join("mine");
    run(&mine, &["check", "policies"]).ended(0);
    run(&mine, &["config", "show"]).ended(0);
    let said = run(home.path(), &["init", "mine"]).ended(7);
    assert!(
        said.err.contains("is there already; nothing was written"),
        "{}",
        said.err
    );
}

#[test]
fn init_for_a_coding_agent_writes_its_hooks_too() {
    for (coder, hooks) in [
        ("claude-code", ".claude/settings.json"),
        ("codex", ".codex/hooks.json"),
        ("cursor", ".cursor/hooks.json"),
        ("gemini", ".gemini/settings.json"),
    ] {
        let home = directory(&[]);
        run(home.path(), &["init", "--for", coder, "mine"]).ended(0);
        let mine = home.path().join("mine");
        run(&mine, &["check", "policies"]).ended(0);
        run(&mine, &["config", "show"]).ended(0);
        let text = std::fs::read_to_string(mine.join(hooks)).unwrap();
        let hooks: serde_json::Value = serde_json::from_str(&text).unwrap();
        // Whatever ends badly before a tool has to be a refusal.
        assert!(hooks["hooks"].is_object(), "{text}");
        assert!(
            text.contains(&format!("toolgate hook {coder} --wait 45 || exit 2")),
            "{text}"
        );
        run(home.path(), &["init", "--for", coder, "mine"]).ended(7);
    }
}

#[test]
fn doctor_names_the_fix() {
    let home = directory(&[("toolgate.toml", "listen = \"127.0.0.1:0\"\n")]);
    run(home.path(), &["doctor"]).ended(0);
    std::fs::create_dir(home.path().join("toolgate-data")).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(home.path().join("toolgate-data"), open).unwrap();
    let said = run(home.path(), &["doctor"]).ended(1);
    assert!(said.out.contains("chmod 700"), "{}", said.out);
    std::fs::write(home.path().join("toolgate.toml"), "lisen = 1\n").unwrap();
    let json = run(home.path(), &["doctor", "--json"]).ended(1).json();
    assert_eq!(json["checks"][0]["check"], "configuration");
    assert_eq!(json["ok"], false);
}

#[test]
fn a_source_that_does_not_start_is_found() {
    let text = "listen = \"127.0.0.1:0\"\n[[source]]\nname = \"gone\"\nmcp = { command = [\"./no-such-program\"] }\n";
    let home = directory(&[("toolgate.toml", text)]);
    let said = run(home.path(), &["doctor"]).ended(1);
    assert!(
        said.out.contains("1 of 1 do not answer; `gone`"),
        "{}",
        said.out
    );
}

#[test]
fn machine_contracts_come_without_a_gate() {
    let home = directory(&[]);
    for arguments in [
        ["openapi"].as_slice(),
        &["schema", "policy"],
        &["schema", "config"],
    ] {
        let said = run(home.path(), arguments).ended(0);
        assert!(said.json().is_object(), "{arguments:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let said = run(home.path(), &["completions", shell]).ended(0);
        assert!(said.out.contains("approvals"), "{shell}");
    }
    assert!(run(home.path(), &["man"]).ended(0).out.contains("toolgate"));
}

#[test]
fn where_there_is_no_record_nothing_is_called_sound() {
    let home = directory(&[("log.ndjson", "{}\n")]);
    run(home.path(), &["audit", "verify"]).ended(2);
    run(home.path(), &["audit", "verify", "log.ndjson"]).ended(7);
    run(home.path(), &["audit", "verify", "nowhere.ndjson"]).ended(2);
}
