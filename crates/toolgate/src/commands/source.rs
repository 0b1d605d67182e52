//! `toolgate source`: where tools come from, and how those places are doing.
//!
//! ```text
//! toolgate source add refunds --plugin https://refunds.acme.com --secret env:REFUNDS_SECRET
//! toolgate source show refunds      whose it is, how it is, what it says of itself, its tools
//! toolgate source refresh refunds   ask it now
//! ```
//!
//! Must not know: how a source is reached.

mod add;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::{rows, table, visible};

/// Arguments of `toolgate source`.
#[derive(Debug, Args)]
pub(crate) struct Source {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a source to the configuration file
    #[command(after_help = "Example: toolgate source add git -- uvx mcp-server-git")]
    Add(Box<add::Add>),
    /// List all sources with their health
    Ls,
    /// Show one source: whose it is, how it is, what it says of itself, and its tools
    Show {
        /// Its name
        name: String,
    },
    /// Ask a source now how it is and what it offers
    Refresh {
        /// Its name
        name: String,
    },
}

impl Run for Source {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        if let What::Add(add) = &self.what {
            return add.run(shell);
        }
        let admin = Admin::open(shell)?;
        match self.what {
            What::Add(_) => {}
            What::Ls => {
                let sources = admin.body(Ask::get("/v1/sources")).await?;
                let columns = [
                    ("NAME", "/name"),
                    ("KIND", "/kind"),
                    ("HEALTH", "/health"),
                    ("TOOLS", "/tools"),
                    ("OWNER", "/owner"),
                    ("AUTH", "/auth"),
                    ("DETAIL", "/detail"),
                ];
                shell.print(&sources, || table(&rows(&sources), &columns))?;
            }
            What::Show { name } => {
                let source = whole(&admin, &name).await?;
                shell.print(&source, || drawn(&source))?;
            }
            What::Refresh { name } => {
                known(&admin, &name).await?;
                let ask = Ask::post(format!("/v1/sources/{name}/refresh"), json!({}));
                let source = admin.body(ask).await?;
                shell.print(&source, || {
                    format!("{name} is being asked; `toolgate source show {name}` says how it is")
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

/// A source as it is listed.
async fn known(admin: &Admin, name: &str) -> Result<Value, Fault> {
    let sources = admin.body(Ask::get("/v1/sources")).await?;
    let named = |source: &Value| source.get("name").and_then(Value::as_str) == Some(name);
    rows(&sources).into_iter().find(named).ok_or_else(|| {
        Fault::usage(format!("there is no source `{name}`")).help("`toolgate source ls` lists them")
    })
}

/// A source with its tools.
async fn whole(admin: &Admin, name: &str) -> Result<Value, Fault> {
    let mut source = known(admin, name).await?;
    let tools = admin.body(Ask::get("/v1/tools")).await?;
    let of = |tool: &Value| tool.get("source").and_then(Value::as_str) == Some(name);
    let own: Vec<Value> = rows(&tools).into_iter().filter(of).collect();
    if let Value::Object(source) = &mut source {
        source.insert("items".to_owned(), own.into());
    }
    Ok(source)
}

/// A source for people. What it says of itself is marked as its own words.
fn drawn(source: &Value) -> String {
    let mut out = String::new();
    for key in [
        "name", "kind", "health", "detail", "owner", "auth", "heard_at",
    ] {
        if let Some(text) = source.get(key).and_then(Value::as_str) {
            out.push_str(&format!("{key:<9} {}\n", visible(text)));
        }
    }
    let claims = source.get("claims").and_then(Value::as_object);
    for (key, value) in claims.into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        out.push_str(&format!("says      {}: {}\n", visible(key), visible(text)));
    }
    let columns = [
        ("TOOL", "/id"),
        ("RISK", "/risk"),
        ("VERB", "/verb"),
        ("RECOVERY", "/recovery"),
        ("REVIEW", "/review"),
    ];
    let tools = rows(source);
    if !tools.is_empty() {
        out.push_str(&format!("\n{}", table(&tools, &columns)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::drawn;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn what_a_source_says_of_itself_is_told_from_what_is_known() {
        let source = json!({
            "name": "refunds", "kind": "plugin", "health": "down",
            "detail": "it did not answer `health` within 5s; it was last heard of at 2026-06-16T15:14:22.000Z",
            "owner": "ana@acme.com", "auth": "hmac", "heard_at": "2026-06-16T15:14:22.000Z",
            "claims": {"owner": "root\u{202e}", "provider": "stripe"}, "tools": 1,
            "items": [{"id": "refunds.issue", "risk": "critical", "verb": "WRITE",
                       "recovery": "checkable", "review": "accepted"}],
        });
        expect![[r#"
            name      refunds
            kind      plugin
            health    down
            detail    it did not answer `health` within 5s; it was last heard of at 2026-06-16T15:14:22.000Z
            owner     ana@acme.com
            auth      hmac
            heard_at  2026-06-16T15:14:22.000Z
            says      owner: root\u{202e}
            says      provider: stripe

            TOOL           RISK      VERB   RECOVERY   REVIEW
            refunds.issue  critical  WRITE  checkable  accepted
        "#]].assert_eq(&drawn(&source));
    }
}
