//! `toolgate audit`: is the record whole?
//!
//! ```text
//! toolgate audit verify                      the data directory, also while the gate runs
//! toolgate audit verify --data COPY          a copy of one
//! toolgate audit verify log.ndjson --key gate.key
//! toolgate audit verify receipt.json --key gate.key
//! ```
//!
//! Verification is offline: it needs the record, and the key from a place that whoever wrote the
//! record could not write. Without `--key` the key beside the record is used, which finds accidents
//! and clumsy hands, but not somebody who had the whole directory.
//!
//! Must not know: how a log is proved; `record` does.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use toolgate_record::{Proven, Receipt, Report, Signer, Verifier, verify_bundle};
use toolgate_store::audit::Evidence;
use toolgate_store::keys;

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::home::VERIFIER_FILE;
use crate::shell::{Shell, read_text};

/// LIMIT: a key has some four hundred bytes.
const KEY_BYTES_MAX: u64 = 4_096;

/// LIMIT: a bundle is held in memory while it is checked.
const BUNDLE_BYTES_MAX: u64 = 4 << 30;

/// Arguments of `toolgate audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Verify a log: of a bundle, of a receipt, or of a data directory or a copy of one
    Verify {
        /// A bundle of `toolgate log export`, or a receipt; the data directory, if not said
        bundle: Option<PathBuf>,
        /// The verifier key: its text, or a file with it
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Sign the log as it stands, and print the signed note
    Checkpoint,
}

/// Has the log signed as it stands.
pub(super) async fn sign(admin: &Admin) -> Result<Value, Fault> {
    admin.body(Ask::post("/v1/checkpoints", json!({}))).await
}

impl Run for Audit {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        match self.what {
            What::Verify {
                bundle: Some(bundle),
                key,
            } => {
                let text = read_text(&bundle, BUNDLE_BYTES_MAX)?;
                if is_receipt(&text) {
                    return receipt(shell, &text, key.as_deref());
                }
                let verifier = match key {
                    Some(key) => named_key(&key)?,
                    None => key_in(&text)?,
                };
                report(shell, &verify_bundle(text.as_bytes(), &verifier), &verifier)
            }
            What::Verify { bundle: None, key } => {
                let data = shell.data_directory()?;
                let verifier = match key {
                    Some(key) => named_key(&key)?,
                    None => key_beside(&data)?,
                };
                let broken =
                    |error: toolgate_store::audit::AuditError| Fault::failed(error.to_string());
                // A gate that runs signs about once a second: what it has not signed yet it is
                // asked to sign now. A copy, or a gate that does not run, is judged as it lies.
                if let Ok(admin) = Admin::open(shell) {
                    let _unsigned = sign(&admin).await;
                }
                let evidence = Evidence::open(&data).map_err(broken)?;
                report(
                    shell,
                    &evidence.verify(&verifier).map_err(broken)?,
                    &verifier,
                )
            }
            What::Checkpoint => {
                let admin = Admin::open(shell)?;
                let signed = sign(&admin).await?;
                shell.print(&signed, || {
                    signed
                        .get("note")
                        .and_then(Value::as_str)
                        .unwrap_or("-")
                        .to_owned()
                })?;
                Ok(Exit::Done)
            }
        }
    }
}

/// Whether this is a receipt and not a bundle: a bundle has one object a line.
fn is_receipt(text: &str) -> bool {
    let whole: Option<Value> = serde_json::from_str(text).ok();
    whole.is_some_and(|whole| whole.get("toolgate_receipt").is_some())
}

/// A receipt carries no key: whoever made it up could have put one in.
fn receipt(shell: &Shell, text: &str, key: Option<&str>) -> Result<Exit, Fault> {
    let verifier = match key {
        Some(key) => named_key(key)?,
        None => key_beside(&shell.data_directory()?)?,
    };
    let read = Receipt::parse(text.as_bytes());
    let proven = read
        .and_then(|receipt| receipt.verify(&verifier))
        .map_err(|error| {
            Fault::new(
                Exit::Conflict,
                format!("the receipt proves nothing: {error}"),
            )
        })?;
    let kinds: Vec<_> = proven
        .entries
        .iter()
        .map(|(index, entry)| json!({"index": index, "at": entry.at, "kind": entry.kind}))
        .collect();
    let value = json!({
        "sound": true,
        "invocation": proven.invocation,
        "described": proven.ties.described,
        "approved": proven.ties.approved,
        "executed": proven.ties.executed,
        "records": kinds,
        "verifier": verifier.to_string(),
    });
    shell.print(&value, || story(&proven))?;
    Ok(Exit::Done)
}

/// What a receipt proves, one line a record.
fn story(proven: &Proven) -> String {
    let mut text: String = proven
        .entries
        .iter()
        .map(|(index, entry)| format!("{index}  {}  {}\n", entry.at, entry.kind))
        .collect();
    let ran = match (proven.ties.approved, proven.ties.executed) {
        (Some(digest), Some(_)) => format!("what ran is what was approved: {digest}"),
        (None, Some(digest)) => format!("what ran is what was allowed: {digest}"),
        (_, None) => "it did not run".to_owned(),
    };
    text.push_str(&format!(
        "sound: {} and its {} records; {ran}",
        proven.invocation,
        proven.entries.len()
    ));
    text
}

fn report(shell: &Shell, report: &Report, verifier: &Verifier) -> Result<Exit, Fault> {
    let mut value =
        serde_json::to_value(report).map_err(|error| Fault::failed(error.to_string()))?;
    if let Some(map) = value.as_object_mut() {
        map.insert("verifier".to_owned(), json!(verifier.to_string()));
    }
    shell.print(&value, || told(report))?;
    Ok(if report.is_sound() {
        Exit::Done
    } else {
        Exit::Conflict
    })
}

/// One line a finding, then the sum.
pub(crate) fn told(report: &Report) -> String {
    let mut text: String = report
        .findings
        .iter()
        .map(|found| format!("{}: {}\n", found.place, found.message))
        .collect();
    if report.findings_dropped > 0 {
        text.push_str(&format!("and {} more\n", report.findings_dropped));
    }
    let verdict = if report.is_sound() {
        "sound"
    } else {
        "NOT SOUND"
    };
    text.push_str(&format!(
        "{verdict}: {} records, {} of {} checkpoints confirm {} of them, {} not signed yet",
        report.records,
        report.checkpoints_confirmed,
        report.checkpoints,
        report.size_confirmed,
        report.unsigned_tail,
    ));
    text
}

/// The key that stands in a data directory: its public file, else the public half of the one
/// that signs.
pub(crate) fn key_beside(data: &Path) -> Result<Verifier, Fault> {
    let directory = if data.is_dir() {
        data
    } else {
        data.parent().unwrap_or(data)
    };
    if let Ok(text) = read_text(&directory.join(VERIFIER_FILE), KEY_BYTES_MAX) {
        return parse(text.trim());
    }
    let path = directory.join(keys::FILE);
    let text = read_text(&path, KEY_BYTES_MAX).map_err(|_| {
        Fault::usage(format!(
            "there is no key beside the record in `{}`",
            directory.display()
        ))
        .help("name the gate's verifier key with `--key`; it is in `verifier.key` where it runs")
    })?;
    let signer = Signer::parse(text.trim()).map_err(|error| {
        Fault::usage(format!(
            "`{}` is not a signing key: {error}",
            path.display()
        ))
    })?;
    Ok(signer.verifier().clone())
}

fn named_key(key: &str) -> Result<Verifier, Fault> {
    let path = Path::new(key);
    if path.is_file() {
        parse(read_text(path, KEY_BYTES_MAX)?.trim())
    } else {
        parse(key)
    }
}

/// The key that a bundle says it is signed with.
fn key_in(bundle: &str) -> Result<Verifier, Fault> {
    let header = bundle
        .lines()
        .next()
        .and_then(|line| serde_json::from_str::<Value>(line).ok());
    let key = header
        .as_ref()
        .and_then(|header| header.get("verifier_key"))
        .and_then(Value::as_str);
    key.ok_or_else(|| Fault::new(Exit::Conflict, "this is not a bundle: it has no header"))
        .and_then(parse)
}

fn parse(text: &str) -> Result<Verifier, Fault> {
    Verifier::parse(text).map_err(|error| {
        Fault::usage(format!("`{text}` is not a verifier key: {error}"))
            .help("it looks like `name+1a2b3c4d+base64`")
    })
}
