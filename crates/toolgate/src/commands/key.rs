//! `toolgate key`: the credentials of agents.
//!
//! ```text
//! toolgate key create billing_agent --ttl 30d --env prod
//! ```
//!
//! A token is shown once, here; the gate keeps only its hash. Must not know: how it is hashed.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::agent::ReachArgs;
use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::{rows, table};

/// Arguments of `toolgate key`.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a credential for an agent; its token is shown once
    #[command(after_help = "Example: toolgate key create billing_agent --ttl 30d --env prod")]
    Create {
        /// The agent
        agent: String,
        /// How long it works, such as 30d
        #[arg(long)]
        ttl: Option<String>,
        #[command(flatten)]
        scope: ReachArgs,
    },
    /// List credentials
    Ls {
        /// Only this agent's
        agent: Option<String>,
    },
    /// Replace a credential; the old one works on for a while
    Rotate {
        /// Its id
        id: String,
        /// How long the old one works on
        #[arg(long, default_value = "24h")]
        overlap: String,
        /// How long the new one works, such as 30d
        #[arg(long)]
        ttl: Option<String>,
    },
    /// End a credential; it authenticates nobody from the next call on
    Revoke {
        /// Its id
        id: String,
    },
}

impl Run for Key {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Create { agent, ttl, scope } => {
                let mut body = json!({"agent": agent, "scope": scope.to_json()});
                put(&mut body, "ttl", ttl);
                let issued = admin.body(Ask::post("/v1/keys", body)).await?;
                shell.print(&issued, || shown(&issued, &admin))?;
            }
            What::Ls { agent } => {
                let keys = admin.body(Ask::get("/v1/keys")).await?;
                let wanted = |key: &Value| {
                    let subject = key.get("subject").and_then(Value::as_str);
                    agent.as_deref().is_none_or(|agent| subject == Some(agent))
                };
                let keys: Vec<_> = rows(&keys).into_iter().filter(wanted).collect();
                shell.print(&json!({"items": keys}), || table(&keys, &COLUMNS))?;
            }
            What::Rotate { id, overlap, ttl } => {
                let mut body = json!({"overlap": overlap});
                put(&mut body, "ttl", ttl);
                let path = format!("/v1/keys/{id}/rotate");
                let issued = admin.body(Ask::post(path, body)).await?;
                shell.print(&issued, || shown(&issued, &admin))?;
            }
            What::Revoke { id } => {
                let path = format!("/v1/keys/{id}/revoke");
                let key = admin.body(Ask::post(path, json!({}))).await?;
                shell.print(&key, || {
                    format!("{id} is revoked; its next call is refused")
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "/id"),
    ("SUBJECT", "/subject"),
    ("STATE", "/state"),
    ("EXPIRES", "/expires_at"),
    ("REVOKED", "/revoked_at"),
    ("LAST USED", "/last_used_at"),
];

fn put(body: &mut Value, key: &str, value: Option<String>) {
    if let (Some(map), Some(value)) = (body.as_object_mut(), value) {
        map.insert(key.to_owned(), json!(value));
    }
}

/// The token, its end, and where to paste it.
fn shown(issued: &Value, admin: &Admin) -> String {
    let text = |key: &str| {
        issued
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or("-")
            .to_owned()
    };
    let client = crate::client::mcp_client(admin.base().as_str(), &text("token"));
    format!(
        "{}\n{} expires {}; the token is not shown again\n\nFor an MCP client:\n{client}",
        text("token"),
        text("id"),
        text("expires_at"),
    )
}
