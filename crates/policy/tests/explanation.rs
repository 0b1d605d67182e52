//! What an explanation shows, whole, and what stands in the other things that people read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

mod common;

use std::collections::BTreeSet;

use common::{Call, catalogue, document, set};
use expect_test::{Expect, expect};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use toolgate_model::{Catalogue, DataClass, Origin};
use toolgate_policy::{Budget, ExplainedPart, Facts, History, Session, Window, json_schema, load};

fn tools() -> Catalogue {
    catalogue(&[
        json!({"id": "stripe.refund", "input_schema": {"properties": {"amount": {}, "to": {}}}}),
        json!({"id": "crm.read", "input_schema": {"properties": {}}}),
    ])
}

fn lines(parts: &[ExplainedPart], depth: usize, out: &mut String) {
    for part in parts {
        let place = if part.place.is_empty() {
            String::new()
        } else {
            format!("{}: ", part.place)
        };
        let value = part
            .value
            .as_ref()
            .map_or(String::new(), |value| format!(" [{value}]"));
        let impossible = if part.impossible { " (impossible)" } else { "" };
        let indent = "  ".repeat(depth);
        *out += &format!(
            "{indent}{place}{} is {:?}{value}{impossible}\n",
            part.text, part.truth
        );
        lines(&part.parts, depth + 1, out);
    }
}

fn check(policy: Value, call: Value, expected: Expect) {
    compare(policy, &call, None, &expected);
}

fn compare(policy: Value, call: &Value, history: Option<&dyn History>, expected: &Expect) {
    let tools = tools();
    let set = set(&[document("p", policy)], &tools);
    let call = Call::of(call, &tools);
    let facts = Facts {
        history,
        ..call.facts(&tools)
    };
    let (ruling, explanation) = set.explain(&facts, Budget::default()).unwrap();
    assert_eq!(ruling, set.decide(&facts, Budget::default()).unwrap());
    let mut out = format!("elsewhere: {}\n", explanation.rules_elsewhere);
    for rule in &explanation.rules {
        let state = if rule.matched {
            "matched"
        } else {
            "not matched"
        };
        out += &format!(
            "{} line {} {} is {:?}, {state}",
            rule.rule, rule.line, rule.effect, rule.truth
        );
        out += &format!(" {:?} {:?}\n", rule.unknown, rule.exempted_by);
        lines(&rule.parts, 1, &mut out);
    }
    expected.assert_eq(&out);
}

#[test]
fn every_part_of_every_candidate_is_shown() {
    check(
        json!({"env": "prod", "rules": [
            {"when": "tool == crm.read", "effect": "deny"},
            {"match": {"tools": ["stripe.*"]}, "when": "amount > 500 or not (env == prod)", "unless": "agent == ops", "effect": "require_approval"},
            {"when": "tool_name == stripe and any(to, t, t == x)", "effect": "deny"},
            {"rule_id": "ex", "when": "default(amount, 0) < 1000", "effect": "allow", "exempts": ["r3"]},
        ]}),
        json!({"tool": "stripe.refund", "env": "prod", "args": {"amount": 640.10, "to": ["y", "x"]}}),
        expect![[r#"
            elsewhere: 1
            p/r2 line 1 require_approval is True, matched [] []
              env: "prod" is True [prod]
              match.tools: ["stripe.*"] is True [stripe.refund]
              when: amount > 500 or not (env == prod) is True
                amount > 500 is True [640.1]
                not (env == prod) is False
                  (env == prod) is True [prod]
              unless: agent == ops is False [billing_agent]
            p/r3 line 1 deny is True, not matched [] ["ex"]
              env: "prod" is True [prod]
              when: tool_name == stripe and any(to, t, t == x) is True
                tool_name == stripe is True [stripe]
                any(to, t, t == x) is True
                  t == x is False [y]
                  t == x is True [x]
            p/ex line 1 allow is True, matched [] []
              env: "prod" is True [prod]
              when: default(amount, 0) < 1000 is True [640.1]
        "#]],
    );
}

#[test]
fn parts_that_no_longer_matter_are_shown_too() {
    check(
        json!({"env": "prod", "rules": [
            {"match": {"verbs": ["READ"]}, "condition": {"body_contains_any": ["x"]}, "when": "amount > 500", "unless": "true", "effect": "deny"},
            {"when": "amount > 500", "effect": "deny"},
        ]}),
        json!({"tool": "crm.read", "env": "dev", "args": {"note": "x"}}),
        expect![[r#"
            elsewhere: 0
            p/r1 line 1 deny is False, not matched [] []
              env: "prod" is False [dev]
              match.verbs: ["READ"] is False [WRITE]
              when: amount > 500 is False (impossible)
              condition.body_contains_any: ["x"] is True
              unless: true is True
            p/r2 line 1 deny is False, not matched [] []
              env: "prod" is False [dev]
              when: amount > 500 is False (impossible)
        "#]],
    );
}

#[test]
fn what_is_unknown_is_named() {
    check(
        json!({"rules": [{"when": "amount > 500 and env == prod and exists(to)", "effect": "deny"}]}),
        json!({"tool": "stripe.refund", "args": {"amount": "640", "to": []}}),
        expect![[r#"
            elsewhere: 0
            p/r1 line 1 deny is Unknown, matched ["args.amount", "env"] []
              when: amount > 500 and env == prod and exists(to) is Unknown
                amount > 500 is Unknown [640]
                env == prod is Unknown
                exists(to) is True
        "#]],
    );
}

/// A history that knows a little, whoever asks.
#[derive(Debug, Default)]
struct Known(Session);

impl History for Known {
    fn rate(&self, _: &Window<'_>) -> Option<u64> {
        Some(7)
    }
    fn sum(&self, _: &str, _: &Window<'_>) -> Option<Decimal> {
        Some(Decimal::new(125, 1))
    }
    fn session(&self) -> Option<&Session> {
        Some(&self.0)
    }
    fn has_read(&self, _: DataClass, _: &Window<'_>) -> Option<bool> {
        None
    }
    fn is_new_resource(&self) -> Option<bool> {
        Some(true)
    }
    fn is_burst(&self) -> Option<bool> {
        Some(true)
    }
    fn origins(&self, _: &Value) -> Option<BTreeSet<Origin>> {
        Some([Origin::User, Origin::External].into())
    }
}

#[test]
fn what_was_found_and_counted_is_shown_and_never_the_data_itself() {
    let policy = json!({"rules": [
        {"match": {"tools": ["stripe.*"]}, "condition": {"has_data_class": ["PHI"], "volume_burst": true}, "effect": "deny"},
        {"when": "data_class contains PII and rate(agent, 1h) > 5 and sum(amount, tool, 1d) < 10", "effect": "deny"},
        {"when": "source(to) contains external and has_read(PII, session, 1h)", "effect": "allow"},
        {"effect": "limit", "limit": 7, "per": "tool/1h"},
        {"effect": "limit", "limit": {"sum": "amount", "max": 20}, "per": "1h"},
        {"effect": "limit", "limit": {"sum": "args.to", "max": 20}, "per": "1h"},
    ]});
    let call = json!({"tool": "stripe.refund", "args": {"amount": 5, "to": "ana@acme.com"}});
    let expected = expect![[r#"
        elsewhere: 0
        p/r1 line 1 deny is False, not matched [] []
          match.tools: ["stripe.*"] is True [stripe.refund]
          condition.has_data_class: ["PHI"] is False [PII]
          condition.volume_burst: true is True [true]
        p/r2 line 1 deny is False, not matched [] []
          when: data_class contains PII and rate(agent, 1h) > 5 and sum(amount, tool, 1d) < 10 is False
            data_class contains PII is True [PII]
            rate(agent, 1h) > 5 is True [7]
            sum(amount, tool, 1d) < 10 is False [12.5]
        p/r3 line 1 allow is Unknown, not matched ["has_read(PII, session, 1h)"] []
          when: source(to) contains external and has_read(PII, session, 1h) is Unknown
            source(to) contains external is True [user, external]
            has_read(PII, session, 1h) is Unknown
        p/r4 line 1 limit is True, matched [] []
          limit: 7 calls per tool/1h is True [7]
        p/r5 line 1 limit is True, matched [] []
          limit: 20 of amount per agent/1h is False [12.5]
        p/r6 line 1 limit is True, matched [] []
          limit: 20 of args.to per agent/1h is Unknown
    "#]];
    let known = Known::default();
    compare(policy, &call, Some(&known), &expected);
}

#[test]
fn an_explanation_is_plain_json() {
    let tools = tools();
    let text = "{\n  \"rules\": [\n    {\"when\": \"env == prod\", \"effect\": \"deny\"}\n  ]\n}";
    let set = set(&[document("p", text)], &tools);
    let call = Call::of(&json!({"tool": "crm.read"}), &tools);
    let (_, explanation) = set.explain(&call.facts(&tools), Budget::default()).unwrap();
    let expected = json!({"rules_elsewhere": 0, "rules": [{
        "policy": "p", "rule": "r1", "line": 3, "effect": "deny", "monitor": false, "truth": "unknown",
        "matched": true, "unknown": ["env"],
        "parts": [{"place": "when", "text": "env == prod", "truth": "unknown"}],
    }]});
    assert_eq!(serde_json::to_value(explanation).unwrap(), expected);
}

#[test]
fn a_set_tells_what_is_in_it() {
    let tools = tools();
    let documents = [
        document("b", r#"{"allowed_tools": ["crm.*"], "enabled": false}"#),
        document(
            "z",
            r#"{"name": "a", "mode": "monitor", "rules": [{"effect": "deny"}, {"effect": "allow", "enabled": false}]}"#,
        ),
    ];
    let set = set(&documents, &tools);
    let shown: Vec<String> = set
        .documents()
        .map(|one| {
            format!(
                "{} {} {} {} {} {}",
                one.name, one.file, one.enabled, one.monitor, one.grants, one.rules
            )
        })
        .collect();
    assert_eq!(shown, ["a z true true false 2", "b b false false true 0"]);
    assert!(!set.is_empty());
    assert!(common::set(&documents[..1], &tools).is_empty());
    assert!(common::set(&[], &tools).is_empty());
}

#[test]
fn a_document_hands_over_the_cases_that_it_carries() {
    let text = "{\"name\": \"refunds\",\n \"tests\": [{\"name\": \"a\", \"expect\": \"deny\"},\n {\"b\": 5.00}]}";
    let loaded = load(&[document("file", text)], &tools());
    let shown: Vec<String> = loaded
        .tests
        .iter()
        .map(|test| {
            let (line, column) = (test.span.line, test.span.column);
            let (policy, file) = (&test.policy, &test.file);
            format!(
                "{policy} {file} {} {line}:{column} {}",
                test.path, test.case
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"refunds file /tests/0 2:12 {"name":"a","expect":"deny"}"#,
            r#"refunds file /tests/1 3:2 {"b":5.00}"#,
        ]
    );
    assert!(loaded.set.is_some());
}

#[test]
fn a_version_is_its_documents_and_their_names() {
    let tools = tools();
    let version = |name: &str, text: &str| set(&[document(name, text)], &tools).version();
    let plain = version("p", r#"{"env": "a", "max_risk": "low"}"#);
    assert_eq!(
        version("p", "{ \"max_risk\":\"\\u006cow\",\n\"env\":\"a\" }"),
        plain
    );
    assert_ne!(version("q", r#"{"env": "a", "max_risk": "low"}"#), plain);
    assert_ne!(version("p", r#"{"env": "b", "max_risk": "low"}"#), plain);
    assert_ne!(
        version("p", r#"{"env": "a", "max_risk": "low", "enabled": false}"#),
        plain
    );
    // The digest of `[["p",{}]]`, computed with another tool.
    let known = "sha256:ac8548e1d6e13aa8a4e1b4dea652776b7d2935f7f0270f2bd88690968c1c5d4b";
    assert_eq!(version("p", "{}").to_string(), known);
}

/// The schema for editors may let through what only a load can see, but it refuses no document
/// that loads, and it knows every key.
#[test]
fn the_schema_and_the_loader_agree_on_keys() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/policy");
    let shape = ["P004", "P005", "P020", "P021", "P022", "P033"];
    let (mut accepted, mut refused) = (0, 0);
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let cases: Vec<Value> =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in &cases {
            let tools = case["tools"].as_array().cloned().unwrap_or_default();
            for stored in case["documents"].as_array().unwrap() {
                let text = stored["text"]
                    .as_str()
                    .map_or_else(|| stored["json"].to_string(), str::to_owned);
                let Ok(value) = serde_json::from_str::<Value>(&text) else {
                    continue;
                };
                let loaded = load(&[document("p", &text)], &catalogue(&tools));
                let misshapen = loaded.diagnostics.iter().any(|d| shape.contains(&d.code));
                if loaded.set.is_some() && !value.is_null() {
                    accepted += 1;
                    assert!(schema.is_valid(&value), "{text}");
                } else if misshapen {
                    refused += 1;
                    assert!(!schema.is_valid(&value), "{text}");
                }
            }
        }
    }
    assert!(accepted > 100 && refused > 10, "{accepted} {refused}");
}
