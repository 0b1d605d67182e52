//! What one decision costs: ours beside Cedar and Rego, on equivalent policies, in one run.
//!
//! Ten rules a tool, `N / 10` tools: of each ten one permit (`env is prod or staging, and risk at
//! most high`) and nine denials (`amount above k thousand, and env is prod, and currency is not
//! xxx`). *Allow* asks with an amount of 10 (the permit holds and no denial), *deny* with a million
//! (all nine hold). Requests are built beforehand, every engine says which rules hold, and what each
//! says is checked before it is measured.
//!
//! The figures are CPU time of the one thread. The engines take turns, so that whatever else the
//! machine does strikes all alike; a figure is the median of the rounds, its spread is (highest −
//! lowest) / median.
//!
//! `bench/policy/run.sh`

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up fails"
)]

mod cedar;
mod ours;
mod rego;

use std::hint::black_box;

use nix::time::{ClockId, clock_gettime};

/// How many rules a tool has.
pub const RULES_A_TOOL: usize = 10;
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const ROUNDS: usize = 15;
/// CPU time that one engine has in one round.
const ROUND_NANOS: u64 = 40_000_000;

/// A call: its amount, and how many rules of each kind hold then.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub amount: i64,
    pub permits: usize,
    pub denials: usize,
}

const CASES: [Case; 2] = [
    Case {
        name: "allow",
        amount: 10,
        permits: 1,
        denials: 0,
    },
    Case {
        name: "deny",
        amount: 1_000_000,
        permits: 1,
        denials: 9,
    },
];

/// An engine with its rules loaded and its request built.
pub trait Engine {
    /// Decides once, and says how many permits and denials hold.
    fn decide(&mut self) -> (usize, usize);
}

type Make = fn(usize, Case) -> Option<Box<dyn Engine>>;

const ENGINES: [(&str, Make); 4] = [
    ("toolgate", ours::engine),
    ("cedar-policy 4.14.0", cedar::engine),
    ("regorus 0.14.0, rules", rego::rules),
    ("regorus 0.14.0, data", rego::data),
];

fn main() {
    println!(
        "CPU time of one decision, median of {ROUNDS} interleaved rounds; ± is the spread; × is against toolgate"
    );
    for case in CASES {
        println!(
            "\n{} ({} permit and {} denials hold)",
            case.name, case.permits, case.denials
        );
        print!("{:>7}", "rules");
        for (name, _) in ENGINES {
            print!("{name:>34}");
        }
        println!();
        for size in SIZES {
            row(size, case);
        }
    }
}

fn row(size: usize, case: Case) {
    let make = |(_, make): &(&str, Make)| make(size, case);
    let mut engines: Vec<Option<Box<dyn Engine>>> = ENGINES.iter().map(make).collect();
    for ((name, _), engine) in ENGINES.iter().zip(&mut engines) {
        if let Some(engine) = engine {
            let (permits, denials) = engine.decide();
            let right = denials == case.denials && (permits == case.permits || denials > 0);
            assert!(right, "{name} says {permits} permits and {denials} denials");
        }
    }
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); ENGINES.len()];
    for _ in 0..ROUNDS {
        for (engine, figures) in engines.iter_mut().zip(&mut rounds) {
            if let Some(engine) = engine {
                figures.push(round(engine.as_mut()));
            }
        }
    }
    let ours = median(&mut rounds[0].clone());
    print!("{size:>7}");
    for figures in &mut rounds {
        if figures.is_empty() {
            print!("{:>34}", "refused");
            continue;
        }
        let middle = median(figures);
        let spread = 100.0 * (figures[figures.len() - 1] - figures[0]) / middle;
        let ratio = middle / ours;
        print!(
            "{:>34}",
            format!("{middle:.0} ns ±{spread:.0} %  {ratio:.1}×")
        );
    }
    println!();
}

/// Nanoseconds a decision.
fn round(engine: &mut dyn Engine) -> f64 {
    let start = cpu();
    let (mut times, mut batch) = (0_u64, 1_u64);
    loop {
        for _ in 0..batch {
            black_box(engine.decide());
        }
        times += batch;
        let spent = cpu() - start;
        if spent >= ROUND_NANOS {
            return spent as f64 / times as f64;
        }
        let each = (spent / times).max(1);
        batch = (batch * 2).min(4_096).min((ROUND_NANOS - spent) / each + 1);
    }
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn cpu() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}
