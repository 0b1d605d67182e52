//! What only a store on a disk can do or suffer: restarts, a second process, a disk that refuses,
//! rows that somebody edited, backups, and many threads at once.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use rusqlite::Connection;
use toolgate_gate::port::{Clock, Commit, CommitError, InvocationFilter, RecordFilter, Store};
use toolgate_model::Epoch;
use toolgate_record::{Checkpoint, Verifier, root_of};
use toolgate_store::audit::Evidence;
use toolgate_store::conformance::HandClock;
use toolgate_store::conformance::fixture::{
    after, agent, appending, entry, executing, insertion, invocation_id, signer,
};
use toolgate_store::{OpenError, Options, SqliteStore};

fn options(dir: &Path, clock: &Arc<HandClock>) -> Options {
    Options {
        dir: dir.to_owned(),
        signer: signer().unwrap(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    }
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(options(dir, &Arc::default())).unwrap()
}

/// Somebody else's hand on the file.
fn other(dir: &Path) -> Connection {
    Connection::open(dir.join("toolgate.db")).unwrap()
}

async fn append(store: &SqliteStore, number: u32) -> Result<u64, CommitError> {
    let commit = appending(vec![entry(number, "key.created")]);
    let committed = store.commit(commit).await?;
    Ok(committed.records[0].index)
}

async fn places(store: &SqliteStore) -> Vec<u64> {
    let filter = RecordFilter {
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let records = store.records(filter).await.unwrap();
    records.iter().map(|it| it.index).collect()
}

async fn signed(store: &SqliteStore) -> Vec<u64> {
    let key = Verifier::parse(&store.verifier_key()).unwrap();
    let notes = store.checkpoints(0).await.unwrap();
    let open = |note: &String| Checkpoint::open(note, &key).unwrap().size;
    notes.iter().map(open).collect()
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let commit = Commit {
        changes: vec![toolgate_gate::port::Change::Agent(
            agent("billing_agent", toolgate_model::Role::Agent).unwrap(),
        )],
        entries: vec![entry(1, "agent.created")],
        ..insertion(&executing(1).unwrap())
    };
    store.commit(commit).await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.configuration().await.unwrap().epoch, Epoch(1));
    let found = store.invocation(&invocation_id(1)).await.unwrap();
    assert_eq!(found, Some(executing(1).unwrap()));
    assert_eq!(append(&store, 2).await.unwrap(), 1);
}

#[tokio::test]
async fn a_directory_has_one_holder() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let Err(second) = SqliteStore::open(options(dir.path(), &Arc::default())) else {
        panic!("two stores are open on one directory");
    };
    assert!(matches!(second, OpenError::InUse { .. }), "{second}");
    let said = second.to_string();
    assert!(
        said.contains(dir.path().to_str().unwrap()) && said.contains("stop"),
        "{said}"
    );
    first.close();
    // Closed is not yet let go: the lock is the store's for as long as it lives.
    assert!(SqliteStore::open(options(dir.path(), &Arc::default())).is_err());
    drop(first);
    open(dir.path());
}

#[tokio::test]
async fn a_write_that_fails_poisons_the_store_until_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, 1).await.unwrap();
    let hand = other(dir.path());
    hand.execute_batch("BEGIN IMMEDIATE").unwrap();
    let group = join_all((2..40).map(|number| append(&store, number))).await;
    for refusal in group {
        let Err(CommitError::Unavailable(error)) = refusal else {
            panic!("a commit was answered: {refusal:?}");
        };
        assert!(error.detail.contains("poisoned"), "{error}");
        assert!(error.detail.contains("restart"), "{error}");
    }
    // The disk is well again, and still nothing is written on the same handle.
    hand.execute_batch("ROLLBACK").unwrap();
    let Err(CommitError::Unavailable(error)) = append(&store, 50).await else {
        panic!("a poisoned store took a commit");
    };
    assert!(
        error.detail.contains("database is locked"),
        "the cause is lost: {error}"
    );
    assert!(store.checkpoint().await.is_err());
    assert!(store.touch(Vec::new()).await.is_err());
    assert_eq!(places(&store).await, [0], "reads go on");
    drop(store);
    let store = open(dir.path());
    assert_eq!(append(&store, 60).await.unwrap(), 1);
}

#[tokio::test]
async fn a_commit_that_fails_half_way_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, 1).await.unwrap();
    // Something in the way of the last step of a commit, which is the record.
    let hand = other(dir.path());
    hand.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT raise(FAIL, 'disk full'); END",
    )
    .unwrap();
    let commit = Commit {
        entries: vec![entry(2, "invocation.admitted")],
        ..insertion(&executing(1).unwrap())
    };
    let Err(CommitError::Unavailable(error)) = store.commit(commit).await else {
        panic!("a commit without its record was answered");
    };
    assert!(error.detail.contains("disk full"), "{error}");
    hand.execute_batch("DROP TRIGGER full").unwrap();
    drop(store);
    let store = open(dir.path());
    let found = store.invocation(&invocation_id(1)).await.unwrap();
    assert_eq!(found, None, "half a commit was kept");
    assert_eq!(places(&store).await, [0]);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.close();
    let Err(CommitError::Unavailable(error)) = append(&store, 1).await else {
        panic!("a closed store took a commit");
    };
    assert_eq!(error.detail, "the store is closed");
    assert_eq!(
        store.configuration().await.unwrap_err().detail,
        "the store is closed"
    );
}

#[tokio::test]
async fn closing_signs_the_log_and_folds_it_into_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, 1).await.unwrap();
    append(&store, 2).await.unwrap();
    drop(store);
    let mut files: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["toolgate.db", "toolgate.lock"]);
    let store = open(dir.path());
    assert_eq!(signed(&store).await.last(), Some(&2));
}

#[tokio::test]
async fn the_log_is_signed_unasked_once_the_interval_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(HandClock::default());
    let store = SqliteStore::open(options(dir.path(), &clock)).unwrap();
    append(&store, 1).await.unwrap();
    append(&store, 2).await.unwrap();
    signed_in_time(&store, &clock).await;
    assert_eq!(signed(&store).await.last(), Some(&2));
}

/// Lets three intervals pass, with a group in each: one may have begun before the last record, in
/// the next the log is signed, and the one after that keeps the note.
async fn signed_in_time(store: &SqliteStore, clock: &HandClock) {
    for interval in 1..=3 {
        clock.set(after(interval * 100));
        store.touch(Vec::new()).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_crash_left_unsigned_is_signed_after_the_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, 1).await.unwrap();
    drop(store);
    // As if the gate had died before it could sign.
    other(dir.path())
        .execute_batch("DELETE FROM checkpoints")
        .unwrap();
    let clock = Arc::new(HandClock::default());
    let store = SqliteStore::open(options(dir.path(), &clock)).unwrap();
    signed_in_time(&store, &clock).await;
    assert_eq!(signed(&store).await, [1]);
}

#[tokio::test]
async fn a_head_that_does_not_fit_the_records_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (damage, word) in [
        ("DELETE FROM records WHERE idx = 1", "number 1"),
        ("UPDATE records SET idx = 7 WHERE idx = 1", "number 8"),
        ("UPDATE head SET frontier = x'00'", "frontier"),
    ] {
        let data = dir.path().join(word);
        let store = open(&data);
        append(&store, 1).await.unwrap();
        append(&store, 2).await.unwrap();
        drop(store);
        other(&data).execute_batch(damage).unwrap();
        let Err(error) = SqliteStore::open(options(&data, &Arc::default())) else {
            panic!("`{damage}` went unnoticed");
        };
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.contains(word) && said.contains("audit verify"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    other(dir.path())
        .execute_batch("CREATE TABLE theirs (a); PRAGMA application_id = 7")
        .unwrap();
    let Err(error) = SqliteStore::open(options(dir.path(), &Arc::default())) else {
        panic!("another program's database was opened");
    };
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    let tables: i64 = other(dir.path())
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1, "something was added to it");
}

#[tokio::test]
async fn a_row_that_was_edited_stops_that_invocation_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=4 {
        let call = executing(number).unwrap();
        store.commit(insertion(&call)).await.unwrap();
    }
    let hand = other(dir.path());
    let edit = |sql: &str, id: u32| hand.execute(sql, [invocation_id(id).as_str()]).unwrap();
    edit("UPDATE invocations SET body = '{}' WHERE id = ?1", 1);
    // Another call's body, under the id that was approved.
    edit(
        "UPDATE invocations SET body = (SELECT body FROM invocations ORDER BY id DESC LIMIT 1)
         WHERE id = ?1",
        2,
    );
    edit(
        "UPDATE invocations SET body = replace(body, '\"attempts\":1', '\"attempts\":2') WHERE id = ?1",
        3,
    );
    for (number, word) in [
        (1, "missing field"),
        (2, "another one"),
        (3, "invariant 2 is broken"),
    ] {
        let error = store.invocation(&invocation_id(number)).await.unwrap_err();
        assert!(
            error.detail.contains(invocation_id(number).as_str()),
            "{error}"
        );
        assert!(error.detail.contains(word), "{error}");
    }
    let whole = executing(4).unwrap();
    let whole = [whole];
    assert_eq!(store.unfinished(None, 1).await.unwrap(), whole);
    let filter = InvocationFilter {
        limit: 9,
        ..InvocationFilter::default()
    };
    assert_eq!(store.invocations(filter).await.unwrap(), whole);
}

#[tokio::test]
async fn a_backup_is_a_store_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("data"));
    for number in 1..=5 {
        append(&store, number).await.unwrap();
    }
    store.checkpoint().await.unwrap();
    let restored = dir.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    let to = restored.join("toolgate.db");
    // Commits go on while it is written.
    let (made, more) = tokio::join!(
        store.backup(&to),
        join_all((6..60).map(|number| append(&store, number)))
    );
    made.unwrap();
    assert!(more.iter().all(Result::is_ok));
    assert_eq!(
        std::fs::read_dir(&restored).unwrap().count(),
        1,
        "something is left beside it"
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&to.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let key = Verifier::parse(&store.verifier_key()).unwrap();
    let report = Evidence::open(&to).unwrap().verify(&key).unwrap();
    assert!(report.is_sound() && report.records >= 5, "{report:?}");
    let copy = open(&restored);
    let expected: Vec<_> = (0..report.records).collect();
    assert_eq!(places(&copy).await, expected);
    assert_eq!(append(&copy, 1_000).await.unwrap(), report.records);
}

#[tokio::test]
async fn a_backup_never_replaces_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("data"));
    let to = dir.path().join("kept");
    std::fs::write(&to, "mine").unwrap();
    let error = store.backup(&to).await.unwrap_err();
    assert!(error.detail.contains("exists already"), "{error}");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
    let nowhere = dir.path().join("none").join("copy");
    assert!(store.backup(&nowhere).await.is_err());
}

#[test]
fn many_threads_write_one_dense_log_and_read_meanwhile() {
    const THREADS: u32 = 8;
    const EACH: u32 = 40;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                runtime().block_on(async {
                    for number in 0..EACH {
                        let place = append(&store, thread * EACH + number).await.unwrap();
                        let seen = places(&store).await;
                        // What was answered is seen by the next read, and there is never a gap.
                        assert!(seen.len() as u64 > place);
                        assert!(seen.iter().copied().eq(0..seen.len() as u64));
                    }
                });
            });
        }
    });
    runtime().block_on(async {
        assert_eq!(places(&store).await.len(), (THREADS * EACH) as usize);
        let key = Verifier::parse(&store.verifier_key()).unwrap();
        let checkpoint = Checkpoint::open(&store.checkpoint().await.unwrap(), &key).unwrap();
        let filter = RecordFilter {
            limit: usize::MAX,
            ..RecordFilter::default()
        };
        let records = store.records(filter).await.unwrap();
        assert_eq!(checkpoint.root, root_of(records.iter().map(|it| it.leaf)));
    });
}
