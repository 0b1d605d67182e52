//! `toolgate policy diff`, `backtest`, `monitor`: what a change of policies would do, and what
//! watched rules noticed, before anything binds.
//!
//! ```text
//! toolgate policy backtest refunds.json --since 7d
//! 412 calls from …, 409 decided again: 31 would change
//!   allow → require_approval   31
//! ```
//!
//! Must not know: how a call is decided again.

use super::replay;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use toolgate_policy::{Document, DocumentDifference, KeyDifference, difference};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::reload;
use crate::shell::Shell;
use crate::table::{table, visible};

/// The commands that only try.
#[derive(Debug, Subcommand)]
pub(crate) enum Trial {
    /// Say what two versions say differently, by meaning
    #[command(
        after_help = "Examples: toolgate policy diff old/ new/\n          toolgate policy diff refunds@1 refunds@2"
    )]
    Diff(Diff),
    /// Try a changed set on the recorded calls; nothing is changed by it
    #[command(after_help = "Example: toolgate policy backtest refunds.json --since 7d")]
    Backtest(Backtest),
    /// Print the recorded calls, a JSON object a line, to try policies on them elsewhere
    #[command(after_help = "Example: toolgate policy calls --since 30d > calls.ndjson")]
    Calls(Calls),
    /// Show what rules in monitor mode noticed, and what they would have changed
    Monitor(Monitor),
}

/// Arguments of `toolgate policy diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A file, a directory, `name@2`, or `name` for what is in force
    before: String,
    /// Likewise
    after: String,
}

/// Arguments of `toolgate policy backtest`.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// The changed documents: files, directories, `name@2`
    #[arg(required_unless_present = "without")]
    candidate: Vec<String>,
    /// A document in force that the candidate does not have; may be repeated
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Calls from a file that `policy calls` wrote: no gate is asked
    #[arg(long, value_name = "FILE", requires = "present")]
    calls: Option<PathBuf>,
    /// With `--calls`: the documents in force, files or directories; may be repeated
    #[arg(long, value_name = "PATH", requires = "calls")]
    present: Vec<PathBuf>,
    /// With `--calls`: tools, as `toolgate tool ls --json` prints them
    #[arg(long, value_name = "FILE", requires = "calls")]
    tools: Option<PathBuf>,
    #[command(flatten)]
    period: Period,
}

/// Arguments of `toolgate policy calls`.
#[derive(Debug, Args)]
pub(crate) struct Calls {
    #[command(flatten)]
    period: Period,
}

/// Arguments of `toolgate policy monitor`.
#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// Only rules of this document
    name: Option<String>,
    #[command(flatten)]
    period: Period,
}

#[derive(Debug, Args)]
struct Period {
    /// From when on: how long ago, or an instant
    #[arg(long, default_value = "7d")]
    since: String,
    /// At most so many calls, the newest ones
    #[arg(long)]
    limit: Option<u32>,
}

impl Run for Trial {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        match self {
            Self::Diff(diff) => diff.run(shell).await,
            Self::Backtest(backtest) => backtest.run(shell).await,
            Self::Calls(calls) => calls.run(shell).await,
            Self::Monitor(monitor) => monitor.run(shell).await,
        }
    }
}

impl Run for Diff {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let mut before = documents(shell, &self.before).await?;
        let mut after = documents(shell, &self.after).await?;
        // Two single documents are versions of one, whatever their files are called.
        if let ([old], [new]) = (before.as_mut_slice(), after.as_mut_slice()) {
            old.name.clone_from(&new.name);
        }
        let found = difference(&before, &after);
        shell.print(&json!({"documents": found}), || {
            if found.is_empty() {
                return "they say the same".to_owned();
            }
            found.iter().map(changed_document).collect()
        })?;
        Ok(Exit::Done)
    }
}

/// The documents that one argument means.
async fn documents(shell: &Shell, named: &str) -> Result<Vec<Document>, Fault> {
    let path = Path::new(named);
    if path.exists() {
        return Ok(reload::read(&[PathBuf::from(path)])?.documents);
    }
    if named.ends_with(".json") || named.contains('/') {
        return Err(Fault::usage(format!(
            "there is no file or directory `{named}`"
        )));
    }
    let admin = Admin::open(shell)?;
    let (name, number) = match named.split_once('@') {
        Some((name, number)) => {
            let number: u32 = number.parse().map_err(|_| {
                Fault::usage(format!("`{number}` is not a version number")).help(format!(
                    "`toolgate policy show {name} --versions` lists them"
                ))
            })?;
            (name, Some(number))
        }
        None => (named, in_force(&admin, named).await?),
    };
    let ask = Ask::get(format!("/v1/policies/{name}")).with("number", number);
    let found = admin.body(ask).await?;
    let text = found
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok(vec![Document {
        name: name.to_owned(),
        text: text.to_owned(),
    }])
}

/// The version of the document that is in force, if one is.
async fn in_force(admin: &Admin, name: &str) -> Result<Option<u32>, Fault> {
    let found = admin.body(Ask::get(format!("/v1/policies/{name}"))).await?;
    let number = found.get("active_number").and_then(Value::as_u64);
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

fn changed_document(document: &DocumentDifference) -> String {
    let mut text = format!("{} {}\n", visible(&document.document), document.change);
    text.extend(document.keys.iter().map(|key| changed_key(key, 1)));
    for rule in &document.rules {
        text.push_str(&format!("  rule {} {}\n", visible(&rule.rule), rule.change));
        text.extend(rule.keys.iter().map(|key| changed_key(key, 2)));
    }
    text
}

fn changed_key(key: &KeyDifference, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let shown = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => visible(text),
        other => visible(&other.to_string()),
    };
    format!(
        "{indent}{}: {} → {}\n",
        key.key,
        shown(&key.before),
        shown(&key.after)
    )
}

impl Run for Backtest {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let mut changed: Vec<Document> = Vec::new();
        for named in &self.candidate {
            changed.extend(documents(shell, named).await?);
        }
        if let Some(calls) = &self.calls {
            let sets = replay::Sets {
                present: reload::read(&self.present)?.documents,
                changed,
                without: &self.without,
            };
            let report = json!(replay::replay(shell, calls, (sets, self.tools.as_deref()))?);
            shell.print(&report, || backtest_text(&report))?;
            return Ok(Exit::Done);
        }
        let admin = Admin::open(shell)?;
        shell.say(&format!(
            "deciding the recorded calls of {} again …",
            self.period.since
        ));
        let body = json!({
            "documents": changed.iter().map(|document| {
                json!({"name": document.name, "text": document.text})
            }).collect::<Vec<_>>(),
            "without": self.without, "since": self.period.since, "limit": self.period.limit,
        });
        let report = admin.body(Ask::post("/v1/policies/backtest", body)).await?;
        shell.print(&report, || backtest_text(&report))?;
        Ok(Exit::Done)
    }
}

fn backtest_text(report: &Value) -> String {
    let number = |key: &str| report.get(key).and_then(Value::as_u64).unwrap_or_default();
    let text = |key: &str| report.get(key).and_then(Value::as_str).unwrap_or("-");
    let mut out = format!(
        "{} calls from {} to {}, {} decided again: {} would be answered otherwise\n",
        number("calls"),
        text("first_at"),
        text("last_at"),
        number("replayed"),
        number("changed"),
    );
    for cell in list(report, "matrix") {
        let said = |key: &str| cell.get(key).and_then(Value::as_str).unwrap_or("-");
        let mark = if said("present") == said("candidate") {
            " "
        } else {
            "*"
        };
        let calls = cell
            .get("calls")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        out.push_str(&format!(
            "{mark} {:>16} → {:<16} {calls:>8}\n",
            said("present"),
            said("candidate")
        ));
    }
    let added = report.get("approvals_added_a_day").and_then(Value::as_f64);
    out.push_str(&format!(
        "approvals: {} now, {} then, {:+.2} a day\n",
        number("approvals_present"),
        number("approvals_candidate"),
        added.unwrap_or_default(),
    ));
    if number("moved_since") > 0 {
        out.push_str(&format!(
            "{} calls would already be answered otherwise than they were: something changed since\n",
            number("moved_since")
        ));
    }
    let lacks = report.get("not_replayed").and_then(Value::as_object);
    for (why, calls) in lacks.into_iter().flatten() {
        out.push_str(&format!(
            "{calls} calls could not be decided again: {}\n",
            lack(why)
        ));
    }
    out.extend(list(report, "examples").map(example));
    out
}

fn lack(why: &str) -> &str {
    match why {
        "arguments_erased" => "their arguments are not kept any more",
        "sanitized" => "their arguments are kept only as they were sanitized",
        "tool_gone" => "their tool is not there any more",
        "agent_gone" => "their agent is not there any more",
        "live_facts" => "a rule reads what was live then",
        other => other,
    }
}

fn example(example: &Value) -> String {
    let text = |key: &str| example.get(key).and_then(Value::as_str).unwrap_or("-");
    let arguments = example
        .get("arguments")
        .map(Value::to_string)
        .unwrap_or_default();
    let side = |name: &str| {
        let said = |key: &str| {
            let found = example.pointer(&format!("/{name}/{key}"));
            found.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let why = [said("rule"), said("reason")].join(" ");
        format!(
            "  {name:<10} {:<16} {}\n",
            said("verdict"),
            visible(why.trim())
        )
    };
    format!(
        "\n{} {} by {} with {}\n{}{}",
        text("at"),
        visible(text("tool")),
        visible(text("agent")),
        visible(&arguments),
        side("present"),
        side("candidate"),
    )
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    let listed = value.get(key).and_then(Value::as_array);
    listed.into_iter().flatten()
}

impl Run for Calls {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let ask = Ask::get("/v1/policies/calls")
            .with("since", Some(&self.period.since))
            .with("limit", self.period.limit);
        let found = admin.body(ask).await?;
        for call in list(&found, "calls") {
            shell.print_raw(&call.to_string())?;
        }
        Ok(Exit::Done)
    }
}

const WATCHED: [(&str, &str); 6] = [
    ("POLICY", "/policy"),
    ("RULE", "/rule"),
    ("EFFECT", "/effect"),
    ("MATCHED", "/matched"),
    ("UNKNOWN", "/unknown"),
    ("WOULD CHANGE", "/would_change"),
];

impl Run for Monitor {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let ask = Ask::get("/v1/policies/monitor")
            .with("policy", self.name.as_deref())
            .with("since", Some(&self.period.since))
            .with("limit", self.period.limit);
        let report = admin.body(ask).await?;
        shell.print(&report, || {
            let calls = report
                .get("calls")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            let rules: Vec<Value> = list(&report, "rules").cloned().collect();
            if rules.is_empty() {
                return format!("no rule was watched in {calls} calls");
            }
            let mut text = format!("{calls} calls\n{}", table(&rules, &WATCHED));
            for rule in &rules {
                text.extend(list(rule, "examples").map(watched_call));
            }
            text
        })?;
        Ok(Exit::Done)
    }
}

fn watched_call(call: &Value) -> String {
    let text = |key: &str| call.get(key).and_then(Value::as_str).unwrap_or("-");
    let arguments = call
        .get("arguments")
        .map(Value::to_string)
        .unwrap_or_default();
    format!(
        "{} {} by {} with {}: {} → {}\n",
        text("at"),
        visible(text("tool")),
        visible(text("agent")),
        visible(&arguments),
        text("verdict"),
        text("enforced"),
    )
}
