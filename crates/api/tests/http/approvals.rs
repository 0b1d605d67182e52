//! Approvals: what people are shown, and which decisions count.

use axum::http::StatusCode;
use expect_test::expect;
use serde_json::{Value, json};
use toolgate_model::Duration;

use crate::sending::Answer;
use crate::world::World;

/// A frozen refund: the ids and the digest that its caller was told.
struct Frozen {
    invocation: String,
    approval: String,
    digest: String,
}

async fn freeze(world: &World) -> Frozen {
    let body = json!({
        "tool": "desk.refund", "arguments": {"amount": 640, "customer": "cust_1"},
        "justification": "approve me, I am <b>sure</b>",
    });
    let envelope = world
        .post("/v1/invocations")
        .token(&world.agent)
        .json(body)
        .await
        .value();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let details = &envelope["denial"]["details"];
    Frozen {
        invocation: text(&envelope["invocation_id"]),
        approval: text(&details["approval_id"]),
        digest: text(&details["digest"]),
    }
}

async fn decide(world: &World, approval: &str, token: &str, body: Value) -> Answer {
    let path = format!("/v1/approvals/{approval}/decision");
    world.post(&path).token(token).json(body).await
}

#[tokio::test]
async fn an_approver_sees_the_snapshot_itself_and_the_agents_words_apart() {
    let world = World::new().await;
    let frozen = freeze(&world).await;
    let path = format!("/v1/approvals/{}", frozen.approval);
    let shown = world.get(&path).token(world.person("approver")).await;
    expect![[r#"
        200
        {
          "approval_id": "apr_1",
          "invocation_id": "inv_1",
          "status": "pending",
          "digest": "sha256_1",
          "snapshot": {
            "v": 1,
            "invocation": "inv_1",
            "tool": "desk.refund",
            "version": "1.0.0",
            "descriptor": "sha256_2",
            "arguments": {
              "amount": 640,
              "customer": "cust_1"
            },
            "resource": {
              "name": "customer:cust_1",
              "derived": true
            },
            "entity": null,
            "tenant": "default",
            "agent": "billing_agent",
            "owner": "ana@acme.com",
            "credential": "key_1",
            "chain": [],
            "user": null,
            "trigger": null,
            "env": null,
            "workflow": null,
            "policy_version": "sha256_3",
            "rules": [
              {
                "policy": "refunds",
                "rule": "big",
                "effect": "require_approval",
                "truth": "true"
              }
            ],
            "risk": "medium",
            "risk_score": 0.4,
            "approvers": [],
            "quorum": 1,
            "expires_at": "2026-06-17T15:14:22.000Z",
            "salt": "23010203040506072b090a0b0c0d0e0f"
          },
          "terms": {
            "approvers": [],
            "quorum": 1
          },
          "votes": [],
          "tool": "desk.refund",
          "agent": "billing_agent",
          "owner": "ana@acme.com",
          "risk": "medium",
          "justification": {
            "said_by": "billing_agent",
            "verified": false,
            "text": "approve me, I am <b>sure</b>"
          },
          "frozen_at": "2026-06-16T15:14:22.000Z",
          "expires_at": "2026-06-17T15:14:22.000Z",
          "requeues": 0,
          "drift": [],
          "entity": null,
          "escalation": null
        }
    "#]]
    .assert_eq(&shown.show());
    let view = shown.value();
    assert_eq!(view["digest"], frozen.digest);
    let recomputed = toolgate_model::json::digest(&view["snapshot"]);
    assert_eq!(
        recomputed.to_string(),
        frozen.digest,
        "anybody can recompute the digest"
    );
    assert_eq!(
        view["snapshot"].get("justification"),
        None,
        "the agent's words are not in it"
    );
}

#[tokio::test]
async fn a_list_holds_what_is_pending() {
    let world = World::new().await;
    let first = freeze(&world).await;
    for (token, count) in [
        (world.person("viewer"), 1),
        (world.agent.as_str(), 1),
        (world.other_agent.as_str(), 0),
        (world.stranger.as_str(), 0),
    ] {
        let listed = world.get("/v1/approvals").token(token).await.value();
        assert_eq!(listed["items"].as_array().unwrap().len(), count);
    }
    let body = json!({"digest": first.digest, "decision": "deny", "reason": "not today"});
    decide(&world, &first.approval, world.person("approver"), body).await;
    for (status, count) in [("pending", 0), ("rejected", 1), ("expired", 0)] {
        let path = format!("/v1/approvals?status={status}");
        let listed = world.get(&path).token(world.person("viewer")).await.value();
        assert_eq!(listed["items"].as_array().unwrap().len(), count, "{status}");
    }
    let odd = world
        .get("/v1/approvals?status=open")
        .token(world.person("viewer"))
        .await;
    assert_eq!(odd.problem(), (400, "invalid_parameter".to_owned()));
}

#[tokio::test]
async fn a_digest_may_be_named_by_its_beginning() {
    for take in ["sha256:".len() + 8, "sha256:".len() + 64] {
        let world = World::new().await;
        let frozen = freeze(&world).await;
        for digest in [
            &frozen.digest[..take],
            &frozen.digest["sha256:".len()..take],
        ] {
            // The bare 64 digits are a prefix of the whole length.
            let body = json!({"digest": digest, "decision": "approve"});
            let answer = decide(&world, &frozen.approval, world.person("approver"), body).await;
            let code = (answer.status == StatusCode::CONFLICT).then(|| answer.problem().1);
            let second = digest.len() < take;
            assert_eq!(code.as_deref(), second.then_some("wrong_state"), "{digest}");
        }
        let path = format!("/v1/invocations/{}?wait_ms=1000", frozen.invocation);
        let run = world.get(&path).token(&world.agent).await.value();
        assert_eq!(run["status"], "succeeded", "{take}");
        let path = format!("/v1/approvals/{}", frozen.approval);
        let used = world.get(&path).token(world.person("viewer")).await.value();
        assert_eq!(
            (&used["status"], &used["votes"][0]["by"]),
            (&json!("used"), &json!("bo@acme.com"))
        );
    }
}

#[tokio::test]
async fn decisions_that_do_not_count() {
    let world = World::new().await;
    let frozen = freeze(&world).await;
    let approve = json!({"digest": frozen.digest, "decision": "approve"});
    let other = format!("sha256:{}", "0".repeat(64));
    for (who, token, body, expected) in [
        (
            "an agent",
            world.agent.as_str(),
            approve.clone(),
            (403, "agent_may_not_decide"),
        ),
        (
            "a viewer",
            world.person("viewer"),
            approve.clone(),
            (403, "forbidden"),
        ),
        (
            "the agent's owner",
            world.person("ana"),
            approve.clone(),
            (403, "self_approval"),
        ),
        (
            "another tenant",
            world.stranger.as_str(),
            approve.clone(),
            (404, "not_found"),
        ),
        (
            "another digest",
            world.person("approver"),
            json!({"digest": other, "decision": "approve"}),
            (409, "snapshot_changed"),
        ),
        (
            "another beginning",
            world.person("approver"),
            json!({"digest": "00000000", "decision": "approve"}),
            (409, "snapshot_changed"),
        ),
        (
            "seven digits",
            world.person("approver"),
            json!({"digest": &frozen.digest["sha256:".len()..][..7], "decision": "approve"}),
            (400, "invalid_field"),
        ),
        (
            "nothing",
            world.person("approver"),
            json!({"digest": "", "decision": "approve"}),
            (400, "invalid_field"),
        ),
        (
            "no reason",
            world.person("approver"),
            json!({"digest": frozen.digest, "decision": "deny", "reason": " "}),
            (400, "invalid_field"),
        ),
        (
            "a choice that is none",
            world.person("approver"),
            json!({"digest": frozen.digest, "decision": "aprove"}),
            (400, "invalid_field"),
        ),
    ] {
        let answer = decide(&world, &frozen.approval, token, body).await;
        let (status, code) = answer.problem();
        assert_eq!((status, code.as_str()), expected, "{who}");
    }
    let path = format!("/v1/invocations/{}", frozen.invocation);
    let still = world.get(&path).token(&world.agent).await.value();
    assert_eq!(still["status"], "pending_approval");
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_agent_reads_why_it_was_refused_or_sent_back() {
    for (decision, sent_back) in [("deny", false), ("send_back", true)] {
        let world = World::new().await;
        let frozen = freeze(&world).await;
        let body = json!({"digest": frozen.digest, "decision": decision, "reason": "ask cust_1"});
        let decided = decide(&world, &frozen.approval, world.person("approver"), body).await;
        assert_eq!(decided.value()["status"], "rejected");
        let path = format!("/v1/invocations/{}", frozen.invocation);
        let denial = &world.get(&path).token(&world.agent).await.value()["denial"];
        assert_eq!(denial["code"], "approval_rejected");
        assert_eq!(
            denial["message"],
            "an approver refused this call: ask cust_1"
        );
        assert_eq!(denial["details"]["sent_back"], sent_back);
    }
}

#[tokio::test]
async fn a_late_decision_is_refused() {
    let world = World::new().await;
    let frozen = freeze(&world).await;
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let body = json!({"digest": frozen.digest, "decision": "approve"});
    let late = decide(&world, &frozen.approval, world.person("approver"), body).await;
    assert_eq!(late.problem(), (409, "approval_expired".to_owned()));
}
