//! `toolgate approvals`: what waits for a person.
//!
//! `show` prints the snapshot itself, which is what runs, and apart from it the agent's own words,
//! which prove nothing. `watch` follows what waits, and on a terminal decides on what it has shown.
//!
//! Must not know: how a decision is made; that is `approve`, `deny` and `send-back`.

mod board;
mod show;
mod watch;

use clap::{Args, Subcommand};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::{rows, table};

/// Arguments of `toolgate approvals`.
#[derive(Debug, Args)]
pub(crate) struct Approvals {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List approvals
    Ls {
        /// In this state: pending (as if not said), approved, rejected, expired, cancelled
        #[arg(long)]
        status: Option<String>,
    },
    /// Show exactly what would run
    Show {
        /// The approval, `apr_…`
        id: String,
    },
    /// Follow what waits, and decide on it where this is a terminal
    Watch,
}

impl Run for Approvals {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Ls { status } => {
                let ask = Ask::get("/v1/approvals").with("status", status);
                let approvals = admin.body(ask).await?;
                shell.print(&approvals, || table(&rows(&approvals), &COLUMNS))?;
            }
            What::Show { id } => {
                let approval = admin.body(Ask::get(format!("/v1/approvals/{id}"))).await?;
                shell.print(&approval, || {
                    let commands = show::commands(&approval);
                    format!("{}\n\n{commands}", show::whole(&approval))
                })?;
            }
            What::Watch => watch::run(shell, &admin).await?,
        }
        Ok(Exit::Done)
    }
}

const COLUMNS: [(&str, &str); 8] = [
    ("ID", "/approval_id"),
    ("STATUS", "/status"),
    ("TOOL", "/tool"),
    ("AGENT", "/agent"),
    ("RISK", "/risk"),
    ("REQUEUES", "/requeues"),
    ("EXPIRES", "/expires_at"),
    ("DIGEST", "/digest"),
];
