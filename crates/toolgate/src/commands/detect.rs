//! `toolgate detect`: which data and which signs does a text have?
//!
//! ```text
//! toolgate detect message.json
//! toolgate detect --redact - < message.txt
//! ```
//!
//! Offline, with the `[detect]` table of the configuration. What is JSON is read as JSON, member by
//! member; anything else is one text. Values are never printed but for `--redact`, which prints the
//! whole with what was found replaced.
//!
//! Must not know: patterns; `detect` does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use toolgate_detect::{Detector, Finding, Part, Scan, TEXT_BYTES_MAX, kinds, redact};
use toolgate_model::json::{Limits, Numbers, parse};

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty, read_text};

/// LIMIT: a file of lines is read whole; a longer one can be split by line.
const LINES_BYTES_MAX: u64 = 256 << 20;

/// Arguments of `toolgate detect`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate detect --redact message.json")]
pub(crate) struct Detect {
    /// A text or JSON, `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Print it with what was found replaced
    #[arg(long)]
    redact: bool,
    /// Take every line as a text or JSON of its own
    #[arg(long)]
    lines: bool,
    /// List the kinds of findings that there are
    #[arg(long, conflicts_with_all = ["redact", "lines"])]
    kinds: bool,
}

impl Run for Detect {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        if self.kinds {
            let kinds: BTreeSet<&str> = kinds().collect();
            let text = || kinds.iter().copied().collect::<Vec<_>>().join("\n");
            shell.print(&json!({ "kinds": kinds }), text)?;
            return Ok(Exit::Done);
        }
        let detector = shell.resolve(Vec::new())?.config.settings.detector;
        if self.lines {
            let text = read_text(&self.file, LINES_BYTES_MAX)?;
            for (place, line) in text.lines().enumerate() {
                self.one(shell, &detector, (Some(place + 1), line))?;
            }
        } else {
            let text = read_text(&self.file, TEXT_BYTES_MAX as u64)?;
            self.one(shell, &detector, (None, &text))?;
        }
        Ok(Exit::Done)
    }
}

impl Detect {
    fn one(
        &self,
        shell: &Shell,
        detector: &Detector,
        (line, text): (Option<usize>, &str),
    ) -> Result<(), Fault> {
        let value = read(text);
        let scan = detector.scan(&value).map_err(|error| {
            let place = line.map_or_else(String::new, |line| format!(" line {line}"));
            let what = format!("`{}`{place} cannot be scanned: {error}", shown(&self.file));
            Fault::failed(what).help("split it, or take it line by line with `--lines`")
        })?;
        let mut answer = report(&scan);
        if let Some(line) = line {
            put(&mut answer, "line", json!(line));
        }
        if self.redact {
            let (clean, replaced) = redact(&value, &scan.findings, &scan.classes());
            put(&mut answer, "redacted", clean.clone());
            put(&mut answer, "replaced", json!(replaced));
            return output(shell, &answer, line, || written(&clean));
        }
        let quiet = scan.findings.is_empty() && scan.signals.is_empty();
        match line.is_some() && quiet && !shell.global.json {
            true => Ok(()),
            false => output(shell, &answer, line, || listed(&scan, line)),
        }
    }
}

/// One line of JSON for each line of input, else one document.
fn output(
    shell: &Shell,
    answer: &Value,
    line: Option<usize>,
    text: impl FnOnce() -> String,
) -> Result<(), Fault> {
    match line {
        Some(_) => shell.print_line(answer, text),
        None => shell.print(answer, text),
    }
}

/// What is an object or a list is JSON; anything else is a text as it stands.
fn read(text: &str) -> Value {
    let limits = Limits {
        bytes_max: text.len(),
        string_bytes_max: text.len(),
        ..Limits::CALL
    };
    parse(text.as_bytes(), limits, Numbers::Exact)
        .ok()
        .filter(|value| value.is_object() || value.is_array())
        .unwrap_or_else(|| Value::from(text))
}

/// A text as it is, JSON as people read it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => pretty(other),
    }
}

/// Adds a member to an object.
fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn report(scan: &Scan) -> Value {
    let findings: Vec<Value> = scan.findings.iter().map(finding).collect();
    let signals: Vec<Value> = scan
        .signals
        .iter()
        .map(|signal| json!({"kind": signal.kind, "path": signal.path}))
        .collect();
    json!({"classes": scan.classes(), "findings": findings, "signals": signals})
}

fn finding(found: &Finding) -> Value {
    json!({
        "class": found.class,
        "kind": found.kind,
        "path": found.path,
        "part": part(found),
        "start": found.at.start,
        "end": found.at.end,
        "confidence": (f64::from(found.confidence) * 100.0).round() / 100.0,
    })
}

const fn part(found: &Finding) -> &'static str {
    match found.part {
        Part::Value => "value",
        Part::Key => "key",
    }
}

fn listed(scan: &Scan, line: Option<usize>) -> String {
    let place = line.map_or_else(String::new, |line| format!("line {line}: "));
    let findings = scan.findings.iter().map(|found| {
        let (at, sure) = (&found.at, (found.confidence * 100.0).round());
        let whose = if found.part == Part::Key {
            " (key)"
        } else {
            ""
        };
        let path = if found.path.is_empty() {
            "text"
        } else {
            &found.path
        };
        format!(
            "{place}{} {} in {path}{whose}, bytes {} to {}, {sure} % sure",
            found.class, found.kind, at.start, at.end
        )
    });
    let signals = scan.signals.iter().map(|signal| {
        let path = if signal.path.is_empty() {
            "text"
        } else {
            &signal.path
        };
        format!("{place}signal {} in {path}", signal.kind)
    });
    let all: Vec<String> = findings.chain(signals).collect();
    match all.is_empty() {
        true => format!("{place}nothing found"),
        false => all.join("\n"),
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}
