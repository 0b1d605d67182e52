//! `cargo xtask sim`: worlds of the simulator, or real downstream systems.
//!
//! ```text
//! cargo xtask sim --seeds 1000 [--from 1]      a thousand worlds, with figures
//! cargo xtask sim --seed 17 --trace            one of them, every line
//! cargo xtask sim --downstreams [--only X]     pretix, Roundup, Radicale, moto, localstripe
//! ```
//!
//! Must not know: what a seed decides, what a downstream does. It starts commands.

use std::process::{Command, ExitStatus};

use crate::ci::root;

/// What runs the worlds: in a profile that is fast and keeps every check.
const WORLDS: &[&str] = &[
    "run",
    "-q",
    "--locked",
    "--profile",
    "sim",
    "-p",
    "toolgate-simulation",
    "--bin",
    "sim",
    "--",
];

/// What runs calls against real downstreams.
const DOWNSTREAMS: &str = "tests/e2e/downstreams/run.py";

/// Hands everything after `sim` to what runs it.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (real, rest): (Vec<&str>, Vec<&str>) =
        args.iter().partition(|arg| **arg == "--downstreams");
    let mut command = if real.is_empty() {
        let mut command = Command::new("cargo");
        command.args(WORLDS);
        command
    } else {
        let mut command = Command::new("python3");
        command.arg(DOWNSTREAMS);
        command
    };
    let status = command.args(rest).current_dir(root()).status();
    ended(status.map_err(|error| format!("the simulation cannot be started: {error}"))?)
}

fn ended(status: ExitStatus) -> Result<(), String> {
    if status.success() {
        Ok(())
    } else {
        Err(format!("the simulation found something: {status}"))
    }
}
