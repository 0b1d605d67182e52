//! People and tenants: who is added by whom, and what another tenant sees.

use axum::http::{Method, StatusCode};
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

#[tokio::test]
async fn groups_are_changed_on_what_was_seen_and_never_called_like_something_else() {
    let world = World::new().await;
    let owner = world.person("owner");
    let body = json!({"id": "cy@acme.com", "role": "approver", "groups": ["oncall", "finance"]});
    let added = world.post("/v1/users").token(owner).json(body).await;
    assert_eq!(
        added.value()["user"]["groups"],
        json!(["finance", "oncall"])
    );
    let path = "/v1/users/cy@acme.com";
    let seen = world.get(path).token(world.person("viewer")).await;
    let tag = seen.header("etag").unwrap().to_owned();
    let patch = |tag: Option<String>, body: serde_json::Value| {
        let sending = world.request(Method::PATCH, path).token(owner);
        let sending = match tag {
            Some(tag) => sending.header("if-match", &tag),
            None => sending,
        };
        sending.json(body)
    };
    let bare = patch(None, json!({"groups": []})).await;
    assert_eq!(bare.problem(), (428, "precondition_required".to_owned()));
    let changed = patch(Some(tag.clone()), json!({"groups": ["legal"]})).await;
    let now = changed.value();
    assert_eq!(
        (&now["groups"], &now["role"]),
        (&json!(["legal"]), &json!("approver"))
    );
    let stale = patch(Some(tag), json!({"groups": []})).await;
    assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
    let long = "g".repeat(65);
    let many: Vec<_> = (0..33).map(|n| format!("g{n}")).collect();
    for groups in [
        json!(["owner"]),
        json!(["approver"]),
        json!(["vi@acme.com"]),
        json!(["finance team"]),
        json!([""]),
        json!([long]),
        json!(many),
    ] {
        let answer = patch(Some("*".to_owned()), json!({"groups": groups})).await;
        let expected = (422, "invalid_request".to_owned());
        assert_eq!(answer.problem(), expected, "{groups}");
    }
    // The other way round: nobody is called like a group that is there, or like a role.
    for name in ["legal", "owner"] {
        let body = json!({"id": name, "role": "viewer"});
        let answer = world.post("/v1/users").token(owner).json(body).await;
        let expected = (422, "invalid_request".to_owned());
        assert_eq!(answer.problem(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_disabled_person_is_nobody_and_nobody_disables_themselves() {
    let world = World::new().await;
    let (owner, approver) = (world.person("owner"), world.person("approver"));
    let patch = |id: &str, body: serde_json::Value| {
        let sending = world.request(Method::PATCH, &format!("/v1/users/{id}"));
        sending.token(owner).header("if-match", "*").json(body)
    };
    for own in [json!({"disabled": true}), json!({"role": "viewer"})] {
        let answer = patch("local@localhost", own).await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
    }
    let role = patch("bo@acme.com", json!({"role": "agent"})).await;
    assert_eq!(role.problem(), (422, "invalid_request".to_owned()));
    let mut seen = Vec::new();
    for disabled in [true, false] {
        patch("bo@acme.com", json!({"disabled": disabled})).await;
        seen.push(world.get("/v1/approvals").token(approver).await.status);
    }
    assert_eq!(seen, [StatusCode::UNAUTHORIZED, StatusCode::OK]);
    let strange = world
        .request(Method::PATCH, "/v1/users/bo@acme.com")
        .token(&world.stranger)
        .header("if-match", "*")
        .json(json!({"role": "viewer"}))
        .await;
    assert_eq!(strange.problem(), (404, "not_found".to_owned()));
}
