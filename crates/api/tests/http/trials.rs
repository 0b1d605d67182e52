//! Policies tried before they bind: tests, lint, recorded calls decided again; and who may.

use serde_json::{Value, json};

use crate::world::World;

const STRICT: &str = r#"{
  "rules": [{"rule_id": "all", "match": {"tools": ["desk.refund"]}, "effect": "deny"},
            {"rule_id": "some", "match": {"tools": ["desk.refund"]}, "when": "amount > 5",
             "effect": "require_approval"}],
  "tests": [{"name": "no refunds", "call": {"tool": "desk.refund", "arguments": {"amount": 1}},
             "expect": {"verdict": "deny", "rule": "all"}},
            {"name": "a wrong one", "call": {"tool": "desk.refund", "arguments": {"amount": 1}},
             "expect": "allow"}]
}"#;

fn candidate() -> Value {
    json!({"documents": [{"name": "strict", "text": STRICT}]})
}

#[tokio::test]
async fn tests_are_run_on_the_set_as_it_would_be() {
    let world = World::new().await;
    let activator = world.person("activator");
    let tested = world.post("/v1/policies/test").token(activator);
    let report = tested.json(candidate()).await.value();
    assert_eq!(
        (&report["cases"], &report["failed"]),
        (&json!(2), &json!(1)),
        "{report}"
    );
    let wrong = &report["outcomes"][1];
    assert_eq!(
        (&wrong["name"], &wrong["passed"]),
        (&json!("a wrong one"), &json!(false))
    );
    assert_eq!(wrong["differences"][0]["got"], "deny");
    let rules = wrong["explanation"]["rules"].as_array().unwrap();
    let named = |rule: &Value| rule["rule"] == "all" && rule["matched"] == true;
    assert!(rules.iter().any(named), "{wrong}");
    let beside =
        json!({"tests": [{"name": "b", "call": {"tool": "x.y"}, "expect": {"rule": null}}]});
    let body = json!({"documents": [], "cases": beside.to_string()});
    let report = world
        .post("/v1/policies/test")
        .token(activator)
        .json(body)
        .await
        .value();
    assert_eq!(
        (&report["cases"], &report["failed"]),
        (&json!(1), &json!(0)),
        "{report}"
    );
    let broken = json!({"cases": "{\"tests\": [{\"nam\": 1}]}"});
    let refused = world
        .post("/v1/policies/test")
        .token(activator)
        .json(broken)
        .await;
    assert_eq!(refused.value()["diagnostics"][0]["code"], "T002");
}

#[tokio::test]
async fn lint_names_what_a_stricter_rule_stands_before() {
    let world = World::new().await;
    let asked = world
        .post("/v1/policies/lint")
        .token(world.person("activator"));
    let found = asked.json(candidate()).await.value();
    let codes: Vec<&Value> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["file"] == "strict")
        .map(|one| &one["code"])
        .collect();
    assert_eq!(codes, ["L003"], "{found}");
}

#[tokio::test]
async fn recorded_calls_are_decided_again_and_nothing_changes() {
    let world = World::new().await;
    let activator = world.person("activator");
    for amount in [1, 2] {
        let done = world.call("desk.refund", json!({"amount": amount})).await;
        assert_eq!(done["decision"]["verdict"], "allow", "{done}");
    }
    let backtest = || world.post("/v1/policies/backtest").token(activator);
    let report = backtest().json(candidate()).await.value();
    assert_eq!(
        (&report["replayed"], &report["changed"]),
        (&json!(2), &json!(2)),
        "{report}"
    );
    let cell = json!([{"present": "allow", "candidate": "deny", "calls": 2}]);
    assert_eq!(report["matrix"], cell);
    assert_eq!(report["examples"][0]["candidate"]["rule"], "strict/all");
    let again = world.call("desk.refund", json!({"amount": 3})).await;
    assert_eq!(again["decision"]["verdict"], "allow");
    let asked = json!({"since": "tomorrow"});
    assert_eq!(backtest().json(asked).await.problem().0, 400);
    let asked = json!({"limit": 0});
    assert_eq!(backtest().json(asked).await.problem().0, 422);
}

#[tokio::test]
async fn an_agents_key_tries_nothing() {
    let world = World::new().await;
    for path in ["test", "lint", "backtest"] {
        let path = format!("/v1/policies/{path}");
        let refused = world.post(&path).token(&world.agent).json(json!({})).await;
        assert_eq!(refused.problem().0, 403, "{path}");
    }
    let refused = world.get("/v1/policies/monitor").token(&world.agent).await;
    assert_eq!(refused.problem().0, 403);
}
