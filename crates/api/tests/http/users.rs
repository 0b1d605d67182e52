//! People and tenants: who is added by whom, and what another tenant sees.

use axum::http::StatusCode;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn people_are_added_with_a_token_that_invokes_nothing() {
    let world = World::new().await;
    let owner = world.person("owner");
    let body = json!({"id": "cy@acme.com", "role": "approver"});
    let added = world
        .post("/v1/users")
        .token(owner)
        .json(body.clone())
        .await;
    assert_eq!(added.status, StatusCode::CREATED);
    let added = added.value();
    assert_eq!(added["user"]["role"], "approver");
    let token = added["key"]["token"].as_str().unwrap();
    assert_eq!(
        world.get("/v1/agents").token(token).await.status,
        StatusCode::OK
    );
    for (body, token, expected) in [
        (body, owner, (409, "exists")),
        (
            json!({"id": "x@acme.com", "role": "agent"}),
            owner,
            (422, "invalid_request"),
        ),
        (
            json!({"id": "x@acme.com", "role": "viewer"}),
            token,
            (403, "forbidden"),
        ),
        (
            json!({"id": "x@acme.com", "role": "owner", "tenant": "default"}),
            world.stranger.as_str(),
            (403, "forbidden"),
        ),
    ] {
        let answer = world
            .post("/v1/users")
            .token(token)
            .json(body.clone())
            .await;
        let (status, code) = answer.problem();
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
}

#[tokio::test]
async fn another_tenant_sees_nothing_of_this_one() {
    let world = World::new().await;
    for path in [
        "/v1/agents",
        "/v1/records",
        "/v1/invocations",
        "/v1/approvals",
    ] {
        let seen = world.get(path).token(&world.stranger).await.value();
        let ours = String::from_utf8(serde_json::to_vec(&seen["items"]).unwrap()).unwrap();
        assert!(
            !ours.contains("acme.com") && !ours.contains("billing_agent"),
            "{path}: {ours}"
        );
    }
    for path in ["/v1/users", "/v1/keys"] {
        let seen = world.get(path).token(&world.stranger).await.value();
        assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{path}: itself");
    }
    let suspend = world
        .post("/v1/agents/billing_agent/suspend")
        .token(&world.stranger)
        .await;
    assert_eq!(suspend.problem(), (404, "not_found".to_owned()));
    for path in ["/v1/policies", "/v1/policies/refunds", "/v1/export"] {
        let answer = world.get(path).token(&world.stranger).await;
        assert_eq!(answer.problem(), (403, "forbidden".to_owned()), "{path}");
    }
}
