//! A fixed number of worlds, each twice: no violation, and the same trace again.
//!
//! What runs here is a small part of what `cargo xtask sim` runs; it keeps the simulator honest
//! about its own determinism, and every seed that once found a defect stays on the list.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops here and says where"
)]

use toolgate_simulation::{Keep, simulate};

/// Seeds that once showed a defect of the product: they are run for ever.
const ONCE_BROKEN: [u64; 3] = [58, 195, 257];

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1..=8 {
        let (first, again) = (
            simulate(seed, Keep::Hash).unwrap(),
            simulate(seed, Keep::Lines).unwrap(),
        );
        assert_eq!(
            (first.hash, first.steps),
            (again.hash, again.steps),
            "seed {seed}"
        );
        assert!(again.lines.len() > 20, "seed {seed} did nothing");
    }
    assert_ne!(
        simulate(1, Keep::Hash).unwrap().hash,
        simulate(2, Keep::Hash).unwrap().hash
    );
}

#[test]
fn no_world_breaks_an_invariant() {
    for seed in (1..=60).chain(ONCE_BROKEN) {
        let run = simulate(seed, Keep::Hash).unwrap();
        assert!(
            run.violations.is_empty(),
            "{:#?}\nreplay: cargo xtask sim --seed {seed} --trace",
            run.violations
        );
    }
}
