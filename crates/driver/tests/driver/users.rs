//! People behind one agent: each is known, and what was done for one is nothing to the next.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_driver::{Failed, Outcome, Watch};
use toolgate_execution::{Choice, Status};
use toolgate_gate::Caller;
use toolgate_gate::port::InvocationFilter;
use toolgate_model::{Call, Code, Identity, User};

use crate::world::{World, id, publish};

fn acting_for(world: &World, user: &str) -> Identity {
    let user = User {
        id: id(user),
        groups: vec!["finance".to_owned()],
    };
    world.agent.clone().acting_for(Some(Arc::new(user)))
}

async fn refund(world: &World, who: &Identity, key: Option<&str>, arguments: Value) -> Outcome {
    let call = Call {
        idempotency_key: key.map(str::to_owned),
        ..Call::new("stripe.refund".parse().unwrap(), arguments)
    };
    world.driver.submit(who, call, Watch::default()).await
}

#[tokio::test]
async fn the_same_call_for_somebody_else_is_another_call() {
    for key in [None, Some("order-7")] {
        let world = World::new().await;
        let (bob, eve) = (
            acting_for(&world, "bob@acme.com"),
            acting_for(&world, "eve@acme.com"),
        );
        let arguments = json!({"amount": 100, "charge": "ch_1"});
        let first = refund(&world, &bob, key, arguments.clone()).await;
        let again = refund(&world, &bob, key, arguments.clone()).await;
        assert_eq!(again.invocation.id, first.invocation.id, "{key:?}");
        let others = [
            refund(&world, &eve, key, arguments.clone()).await,
            refund(&world, &world.agent.clone(), key, arguments.clone()).await,
            // The agent itself does not get there by writing such a key by hand.
            refund(
                &world,
                &world.agent.clone(),
                Some("\u{2}bob@acme.com\u{2}order-7"),
                arguments,
            )
            .await,
        ];
        for other in others {
            assert_ne!(other.invocation.id, first.invocation.id, "{key:?}");
            assert_eq!(other.invocation.status(), Status::Succeeded);
        }
        assert_eq!(world.reached(), 4);
    }
}

#[tokio::test]
async fn what_was_done_for_one_is_shown_to_no_other() {
    let world = World::new().await;
    let (bob, eve) = (
        acting_for(&world, "bob@acme.com"),
        acting_for(&world, "eve@acme.com"),
    );
    let done = refund(&world, &bob, None, json!({"amount": 1}))
        .await
        .invocation
        .id
        .clone();
    let filter = || InvocationFilter {
        agent: Some(world.agent.agent.id.clone()),
        limit: 1,
        ..InvocationFilter::default()
    };
    for amount in 2..30 {
        refund(&world, &eve, None, json!({"amount": amount})).await;
    }
    for (who, sees) in [(&bob, true), (&eve, false), (&world.agent, false)] {
        let caller = Caller::Agent(who.clone());
        let found = world.driver.invocation(&caller, &done).await;
        assert_eq!(found.is_ok(), sees);
        if !sees {
            assert!(matches!(found, Err(Failed::NotFound { .. })));
        }
    }
    // A list goes on looking behind what others did, as far as it may.
    let all = InvocationFilter {
        limit: 3,
        ..filter()
    };
    let listed = world
        .driver
        .listed(&Caller::Agent(bob), all.clone())
        .await
        .unwrap();
    let ids: Vec<_> = listed.iter().map(|one| one.id.clone()).collect();
    assert_eq!(ids, [done]);
    let listed = world
        .driver
        .listed(&Caller::Agent(eve), all.clone())
        .await
        .unwrap();
    assert_eq!(listed.len(), 3);
    let none = Caller::Agent(world.agent.clone());
    assert!(
        world
            .driver
            .listed(&none, all.clone())
            .await
            .unwrap()
            .is_empty()
    );
    let person = world.driver.listed(&world.owner, all).await.unwrap();
    assert_eq!(person.len(), 3);
}

#[tokio::test]
async fn whoever_is_acted_for_does_not_approve_and_rules_know_them_to_the_end() {
    let world = World::new().await;
    let bo = acting_for(&world, "bo@acme.com");
    let pending = refund(&world, &bo, None, json!({"amount": 640})).await;
    let frozen = pending.invocation.state.frozen().unwrap().clone();
    let approve = || (frozen.digest, Choice::Approve, Some("mine".to_owned()));
    let refused = world
        .driver
        .decide_approval(&world.approver, &frozen.approval, approve())
        .await;
    assert!(refused.is_err(), "bo approved what bo asked for");
    // Somebody else may; but meanwhile a rule came that refuses what is done for bo.
    let rules = r#"{"name": "refunds", "rules": [
        {"rule_id": "bo", "when": "user.id == \"bo@acme.com\"", "effect": "deny", "reason": "not for bo"},
        {"rule_id": "big", "when": "amount > 500", "effect": "require_approval"}
    ]}"#;
    publish(&world.driver, &world.owner, rules).await;
    let denied = refund(&world, &bo, None, json!({"amount": 1})).await;
    assert_eq!(denied.invocation.status(), Status::Denied);
    let eve = acting_for(&world, "eve@acme.com");
    let allowed = refund(&world, &eve, None, json!({"amount": 1})).await;
    assert_eq!(allowed.invocation.status(), Status::Succeeded);
    let decided = world
        .driver
        .decide_approval(&world.owner, &frozen.approval, approve())
        .await
        .unwrap();
    world.settle_tasks().await;
    let ended = world
        .driver
        .invocation(&world.owner, &decided.invocation.id)
        .await
        .unwrap();
    assert_eq!(ended.status(), Status::Denied, "{:?}", ended.state);
    let code = denied
        .invocation
        .proposal
        .decision
        .denial
        .as_ref()
        .map(|denial| denial.code);
    assert_eq!(code, Some(Code::PolicyDenied));
    assert_eq!(world.reached(), 1);
}
