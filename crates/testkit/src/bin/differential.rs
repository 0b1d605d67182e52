//! Plays random cases through the engine and the reference, and prints the first difference.
//!
//! `cargo run -p toolgate-testkit --bin differential -- --cases 1000000 --seed 7`
//!
//! Must not know: how cases are made.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser;
use toolgate_testkit::differential::{Played, play};

/// The engine against the reference.
#[derive(Parser)]
struct Flags {
    /// How many cases.
    #[arg(long, default_value_t = 100_000)]
    cases: u64,
    /// The seed of the first one; each further case has the next.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// After how many differences to stop.
    #[arg(long, default_value_t = 1)]
    differences: u64,
    /// Whether to print why documents were refused.
    #[arg(long)]
    refusals: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let (mut same, mut spoke, mut refused, mut differ) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut why: BTreeMap<String, u64> = BTreeMap::new();
    for seed in flags.seed..flags.seed.saturating_add(flags.cases) {
        match play(seed) {
            Played::Same(matched) => {
                same += 1;
                spoke += u64::from(matched);
            }
            Played::Refused(reason) => {
                refused += 1;
                *why.entry(reason).or_default() += 1;
            }
            Played::Differs(found) => {
                differ += 1;
                println!("seed {seed}: {found}");
            }
        }
        if differ >= flags.differences {
            break;
        }
    }
    println!(
        "{same} alike ({spoke} with a rule that matched), {differ} different, {refused} refused at load"
    );
    if flags.refusals {
        for (reason, times) in why {
            println!("{times:>8}  {reason}");
        }
    }
    ExitCode::from(u8::from(differ > 0))
}
