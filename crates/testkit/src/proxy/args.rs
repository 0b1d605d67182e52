//! How the proxy is started and told what to do: flags, then one JSON command a line.
//!
//! `faulty-proxy --listen 127.0.0.1:0 --to 127.0.0.1:9000` prints
//! `{"listening":"127.0.0.1:41234"}` and answers each line of its input with its counts:
//! `{"follow":{"rates":{"after":0.2}}}`, `{"arm":{"fault":"before"}}`, `"counts"`. It ends when
//! its input does, so that it never outlives whoever started it.
//!
//! Must not know: how a fault is done.

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use serde::Deserialize;
use serde_json::json;

use super::{ArmedFault, FaultyProxy, Plan};

/// The proxy's flags.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "faulty-proxy",
    version,
    about = "A proxy that loses answers, for tests"
)]
pub struct ProxyArgs {
    /// Listen at this address; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Forward to this address.
    #[arg(long, value_name = "ADDR")]
    pub to: SocketAddr,
    /// Start with this plan: `{"rates":{"after":0.2},"seed":7}`.
    #[arg(long, value_name = "JSON", value_parser = plan)]
    pub plan: Option<Plan>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Command {
    Follow(Plan),
    Arm(ArmedFault),
    Counts,
}

/// Parses `args` (with the program's name first), runs the proxy until its input ends.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match ProxyArgs::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faulty-proxy: cannot run on `{}`: {error}", args.listen);
            ExitCode::FAILURE
        }
    }
}

fn run(args: &ProxyArgs) -> io::Result<()> {
    let proxy = FaultyProxy::start(args.listen, args.to)?;
    if let Some(plan) = args.plan.clone() {
        proxy.follow(plan);
    }
    let mut output = io::stdout().lock();
    let listening = json!({"listening": proxy.address().to_string()});
    writeln!(output, "{listening}")?;
    obey(&proxy, io::stdin().lock(), &mut output)
}

/// Obeys line by line until there are no more.
fn obey(proxy: &FaultyProxy, input: impl BufRead, output: &mut impl Write) -> io::Result<()> {
    for line in input.lines() {
        let said = match serde_json::from_str(&line?) {
            Ok(command) => done(proxy, command),
            Err(error) => json!({"error": format!("the line is no command: {error}")}),
        };
        writeln!(output, "{said}")?;
    }
    Ok(())
}

fn done(proxy: &FaultyProxy, command: Command) -> serde_json::Value {
    match command {
        Command::Follow(plan) => proxy.follow(plan),
        Command::Arm(armed) => proxy.arm(armed),
        Command::Counts => {}
    }
    json!(proxy.counts())
}

fn plan(text: &str) -> Result<Plan, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no plan: {error}"))
}
