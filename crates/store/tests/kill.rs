//! `kill -9` at random moments, and what was acknowledged is still there.
//!
//! The test starts itself as a child that commits from several threads and prints every commit it
//! was told of; kills it after some number of lines, which a seed chooses, at times while it is
//! still opening; and opens the same directory again. Each time all that was printed must be there,
//! every commit whole or absent, the log dense, its head the root of its leaves, and the whole of
//! it sound under its checkpoints. `cargo test --test kill -- --seed 7 --kills 200` for more.

#![expect(
    clippy::unwrap_used,
    reason = "a test without the harness that clippy knows tests by"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use toolgate_execution::Invocation;
use toolgate_gate::port::{Commit, Committed, InvocationFilter, RecordFilter, Store};
use toolgate_model::{InvocationId, RecordId};
use toolgate_record::{Entry, Frontier, root_of};
use toolgate_store::audit::Evidence;
use toolgate_store::conformance::HandClock;
use toolgate_store::conformance::fixture::{
    entry, executing, insertion, replacement, signer, succeeded,
};
use toolgate_store::{Options, SqliteStore};

/// Threads that commit.
const THREADS: u32 = 4;

/// Commits after which a child is killed at the latest.
const LINES_MAX: u64 = 300;

/// Calls of one thread of one child; ids of one never meet those of another.
const CALLS_MAX: u32 = 100_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1)?.parse::<u64>().ok()
    };
    match args.as_slice() {
        [child, dir, round] if child == "child" => commit_for_ever(dir, round.parse().unwrap()),
        _ if args.iter().any(|arg| arg == "--list") => {}
        _ => kill_and_look(after("--seed").unwrap_or(1), after("--kills").unwrap_or(30)),
    }
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(Options {
        dir: dir.to_owned(),
        signer: signer().unwrap(),
        clock: Arc::new(HandClock::default()),
    })
    .unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}

/// The child: admits and settles calls, and prints each commit once it is told of it.
fn commit_for_ever(dir: &str, round: u32) {
    println!("opening");
    let store = open(Path::new(dir));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                let first = (round * THREADS + thread) * CALLS_MAX;
                block_on(async {
                    for number in first..first + CALLS_MAX {
                        call(store, number).await;
                    }
                });
            });
        }
    });
}

async fn call(store: &SqliteStore, number: u32) {
    let running = executing(number).unwrap();
    let admission = Commit {
        entries: vec![about(&running, number, 0), about(&running, number, 1)],
        ..insertion(&running)
    };
    say(&running, &store.commit(admission).await.unwrap());
    let ended = succeeded(&running).unwrap();
    let outcome = Commit {
        entries: vec![about(&ended, number, 2)],
        ..replacement(running.revision, &ended)
    };
    say(&ended, &store.commit(outcome).await.unwrap());
}

fn about(invocation: &Invocation, number: u32, part: u32) -> Entry {
    Entry {
        invocation: Some(invocation.id.clone()),
        ..entry(number * 3 + part, "invocation.stepped")
    }
}

/// One line, written at once: `inv_… revision evt_…=index evt_…=index`.
fn say(invocation: &Invocation, committed: &Committed) {
    let records = committed.records.iter().map(|record| {
        let id = record.entry().unwrap().id;
        format!(" {id}={}", record.index)
    });
    let line: String = records.collect();
    println!("{} {}{line}", invocation.id, invocation.revision);
}

/// What one line said.
struct Acknowledged {
    invocation: InvocationId,
    revision: u64,
    records: Vec<(RecordId, u64)>,
}

fn kill_and_look(seed: u64, kills: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut chance = Chance(seed);
    let mut acknowledged = Vec::new();
    for round in 0..kills {
        let lines = chance.below(LINES_MAX);
        acknowledged.extend(run_and_kill(dir.path(), round, lines));
        let count = acknowledged.len();
        let context = format!(
            "seed {seed}, kill {round} after {lines} lines, {count} acknowledged; \
             again with `cargo test -p toolgate-store --test kill -- --seed {seed}`"
        );
        look(dir.path(), &acknowledged, &context);
        kill_while_it_is_made(&mut chance, seed);
    }
    println!(
        "kill: {kills} kills, {} acknowledged commits, none lost",
        acknowledged.len()
    );
    assert!(
        acknowledged.len() as u64 > kills,
        "hardly anything was committed"
    );
}

/// A store that was never whole yet: killed while it is being made, and opened again.
fn kill_while_it_is_made(chance: &mut Chance, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let turns = chance.below(4_000);
    let mut child = start(dir.path(), 0);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    // Each turn is a moment longer; there is nothing to wait for.
    (0..turns).for_each(|_| std::thread::yield_now());
    child.kill().unwrap();
    child.wait().unwrap();
    look(
        dir.path(),
        &[],
        &format!("seed {seed}, killed {turns} turns into the making"),
    );
}

fn start(dir: &Path, round: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", dir.to_str().unwrap(), &round.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run_and_kill(dir: &Path, round: u64, lines: u64) -> Vec<Acknowledged> {
    let mut child = start(dir, round);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    let mut line = String::new();
    let mut killed = false;
    // What is in the pipe when it dies was acknowledged too, so reading goes on to the end.
    loop {
        if !killed && said.len() as u64 > lines {
            child.kill().unwrap();
            killed = true;
        }
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        said.push(line.clone());
    }
    assert!(
        killed,
        "the child of round {round} ended by itself, after {} lines",
        said.len()
    );
    child.wait().unwrap();
    let whole = said.iter().filter(|line| line.ends_with('\n'));
    whole
        .filter(|line| *line != "opening\n")
        .map(|line| parse(line))
        .collect()
}

fn parse(line: &str) -> Acknowledged {
    let mut words = line.split_whitespace();
    let mut next = || words.next().unwrap();
    let (invocation, revision) = (next().parse().unwrap(), next().parse().unwrap());
    let record = |word: &str| {
        let (id, index) = word.split_once('=').unwrap();
        (id.parse().unwrap(), index.parse().unwrap())
    };
    Acknowledged {
        invocation,
        revision,
        records: words.map(record).collect(),
    }
}

fn look(dir: &Path, acknowledged: &[Acknowledged], context: &str) {
    let store = open(dir);
    block_on(async {
        for commit in acknowledged {
            let id = &commit.invocation;
            let found = store.invocation(id).await.unwrap();
            let kept = found.is_some_and(|it| it.revision >= commit.revision);
            assert!(
                kept,
                "{id} at revision {} is lost: {context}",
                commit.revision
            );
            for (id, index) in &commit.records {
                let record = store.record(id).await.unwrap();
                let kept = record.is_some_and(|it| it.index == *index);
                assert!(kept, "{id} at {index} is lost: {context}");
            }
        }
        whole(&store, context).await;
    });
    fits_its_head(dir, context);
    drop(store);
    let evidence = Evidence::open(dir).unwrap();
    let report = evidence.verify(signer().unwrap().verifier()).unwrap();
    // Nothing at all, if no child came as far as its first commit.
    assert!(report.is_sound(), "{:?}: {context}", report.findings);
    assert_eq!(report.unsigned_tail, 0, "{context}");
}

/// Every commit wrote all that belongs to it, or nothing.
async fn whole(store: &SqliteStore, context: &str) {
    let all = RecordFilter {
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let mut steps = std::collections::BTreeMap::<InvocationId, u64>::new();
    for (place, record) in (0..).zip(store.records(all).await.unwrap()) {
        assert_eq!(record.index, place, "{context}");
        *steps
            .entry(record.entry().unwrap().invocation.unwrap())
            .or_default() += 1;
    }
    let calls = InvocationFilter {
        limit: usize::MAX,
        ..InvocationFilter::default()
    };
    let calls = store.invocations(calls).await.unwrap();
    assert_eq!(calls.len(), steps.len(), "{context}");
    for call in calls {
        // Two records at the admission, which is revision 1, and one more with the outcome.
        let expected = call.revision + 1;
        assert_eq!(
            steps.get(&call.id),
            Some(&expected),
            "{}: {context}",
            call.id
        );
    }
}

fn fits_its_head(dir: &Path, context: &str) {
    let hand = rusqlite::Connection::open(dir.join("toolgate.db")).unwrap();
    let head = hand.query_row("SELECT size, frontier, root FROM head", [], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, Vec<u8>>(1)?,
            row.get::<_, [u8; 32]>(2)?,
        ))
    });
    let (size, frontier, root) = head.unwrap();
    let frontier = Frontier::from_bytes(&frontier).unwrap();
    let mut leaves = hand
        .prepare("SELECT leaf FROM records ORDER BY idx")
        .unwrap();
    let leaves = leaves
        .query_map([], |row| row.get::<_, [u8; 32]>(0))
        .unwrap();
    let leaves: Vec<_> = leaves
        .map(|leaf| toolgate_model::Digest::from_bytes(leaf.unwrap()))
        .collect();
    assert_eq!(size as usize, leaves.len(), "{context}");
    assert_eq!(frontier.size() as usize, leaves.len(), "{context}");
    assert_eq!(frontier.root(), root_of(leaves), "{context}");
    assert_eq!(frontier.root().as_bytes(), &root, "{context}");
}

/// Numbers that a seed makes again (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
