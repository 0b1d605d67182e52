//! Separation of duties from outside: who may never decide, and which decisions never count.
//!
//! Each refusal has its own code, and after each the call still waits and nothing has run.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use toolgate_execution::{Invocation, Proposal};
use toolgate_gate::port::{Commit, InvocationWrite};
use toolgate_model::{Duration, User};

use crate::sending::Answer;
use crate::world::{World, id};

/// A refund that waits.
struct Waiting {
    invocation: String,
    approval: String,
    digest: String,
}

async fn refund(world: &World) -> Waiting {
    let envelope = world.call("desk.refund", json!({"amount": 640})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let details = &envelope["denial"]["details"];
    Waiting {
        invocation: text(&envelope["invocation_id"]),
        approval: text(&details["approval_id"]),
        digest: text(&details["digest"]),
    }
}

/// A world in which these decide on refunds.
async fn deciders(approvers: Value, quorum: u32) -> World {
    let world = World::new().await;
    require(&world, approvers, quorum).await;
    world
}

async fn require(world: &World, approvers: Value, quorum: u32) {
    let text = json!({"name": "refunds", "rules": [{
        "rule_id": "big", "match": {"tools": ["desk.refund"]}, "when": "amount > 500",
        "effect": "require_approval", "approvers": approvers, "quorum": quorum,
    }]});
    let body = json!({"text": text.to_string(), "activate": true});
    let answer = world
        .put("/v1/policies/refunds")
        .token(world.person("owner"))
        .header("if-match", "*")
        .json(body)
        .await;
    assert!(answer.status.is_success(), "{}", answer.show());
}

async fn approve(world: &World, waiting: &Waiting, token: &str) -> Answer {
    let body = json!({"digest": waiting.digest, "decision": "approve"});
    let path = format!("/v1/approvals/{}/decision", waiting.approval);
    world.post(&path).token(token).json(body).await
}

async fn patch(world: &World, user: &str, body: Value) {
    let answer = world
        .request(Method::PATCH, &format!("/v1/users/{user}"))
        .token(world.person("owner"))
        .header("if-match", "*")
        .json(body)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.show());
}

async fn expect_refusal(world: &World, waiting: &Waiting, token: &str, expected: (u16, &str)) {
    let (status, code) = approve(world, waiting, token).await.problem();
    assert_eq!((status, code.as_str()), expected);
    assert_eq!(status_of(world, waiting).await, "pending_approval");
    assert!(world.desk.reached.lock().unwrap().is_empty(), "it ran");
}

async fn status_of(world: &World, waiting: &Waiting) -> String {
    let path = format!("/v1/invocations/{}", waiting.invocation);
    // A person looks: an agent sees what it did for nobody, and who is acted for changes here.
    let seen = world.get(&path).token(world.person("owner")).await.value();
    seen["status"].as_str().unwrap().to_owned()
}

/// Writes other people into what waits, as a delegation would.
async fn rewrite(world: &World, waiting: &Waiting, change: impl FnOnce(&mut Proposal)) {
    let store = world.api.driver.store();
    let id = waiting.invocation.parse().unwrap();
    let before = store.invocation(&id).await.unwrap().unwrap();
    let mut proposal = before.proposal.as_ref().clone();
    change(&mut proposal);
    let next = Invocation {
        proposal: Arc::new(proposal),
        revision: before.revision + 1,
        ..before.clone()
    };
    let commit = Commit {
        invocation: Some(InvocationWrite {
            expected: Some(before.revision),
            next,
        }),
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
}

#[tokio::test]
async fn the_owner_of_the_credentials_agent_decides_nothing_for_it() {
    let world = World::new().await;
    let waiting = refund(&world).await;
    expect_refusal(
        &world,
        &waiting,
        world.person("ana"),
        (403, "self_approval"),
    )
    .await;
}

#[tokio::test]
async fn the_user_who_is_acted_for_decides_nothing() {
    let world = World::new().await;
    let waiting = refund(&world).await;
    rewrite(&world, &waiting, |proposal| {
        proposal.user = Some(User {
            id: id("bo@acme.com"),
            groups: Vec::new(),
        });
    })
    .await;
    let bo = world.person("approver");
    expect_refusal(&world, &waiting, bo, (403, "self_approval")).await;
}

#[tokio::test]
async fn no_link_of_the_chain_decides() {
    for place in 0..3 {
        let world = World::new().await;
        let waiting = refund(&world).await;
        rewrite(&world, &waiting, |proposal| {
            proposal.chain = vec![id("one"), id("two"), id("three")];
            proposal.chain[place] = id("bo@acme.com");
        })
        .await;
        let bo = world.person("approver");
        expect_refusal(&world, &waiting, bo, (403, "self_approval")).await;
    }
}

#[tokio::test]
async fn an_agents_key_decides_nothing_be_it_another_agents() {
    let world = World::new().await;
    let waiting = refund(&world).await;
    for token in [&world.agent, &world.other_agent] {
        expect_refusal(&world, &waiting, token, (403, "agent_may_not_decide")).await;
    }
}

#[tokio::test]
async fn who_is_not_named_is_not_eligible_and_a_group_names_whoever_is_in_it_now() {
    let world = deciders(json!(["finance"]), 1).await;
    let waiting = refund(&world).await;
    let bo = world.person("approver");
    expect_refusal(&world, &waiting, bo, (403, "not_eligible")).await;
    patch(&world, "bo@acme.com", json!({"groups": ["legal"]})).await;
    expect_refusal(&world, &waiting, bo, (403, "not_eligible")).await;
    patch(&world, "bo@acme.com", json!({"groups": ["finance"]})).await;
    patch(&world, "bo@acme.com", json!({"groups": []})).await;
    expect_refusal(&world, &waiting, bo, (403, "not_eligible")).await;
    patch(
        &world,
        "bo@acme.com",
        json!({"groups": ["finance", "legal"]}),
    )
    .await;
    let decided = approve(&world, &waiting, bo).await;
    assert_eq!(decided.status, StatusCode::OK, "{}", decided.show());
}

#[tokio::test]
async fn a_person_or_a_role_may_be_named_as_well() {
    for (approvers, token) in [
        (json!(["bo@acme.com"]), "approver"),
        (json!(["approver"]), "approver"),
        (json!(["nobody", "owner"]), "owner"),
    ] {
        let world = deciders(approvers.clone(), 1).await;
        let waiting = refund(&world).await;
        let others = if token == "owner" {
            "approver"
        } else {
            "owner"
        };
        let refused = world.person(others);
        expect_refusal(&world, &waiting, refused, (403, "not_eligible")).await;
        let decided = approve(&world, &waiting, world.person(token)).await;
        assert_eq!(decided.status, StatusCode::OK, "{approvers}");
    }
}

#[tokio::test]
async fn one_person_with_two_tokens_is_one_approver() {
    let world = deciders(json!(["approver", "owner"]), 2).await;
    let waiting = refund(&world).await;
    let bo = world.person("approver");
    let key = format!("key_{}", bo.split('_').nth(1).unwrap());
    let path = format!("/v1/keys/{key}/rotate");
    let rotated = world
        .post(&path)
        .token(world.person("owner"))
        .json(json!({"overlap": "1h"}))
        .await;
    let second = rotated.value()["token"].as_str().unwrap().to_owned();
    assert_ne!(second, bo);
    let first = approve(&world, &waiting, bo).await;
    assert_eq!(first.value()["status"], "pending_approval");
    expect_refusal(&world, &waiting, &second, (409, "already_voted")).await;
    expect_refusal(&world, &waiting, bo, (409, "already_voted")).await;
    let other = approve(&world, &waiting, world.person("owner")).await;
    assert_eq!(other.status, StatusCode::OK);
    let path = format!("/v1/invocations/{}?wait_ms=1000", waiting.invocation);
    let run = world.get(&path).token(&world.agent).await.value();
    assert_eq!(run["status"], "succeeded");
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_decision_on_the_digest_before_a_requeue_is_refused() {
    let world = World::new().await;
    let waiting = refund(&world).await;
    // What was approved by bo now needs somebody else, so it is asked anew.
    require(&world, json!(["owner"]), 1).await;
    let first = approve(&world, &waiting, world.person("approver")).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.show());
    let requeued = requeued(&world, &waiting).await;
    assert_ne!(requeued.digest, waiting.digest);
    let path = format!("/v1/approvals/{}", requeued.approval);
    let shown = world.get(&path).token(world.person("viewer")).await.value();
    assert_eq!(shown["requeues"], 1);
    assert_eq!(
        shown["drift"],
        json!([{
            "field": "approvers",
            "before": {"approvers": [], "quorum": 1},
            "after": {"approvers": ["owner"], "quorum": 1},
        }])
    );
    let path = format!("/v1/approvals/{}", waiting.approval);
    let old = world.get(&path).token(world.person("viewer")).await.value();
    assert_eq!(old["status"], "voided");
    let owner = world.person("owner");
    expect_refusal(&world, &waiting, owner, (409, "snapshot_changed")).await;
    let stale = Waiting {
        digest: waiting.digest,
        ..requeued
    };
    expect_refusal(&world, &stale, owner, (409, "snapshot_changed")).await;
}

/// The request that took the place of one that drifted.
async fn requeued(world: &World, waiting: &Waiting) -> Waiting {
    let path = format!("/v1/invocations/{}", waiting.invocation);
    for _ in 0..100 {
        let seen = world.get(&path).token(&world.agent).await.value();
        let details = &seen["denial"]["details"];
        let approval = details["approval_id"].as_str().unwrap_or_default();
        if seen["status"] == "pending_approval" && approval != waiting.approval {
            return Waiting {
                invocation: waiting.invocation.clone(),
                approval: approval.to_owned(),
                digest: details["digest"].as_str().unwrap().to_owned(),
            };
        }
        tokio::task::yield_now().await;
    }
    panic!("{} was not frozen again", waiting.invocation);
}

#[tokio::test]
async fn a_second_decision_comes_too_late_to_count() {
    let world = World::new().await;
    let waiting = refund(&world).await;
    let first = approve(&world, &waiting, world.person("approver")).await;
    assert_eq!(first.status, StatusCode::OK);
    let again = approve(&world, &waiting, world.person("owner")).await;
    assert_eq!(again.problem(), (409, "wrong_state".to_owned()));
}

#[tokio::test]
async fn a_decision_after_the_expiry_is_refused() {
    let world = World::new().await;
    let waiting = refund(&world).await;
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let bo = world.person("approver");
    expect_refusal(&world, &waiting, bo, (409, "approval_expired")).await;
}
