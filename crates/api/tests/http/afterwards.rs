//! What is done with a call once it was proposed: waited for, listed, withdrawn, settled, proved.

use axum::http::StatusCode;
use expect_test::expect;
use serde_json::json;
use toolgate_model::Duration;
use toolgate_record::{Receipt, Verifier};

use crate::world::World;

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
async fn a_caller_may_wait_for_the_approval_at_once() {
    let world = World::new().await;
    let waiting = async {
        let body = json!({
            "tool": "desk.refund", "arguments": {"amount": 640}, "wait_ms": 60_000,
        });
        let sending = world.post("/v1/invocations").token(&world.agent);
        sending.json(body).await.value()
    };
    let deciding = async {
        let approver = world.person("approver");
        let pending = loop {
            let listed = world.get("/v1/approvals").token(approver).await.value();
            match listed["items"].as_array().unwrap().first() {
                Some(item) => break item.clone(),
                None => tokio::task::yield_now().await,
            }
        };
        let path = format!(
            "/v1/approvals/{}/decision",
            pending["approval_id"].as_str().unwrap()
        );
        let body = json!({"digest": pending["digest"], "decision": "approve"});
        world.post(&path).token(approver).json(body).await
    };
    let (waited, _) = tokio::join!(waiting, deciding);
    assert_eq!(
        (&waited["outcome"], &waited["data"]["echo"]["amount"]),
        (&json!("success"), &json!(640))
    );
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
    let whole = "/v1/invocations?status=succeeded&limit=5";
    let whole = world.get(whole).token(world.person("viewer")).await.value();
    assert_eq!(whole["next"], json!(null), "a full page may be the last");
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
