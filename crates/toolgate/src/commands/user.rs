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
use crate::table::{rows, table, visible};

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
        /// A group they belong to, which a policy's approvers may name; may be repeated
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Their tenant; your own, if not said
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Show or change the groups of a person
    #[command(after_help = "Example: toolgate user groups bo@acme.com finance oncall")]
    Groups {
        /// Their name
        id: String,
        /// All groups they belong to from now on; shown only, if none is named
        groups: Vec<String>,
        /// Take them out of every group
        #[arg(long, conflicts_with = "groups")]
        none: bool,
    },
    /// Change what a person may do
    Role {
        /// Their name
        id: String,
        /// viewer, approver, author, activator, agent_admin or owner
        role: String,
    },
    /// Let the tokens of a person authenticate nobody
    Disable {
        /// Their name
        id: String,
    },
    /// Let the tokens of a disabled person work again
    Enable {
        /// Their name
        id: String,
    },
    /// List all people
    Ls,
}

impl Run for User {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Add {
                id,
                role,
                groups,
                tenant,
            } => {
                let mut body = json!({"id": id, "role": role, "groups": groups});
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
            What::Groups { id, groups, none } => {
                let user = match groups.is_empty() && !none {
                    true => admin.body(Ask::get(path(&id))).await?,
                    false => change(&admin, &id, json!({"groups": groups})).await?,
                };
                shell.print(&user, || list(&user))?;
            }
            What::Role { id, role } => {
                let user = change(&admin, &id, json!({"role": role})).await?;
                shell.print(&user, || format!("{id} is {role}"))?;
            }
            What::Disable { id } => {
                let user = change(&admin, &id, json!({"disabled": true})).await?;
                shell.print(&user, || format!("{id} is disabled"))?;
            }
            What::Enable { id } => {
                let user = change(&admin, &id, json!({"disabled": false})).await?;
                shell.print(&user, || format!("{id} is enabled"))?;
            }
            What::Ls => {
                let users = admin.body(Ask::get("/v1/users")).await?;
                let columns = [
                    ("ID", "/id"),
                    ("ROLE", "/role"),
                    ("GROUPS", "/groups"),
                    ("TENANT", "/tenant"),
                    ("DISABLED", "/disabled"),
                ];
                shell.print(&users, || table(&rows(&users), &columns))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// One change, on the person as they are now.
async fn change(admin: &Admin, id: &str, change: Value) -> Result<Value, Fault> {
    let ask = Ask::patch(path(id), change).header("if-match", "*");
    admin.body(ask).await
}

/// The groups of a person, one a line.
fn list(user: &Value) -> String {
    let groups = user.get("groups").and_then(Value::as_array);
    let names = groups.into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| visible(name) + "\n").collect()
}

fn path(id: &str) -> String {
    format!("/v1/users/{id}")
}
