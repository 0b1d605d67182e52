//! Calls through the whole driver, with what reached the tool and what went on the record.

use crate::world::{self, Act, World, key, publish};
use serde_json::json;
use toolgate_driver::{Failed, Landed, Watch};
use toolgate_execution::{Choice, LossCause, Status};
use toolgate_gate::port::RecordFilter;
use toolgate_model::{Call, Code, Duration, Glob, Scope, Timestamp};

fn code(outcome: &toolgate_driver::Outcome) -> Option<Code> {
    match &outcome.invocation.state {
        toolgate_execution::State::Denied { denial } => Some(denial.code),
        _ => None,
    }
}

async fn kinds(world: &World) -> Vec<String> {
    let filter = RecordFilter {
        limit: 1_000,
        ..RecordFilter::default()
    };
    let records = world.store.records(filter).await.unwrap();
    records
        .iter()
        .map(|record| record.entry().unwrap().kind)
        .collect()
}

#[tokio::test]
async fn an_allowed_call_runs_once_and_is_on_the_record() {
    let world = World::new().await;
    world.next(Act::Return(json!({"refunded": 100})));
    let outcome = world.call("stripe.refund", json!({"amount": 100})).await;
    assert_eq!(outcome.invocation.status(), Status::Succeeded);
    assert_eq!(world.reached(), 1);
    assert_eq!(outcome.evidence.len(), 2, "an admission and an outcome");
    let kinds = kinds(&world).await;
    assert_eq!(
        kinds[kinds.len() - 2..],
        ["invocation.admitted", "invocation.succeeded"]
    );
}

#[tokio::test]
async fn each_denial_has_its_code_and_reaches_no_tool() {
    let world = World::new().await;
    for (tool, arguments, expected) in [
        ("stripe.nothing", json!({}), Code::ToolNotFound),
        ("iam.grant", json!({}), Code::RoleDenied),
        ("stripe.refund", json!([]), Code::InvalidArguments),
        (
            "stripe.refund",
            json!({"charge": 7}),
            Code::InvalidArguments,
        ),
    ] {
        let outcome = world.call(tool, arguments.clone()).await;
        assert_eq!(code(&outcome), Some(expected), "{tool} {arguments}");
        assert_eq!(
            outcome.evidence.len(),
            1,
            "{tool}: every denial is on the record"
        );
    }
    let mut call = Call::new("stripe.refund".parse().unwrap(), json!({"amount": 1}));
    call.version = Some("2.0.0".to_owned());
    let outcome = world
        .driver
        .submit(&world.agent, call.clone(), Watch::default())
        .await;
    assert_eq!(code(&outcome), Some(Code::VersionMismatch));
    call.version = None;
    call.timeout = Some(Duration::from_secs(7_200));
    let outcome = world
        .driver
        .submit(&world.agent, call.clone(), Watch::default())
        .await;
    assert_eq!(code(&outcome), Some(Code::InvalidTimeout));
    call.timeout = None;
    call.resource = Some("customer:other".to_owned());
    call.arguments = json!({"amount": 1, "customer": "cust_1"});
    let outcome = world
        .driver
        .submit(&world.agent, call.clone(), Watch::default())
        .await;
    assert_eq!(code(&outcome), Some(Code::EntityMismatch));
    call.resource = None;
    call.correlation = Some("x".repeat(100_000));
    let outcome = world
        .driver
        .submit(&world.agent, call, Watch::default())
        .await;
    assert_eq!(code(&outcome), Some(Code::InvalidArguments));
    assert_eq!(outcome.evidence.len(), 1);
    assert_eq!(world.reached(), 0);
}

#[tokio::test]
async fn a_missing_or_mistyped_amount_never_slips_past_a_rule() {
    let world = World::new().await;
    for arguments in [json!({}), json!({"amount": "1000"}), json!({"amount": 600})] {
        let outcome = world.call("stripe.refund", arguments.clone()).await;
        assert_eq!(
            outcome.invocation.status(),
            Status::PendingApproval,
            "{arguments}"
        );
    }
    assert_eq!(world.reached(), 0);
}

#[tokio::test]
async fn a_revoked_key_and_a_changed_policy_bind_on_the_very_next_call() {
    let world = World::new().await;
    let call = json!({"amount": 100});
    assert_eq!(
        world
            .call("stripe.refund", call.clone())
            .await
            .invocation
            .status(),
        Status::Succeeded
    );
    let strict = r#"{"name": "refunds", "rules": [
        {"rule_id": "none", "match": {"tools": ["stripe.refund"]}, "effect": "deny"}]}"#;
    publish(&world.driver, &world.owner, strict).await;
    assert_eq!(
        code(&world.call("stripe.refund", call.clone()).await),
        Some(Code::PolicyDenied)
    );
    publish(&world.driver, &world.owner, world::POLICY).await;
    let id = world.agent.credential.id.clone();
    world.driver.revoke_key(&world.owner, &id).await.unwrap();
    // The identity was authenticated before the revocation; it still does not count.
    assert_eq!(
        code(&world.call("stripe.refund", call).await),
        Some(Code::CredentialRevoked)
    );
    assert_eq!(world.reached(), 1);
}

#[tokio::test]
async fn a_change_between_decision_and_admission_decides_the_call_again() {
    let world = World::new().await;
    // Another node changes the policy: this node's configuration is stale until its commit is
    // refused by the epoch.
    let strict = r#"{"name": "refunds", "rules": [
        {"rule_id": "none", "match": {"tools": ["stripe.refund"]}, "effect": "deny"}]}"#;
    let ports = toolgate_driver::Ports {
        store: world.store.clone(),
        tools: world.tools.clone(),
        clock: world.clock.clone(),
        entropy: std::sync::Arc::new(world::Counter::starting_at(1_000_000)),
        tasks: std::sync::Arc::new(world::Runtime),
    };
    let node = toolgate_driver::Driver::open(ports, toolgate_gate::Settings::default())
        .await
        .unwrap();
    publish(&node, &world.owner, strict).await;
    let outcome = world.call("stripe.refund", json!({"amount": 100})).await;
    assert_eq!(code(&outcome), Some(Code::PolicyDenied));
    assert_eq!(world.reached(), 0);
}

#[tokio::test]
async fn a_key_replays_joins_and_conflicts() {
    let world = World::new().await;
    let call = |amount: i64| {
        let mut call = Call::new("stripe.refund".parse().unwrap(), json!({"amount": amount}));
        call.idempotency_key = Some("k-1".to_owned());
        call
    };
    let submit = |call| world.driver.submit(&world.agent, call, Watch::default());
    let first = submit(call(100)).await;
    let again = submit(call(100)).await;
    assert!(again.replayed && !first.replayed);
    assert_eq!(again.invocation, first.invocation);
    assert_eq!(
        code(&submit(call(101)).await),
        Some(Code::IdempotencyConflict)
    );
    assert_eq!(world.reached(), 1);
}

#[tokio::test]
async fn the_same_key_joins_the_wait_while_the_first_still_runs() {
    let world = World::new().await;
    world.next(Act::Hang);
    let submit = || {
        let mut call = Call::new("stripe.refund".parse().unwrap(), json!({"amount": 100}));
        call.idempotency_key = Some("k-1".to_owned());
        world.driver.submit(&world.agent, call, Watch::default())
    };
    let running = async || {
        while world.reached() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let second = async {
        running().await;
        submit().await
    };
    let moved = async {
        running().await;
        // Polled often enough for the second caller to have found the first one's invocation.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(Duration::from_secs(60));
    };
    let (first, second, ()) = futures_util::future::join3(submit(), second, moved).await;
    assert_eq!(first.invocation.status(), Status::NeedsOperator);
    assert_eq!(second.invocation.id, first.invocation.id);
    assert_eq!(second.invocation.status(), Status::NeedsOperator);
    assert!(second.replayed);
    assert_eq!(world.reached(), 1);
}

#[tokio::test]
async fn an_approved_call_runs_exactly_once_and_only_as_frozen() {
    let world = World::new().await;
    let arguments = json!({"amount": 640, "charge": "ch_1"});
    let pending = world.call("stripe.refund", arguments.clone()).await;
    let frozen = pending.invocation.state.frozen().unwrap().clone();
    let joined = world.call("stripe.refund", arguments.clone()).await;
    assert_eq!(joined.duplicate_of.as_ref(), Some(&pending.invocation.id));
    let approve = (frozen.digest, Choice::Approve, Some("checked".to_owned()));
    let as_agent = toolgate_gate::Caller::Agent(world.agent.clone());
    let refused = world
        .driver
        .decide_approval(&as_agent, &frozen.approval, approve.clone())
        .await;
    assert!(matches!(refused, Err(Failed::Forbidden { .. })));
    let decide = || {
        world
            .driver
            .decide_approval(&world.approver, &frozen.approval, approve.clone())
    };
    decide().await.unwrap();
    let until = Timestamp::from_millis(i64::MAX);
    let done = world
        .driver
        .wait(&pending.invocation.id, until)
        .await
        .unwrap();
    assert_eq!(done.status(), Status::Succeeded);
    assert_eq!(world.tools.reached.lock().unwrap()[0].2, arguments);
    assert!(matches!(decide().await, Err(Failed::Refused(_))));
    assert_eq!(world.reached(), 1);
}

#[tokio::test]
async fn the_same_call_again_gets_what_became_of_the_approved_one() {
    let world = World::new().await;
    let arguments = json!({"amount": 640});
    let pending = world.call("stripe.refund", arguments.clone()).await;
    let frozen = pending.invocation.state.frozen().unwrap().clone();
    let approve = (frozen.digest, Choice::Approve, None);
    world
        .driver
        .decide_approval(&world.approver, &frozen.approval, approve)
        .await
        .unwrap();
    let id = pending.invocation.id.clone();
    world
        .driver
        .wait(&id, Timestamp::from_millis(i64::MAX))
        .await
        .unwrap();
    let again = world.call("stripe.refund", arguments.clone()).await;
    assert_eq!(again.invocation.status(), Status::Succeeded);
    assert_eq!(again.duplicate_of.as_ref(), Some(&id));
    let mut meant = Call::new("stripe.refund".parse().unwrap(), arguments.clone());
    meant.allow_duplicate = true;
    let second = world
        .driver
        .submit(&world.agent, meant, Watch::default())
        .await;
    assert_eq!(second.invocation.status(), Status::PendingApproval);
    assert_ne!(second.invocation.id, id);
    world
        .driver
        .cancel(&world.owner, &second.invocation.id)
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(601));
    let later = world.call("stripe.refund", arguments).await;
    assert_eq!(later.invocation.status(), Status::PendingApproval);
    assert_eq!((later.duplicate_of, world.reached()), (None, 1));
}

#[tokio::test]
async fn whoever_only_looks_decides_nothing() {
    let world = World::new().await;
    let pending = world.call("stripe.refund", json!({"amount": 640})).await;
    let frozen = pending.invocation.state.frozen().unwrap().clone();
    for role in [toolgate_model::Role::Viewer, toolgate_model::Role::Author] {
        let person = (world::id(&format!("{role}@acme.com")), role);
        let (_, issued) = world
            .driver
            .put_operator(&world.owner, person, None)
            .await
            .unwrap();
        let caller = world::caller(&world.driver, &issued.token).await;
        let approve = (frozen.digest, Choice::Approve, None);
        let refused = world
            .driver
            .decide_approval(&caller, &frozen.approval, approve)
            .await;
        assert!(matches!(refused, Err(Failed::Forbidden { .. })), "{role}");
        let cancelled = world.driver.cancel(&caller, &pending.invocation.id).await;
        assert!(matches!(cancelled, Err(Failed::Forbidden { .. })), "{role}");
    }
}

#[tokio::test]
async fn an_approval_expires_by_the_gates_clock() {
    let world = World::new().await;
    let pending = world.call("stripe.refund", json!({"amount": 640})).await;
    world.clock.advance(Duration::from_secs(25 * 3_600));
    world.driver.fire_timers().await;
    let id = &pending.invocation.id;
    let now = world
        .driver
        .wait(id, Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!(now.status(), Status::Expired);
}

#[tokio::test]
async fn a_lost_answer_is_never_repeated_and_a_person_settles_it() {
    let world = World::new().await;
    world.next(Act::Lose(LossCause::Disconnected));
    let outcome = world.call("stripe.refund", json!({"amount": 100})).await;
    assert_eq!(outcome.invocation.status(), Status::NeedsOperator);
    assert_eq!(world.reached(), 1);
    let id = &outcome.invocation.id;
    let silent = world
        .driver
        .resolve(&world.approver, id, (Landed::Yes, " ".to_owned()))
        .await;
    assert!(matches!(silent, Err(Failed::Invalid(_))));
    let word = (Landed::Yes, "seen in the ledger".to_owned());
    let done = world
        .driver
        .resolve(&world.approver, id, word)
        .await
        .unwrap();
    assert_eq!(done.invocation.status(), Status::Succeeded);
    assert_eq!(world.reached(), 1);
}

#[tokio::test]
async fn a_definite_no_is_a_failure_and_nothing_more() {
    let world = World::new().await;
    for (act, expected) in [
        (Act::Fail(json!({"isError": true})), Code::ToolError),
        (Act::Refuse, Code::UpstreamUnavailable),
    ] {
        world.next(act);
        let outcome = world.call("stripe.refund", json!({"amount": 100})).await;
        let toolgate_execution::State::Failed { failure, .. } = &outcome.invocation.state else {
            panic!("{:?}", outcome.invocation.state)
        };
        assert_eq!(failure.code, expected);
    }
}

#[tokio::test]
async fn a_tool_that_only_reads_is_asked_again_within_its_budget() {
    let world = World::new().await;
    world.next(Act::Lose(LossCause::Timeout));
    world.next(Act::Return(json!({"found": 1})));
    let outcome = world.call("stripe.lookup", json!({"amount": 1})).await;
    assert_eq!(outcome.invocation.status(), Status::Succeeded);
    assert_eq!(outcome.invocation.attempts, 2);
    for _ in 0..3 {
        world.next(Act::Lose(LossCause::Timeout));
    }
    let outcome = world.call("stripe.lookup", json!({"amount": 2})).await;
    assert_eq!(outcome.invocation.status(), Status::Failed);
    assert_eq!(world.reached(), 5);
}

#[tokio::test]
async fn a_tool_that_never_answers_is_a_timeout_and_not_a_failure() {
    let world = World::new().await;
    world.next(Act::Hang);
    let call = world.call("stripe.refund", json!({"amount": 100}));
    let moved = async {
        while world.reached() == 0 {
            tokio::task::yield_now().await;
        }
        // Polled once more, so that the attempt has armed its alarm.
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(60));
    };
    let (outcome, ()) = futures_util::future::join(call, moved).await;
    assert_eq!(outcome.invocation.status(), Status::NeedsOperator);
}

#[tokio::test]
async fn a_restart_puts_what_was_running_in_doubt() {
    let world = World::new().await;
    world.next(Act::Hang);
    let driver = world.driver.clone();
    let agent = world.agent.clone();
    let call = Call::new("stripe.refund".parse().unwrap(), json!({"amount": 100}));
    #[expect(clippy::disallowed_methods, reason = "a caller that is never answered")]
    let caller = tokio::spawn(async move { driver.submit(&agent, call, Watch::default()).await });
    while world.reached() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    let ports = toolgate_driver::Ports {
        store: world.store.clone(),
        tools: world.tools.clone(),
        clock: world.clock.clone(),
        entropy: std::sync::Arc::new(world::Counter::starting_at(2_000_000)),
        tasks: std::sync::Arc::new(world::Runtime),
    };
    let again = toolgate_driver::Driver::open(ports, toolgate_gate::Settings::default())
        .await
        .unwrap();
    let recovered = again.recover().await.unwrap();
    assert_eq!((recovered.seen, recovered.in_doubt), (1, 1));
    let id = world.tools.reached.lock().unwrap()[0].0.parse().unwrap();
    let now = again.wait(&id, Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(now.status(), Status::NeedsOperator);
    assert_eq!(world.reached(), 1, "recovery sends nothing");
}

#[tokio::test]
async fn a_narrow_credential_narrows() {
    let world = World::new().await;
    let scope = Scope {
        tools: vec![Glob::new("stripe.lookup")],
        ..Scope::default()
    };
    let (_, narrow) = key(&world.driver, &world.owner, scope).await;
    let call = Call::new("stripe.refund".parse().unwrap(), json!({"amount": 1}));
    let outcome = world.driver.submit(&narrow, call, Watch::default()).await;
    assert_eq!(code(&outcome), Some(Code::OutOfScope));
}

#[tokio::test]
async fn nobody_sees_what_belongs_to_another_tenant() {
    let world = World::new().await;
    let outcome = world.call("stripe.refund", json!({"amount": 1})).await;
    let other = "other".parse().unwrap();
    let person = (world::id("eve@other.com"), toolgate_model::Role::Owner);
    let (_, issued) = world
        .driver
        .put_operator(&world.owner, person, Some(other))
        .await
        .unwrap();
    let eve = world::caller(&world.driver, &issued.token).await;
    let seen = world.driver.invocation(&eve, &outcome.invocation.id).await;
    assert!(matches!(seen, Err(Failed::NotFound { .. })));
    let ended = world
        .driver
        .revoke_key(&eve, &world.agent.credential.id)
        .await;
    assert!(matches!(ended, Err(Failed::NotFound { .. })));
}
