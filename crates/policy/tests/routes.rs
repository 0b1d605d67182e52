//! A tool of an HTTP API is known by its id and by its route: what is said of either is said of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

mod common;

use common::{Call, catalogue, document, rules, set};
use serde_json::{Value, json};
use toolgate_model::{Catalogue, Coverage, Reach, Risk};
use toolgate_policy::{Budget, load};

fn tools() -> Catalogue {
    let tool = |id: &str, route: Value| json!({"id": id, "route": route, "input_schema": {"properties": {"amount": {}}}});
    catalogue(&[
        tool("api.DeleteUser", json!("api.delete.users.id")),
        tool("api.GetUser", json!("api.get.users.id")),
        tool("crm.read", Value::Null),
    ])
}

/// Whether a rule that denies under this condition denies the call of this tool.
fn denies(rule: &Value, tool: &str) -> bool {
    let tools = tools();
    let mut whole = json!({"rule_id": "r", "effect": "deny"});
    for (key, value) in rule.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let set = rules(json!([whole]), &tools);
    let call = Call::of(&json!({"tool": tool, "args": {"amount": 7}}), &tools);
    let facts = call.facts(&tools);
    let ruling = set.decide(&facts, Budget::default()).unwrap();
    let (explained, _) = set.explain(&facts, Budget::default()).unwrap();
    assert_eq!(ruling, explained, "{rule} {tool}");
    !ruling.rules.is_empty()
}

#[test]
fn a_rule_that_names_either_holds() {
    let rules = [
        json!({"match": {"tools": ["api.DeleteUser"]}}),
        json!({"match": {"tools": ["api.delete.*"]}}),
        json!({"match": {"tools": ["api.delete.users.id"]}}),
        json!({"match": {"operations": ["delete.*"]}}),
        json!({"match": {"operations": ["DeleteUser"]}}),
        json!({"match": {"tools": ["api.Delete*"], "operations": ["delete.*"]}}),
        json!({"match": {"tools": ["api.delete.*"], "tool_name": "api"}}),
        json!({"when": "tool == api.delete.users.id"}),
        json!({"when": "tool == api.DeleteUser"}),
        json!({"when": "tool == api.DeleteUser and amount > 5", "match": {"tools": ["api.delete.*"]}}),
        json!({"when": "tool in [api.delete.users.id, crm.write]"}),
        json!({"when": "tool == api.delete.users.id and tool == api.DeleteUser"}),
    ];
    for rule in rules {
        assert!(denies(&rule, "api.DeleteUser"), "{rule}");
        assert!(!denies(&rule, "api.GetUser"), "{rule}");
        assert!(!denies(&rule, "crm.read"), "{rule}");
    }
}

#[test]
fn what_is_said_of_no_name_is_said_of_neither() {
    for condition in [
        "not (tool == api.delete.users.id)",
        "tool != api.delete.users.id",
    ] {
        let rule = json!({"when": condition});
        assert!(!denies(&rule, "api.DeleteUser"), "{condition}");
        assert!(denies(&rule, "api.GetUser"), "{condition}");
    }
    let rule = json!({"unless": "tool == api.get.users.id"});
    assert!(denies(&rule, "api.DeleteUser") && !denies(&rule, "api.GetUser"));
}

#[test]
fn a_documents_grant_opens_by_either() {
    let tools = tools();
    for (pattern, opened) in [
        ("api.get.*", [false, true, false]),
        ("api.GetUser", [false, true, false]),
        ("api.*", [true, true, false]),
        ("api.get.users.id", [false, true, false]),
    ] {
        let set = set(
            &[document(
                "p",
                json!({"allowed_tools": [pattern], "rules": []}),
            )],
            &tools,
        );
        for (tool, opened) in ["api.DeleteUser", "api.GetUser", "crm.read"]
            .iter()
            .zip(opened)
        {
            let call = Call::of(&json!({"tool": tool}), &tools);
            let facts = call.facts(&tools);
            let route = facts.descriptor.unwrap().route.clone();
            let reach = Reach {
                tool,
                route: route.as_ref().map(|route| route.as_str()),
                action: None,
                resource: None,
                env: None,
                workflow: None,
                risk: Risk::Low,
            };
            let covered = set.grant_coverage(&facts, &reach).0 == Coverage::Covered;
            let visible = set.grant_opens(&facts, &reach);
            assert_eq!((covered, visible), (opened, opened), "{pattern} {tool}");
        }
    }
}

#[test]
fn a_route_is_a_name_that_is_known() {
    let written = |tool: &str| {
        let rule = json!({"rule_id": "r", "effect": "deny", "when": format!("tool == {tool}")});
        let one = document("p", json!({"allowed_tools": [tool], "rules": [rule]}));
        load(&[one], &tools()).diagnostics.len()
    };
    assert_eq!(
        [written("api.get.users.id"), written("api.GetUser")],
        [0, 0]
    );
    assert!(written("api.get.users") > 0);
}
