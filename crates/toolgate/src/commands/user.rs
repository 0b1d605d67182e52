//! `toolgate user`: people and their personal tokens.
//!
//! ```text
//! toolgate user add bo@acme.com --role approver
//! ```
//!
//! Must not know: what a role may do; the gate says so.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::{rows, table};

/// Arguments of `toolgate user`.
#[derive(Debug, Args)]
pub(crate) struct User {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a person; their token is shown once
    #[command(after_help = "Example: toolgate user add bo@acme.com --role approver")]
    Add {
        /// Their name, usually an address
        id: String,
        /// viewer, approver, author, activator, agent_admin or owner
        #[arg(long, default_value = "viewer")]
        role: String,
        /// Their tenant; your own, if not said
        #[arg(long)]
        tenant: Option<String>,
    },
    /// List all people
    Ls,
}

impl Run for User {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Add { id, role, tenant } => {
                let mut body = json!({"id": id, "role": role});
                if let (Some(map), Some(tenant)) = (body.as_object_mut(), tenant) {
                    map.insert("tenant".to_owned(), json!(tenant));
                }
                let added = admin.body(Ask::post("/v1/users", body)).await?;
                let token = added.pointer("/key/token").cloned().unwrap_or(Value::Null);
                let mut shown = added;
                if let Some(map) = shown.as_object_mut() {
                    // Beside the key, so that scripts find every new token at the same place.
                    map.insert("token".to_owned(), token.clone());
                }
                shell.print(&shown, || {
                    let token = token.as_str().unwrap_or("-");
                    format!("{token}\n{id} is {role}; the token is not shown again")
                })?;
            }
            What::Ls => {
                let users = admin.body(Ask::get("/v1/users")).await?;
                let columns = [
                    ("ID", "/id"),
                    ("ROLE", "/role"),
                    ("TENANT", "/tenant"),
                    ("DISABLED", "/disabled"),
                ];
                shell.print(&users, || table(&rows(&users), &columns))?;
            }
        }
        Ok(Exit::Done)
    }
}
