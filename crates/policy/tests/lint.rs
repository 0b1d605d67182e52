//! What lint says of sets, and what it must not say.
//!
//! Each line of the table is a set of rules (or a document) and exactly the findings that it has to
//! have, as `CODE rule-pointer`. A finding below `L100` is certain: the cases without one are
//! rules that look alike and do matter.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a set that does not load is a failure"
)]

mod common;

use std::collections::BTreeSet;

use common::{catalogue, document};
use serde_json::{Value, json};
use toolgate_policy::{Document, Lint, findings, load};

fn tools() -> Vec<Value> {
    vec![
        json!({"id": "stripe.refund", "risk": "high", "resource": "customer:{args.customer}",
               "input_schema": {"type": "object", "properties": {
                   "amount": {"type": "number"}, "customer": {"type": "string"}, "note": {"type": "string"}}}}),
        json!({"id": "mail.send", "input_schema": {"type": "object", "properties": {
                   "recipient": {"type": "string"}, "body": {"type": "string"}}}}),
    ]
}

fn lint(documents: &[Document]) -> Vec<String> {
    let catalogue = catalogue(&tools());
    let loaded = load(documents, &catalogue);
    let set = loaded
        .set
        .unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let approvers: BTreeSet<String> = ["finance".to_owned()].into();
    let found = findings(&Lint {
        set: &set,
        documents,
        catalogue: &catalogue,
        approvers: Some(&approvers),
    });
    found
        .iter()
        .map(|one| format!("{} {}", one.code, one.path))
        .collect()
}

fn check(rules: Value, expected: &[&str]) {
    let document = document("p", json!({"rules": rules}));
    assert_eq!(lint(&[document]), expected, "{rules}");
}

#[test]
fn rules_that_never_match() {
    check(
        json!([{"match": {"tools": ["stripe.refund"]}, "when": "tool == mail.send", "effect": "deny"}]),
        &["L001 /rules/0"],
    );
    check(
        json!([{"match": {"verbs": ["READ"]}, "when": "verb == DELETE", "effect": "deny"}]),
        &["L001 /rules/0"],
    );
    check(
        json!([{"when": "verb == READ and not verb == READ", "effect": "deny"}]),
        &["L001 /rules/0"],
    );
    // Neither of two ways out of an `or` is open.
    check(
        json!([{"when": "role == agent and (role == service or not role == agent)", "effect": "deny"}]),
        &["L001 /rules/0"],
    );
    check(
        json!([{"when": "role == agent and (role == service or env == prod)", "effect": "deny"}]),
        &[],
    );
}

#[test]
fn rules_for_which_there_is_no_value() {
    let refund = |when: &str| json!([{"match": {"tools": ["stripe.refund"]}, "when": when, "effect": "deny"}]);
    // They count where the amount is missing, so they do match some calls.
    check(refund("amount > 500 and amount < 100"), &["L002 /rules/0"]);
    check(refund("amount > 500 and amount <= 500"), &["L002 /rules/0"]);
    check(refund("amount >= 500 and amount <= 500"), &[]);
    check(
        refund("env == prod and env matches \"stag*\""),
        &["L002 /rules/0"],
    );
    check(refund("env matches \"*d\" and env matches \"p*\""), &[]);
    // Of a list one element can fit the one and another the other.
    check(
        json!([{"match": {"tools": ["mail.send"], "recipient_patterns": ["a@x.com"]},
                "when": "any(recipient, r, r == \"b@x.com\")", "effect": "deny"}]),
        &[],
    );
}

#[test]
fn rules_that_a_stricter_one_always_stands_before() {
    let all = json!({"rule_id": "all", "match": {"tools": ["stripe.*"]}, "effect": "deny"});
    let some = |effect: &str| json!({"rule_id": "some", "match": {"tools": ["stripe.refund"]}, "when": "amount > 500", "effect": effect});
    check(json!([all, some("require_approval")]), &["L003 /rules/1"]);
    check(
        json!([all, some("reconcile_before_retry")]),
        &["L007 /rules/1"],
    );
    check(json!([all, some("deny")]), &[]);
    // What can keep the stricter rule from counting keeps the other one alive.
    for key in [
        json!({"unless": "env == test"}),
        json!({"mode": "monitor"}),
        json!({"enabled": false}),
    ] {
        let mut softer = all.clone();
        for (name, value) in key.as_object().unwrap() {
            softer[name] = value.clone();
        }
        let found: Vec<_> = lint(&[document(
            "p",
            json!({"rules": [softer, some("require_approval")]}),
        )]);
        assert!(
            !found.iter().any(|one| one.starts_with("L003")),
            "{key}: {found:?}"
        );
    }
    let exempting =
        json!({"rule_id": "e", "when": "env == test", "effect": "allow", "exempts": ["all"]});
    check(json!([all, some("require_approval"), exempting]), &[]);
    // A wider bound does not cover a narrower one.
    let bound = |id: &str, amount: u32, effect: &str| json!({"rule_id": id, "match": {"tools": ["stripe.refund"]}, "when": format!("amount > {amount}"), "effect": effect});
    check(
        json!([
            bound("a", 1000, "deny"),
            bound("b", 500, "require_approval")
        ]),
        &[],
    );
    check(
        json!([
            bound("a", 500, "deny"),
            bound("b", 1000, "require_approval")
        ]),
        &["L003 /rules/1"],
    );
    // Each of two alternatives is covered, or the rule matters.
    let either = |when: &str| {
        json!([bound("a", 500, "deny"),
               {"rule_id": "b", "match": {"tools": ["stripe.refund"]}, "when": when, "effect": "require_approval"}])
    };
    check(either("amount > 600 or amount >= 700"), &["L003 /rules/1"]);
    check(either("amount > 600 or env == prod"), &[]);
}

#[test]
fn a_stricter_rule_of_a_narrower_document_covers_nothing_else() {
    let narrow = document(
        "narrow",
        json!({"env": "prod", "rules": [{"match": {"tools": ["stripe.refund"]}, "effect": "deny"}]}),
    );
    let wide = document(
        "wide",
        json!({"rules": [{"match": {"tools": ["stripe.refund"]}, "effect": "require_approval"}]}),
    );
    assert_eq!(lint(&[narrow.clone(), wide]), Vec::<String>::new());
    let same = document(
        "same",
        json!({"env": "prod", "rules": [{"match": {"tools": ["stripe.refund"]}, "effect": "require_approval"}]}),
    );
    assert_eq!(lint(&[narrow, same]), ["L003 /rules/0"]);
}

#[test]
fn the_same_hour_in_two_zones_is_two_hours() {
    let rules = |zone: &str, effect: &str| json!({"time_zone": zone, "rules": [{"when": "time.hour > 17", "effect": effect}]});
    let deny = document("berlin", rules("Europe/Berlin", "deny"));
    let ask = |zone: &str| document("other", rules(zone, "require_approval"));
    assert_eq!(
        lint(&[deny.clone(), ask("Asia/Tokyo")]),
        Vec::<String>::new()
    );
    assert_eq!(lint(&[deny, ask("Europe/Berlin")]), ["L003 /rules/0"]);
}

#[test]
fn rules_that_stand_twice_or_take_themselves_back() {
    let rule = |id: &str, when: &str| json!({"rule_id": id, "when": when, "effect": "deny"});
    check(
        json!([rule("a", "env == prod"), rule("b", "env  ==  prod")]),
        &["L004 /rules/1"],
    );
    check(
        json!([rule("a", "env == prod"), rule("b", "env == test")]),
        &[],
    );
    check(
        json!([{"when": "env == prod and role == agent", "unless": "env == prod", "effect": "deny"}]),
        &["L005 /rules/0/unless"],
    );
    check(
        json!([{"when": "env == prod", "unless": "role == agent", "effect": "deny"}]),
        &[],
    );
    check(
        json!([{"rule_id": "reads", "match": {"verbs": ["READ"]}, "effect": "deny"},
               {"rule_id": "deletes", "match": {"verbs": ["DELETE"]}, "effect": "allow", "exempts": ["reads"]}]),
        &["L006 /rules/1/exempts"],
    );
}

#[test]
fn people_types_limits_and_needles() {
    let approval = |who: &str| json!([{"match": {"tools": ["stripe.refund"]}, "effect": "require_approval", "approvers": [who]}]);
    check(approval("finance"), &[]);
    check(approval("finanse"), &["L008 /rules/0/approvers"]);
    check(
        json!([{"match": {"tools": ["stripe.refund"]}, "when": "customer > 500", "effect": "deny"}]),
        &["L009 /rules/0"],
    );
    check(
        json!([{"match": {"tools": ["stripe.refund"]}, "when": "amount > 500", "effect": "deny"}]),
        &[],
    );
    let limit = |tool: &str| json!([{"match": {"tools": [tool]}, "effect": "limit", "limit": 3, "per": "resource/1h"}]);
    check(limit("mail.send"), &["L010 /rules/0/per"]);
    check(limit("stripe.refund"), &[]);
    check(
        json!([{"condition": {"body_contains_any": ["do not share", "#"]}, "effect": "deny"}]),
        &["L011 /rules/0/condition/body_contains_any/1"],
    );
}

#[test]
fn notes_about_what_reaches_further_than_it_looks() {
    check(
        json!([{"when": "env == prod", "mode": "monitor", "effect": "deny"}]),
        &["L101 /rules/0"],
    );
    for (key, text, noted) in [
        ("host_patterns", "*.acme.com*", true),
        ("host_patterns", "*acme.com", true),
        ("host_patterns", "*.acme.com", false),
        ("host_patterns", "acme.com", false),
        ("recipient_patterns", "*@acme.com", false),
        ("recipient_patterns", "*acme.com", true),
        ("recipient_patterns", "@acme.com", true),
        ("url_patterns", "https://api.acme.com*", true),
        ("url_patterns", "https://api.acme.com/*", false),
    ] {
        let found = lint(&[document(
            "p",
            json!({"rules": [{"match": {key: [text]}, "effect": "deny"}]}),
        )]);
        assert_eq!(
            found.iter().any(|one| one.starts_with("L102")),
            noted,
            "{key} {text} {found:?}"
        );
    }
    for (pattern, noted) in [
        ("acme.com", true),
        (r"^https://acme\.com/", false),
        (r"acme\.com", true),
        (r"^[^/]*\.acme\.com$", false),
        ("refund", false),
    ] {
        let when = format!("note ~ '{pattern}'");
        let rule = json!([{"match": {"tools": ["stripe.refund"]}, "when": when, "effect": "deny"}]);
        let found = lint(&[document("p", json!({"rules": rule}))]);
        assert_eq!(
            found.iter().any(|one| one.starts_with("L103")),
            noted,
            "{pattern} {found:?}"
        );
    }
    let opens = document("p", json!({"allowed_tools": ["*"], "rules": []}));
    assert_eq!(lint(&[opens]), ["L104 /allowed_tools/0"]);
}
