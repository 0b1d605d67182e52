//! Data that is replaced: in arguments before anybody approves or runs them, in results before
//! anybody reads them.

use serde_json::{Value, json};
use toolgate_driver::Outcome;
use toolgate_execution::{Choice, Status};
use toolgate_gate::port::Tools as _;
use toolgate_model::{Code, Verdict};

use crate::world::{self, Act, World};

async fn world(rules: Value) -> World {
    let world = World::new().await;
    let policy = json!({"name": "refunds", "rules": rules}).to_string();
    world::publish(&world.driver, &world.owner, &policy).await;
    world
}

fn contact() -> Value {
    json!({"charge": "mail someone@example.net or +49 30 901820", "amount": 5, "customer": "cust_1"})
}

fn result(outcome: &Outcome) -> String {
    let settlement = outcome.invocation.settlement().unwrap();
    settlement.result.clone().unwrap()
}

fn answer(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

#[tokio::test]
async fn a_tool_gets_placeholders() {
    let rules =
        json!([{"rule_id": "pii", "condition": {"has_data_class": ["PII"]}, "effect": "sanitize"}]);
    let world = world(rules).await;
    let outcome = world.call("stripe.refund", contact()).await;
    assert_eq!(outcome.invocation.status(), Status::Succeeded);
    let decision = &outcome.invocation.proposal.decision;
    assert_eq!(decision.verdict, Verdict::Sanitize);
    assert!(
        decision
            .sanitized
            .iter()
            .any(|one| one.kind == "EMAIL" && one.path == "/charge")
    );
    let reached = world.tools.reached.lock().unwrap()[0].2.to_string();
    assert!(
        !reached.contains("someone@example.net") && reached.contains("EMAIL"),
        "{reached}"
    );
    let stored = serde_json::to_string(&world.only_invocation().await).unwrap();
    assert!(!stored.contains("someone@example.net"), "{stored}");
}

#[tokio::test]
async fn people_approve_the_form_that_runs() {
    let rules = json!([
        {"rule_id": "pii", "condition": {"has_data_class": ["PII"]}, "effect": "sanitize"},
        {"rule_id": "ask", "match": {"tools": ["stripe.refund"]}, "effect": "require_approval"}
    ]);
    let world = world(rules).await;
    let outcome = world.call("stripe.refund", contact()).await;
    let frozen = outcome.invocation.state.frozen().unwrap();
    assert!(!frozen.snapshot.to_string().contains("someone@example.net"));
    let word = (frozen.digest, Choice::Approve, None);
    let decided = world
        .driver
        .decide_approval(&world.approver, &frozen.approval, word);
    decided.await.unwrap();
    world.settle_tasks().await;
    let reached = world.tools.reached.lock().unwrap();
    assert_eq!(reached[0].2, frozen.snapshot["arguments"]);
}

#[tokio::test]
async fn what_no_longer_fits_the_tool_is_denied() {
    let rules = json!([{"rule_id": "blank", "match": {"tools": ["stripe.refund"]},
        "effect": "sanitize", "sanitize_fields": ["amount"]}]);
    let world = world(rules).await;
    let tools = world.tools.catalogue();
    let strict = tools.iter().map(|tool| {
        let mut strict = tool.as_ref().clone();
        strict.input_schema =
            json!({"type": "object", "properties": {"amount": {"type": "number"}}});
        strict
    });
    world.offer(strict.collect());
    let outcome = world.call("stripe.refund", json!({"amount": 5})).await;
    let denial = outcome.invocation.proposal.decision.denial.clone().unwrap();
    assert_eq!(denial.code, Code::PolicyDenied);
    assert_eq!(world.reached(), 0);
}

#[tokio::test]
async fn a_result_is_sanitized_before_it_is_stored() {
    let rules = json!([{"rule_id": "out", "on": "result", "condition": {"has_data_class": ["PII"]},
        "effect": "sanitize"}]);
    let world = world(rules).await;
    world.next(Act::Return(answer("owner: someone@example.net")));
    let outcome = world.call("stripe.lookup", json!({})).await;
    assert!(
        !result(&outcome).contains("someone@example.net"),
        "{}",
        result(&outcome)
    );
    let stored = serde_json::to_string(&world.only_invocation().await).unwrap();
    assert!(!stored.contains("someone@example.net"));
    let inspection = outcome
        .invocation
        .settlement()
        .unwrap()
        .inspection
        .clone()
        .unwrap();
    assert_eq!(inspection.sanitized[0].kind, "EMAIL");
    assert_eq!(inspection.rules[0].rule.to_string(), "refunds/out");
}

#[tokio::test]
async fn a_result_is_withheld_and_the_caller_hears_that_the_call_ran() {
    let rules = json!([{"rule_id": "out", "on": "result",
        "condition": {"body_contains_any": ["deal #"]}, "effect": "deny", "reason": "deals stay here"}]);
    let world = world(rules).await;
    world.next(Act::Return(answer("about Deal #4")));
    let outcome = world.call("stripe.lookup", json!({})).await;
    assert_eq!(outcome.invocation.status(), Status::Succeeded);
    let seen = result(&outcome);
    assert!(
        !seen.contains("Deal") && seen.contains("executed") && seen.contains("deals stay here")
    );
    world.next(Act::Return(answer("about something else")));
    let outcome = world.call("stripe.lookup", json!({"charge": "2"})).await;
    assert!(result(&outcome).contains("something else"));
}

#[tokio::test]
async fn the_error_of_a_tool_is_judged_too() {
    let rules = json!([{"rule_id": "out", "on": "result", "condition": {"has_data_class": ["PII"]},
        "effect": "sanitize"}]);
    let world = world(rules).await;
    world.next(Act::Fail(answer("no such customer: someone@example.net")));
    let outcome = world.call("stripe.lookup", json!({})).await;
    assert_eq!(outcome.invocation.status(), Status::Failed);
    assert!(!result(&outcome).contains("someone@example.net"));
}

#[tokio::test]
async fn what_was_read_marks_the_session() {
    let rules = json!([{"rule_id": "leak", "match": {"verbs": ["WRITE"]},
        "condition": {"session_has_data_class": ["PII"]}, "effect": "deny"}]);
    let world = world(rules).await;
    let before = world.call("stripe.refund", json!({"charge": "1"})).await;
    assert_eq!(before.invocation.status(), Status::Succeeded);
    world.next(Act::Return(answer("owner: someone@example.net")));
    world.call("stripe.lookup", json!({})).await;
    let after = world.call("stripe.refund", json!({"charge": "2"})).await;
    assert_eq!(after.invocation.status(), Status::Denied);
    let again = World::beside(&world).await;
    let after = again.call("stripe.refund", json!({"charge": "3"})).await;
    assert_eq!(
        after.invocation.status(),
        Status::Denied,
        "a restart forgets nothing"
    );
}
