//! A lost answer, until it is settled: looked for, proven, sent again under the same key, or given
//! to a person; and never a second effect.

use crate::world::{self, Act, World};
use serde_json::{Value, json};
use toolgate_driver::{Landed, Outcome, Watch};
use toolgate_execution::{Invocation, LossCause, State, Status};
use toolgate_model::{
    Backoff, Call, Checks, Code, Duration, EffectCheck, EffectLook, KeyPlace, Probe, Template,
    Timestamp,
};

const LOSS: LossCause = LossCause::Disconnected;

/// What the descriptor of `stripe.refund` says of its effect.
#[derive(Clone, Copy)]
struct Contract {
    key: bool,
    look: bool,
    lands_within: Option<u32>,
}

impl Contract {
    const KEY: Self = Self {
        key: true,
        look: false,
        lands_within: None,
    };
    const LOOK: Self = Self {
        key: false,
        look: true,
        lands_within: None,
    };
    const BOTH: Self = Self {
        key: true,
        look: true,
        lands_within: None,
    };
    const BOUND: Self = Self {
        key: false,
        look: true,
        lands_within: Some(90),
    };

    fn checks(self) -> Checks {
        let look = EffectLook {
            probe: Probe {
                tool: "stripe.lookup".parse().unwrap(),
                arguments: Template::parse(json!({"charge": "{args.charge}"})).unwrap(),
            },
            landed: "any(result.data, r, r.invocation == $invocation.id)".to_owned(),
        };
        Checks {
            effect: Some(EffectCheck {
                idempotency: self
                    .key
                    .then(|| KeyPlace::Header("Idempotency-Key".to_owned())),
                look: self.look.then_some(look),
                lands_within: self.lands_within.map(Duration::from_secs),
                tries: 3,
                backoff: Backoff {
                    first: Duration::from_secs(1),
                    last: Duration::from_secs(8),
                },
            }),
            ..Checks::default()
        }
    }
}

async fn world(contract: Contract) -> World {
    let world = World::new().await;
    world.describe("stripe.refund", contract.checks());
    world
}

fn refund() -> Value {
    json!({"amount": 40, "charge": "ch_1", "customer": "cust_1"})
}

/// A look at this list of refunds.
fn sees(world: &World, refunds: Value) {
    world.sees(Act::Return(json!({"data": refunds})));
}

/// Calls, loses the first answer, and lets time run until nothing moves any more.
async fn lose(world: &World) -> Invocation {
    world.next(Act::Lose(LOSS));
    let call = world.start(Call::new("stripe.refund".parse().unwrap(), refund()));
    world.rest().await;
    let outcome: Outcome = call.await.unwrap();
    now(world, &outcome).await
}

async fn now(world: &World, outcome: &Outcome) -> Invocation {
    let id = &outcome.invocation.id;
    world
        .driver
        .wait(id, Timestamp::from_millis(0))
        .await
        .unwrap()
}

fn ground(invocation: &Invocation) -> &str {
    match &invocation.state {
        State::NeedsOperator { ground, .. } => ground,
        other => panic!("{other:?}"),
    }
}

async fn kinds(world: &World, invocation: &Invocation) -> Vec<String> {
    let filter = toolgate_gate::port::RecordFilter {
        invocation: Some(invocation.id.clone()),
        limit: 100,
        ..Default::default()
    };
    let records = world.store.records(filter).await.unwrap();
    records
        .iter()
        .map(|record| record.entry().unwrap().kind)
        .collect()
}

#[tokio::test]
async fn what_landed_is_found_and_is_not_sent_again() {
    let world = world(Contract::BOTH).await;
    world.next(Act::Lose(LOSS));
    // The look answers with the invocation's own name, so the call is made first and looked up.
    let call = Call::new("stripe.refund".parse().unwrap(), refund());
    world.looks_find_the_invocation();
    let outcome = world
        .driver
        .submit(&world.agent, call, Watch::default())
        .await;
    let State::Succeeded { settlement } = &outcome.invocation.state else {
        panic!("{:?}", outcome.invocation.state)
    };
    assert!(settlement.reconciled);
    assert_eq!((settlement.attempts, world.reached()), (1, 1));
    assert!(
        settlement
            .result
            .as_ref()
            .unwrap()
            .contains(outcome.invocation.id.as_str())
    );
    assert_eq!(
        kinds(&world, &outcome.invocation).await,
        [
            "invocation.admitted",
            "invocation.unknown_effect",
            "invocation.reconciling",
            "invocation.succeeded"
        ]
    );
}

#[tokio::test]
async fn what_is_not_found_is_sent_again_under_the_same_key_only() {
    for (contract, reached, status) in [
        (Contract::BOTH, 2, Status::Succeeded),
        (Contract::KEY, 2, Status::Succeeded),
        (Contract::LOOK, 1, Status::NeedsOperator),
    ] {
        let world = world(contract).await;
        for _ in 0..5 {
            sees(&world, json!([]));
        }
        let end = lose(&world).await;
        assert_eq!((world.reached(), end.status()), (reached, status));
        let names: std::collections::HashSet<_> = world
            .tools
            .reached
            .lock()
            .unwrap()
            .iter()
            .map(|sent| sent.0.clone())
            .collect();
        assert_eq!(
            names.len(),
            1,
            "each attempt carries the same invocation as its key"
        );
    }
}

#[tokio::test]
async fn not_found_proves_nothing_before_the_bound_and_something_after_it() {
    let world = world(Contract::BOUND).await;
    let began = world.now();
    for _ in 0..10 {
        sees(&world, json!([]));
    }
    let end = lose(&world).await;
    assert_eq!((end.status(), world.reached()), (Status::Succeeded, 2));
    let waited = world.now().since(began);
    assert!(
        waited >= Duration::from_secs(90),
        "sent again after {waited}"
    );
    let State::Succeeded { settlement } = &end.state else {
        panic!()
    };
    assert_eq!((settlement.attempts, settlement.reconciled), (2, false));
    // The ground of the second attempt is on record.
    let filter = toolgate_gate::port::RecordFilter {
        invocation: Some(end.id.clone()),
        kind_prefix: Some("invocation.retried".to_owned()),
        limit: 10,
        ..Default::default()
    };
    let retried = world.store.records(filter).await.unwrap();
    let ground = &retried[0].entry().unwrap().data["ground"];
    assert_eq!(
        *ground,
        json!({"kind": "not_landed", "lands_within": "90s"})
    );
}

#[tokio::test]
async fn a_look_that_fails_is_not_a_look_that_says_no() {
    for failing in [
        || Act::Refuse,
        || Act::Lose(LOSS),
        || Act::Fail(json!({"message": "no such charge"})),
        || Act::Return(json!({"unexpected": true})),
    ] {
        let world = world(Contract::BOUND).await;
        for _ in 0..20 {
            world.sees(failing());
        }
        let end = lose(&world).await;
        assert_eq!((end.status(), world.reached()), (Status::NeedsOperator, 1));
        assert!(
            ground(&end).contains("looks told nothing"),
            "{}",
            ground(&end)
        );
    }
}

#[tokio::test]
async fn a_rule_that_wants_a_look_first_gets_it_even_with_a_key() {
    let world = world(Contract::KEY).await;
    let rule = r#"{"name": "refunds", "rules": [
        {"rule_id": "look", "when": "tool == stripe.refund", "effect": "reconcile_before_retry"}]}"#;
    world::publish(&world.driver, &world.owner, rule).await;
    let end = lose(&world).await;
    assert_eq!((end.status(), world.reached()), (Status::NeedsOperator, 1));
}

#[tokio::test]
async fn a_repeat_that_is_refused_leaves_the_first_open() {
    let world = world(Contract::BOTH).await;
    sees(&world, json!([]));
    world.next(Act::Lose(LOSS));
    world.next(Act::Fail(json!({"message": "this link was used before"})));
    world.looks_find_the_invocation();
    let call = Call::new("stripe.refund".parse().unwrap(), refund());
    let outcome = world
        .driver
        .submit(&world.agent, call, Watch::default())
        .await;
    assert_eq!(outcome.invocation.status(), Status::Succeeded);
    assert_eq!((outcome.invocation.attempts, world.reached()), (2, 2));
}

#[tokio::test]
async fn what_may_not_run_any_more_is_not_sent_again() {
    for change in ["policy", "key", "tool"] {
        let world = world(Contract::BOUND).await;
        for _ in 0..10 {
            sees(&world, json!([]));
        }
        world.next(Act::Lose(LOSS));
        let call = Call::new("stripe.refund".parse().unwrap(), refund());
        let running = world.start(call);
        world.settle_tasks().await;
        match change {
            "policy" => {
                let strict = r#"{"name": "refunds", "rules": [
                    {"rule_id": "none", "match": {"tools": ["stripe.refund"]}, "effect": "deny"}]}"#;
                world::publish(&world.driver, &world.owner, strict).await;
            }
            "key" => {
                let id = &world.agent.credential.id;
                world.driver.revoke_key(&world.owner, id).await.unwrap();
            }
            _ => world.describe("stripe.refund", Contract::BOTH.checks()),
        }
        world.rest().await;
        let end = now(&world, &running.await.unwrap()).await;
        let State::Failed { failure, .. } = &end.state else {
            panic!("{change}: {:?}", end.state)
        };
        assert_eq!(
            (failure.code, world.reached()),
            (Code::UpstreamUnavailable, 1),
            "{change}"
        );
        assert!(
            failure.message.contains("did not land"),
            "{}",
            failure.message
        );
    }
}

#[tokio::test]
async fn a_person_can_look_again_settle_or_order_a_retry() {
    let world = world(Contract::LOOK).await;
    for _ in 0..3 {
        sees(&world, json!([]));
    }
    let open = lose(&world).await;
    assert_eq!(open.status(), Status::NeedsOperator);
    world.looks_find_the_invocation();
    world
        .driver
        .reconcile(&world.approver, &open.id)
        .await
        .unwrap();
    world.rest().await;
    let end = world
        .driver
        .wait(&open.id, Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!((end.status(), world.reached()), (Status::Succeeded, 1));

    let world = self::world(Contract::LOOK).await;
    for _ in 0..3 {
        sees(&world, json!([]));
    }
    let open = lose(&world).await;
    let word = (Landed::Retry, "the ledger of the bank has none".to_owned());
    world
        .driver
        .resolve(&world.approver, &open.id, word)
        .await
        .unwrap();
    world.rest().await;
    let end = world
        .driver
        .wait(&open.id, Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!(
        (end.status(), end.attempts, world.reached()),
        (Status::Succeeded, 2, 2)
    );
}

#[tokio::test]
async fn the_same_call_without_a_key_is_answered_from_the_first() {
    let world = world(Contract::LOOK).await;
    let first = world.call("stripe.refund", refund()).await;
    let second = world.call("stripe.refund", refund()).await;
    assert_eq!(second.duplicate_of.as_ref(), Some(&first.invocation.id));
    assert_eq!(
        (second.invocation.status(), world.reached()),
        (Status::Succeeded, 1)
    );

    let mut meant = Call::new("stripe.refund".parse().unwrap(), refund());
    meant.allow_duplicate = true;
    let third = world
        .driver
        .submit(&world.agent, meant, Watch::default())
        .await;
    assert_eq!((third.duplicate_of, world.reached()), (None, 2));

    let mut elsewhere = Call::new("stripe.refund".parse().unwrap(), refund());
    elsewhere.session = Some("another".to_owned());
    let fourth = world
        .driver
        .submit(&world.agent, elsewhere, Watch::default())
        .await;
    assert_eq!((fourth.duplicate_of, world.reached()), (None, 3));

    world.clock.advance(Duration::from_secs(601));
    let later = world.call("stripe.refund", refund()).await;
    assert_eq!((later.duplicate_of, world.reached()), (None, 4));
}

#[tokio::test]
async fn what_failed_without_effect_may_be_called_again_at_once() {
    let world = world(Contract::LOOK).await;
    world.next(Act::Fail(json!({"message": "the card is blocked"})));
    let first = world.call("stripe.refund", refund()).await;
    assert_eq!(first.invocation.status(), Status::Failed);
    let second = world.call("stripe.refund", refund()).await;
    assert_eq!(
        (second.invocation.status(), second.duplicate_of),
        (Status::Succeeded, None)
    );
    let third = world.call("stripe.refund", refund()).await;
    assert_eq!(third.duplicate_of, Some(second.invocation.id));
    assert_eq!(world.reached(), 2);
}

#[tokio::test]
async fn the_same_call_at_the_same_instant_runs_once() {
    let world = world(Contract::LOOK).await;
    let calls = (0..8).map(|_| world.call("stripe.refund", refund()));
    let outcomes = futures_util::future::join_all(calls).await;
    assert_eq!(world.reached(), 1);
    let firsts = outcomes
        .iter()
        .filter(|outcome| outcome.duplicate_of.is_none())
        .count();
    assert_eq!(firsts, 1);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.invocation.status() == Status::Succeeded)
    );
}

#[tokio::test]
async fn a_node_that_lost_its_lease_changes_nothing() {
    let slow = world(Contract::LOOK).await;
    slow.next(Act::HangUntilReleased);
    let call = Call::new("stripe.refund".parse().unwrap(), refund());
    let running = slow.start(call);
    slow.settle_tasks().await;
    let id = slow.only_invocation().await.id;

    // Another node on the same store, while the first one sleeps.
    let other = World::beside(&slow).await;
    other.driver.sweep().await.unwrap();
    let held = other
        .driver
        .wait(&id, Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!(held.status(), Status::Executing, "its lease still holds");

    slow.clock.sleep_through(Duration::from_secs(51));
    other.looks_find_the_invocation();
    other.driver.sweep().await.unwrap();
    other.settle_tasks().await;
    let taken = other
        .driver
        .wait(&id, Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!(taken.status(), Status::Succeeded);
    let State::Succeeded { settlement } = &taken.state else {
        panic!()
    };
    assert!(settlement.reconciled);

    slow.tools.release.notify_one();
    let woken = running.await.unwrap();
    assert_eq!(
        woken.invocation.state, taken.state,
        "the slow node tells what was settled"
    );
    let end = other
        .driver
        .wait(&id, Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!(end.revision, taken.revision);
}

#[tokio::test]
async fn a_source_that_is_late_after_a_start_is_waited_for() {
    let first = world(Contract::BOTH).await;
    first.next(Act::Hang);
    let call = Call::new("stripe.refund".parse().unwrap(), refund());
    let running = first.start(call);
    first.settle_tasks().await;
    running.abort();
    let id = first.only_invocation().await.id;
    let second = World::beside(&first).await;
    let offered = second.tools.catalogue.lock().unwrap().clone();
    second.offer(Vec::new());
    second.looks_find_the_invocation();
    second.driver.recover().await.unwrap();
    second.settle_tasks().await;
    let at = Timestamp::from_millis(0);
    let waiting = second.driver.wait(&id, at).await.unwrap();
    assert_eq!(waiting.status(), Status::Reconciling, "nobody is asked yet");
    second.offer(offered.iter().map(|tool| tool.as_ref().clone()).collect());
    second.clock.advance(Duration::from_secs(5));
    second.driver.fire_timers().await;
    second.settle_tasks().await;
    let end = second.driver.wait(&id, at).await.unwrap();
    assert_eq!((end.status(), second.reached()), (Status::Succeeded, 0));
}

#[tokio::test]
async fn the_first_repeat_goes_out_at_once_and_the_next_one_waits() {
    let world = world(Contract::KEY).await;
    for _ in 0..3 {
        world.next(Act::Lose(LOSS));
    }
    let call = Call::new("stripe.refund".parse().unwrap(), refund());
    let running = world.start(call);
    world.settle_tasks().await;
    assert_eq!(world.reached(), 2);
    world.clock.advance(Duration::from_millis(999));
    world.driver.fire_timers().await;
    world.settle_tasks().await;
    assert_eq!(world.reached(), 2);
    world.clock.advance(Duration::from_millis(1));
    world.rest().await;
    assert_eq!(world.reached(), 3);
    let end = now(&world, &running.await.unwrap()).await;
    assert_eq!(end.status(), Status::NeedsOperator);
}

#[tokio::test]
async fn a_task_that_breaks_leaves_its_call_to_others() {
    let world = world(Contract::LOOK).await;
    world.next(Act::Panic);
    world.sees(Act::Panic);
    let broken = world.start(Call::new("stripe.refund".parse().unwrap(), refund()));
    world.settle_tasks().await;
    let id = world.only_invocation().await.id;
    // The lease runs out, the look breaks too, and the next one settles it.
    world.clock.advance(Duration::from_secs(51));
    world.driver.fire_timers().await;
    world.settle_tasks().await;
    let at = Timestamp::from_millis(0);
    let open = world.driver.wait(&id, at).await.unwrap();
    assert_eq!(open.status(), Status::Reconciling);
    world.looks_find_the_invocation();
    world.driver.sweep().await.unwrap();
    world.settle_tasks().await;
    let end = now(&world, &broken.await.unwrap()).await;
    assert_eq!((end.status(), world.reached()), (Status::Succeeded, 1));
}

#[tokio::test]
async fn a_gate_that_starts_again_settles_what_was_running() {
    let first = world(Contract::BOTH).await;
    first.next(Act::Hang);
    let call = Call::new("stripe.refund".parse().unwrap(), refund());
    let running = first.start(call);
    first.settle_tasks().await;
    running.abort();
    let id = first.only_invocation().await.id;
    let second = World::beside(&first).await;
    second.looks_find_the_invocation();
    let recovered = second.driver.recover().await.unwrap();
    assert_eq!(recovered.in_doubt, 1);
    second.settle_tasks().await;
    let end = second
        .driver
        .wait(&id, Timestamp::from_millis(0))
        .await
        .unwrap();
    assert_eq!((end.status(), second.reached()), (Status::Succeeded, 0));
}
