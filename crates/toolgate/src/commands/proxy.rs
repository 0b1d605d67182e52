//! `toolgate proxy`: a local address that judges every request before it sends it.
//!
//! ```text
//! toolgate proxy --listen 127.0.0.1:4100 --key-file agent.key
//! OPENAI_BASE_URL=http://127.0.0.1:4100/proxy/https://api.openai.com/v1 my-agent
//! ```
//!
//! Must not know: how a request is judged or sent.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use toolgate_model::AddressReach;

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::hosted::Hosted;
use crate::proxy::{self, ProxyMode, Reach, Setting};
use crate::shell::Shell;

/// Arguments of `toolgate proxy`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate proxy --listen 127.0.0.1:4100 --key-file agent.key")]
pub(crate) struct Proxy {
    /// Where to listen, on this machine; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4100")]
    listen: SocketAddr,
    /// What becomes of what the gate does not allow
    #[arg(long, value_enum, default_value = "enforce")]
    mode: ProxyMode,
    /// A file with the agent's key; else TOOLGATE_KEY
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Connect to this machine and to private networks, too
    #[arg(long)]
    allow_private: bool,
    /// Connect to this host, even where it is on this machine or in a private network
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Send this header on, although nothing is judged by it
    #[arg(long, value_name = "NAME")]
    carry_header: Vec<String>,
}

impl Run for Proxy {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        // Whoever reaches the port acts with the agent's key.
        if !self.listen.ip().is_loopback() {
            let message = format!("`{}` can be reached from other machines", self.listen);
            return Err(Fault::usage(message).help("listen on 127.0.0.1, beside the program"));
        }
        let gate = Hosted::open(shell, self.key_file.as_deref())?;
        let at = gate.url().to_owned();
        let general = match self.allow_private {
            true => AddressReach::Private,
            false => AddressReach::Public,
        };
        let setting = Setting {
            listen: self.listen,
            mode: self.mode,
            reach: Reach {
                general,
                hosts: self.allow_host,
            },
            carried: self.carry_header,
        };
        proxy::serve(gate, setting, |own| {
            // Nobody reading it is no reason not to serve.
            let _unheard = shell.print_line(&json!({"listening": own, "gate": at}), || {
                format!("http://{own}/proxy/https://…  is judged by {at}")
            });
        })
        .await?;
        Ok(Exit::Done)
    }
}
