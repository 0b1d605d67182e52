//! `toolgate tool`: tools and how they are rated.
//!
//! What `toolgate tool ls --json` prints is what `toolgate eval --tools` reads.
//! Must not know: how a tool is rated.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};
use crate::table::{rows, table};

/// Arguments of `toolgate tool`.
#[derive(Debug, Args)]
pub(crate) struct Tool {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List all tools that the token may see
    Ls,
    /// Show one tool
    Show {
        /// Its id, `source.operation`
        id: String,
    },
}

impl Run for Tool {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let tools = admin.body(Ask::get("/v1/tools")).await?;
        match self.what {
            What::Ls => {
                let columns = [
                    ("TOOL", "/id"),
                    ("RISK", "/risk"),
                    ("VERB", "/verb"),
                    ("RECOVERY", "/recovery"),
                    ("VERSION", "/version"),
                    ("WHY", "/risk_reason"),
                ];
                shell.print(&tools, || {
                    format!("{}{}", table(&rows(&tools), &columns), unusable(&tools))
                })?;
            }
            What::Show { id } => {
                let named = |tool: &Value| tool.get("id").and_then(Value::as_str) == Some(&id);
                let tool = rows(&tools).into_iter().find(named).ok_or_else(|| {
                    Fault::usage(format!("there is no tool `{id}`"))
                        .help("`toolgate tool ls` lists them")
                })?;
                shell.print(&tool, || pretty(&tool))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The tools that are there and cannot be called, each with the reason.
fn unusable(tools: &Value) -> String {
    let mut lines = String::new();
    for tool in rows(tools) {
        let text = |key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default();
        let faults = tool.get("faults").and_then(Value::as_array);
        for fault in faults.into_iter().flatten().filter_map(Value::as_str) {
            lines.push_str(&format!("unavailable: `{}`: its {fault}\n", text("id")));
        }
    }
    lines
}
