//! What changes between approval and run stops the call: each kind of change, one at a time, while
//! people are deciding and after they decided.

use serde_json::json;
use toolgate_execution::{Choice, State, Status};
use toolgate_model::{Code, Descriptor, Duration, Lifecycle, Profile, Timestamp};

use crate::world::{self, World, publish};

/// One change of the world.
#[derive(Clone, Copy, Debug)]
enum Change {
    PolicyDenies,
    MoreApprovers,
    KeyRevoked,
    AgentSuspended,
    GrantGone,
    ToolDisabled,
    ToolGone,
    VersionChanged,
    TimeoutChanged,
    SchemaForbids,
}

/// What becomes of the approved call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Denied(Code),
    AskedAgain(&'static str),
}

const CASES: [(Change, End); 10] = [
    (Change::PolicyDenies, End::Denied(Code::PolicyDenied)),
    (Change::MoreApprovers, End::AskedAgain("approvers")),
    (Change::KeyRevoked, End::Denied(Code::CredentialRevoked)),
    (Change::AgentSuspended, End::Denied(Code::CredentialRevoked)),
    (Change::GrantGone, End::Denied(Code::NotGranted)),
    (Change::ToolDisabled, End::Denied(Code::ToolDisabled)),
    (Change::ToolGone, End::Denied(Code::ToolNotFound)),
    (Change::VersionChanged, End::AskedAgain("version")),
    (Change::TimeoutChanged, End::AskedAgain("descriptor")),
    (Change::SchemaForbids, End::Denied(Code::InvalidArguments)),
];

/// Makes the change.
async fn change(world: &World, change: Change) {
    let driver = &world.driver;
    let rule = |body: &str| format!(r#"{{"name": "refunds", "rules": [{body}]}}"#);
    match change {
        Change::PolicyDenies => {
            let deny = r#"{"match": {"tools": ["stripe.refund"]}, "effect": "deny"}"#;
            publish(driver, &world.owner, &rule(deny)).await;
        }
        Change::MoreApprovers => {
            let two = r#"{"rule_id": "big", "when": "amount > 500", "effect": "require_approval", "quorum": 2}"#;
            publish(driver, &world.owner, &rule(two)).await;
        }
        Change::KeyRevoked => {
            let id = &world.agent.credential.id;
            driver.revoke_key(&world.owner, id).await.unwrap();
        }
        Change::AgentSuspended => {
            let id = world::id("billing_agent");
            driver.suspend_agent(&world.owner, &id).await.unwrap();
        }
        Change::GrantGone => {
            let mut narrower = world::billing_agent();
            narrower.profile = Profile::Scoped { grants: Vec::new() };
            driver.put_agent(&world.owner, narrower).await.unwrap();
        }
        Change::ToolDisabled => tool(world, |tool| tool.lifecycle = Lifecycle::Disabled),
        Change::ToolGone => world.offer(Vec::new()),
        Change::VersionChanged => tool(world, |tool| tool.version = "1.0.1".to_owned()),
        Change::TimeoutChanged => tool(world, |tool| tool.timeout = Duration::from_secs(60)),
        Change::SchemaForbids => tool(world, |tool| {
            tool.input_schema = json!({"type": "object", "required": ["reason"]});
        }),
    }
}

/// From now on the tool is another one.
fn tool(world: &World, edit: impl Fn(&mut Descriptor)) {
    let catalogue = world.tools.catalogue.lock().unwrap().clone();
    let changed = catalogue.iter().map(|known| {
        let mut tool = known.as_ref().clone();
        if tool.id.as_str() == "stripe.refund" {
            edit(&mut tool);
        }
        tool
    });
    let changed = changed.collect();
    world.offer(changed);
}

#[tokio::test]
async fn what_changes_between_approval_and_run_stops_the_call() {
    for (what, end) in CASES {
        let world = World::new().await;
        let pending = world.call("stripe.refund", json!({"amount": 640})).await;
        let frozen = pending.invocation.state.frozen().unwrap().clone();
        // Long after the start: what is missing now is gone, and not merely late.
        world.clock.advance(Duration::from_secs(61));
        change(&world, what).await;
        let approve = (frozen.digest, Choice::Approve, None);
        let decided = world
            .driver
            .decide_approval(&world.approver, &frozen.approval, approve)
            .await;
        decided.unwrap();
        world.settle_tasks().await;
        let id = &pending.invocation.id;
        let at = Timestamp::from_millis(0);
        let now = world.driver.wait(id, at).await.unwrap();
        let found = match &now.state {
            State::Denied { denial } => End::Denied(denial.code),
            State::PendingApproval { frozen: fresh, .. } => {
                assert_ne!(fresh.digest, frozen.digest, "{what:?}");
                assert_eq!(fresh.requeues, 1, "{what:?}");
                let End::AskedAgain(field) = end else {
                    panic!("{what:?} asked again: {:?}", fresh.drift)
                };
                let named = fresh.drift.iter().any(|drift| drift.field == field);
                assert!(named, "{what:?}: {:?}", fresh.drift);
                end
            }
            other => panic!("{what:?}: {other:?}"),
        };
        assert_eq!((found, world.reached()), (end, 0), "{what:?}");
    }
}

#[tokio::test]
async fn nobody_decides_for_a_while_and_others_may() {
    let settings = toolgate_gate::Settings {
        escalation: Some((Duration::from_secs(3_600), vec!["owner".to_owned()])),
        ..Default::default()
    };
    let world = World::with(settings).await;
    let named = r#"{"name": "refunds", "rules": [{"rule_id": "big", "when": "amount > 500",
        "effect": "require_approval", "approvers": ["approver"]}]}"#;
    publish(&world.driver, &world.owner, named).await;
    let pending = world.call("stripe.refund", json!({"amount": 640})).await;
    let frozen = pending.invocation.state.frozen().unwrap().clone();
    let approve = || (frozen.digest, Choice::Approve, None);
    let early = world
        .driver
        .decide_approval(&world.owner, &frozen.approval, approve())
        .await;
    let Err(toolgate_driver::Failed::Refused(refusal)) = early else {
        panic!("the owner is not asked yet")
    };
    assert_eq!(refusal.code(), Code::NotEligible);
    world.clock.advance(Duration::from_secs(3_600));
    world.driver.fire_timers().await;
    let filter = toolgate_gate::port::RecordFilter {
        kind_prefix: Some("approval.escalated".to_owned()),
        limit: 10,
        ..Default::default()
    };
    assert_eq!(world.store.records(filter).await.unwrap().len(), 1);
    let late = world
        .driver
        .decide_approval(&world.owner, &frozen.approval, approve())
        .await;
    let late = late.unwrap().invocation;
    assert_eq!(late.status(), Status::Approved);
    // It runs on the word of whoever was asked later; it does not go back to those who were silent.
    world.settle_tasks().await;
    let ran = world.store.invocation(&late.id).await.unwrap().unwrap();
    assert_eq!((ran.status(), world.reached()), (Status::Succeeded, 1));
}
