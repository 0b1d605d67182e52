//! Rules that open incidents: one for each rule and agent, in the commit that decides.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_driver::Failed;
use toolgate_gate::Settings;
use toolgate_gate::incident::{Incident, IncidentEdit, IncidentFilter, IncidentState};
use toolgate_gate::port::RecordFilter;
use toolgate_model::{Call, Code, Mode, Risk};
use toolgate_store::MemoryStore;
use toolgate_store::faulty::{Fault, FaultyStore};

use crate::world::{Act, World, publish};

/// Large refunds are denied by one rule and open an incident by another; lookups open one beside
/// running; what a lookup says may open one too.
const RULES: &str = r#"{"name": "refunds", "rules": [
  {"rule_id": "no", "match": {"tools": ["stripe.refund"]}, "when": "amount > 500", "effect": "deny"},
  {"rule_id": "large", "match": {"tools": ["stripe.refund"]}, "when": "amount > 500",
   "effect": "open_incident"},
  {"rule_id": "look", "match": {"tools": ["stripe.lookup"]}, "when": "charge == ch_odd",
   "effect": "open_incident"},
  {"rule_id": "leak", "on": "result", "match": {"tools": ["stripe.lookup"]},
   "condition": {"body_contains_any": ["internal only"]}, "effect": "open_incident"}
]}"#;

async fn world() -> World {
    let world = World::new().await;
    publish(&world.driver, &world.owner, RULES).await;
    world
}

async fn incidents(world: &World) -> Vec<Incident> {
    let all = IncidentFilter {
        limit: 100,
        ..IncidentFilter::default()
    };
    world.driver.incidents(&world.owner, all).await.unwrap()
}

/// The records of this kind.
async fn records(world: &World, kind: &str) -> Vec<Value> {
    let filter = RecordFilter {
        kind_prefix: Some(kind.to_owned()),
        limit: 100,
        ..RecordFilter::default()
    };
    let records = world.store.records(filter).await.unwrap();
    let data = |record: &toolgate_record::Record| Value::Object(record.entry().unwrap().data);
    records.iter().map(data).collect()
}

async fn large(world: &World, charge: &str) -> toolgate_driver::Outcome {
    world
        .call("stripe.refund", json!({"amount": 900, "charge": charge}))
        .await
}

async fn edit(world: &World, seen: &Incident, edit: IncidentEdit) -> Result<Incident, Failed> {
    let change = (seen.revision, edit);
    world
        .driver
        .edit_incident(&world.approver, &seen.id, change)
        .await
}

#[tokio::test]
async fn the_first_match_opens_an_incident_and_the_next_are_counted_in_it() {
    let world = world().await;
    let first = large(&world, "ch_1").await;
    assert_eq!(
        first
            .invocation
            .proposal
            .decision
            .denial
            .as_ref()
            .unwrap()
            .code,
        Code::PolicyDenied
    );
    large(&world, "ch_2").await;
    let last = large(&world, "ch_3").await;
    let all = incidents(&world).await;
    let [only] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(
        (only.rule.to_string().as_str(), only.count),
        ("refunds/large", 3)
    );
    assert_eq!(
        (only.agent.as_str(), only.tool.as_str()),
        ("billing_agent", "stripe.refund")
    );
    assert_eq!(
        (only.state, only.severity),
        (IncidentState::Open, Risk::Medium)
    );
    assert_eq!(only.first.invocation, first.invocation.id);
    assert_eq!(only.last.invocation, last.invocation.id);
    let opened = records(&world, "incident.").await;
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0]["incident"], json!(only.id));
    let denied = records(&world, "invocation.denied").await;
    assert_eq!(denied.len(), 3);
    for record in denied {
        assert_eq!(record["incidents"], json!([only.id]));
    }
}

#[tokio::test]
async fn a_call_that_runs_opens_one_beside_and_what_is_only_tried_opens_none() {
    let world = world().await;
    let arguments = json!({"charge": "ch_odd"});
    let tried = |mode| Call {
        mode,
        ..Call::new("stripe.lookup".parse().unwrap(), arguments.clone())
    };
    let submit = |call| world.driver.submit(&world.agent, call, Default::default());
    submit(tried(Mode::Simulate)).await;
    assert_eq!(incidents(&world).await, []);
    submit(tried(Mode::Execute)).await;
    assert_eq!(world.reached(), 1);
    submit(tried(Mode::Decide)).await;
    let all = incidents(&world).await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].rule.rule.as_str(), all[0].count, all[0].severity),
        ("look", 2, Risk::Low)
    );
}

#[tokio::test]
async fn what_a_tool_returns_opens_one_with_the_commit_of_its_outcome() {
    let world = world().await;
    world.next(Act::Return(
        json!({"content": [{"type": "text", "text": "Internal only"}]}),
    ));
    let outcome = world.call("stripe.lookup", json!({"charge": "ch_1"})).await;
    let all = incidents(&world).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].rule.rule, "leak");
    assert_eq!(all[0].first.invocation, outcome.invocation.id);
    let ended = records(&world, "invocation.succeeded").await;
    assert_eq!(ended[0]["incidents"], json!([all[0].id]));
}

#[tokio::test]
async fn a_closed_incident_stays_closed_and_the_next_match_opens_another() {
    let world = world().await;
    large(&world, "ch_1").await;
    let first = incidents(&world).await.remove(0);
    let looked = IncidentEdit {
        state: Some(IncidentState::Investigating),
        severity: Some(Risk::Critical),
        note: None,
    };
    let taken = edit(&world, &first, looked.clone()).await.unwrap();
    assert_eq!(
        (taken.state, taken.severity),
        (IncidentState::Investigating, Risk::Critical)
    );
    let stale = edit(&world, &first, looked.clone()).await;
    assert!(matches!(stale, Err(Failed::Conflict { .. })));
    large(&world, "ch_2").await;
    let closing = IncidentEdit {
        state: Some(IncidentState::Closed),
        note: Some("a test account".to_owned()),
        ..IncidentEdit::default()
    };
    // What was counted meanwhile does not stand in the way.
    let closed = edit(&world, &taken, closing).await.unwrap();
    assert_eq!((closed.state, closed.count), (IncidentState::Closed, 2));
    assert!(edit(&world, &closed, looked).await.is_err());
    large(&world, "ch_3").await;
    let all = incidents(&world).await;
    let shown: Vec<_> = all.iter().map(|it| (it.state, it.count)).collect();
    assert_eq!(
        shown,
        [(IncidentState::Open, 1), (IncidentState::Closed, 2)]
    );
    let told: Vec<_> = records(&world, "incident.closed").await;
    assert_eq!(told[0]["note"], "a test account");
    assert_eq!(records(&world, "incident.updated").await.len(), 1);
}

#[tokio::test]
async fn who_may_not_decide_approvals_changes_no_incident() {
    let world = world().await;
    large(&world, "ch_1").await;
    let first = incidents(&world).await.remove(0);
    let agent = toolgate_gate::Caller::Agent(world.agent.clone());
    let edit = (0, IncidentEdit::default());
    let refused = world.driver.edit_incident(&agent, &first.id, edit).await;
    assert!(matches!(refused, Err(Failed::Forbidden { .. })));
    let listed = world
        .driver
        .incidents(&agent, IncidentFilter::default())
        .await;
    assert!(matches!(listed, Err(Failed::Forbidden { .. })));
}

#[tokio::test]
async fn two_nodes_that_want_the_same_incident_at_once_share_it() {
    let world = world().await;
    let other = World::beside(&world).await;
    let calls = (0..8).map(|n| {
        let world = if n % 2 == 0 { &world } else { &other };
        async move { large(world, &format!("ch_{n}")).await }
    });
    let outcomes = futures_util::future::join_all(calls).await;
    for outcome in outcomes {
        let denial = outcome.invocation.proposal.decision.denial.clone().unwrap();
        assert_eq!(denial.code, Code::PolicyDenied);
    }
    let all = incidents(&world).await;
    assert_eq!(all.iter().map(|it| it.count).collect::<Vec<_>>(), [8]);
    assert_eq!(records(&world, "incident.opened").await.len(), 1);
}

/// A large refund on another node, whose store refuses one operation after the node was opened.
/// Says whether that operation came.
async fn refused_at(after_opening: u64) -> bool {
    let clock = Arc::new(crate::world::HandClock::default());
    let signer = toolgate_record::Signer::from_seed("toolgate.test/log", [7; 32]).unwrap();
    let inner: Arc<MemoryStore> = Arc::new(MemoryStore::new(signer, clock.clone()));
    let world = World::on(inner.clone(), clock, Settings::default()).await;
    publish(&world.driver, &world.owner, RULES).await;
    let opening = Arc::new(FaultyStore::new(inner.clone(), Fault::None));
    let world = World {
        store: opening.clone(),
        ..world
    };
    let _counted = World::beside(&world).await;
    let at = opening.operations() + after_opening;
    let faulty = Arc::new(FaultyStore::new(inner.clone(), Fault::Before(at)));
    let world = World {
        store: faulty.clone(),
        ..world
    };
    large(&World::beside(&world).await, "ch_1").await;
    let clean = World {
        store: inner,
        ..world
    };
    let all = incidents(&clean).await;
    let denied = records(&clean, "invocation.denied").await;
    let noted = denied
        .iter()
        .filter(|record| record.get("incidents").is_some());
    assert_eq!(all.len(), noted.count(), "operation {at}");
    faulty.operations() >= at
}

#[tokio::test]
async fn whatever_the_store_refuses_an_incident_is_there_exactly_if_its_denial_is() {
    let mut after = 1;
    while refused_at(after).await {
        after += 1;
        assert!(after < 50, "the call never got through");
    }
    assert!(after > 2, "the read and the commit were each refused once");
}
