//! Cases as a policy's author writes them: read strictly, run on the code that decides calls, held
//! against what they expect; and what they leave untried.
//!
//! What must come out is reasoned from 2-decision, parts 2, 3 and 4.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a case that cannot be read is a failure"
)]

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_gate::case::{Case, CaseFile, Coverage, Outcome, Runner, gaps, stage};
use toolgate_gate::port::{PolicyDocument, Stored};
use toolgate_gate::{Configuration, Settings};
use toolgate_model::{Catalogue, Code, Denial};

const REFUNDS: &str = r#"{
  "name": "refunds",
  "rules": [
    {"rule_id": "large", "match": {"tools": ["stripe.refund"]}, "when": "amount > 500 or env == prod",
     "effect": "require_approval"},
    {"rule_id": "closed", "match": {"tools": ["stripe.refund"]}, "when": "entity.state == closed",
     "effect": "deny", "code": "account_closed"}
  ]
}"#;

fn staged(policy: &str, file: &Value) -> (CaseFile, Configuration) {
    let file = CaseFile::read("refunds.test.json", &file.to_string()).unwrap();
    let stored = Stored {
        policies: vec![PolicyDocument {
            name: "refunds".to_owned(),
            text: policy.to_owned(),
        }],
        ..Stored::default()
    };
    let settings = Settings {
        posture: file.posture.unwrap_or_default(),
        own_domains: file.own_domains.clone().unwrap_or_default(),
        ..Settings::default()
    };
    let catalogue = Arc::new(Catalogue::new(file.tools.clone()));
    let configuration = stage(stored, &catalogue, settings, &file.cases);
    assert_eq!(configuration.policy_errors().next(), None);
    (file, configuration)
}

fn runner(configuration: &Configuration) -> Runner<'_> {
    Runner {
        configuration,
        recognise: &|_, _| Err(Denial::new(Code::ToolNotFound, "no raw requests here")),
    }
}

fn run(policy: &str, file: &Value) -> Vec<Outcome> {
    let (file, configuration) = staged(policy, file);
    let runner = runner(&configuration);
    file.cases.iter().map(|case| runner.run(case)).collect()
}

/// What differs, a line a difference.
fn differences(outcome: &Outcome) -> Vec<String> {
    let line = |one: &toolgate_gate::case::Difference| {
        format!("{}: {} / {}", one.key, one.expected, one.got)
    };
    outcome.differences.iter().map(line).collect()
}

fn case(name: &str, arguments: Value, rest: Value) -> Value {
    let mut case = json!({
        "name": name, "call": {"tool": "stripe.refund", "arguments": arguments, "env": "staging"},
    });
    for (key, value) in rest.as_object().unwrap() {
        case[key] = value.clone();
    }
    case
}

#[test]
fn what_must_come_out_is_held_against_what_does() {
    let tests = json!([
        case(
            "large waits",
            json!({"amount": 640}),
            json!({
            "expect": {"verdict": "require_approval", "rule": "large", "rules": ["refunds/large", "closed"],
                       "code": "approval_required", "obligations": [], "sanitized": []},
            "entity": {"state": "closed"}})
        ),
        case(
            "small is left to the posture",
            json!({"amount": 5}),
            json!({
            "expect": {"verdict": "allow", "code": null, "rule": null, "rules": [], "arguments": {"amount": 5}},
            "entity": {"state": "open"}})
        ),
        case(
            "a closed one is denied by the rule's own code",
            json!({"amount": 5}),
            json!({
            "expect": {"verdict": "deny", "code": "account_closed", "rule": "refunds/closed"},
            "entity": {"state": "closed"}})
        ),
    ]);
    let outcomes = run(
        REFUNDS,
        &json!({"posture": {"high": "allow"}, "tests": tests}),
    );
    // The first case is wrong on purpose: `deny` is stricter than `require_approval`.
    assert_eq!(
        differences(&outcomes[0]),
        [
            r#"verdict: "require_approval" / "deny""#,
            r#"code: "approval_required" / "account_closed""#,
            r#"rule: "large" / "refunds/closed""#,
        ]
    );
    assert_eq!(outcomes[0].span.unwrap().line, 1);
    assert_eq!(differences(&outcomes[1]), Vec::<String>::new());
    assert_eq!(differences(&outcomes[2]), Vec::<String>::new());
}

#[test]
fn a_missing_amount_is_as_strict_as_a_large_one() {
    let tests = json!([
        case(
            "left out",
            json!({}),
            json!({"expect": "require_approval", "entity": {"state": "open"}})
        ),
        case(
            "as a text",
            json!({"amount": "5"}),
            json!({"expect": "require_approval", "entity": {"state": "open"}})
        ),
    ]);
    let outcomes = run(
        REFUNDS,
        &json!({"posture": {"high": "allow"}, "tests": tests}),
    );
    for outcome in &outcomes {
        assert_eq!(
            differences(outcome),
            Vec::<String>::new(),
            "{}",
            outcome.name
        );
    }
}

#[test]
fn what_no_case_can_say_is_refused_with_its_place() {
    let wrong = |text: &str| {
        let found = CaseFile::read("x.test.json", text).unwrap_err();
        let first = &found[0];
        let line = first.span.map_or(0, |span| span.line);
        (first.code, line, first.path.clone(), first.message.clone())
    };
    let text = "{\"tests\": [\n {\"name\": \"a\", \"call\": {\"tool\": \"a.b\", \"argumnts\": {}},\n  \"expect\": \"deny\"}]}";
    let (code, line, path, message) = wrong(text);
    assert_eq!((code, line), ("T002", 2));
    assert!(path.starts_with("/tests/0/call"), "{path}");
    assert!(message.contains("argumnts"), "{message}");
    let nothing = r#"{"tests": [{"name": "a", "call": {"tool": "a.b"}, "expect": {}}]}"#;
    assert_eq!(wrong(nothing).0, "T003");
    let word = r#"{"tests": [{"name": "a", "call": {"tool": "a.b"}, "expect": "denied"}]}"#;
    assert_eq!(wrong(word).2, "/tests/0/expect");
    let both = r#"{"tests": [{"name": "a", "call": {}, "expect": "deny"}]}"#;
    assert_eq!(wrong(both).0, "T002");
    assert_eq!(wrong("{\"tests\": [], \"tests\": []}").0, "T001");
    assert_eq!(wrong("{\"test\": []}").0, "T002");
}

#[test]
fn a_document_carries_its_own_cases() {
    let text =
        r#"{"rules": [], "tests": [{"name": "a", "call": {"tool": "a.b"}, "expect": "deny"}]}"#;
    let cases = Case::of_document("p", text).unwrap();
    assert_eq!((cases.len(), cases[0].name.as_str()), (1, "a"));
    assert_eq!(Case::of_document("p", r#"{"rules": []}"#).unwrap().len(), 0);
    assert!(Case::of_document("p", r#"{"tests": [{"name": "a"}]}"#).is_err());
}

#[test]
fn coverage_names_what_no_case_tried() {
    let tests = json!([
        case(
            "large",
            json!({"amount": 640}),
            json!({"expect": "require_approval", "entity": {"state": "open"}})
        ),
        case(
            "small",
            json!({"amount": 5}),
            json!({"expect": "allow", "entity": {"state": "open"}})
        ),
    ]);
    let file = json!({"posture": {"high": "allow"}, "tests": tests,
                      "tools": [{"id": "crm.read"}, {"id": "stripe.payout"}]});
    let policy = REFUNDS.replace(
        r#""name": "refunds","#,
        r#""name": "refunds", "allowed_tools": ["crm.*"],"#,
    );
    let (file, configuration) = staged(&policy, &file);
    let runner = runner(&configuration);
    let outcomes: Vec<_> = file.cases.iter().map(|case| runner.run(case)).collect();
    let set = configuration.policies.as_ref().unwrap();
    let coverage = Coverage::of(set, &configuration.catalogue, &outcomes);
    let open: Vec<String> = coverage
        .rules
        .iter()
        .flat_map(|rule| rule.branches.iter().filter(|branch| !branch.is_covered()))
        .map(|branch| format!("{} {}", branch.text, branch.held))
        .collect();
    assert_eq!(
        open,
        [
            r#"["stripe.refund"] true"#,
            "env == prod false",
            r#"["stripe.refund"] true"#,
            "entity.state == closed false",
        ]
    );
    assert_eq!(
        (coverage.rules[1].matched, coverage.rules[1].unmatched),
        (false, true)
    );
    let tools: Vec<(&str, bool)> = coverage
        .tools
        .iter()
        .map(|tool| (tool.tool.as_str(), tool.is_covered()))
        .collect();
    let expected = [
        ("crm.read", true),
        ("stripe.payout", false),
        ("stripe.refund", true),
    ];
    assert_eq!(tools, expected);
    assert!(!coverage.is_whole());
}

#[test]
fn a_variant_that_is_answered_more_mildly_is_a_gap() {
    // `recipient == x` by letter case is a hole that a glob over lower(…) does not have.
    let leaky = r#"{"rules": [{"when": "tool == mail.send and recipient == \"ceo@acme.com\"", "effect": "deny"}]}"#;
    let tight = r#"{"rules": [{"when": "tool == mail.send and lower(recipient) == \"ceo@acme.com\"", "effect": "deny"}]}"#;
    let file = json!({"posture": {"high": "allow"}, "tests": [
        {"name": "to the chief", "call": {"tool": "mail.send", "arguments": {"recipient": "ceo@acme.com"}},
         "expect": "deny"}]});
    let found = |policy: &str| {
        let (file, configuration) = staged(policy, &file);
        let gaps = gaps(&runner(&configuration), &file.cases[0]);
        gaps.iter().map(|gap| gap.variant).collect::<Vec<_>>()
    };
    assert!(found(leaky).contains(&"in upper case"));
    assert!(!found(tight).contains(&"in upper case"));
    // What is left out or has another type is unknown, which is strict: never a gap.
    for variant in ["left out", "null", "in a list"] {
        assert!(!found(leaky).contains(&variant), "{variant}");
    }
}
