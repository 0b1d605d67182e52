//! Every published bound, one step inside and one step outside of it.
//!
//! The cases are made here because they are too long to be written into the corpus.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

mod common;

use common::past::Memory;
use common::{Call, catalogue, decide, document, rules};
use serde_json::{Value, json};
use toolgate_model::Catalogue;
use toolgate_policy::{Budget, Document, Facts, Fault, PolicySet, limits, load};

fn codes(documents: &[Document]) -> Vec<&'static str> {
    let loaded = load(documents, &Catalogue::default());
    let mut codes: Vec<&str> = loaded
        .diagnostics
        .iter()
        .map(|problem| problem.code)
        .collect();
    codes.dedup();
    codes
}

fn rule(expression: &str) -> Vec<Document> {
    vec![document(
        "p",
        json!({"rules": [{"when": expression, "effect": "deny"}]}),
    )]
}

#[test]
fn a_document_has_256_kib() {
    let padded = |bytes: usize| {
        let frame = r#"{"description": ""}"#;
        vec![document(
            "p",
            frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len()))),
        )]
    };
    assert_eq!(
        codes(&padded(limits::DOCUMENT_BYTES_MAX)),
        Vec::<&str>::new()
    );
    assert_eq!(codes(&padded(limits::DOCUMENT_BYTES_MAX + 1)), ["P002"]);
}

#[test]
fn a_set_has_ten_thousand_rules() {
    let many = |count: usize| -> Vec<Document> {
        let rules = vec![json!({"effect": "allow"}); count / 10];
        let document = |place| document(&format!("d{place}"), json!({"rules": rules}));
        (0..10).map(document).collect()
    };
    assert_eq!(codes(&many(limits::RULES_MAX)), Vec::<&str>::new());
    assert_eq!(codes(&many(limits::RULES_MAX + 10)), ["P061"]);
}

#[test]
fn a_hundred_problems_of_a_document_are_listed() {
    let text = json!({"rules": vec![json!({"effect": "none"}); 150]});
    let loaded = load(&[document("p", text)], &Catalogue::default());
    assert_eq!(loaded.diagnostics.len(), limits::DIAGNOSTICS_MAX + 1);
    assert!(
        loaded
            .diagnostics
            .iter()
            .any(|problem| problem.code == "P009")
    );
    assert!(loaded.set.is_none());
}

#[test]
fn an_expression_is_bounded_in_bytes_parts_and_nesting() {
    let long = |bytes: usize| rule(&format!("agent == '{}'", "x".repeat(bytes - 11)));
    assert_eq!(
        codes(&long(limits::EXPRESSION_BYTES_MAX)),
        Vec::<&str>::new()
    );
    assert_eq!(codes(&long(limits::EXPRESSION_BYTES_MAX + 1)), ["P041"]);
    // One list, one comparison, one name: three parts beside the entries.
    let parts = |parts: usize| rule(&format!("agent in [{}]", vec!["a"; parts - 3].join(",")));
    assert_eq!(
        codes(&parts(limits::EXPRESSION_PARTS_MAX)),
        Vec::<&str>::new()
    );
    assert_eq!(codes(&parts(limits::EXPRESSION_PARTS_MAX + 1)), ["P041"]);
    let deep = |depth: usize| rule(&format!("{}true{}", "(".repeat(depth), ")".repeat(depth)));
    assert_eq!(
        codes(&deep(limits::EXPRESSION_DEPTH_MAX)),
        Vec::<&str>::new()
    );
    assert_eq!(codes(&deep(limits::EXPRESSION_DEPTH_MAX + 1)), ["P041"]);
    assert_eq!(codes(&rule(&"any(args.a, x, ".repeat(2_000))), ["P041"]);
}

#[test]
fn patterns_names_and_lists_are_bounded() {
    let env = |env: Value| vec![document("p", json!({"env": env}))];
    assert_eq!(
        codes(&env(json!("x".repeat(limits::PATTERN_BYTES_MAX)))),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes(&env(json!("x".repeat(limits::PATTERN_BYTES_MAX + 1)))),
        ["P030"]
    );
    assert_eq!(
        codes(&env(json!(vec!["x"; limits::LIST_MAX]))),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes(&env(json!(vec!["x"; limits::LIST_MAX + 1]))),
        ["P006"]
    );
    let name = |name: String| vec![document("p", json!({"name": name}))];
    assert_eq!(
        codes(&name("é".repeat(limits::NAME_CHARS_MAX))),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes(&name("é".repeat(limits::NAME_CHARS_MAX + 1))),
        ["P008"]
    );
    assert_eq!(codes(&[document("a\nb", "{}")]), ["P008"]);
    let long = format!(
        "agent matches '{}'",
        "x".repeat(limits::PATTERN_BYTES_MAX + 1)
    );
    assert_eq!(codes(&rule(&long)), ["P030"]);
    let long = format!("agent ~ '{}'", "x".repeat(limits::PATTERN_BYTES_MAX + 1));
    assert_eq!(codes(&rule(&long)), ["P030"]);
    let priority = |priority: u32| {
        vec![document(
            "p",
            json!({"rules": [{"priority": priority, "effect": "deny"}]}),
        )]
    };
    assert_eq!(codes(&priority(limits::PRIORITY_MAX)), Vec::<&str>::new());
    assert_eq!(codes(&priority(limits::PRIORITY_MAX + 1)), ["P006"]);
    let quorum = |quorum: u32| {
        vec![document(
            "p",
            json!({"rules": [{"quorum": quorum, "effect": "require_approval"}]}),
        )]
    };
    assert_eq!(codes(&quorum(limits::QUORUM_MAX)), Vec::<&str>::new());
    assert_eq!(codes(&quorum(limits::QUORUM_MAX + 1)), ["P006"]);
}

#[test]
fn more_text_or_more_elements_than_are_read_are_unknown() {
    let tools = catalogue(&[]);
    let unknown = |when: &str, args: Value| {
        let set = rules(json!([{"when": when, "effect": "deny"}]), &tools);
        let ruling = decide(&set, &json!({"tool": "t.x", "args": args}), &tools);
        ruling.rules.first().map(|rule| rule.unknown.join(" "))
    };
    let halves =
        |bytes: usize| json!({"a": "y".repeat(bytes / 2), "b": ["y".repeat(bytes - bytes / 2)]});
    assert_eq!(
        unknown("body contains x", halves(limits::BODY_BYTES_MAX)),
        None
    );
    let over = halves(limits::BODY_BYTES_MAX + 1);
    assert_eq!(
        unknown("body contains x", over.clone()).as_deref(),
        Some("body")
    );
    assert_eq!(
        unknown("not body contains x", over).as_deref(),
        Some("body")
    );
    let list = |count: usize| json!({"to": vec![1; count]});
    let any = "any(args.to, t, t > 1)";
    assert_eq!(unknown(any, list(limits::ELEMENTS_MAX)), None);
    assert_eq!(
        unknown(any, list(limits::ELEMENTS_MAX + 1)).as_deref(),
        Some("args.to")
    );
}

#[test]
fn a_source_asks_about_two_hundred_values_and_a_decision_about_a_thousand() {
    let tools = catalogue(&[]);
    let when = |when: &str| rules(json!([{"when": when, "effect": "deny"}]), &tools);
    let call =
        |count: usize| json!({"tool": "t.x", "args": {"a": vec!["x"; count]}, "history": []});
    let judged = |set: &PolicySet, call: &Value| {
        let spec = Call::of(call, &tools);
        let memory = Memory::of(call, &spec, (set, &tools)).unwrap();
        let facts = Facts {
            history: Some(&memory),
            ..spec.facts(&tools)
        };
        set.decide(&facts, Budget::default())
    };
    let once = when("source(args.a) contains external");
    let unknown = |count: usize| {
        let ruling = judged(&once, &call(count)).unwrap();
        ruling.rules.first().map(|rule| rule.unknown.join(" "))
    };
    assert_eq!(unknown(limits::SOURCES_MAX), None);
    let over = unknown(limits::SOURCES_MAX + 1);
    assert_eq!(over.as_deref(), Some("source(args.a)"));
    let each = when("any(args.a, x, source(x) contains external)");
    assert!(judged(&each, &call(900)).is_ok());
    assert!(judged(&each, &call(1_000)).is_err());
}

#[test]
fn what_would_cost_too_much_is_a_fault() {
    let tools = catalogue(&[]);
    let when = "any(args.a, x, any(args.a, y, any(args.a, z, x + y == $z)))";
    let set = rules(json!([{"when": when, "effect": "allow"}]), &tools);
    let call = Call::of(
        &json!({"tool": "t.x", "args": {"a": vec![1; 5_000]}}),
        &tools,
    );
    let fault = set
        .decide(&call.facts(&tools), Budget::default())
        .unwrap_err();
    assert_eq!(
        fault,
        Fault::BudgetExhausted {
            steps_max: limits::STEPS_MAX
        }
    );
    let message = "deciding took more than the 1000000 steps that one decision may take";
    assert_eq!(fault.to_string(), message);
}

#[test]
fn long_patterns_over_long_texts_are_paid_for() {
    let tools = catalogue(&[]);
    let pattern = "*a".repeat(400);
    let set = rules(
        json!([{"when": format!("args.x matches '{pattern}'"), "effect": "allow"}]),
        &tools,
    );
    let call = Call::of(
        &json!({"tool": "t.x", "args": {"x": "b".repeat(60_000)}}),
        &tools,
    );
    let steps = set
        .decide(&call.facts(&tools), Budget::default())
        .unwrap()
        .steps;
    assert!(steps > 700_000, "{steps}");
}

#[test]
fn a_rule_that_is_out_costs_no_search() {
    let tools = catalogue(&[]);
    let steps = |source: &str| {
        let rule = json!({
            "match": {"tools": [format!("{source}.*"), "t.y"]},
            "when": "agent == nobody",
            "condition": {"body_contains_any": ["x"]},
            "effect": "allow",
        });
        let set = rules(json!([rule]), &tools);
        let call = Call::of(
            &json!({"tool": "t.x", "args": {"a": "y".repeat(64_000)}}),
            &tools,
        );
        set.decide(&call.facts(&tools), Budget::default())
            .unwrap()
            .steps
    };
    // Not a candidate at all; then one whose `when` does not hold, so that nothing is searched.
    assert_eq!(steps("u"), 0);
    assert!((1..20).contains(&steps("t")), "{}", steps("t"));
}
