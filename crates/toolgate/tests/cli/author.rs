//! What a policy's author does, with the command line alone: test, lint, compare, try on recorded
//! calls, put in force, take back.

use serde_json::json;

use crate::kit::{Gate, directory, run};

const REFUNDS: &str = r#"{
  "name": "refunds",
  "rules": [
    {"rule_id": "small", "match": {"tools": ["desk.refund"]}, "when": "amount <= 500", "effect": "allow"},
    {"rule_id": "large", "match": {"tools": ["desk.refund"]}, "when": "amount > 500",
     "effect": "require_approval"}
  ],
  "tests": [
    {"name": "a large refund waits", "call": {"tool": "desk.refund", "arguments": {"amount": 640}},
     "expect": {"verdict": "require_approval", "rule": "large"}},
    {"name": "a small one runs", "call": {"tool": "desk.refund", "arguments": {"amount": 120}},
     "expect": "allow"},
    {"name": "other tools are left alone", "call": {"tool": "desk.read", "arguments": {}},
     "expect": {"rule": null}}
  ]
}"#;

#[test]
fn cases_pass_or_say_why_not() {
    let home = directory(&[("policies/refunds.json", REFUNDS)]);
    let said = run(home.path(), &["test", "policies", "--coverage", "--json"]).ended(0);
    let report = said.json();
    assert_eq!(
        (&report["cases"], &report["failed"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(report["coverage"]["branch_percent"], 100, "{report}");
    // The limit moves, and the case that holds the old one says so, with rule and place.
    let moved = REFUNDS.replace("500", "100");
    std::fs::write(home.path().join("policies/refunds.json"), moved).unwrap();
    let said = run(home.path(), &["test", "policies", "--junit", "report.xml"]).ended(4);
    let wanted = [
        "policies/refunds.json:11",
        "a small one runs",
        "verdict: expected \"allow\", got \"require_approval\"",
        "refunds/large (line 5)",
        "3 cases, 1 failed",
    ];
    for text in wanted {
        assert!(
            said.out.contains(text),
            "`{text}` is missing in\n{}",
            said.out
        );
    }
    let report = std::fs::read_to_string(home.path().join("report.xml")).unwrap();
    assert!(report.contains(r#"tests="3" failures="1""#), "{report}");
}

#[test]
fn what_cases_leave_out_is_named() {
    let cases = r#"{"tests": [{"name": "large", "call": {"tool": "desk.refund", "arguments": {"amount": 640}},
                    "expect": "require_approval"}]}"#;
    let bare = REFUNDS
        .split(
            r#",
  "tests""#,
        )
        .next()
        .unwrap()
        .to_owned()
        + "}";
    let tools = r#"{"tools": [{"id": "desk.refund"}, {"id": "desk.close"}]}"#;
    let home = directory(&[
        ("p/refunds.json", bare.as_str()),
        ("p/refunds.test.json", cases),
        ("tools.json", tools),
    ]);
    let all = ["test", "p", "--tools", "tools.json", "--fail-uncovered"];
    let said = run(home.path(), &all).ended(4);
    for text in [
        "p/refunds.json:4  refunds/small: never matched",
        "amount > 500: never false",
        "desk.close: no rule and no grant is about this tool",
        "1 case, all passed",
    ] {
        assert!(
            said.out.contains(text),
            "`{text}` is missing in\n{}",
            said.out
        );
    }
    run(home.path(), &["test", "p", "--tools", "tools.json"]).ended(0);
    run(home.path(), &["test", "tools.json"]).ended(3);
}

#[test]
fn what_is_no_case_is_drawn_under_its_text() {
    let home = directory(&[
        ("p.json", r#"{"rules": []}"#),
        (
            "p.test.json",
            "{\"tests\": [\n  {\"name\": \"a\", \"call\": {\"tool\": \"a.b\"}, \"expects\": \"deny\"}\n]}",
        ),
    ]);
    let said = run(home.path(), &["test", "p.test.json"]).ended(3);
    assert!(
        said.err.contains("p.test.json:2:") && said.err.contains("expects"),
        "{}",
        said.err
    );
    run(home.path(), &["test", "p.json"]).ended(2);
}

#[test]
fn rules_that_do_nothing_are_found() {
    let rules = r#"{"rules": [
      {"rule_id": "all", "match": {"tools": ["stripe.*"]}, "effect": "deny"},
      {"rule_id": "large", "match": {"tools": ["stripe.refund"]}, "when": "amount > 500", "effect": "require_approval"}
    ]}"#;
    let home = directory(&[("p.json", rules)]);
    let said = run(home.path(), &["lint", "p.json"]).ended(3);
    assert!(
        said.err.contains("L003") && said.err.contains("p.json:3:"),
        "{}",
        said.err
    );
    let watched = r#"{"mode": "monitor", "rules": [{"when": "env == prod", "effect": "deny"}]}"#;
    std::fs::write(home.path().join("p.json"), watched).unwrap();
    let noted = run(home.path(), &["lint", "p.json", "--json"])
        .ended(0)
        .json();
    assert_eq!(
        (&noted["certain"], &noted["notes"]),
        (&json!(0), &json!(1)),
        "{noted}"
    );
}

#[test]
fn two_versions_are_compared_by_meaning() {
    let home = directory(&[
        ("old/refunds.json", REFUNDS),
        (
            "new/refunds.json",
            &REFUNDS.replace("> 500", "> 100").replace("  ", " "),
        ),
    ]);
    let said = run(home.path(), &["policy", "diff", "old", "new"]).ended(0);
    let text = "  rule large changed\n    when: amount > 500 → amount > 100\n";
    assert!(
        said.out.contains(text) && !said.out.contains("small"),
        "{}",
        said.out
    );
    let same = run(home.path(), &["policy", "diff", "old", "old/refunds.json"]).ended(0);
    assert_eq!(same.out.trim(), "they say the same");
}

#[test]
fn a_pack_is_copied_with_its_cases_and_never_over_anything() {
    let home = directory(&[]);
    let listed = run(home.path(), &["pack", "ls"]).ended(0);
    assert!(listed.out.contains("money-movement"), "{}", listed.out);
    run(home.path(), &["pack", "show", "money-movement"]).ended(0);
    run(home.path(), &["pack", "add", "money-movment"]).ended(2);
    run(home.path(), &["pack", "add", "money-movement"]).ended(0);
    run(home.path(), &["check", "policies"]).ended(0);
    run(home.path(), &["test", "policies"]).ended(0);
    run(home.path(), &["pack", "add", "money-movement"]).ended(7);
}

/// The author of a policy wonders what 100 instead of 500 would have done to the calls so far.
#[test]
fn a_change_is_tried_on_recorded_calls_put_in_force_and_taken_back() {
    let gate = Gate::start(&[]);
    let key = gate.key();
    let refund = |amount: u32| {
        let arguments = json!({"charge": "ch_1", "customer": "cust_123", "amount": amount});
        gate.invoke(&key, "desk.refund", &arguments)["outcome"].clone()
    };
    for (amount, outcome) in [
        (50, "success"),
        (120, "success"),
        (130, "success"),
        (640, "denied"),
    ] {
        assert_eq!(refund(amount), outcome, "{amount}");
    }
    let present = gate.run(&["policy", "show", "refunds"]).ended(0).out;
    assert!(present.contains("500"), "{present}");
    let file = gate.home.path().join("refunds.json");
    std::fs::write(&file, present.replace("500", "100")).unwrap();
    let said = gate
        .run(&["policy", "diff", "refunds", "refunds.json"])
        .ended(0);
    assert!(
        said.out.contains("amount > 500 → amount > 100"),
        "{}",
        said.out
    );
    let backtest = ["policy", "backtest", "refunds.json", "--since", "1h"];
    let report = gate
        .run(&[backtest.as_slice(), &["--json"]].concat())
        .ended(0)
        .json();
    assert_eq!(
        (&report["replayed"], &report["changed"]),
        (&json!(4), &json!(2)),
        "{report}"
    );
    assert_eq!(
        report["matrix"],
        json!([
            {"present": "allow", "candidate": "allow", "calls": 1},
            {"present": "allow", "candidate": "require_approval", "calls": 2},
            {"present": "require_approval", "candidate": "require_approval", "calls": 1},
        ])
    );
    assert_eq!(report["approvals_added_a_day"], 2.0);
    let amounts: Vec<_> = report["examples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["arguments"]["amount"].clone(),
                one["candidate"]["rule"].clone(),
            )
        })
        .collect();
    assert_eq!(
        amounts,
        [
            (json!(120), json!("refunds/large")),
            (json!(130), json!("refunds/large"))
        ]
    );
    let text = gate.run(&backtest).ended(0).out;
    assert!(text.contains("2 would be answered otherwise"), "{text}");
    // The same calls from a file, where no gate is asked.
    let calls = gate.run(&["policy", "calls", "--since", "1h"]).ended(0).out;
    assert_eq!(calls.lines().count(), 4, "{calls}");
    std::fs::write(gate.home.path().join("calls.ndjson"), calls).unwrap();
    let tools = gate.run(&["tool", "ls", "--json"]).ended(0).out;
    std::fs::write(gate.home.path().join("tools.json"), tools).unwrap();
    std::fs::create_dir(gate.home.path().join("present")).unwrap();
    std::fs::write(gate.home.path().join("present/refunds.json"), &present).unwrap();
    let offline = [
        "policy",
        "backtest",
        "refunds.json",
        "--calls",
        "calls.ndjson",
        "--present",
        "present",
        "--tools",
        "tools.json",
        "--json",
    ];
    let offline = run(gate.home.path(), &offline).ended(0).json();
    assert_eq!(offline["matrix"], report["matrix"], "{offline}");
    // Trying changed nothing.
    assert_eq!(refund(121), "success");
    gate.run(&[
        "policy",
        "apply",
        "refunds.json",
        "--activate",
        "-m",
        "100, not 500",
    ])
    .ended(0);
    assert_eq!(refund(122), "denied");
    gate.run(&["policy", "rollback", "refunds"]).ended(0);
    assert_eq!(refund(123), "success");
}

#[test]
fn watched_rules_report_what_they_would_have_changed() {
    let watch = r#"{"mode": "monitor", "rules": [
      {"rule_id": "any", "match": {"tools": ["desk.get_charge"]}, "effect": "deny"},
      {"rule_id": "none", "match": {"tools": ["desk.close_account"]}, "effect": "deny"}
    ]}"#;
    let gate = Gate::start(&[("watch.json", watch)]);
    let key = gate.key();
    gate.run(&["policy", "apply", "watch.json", "--activate"])
        .ended(0);
    let read = gate.invoke(&key, "desk.get_charge", &json!({"charge": "ch_1"}));
    assert_eq!(read["outcome"], "success", "{read}");
    let report = gate
        .run(&["policy", "monitor", "watch", "--json"])
        .ended(0)
        .json();
    let rules = &report["rules"];
    assert_eq!(
        (&rules[0]["rule"], &rules[0]["would_change"]),
        (&json!("any"), &json!(1)),
        "{report}"
    );
    assert_eq!(rules[0]["changes"], json!({"allow to deny": 1}));
    assert_eq!(
        (&rules[1]["rule"], &rules[1]["matched"]),
        (&json!("none"), &json!(0))
    );
}
