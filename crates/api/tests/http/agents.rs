//! Agents: added, changed on a condition, suspended; what they could do and which tools they see.

use axum::http::StatusCode;
use expect_test::expect;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn an_agent_is_added_with_nothing_and_then_reaches_what_is_listed() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    let added = world
        .post("/v1/agents")
        .token(admin)
        .json(json!({"id": "triage"}))
        .await;
    expect![[r#"
        201
        {
          "id": "triage",
          "tenant": "default",
          "owner": "ad@acme.com",
          "role": "agent",
          "profile": {
            "mode": "scoped"
          },
          "runtime": null,
          "project": null,
          "trusted_host": false,
          "suspended": false,
          "created_at": "2026-06-16T15:14:22.000Z"
        }
    "#]]
    .assert_eq(&added.show());
    let tag = added.header("etag").unwrap().to_owned();
    let body = json!({
        "owner": "ana@acme.com", "role": "reader",
        "profile": {"grants": [{"tools": ["desk.lookup"], "max_risk": "low"}]},
    });
    let changed = world
        .put("/v1/agents/triage")
        .token(admin)
        .header("if-match", &tag);
    let changed = changed.json(body.clone()).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.show());
    let shown = world
        .get("/v1/agents/triage")
        .token(world.person("viewer"))
        .await;
    assert_eq!(shown.value(), changed.value());
    assert_eq!(shown.header("etag"), changed.header("etag"));
    assert_ne!(shown.header("etag"), Some(tag.as_str()));
    let stale = world
        .put("/v1/agents/triage")
        .token(admin)
        .header("if-match", &tag);
    assert_eq!(
        stale.json(body).await.problem(),
        (412, "precondition_failed".to_owned())
    );
}

#[tokio::test]
async fn a_change_must_say_what_it_changes() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    let body = json!({"owner": "ana@acme.com"});
    for (path, condition, expected) in [
        (
            "/v1/agents/billing_agent",
            None,
            (428, "precondition_required"),
        ),
        (
            "/v1/agents/billing_agent",
            Some(("if-none-match", "*")),
            (412, "precondition_failed"),
        ),
        (
            "/v1/agents/nobody",
            Some(("if-match", "*")),
            (412, "precondition_failed"),
        ),
        (
            "/v1/agents/nobody",
            Some(("if-match", "\"x\"")),
            (412, "precondition_failed"),
        ),
        (
            "/v1/agents/nobody",
            Some(("if-none-match", "\"x\"")),
            (400, "invalid_header"),
        ),
    ] {
        let mut sending = world.put(path).token(admin);
        if let Some((name, value)) = condition {
            sending = sending.header(name, value);
        }
        let (status, code) = sending.json(body.clone()).await.problem();
        assert_eq!((status, code.as_str()), expected, "{path} {condition:?}");
    }
    let made = world
        .put("/v1/agents/nobody")
        .token(admin)
        .header("if-none-match", "*");
    assert_eq!(made.json(body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_an_agent_cannot_be_is_refused() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    for (body, expected) in [
        (json!({"id": "billing_agent"}), (409, "exists")),
        (json!({"id": "a b"}), (400, "invalid_field")),
        (
            json!({"id": "x", "role": "owner"}),
            (422, "invalid_request"),
        ),
        (
            json!({"id": "x", "profile": {"mode": "admin", "grants": [{}]}}),
            (400, "invalid_field"),
        ),
        (
            json!({"id": "x", "profile": {"grant": []}}),
            (400, "unknown_field"),
        ),
        (
            json!({"id": "x", "profile": {"grants": [{"tool": []}]}}),
            (400, "unknown_field"),
        ),
        (
            json!({"id": "x", "runtime": "r".repeat(129)}),
            (400, "invalid_field"),
        ),
    ] {
        let answer = world
            .post("/v1/agents")
            .token(admin)
            .json(body.clone())
            .await;
        let (status, code) = answer.problem();
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
    let nested = json!({"id": "x", "profile": {"grants": [{}, {"resorces": []}]}});
    let answer = world.post("/v1/agents").token(admin).json(nested).await;
    expect![[r#"
        400
        {
          "type": "http://127.0.0.1:8787/problems/unknown_field",
          "title": "The body has a field that is not known",
          "status": 400,
          "detail": "there is no field `resorces` here",
          "code": "unknown_field",
          "errors": [
            {
              "pointer": "/profile/grants/1/resorces",
              "detail": "there is no field `resorces` here",
              "help": "did you mean `resources`"
            }
          ],
          "request_id": "req_test"
        }
    "#]]
    .assert_eq(&answer.show());
}

#[tokio::test]
async fn a_suspended_agent_authenticates_nobody_until_it_is_resumed() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    let tools = async || world.get("/v1/tools").token(&world.agent).await;
    let suspended = world
        .post("/v1/agents/billing_agent/suspend")
        .token(admin)
        .await;
    assert_eq!(suspended.value()["suspended"], true);
    assert_eq!(
        tools().await.problem(),
        (401, "credential_revoked".to_owned())
    );
    let can = world.get("/v1/agents/billing_agent/can?tool=desk.lookup");
    let can = can.token(world.person("viewer")).await.value();
    assert_eq!(can["items"][0]["answer"], "no");
    world
        .post("/v1/agents/billing_agent/resume")
        .token(admin)
        .await;
    assert_eq!(tools().await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_an_agent_could_do_is_answered_by_the_gate() {
    let world = World::new().await;
    let survey = world
        .get("/v1/agents/billing_agent/can")
        .token(&world.agent)
        .await;
    expect![[r#"
        200
        {
          "items": [
            {
              "tool": "desk.away",
              "answer": "yes",
              "code": null,
              "reason": "granted, and nothing forbids it"
            },
            {
              "tool": "desk.fail",
              "answer": "yes",
              "code": null,
              "reason": "granted, and nothing forbids it"
            },
            {
              "tool": "desk.hold",
              "answer": "yes",
              "code": null,
              "reason": "granted, and nothing forbids it"
            },
            {
              "tool": "desk.lookup",
              "answer": "yes",
              "code": null,
              "reason": "granted, and nothing forbids it"
            },
            {
              "tool": "desk.lose",
              "answer": "yes",
              "code": null,
              "reason": "granted, and nothing forbids it"
            },
            {
              "tool": "desk.misplace",
              "answer": "yes",
              "code": null,
              "reason": "granted, and nothing forbids it"
            },
            {
              "tool": "desk.refund",
              "answer": "depends",
              "code": null,
              "reason": "reachable; the arguments, resource and environment decide"
            },
            {
              "tool": "vault.open",
              "answer": "no",
              "code": "not_granted",
              "reason": "nothing grants `vault.open` to `billing_agent`"
            }
          ],
          "next": null
        }
    "#]]
    .assert_eq(&survey.show());
    for (arguments, answer) in [
        (r#"{"amount":1}"#, "yes"),
        (r#"{"amount":640}"#, "with_approval"),
    ] {
        let escaped = arguments
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22");
        let path = format!("/v1/agents/billing_agent/can?tool=desk.refund&arguments={escaped}");
        let can = world.get(&path).token(world.person("viewer")).await.value();
        assert_eq!(can["items"][0]["answer"], answer, "{arguments}");
    }
    for (path, expected) in [
        ("support_agent/can", (404, "not_found")),
        ("billing_agent/can?env=prod", (400, "invalid_parameter")),
        (
            "billing_agent/can?tool=desk.refund&arguments=[]",
            (400, "invalid_parameter"),
        ),
        (
            "billing_agent/can?tool=desk.refund&arguments=x",
            (400, "invalid_parameter"),
        ),
    ] {
        let answer = world
            .get(&format!("/v1/agents/{path}"))
            .token(&world.agent)
            .await;
        let (status, code) = answer.problem();
        assert_eq!((status, code.as_str()), expected, "{path}");
    }
}

#[tokio::test]
async fn an_agent_sees_the_tools_that_it_may_reach_and_a_person_all() {
    let world = World::new().await;
    let seen = world.get("/v1/tools").token(&world.other_agent).await;
    expect![[r#"
        200
        {
          "items": [
            {
              "id": "desk.lookup",
              "source": "desk",
              "wire_name": "desk__lookup",
              "version": "1.0.0",
              "description": "What desk.lookup does.",
              "input_schema": {
                "type": "object",
                "properties": {
                  "amount": {
                    "type": "number"
                  },
                  "customer": {
                    "type": "string"
                  }
                },
                "additionalProperties": false
              },
              "category": null,
              "method": null,
              "route": null,
              "action": null,
              "posture": null,
              "verb": "READ",
              "risk": "low",
              "risk_score": 0.15,
              "risk_reason": "said by the operator",
              "resource": "customer:{args.customer}",
              "effect": "none",
              "recovery": "read",
              "timeout": "20s",
              "lifecycle": "active",
              "runner": "gate",
              "digest": "sha256_1"
            }
          ],
          "next": null
        }
    "#]]
    .assert_eq(&seen.show());
    let names = |value: Value| -> Vec<String> {
        let items = value["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|tool| tool["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = world
        .get("/v1/tools")
        .token(world.person("viewer"))
        .await
        .value();
    assert_eq!(all["items"][0]["health"], "up");
    assert!(all["items"][0]["checks"].is_object());
    assert!(names(all).contains(&"vault.open".to_owned()));
    let sources = world.get("/v1/sources").token(world.person("viewer")).await;
    expect![[r#"
        200
        {
          "items": [
            {
              "name": "desk",
              "kind": "mcp-stdio",
              "health": "up",
              "detail": null,
              "tools": 8,
              "owner": null,
              "auth": null,
              "heard_at": null,
              "claims": {}
            }
          ],
          "next": null
        }
    "#]]
    .assert_eq(&sources.show());
}
