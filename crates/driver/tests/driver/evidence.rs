//! What is read live before a call runs: the entity that it is about, the event that it acts on;
//! once before it is decided, and again when an approved call is thawed.

use serde_json::{Value, json};
use toolgate_driver::{Outcome, Watch};
use toolgate_execution::{Choice, Invocation, State, Status};
use toolgate_model::{
    Call, Checks, Code, Duration, EntityCheck, Probe, Template, Timestamp, Trigger, TriggerCheck,
};

use crate::world::{self, Act, World};

fn template(json: Value) -> Template {
    Template::parse(json).unwrap()
}

fn probe(arguments: Value) -> Probe {
    Probe {
        tool: "stripe.lookup".parse().unwrap(),
        arguments: template(arguments),
    }
}

fn entity(list: Option<&str>) -> Checks {
    let matches = [
        ("customer", json!("{args.customer}")),
        ("refunded", json!(false)),
    ];
    Checks {
        entity: Some(EntityCheck {
            probe: probe(json!({"charge": "{args.charge}"})),
            list: list.map(str::to_owned),
            matches: matches
                .map(|(path, value)| (path.to_owned(), template(value)))
                .into(),
            pin: ["customer", "amount", "refunded"].map(str::to_owned).into(),
        }),
        ..Checks::default()
    }
}

fn trigger() -> Checks {
    let matches = [
        ("type", json!("charge.dispute.created")),
        ("data.object.charge", json!("{args.charge}")),
    ];
    Checks {
        trigger: Some(TriggerCheck {
            probe: probe(json!({"charge": "{trigger.id}"})),
            matches: matches
                .map(|(path, value)| (path.to_owned(), template(value)))
                .into(),
        }),
        ..Checks::default()
    }
}

async fn world(checks: Checks) -> World {
    let world = World::new().await;
    world.describe("stripe.refund", checks);
    world
}

fn refund(amount: u32) -> Call {
    let arguments = json!({"amount": amount, "charge": "ch_1", "customer": "cust_1"});
    Call::new("stripe.refund".parse().unwrap(), arguments)
}

async fn submit(world: &World, call: Call) -> Outcome {
    world
        .driver
        .submit(&world.agent, call, Watch::default())
        .await
}

fn charge(customer: &str, amount: u32, refunded: bool) -> Value {
    json!({"customer": customer, "amount": amount, "refunded": refunded, "note": "internal"})
}

fn sees(world: &World, seen: Value) {
    world.sees(Act::Return(seen));
}

fn code(outcome: &Outcome) -> Option<Code> {
    match &outcome.invocation.state {
        State::Denied { denial } => Some(denial.code),
        _ => None,
    }
}

async fn now(world: &World, outcome: &Outcome) -> Invocation {
    let id = &outcome.invocation.id;
    world
        .driver
        .wait(id, Timestamp::from_millis(0))
        .await
        .unwrap()
}

async fn approve(world: &World, invocation: &Invocation) {
    let frozen = invocation.state.frozen().unwrap();
    let word = (frozen.digest, Choice::Approve, None);
    world
        .driver
        .decide_approval(&world.approver, &frozen.approval, word)
        .await
        .unwrap();
    world.settle_tasks().await;
}

#[tokio::test]
async fn each_way_an_entity_can_be_wrong_has_its_code_and_reaches_no_tool() {
    let fits = || charge("cust_1", 50, false);
    let cases = [
        (
            None,
            Act::Return(charge("cust_2", 50, false)),
            Code::EntityMismatch,
        ),
        (
            None,
            Act::Return(charge("cust_1", 50, true)),
            Code::EntityMismatch,
        ),
        (
            None,
            Act::Return(json!({"customer": "cust_1"})),
            Code::EntityMismatch,
        ),
        (None, Act::Return(json!(null)), Code::EntityNotFound),
        (
            None,
            Act::Fail(json!({"message": "no such charge"})),
            Code::EntityNotFound,
        ),
        (None, Act::Refuse, Code::GateUnavailable),
        (
            None,
            Act::Lose(toolgate_execution::LossCause::Timeout),
            Code::GateUnavailable,
        ),
        (
            Some("data"),
            Act::Return(json!({"data": []})),
            Code::EntityNotFound,
        ),
        (
            Some("data"),
            Act::Return(json!({"data": [fits(), fits()]})),
            Code::EntityAmbiguous,
        ),
        (
            Some("data"),
            Act::Return(json!({"other": [fits()]})),
            Code::EntityNotFound,
        ),
        (
            Some("data"),
            Act::Return(json!({"data": [charge("cust_2", 50, false)]})),
            Code::EntityNotFound,
        ),
    ];
    for (place, (list, act, expected)) in cases.into_iter().enumerate() {
        let world = world(entity(list)).await;
        world.sees(act);
        let outcome = submit(&world, refund(40)).await;
        assert_eq!(code(&outcome), Some(expected), "case {place}");
        assert_eq!(world.reached(), 0, "case {place}");
        let State::Denied { denial } = &outcome.invocation.state else {
            panic!()
        };
        let told = serde_json::to_string(denial).unwrap();
        assert!(
            !told.contains("internal") && !told.contains("cust_"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn ambiguity_names_how_many_and_nothing_of_them() {
    let world = world(entity(Some("data"))).await;
    let one = charge("cust_1", 50, false);
    sees(
        &world,
        json!({"data": [one, one, charge("cust_9", 1, false), one]}),
    );
    let outcome = submit(&world, refund(40)).await;
    let State::Denied { denial } = &outcome.invocation.state else {
        panic!()
    };
    assert_eq!(denial.details["candidates"], json!(3));
}

#[tokio::test]
async fn the_one_that_fits_runs() {
    let world = world(entity(Some("data"))).await;
    sees(
        &world,
        json!({"data": [charge("cust_2", 7, false), charge("cust_1", 50, false)]}),
    );
    let outcome = submit(&world, refund(40)).await;
    assert_eq!(
        (outcome.invocation.status(), world.reached()),
        (Status::Succeeded, 1)
    );
    let pinned = json!({"customer": "cust_1", "amount": 50, "refunded": false});
    assert_eq!(outcome.invocation.proposal.entity, Some(pinned));
    let looked = world.tools.looked.lock().unwrap().clone();
    assert_eq!(
        looked,
        [("stripe.lookup".to_owned(), json!({"charge": "ch_1"}))]
    );
}

#[tokio::test]
async fn whoever_cannot_reach_a_tool_cannot_make_the_gate_look() {
    let world = world(entity(None)).await;
    let mut elsewhere = refund(40);
    elsewhere.arguments = json!({"amount": {"is": "no number"}});
    assert_eq!(
        code(&submit(&world, elsewhere).await),
        Some(Code::InvalidArguments)
    );
    let id = &world.agent.credential.id;
    world.driver.revoke_key(&world.owner, id).await.unwrap();
    assert_eq!(
        code(&submit(&world, refund(40)).await),
        Some(Code::CredentialRevoked)
    );
    assert!(world.tools.looked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_rule_can_read_the_live_entity() {
    let world = world(entity(None)).await;
    let rule = r#"{"name": "refunds", "rules": [
        {"rule_id": "over", "when": "amount > $entity.amount", "effect": "deny"}]}"#;
    world::publish(&world.driver, &world.owner, rule).await;
    sees(&world, charge("cust_1", 50, false));
    assert_eq!(
        code(&submit(&world, refund(999)).await),
        Some(Code::PolicyDenied)
    );
    sees(&world, charge("cust_1", 50, false));
    let fits = submit(&world, refund(50)).await;
    assert_eq!(
        (fits.invocation.status(), world.reached()),
        (Status::Succeeded, 1)
    );
}

#[tokio::test]
async fn an_event_that_its_source_does_not_have_is_denied() {
    let event = |charge: &str| json!({"type": "charge.dispute.created", "data": {"object": {"charge": charge}}});
    let cases = [
        (Act::Return(event("ch_1")), None),
        (Act::Return(event("ch_2")), Some(Code::TriggerUnverified)),
        (
            Act::Return(json!({"type": "charge.succeeded"})),
            Some(Code::TriggerUnverified),
        ),
        (Act::Return(json!(null)), Some(Code::TriggerUnverified)),
        (
            Act::Fail(json!({"message": "no such event"})),
            Some(Code::TriggerUnverified),
        ),
        (Act::Refuse, Some(Code::GateUnavailable)),
    ];
    for (place, (act, expected)) in cases.into_iter().enumerate() {
        let world = world(trigger()).await;
        world.sees(act);
        let mut call = refund(40);
        call.trigger = Some(Trigger {
            source: "stripe".to_owned(),
            id: "evt_1".to_owned(),
        });
        let outcome = submit(&world, call).await;
        assert_eq!(code(&outcome), expected, "case {place}");
        assert_eq!(
            world.reached(),
            usize::from(expected.is_none()),
            "case {place}"
        );
        assert_eq!(
            world.tools.looked.lock().unwrap()[0].1,
            json!({"charge": "evt_1"}),
            "case {place}"
        );
    }
}

#[tokio::test]
async fn a_rule_that_wants_something_verified_denies_what_cannot_be() {
    for (effect, expected) in [
        ("verify_trigger", Code::TriggerUnverified),
        ("verify_entity", Code::EntityNotFound),
    ] {
        let world = World::new().await;
        let rule = format!(
            r#"{{"name": "refunds", "rules": [
            {{"rule_id": "v", "when": "tool == stripe.refund", "effect": "{effect}"}}]}}"#
        );
        world::publish(&world.driver, &world.owner, &rule).await;
        let mut call = refund(40);
        call.trigger = Some(Trigger {
            source: "stripe".to_owned(),
            id: "evt_1".to_owned(),
        });
        assert_eq!(code(&submit(&world, call).await), Some(expected));
        let without = submit(&world, refund(41)).await;
        assert_eq!(code(&without), Some(expected));
        assert_eq!(world.reached(), 0);
    }
}

#[tokio::test]
async fn a_target_that_changed_goes_back_to_the_approvers_with_the_difference() {
    let world = world(entity(None)).await;
    sees(&world, charge("cust_1", 700, false));
    let pending = submit(&world, refund(640)).await;
    let first = pending.invocation.state.frozen().unwrap().clone();
    assert_eq!(first.snapshot["entity"]["amount"], json!(700));

    // Nothing that is pinned changed: it runs.
    // Something did: it is asked again, and the old decision is void.
    sees(&world, charge("cust_1", 650, false));
    approve(&world, &pending.invocation).await;
    let requeued = now(&world, &pending).await;
    assert_eq!(
        (requeued.status(), world.reached()),
        (Status::PendingApproval, 0)
    );
    let second = requeued.state.frozen().unwrap().clone();
    assert_ne!(second.digest, first.digest);
    let shown: Vec<_> = second
        .drift
        .iter()
        .map(|drift| (drift.field.as_str(), &drift.before, &drift.after))
        .collect();
    assert_eq!(shown, [("entity.amount", &json!(700), &json!(650))]);

    let mut noted = charge("cust_1", 650, false);
    noted["note"] = json!("changed, but nobody pinned it");
    sees(&world, noted);
    approve(&world, &requeued).await;
    let end = now(&world, &pending).await;
    assert_eq!((end.status(), world.reached()), (Status::Succeeded, 1));
}

#[tokio::test]
async fn a_target_that_is_gone_at_thaw_denies() {
    let world = world(entity(None)).await;
    sees(&world, charge("cust_1", 700, false));
    let pending = submit(&world, refund(640)).await;
    sees(&world, charge("cust_1", 700, true));
    approve(&world, &pending.invocation).await;
    let end = now(&world, &pending).await;
    let State::Denied { denial } = &end.state else {
        panic!("{:?}", end.state)
    };
    assert_eq!((denial.code, world.reached()), (Code::EntityMismatch, 0));
}

#[tokio::test]
async fn a_target_that_cannot_be_read_at_thaw_is_read_again_until_it_can_be() {
    let world = world(entity(None)).await;
    sees(&world, charge("cust_1", 700, false));
    let pending = submit(&world, refund(640)).await;
    world.sees(Act::Refuse);
    approve(&world, &pending.invocation).await;
    assert_eq!(now(&world, &pending).await.status(), Status::Approved);
    sees(&world, charge("cust_1", 700, false));
    world.clock.advance(Duration::from_secs(5));
    world.driver.fire_timers().await;
    world.settle_tasks().await;
    assert_eq!(now(&world, &pending).await.status(), Status::Succeeded);
    assert_eq!(world.reached(), 1);
}
