//! `toolgate log`: the record, for people and for programs.
//!
//! ```text
//! toolgate log tail --follow
//! toolgate log show inv_0197…
//! toolgate log export > log.ndjson && toolgate audit verify log.ndjson
//! ```
//!
//! Must not know: how the record is kept or proved.

use std::io::Write as _;

use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};
use crate::sse::Events;
use crate::table::{rows, visible};

/// Arguments of `toolgate log`.
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the newest records
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
        lines: u16,
        /// Only kinds that begin so: invocation., key.revoked
        #[arg(long)]
        kind: Option<String>,
        /// Go on printing new records
        #[arg(short, long)]
        follow: bool,
    },
    /// Show an invocation with its records, or one record
    Show {
        /// `inv_…` or `evt_…`
        id: String,
    },
    /// Print the whole log as a bundle that proves itself
    Export,
}

impl Run for Log {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Tail {
                lines,
                kind,
                follow,
            } => {
                let ask = Ask::get("/v1/records")
                    .with("limit", Some(lines))
                    .with("newest", Some(true))
                    .with("kind", kind.clone());
                for record in rows(&admin.body(ask).await?) {
                    shell.print_line(&record, || line(&record))?;
                }
                if follow {
                    self::follow(shell, &admin, kind.as_deref()).await?;
                }
            }
            What::Show { id } if id.starts_with("evt_") => {
                let record = admin.body(Ask::get(format!("/v1/records/{id}"))).await?;
                shell.print(&record, || pretty(&record))?;
            }
            What::Show { id } => story(shell, &admin, &id).await?,
            What::Export => export(&admin).await?,
        }
        Ok(Exit::Done)
    }
}

/// An invocation's outcome, and every record of how it came to that.
async fn story(shell: &Shell, admin: &Admin, id: &str) -> Result<(), Fault> {
    let envelope = admin
        .body(Ask::get(format!("/v1/invocations/{id}")))
        .await?;
    let ask = Ask::get("/v1/records")
        .with("invocation", Some(id))
        .with("limit", Some(200));
    let records = rows(&admin.body(ask).await?);
    let whole = json!({"invocation": envelope, "records": records});
    shell.print(&whole, || {
        let lines: String = records.iter().map(|record| line(record) + "\n").collect();
        format!("{lines}\n{}", pretty(&envelope))
    })
}

async fn follow(shell: &Shell, admin: &Admin, kind: Option<&str>) -> Result<(), Fault> {
    let response = admin
        .send(Ask::get("/v1/events").header("accept", "text/event-stream"))
        .await?;
    if !response.status().is_success() {
        let status = response.status();
        return Err(Fault::failed(format!(
            "the gate sends no events (HTTP {status})"
        )));
    }
    let mut events = Events::of(response);
    while let Some(event) = events.next().await? {
        let Ok(record) = serde_json::from_str::<Value>(&event) else {
            continue;
        };
        let own = record
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if kind.is_none_or(|kind| own.starts_with(kind)) {
            shell.print_line(&record, || line(&record))?;
        }
    }
    Ok(())
}

/// The bundle as it comes; its text is what proves it.
async fn export(admin: &Admin) -> Result<(), Fault> {
    let response = admin.send(Ask::get("/v1/export")).await?;
    if !response.status().is_success() {
        let status = response.status();
        return Err(Fault::failed(format!(
            "the gate exports nothing (HTTP {status})"
        )));
    }
    let broken = |why: String| Fault::failed(format!("the export broke off: {why}"));
    let mut bytes = response.bytes_stream();
    let mut out = std::io::stdout().lock();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| broken(error.to_string()))?;
        out.write_all(&chunk)
            .map_err(|error| broken(error.to_string()))?;
    }
    out.flush().map_err(|error| broken(error.to_string()))
}

/// A record in one line: when, what, about which call, by whom, and why where it was refused.
fn line(record: &Value) -> String {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => visible(text),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => visible(&other.to_string()),
    };
    let entry = record.get("text").and_then(Value::as_str);
    let entry: Value = entry
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let actor = entry
        .pointer("/actor/id")
        .or_else(|| entry.pointer("/actor/kind"));
    let code = entry.pointer("/data/denial/code");
    format!(
        "{}  {}  {}  {}  {}{}",
        text(record.get("index")),
        text(record.get("at")),
        text(record.get("kind")),
        text(record.get("invocation")),
        text(actor),
        code.map_or_else(String::new, |code| format!("  {}", text(Some(code)))),
    )
}
