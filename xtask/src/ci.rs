//! The steps of `cargo xtask ci`, in order, cheapest first.
//!
//! Format, lints, tests of the workspace (the floors of the house among them), three hundred
//! simulated worlds, the debug binaries, and then the binary from outside: real MCP clients and
//! servers, bad input, kills. The e2e runner installs what it needs below `target/` and says so.
//!
//! Must not know: what a step means; a step is a command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One step: its name, and the command that it is.
struct Step {
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
}

/// The registry of steps, in the order in which they run.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        program: "cargo",
        args: &["fmt", "--all", "--check"],
    },
    Step {
        name: "lints",
        program: "cargo",
        args: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    },
    Step {
        name: "tests",
        program: "cargo",
        args: &["test", "--workspace", "--locked"],
    },
    Step {
        name: "worlds",
        program: "cargo",
        args: &[
            "run",
            "-q",
            "--locked",
            "-p",
            "toolgate-simulation",
            "--bin",
            "sim",
            "--",
            "--seeds",
            "300",
        ],
    },
    Step {
        name: "binaries",
        program: "cargo",
        args: &[
            "build",
            "-p",
            "toolgate",
            "-p",
            "toolgate-testkit",
            "--bins",
            "--locked",
        ],
    },
    Step {
        name: "e2e",
        program: "python3",
        args: &["tests/e2e/run.py"],
    },
];

/// Runs every step.
pub(crate) fn run() -> Result<(), String> {
    let whole = Stopwatch::start();
    components()?;
    let mut took = Vec::new();
    for step in STEPS {
        let watch = Stopwatch::start();
        perform(step)?;
        took.push((step.name, watch.elapsed()));
    }
    println!("\nci: every step passed in {}", shown(whole.elapsed()));
    for (name, elapsed) in took {
        println!("  {name:<9} {}", shown(elapsed));
    }
    Ok(())
}

/// Runs the step of this name.
pub(crate) fn run_one(name: &str) -> Result<(), String> {
    let step = STEPS.iter().find(|step| step.name == name);
    let unknown = || format!("there is no step `{name}`: one of {}", step_names());
    perform(step.ok_or_else(unknown)?)
}

/// All names, for the usage line.
pub(crate) fn step_names() -> String {
    let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    names.join("|")
}

fn perform(step: &Step) -> Result<(), String> {
    println!(
        "\n== {}: {} {}",
        step.name,
        step.program,
        step.args.join(" ")
    );
    let watch = Stopwatch::start();
    let mut command = Command::new(step.program);
    command.args(step.args).current_dir(root());
    if step.name == "e2e" {
        command.envs(binaries()?);
    }
    let status = command
        .status()
        .map_err(|error| format!("`{}` cannot be started: {error}", step.program))?;
    println!("== {}: {}", step.name, shown(watch.elapsed()));
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "the step `{}` failed: {status}\nhelp: `cargo xtask ci {}` repeats it alone",
        step.name, step.name
    ))
}

/// A minimal toolchain comes without them; rustup can add them, nothing else can.
fn components() -> Result<(), String> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if succeeds("cargo", &[tool, "--version"]) {
            continue;
        }
        println!("ci: the toolchain has no {component}; adding it");
        if !succeeds("rustup", &["component", "add", component]) {
            return Err(format!(
                "the toolchain has no `{component}`, and `rustup component add {component}` failed\nhelp: install it and run this again"
            ));
        }
    }
    Ok(())
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where the step before put the binaries, whatever the target directory is.
fn binaries() -> Result<Vec<(&'static str, OsString)>, String> {
    let mut command = Command::new("cargo");
    command.args(["metadata", "--no-deps", "--format-version", "1", "--locked"]);
    let output = command.current_dir(root()).output();
    let output = output.map_err(|error| format!("`cargo metadata` cannot be started: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("`cargo metadata` said no JSON: {error}"))?;
    let target = metadata.get("target_directory").and_then(Value::as_str);
    let target = target.ok_or("`cargo metadata` names no target directory")?;
    let target = PathBuf::from(target);
    let debug = target.join("debug");
    Ok(vec![
        ("TOOLGATE_BIN", debug.join("toolgate").into()),
        ("REFUND_DESK_BIN", debug.join("refund-desk").into()),
        ("TOOLGATE_E2E_DIR", target.into()),
    ])
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

fn shown(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a step took is for the reader, nothing depends on it"
    )]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
