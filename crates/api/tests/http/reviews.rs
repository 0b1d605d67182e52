//! Tools that changed, over HTTP: what is shown of them, and deciding on exactly that.

use std::sync::Arc;

use expect_test::expect;
use serde_json::{Value, json};
use toolgate_model::Catalogue;

use crate::sending::Answer;
use crate::world::World;

/// From now on `desk.lookup` says this of itself.
async fn say(world: &World, description: &str) {
    let driver = &world.api.driver;
    driver.pin_tools().await.unwrap();
    let before = driver.configuration().catalogue.clone();
    let tools = before.iter().map(|tool| {
        let mut tool = tool.as_ref().clone();
        if tool.id.as_str() == "desk.lookup" {
            tool.definition["description"] = description.into();
        }
        tool
    });
    driver.set_catalogue(Arc::new(Catalogue::new(tools)));
    driver.pin_tools().await.unwrap();
}

async fn review(world: &World) -> Answer {
    let sending = world.get("/v1/tools/desk.lookup/review");
    sending.token(world.person("viewer")).await
}

async fn decide(world: &World, digest: &Value, decision: &str) -> Answer {
    let body = json!({"digest": digest, "decision": decision, "reason": "looked"});
    let sending = world.post("/v1/tools/desk.lookup/review");
    sending.token(world.person("activator")).json(body).await
}

async fn code(world: &World) -> Value {
    let envelope = world
        .call("desk.lookup", json!({"customer": "cust_1"}))
        .await;
    envelope["denial"]["code"].clone()
}

#[tokio::test]
async fn a_changed_tool_is_held_shown_and_accepted_by_its_digest() {
    let world = World::new().await;
    say(&world, "Looks up a customer").await;
    assert_eq!(code(&world).await, "tool_changed");
    let shown = review(&world).await;
    let digest = shown.value()["present"]["digest"].clone();
    expect![[r#"
        200
        {
          "tool": "desk.lookup",
          "state": "changed",
          "held": true,
          "pinned": {
            "digest": "sha256_1",
            "by": "gate",
            "at": "2026-06-16T15:14:22.000Z",
            "definition": {
              "description": "What desk.lookup does.",
              "name": "desk.lookup"
            }
          },
          "present": {
            "digest": "sha256_2",
            "definition": {
              "name": "desk.lookup",
              "description": "Looks up a customer"
            }
          },
          "differences": [
            {
              "path": "/description",
              "before": "\"What desk.lookup does.\"",
              "after": "\"Looks up a customer\""
            }
          ],
          "signals": [],
          "seen": [
            {
              "digest": "sha256_2",
              "at": "2026-06-16T15:14:22.000Z"
            }
          ]
        }
    "#]]
    .assert_eq(&shown.show());
    let envelope = world
        .call("desk.lookup", json!({"customer": "cust_1"}))
        .await;
    let text = envelope.to_string();
    assert!(
        !text.contains("Looks up"),
        "no word of the new definition: {text}"
    );
    let other = decide(
        &world,
        &json!(format!("sha256:{}", "0".repeat(64))),
        "accept",
    )
    .await;
    assert_eq!(other.problem(), (409, "tool_changed".to_owned()));
    let accepted = decide(&world, &digest, "accept").await.value();
    assert_eq!(
        (&accepted["state"], &accepted["held"]),
        (&json!("accepted"), &json!(false))
    );
    assert_eq!(accepted["pinned"]["by"], "ac@acme.com");
    assert_eq!(code(&world).await, Value::Null);
    let disabled = decide(&world, &digest, "disable").await.value();
    assert_eq!(disabled["state"], "disabled");
    assert_eq!(code(&world).await, "tool_disabled");
}

#[tokio::test]
async fn the_list_leaves_a_held_tool_out_for_agents_and_marks_it_for_people() {
    let world = World::new().await;
    say(&world, "Looks up a customer").await;
    let lines = |answer: Value| {
        let tools = answer["items"].as_array().unwrap().clone();
        let tool = tools.into_iter().find(|tool| tool["id"] == "desk.lookup");
        tool.map(|tool| (tool["review"].clone(), tool["held"].clone()))
    };
    let agent = world.get("/v1/tools").token(&world.agent).await.value();
    assert_eq!(lines(agent), None);
    let viewer = world
        .get("/v1/tools")
        .token(world.person("viewer"))
        .await
        .value();
    assert_eq!(lines(viewer), Some((json!("changed"), json!(true))));
}

#[tokio::test]
async fn what_cannot_be_reviewed_is_said_so() {
    let world = World::new().await;
    let viewer = world.person("viewer");
    let none = world.get("/v1/tools/desk.none/review").token(viewer).await;
    assert_eq!(none.problem(), (404, "not_found".to_owned()));
    let no_id = world.get("/v1/tools/none/review").token(viewer).await;
    assert_eq!(no_id.problem(), (404, "not_found".to_owned()));
    let stranger = world
        .get("/v1/tools/desk.lookup/review")
        .token(&world.stranger)
        .await;
    assert_eq!(stranger.problem(), (403, "forbidden".to_owned()));
    let odd = decide(&world, &json!("sha256:12"), "accept").await;
    assert_eq!(odd.problem().0, 400);
}
