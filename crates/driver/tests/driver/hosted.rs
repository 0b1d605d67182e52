//! Calls that their caller runs: under one lease, with one report, and never sent by the gate.

use serde_json::json;
use toolgate_driver::{Failed, Lease, Outcome, Report, Said, Watch};
use toolgate_execution::{Choice, Failure, LossCause, State, Status};
use toolgate_model::{
    Body, Call, Checks, Code, Duration, EffectCheck, EffectLook, Identity, InvocationId, Mode,
    Probe, Scope, Template, json::Raw,
};

use crate::world::{Act, World, key, publish};

fn small(charge: &str) -> Call {
    let arguments = json!({"amount": 5, "charge": charge, "customer": "c1"});
    Call {
        mode: Mode::Host,
        ..Call::new("stripe.refund".parse().unwrap(), arguments)
    }
}

fn large(charge: &str) -> Call {
    let arguments = json!({"amount": 640, "charge": charge, "customer": "c1"});
    Call {
        arguments,
        ..small(charge)
    }
}

async fn propose(world: &World, call: Call) -> Outcome {
    world
        .driver
        .submit(&world.agent, call, Watch::default())
        .await
}

fn result(text: &str) -> Raw {
    Body::Json(json!({"said": text})).result(false, serde_json::Map::new())
}

fn succeeded(text: &str) -> Report {
    Report {
        attempt: 1,
        said: Said::Succeeded(result(text)),
    }
}

async fn report(world: &World, id: &InvocationId, report: Report) -> Result<Outcome, Failed> {
    world.driver.report(&world.agent, id, report).await
}

async fn approve(world: &World, outcome: &Outcome) {
    let frozen = outcome.invocation.state.frozen().unwrap();
    let decision = (frozen.digest, Choice::Approve, None);
    let decided = world
        .driver
        .decide_approval(&world.approver, &frozen.approval, decision)
        .await;
    decided.unwrap();
    world.settle_tasks().await;
}

async fn now(world: &World, id: &InvocationId) -> toolgate_execution::Invocation {
    world.store.invocation(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_lease_goes_to_one_answer_and_nothing_is_sent() {
    let world = World::new().await;
    let keyed = || Call {
        idempotency_key: Some("k".to_owned()),
        ..small("a")
    };
    let first = propose(&world, keyed()).await;
    let id = first.invocation.id.clone();
    let expires_at = world.now().plus(Duration::from_secs(25));
    assert_eq!(
        first.lease,
        Some(Lease {
            attempt: 1,
            expires_at
        })
    );
    let again = propose(&world, keyed()).await;
    assert_eq!((again.lease, again.replayed), (None, true));
    assert_eq!(again.invocation.status(), Status::Executing);
    let ended = report(&world, &id, succeeded("done")).await.unwrap();
    assert_eq!(ended.invocation.status(), Status::Succeeded);
    let replay = propose(&world, keyed()).await;
    assert_eq!(replay.invocation.id, id);
    assert_eq!(replay.invocation.status(), Status::Succeeded);
    assert_eq!((replay.lease, world.reached()), (None, 0));
}

#[tokio::test]
async fn a_shorter_timeout_shortens_the_lease_and_a_longer_one_does_not() {
    for (asked, lease) in [(1, 6), (20, 25), (60, 25)] {
        let world = World::new().await;
        let call = Call {
            timeout: Some(Duration::from_secs(asked)),
            ..small("a")
        };
        let given = propose(&world, call).await.lease.unwrap();
        assert_eq!(
            given.expires_at,
            world.now().plus(Duration::from_secs(lease))
        );
    }
}

#[tokio::test]
async fn the_same_call_without_a_key_is_answered_from_the_first() {
    let world = World::new().await;
    let first = propose(&world, small("a")).await;
    let twin = propose(&world, small("a")).await;
    let id = first.invocation.id.clone();
    assert_eq!((twin.duplicate_of, twin.lease), (Some(id.clone()), None));
    // It ended without its effect: then a second one is no duplicate.
    let failure = Failure {
        code: Code::ToolError,
        message: "closed".to_owned(),
        error: None,
    };
    let failed = Report {
        attempt: 1,
        said: Said::Failed(failure, None),
    };
    report(&world, &id, failed).await.unwrap();
    assert!(propose(&world, small("a")).await.lease.is_some());
}

#[tokio::test]
async fn a_report_comes_once_from_whoever_holds_the_lease() {
    let world = World::new().await;
    let (_, other) = key(&world.driver, &world.owner, Scope::default()).await;
    let for_somebody = Identity {
        user: Some(std::sync::Arc::new(toolgate_model::User {
            id: crate::world::id("uma@acme.com"),
            groups: Vec::new(),
        })),
        ..other
    };
    let id = propose(&world, small("a")).await.invocation.id;
    let stranger = world
        .driver
        .report(&for_somebody, &id, succeeded("x"))
        .await;
    assert!(matches!(stranger, Err(Failed::NotFound { .. })));
    let stranger = world.driver.claim(&for_somebody, &id).await;
    assert!(matches!(stranger, Err(Failed::NotFound { .. })));
    let wrong = Report {
        attempt: 2,
        ..succeeded("x")
    };
    assert!(matches!(
        report(&world, &id, wrong).await,
        Err(Failed::Refused(_))
    ));
    assert_eq!(now(&world, &id).await.status(), Status::Executing);
    let first = report(&world, &id, succeeded("done")).await.unwrap();
    let again = report(&world, &id, succeeded("done")).await.unwrap();
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.invocation, again.invocation);
    let other = report(&world, &id, succeeded("else")).await;
    assert!(matches!(other, Err(Failed::Refused(_))));
    let run = world.call("stripe.refund", json!({"amount": 1})).await;
    let run = report(&world, &run.invocation.id, succeeded("x")).await;
    assert_eq!(
        run.unwrap_err().to_string(),
        "the gate runs this call itself: nobody reports what came of it"
    );
}

#[tokio::test]
async fn a_live_lease_outlives_the_gate_and_silence_ends_in_doubt() {
    let world = World::new().await;
    let id = propose(&world, small("a")).await.invocation.id;
    let again = World::beside(&world).await;
    let recovered = again.driver.recover().await.unwrap();
    assert_eq!((recovered.seen, recovered.in_doubt), (1, 0));
    assert_eq!(now(&again, &id).await.status(), Status::Executing);
    again.clock.advance(Duration::from_secs(24));
    again.driver.sweep().await.unwrap();
    again.driver.fire_timers().await;
    assert_eq!(now(&again, &id).await.status(), Status::Executing);
    again.clock.advance(Duration::from_secs(1));
    again.driver.fire_timers().await;
    let doubted = now(&again, &id).await;
    let State::NeedsOperator { cause, .. } = doubted.state else {
        panic!("{:?}", doubted.state)
    };
    assert_eq!(cause, LossCause::LeaseLost);
    let late = report(&again, &id, succeeded("done")).await.unwrap();
    let end = late.invocation.settlement().unwrap();
    assert!(end.reported.unwrap().late && end.result.is_some());
}

#[tokio::test]
async fn a_lease_that_ended_while_no_gate_ran_is_found_at_the_start() {
    let world = World::new().await;
    let id = propose(&world, small("a")).await.invocation.id;
    world.clock.advance(Duration::from_secs(26));
    let again = World::beside(&world).await;
    again.driver.recover().await.unwrap();
    let State::NeedsOperator { cause, .. } = now(&again, &id).await.state else {
        panic!("not in doubt")
    };
    assert_eq!(cause, LossCause::LeaseLost);
}

#[tokio::test]
async fn a_host_that_cannot_say_is_believed_at_once() {
    let world = World::new().await;
    let id = propose(&world, small("a")).await.invocation.id;
    let unsure = || Report {
        attempt: 1,
        said: Said::Unknown,
    };
    let said = report(&world, &id, unsure()).await.unwrap();
    assert_eq!(said.invocation.status(), Status::NeedsOperator);
    assert!(report(&world, &id, unsure()).await.unwrap().replayed);
    let late = report(&world, &id, succeeded("done")).await.unwrap();
    assert!(!late.invocation.settlement().unwrap().reported.unwrap().late);
}

/// The refund can be looked for, and has landed within ten seconds or never.
fn look_with_a_bound(world: &World) {
    let look = EffectLook {
        probe: Probe {
            tool: "stripe.lookup".parse().unwrap(),
            arguments: Template::parse(json!({"charge": "{args.charge}"})).unwrap(),
        },
        landed: "any(result.data, r, r.invocation == $invocation.id)".to_owned(),
    };
    let effect = EffectCheck {
        idempotency: Some(toolgate_model::KeyPlace::Meta("key".to_owned())),
        look: Some(look),
        lands_within: Some(Duration::from_secs(10)),
        tries: 2,
        backoff: Default::default(),
    };
    let checks = Checks {
        effect: Some(effect),
        ..Checks::default()
    };
    world.describe("stripe.refund", checks);
}

#[tokio::test]
async fn what_is_proven_absent_has_failed_and_is_sent_by_nobody() {
    let world = World::new().await;
    look_with_a_bound(&world);
    let id = propose(&world, small("a")).await.invocation.id;
    for _ in 0..8 {
        world.sees(Act::Return(json!({"data": []})));
    }
    // A look says when the next one is due only once it was made.
    for _ in 0..8 {
        world.rest().await;
    }
    let State::Failed { failure, .. } = now(&world, &id).await.state else {
        panic!("{:?}", now(&world, &id).await.state)
    };
    assert_eq!(failure.code, Code::UpstreamUnavailable);
    assert_eq!(
        failure.message,
        "the call did not land, and its host may make it again as a new one"
    );
    assert_eq!(world.reached(), 0);
    assert!(propose(&world, small("a")).await.lease.is_some());
}

#[tokio::test]
async fn what_a_look_finds_is_settled_without_the_host() {
    let world = World::new().await;
    look_with_a_bound(&world);
    world.looks_find_the_invocation();
    let id = propose(&world, small("a")).await.invocation.id;
    world.rest().await;
    let found = now(&world, &id).await;
    assert_eq!(found.status(), Status::Succeeded);
    let end = found.settlement().unwrap();
    assert!(end.reconciled && end.reported.is_none());
    let late = report(&world, &id, succeeded("done")).await;
    assert!(matches!(late, Err(Failed::Refused(_))));
}

#[tokio::test]
async fn an_approved_call_waits_for_its_host_across_a_restart() {
    let world = World::new().await;
    let pending = propose(&world, large("a")).await;
    let id = pending.invocation.id.clone();
    let early = world.driver.claim(&world.agent, &id).await.unwrap();
    assert_eq!(early.invocation.status(), Status::PendingApproval);
    approve(&world, &pending).await;
    assert_eq!(now(&world, &id).await.status(), Status::Approved);
    let again = World::beside(&world).await;
    again.driver.recover().await.unwrap();
    again.driver.sweep().await.unwrap();
    again.settle_tasks().await;
    assert_eq!(now(&again, &id).await.status(), Status::Approved);
    let claimed = again.driver.claim(&again.agent, &id).await.unwrap();
    assert!(claimed.lease.is_some());
    for node in [&world, &again] {
        let late = node.driver.claim(&node.agent, &id).await.unwrap();
        assert_eq!(late.lease, None);
        assert_eq!(late.invocation.status(), Status::Executing);
    }
    assert_eq!(world.reached() + again.reached(), 0);
}

#[tokio::test]
async fn two_nodes_that_claim_at_once_give_one_lease() {
    let world = World::new().await;
    let other = World::beside(&world).await;
    let pending = propose(&world, large("a")).await;
    let id = pending.invocation.id.clone();
    approve(&world, &pending).await;
    let claims = (0..8).map(|number| {
        let node = if number % 2 == 0 { &world } else { &other };
        node.driver.claim(&node.agent, &id)
    });
    let claims = futures_util::future::join_all(claims).await;
    let leases = claims.into_iter().filter_map(|claim| claim.unwrap().lease);
    assert_eq!(leases.count(), 1);
}

#[tokio::test]
async fn the_same_call_claims_what_was_approved_and_a_request_for_approval_does_not() {
    let world = World::new().await;
    let pending = propose(&world, large("a")).await;
    approve(&world, &pending).await;
    let asked = world.driver.ask(&world.agent, large("a")).await;
    assert_eq!(
        (asked.lease, asked.invocation.status()),
        (None, Status::Approved)
    );
    let gates = Call {
        mode: Mode::Execute,
        ..large("a")
    };
    assert_eq!(propose(&world, gates).await.lease, None);
    let claimed = propose(&world, large("a")).await;
    assert_eq!(claimed.invocation.id, pending.invocation.id);
    assert!(claimed.lease.is_some());
    assert_eq!(world.reached(), 0);
}

#[tokio::test]
async fn whoever_waits_for_an_approval_claims_it_in_the_same_answer() {
    let world = World::new().await;
    let watch = Watch {
        wait: Duration::from_secs(60),
        ..Watch::default()
    };
    let call = world.driver.submit(&world.agent, large("a"), watch);
    let decided = async {
        world.settle_tasks().await;
        let pending = world.only_invocation().await;
        approve(
            &world,
            &Outcome {
                invocation: pending,
                evidence: Vec::new(),
                replayed: false,
                duplicate_of: None,
                lease: None,
            },
        )
        .await;
    };
    let (claimed, ()) = futures_util::future::join(call, decided).await;
    assert!(claimed.lease.is_some(), "{:?}", claimed.invocation.state);
}

#[tokio::test]
async fn what_changed_by_the_time_of_the_claim_is_decided_again() {
    let rule = |effect: &str| {
        format!(r#"{{"name": "refunds", "rules": [{{"when": "amount > 500", {effect}}}]}}"#)
    };
    let denies = rule(r#""effect": "deny""#);
    let asks_two = rule(r#""effect": "require_approval", "quorum": 2"#);
    for (policy, status) in [
        (denies, Status::Denied),
        (asks_two, Status::PendingApproval),
    ] {
        let world = World::new().await;
        let pending = propose(&world, large("a")).await;
        approve(&world, &pending).await;
        publish(&world.driver, &world.owner, &policy).await;
        let id = &pending.invocation.id;
        let claimed = world.driver.claim(&world.agent, id).await.unwrap();
        assert_eq!((claimed.lease, claimed.invocation.status()), (None, status));
    }
    let world = World::new().await;
    let pending = propose(&world, large("a")).await;
    approve(&world, &pending).await;
    world.clock.advance(Duration::from_secs(24 * 3_600 * 30));
    let id = &pending.invocation.id;
    let claimed = world.driver.claim(&world.agent, id).await.unwrap();
    assert_eq!(claimed.invocation.status(), Status::Expired);
}

#[tokio::test]
async fn a_limit_counts_what_hosts_run() {
    let world = World::new().await;
    let limit = r#"{"name": "refunds", "rules": [{"effect": "limit", "limit": 2, "per": "agent/1h",
        "match": {"tools": ["stripe.refund"]}}]}"#;
    publish(&world.driver, &world.owner, limit).await;
    for charge in ["a", "b"] {
        assert!(propose(&world, small(charge)).await.lease.is_some());
    }
    let third = propose(&world, small("c")).await;
    let denial = third.invocation.proposal.decision.denial.clone().unwrap();
    assert_eq!((denial.code, third.lease), (Code::RateLimited, None));
}

#[tokio::test]
async fn a_doubt_answers_the_same_call_under_any_key() {
    for mode in [Mode::Host, Mode::Execute] {
        let world = World::new().await;
        let keyed = |key: &str| Call {
            mode,
            idempotency_key: Some(key.to_owned()),
            ..small("a")
        };
        world.next(Act::Lose(LossCause::Timeout));
        let first = propose(&world, keyed("1")).await;
        world.clock.advance(Duration::from_secs(26));
        world.driver.fire_timers().await;
        let id = first.invocation.id;
        assert_eq!(now(&world, &id).await.status(), Status::NeedsOperator);
        let reached = world.reached();
        let again = propose(&world, keyed("2")).await;
        assert_eq!((again.duplicate_of, again.lease), (Some(id.clone()), None));
        assert_eq!(world.reached(), reached);
        for other in [
            Call {
                allow_duplicate: true,
                ..keyed("3")
            },
            Call {
                session: Some("another".to_owned()),
                ..keyed("4")
            },
            Call {
                arguments: json!({"amount": 6, "charge": "a", "customer": "c1"}),
                ..keyed("5")
            },
        ] {
            assert_eq!(propose(&world, other).await.duplicate_of, None);
        }
    }
}
