//! `toolgate mcp`: a stdio MCP server for a client that starts its servers itself.
//!
//! ```text
//! toolgate mcp --key-file agent.key          the gate that runs, or one of its own
//! toolgate mcp wrap -- npx some-server       one server behind a gate of its own
//! ```
//!
//! Where a gate runs (TOOLGATE_URL, or on the data directory) messages are carried to its `/mcp`;
//! where none runs, this process becomes the gate on the configuration. The key is an agent's: from
//! `--key-file`, or TOOLGATE_TOKEN.
//!
//! Must not know: MCP. stdout belongs to the protocol.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::wrap::Wrap;
use crate::admin::recorded_url;
use crate::bridge::Bridge;
use crate::cli::Run;
use crate::config::{Config, Entrance};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::gate::{self, Gate};
use crate::shell::{Shell, read_text};
use crate::signal::Signals;

/// LIMIT: a token has some hundred bytes.
const KEY_BYTES_MAX: u64 = 4_096;

/// Arguments of `toolgate mcp`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    what: Option<What>,
    /// A file with the agent's token
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put one stdio server behind a gate of its own
    Wrap(Wrap),
}

impl Run for Mcp {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        if let Some(What::Wrap(wrap)) = self.what {
            return wrap.run(shell).await;
        }
        let token = self.token(shell)?;
        if let Some(bridge) = running(shell, &token).await? {
            return carry(bridge).await;
        }
        let config = on_streams(shell.resolve(Vec::new())?.config);
        match gate::start(&config, shell).await {
            Ok(gate) => serve(gate, token).await,
            // Another client has just started it: that gate is the one.
            Err(fault) if fault.code() == "in_use" => match running(shell, &token).await? {
                Some(bridge) => carry(bridge).await,
                None => Err(fault),
            },
            Err(fault) => Err(fault),
        }
    }
}

impl Mcp {
    fn token(&self, shell: &Shell) -> Result<String, Fault> {
        let token = match &self.key_file {
            Some(path) => read_text(path, KEY_BYTES_MAX)?.trim().to_owned(),
            None => shell
                .variable("TOOLGATE_TOKEN")
                .unwrap_or_default()
                .to_owned(),
        };
        if token.is_empty() {
            return Err(Fault::new(Exit::NotPermitted, "there is no agent's token").help(
                "make one with `toolgate key create AGENT`, and name its file with `--key-file`",
            ));
        }
        Ok(token)
    }
}

/// Serves one client on the standard streams until it goes, then ends the gate.
///
/// # Errors
/// [`Fault`] where a stream breaks.
pub(super) async fn serve(gate: Gate, token: String) -> Result<Exit, Fault> {
    let mut signals = Signals::new()?;
    let faces = (gate.api.clone(), gate.mcp.clone());
    let served =
        toolgate_api::mcp::serve_stdio(faces, token, tokio::io::stdin(), tokio::io::stdout());
    let ended = tokio::select! {
        ended = served => ended,
        () = signals.next() => Ok(()),
    };
    gate.stop().await;
    ended.map_err(|error| Fault::failed(format!("the client's streams broke: {error}")))?;
    Ok(Exit::Done)
}

/// A way to the gate that runs, if one does.
async fn running(shell: &Shell, token: &str) -> Result<Option<Bridge>, Fault> {
    let named = shell
        .global
        .url
        .as_deref()
        .or_else(|| shell.variable("TOOLGATE_URL"));
    if let Some(url) = named {
        return Bridge::to(url, token).map(Some);
    }
    let Some(url) = recorded(shell)? else {
        return Ok(None);
    };
    let bridge = Bridge::to(&url, token)?;
    Ok(bridge.is_alive().await.then_some(bridge))
}

fn recorded(shell: &Shell) -> Result<Option<String>, Fault> {
    let data: PathBuf = shell.data_directory()?;
    Ok(recorded_url(Path::new(&data)))
}

async fn carry(bridge: Bridge) -> Result<Exit, Fault> {
    let mut signals = Signals::new()?;
    tokio::select! {
        carried = bridge.carry(tokio::io::stdin(), tokio::io::stdout()) => carried?,
        () = signals.next() => {}
    }
    Ok(Exit::Done)
}

/// The entrance of a gate that serves this process's own streams.
pub(super) fn on_streams(mut config: Config) -> Config {
    config.mcp.entrance = Entrance::Streams;
    config
}
