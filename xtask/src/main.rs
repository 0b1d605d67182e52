//! Development tasks: `cargo xtask ci` is the whole test, here and on any other machine, and
//! `cargo xtask sim` runs as many simulated worlds as are asked for.
//!
//! Each step prints its name and how long it took; the first one that fails ends the run with
//! its output as the last thing to be read.
//!
//! Must not know: what the product does. It starts commands.

use std::process::ExitCode;

mod ci;
mod sim;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["ci"] => ci::run(),
        ["ci", step] => ci::run_one(step),
        ["sim", rest @ ..] => sim::run(rest),
        _ => {
            eprintln!("usage: cargo xtask ci [{}]", ci::step_names());
            eprintln!("       cargo xtask sim [--seeds N] [--from S] [--seed S [--trace]]");
            eprintln!("       cargo xtask sim --downstreams [...]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error}");
            ExitCode::FAILURE
        }
    }
}
