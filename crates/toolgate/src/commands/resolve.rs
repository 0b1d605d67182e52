//! `toolgate resolve`: a person says what happened to a call in doubt.
//!
//! ```text
//! toolgate resolve inv_0197… landed --reason "the refund stands in the desk's ledger as re_3"
//! ```
//!
//! The gate never guesses: where nobody can know whether an effect landed and nothing can be
//! looked at, the call waits for this. `toolgate reconcile` shows what is known before. Must not
//! know: how to look.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;

/// Arguments of `toolgate resolve`.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The invocation, `inv_…`
    id: String,
    /// What happened
    finding: Finding,
    /// How you know
    #[arg(long)]
    reason: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Finding {
    /// The effect is there
    Landed,
    /// The effect is not there, and will not come
    NotLanded,
    /// Send the same request once more, if the gate would still allow it
    Retry,
}

impl Run for Resolve {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let finding = match self.finding {
            Finding::Landed => "landed",
            Finding::NotLanded => "not_landed",
            Finding::Retry => "retry",
        };
        let body = json!({"finding": finding, "reason": self.reason});
        let path = format!("/v1/invocations/{}/resolve", self.id);
        let envelope = admin.body(Ask::post(path, body)).await?;
        shell.print(&envelope, || {
            let status = envelope
                .get("status")
                .and_then(serde_json::Value::as_str)
                .unwrap_or("-");
            format!("{} is {status}", self.id)
        })?;
        Ok(Exit::Done)
    }
}
