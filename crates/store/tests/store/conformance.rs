//! Every store, and every wrapper of one, through the one suite.
//!
//! Whatever fails is named: `guards::a_key_that_is_taken_refuses: the refusal: expected …`.

use std::sync::{Arc, Mutex};

use toolgate_gate::port::Store;
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
