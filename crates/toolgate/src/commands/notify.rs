//! `toolgate notify`: who is told of approvals, what was sent, and sending it again.
//!
//! ```text
//! toolgate notify test pager
//! toolgate notify redeliver pager evt_0197…
//! ```
//!
//! Must not know: how anything is sent. Endpoints stand in the configuration, as `[[notify]]`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::{rows, table, visible};

/// Arguments of `toolgate notify`.
#[derive(Debug, Args)]
pub(crate) struct Notify {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List all endpoints and how far each has got
    Ls,
    /// Print what was sent, newest first
    Log {
        /// Only to this endpoint
        endpoint: Option<String>,
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
        lines: u16,
        /// Older than this number
        #[arg(long)]
        before: Option<u64>,
    },
    /// Send a test event now
    Test {
        /// The endpoint
        name: String,
    },
    /// Send an event of the record again, now and out of turn
    Redeliver {
        /// The endpoint
        name: String,
        /// `evt_…`
        event: String,
    },
    /// Let an endpoint be told again that is disabled or waited for
    Resume {
        /// The endpoint
        name: String,
    },
}

impl Run for Notify {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Ls => {
                let found = admin.body(Ask::get("/v1/endpoints")).await?;
                shell.print(&found, || endpoints(&found))?;
            }
            What::Log {
                endpoint,
                lines,
                before,
            } => {
                let ask = Ask::get("/v1/deliveries")
                    .with("endpoint", endpoint)
                    .with("limit", Some(lines))
                    .with("before", before);
                let found = admin.body(ask).await?;
                shell.print(&found, || deliveries(&found))?;
            }
            What::Test { name } => {
                let ask = Ask::post(path(&name, "test"), json!({}));
                return sent(shell, &admin.body(ask).await?);
            }
            What::Redeliver { name, event } => {
                let ask = Ask::post(path(&name, "redeliver"), json!({"event": event}));
                return sent(shell, &admin.body(ask).await?);
            }
            What::Resume { name } => {
                let ask = Ask::post(path(&name, "resume"), json!({}));
                let resumed = admin.body(ask).await?;
                shell.print(&resumed, || format!("{name} is told again"))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn endpoints(found: &Value) -> String {
    let columns = [
        ("NAME", "/name"),
        ("URL", "/url"),
        ("NEXT", "/next_index"),
        ("TRIED", "/attempts"),
        ("AGAIN", "/next_attempt_at"),
        ("DISABLED", "/disabled"),
    ];
    table(&rows(found), &columns)
}

fn deliveries(found: &Value) -> String {
    let columns = [
        ("NUMBER", "/number"),
        ("AT", "/at"),
        ("ENDPOINT", "/endpoint"),
        ("KIND", "/kind"),
        ("EVENT", "/event"),
        ("TRY", "/attempt"),
        ("OUTCOME", "/outcome"),
        ("STATUS", "/status"),
        ("MS", "/duration_ms"),
        ("ERROR", "/error"),
    ];
    table(&rows(found), &columns)
}

/// One attempt that a person asked for; an endpoint that did not take it is a failure.
fn sent(shell: &Shell, delivery: &Value) -> Result<Exit, Fault> {
    let text = |key: &str| delivery.get(key).and_then(Value::as_str).unwrap_or("-");
    let outcome = text("outcome");
    shell.print(delivery, || {
        let why = delivery.get("error").and_then(Value::as_str);
        let why = why.map_or_else(String::new, |why| format!(": {}", visible(why)));
        format!("{} {outcome}{why}", text("event"))
    })?;
    Ok(match outcome {
        "delivered" => Exit::Done,
        _ => Exit::Failed,
    })
}

fn path(name: &str, what: &str) -> String {
    format!("/v1/endpoints/{name}/{what}")
}
