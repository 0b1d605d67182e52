//! The judge names every classic bug, in a bounded number of worlds, and by the right invariant.
//!
//! Commit after dispatch; retry without a look; retry on a look that came too early; approval
//! checked before thaw only; an outcome that was acknowledged and never written; keys that are not
//! kept; events that are believed. Each is committed by a port around the real driver
//! (`src/bug.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on stops here and says where"
)]

use toolgate_simulation::{Bug, Keep, simulate, simulate_with};

/// Worlds that are tried before a bug counts as not found.
// LIMIT: four hundred, many times as many as any of them has needed; a minute at most.
const WORLDS_MAX: u64 = 400;

fn named(bug: Bug, invariants: &[u8], words: &[&str]) {
    for seed in 1..=WORLDS_MAX {
        let run = simulate_with(seed, Keep::Hash, bug).unwrap();
        let hit = run.violations.iter().find(|violation| {
            invariants.contains(&violation.invariant)
                && words.iter().any(|word| violation.text.contains(word))
        });
        if let Some(violation) = hit {
            let clean = simulate(seed, Keep::Hash).unwrap();
            assert!(
                clean.violations.is_empty(),
                "seed {seed} breaks without the bug too: {:?}",
                clean.violations
            );
            println!("{bug:?} is named in world {seed}: {}", violation.text);
            return;
        }
    }
    panic!("{bug:?} was not named in {WORLDS_MAX} worlds");
}

#[test]
fn commit_after_dispatch_is_named() {
    named(
        Bug::CommitAfterDispatch,
        &[1],
        &["was sent and never admitted"],
    );
}

#[test]
fn retry_without_a_look_is_named() {
    named(Bug::RetryWithoutProbe, &[2], &["landed 2 times"]);
}

#[test]
fn retry_on_a_look_that_came_too_early_is_named() {
    named(
        Bug::RetryTooEarly,
        &[2],
        &[
            "landed 2 times",
            "after the effect had landed",
            "is failed and its effect landed",
        ],
    );
}

#[test]
fn approval_checked_before_thaw_only_is_named() {
    named(
        Bug::CheckBeforeThawOnly,
        &[1],
        &["denies it", "on a revoked key", "votes, and"],
    );
}

#[test]
fn an_outcome_that_was_never_written_is_named() {
    named(Bug::ForgottenOutcome, &[3], &["which is executing"]);
}

#[test]
fn keys_that_are_not_kept_are_named() {
    named(
        Bug::KeysForgotten,
        &[2],
        &["had 2 effects", "both had their effect"],
    );
}

#[test]
fn an_event_that_never_happened_is_named() {
    named(
        Bug::EventsBelieved,
        &[1],
        &["on an event that its source does not have"],
    );
}
