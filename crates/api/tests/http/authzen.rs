//! The decision point: whose question it is, what it is told, and when a denial can be lifted.
//!
//! What the certification checks is checked from outside (`tests/e2e/authzen.py`); here is what needs
//! a clock, another tenant, a scope, or a store that fails.

use axum::http::StatusCode;
use expect_test::expect;
use serde_json::{Value, json};
use toolgate_model::Duration;
use toolgate_store::faulty::Fault;

use crate::sending::Answer;
use crate::world::World;

const EVALUATION: &str = "/access/v1/evaluation";
const REQUESTS: &str = "/access/v1/requests";

/// A refund by this subject.
fn refund(subject: Value, amount: u32) -> Value {
    json!({
        "subject": subject,
        "action": {"name": "desk.refund", "properties": {"amount": amount}},
        "resource": {"type": "customer", "id": "cust_1"},
    })
}

fn billing() -> Value {
    json!({"type": "agent", "id": "billing_agent"})
}

/// A world with a host whose word is taken, and its token.
async fn with_host() -> (World, String) {
    let world = World::new().await;
    let token = host(&world, "pep", "ana@acme.com").await;
    (world, token)
}

async fn host(world: &World, name: &str, owner: &str) -> String {
    let body = json!({
        "id": name, "owner": owner, "trusted_host": true,
        "profile": {"mode": "scoped", "grants": [{"tools": ["desk.*"]}]},
    });
    let made = world.post("/v1/agents").token(world.person("owner"));
    assert_eq!(made.json(body).await.status, StatusCode::CREATED);
    world.key(name).await
}

async fn ask(world: &World, token: &str, body: Value) -> Value {
    let answer = world.post(EVALUATION).token(token).json(body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.show());
    answer.value()
}

/// A requestable denial, asked about with an access request.
async fn request(world: &World, token: &str, body: &Value, denied: &Value) -> Answer {
    let hint = &denied["context"]["access_request"];
    let mut body = body.clone();
    body["denial"] = json!({
        "evaluation_id": denied["context"]["evaluation_id"],
        "expires_at": hint["expires_at"],
        "binding_token": hint["binding_token"],
    });
    world.post(REQUESTS).token(token).json(body).await
}

async fn approve(world: &World, task: &Value) {
    let review = task["task"]["links"]["review"].as_str().unwrap();
    let path = format!("/v1/approvals/{}", review.rsplit('/').next().unwrap());
    let bo = world.person("approver");
    let digest = world.get(&path).token(bo).await.value()["digest"].clone();
    let body = json!({"digest": digest, "decision": "approve"});
    let decision = format!("{path}/decision");
    let answer = world.post(&decision).token(bo).json(body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.show());
}

async fn look(world: &World, token: &str, task: &Value) -> Value {
    let id = task["task"]["id"].as_str().unwrap();
    let path = format!("{REQUESTS}/{id}");
    world.get(&path).token(token).await.value()
}

#[tokio::test]
async fn a_decision_says_why() {
    let world = World::new().await;
    let body = refund(billing(), 10_001);
    let answer = world.post(EVALUATION).token(&world.agent).json(body).await;
    expect![[r#"
        200
        {
          "decision": false,
          "context": {
            "evaluation_id": "inv_1",
            "evaluated_at": "2026-06-16T15:14:22.000Z",
            "verdict": "deny",
            "reason": "policy_denied",
            "message": "Refunds above 10000 are closed.",
            "rule": "refunds/closed",
            "details": {
              "policy": "refunds",
              "rule": "closed"
            }
          }
        }
    "#]]
    .assert_eq(&answer.show());
    let yes = world.post(EVALUATION).token(&world.agent);
    expect![[r#"
        200
        {
          "decision": true,
          "context": {
            "evaluation_id": "inv_2",
            "evaluated_at": "2026-06-16T15:14:22.000Z",
            "verdict": "allow"
          }
        }
    "#]]
    .assert_eq(&yes.json(refund(billing(), 10)).await.show());
    // Nothing of this reached a tool.
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn arguments_are_made_of_what_the_tool_knows_and_say_one_thing() {
    let world = World::new().await;
    let mut body = refund(billing(), 10);
    body["resource"]["properties"] = json!({"amount": 10, "tier": "gold"});
    assert_eq!(
        ask(&world, &world.agent, body.clone()).await["decision"],
        true
    );
    body["resource"]["properties"] = json!({"amount": 11});
    let two = world
        .post(EVALUATION)
        .token(&world.agent)
        .json(body.clone())
        .await;
    assert_eq!(two.problem(), (400, "invalid_field".to_owned()));
    // Written out they are the call's own, and what stands beside them counts for nothing.
    body["context"] = json!({"arguments": {"amount": 1, "customer": "cust_1"}});
    assert_eq!(
        ask(&world, &world.agent, body.clone()).await["decision"],
        true
    );
    body["context"] = json!({"arguments": {"amount": 1, "customer": "cust_2"}});
    let no = ask(&world, &world.agent, body.clone()).await;
    assert_eq!(no["context"]["reason"], "entity_mismatch", "{no}");
    body["context"] = json!({"arguments": {"amount": 1, "tier": "gold"}});
    let no = ask(&world, &world.agent, body).await;
    assert_eq!(no["context"]["reason"], "invalid_arguments", "{no}");
}

#[tokio::test]
async fn the_metadata_are_those_of_the_public_address() {
    let world = World::new().await;
    let answer = world.get("/.well-known/authzen-configuration").await;
    expect![[r#"
        200
        {
          "policy_decision_point": "http://127.0.0.1:8787",
          "access_evaluation_endpoint": "http://127.0.0.1:8787/access/v1/evaluation",
          "access_evaluations_endpoint": "http://127.0.0.1:8787/access/v1/evaluations",
          "search_subject_endpoint": "http://127.0.0.1:8787/access/v1/search/subject",
          "search_resource_endpoint": "http://127.0.0.1:8787/access/v1/search/resource",
          "search_action_endpoint": "http://127.0.0.1:8787/access/v1/search/action",
          "access_request_endpoint": "http://127.0.0.1:8787/access/v1/requests",
          "capabilities": [
            "urn:openid:authzen:capability:access-request"
          ],
          "supported_obligations": [
            "custom"
          ]
        }
    "#]]
    .assert_eq(&answer.show());
    let of_tenant = world
        .get("/.well-known/authzen-configuration/acme")
        .await
        .value();
    assert_eq!(
        of_tenant["policy_decision_point"],
        "http://127.0.0.1:8787/acme"
    );
    let wrong = world.get("/.well-known/authzen-configuration/a%20b").await;
    assert_eq!(wrong.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn nobody_asks_about_another_tenant_or_beyond_their_scope() {
    let (world, pep) = with_host().await;
    let yes = ask(&world, &pep, refund(billing(), 1)).await;
    assert_eq!(yes["decision"], true, "{yes}");
    let body = json!({"id": "theirs", "profile": {"mode": "admin"}});
    let made = world
        .post("/v1/agents")
        .token(&world.stranger)
        .json(body)
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.show());
    let theirs = json!({"type": "agent", "id": "theirs"});
    let no = ask(&world, &pep, refund(theirs, 1)).await;
    assert_eq!(no["context"]["reason"], "subject_unknown", "{no}");
    let viewer = world.stranger.clone();
    let no = ask(&world, &viewer, refund(billing(), 1)).await;
    assert_eq!(no["context"]["reason"], "subject_unknown", "{no}");

    let body = json!({"agent": "pep", "scope": {"agents": ["pep", "support_agent"]}});
    let made = world
        .post("/v1/keys")
        .token(world.person("owner"))
        .json(body)
        .await;
    let scoped = made.value()["token"].as_str().unwrap().to_owned();
    let refused = world
        .post(EVALUATION)
        .token(&scoped)
        .json(refund(billing(), 1))
        .await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
    let support = json!({"type": "agent", "id": "support_agent"});
    let no = ask(&world, &scoped, refund(support, 1)).await;
    assert_eq!(no["context"]["reason"], "not_granted", "{no}");
}

#[tokio::test]
async fn a_suspended_agent_may_nothing_whoever_asks() {
    let (world, pep) = with_host().await;
    let path = "/v1/agents/billing_agent/suspend";
    world.post(path).token(world.person("owner")).await;
    for token in [pep.as_str(), world.person("viewer")] {
        let no = ask(&world, token, refund(billing(), 1)).await;
        assert_eq!(no["decision"], false, "{no}");
        assert_eq!(no["context"]["reason"], "credential_revoked", "{no}");
    }
}

#[tokio::test]
async fn a_person_needs_an_agent_to_ask_about_and_the_right_to_look() {
    let world = World::new().await;
    let ana = json!({"type": "user", "id": "ana@acme.com"});
    let viewer = world.person("viewer");
    let refused = world
        .post(EVALUATION)
        .token(viewer)
        .json(refund(ana.clone(), 1))
        .await;
    assert_eq!(refused.problem(), (400, "invalid_field".to_owned()));
    let mut body = refund(ana, 1);
    body["context"] = json!({"agent": "billing_agent"});
    let yes = ask(&world, viewer, body).await;
    assert_eq!(yes["decision"], true, "{yes}");
    assert_eq!(yes["context"]["evaluation_id"], Value::Null, "{yes}");
}

#[tokio::test]
async fn a_denial_can_be_answered_for_ten_minutes_and_by_whoever_was_told() {
    let (world, pep) = with_host().await;
    let body = refund(billing(), 640);
    let denied = ask(&world, &pep, body.clone()).await;
    let other = request(&world, &world.agent, &body, &denied).await;
    assert_eq!(other.problem(), (400, "invalid_denial_binding".to_owned()));
    world.clock.advance(Duration::from_secs(599));
    let taken = request(&world, &pep, &body, &denied).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{}", taken.show());
    world.clock.advance(Duration::from_secs(1));
    let late = request(&world, &pep, &body, &denied).await;
    assert_eq!(late.problem(), (410, "expired_denial".to_owned()));
}

#[tokio::test]
async fn what_needs_no_approval_any_more_is_not_requested() {
    let (world, pep) = with_host().await;
    let body = refund(billing(), 640);
    let denied = ask(&world, &pep, body.clone()).await;
    for (rule, decision) in [("deny", false), ("allow", true)] {
        let text = json!({"name": "refunds", "rules": [{
            "rule_id": "r", "match": {"tools": ["desk.refund"]}, "effect": rule,
        }]});
        let put = world
            .put("/v1/policies/refunds")
            .token(world.person("owner"));
        let body_of = json!({"text": text.to_string(), "activate": true});
        let put = put.header("if-match", "*").json(body_of).await;
        assert!(put.status.is_success(), "{}", put.show());
        let refused = request(&world, &pep, &body, &denied).await;
        assert_eq!(
            refused.problem(),
            (400, "not_requestable".to_owned()),
            "{rule}"
        );
        assert_eq!(ask(&world, &pep, body.clone()).await["decision"], decision);
    }
    let pending = world
        .get("/v1/approvals")
        .token(world.person("approver"))
        .await;
    assert_eq!(pending.value()["items"], json!([]));
}

#[tokio::test]
async fn an_approval_lapses_and_the_policy_of_the_moment_decides() {
    let (world, pep) = with_host().await;
    let again = |approval: &Value| {
        let mut body = refund(billing(), 640);
        body["context"] = json!({"approval": approval});
        body
    };
    let body = refund(billing(), 640);
    let denied = ask(&world, &pep, body.clone()).await;
    let task = request(&world, &pep, &body, &denied).await.value();
    approve(&world, &task).await;
    // Asking for it again uses nothing up.
    let same = request(&world, &pep, &body, &denied).await;
    assert_eq!(same.status, StatusCode::CREATED, "{}", same.show());
    let approval = same.value()["result"]["approval"].clone();
    assert_eq!(
        look(&world, &pep, &task).await["result"]["approval"],
        approval
    );

    let text = json!({"name": "refunds", "rules": [{
        "rule_id": "frozen", "match": {"tools": ["desk.refund"]}, "effect": "deny",
    }]});
    let put = world
        .put("/v1/policies/refunds")
        .token(world.person("owner"));
    let put = put.header("if-match", "*");
    let put = put
        .json(json!({"text": text.to_string(), "activate": true}))
        .await;
    assert!(put.status.is_success(), "{}", put.show());
    let no = ask(&world, &pep, again(&approval)).await;
    assert_eq!(no["decision"], false, "{no}");
    assert_eq!(no["context"]["reason"], "policy_denied", "{no}");
    assert_eq!(no["context"]["next_action"], "none", "{no}");
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_approval_that_lapsed_is_asked_for_again() {
    let (world, pep) = with_host().await;
    let body = refund(billing(), 640);
    let denied = ask(&world, &pep, body.clone()).await;
    let task = request(&world, &pep, &body, &denied).await.value();
    approve(&world, &task).await;
    let approval = look(&world, &pep, &task).await["result"]["approval"].clone();
    world.clock.advance(Duration::from_secs(25 * 3_600));
    let mut again = body.clone();
    again["context"] = json!({"approval": approval});
    let no = ask(&world, &pep, again).await;
    assert_eq!(no["decision"], false, "{no}");
    assert_eq!(no["context"]["reason"], "approval_expired", "{no}");
    assert_eq!(no["context"]["next_action"], "request", "{no}");
    let fresh = request(&world, &pep, &body, &no).await;
    assert_eq!(fresh.status, StatusCode::ACCEPTED, "{}", fresh.show());
    assert_ne!(fresh.value()["task"]["id"], task["task"]["id"]);
}

#[tokio::test]
async fn two_who_present_an_approval_at_once_get_one_yes() {
    let (world, pep) = with_host().await;
    let body = refund(billing(), 640);
    let denied = ask(&world, &pep, body.clone()).await;
    let task = request(&world, &pep, &body, &denied).await.value();
    approve(&world, &task).await;
    let mut again = body.clone();
    again["context"] = json!({"approval": look(&world, &pep, &task).await["result"]["approval"]});
    let at_once = json!({"evaluations": vec![again.clone(); 16]});
    let path = "/access/v1/evaluations";
    let answers = world.post(path).token(&pep).json(at_once).await.value();
    let told = answers["evaluations"].as_array().unwrap();
    let yes = told.iter().filter(|told| told["decision"] == true);
    assert_eq!((told.len(), yes.count()), (16, 1), "{answers}");
}

#[tokio::test]
async fn a_store_that_fails_makes_no_yes() {
    let (world, store) = World::faulty(Fault::None).await;
    let begin = store.operations();
    let yes = ask(&world, &world.agent, refund(billing(), 1)).await;
    assert_eq!(yes["decision"], true, "{yes}");
    let needed = store.operations() - begin;
    assert!(needed > 0, "nothing was recorded");
    for at in begin + 1..=begin + needed {
        for fault in [
            Fault::DeadBefore(at),
            Fault::DeadAfter(at),
            Fault::After(at),
        ] {
            let (world, _) = World::faulty(fault).await;
            let no = ask(&world, &world.agent, refund(billing(), 1)).await;
            assert_eq!(no["decision"], false, "{fault:?}: {no}");
            assert_eq!(
                no["context"]["reason"], "gate_unavailable",
                "{fault:?}: {no}"
            );
        }
    }
}
