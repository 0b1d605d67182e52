//! `toolgate approve`, `deny`, `send-back`: a person decides on one frozen call.
//!
//! ```text
//! toolgate approve apr_0197… --digest 9f2c4e10 --reason "invoice 8812 checked"
//! ```
//!
//! Approving needs the first digits of the digest, so that nobody approves what they have not
//! looked at; the decision itself is sent on the whole digest. To refuse it is enough to know which.
//!
//! Must not know: who may decide; the gate says so.

use clap::Args;
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::prefix;
use crate::shell::Shell;

/// LIMIT: half a minute; what takes longer goes on and is seen in the log.
const WAIT_MS: u32 = 30_000;

/// Arguments of `toolgate approve`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate approve apr_0197… --digest 9f2c4e10")]
pub(crate) struct Approve {
    /// The approval, `apr_…`
    id: String,
    /// The first eight or more hex digits of its digest
    #[arg(long, value_name = "PREFIX")]
    digest: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Arguments of `toolgate deny`.
#[derive(Debug, Args)]
pub(crate) struct Deny {
    /// The approval, `apr_…`
    id: String,
    /// Why; the agent may read it
    #[arg(long)]
    reason: String,
}

/// Arguments of `toolgate send-back`.
#[derive(Debug, Args)]
pub(crate) struct SendBack {
    /// The approval, `apr_…`
    id: String,
    /// What to change; the agent may read it
    #[arg(long)]
    reason: String,
}

impl Run for Approve {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let look = format!("toolgate approvals show {}", self.id);
        let digest = digest(&admin, &self.id).await?;
        prefix::agrees(&self.digest, &digest, (&look, "snapshot_changed"))?;
        let decided = decide(&admin, &self.id, ("approve", digest, self.reason)).await?;
        let run = followed(&admin, decided).await?;
        shell.print(&run, || told(&run, "approved"))?;
        Ok(ended(&run))
    }
}

impl Run for Deny {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        refuse(shell, &self.id, ("deny", self.reason)).await
    }
}

impl Run for SendBack {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        refuse(shell, &self.id, ("send_back", self.reason)).await
    }
}

async fn refuse(
    shell: &Shell,
    id: &str,
    (decision, reason): (&str, String),
) -> Result<Exit, Fault> {
    let admin = Admin::open(shell)?;
    let digest = digest(&admin, id).await?;
    let decided = decide(&admin, id, (decision, digest, Some(reason))).await?;
    let word = if decision == "deny" {
        "denied"
    } else {
        "sent back"
    };
    shell.print(&decided, || told(&decided, word))?;
    Ok(Exit::Done)
}

async fn digest(admin: &Admin, id: &str) -> Result<String, Fault> {
    let approval = admin.body(Ask::get(format!("/v1/approvals/{id}"))).await?;
    let digest = approval
        .get("digest")
        .and_then(Value::as_str)
        .map(str::to_owned);
    digest.ok_or_else(|| {
        Fault::new(Exit::Conflict, format!("`{id}` waits for nobody any more"))
            .help("`toolgate approvals ls` lists what does")
    })
}

async fn decide(
    admin: &Admin,
    id: &str,
    (decision, digest, reason): (&str, String, Option<String>),
) -> Result<Value, Fault> {
    let mut body = json!({"digest": digest, "decision": decision});
    if let (Some(map), Some(reason)) = (body.as_object_mut(), reason) {
        map.insert("reason".to_owned(), json!(reason));
    }
    admin
        .body(Ask::post(format!("/v1/approvals/{id}/decision"), body))
        .await
}

/// What became of the call, once the last approval has let it go.
async fn followed(admin: &Admin, decided: Value) -> Result<Value, Fault> {
    let id = decided.get("invocation_id").and_then(Value::as_str);
    let waits = decided.get("status").and_then(Value::as_str) == Some("pending_approval");
    let Some(id) = id.filter(|_| !waits) else {
        return Ok(decided);
    };
    admin
        .body(Ask::get(format!("/v1/invocations/{id}")).with("wait_ms", Some(WAIT_MS)))
        .await
}

fn told(envelope: &Value, word: &str) -> String {
    let text = |key: &str| envelope.get(key).and_then(Value::as_str).unwrap_or("-");
    format!("{word}; {} is {}", text("invocation_id"), text("status"))
}

/// An approval is done when its decision stands, also where the quorum is not yet met; where the
/// call was refused or failed after it, that is what happened.
fn ended(envelope: &Value) -> Exit {
    match envelope.get("status").and_then(Value::as_str) {
        Some("denied") => Exit::Denied,
        Some("expired" | "rejected" | "cancelled") => Exit::Conflict,
        _ => Exit::Done,
    }
}
