//! What a descriptor states about a tool, held against the tools of a gate that runs.
//!
//! `desk.close_account` of the refund desk is looked for with `desk.get_customer`: rightly, and in
//! ways that do not fit. What does not fit is told wherever somebody looks, and is not called.

use serde_json::{Value, json};

use crate::kit::{Gate, Said, directory, run};

/// An agent that reaches everything, and a descriptor that probes with this.
fn configuration(probe: &str, arguments: &str) -> String {
    format!(
        r#"
[[agent]]
id = "closer"
owner = "ana@acme.com"
role = "service"
profile = "admin"
[tools."desk.close_account"]
risk = "low"
[tools."desk.close_account".effect]
probe = "{probe}"
args = {{ {arguments} }}
landed = "result.status == closed"
"#
    )
}

struct Seen {
    gate: Gate,
    denial: Value,
    doctor: Said,
}

/// The gate with that descriptor, and what becomes of a call of the tool.
fn seen(probe: &str, arguments: &str) -> Seen {
    let text = configuration(probe, arguments);
    let gate = Gate::start(&[("toolgate.toml", &text)]);
    let made = gate.run(&["key", "create", "closer", "--json"]).ended(0);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let customer = json!({"customer": "cust_789"});
    let denial = gate.invoke(&token, "desk.close_account", &customer)["denial"].clone();
    let doctor = gate.run(&["doctor"]);
    Seen {
        gate,
        denial,
        doctor,
    }
}

#[test]
fn what_fits_is_called_and_shown() {
    let seen = seen("desk.get_customer", r#"customer = "{args.customer}""#);
    assert_eq!(seen.denial, Value::Null);
    let doctor = seen.doctor.ended(0);
    assert!(doctor.out.contains("ok   descriptors"), "{}", doctor.out);
    let listed = seen.gate.run(&["tool", "ls"]).ended(0).out;
    let of = |tool: &str| {
        let line = listed.lines().find(|line| line.starts_with(tool));
        line.unwrap_or_else(|| panic!("{listed}")).to_owned()
    };
    assert!(of("desk.close_account ").contains("checkable"), "{listed}");
    assert!(of("desk.get_customer ").contains("read"), "{listed}");
    assert!(of("desk.refund ").contains("idempotent"), "{listed}");
    assert!(
        of("desk.send_message ").contains("irreversible"),
        "{listed}"
    );
    assert!(!listed.contains("unavailable"), "{listed}");
    let shown = seen
        .gate
        .run(&["tool", "show", "desk.close_account", "--json"]);
    let shown = shown.ended(0).json();
    assert_eq!(shown["recovery"], "checkable");
    let look = &shown["checks"]["effect"]["look"];
    assert_eq!(look["probe"]["tool"], "desk.get_customer");
    assert_eq!(look["landed"], "result.status == closed");
    rules_offline_know_the_entity(&seen.gate);
    seen.gate.stop();
}

/// The catalogue as it is written down says of which tools the entity is looked up.
fn rules_offline_know_the_entity(gate: &Gate) {
    let tools = gate.run(&["tool", "ls", "--json"]).ended(0).out;
    for (tool, warned) in [("desk.refund", false), ("desk.close_account", true)] {
        let when = format!("tool == {tool} and $entity.status == review");
        let policy = json!({"rules": [{"when": when, "effect": "deny"}]}).to_string();
        let home = directory(&[("tools.json", &tools), ("p.json", &policy)]);
        let said = run(home.path(), &["check", "p.json", "--tools", "tools.json"]).ended(0);
        let text = format!("{}{}", said.out, said.err);
        assert_eq!(text.contains("P076"), warned, "{tool}: {text}");
    }
}

#[test]
fn what_does_not_fit_is_told_everywhere_and_not_called() {
    for (probe, arguments, told) in [
        (
            "desk.get_custmer",
            r#"customer = "{args.customer}""#,
            "did you mean `desk.get_customer`?",
        ),
        (
            "desk.get_customer",
            r#"id = "{args.customer}""#,
            "gives `id` to `desk.get_customer`, which knows no such argument",
        ),
        (
            "desk.send_message",
            r#"to = "{args.customer}""#,
            "which may leave a trace",
        ),
        (
            "desk.get_customer",
            r#"customer = "{args.custmer}""#,
            "has no argument `custmer`; did you mean `customer`?",
        ),
    ] {
        let seen = seen(probe, arguments);
        assert_eq!(seen.denial["code"], "gate_unavailable", "{}", seen.denial);
        let message = seen.denial["message"].as_str().unwrap();
        assert!(message.contains(told), "{message}");
        let doctor = seen.doctor.ended(1);
        let finding = doctor.out.lines().find(|line| line.contains("descriptors"));
        let finding = finding.unwrap_or_else(|| panic!("{}", doctor.out));
        assert!(finding.starts_with("FIX"), "{finding}");
        assert!(finding.contains(told), "{finding}");
        let listed = seen.gate.run(&["tool", "ls"]).ended(0).out;
        let line = "unavailable: `desk.close_account`: its `effect` ";
        assert!(listed.contains(line) && listed.contains(told), "{listed}");
        let shown = seen
            .gate
            .run(&["tool", "show", "desk.close_account", "--json"]);
        let fault = shown.ended(0).json()["faults"][0].clone();
        assert!(fault.as_str().unwrap().contains(told), "{fault}");
        assert!(seen.gate.log().contains(told), "{}", seen.gate.log());
        seen.gate.stop();
    }
}

#[test]
fn the_schema_of_a_descriptor_knows_every_table() {
    let home = directory(&[]);
    let schema = run(home.path(), &["schema", "descriptor"]).ended(0).json();
    for table in ["entity", "effect", "trigger", "duplicate_window", "risk"] {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}
