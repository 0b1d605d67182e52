//! Policies: written, tried, put in force, taken back; and calls that are only tried.

use axum::http::StatusCode;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::sending::Answer;
use crate::world::World;

const CLOSED: &str = r#"{"rules": [{"match": {"tools": ["desk.refund"]}, "effect": "deny"}]}"#;

async fn write(world: &World, name: &str, condition: (&'static str, &str), body: Value) -> Answer {
    let sending = world
        .put(&format!("/v1/policies/{name}"))
        .token(world.person("activator"));
    sending.header(condition.0, condition.1).json(body).await
}

async fn verdict(world: &World) -> Value {
    world.call("desk.refund", json!({"amount": 1})).await["decision"]["verdict"].clone()
}

#[tokio::test]
async fn a_version_binds_from_the_call_after_it_was_put_in_force() {
    let world = World::new().await;
    let activator = world.person("activator");
    assert_eq!(verdict(&world).await, "allow");
    let body = json!({"text": CLOSED, "message": "freeze"});
    let written = write(&world, "closed", ("if-none-match", "*"), body.clone()).await;
    expect![[r#"
        200
        {
          "name": "closed",
          "active_number": null,
          "number": 1,
          "digest": "sha256_1",
          "author": "ac@acme.com",
          "message": "freeze",
          "created_at": "2026-06-16T15:14:22.000Z",
          "active": false,
          "activated": null,
          "requested": null,
          "text": "{\"rules\": [{\"match\": {\"tools\": [\"desk.refund\"]}, \"effect\": \"deny\"}]}",
          "diagnostics": []
        }
    "#]].assert_eq(&written.show());
    assert_eq!(written.header("etag"), Some("\"1.0\""));
    assert_eq!(
        verdict(&world).await,
        "allow",
        "writing puts nothing in force"
    );
    let active = world
        .post("/v1/policies/closed/activate")
        .token(activator)
        .await;
    assert_eq!(active.value()["active_number"], 1);
    assert_eq!(active.header("etag"), Some("\"1.1\""));
    assert_eq!(verdict(&world).await, "deny");
    let ended = world
        .post("/v1/policies/closed/deactivate")
        .token(activator)
        .await;
    assert_eq!(ended.value()["active_number"], Value::Null);
    assert_eq!(verdict(&world).await, "allow");
    let again = write(&world, "closed", ("if-match", "\"1.0\""), body).await;
    assert_eq!(
        again.value()["number"],
        1,
        "the same text makes no new version"
    );
}

#[tokio::test]
async fn versions_are_listed_shown_and_rolled_back() {
    let world = World::new().await;
    let activator = world.person("activator");
    let text = json!({"name": "refunds", "rules": []}).to_string();
    let body = json!({"text": text, "message": "none", "activate": true});
    let second = write(&world, "refunds", ("if-match", "\"1.1\""), body.clone()).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.show());
    assert_eq!(second.header("etag"), Some("\"2.2\""));
    let stale = write(&world, "refunds", ("if-match", "\"1.1\""), body).await;
    assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
    let versions = world
        .get("/v1/policies/refunds/versions")
        .token(world.person("viewer"))
        .await;
    expect![[r#"
        200
        {
          "items": [
            {
              "number": 2,
              "digest": "sha256_1",
              "author": "ac@acme.com",
              "message": "none",
              "created_at": "2026-06-16T15:14:22.000Z",
              "active": true,
              "activated": {
                "by": "ac@acme.com",
                "at": "2026-06-16T15:14:22.000Z"
              },
              "requested": null
            },
            {
              "number": 1,
              "digest": "sha256_2",
              "author": "local@localhost",
              "message": "the first",
              "created_at": "2026-06-16T15:14:22.000Z",
              "active": false,
              "activated": {
                "by": "local@localhost",
                "at": "2026-06-16T15:14:22.000Z"
              },
              "requested": null
            }
          ],
          "next": null
        }
    "#]]
    .assert_eq(&versions.show());
    let first = world
        .get("/v1/policies/refunds?number=1")
        .token(world.person("viewer"))
        .await;
    assert_eq!(
        first.value()["text"],
        crate::world::POLICY,
        "as it was written, byte for byte"
    );
    let back = world
        .post("/v1/policies/refunds/rollback")
        .token(activator)
        .await;
    assert_eq!(back.value()["active_number"], 1);
    let none = world
        .post("/v1/policies/refunds/rollback")
        .token(activator)
        .await;
    assert_eq!(none.problem(), (409, "wrong_state".to_owned()));
    let forward = json!({"number": 2});
    let forward = world
        .post("/v1/policies/refunds/activate")
        .token(activator)
        .json(forward)
        .await;
    assert_eq!(forward.value()["active_number"], 2);
}

#[tokio::test]
async fn the_list_says_what_is_in_force() {
    let world = World::new().await;
    let listed = world
        .get("/v1/policies")
        .token(world.person("viewer"))
        .await;
    expect![[r#"
        200
        {
          "policy_version": "sha256_1",
          "items": [
            {
              "name": "refunds",
              "active_number": 1,
              "active_digest": "sha256_2",
              "activated": {
                "by": "local@localhost",
                "at": "2026-06-16T15:14:22.000Z"
              },
              "latest": {
                "number": 1,
                "digest": "sha256_2",
                "author": "local@localhost",
                "message": "the first",
                "created_at": "2026-06-16T15:14:22.000Z",
                "active": true,
                "activated": {
                  "by": "local@localhost",
                  "at": "2026-06-16T15:14:22.000Z"
                },
                "requested": null
              }
            }
          ],
          "diagnostics": []
        }
    "#]]
    .assert_eq(&listed.show());
}

async fn refused(body: Value, expected: Expect) {
    let world = World::new().await;
    let answer = write(&world, "bad", ("if-none-match", "*"), body).await;
    expected.assert_eq(&answer.show());
    let listed = world
        .get("/v1/policies/bad")
        .token(world.person("viewer"))
        .await;
    assert_eq!(
        listed.problem(),
        (404, "not_found".to_owned()),
        "nothing was written"
    );
}

#[tokio::test]
async fn a_policy_that_does_not_load_is_refused_with_every_place() {
    let text =
        "{\n  \"rules\": [{\"match\": {\"tools\": [\"desk.refund\"]}, \"efect\": \"deny\"}]\n}";
    refused(
        json!({"text": text}),
        expect![[r#"
        422
        {
          "type": "http://127.0.0.1:8787/problems/policy_invalid",
          "title": "The policy does not load",
          "status": 422,
          "detail": "2 errors keep the policy from loading",
          "code": "policy_invalid",
          "errors": [
            {
              "pointer": "/rules/0",
              "detail": "P020: the rule has no `effect`",
              "help": "add `\"effect\": \"require_approval\"` or another"
            },
            {
              "pointer": "/rules/0/efect",
              "detail": "P004: `efect` is not a key here",
              "help": "did you mean `effect`?"
            }
          ],
          "diagnostics": [
            {
              "code": "P020",
              "severity": "error",
              "message": "the rule has no `effect`",
              "help": "add `\"effect\": \"require_approval\"` or another",
              "file": "bad",
              "path": "/rules/0",
              "span": {
                "start": 14,
                "end": 68,
                "line": 2,
                "column": 13
              },
              "related": []
            },
            {
              "code": "P004",
              "severity": "error",
              "message": "`efect` is not a key here",
              "help": "did you mean `effect`?",
              "file": "bad",
              "path": "/rules/0/efect",
              "span": {
                "start": 52,
                "end": 59,
                "line": 2,
                "column": 51
              },
              "related": []
            }
          ],
          "request_id": "req_test"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn unknown_things_have_no_versions() {
    let world = World::new().await;
    let activator = world.person("activator");
    for path in [
        "/v1/policies/none",
        "/v1/policies/none/versions",
        "/v1/policies/refunds?number=9",
    ] {
        let answer = world.get(path).token(activator).await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{path}");
    }
    for verb in ["activate", "deactivate"] {
        let answer = world
            .post(&format!("/v1/policies/none/{verb}"))
            .token(activator)
            .await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{verb}");
    }
    let unnamed = write(
        &world,
        "%0Aname",
        ("if-none-match", "*"),
        json!({"text": CLOSED}),
    )
    .await;
    assert_eq!(unnamed.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_check_writes_nothing_and_tells_everything() {
    let world = World::new().await;
    let check = async |text: &str| {
        let body = json!({"documents": [{"name": "trial", "text": text}]});
        world
            .post("/v1/policies/check")
            .token(world.person("viewer"))
            .json(body)
            .await
            .value()
    };
    assert_eq!(
        check(CLOSED).await,
        json!({"valid": true, "diagnostics": []})
    );
    let found = check(
        r#"{"rules": [{"when": "amuont > 1", "match": {"tools": ["desk.refund"]},
        "effect": "deny"}]}"#,
    )
    .await;
    assert_eq!(found["valid"], false, "{found}");
    let first = &found["diagnostics"][0];
    assert_eq!(
        (&first["severity"], &first["file"]),
        (&json!("error"), &json!("trial"))
    );
    assert_eq!(first["span"]["line"], 1, "{found}");
    let named = json!({"documents": [{"name": "", "text": CLOSED}]});
    let named = world
        .post("/v1/policies/check")
        .token(world.person("viewer"))
        .json(named)
        .await;
    assert_eq!(named.problem(), (400, "invalid_field".to_owned()));
}

async fn tried(body: Value) -> Answer {
    let world = World::new().await;
    world
        .post("/v1/evaluate")
        .token(world.person("viewer"))
        .json(body)
        .await
}

#[tokio::test]
async fn a_tried_call_says_why_and_leaves_no_trace() {
    let body = json!({
        "agent": "billing_agent", "tool": "desk.refund",
        "arguments": {"amount": 640, "customer": "cust_1"},
        // A call that was written for the real thing can be tried as it stands.
        "mode": "execute", "session_id": "s-1", "justification": "customer asked twice",
    });
    let world = World::new().await;
    let count = async || {
        let records = world
            .get("/v1/records?newest=true&limit=200")
            .token(world.person("viewer"));
        records.await.value()["items"].as_array().unwrap().len()
    };
    let before = count().await;
    let answer = world
        .post("/v1/evaluate")
        .token(world.person("viewer"))
        .json(body)
        .await
        .value();
    assert_eq!(answer["decision"]["verdict"], "require_approval");
    assert_eq!(answer["decision"]["rules"], json!(["refunds/big"]));
    assert_eq!(answer["resource"], "customer:cust_1");
    assert!(
        answer["explanation"].to_string().contains("amount > 500"),
        "{answer}"
    );
    assert_eq!(count().await, before);
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_tried_call_is_judged_like_a_real_one() {
    for (body, verdict, code) in [
        (
            json!({"agent": "billing_agent", "tool": "desk.lookup"}),
            "allow",
            Value::Null,
        ),
        (
            json!({"agent": "support_agent", "tool": "desk.refund"}),
            "deny",
            json!("not_granted"),
        ),
        (
            json!({"agent": "billing_agent", "tool": "desk.no"}),
            "deny",
            json!("tool_not_found"),
        ),
    ] {
        let answer = tried(body.clone()).await.value();
        assert_eq!(answer["decision"]["verdict"], verdict, "{body}");
        assert_eq!(
            answer["denial"].get("code").unwrap_or(&Value::Null),
            &code,
            "{body}"
        );
    }
    for (body, expected) in [
        (
            json!({"agent": "nobody", "tool": "desk.lookup"}),
            (404, "not_found"),
        ),
        (json!({"agent": "billing_agent"}), (400, "invalid_field")),
        (
            json!({"agent": "billing_agent", "tool": "desk.lookup", "toool": 1}),
            (400, "unknown_field"),
        ),
        (
            json!({"agent": "billing_agent", "tool": "desk.lookup", "key": format!("key_{}", "0".repeat(32))}),
            (404, "not_found"),
        ),
    ] {
        let (status, code) = tried(body.clone()).await.problem();
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
}

#[tokio::test]
async fn a_call_is_tried_with_the_scope_of_a_key_and_not_with_a_revoked_one() {
    let world = World::new().await;
    let admin = world.person("agent_admin");
    let key = json!({"agent": "billing_agent", "scope": {"tools": ["desk.refund"]}});
    let key = world.post("/v1/keys").token(admin).json(key).await.value();
    let trial = json!({"agent": "billing_agent", "tool": "desk.lookup", "key": key["id"]});
    let code = async || {
        let sending = world.post("/v1/evaluate").token(world.person("viewer"));
        sending.json(trial.clone()).await.value()["denial"]["code"].clone()
    };
    assert_eq!(code().await, "out_of_scope");
    let path = format!("/v1/keys/{}/revoke", key["id"].as_str().unwrap());
    world.post(&path).token(admin).await;
    assert_eq!(code().await, "credential_revoked");
}

/// Denies refunds, with a test that expects this of them.
fn tested(expected: &str) -> Value {
    let text = json!({
        "rules": [{"match": {"tools": ["desk.refund"]}, "effect": "deny"}],
        "tests": [{
            "name": "a refund",
            "call": {"tool": "desk.refund", "arguments": {"amount": 1}},
            "expect": expected,
        }],
    });
    json!({"text": text.to_string(), "message": "tested"})
}

#[tokio::test]
async fn red_tests_keep_a_version_out_of_force_and_an_owner_may_say_otherwise() {
    let world = World::new().await;
    write(&world, "closed", ("if-none-match", "*"), tested("allow")).await;
    let path = "/v1/policies/closed/activate";
    let red = world.post(path).token(world.person("activator")).await;
    assert_eq!(red.problem(), (422, "tests_failed".to_owned()));
    let found = &red.value()["diagnostics"][0];
    assert_eq!(
        (&found["code"], &found["file"]),
        (&json!("T010"), &json!("closed"))
    );
    assert_eq!(verdict(&world).await, "allow");
    let forced = json!({"force": "the desk is on fire"});
    let refused = world.post(path).token(world.person("activator"));
    let refused = refused.json(forced.clone()).await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
    let done = world
        .post(path)
        .token(world.person("owner"))
        .json(forced)
        .await;
    assert_eq!(done.value()["active"], true);
    assert_eq!(done.value()["activated"]["by"], "local@localhost");
    assert_eq!(verdict(&world).await, "deny");
}
