//! Incidents over HTTP: listed, looked at, changed by whoever has seen what is there.

use axum::http::{Method, StatusCode};
use expect_test::expect;
use serde_json::{Value, json};
use toolgate_policy::Document;

use crate::sending::Answer;
use crate::world::World;

const WATCH: &str = r#"{"rules": [{"rule_id": "odd", "match": {"tools": ["desk.lookup"]},
    "when": "customer == cust_odd", "effect": "open_incident"}]}"#;

/// Has a rule open an incident, and says which.
pub(crate) async fn opened(world: &World) -> String {
    let driver = &world.api.driver;
    let token = world.person("owner");
    let owner = driver.authenticate(Some(token)).await.unwrap();
    let document = Document {
        name: "watch".to_owned(),
        text: WATCH.to_owned(),
    };
    driver
        .publish_policies(&owner, vec![document], "w")
        .await
        .unwrap();
    odd(world).await;
    let listed = list(world, "").await.value();
    listed["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn odd(world: &World) {
    world
        .call("desk.lookup", json!({"customer": "cust_odd"}))
        .await;
}

async fn list(world: &World, query: &str) -> Answer {
    let path = format!("/v1/incidents{query}");
    world.get(&path).token(world.person("viewer")).await
}

async fn change(world: &World, id: &str, tag: &str, body: Value) -> Answer {
    let sending = world.request(Method::PATCH, &format!("/v1/incidents/{id}"));
    let sending = sending.token(world.person("approver"));
    sending.header("if-match", tag).json(body).await
}

#[tokio::test]
async fn an_incident_says_what_opened_it_and_how_often_it_was_met() {
    let world = World::new().await;
    let id = opened(&world).await;
    odd(&world).await;
    let path = format!("/v1/incidents/{id}");
    let shown = world.get(&path).token(world.person("viewer")).await;
    assert_eq!(shown.header("etag"), Some("\"0\""));
    expect![[r#"
        200
        {
          "id": "inc_1",
          "state": "open",
          "severity": "low",
          "policy": "watch",
          "rule": "odd",
          "agent": "billing_agent",
          "tool": "desk.lookup",
          "first": {
            "invocation_id": "inv_1",
            "at": "2026-06-16T15:14:22.000Z"
          },
          "last": {
            "invocation_id": "inv_2",
            "at": "2026-06-16T15:14:22.000Z"
          },
          "count": 2,
          "note": null,
          "changed_by": null,
          "changed_at": null
        }
    "#]]
    .assert_eq(&shown.show().replace(&id, "inc_1"));
}

#[tokio::test]
async fn whoever_changes_one_has_seen_what_is_there() {
    let world = World::new().await;
    let id = opened(&world).await;
    let without = world.request(Method::PATCH, &format!("/v1/incidents/{id}"));
    let without = without.token(world.person("approver"));
    let without = without.json(json!({"state": "closed"})).await;
    assert_eq!(without.problem(), (428, "precondition_required".to_owned()));
    let taken = change(&world, &id, "\"0\"", json!({"state": "investigating"})).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.show());
    assert_eq!(taken.header("etag"), Some("\"1\""));
    let stale = change(&world, &id, "\"0\"", json!({"state": "closed"})).await;
    assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
    // What is counted is no edit, so it stands in nobody's way.
    odd(&world).await;
    let body = json!({"state": "closed", "severity": "low", "note": "a test account"});
    let closed = change(&world, &id, "\"1\"", body).await.value();
    assert_eq!(
        (&closed["state"], &closed["count"]),
        (&json!("closed"), &json!(2))
    );
    assert_eq!(closed["changed_by"], "bo@acme.com");
    let again = change(&world, &id, "*", json!({"state": "open"})).await;
    assert_eq!(again.problem(), (409, "wrong_state".to_owned()));
    let odd_state = change(&world, &id, "*", json!({"state": "shut"})).await;
    assert_eq!(odd_state.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_list_has_pages_and_states() {
    let world = World::new().await;
    let first = opened(&world).await;
    change(&world, &first, "*", json!({"state": "closed"})).await;
    let second = opened(&world).await;
    assert_ne!(first, second);
    let ids = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = list(&world, "").await.value();
    assert_eq!(ids(&all).len(), 2);
    let open = list(&world, "?state=open,investigating").await.value();
    assert_eq!(ids(&open).len(), 1);
    let page = list(&world, "?limit=1").await.value();
    let next = page["next"].as_str().unwrap();
    let rest = list(&world, &format!("?limit=1&before={next}"))
        .await
        .value();
    assert_eq!((rest["next"].is_null(), ids(&rest).len()), (true, 1));
    assert_ne!(ids(&page), ids(&rest));
    let none = list(&world, "?state=shut").await;
    assert_eq!(none.problem(), (400, "invalid_parameter".to_owned()));
}

#[tokio::test]
async fn another_tenant_has_none_of_them() {
    let world = World::new().await;
    let id = opened(&world).await;
    let listed = world
        .get("/v1/incidents")
        .token(&world.stranger)
        .await
        .value();
    assert_eq!(listed["items"], json!([]));
    let path = format!("/v1/incidents/{id}");
    let shown = world.get(&path).token(&world.stranger).await;
    assert_eq!(shown.problem(), (404, "not_found".to_owned()));
}
