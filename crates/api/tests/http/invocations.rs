//! Calls: what each way they can end looks like, and what is refused before it is a call.

use axum::http::StatusCode;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::world::World;

async fn check(body: Value, expected: Expect) {
    let world = World::new().await;
    let answer = world
        .post("/v1/invocations")
        .token(&world.agent)
        .json(body)
        .await;
    expected.assert_eq(&answer.show());
}

#[tokio::test]
async fn an_allowed_call_runs_and_its_answer_is_in_the_envelope() {
    let body = json!({
        "tool": "desk.refund", "arguments": {"amount": 640.10e-1, "customer": "cust_1"},
        "correlation_id": "c-1", "env": "prod",
    });
    check(
        body,
        expect![[r#"
            200
            {
              "invocation_id": "inv_1",
              "capability_id": "desk.refund",
              "capability_version": "1.0.0",
              "correlation": {
                "correlation_id": "c-1"
              },
              "outcome": "success",
              "success": true,
              "data": {
                "echo": {
                  "amount": 64.01,
                  "customer": "cust_1"
                }
              },
              "error": null,
              "denial": null,
              "decision": {
                "verdict": "allow",
                "policy_version": "sha256_1",
                "rules": [],
                "matched": [],
                "obligations": [],
                "risk": "medium",
                "risk_score": 0.4,
                "sanitized": [],
                "evaluated_at": "2026-06-16T15:14:22.000Z"
              },
              "inspection": {
                "data_class": [],
                "signals": [],
                "external": true,
                "rules": [],
                "sanitized": [],
                "withheld": null
              },
              "status": "succeeded",
              "replayed": false,
              "duplicate_of": null,
              "reconciled": false,
              "attempts": 1,
              "evidence_ids": [
                "evt_1",
                "evt_2"
              ],
              "started_at": "2026-06-16T15:14:22.000Z",
              "completed_at": "2026-06-16T15:14:22.000Z"
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_call_that_needs_approval_is_pending() {
    let body = json!({
        "tool": "desk.refund", "arguments": {"amount": 640, "customer": "cust_1"},
        "justification": "customer asked twice",
    });
    check(
        body,
        expect![[r#"
            200
            {
              "invocation_id": "inv_1",
              "capability_id": "desk.refund",
              "capability_version": "1.0.0",
              "correlation": {
                "correlation_id": null
              },
              "outcome": "denied",
              "success": false,
              "data": null,
              "error": null,
              "denial": {
                "code": "approval_required",
                "message": "`refunds/big` requires approval: amount > 500",
                "retryable": true,
                "details": {
                  "policy": "refunds",
                  "rule": "big",
                  "approval_id": "apr_1",
                  "digest": "sha256_1",
                  "expires_at": "2026-06-17T15:14:22.000Z",
                  "url": "http://127.0.0.1:8787/approvals/apr_1"
                }
              },
              "decision": {
                "verdict": "require_approval",
                "policy_version": "sha256_2",
                "rules": [
                  "refunds/big"
                ],
                "matched": [
                  {
                    "policy": "refunds",
                    "rule": "big",
                    "effect": "require_approval",
                    "truth": "true"
                  }
                ],
                "obligations": [],
                "risk": "medium",
                "risk_score": 0.4,
                "sanitized": [],
                "evaluated_at": "2026-06-16T15:14:22.000Z"
              },
              "inspection": null,
              "status": "pending_approval",
              "replayed": false,
              "duplicate_of": null,
              "reconciled": false,
              "attempts": 0,
              "evidence_ids": [
                "evt_1"
              ],
              "started_at": null,
              "completed_at": null
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn denials_are_data() {
    let world = World::new().await;
    for (body, code) in [
        (json!({"tool": "desk.nothing"}), "tool_not_found"),
        (
            json!({"tool": "desk.lookup", "version": "2.0.0"}),
            "version_mismatch",
        ),
        (
            json!({"tool": "desk.lookup", "arguments": {"x": 1}}),
            "invalid_arguments",
        ),
        (
            json!({"tool": "desk.lookup", "timeout_ms": 0}),
            "invalid_timeout",
        ),
        (
            json!({"tool": "desk.lookup", "env": "e".repeat(2_000)}),
            "invalid_arguments",
        ),
        (json!({"tool": "vault.open"}), "not_granted"),
        (
            json!({"tool": "desk.refund", "arguments": {"amount": 10_001}}),
            "policy_denied",
        ),
    ] {
        let answer = world
            .post("/v1/invocations")
            .token(&world.agent)
            .json(body.clone())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{body}");
        let envelope = answer.value();
        assert_eq!(envelope["outcome"], "denied", "{body}");
        assert_eq!(envelope["denial"]["code"], code, "{body}");
        assert_eq!(
            envelope["evidence_ids"].as_array().unwrap().len(),
            1,
            "{body}"
        );
    }
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn failures_and_doubts_have_their_own_outcomes() {
    let world = World::new().await;
    for (tool, outcome, code, status) in [
        ("desk.fail", "failure", "tool_error", "failed"),
        ("desk.away", "failure", "upstream_unavailable", "failed"),
        (
            "desk.lose",
            "indeterminate",
            "unknown_effect",
            "needs_operator",
        ),
    ] {
        let envelope = world.call(tool, json!({})).await;
        assert_eq!(envelope["outcome"], outcome, "{tool}");
        assert_eq!(envelope["success"], false, "{tool}");
        assert_eq!(envelope["error"]["code"], code, "{tool}");
        assert_eq!(envelope["status"], status, "{tool}");
        assert_eq!(envelope["denial"], Value::Null, "{tool}");
        assert_eq!(envelope["attempts"], 1, "{tool}");
        assert_ne!(envelope["started_at"], Value::Null, "{tool}");
    }
    let failed = world.call("desk.fail", json!({})).await;
    assert_eq!(
        failed["data"]["message"], "no such customer",
        "the tool's own words stay"
    );
}

#[tokio::test]
async fn a_verdict_only_runs_nothing() {
    let world = World::new().await;
    let records = async || {
        let sending = world.get("/v1/records?newest=true&limit=200");
        let page = sending.token(world.person("viewer")).await.value();
        page["items"].as_array().unwrap().len()
    };
    let before = records().await;
    for (mode, added) in [("simulate", 0), ("decide", 1)] {
        let body = json!({"tool": "desk.refund", "arguments": {"amount": 640}, "mode": mode});
        let answer = world
            .post("/v1/invocations")
            .token(&world.agent)
            .json(body)
            .await
            .value();
        assert_eq!(answer["decision"]["verdict"], "require_approval", "{mode}");
        assert_eq!(answer["denial"]["code"], "approval_required", "{mode}");
        assert_eq!(
            answer["evidence_ids"].as_array().unwrap().len(),
            added,
            "{mode}"
        );
        let path = format!(
            "/v1/invocations/{}",
            answer["invocation_id"].as_str().unwrap()
        );
        let looked = world.get(&path).token(&world.agent).await;
        assert_eq!(
            looked.problem(),
            (404, "not_found".to_owned()),
            "{mode} keeps no invocation"
        );
    }
    assert_eq!(records().await, before + 1, "only `decide` is recorded");
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_same_key_is_answered_from_the_first_call() {
    let world = World::new().await;
    let call = async |amount: u32| {
        let body = json!({"tool": "desk.refund", "arguments": {"amount": amount}});
        let sending = world.post("/v1/invocations").token(&world.agent);
        sending.header("idempotency-key", "k-1").json(body).await
    };
    let first = call(100).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = call(100).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let (first, again) = (first.value(), again.value());
    assert_eq!(again["replayed"], true);
    for field in [
        "invocation_id",
        "data",
        "outcome",
        "evidence_ids",
        "completed_at",
    ] {
        assert_eq!(first[field], again[field], "{field}");
    }
    let other = call(101).await.value();
    assert_eq!(other["denial"]["code"], "idempotency_conflict");
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_identical_call_joins_the_one_that_waits() {
    let world = World::new().await;
    let first = world.call("desk.refund", json!({"amount": 640})).await;
    let second = world.call("desk.refund", json!({"amount": 640})).await;
    assert_eq!(second["duplicate_of"], first["invocation_id"]);
    assert_eq!(second["denial"], first["denial"]);
    assert_eq!(second["evidence_ids"], first["evidence_ids"]);
}

#[tokio::test]
async fn who_is_not_trusted_does_not_say_for_whom_it_calls() {
    let world = World::new().await;
    let body = json!({"tool": "desk.lookup", "on_behalf_of": {"id": "ana@acme.com"}});
    let answer = world
        .post("/v1/invocations")
        .token(&world.agent)
        .json(body)
        .await;
    assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
    assert_eq!(answer.value()["errors"][0]["pointer"], "/on_behalf_of");
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_field_of_the_contract_is_taken() {
    let body = json!({
        "tool": "desk.lookup", "version": null, "arguments": {"customer": "cust_1"},
        "env": "prod", "workflow": "refund_review", "resource": null,
        "session_id": "s-1", "correlation_id": "c-1", "trigger": null, "on_behalf_of": null,
        "user_request": null, "justification": "customer asked twice", "timeout_ms": 20000,
        "wait_ms": 0, "mode": "execute", "allow_duplicate": false,
    });
    let world = World::new().await;
    let answer = world
        .post("/v1/invocations")
        .token(&world.agent)
        .json(body)
        .await;
    assert_eq!(answer.value()["outcome"], "success", "{}", answer.show());
}

#[tokio::test]
async fn a_person_invokes_nothing() {
    let world = World::new().await;
    let body = json!({"tool": "desk.lookup"});
    let answer = world
        .post("/v1/invocations")
        .token(world.person("owner"))
        .json(body)
        .await;
    expect![[r#"
        403
        {
          "type": "http://127.0.0.1:8787/problems/person_may_not_invoke",
          "title": "A person's token invokes no tool",
          "status": 403,
          "detail": "`local@localhost` is a person, and tools are called by agents",
          "code": "person_may_not_invoke",
          "errors": [],
          "request_id": "req_test"
        }
    "#]]
    .assert_eq(&answer.show());
}
