//! `sim`: runs seeds and says what came of them; `cargo xtask sim` starts it.
//!
//! ```text
//! sim --seeds 1000 --from 1        a thousand worlds
//! sim --seed 17 --trace            one world, every line of it
//! ```
//!
//! It ends with 1 where a violation was found, and names the command that shows it again.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use toolgate_simulation::{Keep, Run, Violation, simulate};

/// Seeds between two lines of progress.
const PROGRESS_EVERY: u64 = 500;

/// Violations that are shown in full.
const SHOWN_MAX: usize = 20;

struct Ask {
    from: u64,
    seeds: u64,
    keep: Keep,
    seconds: Option<u64>,
}

/// What all runs came to.
#[derive(Default)]
struct Total {
    worlds: u64,
    invocations: u64,
    steps: u64,
    faults: BTreeMap<&'static str, u64>,
    paths: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    kinds: BTreeMap<String, u64>,
    broken: Vec<u64>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(ask) = Ask::parse(&args) else {
        eprintln!("usage: sim [--seeds N] [--from S] [--seconds T] [--seed S [--trace]]");
        return ExitCode::from(2);
    };
    match run(&ask) {
        Ok(total) if total.broken.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sim: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Ask {
    fn parse(args: &[String]) -> Option<Self> {
        let mut ask = Self {
            from: 1,
            seeds: 1_000,
            keep: Keep::Hash,
            seconds: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || args.next()?.parse::<u64>().ok();
            match arg.as_str() {
                "--seeds" => ask.seeds = number()?,
                "--from" => ask.from = number()?,
                "--seed" => (ask.from, ask.seeds) = (number()?, 1),
                "--seconds" => ask.seconds = Some(number()?),
                "--trace" => ask.keep = Keep::Lines,
                _ => return None,
            }
        }
        Some(ask)
    }
}

fn run(ask: &Ask) -> Result<Total, String> {
    let (mut total, watch) = (Total::default(), Stopwatch::start());
    for seed in ask.from..ask.from.saturating_add(ask.seeds) {
        if ask
            .seconds
            .is_some_and(|most| watch.elapsed().as_secs() >= most)
        {
            break;
        }
        let run = simulate(seed, ask.keep).map_err(|error| format!("seed {seed}: {error}"))?;
        show(&run, total.broken.len());
        total.add(run);
        if total.worlds.is_multiple_of(PROGRESS_EVERY) {
            total.tell(&watch);
        }
    }
    total.tell(&watch);
    total.tell_kinds();
    let Total { steps, broken, .. } = &total;
    println!("violations: {} in {steps} steps", broken.len());
    Ok(total)
}

fn show(run: &Run, shown: usize) {
    for line in &run.lines {
        println!("{line}");
    }
    if !run.lines.is_empty() {
        println!(
            "seed {}: {} steps, trace {:016x}",
            run.seed, run.steps, run.hash
        );
    }
    for violation in run.violations.iter().take(3).filter(|_| shown < SHOWN_MAX) {
        println!(
            "VIOLATION of invariant {}, seed {}: {}",
            violation.invariant, run.seed, violation.text
        );
    }
    if !run.violations.is_empty() && shown < SHOWN_MAX {
        println!("  replay: cargo xtask sim --seed {} --trace", run.seed);
    }
}

impl Total {
    fn add(&mut self, run: Run) {
        self.worlds += 1;
        self.invocations += run.invocations as u64;
        self.steps += run.steps;
        for (fault, count) in run.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        for (path, count) in run.paths {
            *self.paths.entry(path).or_default() += count;
        }
        if let Some(first) = run.violations.first() {
            *self.kinds.entry(kind(first)).or_default() += 1;
            self.broken.push(run.seed);
        }
    }

    fn tell_kinds(&self) {
        println!("ways that invocations went:");
        for ((from, to, ground), count) in &self.paths {
            println!("  {count:>9}  {from} -> {to} {ground}");
        }
        println!("faults:");
        for (fault, count) in &self.faults {
            println!("  {count:>9}  {fault}");
        }
        for (kind, count) in &self.kinds {
            println!("  {count:>9}  VIOLATION {kind}");
        }
    }

    fn tell(&self, watch: &Stopwatch) {
        let millis = u64::try_from(watch.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        println!(
            "{} worlds, {} executions ({} a minute), {} steps, {} faults, {} violations, {} s",
            self.worlds,
            self.invocations,
            self.invocations * 60_000 / millis,
            self.steps,
            self.faults.values().sum::<u64>(),
            self.broken.len(),
            millis / 1_000
        );
    }
}

/// A violation without the ids in it.
fn kind(violation: &Violation) -> String {
    let words = violation
        .text
        .split(' ')
        .map(|word| match word.split_once('_') {
            Some(("inv", _)) => "inv_…",
            Some(("apr", _)) => "apr_…",
            _ => word,
        });
    format!(
        "invariant {}: {}",
        violation.invariant,
        words.collect::<Vec<_>>().join(" ")
    )
}

struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a run took is for the reader, nothing in a world depends on it"
    )]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
