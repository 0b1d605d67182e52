//! Durable commits per second through the port, beside the raw flush rate of the same disk.
//!
//! Every round measures a 600-byte append with fdatasync, then commits of one call and its record
//! at 1, 16 and 256 callers, then single reads. A rate on a shared machine says little by itself;
//! the ratio to the disk's own rate of the same round says more.
//!
//! `cargo bench -p toolgate-store --bench commits -- [DIR]`, with a directory on the disk in
//! question; without one, the system's place for temporary files.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark ends where it cannot go on"
)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use toolgate_execution::Invocation;
use toolgate_gate::port::{Commit, Store};
use toolgate_store::conformance::HandClock;
use toolgate_store::conformance::fixture::{
    denied, entry, insertion, invocation_id, proposed, signer,
};
use toolgate_store::{MemoryStore, Options, SqliteStore};

const ROUNDS: usize = 5;
const SLICE: Duration = Duration::from_secs(1);
const CALLERS: [u32; 3] = [1, 16, 256];
const READS: u32 = 5_000;
const CALLS: u32 = 500;

fn main() {
    let base = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let base = base.map_or_else(std::env::temp_dir, PathBuf::from);
    let mut raw = Vec::new();
    let mut sqlite = CALLERS.map(|_| Vec::new());
    let mut memory = CALLERS.map(|_| Vec::new());
    let mut reads = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let dir = tempfile::tempdir_in(&base).unwrap();
        raw.push(flushes(dir.path()));
        let data = dir.path().join("reads");
        let store = open(&data);
        fill(&store);
        reads.0.push(port_reads(&store));
        reads.1.push(direct_reads(&data));
        for (place, callers) in CALLERS.into_iter().enumerate() {
            let data = dir.path().join(callers.to_string());
            let store = open(&data);
            sqlite[place].push(commits(&store, callers));
            let store = MemoryStore::new(signer().unwrap(), Arc::new(HandClock::default()));
            memory[place].push(commits(&store, callers));
        }
    }
    println!(
        "{ROUNDS} rounds of {} s; median [least-most]; one call and one record a commit\n",
        SLICE.as_secs()
    );
    println!("{:<34}{:>10} {:>21}{:>12}", "", "per second", "", "of raw");
    let disk = median(&raw);
    show("600-byte append + fdatasync", &raw, disk);
    for (place, callers) in CALLERS.into_iter().enumerate() {
        show(&format!("SQLite, {callers} callers"), &sqlite[place], disk);
    }
    for (place, callers) in CALLERS.into_iter().enumerate() {
        show(&format!("memory, {callers} callers"), &memory[place], disk);
    }
    show("single reads through the port", &reads.0, disk);
    show("the same on one's own connection", &reads.1, disk);
}

fn show(name: &str, rates: &[f64], disk: f64) {
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    let spread = format!("[{least:.0}-{most:.0}]");
    let middle = median(rates);
    println!(
        "{name:<34}{middle:>10.0} {spread:>21}{:>12.2}",
        middle / disk
    );
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(Options {
        dir: dir.to_owned(),
        signer: signer().unwrap(),
        clock: Arc::new(HandClock::default()),
    })
    .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// What the disk can do: one small append, one flush.
fn flushes(dir: &Path) -> f64 {
    let path = dir.join("raw");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let start = now();
    let mut count = 0;
    while start.elapsed() < SLICE {
        file.write_all(&[7; 600]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}

fn commits(store: &dyn Store, callers: u32) -> f64 {
    let next = AtomicU32::new(0);
    let start = now();
    block_on(join_all((0..callers).map(|_| async {
        while start.elapsed() < SLICE {
            let number = next.fetch_add(1, Ordering::Relaxed);
            store.commit(denial(number)).await.unwrap();
        }
    })));
    f64::from(next.into_inner()) / start.elapsed().as_secs_f64()
}

fn denial(number: u32) -> Commit {
    let call: Invocation = denied(&proposed(number, |_| {}).unwrap()).unwrap();
    let record = toolgate_record::Entry {
        invocation: Some(call.id.clone()),
        ..entry(number, "invocation.denied")
    };
    Commit {
        entries: vec![record],
        ..insertion(&call)
    }
}

fn fill(store: &SqliteStore) {
    block_on(join_all((0..CALLS).map(|number| async move {
        store.commit(denial(number)).await.unwrap();
    })));
}

fn port_reads(store: &SqliteStore) -> f64 {
    let start = now();
    block_on(async {
        for number in 0..READS {
            store
                .invocation(&invocation_id(number % CALLS))
                .await
                .unwrap();
        }
    });
    f64::from(READS) / start.elapsed().as_secs_f64()
}

fn direct_reads(dir: &Path) -> f64 {
    let hand = rusqlite::Connection::open(dir.join("toolgate.db")).unwrap();
    let start = now();
    for number in 0..READS {
        let id = invocation_id(number % CALLS);
        let mut read = hand
            .prepare_cached("SELECT id, body FROM invocations WHERE id = ?1")
            .unwrap();
        let body: String = read.query_row([id.as_str()], |row| row.get(1)).unwrap();
        let call: Invocation = serde_json::from_str(&body).unwrap();
        call.check().unwrap();
    }
    f64::from(READS) / start.elapsed().as_secs_f64()
}
