//! `toolgate serve`: the gate.
//!
//! Works with nothing configured: loopback only, the data in `./toolgate-data`. Ctrl-C or SIGTERM
//! lets the calls that run come to their end first; what is approved or pending waits on disk.
//!
//! Must not know: how a gate is put together; that is `gate.rs`.

use std::fmt::Write as _;

use clap::Args;
use toolgate_model::SourceHealth;

use crate::admin::TOKEN_FILE;
use crate::cli::Run;
use crate::client::mcp_client;
use crate::config::{Config, Flags};
use crate::demo::world;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::gate::{self, Gate};
use crate::shell::Shell;
use crate::signal::Signals;

/// Arguments of `toolgate serve`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate serve --listen 127.0.0.1:0 --data ./toolgate-data")]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// With the refund desk as a source, and agents and policies to try
    #[arg(long)]
    demo: bool,
}

impl Run for Serve {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let mut flags = Flags::new();
        flags.extend(self.listen.map(|listen| ("--listen", "listen", listen)));
        let mut config = shell.resolve(flags)?.config;
        if self.demo {
            world::add_to(&mut config)?;
        }
        // Before anything runs: a signal that comes during the start is not lost.
        let mut signals = Signals::new()?;
        let gate = gate::start(&config, shell).await?;
        shell.say(&welcome(&gate, &config));
        signals.next().await;
        shell
            .say("stopping: no new calls; those that run come to their end (again to end at once)");
        tokio::select! {
            _ = gate.stop() => {}
            () = signals.next() => shell.say("ended at once: what ran is in doubt at the next start"),
        }
        Ok(Exit::Done)
    }
}

/// What a newcomer needs next.
fn welcome(gate: &Gate, config: &Config) -> String {
    let url = gate.local_url();
    let token = gate.data.join(TOKEN_FILE);
    let mut text = format!(
        "toolgate listens on {url}\n  \
           api    {url}/v1  (described at {url}/v1/openapi.json)\n  \
           mcp    {url}/mcp\n  \
           data   {}\n  \
           token  {}  (yours: an owner of this gate)\n",
        gate.data.display(),
        token.display(),
    );
    for source in gate.sources() {
        let state = match source.health {
            SourceHealth::Up => format!("{} tools", source.tools),
            SourceHealth::Starting => "starting".to_owned(),
            SourceHealth::Down => {
                format!(
                    "down: {}",
                    source.detail.as_deref().unwrap_or("no reason known")
                )
            }
        };
        // Writing to a string cannot fail.
        let _written = writeln!(text, "  source {}  {state}", source.name);
    }
    if gate.recovered.seen > 0 {
        let _written = writeln!(
            text,
            "  left from before: {} unfinished calls, {} of them in doubt",
            gate.recovered.seen, gate.recovered.in_doubt,
        );
    }
    if !gate.address.ip().is_loopback() {
        text.push_str(
            "  WARNING: this address is reachable from other machines and speaks plain HTTP: \
             put a TLS proxy in front\n",
        );
    }
    if let Some(agent) = &config.mcp.anonymous {
        let _written = writeln!(
            text,
            "  WARNING: whoever on this machine comes to /mcp without a token is `{agent}` \
             (`mcp.anonymous`)",
        );
    }
    if config.agents.is_empty() {
        text.push_str(
            "\nNext: toolgate agent add my_agent --owner you@example.com --tool 'SOURCE.*'\n      \
             toolgate key create my_agent\n",
        );
    }
    text.push_str("\nAn MCP client needs:\n");
    text.push_str(&mcp_client(
        &url,
        "the token of `toolgate key create AGENT`",
    ));
    text
}
