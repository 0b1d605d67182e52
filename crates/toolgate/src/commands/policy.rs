//! `toolgate policy`: documents, their versions, and which of them are in force.
//!
//! ```text
//! toolgate policy apply refunds.json -m "lower limit"     a version, nothing in force yet
//! toolgate policy activate refunds                        the newest version binds
//! toolgate policy rollback refunds                        the one before it binds again
//! ```
//!
//! `diff`, `backtest` and `monitor` only try; they stand in `trial`.
//!
//! Must not know: what a document means. What is wrong with one is drawn under its text.

mod replay;
mod trial;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::reload::{self, PolicyFiles};
use crate::shell::{Shell, pretty};
use crate::table::{rows, table};

use trial::Trial;

/// Arguments of `toolgate policy`.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    #[command(flatten)]
    Change(Change),
    #[command(flatten)]
    Trial(Trial),
}

#[derive(Debug, Subcommand)]
enum Change {
    /// List all documents
    Ls,
    /// Show a document, or all its versions
    Show {
        /// Its name
        name: String,
        /// List its versions
        #[arg(long)]
        versions: bool,
    },
    /// Write new versions of documents; the name is the stem of the file
    #[command(after_help = "Example: toolgate policy apply policies/refunds.json --activate")]
    Apply {
        /// JSON files, or directories of them
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Put them in force at once
        #[arg(long)]
        activate: bool,
        /// What is to be said about this version
        #[arg(short, long, default_value = "")]
        message: String,
    },
    /// Put a version in force; the newest, if none is named
    #[command(
        after_help = "Exit code 4 where a test fails, 6 where a second person has to confirm"
    )]
    Activate {
        /// Its name, or `name@3`
        name: String,
        /// Put it in force although tests fail; takes the permission to, and a reason
        #[arg(long, requires = "reason")]
        force: bool,
        /// Why
        #[arg(long, requires = "force")]
        reason: Option<String>,
    },
    /// Put the version before the present one in force again
    Rollback {
        /// Its name
        name: String,
    },
    /// Take a document out of force
    Deactivate {
        /// Its name
        name: String,
    },
}

impl Run for Policy {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        match self.what {
            What::Change(change) => change.run(shell).await,
            What::Trial(trial) => trial.run(shell).await,
        }
    }
}

impl Run for Change {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let answer = match self {
            Self::Ls => {
                let policies = admin.body(Ask::get("/v1/policies")).await?;
                shell.print(&policies, || table(&rows(&policies), &DOCUMENTS))?;
                return Ok(Exit::Done);
            }
            Self::Show {
                name,
                versions: true,
            } => {
                let path = format!("/v1/policies/{name}/versions");
                let versions = admin.body(Ask::get(path)).await?;
                shell.print(&versions, || table(&rows(&versions), &VERSIONS))?;
                return Ok(Exit::Done);
            }
            Self::Show {
                name,
                versions: false,
            } => {
                let document = admin.body(Ask::get(format!("/v1/policies/{name}"))).await?;
                shell.print(&document, || {
                    let text = document.get("text").and_then(Value::as_str);
                    text.map_or_else(|| pretty(&document), str::to_owned)
                })?;
                return Ok(Exit::Done);
            }
            Self::Apply {
                paths,
                activate,
                message,
            } => {
                return apply(shell, &admin, &paths, (activate, &message)).await;
            }
            Self::Activate { name, reason, .. } => activate(&admin, &name, reason).await?,
            Self::Rollback { name } => {
                let path = format!("/v1/policies/{name}/rollback");
                admin.body(Ask::post(path, json!({}))).await?
            }
            Self::Deactivate { name } => {
                let path = format!("/v1/policies/{name}/deactivate");
                admin.body(Ask::post(path, json!({}))).await?
            }
        };
        shell.print(&answer, || line(&answer))?;
        Ok(ended(&answer))
    }
}

const DOCUMENTS: [(&str, &str); 8] = [
    ("NAME", "/name"),
    ("IN FORCE", "/active_number"),
    ("SINCE", "/activated/at"),
    ("BY", "/activated/by"),
    ("NEWEST", "/latest/number"),
    ("AUTHOR", "/latest/author"),
    ("ASKED BY", "/latest/requested/by"),
    ("MESSAGE", "/latest/message"),
];

const VERSIONS: [(&str, &str); 8] = [
    ("VERSION", "/number"),
    ("ACTIVE", "/active"),
    ("AUTHOR", "/author"),
    ("CREATED", "/created_at"),
    ("ACTIVATED BY", "/activated/by"),
    ("ACTIVATED", "/activated/at"),
    ("DIGEST", "/digest"),
    ("MESSAGE", "/message"),
];

async fn apply(
    shell: &Shell,
    admin: &Admin,
    paths: &[PathBuf],
    (at_once, message): (bool, &str),
) -> Result<Exit, Fault> {
    let files = reload::read(paths)?;
    let mut applied = Vec::new();
    for document in &files.documents {
        let body = json!({"text": document.text, "message": message, "activate": at_once});
        let written = write(admin, &document.name, body).await;
        applied.push(written.map_err(|fault| drawn(fault, &files))?);
    }
    let text = || applied.iter().map(|version| line(version) + "\n").collect();
    shell.print(&json!({"policies": applied}), text)?;
    let worst = applied.iter().map(ended).max();
    Ok(worst.unwrap_or(Exit::Done))
}

/// Writes a version on top of the one that is there, so that a version that somebody else wrote
/// meanwhile is not passed over.
async fn write(admin: &Admin, name: &str, body: Value) -> Result<Value, Fault> {
    let path = format!("/v1/policies/{name}");
    let present = match admin.ask(Ask::get(path.clone())).await {
        Ok(answer) => answer.tag,
        Err(fault) if fault.code() == "not_found" => None,
        Err(fault) => return Err(fault),
    };
    let ask = Ask::put(path, body);
    let ask = match present {
        Some(tag) => ask.header("if-match", tag),
        None => ask.header("if-none-match", "*"),
    };
    admin.body(ask).await
}

async fn activate(admin: &Admin, name: &str, force: Option<String>) -> Result<Value, Fault> {
    let (name, number) = match name.split_once('@') {
        None => (name, None),
        Some((name, number)) => {
            let number: u32 = number.parse().map_err(|_| {
                Fault::usage(format!("`{number}` is not a version number")).help(format!(
                    "`toolgate policy show {name} --versions` lists them"
                ))
            })?;
            (name, Some(number))
        }
    };
    let body = json!({"number": number, "force": force});
    admin
        .body(Ask::post(format!("/v1/policies/{name}/activate"), body))
        .await
}

/// The fault with the complaints drawn under the texts of the files.
fn drawn(fault: Fault, files: &PolicyFiles) -> Fault {
    fault.with_findings(|findings| reload::findings(findings.diagnostics, files))
}

fn line(version: &Value) -> String {
    let name = version.get("name").and_then(Value::as_str).unwrap_or("-");
    let number = version
        .get("number")
        .map_or_else(String::new, Value::to_string);
    let active = version
        .get("active")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    let state = if active { "in force" } else { "not in force" };
    let line = format!("{name} version {number} is {state}");
    match awaits(version) {
        None => line,
        Some(may) if may.is_empty() => format!(
            "{line}: a second person has to confirm it, and nobody may: add a person who may \
             activate policies"
        ),
        Some(may) => format!(
            "{line}: a second person has to confirm it with `toolgate policy activate \
             {name}@{number}`: {}",
            may.join(" or ")
        ),
    }
}

/// Who may confirm, where it takes a second person.
fn awaits(version: &Value) -> Option<Vec<String>> {
    let listed = version.get("awaits")?.as_array()?;
    let names = listed.iter().filter_map(Value::as_str);
    Some(names.map(str::to_owned).collect())
}

/// What waits for a second person is not done.
fn ended(version: &Value) -> Exit {
    if awaits(version).is_some() {
        Exit::ApprovalRequired
    } else {
        Exit::Done
    }
}
