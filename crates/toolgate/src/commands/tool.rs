//! `toolgate tool`: tools, how they are rated, and the review of those that changed.
//!
//! ```text
//! toolgate tool review                      what is held, or was never looked at
//! toolgate tool review weather.get          what it was beside what it says now
//! toolgate tool review weather.get --accept --digest 5f3a9c21 --reason "new parameter"
//! ```
//!
//! What `toolgate tool ls --json` prints is what `toolgate eval --tools` reads.
//! Must not know: how a tool is rated or compared.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::prefix;
use crate::shell::{Shell, pretty};
use crate::table::{rows, table, visible};

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
    /// Compare a tool with what it was when it was last reviewed, and decide on it
    #[command(after_help = "Example: toolgate tool review weather.get --accept --digest 5f3a9c21")]
    Review(Review),
}

/// Arguments of `toolgate tool review`.
#[derive(Debug, Args)]
struct Review {
    /// Its id, `source.operation`; without one, all that changed are listed
    id: Option<String>,
    /// Let it be called as it is now
    #[arg(long, requires_all = ["id", "digest"], conflicts_with = "disable")]
    accept: bool,
    /// Let it not be called any more
    #[arg(long, requires_all = ["id", "digest"])]
    disable: bool,
    /// The first eight or more hex digits of the present digest, as the review shows it
    #[arg(long, value_name = "PREFIX")]
    digest: Option<String>,
    /// Why; kept on the record
    #[arg(long, default_value = "")]
    reason: String,
}

impl Run for Tool {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        if let What::Review(review) = &self.what {
            return review.run(shell, &admin).await;
        }
        let tools = admin.body(Ask::get("/v1/tools")).await?;
        match self.what {
            What::Review(_) => {}
            What::Ls => {
                let columns = [
                    ("TOOL", "/id"),
                    ("RISK", "/risk"),
                    ("VERB", "/verb"),
                    ("RECOVERY", "/recovery"),
                    ("VERSION", "/version"),
                    ("REVIEW", "/review"),
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
        if tool.get("held").and_then(Value::as_bool) == Some(true) {
            let id = text("id");
            lines.push_str(&format!(
                "held: `{id}` is {}: look at it with `toolgate tool review {id}`\n",
                text("review")
            ));
        }
    }
    lines
}

impl Review {
    async fn run(&self, shell: &Shell, admin: &Admin) -> Result<Exit, Fault> {
        let Some(id) = &self.id else {
            return list(shell, admin).await;
        };
        let path = format!("/v1/tools/{}/review", id.replace('/', "%2F"));
        let review = admin.body(Ask::get(path.clone())).await?;
        let decision = match (self.accept, self.disable) {
            (true, _) => "accept",
            (_, true) => "disable",
            (false, false) => {
                shell.print(&review, || drawn(&review))?;
                return Ok(Exit::Done);
            }
        };
        let present = review.pointer("/present/digest").and_then(Value::as_str);
        let present = present.ok_or_else(|| {
            Fault::new(Exit::Conflict, format!("no source offers `{id}` now"))
                .help("`toolgate source ls` shows how the sources are doing")
        })?;
        let given = self.digest.as_deref().unwrap_or_default();
        let look = format!("toolgate tool review {id}");
        prefix::agrees(given, present, (&look, "tool_changed"))?;
        let body = json!({"digest": present, "decision": decision, "reason": self.reason});
        let review = admin.body(Ask::post(path, body)).await?;
        let state = review.get("state").and_then(Value::as_str).unwrap_or("-");
        shell.print(&review, || format!("`{id}` is {state} at {present}"))?;
        Ok(Exit::Done)
    }
}

/// The tools that are not what people agreed to.
async fn list(shell: &Shell, admin: &Admin) -> Result<Exit, Fault> {
    let tools = admin.body(Ask::get("/v1/tools")).await?;
    let accepted = |tool: &Value| tool.get("review").and_then(Value::as_str) == Some("accepted");
    let open: Vec<_> = rows(&tools)
        .into_iter()
        .filter(|it| !accepted(it))
        .collect();
    let columns = [
        ("TOOL", "/id"),
        ("REVIEW", "/review"),
        ("HELD", "/held"),
        ("RISK", "/risk"),
    ];
    shell.print(&json!({"items": open}), || match open.as_slice() {
        [] => "every tool is what it was when it was last reviewed".to_owned(),
        open => table(open, &columns),
    })?;
    Ok(Exit::Done)
}

/// A review for people: how it stands, where it differs, what is conspicuous, and what to do.
fn drawn(review: &Value) -> String {
    let at = |pointer: &str| {
        let found = review.pointer(pointer).filter(|found| !found.is_null());
        found.map_or_else(
            || "-".to_owned(),
            |found| match found.as_str() {
                Some(text) => visible(text),
                None => visible(&found.to_string()),
            },
        )
    };
    let listed = |key: &str| {
        review
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut out = format!("{} is {}", at("/tool"), at("/state"));
    let held = review.get("held").and_then(Value::as_bool) == Some(true);
    out.push_str(if held { ", and held\n" } else { "\n" });
    let (digest, by, when) = (at("/pinned/digest"), at("/pinned/by"), at("/pinned/at"));
    out.push_str(&format!("  pinned   {digest}  by {by} at {when}\n"));
    out.push_str(&format!("  present  {}\n", at("/present/digest")));
    for difference in listed("differences") {
        let side = |key: &str| {
            let side = difference.get(key).and_then(Value::as_str);
            side.map_or_else(|| "(nothing)".to_owned(), visible)
        };
        let path = difference
            .get("path")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (before, after) = (side("before"), side("after"));
        out.push_str(&format!("\n{path}\n  - {before}\n  + {after}\n"));
    }
    for signal in listed("signals") {
        let text = |key: &str| signal.get(key).and_then(Value::as_str).unwrap_or_default();
        let (kind, path) = (text("kind"), visible(text("path")));
        out.push_str(&format!(
            "\nwarning: `{kind}` at {path}: it speaks to the model\n"
        ));
    }
    if matches!(at("/state").as_str(), "changed" | "unpinned" | "disabled") {
        let digest = at("/present/digest");
        let short: String = digest
            .trim_start_matches("sha256:")
            .chars()
            .take(12)
            .collect();
        out.push_str(&format!(
            "\naccept it with `toolgate tool review {} --accept --digest {short}`, \
             or `--disable` it\n",
            at("/tool")
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::drawn;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_change_is_shown_with_everything_that_hides_in_it() {
        let review = json!({
            "tool": "weather.get", "state": "changed", "held": true,
            "pinned": {"digest": "sha256:1111", "by": "gate", "at": "2026-06-16T15:14:22.000Z"},
            "present": {"digest": "sha256:222222222222222", "definition": {}},
            "differences": [
                {"path": "/description", "before": "\"The weather\"",
                 "after": "\"The weather\\u{200b}\""},
                {"path": "/annotations", "before": null, "after": "{}"},
            ],
            "signals": [{"kind": "hidden_text", "path": "/description"}],
        });
        expect![[r#"
            weather.get is changed, and held
              pinned   sha256:1111  by gate at 2026-06-16T15:14:22.000Z
              present  sha256:222222222222222

            /description
              - "The weather"
              + "The weather\u{200b}"

            /annotations
              - (nothing)
              + {}

            warning: `hidden_text` at /description: it speaks to the model

            accept it with `toolgate tool review weather.get --accept --digest 222222222222`, or `--disable` it
        "#]]
        .assert_eq(&drawn(&review));
    }
}
