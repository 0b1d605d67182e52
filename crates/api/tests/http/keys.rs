//! Keys: shown once, narrowed, rotated with an overlap, revoked; and nobody's way to more rights.

use axum::http::StatusCode;
use expect_test::expect;
use serde_json::{Value, json};
use toolgate_model::Duration;

use crate::world::World;

async fn issue(world: &World, body: Value) -> Value {
    let admin = world.person("agent_admin");
    let answer = world.post("/v1/keys").token(admin).json(body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.show());
    answer.value()
}

async fn stands(world: &World, key: &Value) -> bool {
    let token = key["token"].as_str().unwrap();
    world.get("/v1/tools").token(token).await.status == StatusCode::OK
}

#[tokio::test]
async fn a_token_is_shown_once_and_its_secret_never_again() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    let body = json!({"agent": "billing_agent", "ttl": "30d", "scope": {"tools": ["desk.lookup"]}});
    let made = world.post("/v1/keys").token(admin).json(body).await;
    expect![[r#"
        201
        {
          "id": "key_1",
          "kind": "agent",
          "subject": "billing_agent",
          "tenant": "default",
          "state": "active",
          "scope": {
            "tools": [
              "desk.lookup"
            ],
            "actions": [],
            "envs": [],
            "agents": [],
            "workflows": [],
            "resources": []
          },
          "created_at": "2026-06-16T15:14:22.000Z",
          "expires_at": "2026-07-16T15:14:22.000Z",
          "revoked_at": null,
          "rotated_from": null,
          "last_used_at": null,
          "token": "tg_1"
        }
    "#]]
    .assert_eq(&made.show());
    let token = made.value()["token"].as_str().unwrap().to_owned();
    let secret = token.rsplit('_').next().unwrap();
    let listed = world.get("/v1/keys").token(admin).await;
    let text = String::from_utf8(listed.body.clone()).unwrap();
    assert!(!text.contains(secret) && !text.contains("hash"), "{text}");
    let records = world
        .get("/v1/records?kind=key.&newest=true")
        .token(admin)
        .await;
    assert!(!String::from_utf8(records.body).unwrap().contains(secret));
}

#[tokio::test]
async fn a_rotated_key_works_for_the_overlap_and_a_revoked_one_not_at_all() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    let old = issue(&world, json!({"agent": "billing_agent"})).await;
    let path = format!("/v1/keys/{}/rotate", old["id"].as_str().unwrap());
    let new = world
        .post(&path)
        .token(admin)
        .json(json!({"overlap": "1h"}))
        .await
        .value();
    assert_eq!(new["rotated_from"], old["id"]);
    assert!(stands(&world, &old).await && stands(&world, &new).await);
    world.clock.advance(Duration::from_secs(3_600));
    assert!(!stands(&world, &old).await && stands(&world, &new).await);
    let path = format!("/v1/keys/{}/revoke", new["id"].as_str().unwrap());
    let revoked = world.post(&path).token(admin).await.value();
    assert_eq!(revoked["state"], "revoked");
    assert!(
        !stands(&world, &new).await,
        "revocation binds on the next call"
    );
    let path = format!("/v1/keys/{}/rotate", new["id"].as_str().unwrap());
    let late = world.post(&path).token(admin).await;
    assert_eq!(late.problem(), (409, "wrong_state".to_owned()));
}

#[tokio::test]
async fn keys_that_cannot_be_are_refused() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    for (body, expected) in [
        (json!({"agent": "nobody"}), (404, "not_found")),
        (
            json!({"agent": "billing_agent", "ttl": "0s"}),
            (400, "invalid_field"),
        ),
        (
            json!({"agent": "billing_agent", "ttl": "99999d"}),
            (400, "invalid_field"),
        ),
        (
            json!({"agent": "billing_agent", "ttl": "soon"}),
            (400, "invalid_field"),
        ),
        (
            json!({"agent": "billing_agent", "scope": {"tool": []}}),
            (400, "unknown_field"),
        ),
    ] {
        let (status, code) = world
            .post("/v1/keys")
            .token(admin)
            .json(body.clone())
            .await
            .problem();
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
}

#[tokio::test]
async fn whoever_manages_agents_cannot_become_an_owner() {
    let world = World::new().await;
    let keys = world
        .get("/v1/keys")
        .token(world.person("owner"))
        .await
        .value();
    let keys = keys["items"].as_array().unwrap();
    let owners = keys
        .iter()
        .find(|key| key["subject"] == "local@localhost")
        .unwrap();
    for verb in ["rotate", "revoke"] {
        let path = format!("/v1/keys/{}/{verb}", owners["id"].as_str().unwrap());
        let answer = world.post(&path).token(world.person("agent_admin")).await;
        assert_eq!(answer.problem(), (403, "forbidden".to_owned()), "{verb}");
        let elsewhere = world.post(&path).token(&world.stranger).await;
        assert_eq!(elsewhere.problem(), (404, "not_found".to_owned()), "{verb}");
    }
}
