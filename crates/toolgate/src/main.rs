//! `toolgate`: the gate between agents and their tools, as one program.
//!
//! A command is one file under `commands/` and one line in the table of `cli.rs`. What runs the
//! gate itself is put together in `gate.rs`, the one composition root. Only `clock`, `entropy`,
//! `environment` and `tasks` touch what the rest is handed.
//!
//! Must not know: how anything is decided, stored or sent. Those are the crates below.

mod cli;
mod exit;
mod fault;
mod shell;

mod clock;
mod entropy;
mod environment;
mod tasks;

mod config;
mod diagnostic;
mod explained;
mod junit;
mod oauth;
mod prefix;
mod table;

mod admin;
mod bridge;
mod cases;
mod catalogue;
mod client;
mod coverage;
mod hook;
mod hosted;
mod proxy;
mod sse;

mod gate;
mod home;
mod reload;
mod signal;
mod upkeep;

mod demo;

mod commands;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::Cli;
use crate::shell::Shell;

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let shell = Shell {
        global: cli.global,
        variables: environment::variables(),
    };
    trace(&shell, cli.command.log_filter());
    // Both ends of TLS in this process use the same implementation; a second installation of it
    // is refused, and that is fine.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            shell.report(&fault::Fault::failed(format!(
                "no threads to run on: {error}"
            )));
            return exit::Exit::Failed.into();
        }
    };
    let ended = runtime.block_on(cli.command.run(&shell));
    // A read of standard input cannot be called back; the process does not wait for it.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(fault) => {
            shell.report(&fault);
            fault.exit().into()
        }
    }
}

/// Sends what the program says of itself to stderr; `TOOLGATE_LOG=debug` asks for more.
fn trace(shell: &Shell, usual: &str) {
    let wanted = shell.variable("TOOLGATE_LOG").unwrap_or(usual);
    let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(wanted);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if shell.global.json {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
}
