//! What becomes of the processes of stdio sources: they end when they are told to, and when they
//! do not, they are ended, together with what they started.
//!
//! Time is in the test's hands; whether a process is there is asked of the system.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;

use common::{World, source};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toolgate_model::{Duration, SourceHealth};
use toolgate_tools::SourceKind;

/// How long a process may take to leave by itself, and after TERM.
const LEAVE: Duration = Duration::from_secs(2);

/// The fault server, started by a shell that says its number and does this first.
async fn started(folder: &Path, first: &str, words: &str) -> (World, PathBuf) {
    let pid = folder.join("pid");
    let server = env!("CARGO_BIN_EXE_fault-server");
    let script = format!("echo $$ > {}; {first} exec {server} {words}", pid.display());
    let kind = SourceKind::Stdio {
        command: vec!["/bin/sh".to_owned(), "-c".to_owned(), script],
        env: BTreeMap::new(),
        cwd: None,
    };
    let world = World::start(vec![source("f", kind)]);
    world.settled().await;
    assert_eq!(world.health("f"), SourceHealth::Up, "{}", world.detail("f"));
    (world, pid)
}

/// Whether the process whose number stands in this file runs.
fn runs(pid: &Path) -> bool {
    let number = std::fs::read_to_string(pid).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/stat", number.trim()));
    // One that has ended and was not waited for is a zombie.
    status.is_ok_and(|status| !status.rsplit(')').next().unwrap().starts_with(" Z"))
}

#[tokio::test]
async fn a_process_that_leaves_is_not_made_to() {
    let folder = tempfile::tempdir().unwrap();
    let (world, pid) = started(folder.path(), "", "legacy").await;
    assert!(runs(&pid));
    // Its input closes, upon which it leaves; no time passes.
    world.sources.shutdown().await;
    assert!(!runs(&pid));
}

#[tokio::test]
async fn a_process_that_ignores_being_asked_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (world, pid) = started(folder.path(), "trap '' TERM;", "legacy stubborn").await;
    let ending = async {
        world.pass(LEAVE).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(runs(&pid), "TERM alone does not end it");
        world.pass(LEAVE).await;
    };
    tokio::join!(world.sources.shutdown(), ending);
    assert!(!runs(&pid));
}

#[tokio::test]
async fn what_a_stubborn_process_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let child = folder.path().join("child");
    let first = format!("sleep 3600 & echo $! > {};", child.display());
    let (world, pid) = started(folder.path(), &first, "legacy stubborn").await;
    assert!(runs(&pid) && runs(&child));
    tokio::join!(world.sources.shutdown(), world.pass(LEAVE));
    assert!(!runs(&pid));
    world.until(|| !runs(&child)).await;
}

#[tokio::test]
async fn a_process_that_stands_still_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (world, pid) = started(folder.path(), "", "modern").await;
    let first = std::fs::read_to_string(&pid).unwrap();
    let number: i32 = first.trim().parse().unwrap();
    let still = nix::sys::signal::Signal::SIGSTOP;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), still).unwrap();
    world.lose("f.echo", 5).await;
    // It is asked three times in vain, with pauses; it does not leave, and TERM does not reach
    // what stands still.
    for seconds in [5, 5, 5, 10, 5, 2, 2] {
        world.pass(Duration::from_secs(seconds)).await;
    }
    world.until(|| world.health("f") == SourceHealth::Up).await;
    assert_ne!(std::fs::read_to_string(&pid).unwrap(), first);
    assert!(!Path::new(&format!("/proc/{number}")).exists());
    let next = world.call("f.echo", json!({})).await;
    assert!(next.starts_with("answered"), "{next}");
    world.sources.shutdown().await;
}
