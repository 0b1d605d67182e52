//! Limits, sums and sessions as calls really run: exact when many come at once, the same after a
//! restart, and hung on the credential.

use serde_json::{Value, json};
use toolgate_driver::{Outcome, Watch};
use toolgate_execution::{Choice, State, Status};
use toolgate_gate::port::Tools as _;
use toolgate_model::{Call, Code, Duration};

use crate::world::{self, Act, World};

const THREE_AN_HOUR: &str = r#"{"name": "refunds", "rules": [
  {"rule_id": "hourly", "match": {"tools": ["stripe.refund"]}, "effect": "limit", "limit": 3, "per": "1h"}
]}"#;

const BUDGET: &str = r#"{"name": "refunds", "rules": [
  {"rule_id": "budget", "match": {"tools": ["stripe.refund"]}, "effect": "limit",
   "limit": {"sum": "amount", "max": 1000}, "per": "24h"}
]}"#;

async fn world(policy: &str) -> World {
    let world = World::new().await;
    world::publish(&world.driver, &world.owner, policy).await;
    world
}

/// A refund that is no twin of another one.
fn refund(number: u32, amount: u32) -> Value {
    json!({"amount": amount, "charge": format!("ch_{number}"), "customer": "cust_1"})
}

fn code(outcome: &Outcome) -> Option<Code> {
    match &outcome.invocation.state {
        State::Denied { denial } => Some(denial.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_limit_holds_when_all_calls_come_at_once() {
    let world = world(THREE_AN_HOUR).await;
    for _ in 0..20 {
        world.next(Act::HangUntilReleased);
    }
    let calls: Vec<_> = (0..20)
        .map(|number| {
            world.start(Call::new(
                "stripe.refund".parse().unwrap(),
                refund(number, 5),
            ))
        })
        .collect();
    world.settle_tasks().await;
    assert_eq!(world.reached(), 3);
    let mut limited = 0;
    for call in calls {
        world.tools.release.notify_waiters();
        let outcome = call.await.unwrap();
        match code(&outcome) {
            None => assert_eq!(outcome.invocation.status(), Status::Succeeded),
            Some(code) => {
                assert_eq!(code, Code::RateLimited);
                limited += 1;
            }
        }
    }
    assert_eq!((limited, world.reached()), (17, 3));
}

#[tokio::test]
async fn a_window_moves_on_and_a_restart_forgets_nothing() {
    let first = world(THREE_AN_HOUR).await;
    for number in 0..3 {
        let outcome = first.call("stripe.refund", refund(number, 5)).await;
        assert_eq!(outcome.invocation.status(), Status::Succeeded);
    }
    let second = World::beside(&first).await;
    let outcome = second.call("stripe.refund", refund(3, 5)).await;
    assert_eq!(code(&outcome), Some(Code::RateLimited));
    first.clock.advance(Duration::from_secs(3_600));
    let outcome = second.call("stripe.refund", refund(4, 5)).await;
    assert_eq!(outcome.invocation.status(), Status::Succeeded);
}

#[tokio::test]
async fn the_same_call_again_takes_no_second_place() {
    let world = world(THREE_AN_HOUR).await;
    for _ in 0..5 {
        let outcome = world.call("stripe.refund", refund(1, 5)).await;
        assert_eq!(outcome.invocation.status(), Status::Succeeded);
    }
    for number in [2, 3] {
        let outcome = world.call("stripe.refund", refund(number, 5)).await;
        assert_eq!(outcome.invocation.status(), Status::Succeeded, "{number}");
    }
    assert_eq!(
        code(&world.call("stripe.refund", refund(4, 5)).await),
        Some(Code::RateLimited)
    );
}

#[tokio::test]
async fn a_budget_is_reserved_before_the_call_and_given_back_where_nothing_happened() {
    let world = world(BUDGET).await;
    world.next(Act::Fail(json!({"content": [], "isError": true})));
    let failed = world.call("stripe.refund", refund(1, 900)).await;
    assert_eq!(failed.invocation.status(), Status::Failed);
    world.next(Act::Lose(toolgate_execution::LossCause::Timeout));
    let lost = world.call("stripe.refund", refund(2, 900)).await;
    assert_eq!(lost.invocation.status(), Status::NeedsOperator);
    assert_eq!(
        code(&world.call("stripe.refund", refund(3, 200)).await),
        Some(Code::RateLimited),
        "what may have happened counts"
    );
    let fits = world.call("stripe.refund", refund(4, 100)).await;
    assert_eq!(fits.invocation.status(), Status::Succeeded);
    let beyond = world.call("stripe.refund", json!({"charge": "x"})).await;
    assert_eq!(
        code(&beyond),
        Some(Code::RateLimited),
        "an amount that nobody knows fits no budget"
    );
}

#[tokio::test]
async fn a_call_that_waits_counts_and_one_that_was_rejected_does_not() {
    let policy = r#"{"name": "refunds", "rules": [
      {"rule_id": "ask", "when": "amount > 500", "effect": "require_approval"},
      {"rule_id": "hourly", "match": {"tools": ["stripe.refund"]}, "effect": "limit", "limit": 1, "per": "1h"}
    ]}"#;
    let world = world(policy).await;
    let frozen = world.call("stripe.refund", refund(1, 600)).await;
    assert_eq!(frozen.invocation.status(), Status::PendingApproval);
    assert_eq!(
        code(&world.call("stripe.refund", refund(2, 5)).await),
        Some(Code::RateLimited)
    );
    let waiting = frozen.invocation.state.frozen().unwrap();
    let word = (waiting.digest, Choice::Deny, Some("no".to_owned()));
    let decided = world
        .driver
        .decide_approval(&world.approver, &waiting.approval, word);
    decided.await.unwrap();
    let outcome = world.call("stripe.refund", refund(3, 5)).await;
    assert_eq!(outcome.invocation.status(), Status::Succeeded);
}

#[tokio::test]
async fn an_approved_call_is_not_counted_against_itself() {
    let policy = r#"{"name": "refunds", "rules": [
      {"rule_id": "ask", "when": "amount > 500", "effect": "require_approval"},
      {"rule_id": "hourly", "match": {"tools": ["stripe.refund"]}, "effect": "limit", "limit": 1, "per": "1h"}
    ]}"#;
    let world = world(policy).await;
    let frozen = world.call("stripe.refund", refund(1, 600)).await;
    let waiting = frozen.invocation.state.frozen().unwrap();
    let word = (waiting.digest, Choice::Approve, None);
    let decided = world
        .driver
        .decide_approval(&world.approver, &waiting.approval, word);
    decided.await.unwrap();
    world.settle_tasks().await;
    assert_eq!(world.reached(), 1);
}

#[tokio::test]
async fn no_name_of_a_session_washes_off_what_was_refused() {
    let policy = r#"{"name": "refunds", "rules": [
      {"rule_id": "no", "when": "amount > 500", "effect": "deny"},
      {"rule_id": "probing", "when": "session.denials >= 2", "effect": "deny", "code": "probing"}
    ]}"#;
    let world = world(policy).await;
    for number in 0..2 {
        let outcome = world.call("stripe.refund", refund(number, 600)).await;
        assert_eq!(code(&outcome), Some(Code::PolicyDenied));
    }
    let named = Call {
        session: Some("a fresh start".to_owned()),
        ..Call::new("stripe.refund".parse().unwrap(), refund(3, 5))
    };
    let outcome = world
        .driver
        .submit(&world.agent, named, Watch::default())
        .await;
    assert_eq!(code(&outcome), Some(Code::PolicyDenied));
    let other = world::key(&world.driver, &world.owner, Default::default()).await;
    let call = Call::new("stripe.refund".parse().unwrap(), refund(4, 5));
    let outcome = world.driver.submit(&other.1, call, Watch::default()).await;
    assert_eq!(
        outcome.invocation.status(),
        Status::Succeeded,
        "another credential is another session"
    );
}

#[tokio::test]
async fn a_budget_is_measured_anew_when_its_tool_comes_late() {
    let first = world(BUDGET).await;
    let cents = |catalogue: std::sync::Arc<toolgate_model::Catalogue>| {
        let tools = catalogue.iter().map(|tool| {
            let mut tool = tool.as_ref().clone();
            let amount = ("amount".to_owned(), "args.cents / 100".to_owned());
            tool.attributes = [amount].into();
            tool.input_schema = serde_json::Value::Null;
            tool
        });
        tools.collect::<Vec<_>>()
    };
    let tools = cents(first.tools.catalogue());
    first.offer(tools.clone());
    first.settle_tasks().await;
    let paid = first
        .call("stripe.refund", json!({"charge": "a", "cents": 90_000}))
        .await;
    assert_eq!(paid.invocation.status(), Status::Succeeded);
    // The other node starts before the tool's server has said what it offers.
    *first.tools.catalogue.lock().unwrap() = Default::default();
    let second = World::beside(&first).await;
    second.offer(tools);
    let early = second
        .call("stripe.refund", json!({"charge": "b", "cents": 20_000}))
        .await;
    assert_eq!(code(&early), Some(Code::RateLimited), "nobody can say yet");
    second.settle_tasks().await;
    let beyond = second
        .call("stripe.refund", json!({"charge": "c", "cents": 20_000}))
        .await;
    assert_eq!(code(&beyond), Some(Code::RateLimited));
    let fits = second
        .call("stripe.refund", json!({"charge": "d", "cents": 10_000}))
        .await;
    assert_eq!(fits.invocation.status(), Status::Succeeded);
}
