//! Calls in doubt: what a person is shown, and what their word does.

use expect_test::expect;
use serde_json::{Value, json};

use crate::sending::Answer;
use crate::world::World;

/// Turns that other tasks get before a test gives up on them.
const TURNS_MAX: usize = 1_000;

/// A call whose answer is lost, once the gate has given up finding out.
async fn lost(world: &World, tool: &str) -> String {
    let envelope = world.call(tool, json!({"customer": "cust_1"})).await;
    let id = envelope["invocation_id"].as_str().unwrap().to_owned();
    reached(world, &id, "needs_operator").await;
    id
}

/// The invocation as an approver sees it, once it has this status.
async fn reached(world: &World, id: &str, status: &str) -> Value {
    let mut seen = Value::Null;
    for _ in 0..TURNS_MAX {
        seen = show(world, id, world.person("approver")).await.value();
        if seen["status"] == status {
            return seen;
        }
        tokio::task::yield_now().await;
    }
    panic!("not `{status}`: {seen:#}");
}

async fn show(world: &World, id: &str, token: &str) -> Answer {
    world
        .get(&format!("/v1/invocations/{id}"))
        .token(token)
        .await
}

async fn reconcile(world: &World, id: &str) -> Answer {
    let path = format!("/v1/invocations/{id}/reconcile");
    world.post(&path).token(world.person("approver")).await
}

async fn resolve(world: &World, id: &str, finding: &str) -> Answer {
    let path = format!("/v1/invocations/{id}/resolve");
    let body = json!({"finding": finding, "reason": "looked at the ledger"});
    let approver = world.person("approver");
    world.post(&path).token(approver).json(body).await
}

#[tokio::test]
async fn a_person_is_shown_all_that_is_known_and_the_agent_nothing_of_it() {
    let world = World::new().await;
    let id = lost(&world, "desk.misplace").await;
    let seen = show(&world, &id, world.person("approver")).await;
    let shown = seen.value();
    expect![[r#"
        {
          "cause": "disconnected",
          "attempt": 1,
          "sent_at": "2026-06-16T15:14:22.000Z",
          "lost_at": "2026-06-16T15:14:22.000Z",
          "ground": "1 looks told nothing; the last one: `desk.lookup` could not be asked",
          "looks": 1,
          "sightings": [
            {
              "at": "2026-06-16T15:14:22.000Z",
              "found": "unclear",
              "why": "`desk.lookup` could not be asked"
            }
          ],
          "next_look_at": null,
          "probe": {
            "tool": "desk.lookup",
            "landed": "result.found == true"
          },
          "absence_proves_from": null,
          "downstream_key": null
        }"#]]
    .assert_eq(&without(&shown["doubt"], &["search_for", "next"]));
    assert_eq!(shown["doubt"]["search_for"], id);
    assert_eq!(shown["call"]["arguments"], json!({"customer": "cust_1"}));
    let steps = shown["doubt"]["next"].as_array().unwrap();
    let steps: Vec<_> = steps
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), step["safe"] == true))
        .collect();
    assert_eq!(
        steps,
        [
            ("reconcile", true),
            ("landed", true),
            ("not_landed", true),
            ("retry", false)
        ]
    );
    let own = show(&world, &id, &world.agent).await.value();
    assert_eq!(own["doubt"], Value::Null);
}

/// The object without these, as text.
fn without(value: &Value, names: &[&str]) -> String {
    let mut map = value.as_object().unwrap().clone();
    names.iter().for_each(|name| drop(map.shift_remove(*name)));
    serde_json::to_string_pretty(&map).unwrap()
}

#[tokio::test]
async fn a_look_that_a_person_asks_for_settles_from_live_state() {
    let world = World::new().await;
    let id = lost(&world, "desk.misplace").await;
    *world.desk.sight.lock().unwrap() = Some(true);
    let asked = reconcile(&world, &id).await;
    assert_eq!(asked.status, 200, "{}", asked.show());
    let seen = reached(&world, &id, "succeeded").await;
    assert_eq!(seen["data"], json!({"of": "cust_1", "found": true}));
    assert_eq!(seen["doubt"], Value::Null);
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1, "sent once");
    let again = reconcile(&world, &id).await;
    assert_eq!(again.problem(), (409, "wrong_state".to_owned()));
}

#[tokio::test]
async fn a_look_that_finds_nothing_proves_nothing() {
    let world = World::new().await;
    let id = lost(&world, "desk.misplace").await;
    *world.desk.sight.lock().unwrap() = Some(false);
    reconcile(&world, &id).await;
    for _ in 0..TURNS_MAX {
        tokio::task::yield_now().await;
    }
    let seen = reached(&world, &id, "needs_operator").await;
    let found: Vec<_> = seen["doubt"]["sightings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sighting| sighting["found"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, ["unclear", "not_found"]);
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1, "sent once");
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_said_by_a_person_alone() {
    let world = World::new().await;
    let id = lost(&world, "desk.lose").await;
    let refused = reconcile(&world, &id).await;
    assert_eq!(refused.problem(), (409, "wrong_state".to_owned()));
    let seen = show(&world, &id, world.person("approver")).await.value();
    let steps = seen["doubt"]["next"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["step"] != "reconcile"));
    assert_eq!(seen["doubt"]["probe"], Value::Null);
}

#[tokio::test]
async fn a_person_may_order_the_same_request_once_more() {
    let world = World::new().await;
    let id = lost(&world, "desk.lose").await;
    let ordered = resolve(&world, &id, "retry").await;
    assert_eq!(ordered.status, 200, "{}", ordered.show());
    // It is lost again, so it waits for a person again.
    let seen = reached(&world, &id, "needs_operator").await;
    assert_eq!(seen["attempts"], 2);
    let sent = world.desk.reached.lock().unwrap().clone();
    assert!(sent.len() == 2 && sent[0] == sent[1], "{sent:?}");
}

#[tokio::test]
async fn an_order_to_retry_is_refused_where_the_gate_would_not_allow_the_call() {
    let world = World::new().await;
    let id = lost(&world, "desk.lose").await;
    let text = json!({"name": "refunds", "rules": [
        {"rule_id": "none", "match": {"tools": ["desk.lose"]}, "effect": "deny"},
    ]});
    let body = json!({"text": text.to_string(), "activate": true});
    world
        .put("/v1/policies/refunds")
        .token(world.person("owner"))
        .header("if-match", "*")
        .json(body)
        .await;
    let refused = resolve(&world, &id, "retry").await;
    assert_eq!(refused.problem().0, 409, "{}", refused.show());
    let seen = reached(&world, &id, "needs_operator").await;
    assert_eq!(seen["attempts"], 1);
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1, "sent once");
}
