//! `toolgate incident`: what rules with `open_incident` opened, and closing it.
//!
//! ```text
//! toolgate incident ls                                        those that are not closed
//! toolgate incident close inc_0197… --note "a test account"
//! ```
//!
//! Must not know: what opens an incident.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};
use crate::table::{rows, table};

/// Arguments of `toolgate incident`.
#[derive(Debug, Args)]
pub(crate) struct Incident {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List incidents, newest first
    Ls {
        /// Also those that are closed
        #[arg(long)]
        all: bool,
    },
    /// Show one incident
    Show {
        /// Its id, `inc_…`
        id: String,
    },
    /// Say that somebody looks into it
    Investigate {
        /// Its id, `inc_…`
        id: String,
        /// What is to be written down about it
        #[arg(long)]
        note: Option<String>,
    },
    /// Close one, for good
    Close {
        /// Its id, `inc_…`
        id: String,
        /// What is to be written down about it
        #[arg(long)]
        note: String,
    },
}

const COLUMNS: [(&str, &str); 8] = [
    ("ID", "/id"),
    ("STATE", "/state"),
    ("SEVERITY", "/severity"),
    ("POLICY", "/policy"),
    ("RULE", "/rule"),
    ("AGENT", "/agent"),
    ("CALLS", "/count"),
    ("LAST", "/last/at"),
];

impl Run for Incident {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Ls { all } => {
                let states = (!all).then_some("open,investigating");
                let incidents = admin
                    .body(Ask::get("/v1/incidents").with("state", states))
                    .await?;
                shell.print(&incidents, || table(&rows(&incidents), &COLUMNS))?;
            }
            What::Show { id } => {
                let incident = admin.body(Ask::get(path(&id))).await?;
                shell.print(&incident, || pretty(&incident))?;
            }
            What::Investigate { id, note } => {
                let edit = json!({"state": "investigating", "note": note});
                edited(shell, &admin, (&id, edit)).await?;
            }
            What::Close { id, note } => {
                let edit = json!({"state": "closed", "note": note});
                edited(shell, &admin, (&id, edit)).await?;
            }
        }
        Ok(Exit::Done)
    }
}

/// One change, on the incident as it is now.
async fn edited(shell: &Shell, admin: &Admin, (id, edit): (&str, Value)) -> Result<(), Fault> {
    let ask = Ask::patch(path(id), edit).header("if-match", "*");
    let incident = admin.body(ask).await?;
    let state = incident.get("state").and_then(Value::as_str).unwrap_or("-");
    shell.print(&incident, || format!("{id} is {state}"))
}

fn path(id: &str) -> String {
    format!("/v1/incidents/{id}")
}
