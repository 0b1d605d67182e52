//! `toolgate approvals`: what waits for a person.
//!
//! `show` prints the snapshot itself, which is what runs, and apart from it the agent's own words,
//! which prove nothing.
//!
//! Must not know: how a decision is made; that is `approve`, `deny` and `send-back`.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};
use crate::table::{rows, table, visible};

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
                shell.print(&approval, || shown(&approval))?;
            }
        }
        Ok(Exit::Done)
    }
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "/approval_id"),
    ("STATUS", "/status"),
    ("TOOL", "/tool"),
    ("AGENT", "/agent"),
    ("RISK", "/risk"),
    ("EXPIRES", "/expires_at"),
    ("DIGEST", "/digest"),
];

fn shown(approval: &Value) -> String {
    let text = |key: &str| approval.get(key).and_then(Value::as_str).unwrap_or("-");
    let snapshot = approval.get("snapshot").cloned().unwrap_or(Value::Null);
    let (id, digest) = (text("approval_id"), text("digest"));
    let short: String = digest
        .trim_start_matches("sha256:")
        .chars()
        .take(8)
        .collect();
    let words = approval
        .pointer("/justification/text")
        .and_then(Value::as_str);
    format!(
        "{id}  {}  expires {}\n{digest}\n\nWhat runs once it is approved:\n{}\n\n\
         The agent's own words, unverified: {}\n\n\
         toolgate approve {id} --digest {short}\ntoolgate deny {id} --reason '…'",
        text("status"),
        text("expires_at"),
        pretty(&snapshot),
        words.map_or_else(|| "none".to_owned(), visible),
    )
}
