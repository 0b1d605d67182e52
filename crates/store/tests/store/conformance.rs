//! Every store, and every wrapper of one, through the one suite.
//!
//! Whatever fails is named: `guards::a_key_that_is_taken_refuses: the refusal: expected …`.

use std::sync::{Arc, Mutex};

use toolgate_gate::port::Store;
use toolgate_store::conformance::HandClock;
use toolgate_store::conformance::fixture::signer;
use toolgate_store::faulty::{Fault, FaultyStore};
use toolgate_store::{MemoryStore, Options, SqliteStore, conformance};

#[tokio::test]
async fn memory_conforms() {
    let failures =
        conformance::run(|setting| Arc::new(MemoryStore::new(setting.signer, setting.clock)));
    assert_eq!(failures.await.to_string(), "");
}

#[tokio::test]
async fn sqlite_conforms() {
    let dirs = Mutex::new(Vec::new());
    let failures = conformance::run(|setting| {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(Options {
            dir: dir.path().to_owned(),
            signer: setting.signer,
            clock: setting.clock,
        });
        dirs.lock().unwrap().push(dir);
        Arc::new(store.unwrap()) as Arc<dyn Store>
    });
    assert_eq!(failures.await.to_string(), "");
}

#[tokio::test]
async fn a_wrapper_without_a_fault_changes_nothing() {
    let failures = conformance::run(|setting| {
        let inner = Arc::new(MemoryStore::new(setting.signer, setting.clock));
        Arc::new(FaultyStore::new(inner, Fault::None))
    });
    assert_eq!(failures.await.to_string(), "");
}

#[tokio::test]
async fn outboxes_conform() {
    let clock = || Arc::new(HandClock::default());
    let memory = || Arc::new(MemoryStore::new(signer().unwrap(), clock()));
    let failures = conformance::outbox::run(|| memory());
    assert_eq!(failures.await.to_string(), "");
    let dirs = Mutex::new(Vec::new());
    let failures = conformance::outbox::run(|| {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            dir: dir.path().to_owned(),
            signer: signer().unwrap(),
            clock: clock(),
        };
        dirs.lock().unwrap().push(dir);
        Arc::new(SqliteStore::open(options).unwrap())
    });
    assert_eq!(failures.await.to_string(), "");
}

#[tokio::test]
async fn where_an_endpoint_stands_survives_a_restart() {
    use toolgate_gate::outbox::{Outbox as _, Standing};
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        SqliteStore::open(Options {
            dir: dir.path().to_owned(),
            signer: signer().unwrap(),
            clock: Arc::new(HandClock::default()),
        })
        .unwrap()
    };
    let standing = Standing {
        endpoint: "pager".to_owned(),
        next: 41,
        attempts: 3,
        refusals: 2,
        due_at: None,
        disabled: None,
    };
    open().note(Some(standing.clone()), None).await.unwrap();
    assert_eq!(open().standings().await.unwrap(), [standing]);
}
