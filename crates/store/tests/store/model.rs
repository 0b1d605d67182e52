//! Random sequences of operations on the store in memory and on SQLite give the same answers.
//!
//! A handful of invocations, keys, names and numbers, so that the operations meet; stale epochs and
//! revisions, broken invocations, a clock that moves, and SQLite closed and opened again in the
//! middle. A failure prints the shortest sequence that shows it, and is kept as a regression.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use toolgate_execution::{Input, Invocation, Status};
use toolgate_gate::port::{
    Change, Clock, Commit, InvocationFilter, InvocationWrite, RecordFilter, Store,
};
use toolgate_model::{Digest, Epoch, Role};
use toolgate_store::conformance::HandClock;
use toolgate_store::conformance::fixture::{
    admitted, after, agent, approval_id, broken, claim, credential, denied, draft, entry, frozen,
    invocation_id, key_id, lost, proposed, publication, record_id, signer, succeeded, thawed,
    voted,
};
use toolgate_store::{MemoryStore, Options, SqliteStore};

/// What is decided at which epoch.
#[derive(Clone, Copy, Debug)]
enum At {
    Any,
    Now,
    Other,
}

/// How an inserted invocation begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    Denied,
    Frozen,
    Executing,
    Broken,
}

#[derive(Clone, Debug)]
enum Op {
    Insert {
        number: u32,
        start: Start,
        key: Option<u8>,
        at: At,
        entries: Vec<u32>,
    },
    Step {
        number: u32,
        late_by: u64,
        key: Option<u8>,
        entries: Vec<u32>,
    },
    Change {
        changes: Vec<Reform>,
        at: At,
        entries: Vec<u32>,
    },
    Touch(Vec<(u32, u32)>),
    Clock(u32),
    Checkpoint,
    Read {
        number: u32,
        key: u8,
        filter: Filter,
    },
    Reopen,
}

#[derive(Clone, Debug)]
enum Reform {
    Agent(u8, bool),
    Credential(u32, bool),
    Draft(u8),
    Set(Vec<(u8, u32)>),
}

/// The axes of both filters, each on or off.
#[derive(Clone, Debug)]
struct Filter {
    tenant: bool,
    agent: bool,
    tool: bool,
    correlation: bool,
    newest: bool,
    statuses: Vec<usize>,
    bound: Option<u32>,
    kind: Option<&'static str>,
    limit: usize,
}

const NUMBERS: std::ops::Range<u32> = 1..6;
const KINDS: [&str; 3] = ["invocation.admitted", "invocation.ended", "key.revoked"];

fn at() -> impl Strategy<Value = At> {
    prop_oneof![4 => Just(At::Any), 3 => Just(At::Now), 1 => Just(At::Other)]
}

fn entries() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..60_u32, 0..3)
}

fn key() -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(0.4, 0..2_u8)
}

fn reform() -> impl Strategy<Value = Reform> {
    prop_oneof![
        (0..3_u8, any::<bool>()).prop_map(|(name, reader)| Reform::Agent(name, reader)),
        (1..4_u32, any::<bool>()).prop_map(|(key, revoked)| Reform::Credential(key, revoked)),
        (0..3_u8).prop_map(Reform::Draft),
        prop::collection::vec((0..3_u8, 0..4_u32), 0..3).prop_map(Reform::Set),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let axes = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    let kinds = prop::sample::select(vec!["", "invocation.", "key.revoked", "%"]);
    (
        axes,
        prop::collection::vec(0..Status::ALL.len(), 0..4),
        prop::option::of(0..7_u32),
        prop::option::of(kinds),
        0..6_usize,
    )
        .prop_map(|(axes, statuses, bound, kind, limit)| Filter {
            tenant: axes.0,
            agent: axes.1,
            tool: axes.2,
            correlation: axes.3,
            newest: axes.4,
            statuses,
            bound,
            kind,
            limit,
        })
}

fn op() -> impl Strategy<Value = Op> {
    let start = prop_oneof![
        1 => Just(Start::Denied),
        2 => Just(Start::Frozen),
        4 => Just(Start::Executing),
        1 => Just(Start::Broken),
    ];
    prop_oneof![
        6 => (NUMBERS, start, key(), at(), entries()).prop_map(|(number, start, key, at, entries)| {
            Op::Insert { number, start, key, at, entries }
        }),
        8 => (NUMBERS, 0..2_u64, key(), entries()).prop_map(|(number, late_by, key, entries)| {
            Op::Step { number, late_by, key, entries }
        }),
        5 => (prop::collection::vec(reform(), 0..4), at(), entries())
            .prop_map(|(changes, at, entries)| Op::Change { changes, at, entries }),
        1 => prop::collection::vec((1..4_u32, 0..9_u32), 0..3).prop_map(Op::Touch),
        2 => (0..3_000_u32).prop_map(Op::Clock),
        1 => Just(Op::Checkpoint),
        6 => (NUMBERS, 0..2_u8, filter())
            .prop_map(|(number, key, filter)| Op::Read { number, key, filter }),
        1 => Just(Op::Reopen),
    ]
}

fn name(of: u8) -> String {
    format!("name_{of}")
}

/// Number 4 and 5 are another agent's, odd ones belong together, and 1 and 2 are the same call.
fn start(number: u32, start: Start) -> Invocation {
    let fresh = proposed(number, |proposal| {
        if number > 3 {
            proposal.agent = "crm_agent".parse().unwrap();
        }
        if number % 2 == 1 {
            proposal.correlation = Some("trip".to_owned());
        }
        if number < 3 {
            proposal.fingerprint = Digest::of(b"same");
        }
    });
    let fresh = fresh.unwrap();
    match start {
        Start::Denied => denied(&fresh),
        Start::Frozen => frozen(&fresh, number),
        Start::Executing => admitted(&fresh),
        Start::Broken => admitted(&fresh).map(|it| broken(&it)),
    }
    .unwrap()
}

/// What comes next in the life of an invocation; one that ended is only written again.
fn next(invocation: &Invocation) -> Invocation {
    let again = || Invocation {
        revision: invocation.revision + 1,
        ..invocation.clone()
    };
    match invocation.status() {
        Status::PendingApproval => voted(invocation, toolgate_execution::Choice::Approve),
        Status::Approved => thawed(invocation),
        Status::Executing if invocation.created_at >= after(3) => lost(invocation),
        Status::Executing => succeeded(invocation),
        Status::UnknownEffect => {
            let ground = "no probe".to_owned();
            let now = invocation.updated_at;
            return invocation
                .step(now, Input::Escalate { ground })
                .unwrap()
                .next;
        }
        _ => return again(),
    }
    .unwrap()
}

async fn epoch(store: &dyn Store, at: At) -> Option<Epoch> {
    let current = store.configuration().await.unwrap().epoch;
    match at {
        At::Any => None,
        At::Now => Some(current),
        At::Other => Some(Epoch(current.0 + 1)),
    }
}

fn records(numbers: &[u32], about: Option<u32>) -> Vec<toolgate_record::Entry> {
    let entry = |number: &u32| toolgate_record::Entry {
        invocation: about.map(invocation_id),
        ..entry(*number, KINDS[*number as usize % KINDS.len()])
    };
    numbers.iter().map(entry).collect()
}

fn change(reform: &Reform) -> Change {
    match reform {
        Reform::Agent(of, reader) => {
            let role = if *reader { Role::Reader } else { Role::Agent };
            Change::Agent(agent(&name(*of), role).unwrap())
        }
        Reform::Credential(number, revoked) => {
            let mut credential = credential(*number).unwrap();
            credential.revoked_at = revoked.then(|| after(1));
            Change::Credential(credential)
        }
        Reform::Draft(of) => Change::PolicyDraft(draft(&name(*of), "text").unwrap()),
        Reform::Set(set) => {
            let named: Vec<_> = set
                .iter()
                .map(|(of, number)| (name(*of), *number))
                .collect();
            let named: Vec<_> = named
                .iter()
                .map(|(of, number)| (of.as_str(), *number))
                .collect();
            publication(&named, 5).unwrap()
        }
    }
}

/// Does it to one store, and says everything that came of it.
async fn perform(store: &dyn Store, op: &Op) -> String {
    match op {
        Op::Insert {
            number,
            start: begin,
            key,
            at,
            entries,
        } => {
            let invocation = start(*number, *begin);
            let commit = Commit {
                epoch: epoch(store, *at).await,
                claim: key.map(|key| claim(&invocation, &name(key), after(2_000))),
                invocation: Some(InvocationWrite {
                    expected: None,
                    next: invocation,
                }),
                entries: records(entries, Some(*number)),
                ..Commit::default()
            };
            format!("{:?}", store.commit(commit).await)
        }
        Op::Step {
            number,
            late_by,
            key,
            entries,
        } => {
            let found = store.invocation(&invocation_id(*number)).await;
            let Ok(Some(now)) = found else {
                return format!("{found:?}");
            };
            let next = next(&now);
            let commit = Commit {
                claim: key.map(|key| claim(&next, &name(key), after(2_000))),
                invocation: Some(InvocationWrite {
                    expected: Some(now.revision.saturating_sub(*late_by)),
                    next,
                }),
                entries: records(entries, Some(*number)),
                ..Commit::default()
            };
            format!("{:?}", store.commit(commit).await)
        }
        Op::Change {
            changes,
            at,
            entries,
        } => {
            let commit = Commit {
                epoch: epoch(store, *at).await,
                changes: changes.iter().map(change).collect(),
                entries: records(entries, None),
                ..Commit::default()
            };
            format!("{:?}", store.commit(commit).await)
        }
        Op::Touch(uses) => {
            let uses = uses.iter().map(|(key, at)| (key_id(*key), after(*at)));
            let done = store.touch(uses.collect()).await;
            format!("{done:?} {:?}", store.last_used().await)
        }
        Op::Checkpoint => format!("{:?}", store.checkpoint().await),
        Op::Read {
            number,
            key,
            filter,
        } => read(store, *number, *key, filter).await,
        Op::Clock(_) | Op::Reopen => String::new(),
    }
}

async fn read(store: &dyn Store, number: u32, key: u8, filter: &Filter) -> String {
    let shape = start(number, Start::Executing);
    let proposal = &shape.proposal;
    let statuses: Vec<_> = filter
        .statuses
        .iter()
        .map(|it| Status::ALL[*it].0)
        .collect();
    let invocations = InvocationFilter {
        tenant: filter.tenant.then(|| proposal.tenant.clone()),
        agent: filter.agent.then(|| proposal.agent.clone()),
        tool: filter.tool.then(|| proposal.tool.clone()),
        correlation: filter.correlation.then(|| "trip".to_owned()),
        statuses: statuses.clone(),
        before: filter.bound.map(invocation_id),
        limit: filter.limit,
    };
    let records = RecordFilter {
        tenant: filter.tenant.then(|| proposal.tenant.clone()),
        invocation: filter.correlation.then(|| shape.id.clone()),
        kind_prefix: filter.kind.map(str::to_owned),
        from: filter.bound.map_or(0, u64::from),
        limit: filter.limit,
        newest: filter.newest,
    };
    let claimed = claim(&shape, &name(key), after(0)).key;
    let same = (&proposal.tenant, &proposal.agent, &proposal.fingerprint);
    let bound = filter.bound.map(invocation_id);
    [
        format!("{:?}", store.invocation(&shape.id).await),
        format!("{:?}", store.by_approval(&approval_id(number)).await),
        format!("{:?}", store.claimed(&claimed).await),
        format!("{:?}", store.by_fingerprint(same, &statuses).await),
        format!("{:?}", store.invocations(invocations).await),
        format!("{:?}", store.unfinished(bound.as_ref(), filter.limit).await),
        format!("{:?}", store.records(records).await),
        format!("{:?}", store.record(&record_id(number)).await),
        format!("{:?}", store.drafts(filter.agent.then_some("name_1")).await),
        format!("{:?}", store.configuration().await),
    ]
    .join("\n")
}

fn open(dir: &Path, clock: &Arc<HandClock>) -> SqliteStore {
    SqliteStore::open(Options {
        dir: dir.to_owned(),
        signer: signer().unwrap(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    })
    .unwrap()
}

async fn compare(ops: &[Op]) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(HandClock::default());
    let memory = MemoryStore::new(signer().unwrap(), Arc::clone(&clock) as Arc<dyn Clock>);
    let mut sqlite = open(dir.path(), &clock);
    for op in ops {
        match op {
            Op::Clock(millis) => clock.set(after(*millis)),
            Op::Reopen => {
                drop(sqlite);
                sqlite = open(dir.path(), &clock);
            }
            _ => {}
        }
        let (ours, theirs) = (perform(&memory, op).await, perform(&sqlite, op).await);
        prop_assert_eq!(ours, theirs, "after {:?}", op);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_give_the_same_answers(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(&ops))?;
    }
}
