//! A copy of a store is tampered with in every way that leaves the file readable, and the place of
//! it is named. A copy that nobody touched is sound, however it was made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use toolgate_gate::port::Store as _;
use toolgate_record::{Place, Problem, Report, Verifier};
use toolgate_store::audit::{AuditError, Evidence};
use toolgate_store::conformance::HandClock;
use toolgate_store::conformance::fixture::{appending, entry, signer};
use toolgate_store::{Options, SqliteStore};

/// Records in the log, a checkpoint after every eighth.
const RECORDS: u32 = 40;

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(Options {
        dir: dir.to_owned(),
        signer: signer().unwrap(),
        clock: Arc::new(HandClock::default()),
    })
    .unwrap()
}

async fn fill(store: &SqliteStore) {
    for number in 1..=RECORDS {
        let commit = appending(vec![entry(number, "invocation.denied")]);
        store.commit(commit).await.unwrap();
        if number % 8 == 0 {
            store.checkpoint().await.unwrap();
        }
    }
}

fn verify(at: &Path) -> Report {
    let key: Verifier = signer().unwrap().verifier().clone();
    Evidence::open(at).unwrap().verify(&key).unwrap()
}

/// A copy of the file alone, as it was left by a gate that was stopped.
fn copy(dir: &Path, name: &str) -> PathBuf {
    let to = dir.join(name);
    std::fs::create_dir(&to).unwrap();
    std::fs::copy(dir.join("data/toolgate.db"), to.join("toolgate.db")).unwrap();
    to
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_copy_nobody_touched_is_sound_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir.path().join("data"))).await;
    let copy = copy(dir.path(), "a copy? 100% #1");
    let before = std::fs::read(copy.join("toolgate.db")).unwrap();
    let report = verify(&copy);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.records, u64::from(RECORDS));
    assert_eq!(report.size_confirmed, u64::from(RECORDS));
    assert_eq!(
        verify(&copy.join("toolgate.db")),
        report,
        "the file itself may be named"
    );
    assert_eq!(
        files(&copy),
        ["toolgate.db"],
        "something was left beside it"
    );
    assert_eq!(std::fs::read(copy.join("toolgate.db")).unwrap(), before);
}

#[tokio::test]
async fn a_running_gate_and_one_that_was_killed_can_be_checked() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = open(&data);
    fill(&store).await;
    let report = verify(&data);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.records, u64::from(RECORDS));
    // As a kill leaves it: what was committed is still in the write-ahead log.
    let killed = copy(dir.path(), "killed");
    assert!(
        verify(&killed).records < u64::from(RECORDS),
        "the copy proves nothing"
    );
    std::fs::copy(data.join("toolgate.db-wal"), killed.join("toolgate.db-wal")).unwrap();
    assert_eq!(verify(&killed), report);
    drop(store);
}

#[tokio::test]
async fn while_it_is_checked_no_gate_starts_on_it() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path())).await;
    let evidence = Evidence::open(dir.path()).unwrap();
    let options = Options {
        dir: dir.path().to_owned(),
        signer: signer().unwrap(),
        clock: Arc::new(HandClock::default()),
    };
    assert!(SqliteStore::open(options).is_err());
    drop(evidence);
    open(dir.path());
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Evidence::open(dir.path()),
        Err(AuditError::NoStore { .. })
    ));
    std::fs::write(
        dir.path().join("toolgate.db"),
        "not a database, not at all".repeat(99),
    )
    .unwrap();
    let Err(error) = Evidence::open(dir.path()) else {
        panic!("it was opened");
    };
    assert!(
        error.to_string().contains("cannot be read as a store"),
        "{error}"
    );
}

#[tokio::test]
async fn another_key_confirms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path())).await;
    let other = toolgate_record::Signer::from_seed("gate.test/log", [8; 32]).unwrap();
    let report = Evidence::open(dir.path())
        .unwrap()
        .verify(other.verifier())
        .unwrap();
    assert!(
        !report.is_sound() && report.size_confirmed == 0,
        "{report:?}"
    );
}

#[tokio::test]
async fn every_way_of_tampering_is_found_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir.path().join("data"))).await;
    let records = |from, to| Place::Records { from, to };
    let at = Place::record;
    for (name, sql, place, problem) in [
        (
            "a flipped byte",
            "UPDATE records SET bytes = replace(bytes, 'denied', 'allowd') WHERE idx = 13",
            at(13),
            Problem::BytesChanged,
        ),
        (
            "a changed leaf",
            "UPDATE records SET leaf = zeroblob(32) WHERE idx = 13",
            at(13),
            Problem::BytesChanged,
        ),
        (
            "a leaf that is none",
            "UPDATE records SET leaf = x'00' WHERE idx = 13",
            at(13),
            Problem::BytesChanged,
        ),
        (
            "a dropped record",
            "DELETE FROM records WHERE idx = 20",
            at(20),
            Problem::Missing,
        ),
        (
            "a dropped range",
            "DELETE FROM records WHERE idx BETWEEN 20 AND 25",
            records(20, 25),
            Problem::Missing,
        ),
        (
            "a dropped record, with the gap closed",
            "DELETE FROM records WHERE idx = 20;
             UPDATE records SET idx = -idx + 1 WHERE idx > 20;
             UPDATE records SET idx = -idx WHERE idx < 0",
            records(20, 38),
            Problem::Misplaced { shift: 1 },
        ),
        (
            "an inserted record",
            "UPDATE records SET idx = -idx - 1 WHERE idx >= 30;
             UPDATE records SET idx = -idx WHERE idx < 0;
             INSERT INTO records (idx, bytes, leaf) SELECT 30, bytes, leaf FROM records WHERE idx = 5",
            at(30),
            Problem::Misplaced { shift: -25 },
        ),
        (
            "two records in each other's place",
            "UPDATE records SET idx = 1000 WHERE idx = 3;
             UPDATE records SET idx = 3 WHERE idx = 4;
             UPDATE records SET idx = 4 WHERE idx = 1000",
            at(3),
            Problem::Misplaced { shift: 1 },
        ),
        (
            "a cut tail",
            "DELETE FROM records WHERE idx >= 35",
            records(35, 39),
            Problem::Truncated,
        ),
        (
            "a dropped log",
            "DELETE FROM records",
            records(0, 39),
            Problem::Truncated,
        ),
        (
            "no checkpoints",
            "DELETE FROM checkpoints",
            Place::Log,
            Problem::Unsigned,
        ),
    ] {
        let copy = copy(dir.path(), name);
        let hand = Connection::open(copy.join("toolgate.db")).unwrap();
        hand.execute_batch(sql).unwrap();
        drop(hand);
        let report = verify(&copy);
        assert!(!report.is_sound(), "{name} went unnoticed");
        let found = report.findings.iter().any(|it| it.place == place && it.problem == problem);
        assert!(found, "{name}: {:?}", report.findings);
    }
}

#[tokio::test]
async fn a_rewritten_record_with_a_fitting_leaf_is_found_between_two_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(&dir.path().join("data"))).await;
    let copy = copy(dir.path(), "rewritten");
    let mut lie = entry(14, "invocation.succeeded");
    lie.data.insert("amount".to_owned(), 1.into());
    let lie = lie.seal(13).unwrap();
    let hand = Connection::open(copy.join("toolgate.db")).unwrap();
    hand.execute(
        "UPDATE records SET bytes = ?1, leaf = ?2 WHERE idx = 13",
        (lie.text(), lie.leaf.as_bytes()),
    )
    .unwrap();
    drop(hand);
    let report = verify(&copy);
    let place = Place::Records { from: 8, to: 15 };
    let found = report.findings.iter().any(|it| it.place == place);
    assert!(found && !report.is_sound(), "{:?}", report.findings);
}
