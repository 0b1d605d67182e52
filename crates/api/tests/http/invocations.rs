//! Calls: what each way they can end looks like, and who may see them.

use axum::http::StatusCode;
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use toolgate_model::Duration;
use toolgate_record::{Receipt, Verifier};

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
          "status": "succeeded",
          "replayed": false,
          "duplicate_of": null,
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
          "status": "pending_approval",
          "replayed": false,
          "duplicate_of": null,
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
async fn what_is_not_available_yet_is_refused_by_name() {
    let world = World::new().await;
    for (field, value) in [
        ("mode", json!("host")),
        ("http", json!({"method": "GET"})),
        ("user_request", json!("please refund me")),
        ("on_behalf_of", json!({"id": "ana@acme.com"})),
    ] {
        let mut body = json!({"tool": "desk.lookup"});
        body[field] = value;
        let answer = world
            .post("/v1/invocations")
            .token(&world.agent)
            .json(body)
            .await;
        assert_eq!(
            answer.problem(),
            (422, "not_available".to_owned()),
            "{field}"
        );
        assert_eq!(answer.value()["errors"][0]["pointer"], format!("/{field}"));
    }
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

#[tokio::test]
async fn whoever_waits_is_answered_when_it_has_ended() {
    let world = World::new().await;
    let pending = world.call("desk.refund", json!({"amount": 640})).await;
    let id = pending["invocation_id"].as_str().unwrap();
    let path = format!("/v1/invocations/{id}?wait_ms=60000");
    let waiting = async { world.get(&path).token(&world.agent).await };
    let deciding = async {
        let details = &pending["denial"]["details"];
        let path = format!(
            "/v1/approvals/{}/decision",
            details["approval_id"].as_str().unwrap()
        );
        let body = json!({"digest": details["digest"], "decision": "approve"});
        world
            .post(&path)
            .token(world.person("approver"))
            .json(body)
            .await
    };
    let (waited, decided) = tokio::join!(waiting, deciding);
    assert_eq!(decided.status, StatusCode::OK, "{}", decided.show());
    let waited = waited.value();
    assert_eq!(waited["status"], "succeeded");
    assert_eq!(waited["data"]["echo"]["amount"], 640);
    assert_eq!(waited["call"]["agent"], "billing_agent");
    assert_eq!(
        waited["evidence_ids"].as_array().unwrap().len(),
        4,
        "frozen, vote, run, end"
    );
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let world = World::new().await;
    let pending = world.call("desk.refund", json!({"amount": 640})).await;
    let id = pending["invocation_id"].as_str().unwrap();
    let path = format!("/v1/invocations/{id}?wait_ms=1000");
    let waiting = async { world.get(&path).token(&world.agent).await };
    let passing = async {
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(1));
    };
    let (waited, ()) = tokio::join!(waiting, passing);
    assert_eq!(waited.value()["status"], "pending_approval");
    let too_long = world
        .get(&format!("/v1/invocations/{id}?wait_ms=120001"))
        .token(&world.agent);
    assert_eq!(
        too_long.await.problem(),
        (400, "invalid_parameter".to_owned())
    );
}

#[tokio::test]
async fn a_caller_who_goes_away_cancels_nothing() {
    let world = World::new().await;
    let body = json!({"tool": "desk.hold"}).to_string();
    let sending = world.post("/v1/invocations").token(&world.agent).body(body);
    tokio::select! {
        _ = sending.open() => panic!("the tool has not answered"),
        () = world.desk.holding.notified() => {}
    }
    // The request is dropped here, after the tool has begun.
    world.desk.release.notify_one();
    let listed = world
        .get("/v1/invocations")
        .token(&world.agent)
        .await
        .value();
    let id = listed["items"][0]["invocation_id"].as_str().unwrap();
    let path = format!("/v1/invocations/{id}?wait_ms=1000");
    let waited = world.get(&path).token(&world.agent).await.value();
    assert_eq!(waited["status"], "succeeded");
    assert_eq!(waited["data"]["held"], true);
}

#[tokio::test]
async fn a_list_is_newest_first_and_paged() {
    let world = World::new().await;
    for amount in 1..=5 {
        world.clock.advance(Duration::from_secs(1));
        world.call("desk.refund", json!({"amount": amount})).await;
    }
    world.call("vault.open", json!({})).await;
    let mut seen = Vec::new();
    let mut path = "/v1/invocations?status=succeeded&limit=2".to_owned();
    loop {
        let page = world.get(&path).token(world.person("viewer")).await.value();
        for item in page["items"].as_array().unwrap() {
            seen.push(item["created_at"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/invocations?status=succeeded&limit=2&before={next}");
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.reverse();
    assert_eq!((seen.len(), &seen), (5, &sorted));
}

#[tokio::test]
async fn a_list_is_filtered() {
    let world = World::new().await;
    world.call("desk.lookup", json!({})).await;
    world.call("vault.open", json!({})).await;
    let body = json!({"tool": "desk.lookup", "correlation_id": "c-9"});
    world
        .post("/v1/invocations")
        .token(&world.other_agent)
        .json(body)
        .await;
    for (query, token, count) in [
        ("", world.person("viewer"), 3),
        ("?status=denied", world.person("viewer"), 1),
        ("?status=denied,succeeded", world.person("viewer"), 3),
        ("?tool=desk.lookup", world.person("viewer"), 2),
        ("?agent=support_agent", world.person("viewer"), 1),
        ("?correlation_id=c-9", world.person("viewer"), 1),
        ("", world.agent.as_str(), 2),
        ("?agent=support_agent", world.agent.as_str(), 0),
        ("", world.stranger.as_str(), 0),
    ] {
        let answer = world
            .get(&format!("/v1/invocations{query}"))
            .token(token)
            .await
            .value();
        assert_eq!(answer["items"].as_array().unwrap().len(), count, "{query}");
    }
    for query in [
        "?status=done",
        "?limit=0",
        "?limit=201",
        "?before=inv_1",
        "?limit=x",
    ] {
        let path = format!("/v1/invocations{query}");
        let answer = world.get(&path).token(world.person("viewer")).await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_parameter".to_owned()),
            "{query}"
        );
    }
    let answer = world
        .get("/v1/invocations?stats=denied")
        .token(world.person("viewer"))
        .await;
    expect![[r#"
        400
        {
          "type": "http://127.0.0.1:8787/problems/unknown_parameter",
          "title": "The query has a parameter that is not known",
          "status": 400,
          "detail": "there is no parameter `stats`: did you mean `status`",
          "code": "unknown_parameter",
          "errors": [],
          "request_id": "req_test"
        }
    "#]]
    .assert_eq(&answer.show());
}

#[tokio::test]
async fn what_is_somebody_elses_does_not_exist() {
    let world = World::new().await;
    let envelope = world.call("desk.lookup", json!({})).await;
    let id = envelope["invocation_id"].as_str().unwrap();
    for token in [&world.other_agent, &world.stranger] {
        for path in [
            format!("/v1/invocations/{id}"),
            format!("/v1/invocations/{id}/receipt"),
        ] {
            let answer = world.get(&path).token(token).await;
            assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{path}");
        }
        let answer = world
            .post(&format!("/v1/invocations/{id}/cancel"))
            .token(token)
            .await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()));
    }
    let odd = world.get("/v1/invocations/inv_1").token(&world.agent).await;
    assert_eq!(odd.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_waiting_call_is_withdrawn_once() {
    let world = World::new().await;
    let pending = world.call("desk.refund", json!({"amount": 640})).await;
    let path = format!(
        "/v1/invocations/{}/cancel",
        pending["invocation_id"].as_str().unwrap()
    );
    let viewer = world.post(&path).token(world.person("viewer")).await;
    assert_eq!(viewer.problem(), (403, "forbidden".to_owned()));
    let cancelled = world.post(&path).token(&world.agent).await.value();
    assert_eq!(
        (&cancelled["status"], &cancelled["denial"]["code"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    let again = world.post(&path).token(&world.agent).await;
    assert_eq!(again.problem(), (409, "wrong_state".to_owned()));
}

#[tokio::test]
async fn a_person_settles_a_doubt_and_says_how_they_know() {
    for (finding, status) in [("landed", "succeeded"), ("not_landed", "failed")] {
        let world = World::new().await;
        let doubt = world.call("desk.lose", json!({})).await;
        let path = format!(
            "/v1/invocations/{}/resolve",
            doubt["invocation_id"].as_str().unwrap()
        );
        let body = json!({"finding": finding, "reason": "looked at the ledger"});
        let agent = world
            .post(&path)
            .token(&world.agent)
            .json(body.clone())
            .await;
        assert_eq!(agent.problem(), (403, "forbidden".to_owned()));
        let viewer = world
            .post(&path)
            .token(world.person("viewer"))
            .json(body.clone())
            .await;
        assert_eq!(viewer.problem(), (403, "forbidden".to_owned()));
        let silent = json!({"finding": finding, "reason": " "});
        let silent = world
            .post(&path)
            .token(world.person("approver"))
            .json(silent)
            .await;
        assert_eq!(silent.problem(), (422, "invalid_request".to_owned()));
        let told = world
            .post(&path)
            .token(world.person("approver"))
            .json(body.clone())
            .await;
        assert_eq!(told.value()["status"], status);
        let again = world
            .post(&path)
            .token(world.person("approver"))
            .json(body)
            .await;
        assert_eq!(again.problem(), (409, "wrong_state".to_owned()));
    }
}

#[tokio::test]
async fn a_receipt_verifies_with_nothing_but_the_key() {
    let world = World::new().await;
    let first = world.call("desk.refund", json!({"amount": 1})).await;
    let path = format!(
        "/v1/invocations/{}/receipt",
        first["invocation_id"].as_str().unwrap()
    );
    let known = world.get("/.well-known/toolgate").await.value();
    let verifier = Verifier::parse(known["verifier_key"].as_str().unwrap()).unwrap();
    // The second receipt is made from leaves that the first one left in memory.
    for round in 0..2 {
        let text = world.get(&path).token(&world.agent).await.body;
        let proven = Receipt::parse(&text).unwrap().verify(&verifier).unwrap();
        assert_eq!(
            proven.invocation.as_str(),
            first["invocation_id"],
            "{round}"
        );
        let ids: Vec<_> = proven
            .entries
            .iter()
            .map(|(_, entry)| json!(entry.id))
            .collect();
        assert_eq!(json!(ids), first["evidence_ids"], "{round}");
        world.call("desk.refund", json!({"amount": 2})).await;
    }
}
