//! `toolgate test`: do the policies what their cases say, and what do the cases leave out?
//!
//! ```text
//! toolgate test policies/ --coverage
//! FAIL policies/refunds.test.json:12  a large refund waits
//!      verdict: expected "require_approval", got "allow"
//! 14 cases, 1 failed
//! ```
//!
//! Offline, on the code that decides calls. The documents of one directory are one set, as they
//! would be in force, and their own `tests` are run on it; a `*.test.json` file says which documents
//! it is about, by default the one of the same stem. Exit code 4 where a case fails.
//!
//! Must not know: how a case is run; `gate` does.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use toolgate_gate::case::{Coverage, Gap, Outcome};

use crate::cases::{self, Tried};
use crate::cli::Run;
use crate::exit::Exit;
use crate::explained;
use crate::fault::Fault;
use crate::junit;
use crate::shell::Shell;
use crate::table::visible;

/// Arguments of `toolgate test`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate test policies/ --coverage")]
pub(crate) struct Test {
    /// Policy documents, *.test.json files, or directories of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Say which rules, branches and tools no case tried
    #[arg(long)]
    coverage: bool,
    /// End with 4 where a rule, a branch or a tool is not covered
    #[arg(long)]
    fail_uncovered: bool,
    /// Try variants of each case, and show those that are answered more mildly
    #[arg(long)]
    gaps: bool,
    /// Write the outcomes as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Tools, as `toolgate tool ls --json` prints them
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

/// LIMIT: rules whose explanation is drawn under one failing case.
const RULES_DRAWN_MAX: usize = 5;

impl Run for Test {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let settings = shell.resolve(Vec::new())?.config.settings;
        let suites = cases::find(&self.paths, self.tools.as_deref(), &settings)?;
        let mut tried = Tried::default();
        for suite in &suites {
            tried.add(suite.run(self.gaps)?);
        }
        if tried.outcomes.is_empty() && !self.wants_coverage() {
            return Err(Fault::usage("there is no case in these paths")
                .help("write `tests` into a document, or a `*.test.json` file beside it"));
        }
        if let Some(path) = &self.junit {
            write(path, &junit::report(&tried.outcomes))?;
        }
        shell.print(&self.data(&tried), || self.text(&tried))?;
        let failed = tried.outcomes.iter().any(|outcome| !outcome.passed());
        let uncovered = self.fail_uncovered && !tried.coverage.is_whole();
        Ok(if failed || uncovered {
            Exit::TestsFailed
        } else {
            Exit::Done
        })
    }
}

impl Test {
    const fn wants_coverage(&self) -> bool {
        self.coverage || self.fail_uncovered
    }

    fn data(&self, tried: &Tried) -> Value {
        let failed = tried.outcomes.iter().filter(|outcome| !outcome.passed());
        let mut data = json!({
            "cases": tried.outcomes.len(),
            "failed": failed.count(),
            "outcomes": tried.outcomes.iter().map(outcome_data).collect::<Vec<_>>(),
        });
        if self.wants_coverage() {
            put(&mut data, "coverage", coverage_data(&tried.coverage));
        }
        if self.gaps {
            put(&mut data, "gaps", json!(tried.gaps));
        }
        data
    }

    fn text(&self, tried: &Tried) -> String {
        let failed: Vec<_> = tried
            .outcomes
            .iter()
            .filter(|outcome| !outcome.passed())
            .collect();
        let mut text: String = failed.iter().map(|outcome| failure(outcome)).collect();
        if self.wants_coverage() {
            text.push_str(&uncovered(&tried.coverage));
        }
        text.extend(tried.gaps.iter().map(gap));
        let cases = match tried.outcomes.len() {
            1 => "1 case".to_owned(),
            count => format!("{count} cases"),
        };
        text.push_str(&match failed.len() {
            0 => format!("{cases}, all passed"),
            failed => format!("{cases}, {failed} failed"),
        });
        if self.gaps {
            let count = tried.gaps.len();
            text.push_str(&format!(", {count} variants are answered more mildly"));
        }
        text
    }
}

fn outcome_data(outcome: &Outcome) -> Value {
    let mut data = json!({
        "name": outcome.name, "file": outcome.file, "line": outcome.span.map(|span| span.line),
        "passed": outcome.passed(), "decision": outcome.decision,
    });
    if !outcome.passed() {
        put(&mut data, "differences", json!(outcome.differences));
        put(&mut data, "explanation", json!(outcome.explanation));
    }
    data
}

fn coverage_data(coverage: &Coverage) -> Value {
    let (tried, branches) = coverage.branches();
    let tools = coverage.tools.len();
    let covered = coverage.tools.iter().filter(|tool| tool.is_covered());
    let covered = covered.count();
    json!({
        "rules": coverage.rules, "tools": coverage.tools,
        "branches": branches, "branches_covered": tried,
        "branch_percent": percent(tried, branches),
        "tools_covered": covered, "tool_percent": percent(covered, tools),
    })
}

/// Whole percent, rounded down, so that 100 means all.
fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(100)
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn place(outcome: &Outcome) -> String {
    match outcome.span {
        Some(span) => format!("{}:{}", outcome.file, span.line),
        None => outcome.file.clone(),
    }
}

fn failure(outcome: &Outcome) -> String {
    let mut text = format!("FAIL {}  {}\n", place(outcome), visible(&outcome.name));
    for difference in &outcome.differences {
        let (expected, got) = (difference.expected.to_string(), difference.got.to_string());
        let (expected, got) = (visible(&expected), visible(&got));
        text.push_str(&format!(
            "     {}: expected {expected}, got {got}\n",
            difference.key
        ));
    }
    if let Some(denial) = &outcome.decision.denial {
        let (code, message) = (denial.code.as_str(), visible(&denial.message));
        text.push_str(&format!("     {code}: {message}\n"));
    }
    text.push_str(&why(outcome));
    text.push('\n');
    text
}

/// The rules that the case is about: those that matched and that it names, else whichever were
/// looked at.
fn why(outcome: &Outcome) -> String {
    let mut explanation = json!(outcome.explanation);
    let Some(rules) = explanation.get_mut("rules").and_then(Value::as_array_mut) else {
        return String::new();
    };
    let named: Vec<String> = outcome
        .differences
        .iter()
        .map(|difference| difference.expected.to_string())
        .collect();
    let concerned = |rule: &Value| {
        let id = rule.get("rule").and_then(Value::as_str).unwrap_or_default();
        let quoted = [format!("\"{id}\""), format!("/{id}\"")];
        let asked = named
            .iter()
            .any(|text| quoted.iter().any(|id| text.contains(id)));
        asked || rule.get("matched") == Some(&json!(true))
    };
    if rules.iter().any(concerned) {
        rules.retain(concerned);
    }
    rules.truncate(RULES_DRAWN_MAX);
    put(&mut explanation, "rules_elsewhere", json!(0));
    indented(&explained::tree(&explanation))
}

fn indented(text: &str) -> String {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| format!("     {line}\n"))
        .collect()
}

fn uncovered(coverage: &Coverage) -> String {
    let mut text = String::new();
    for rule in coverage.rules.iter().filter(|rule| !rule.is_covered()) {
        let place = format!("{}:{}  {}", rule.file, rule.line, rule.rule);
        let never = match (rule.matched, rule.unmatched) {
            (false, _) => Some("never matched"),
            (true, false) => Some("matched in every case"),
            (true, true) => None,
        };
        if let Some(never) = never {
            text.push_str(&format!("{place}: {never}\n"));
        }
        for branch in rule.branches.iter().filter(|branch| !branch.is_covered()) {
            let never = if branch.held {
                "never false"
            } else {
                "never true"
            };
            let (at, what) = (&branch.place, visible(&branch.text));
            text.push_str(&format!("{place}: {at}  {what}: {never}\n"));
        }
    }
    for tool in coverage.tools.iter().filter(|tool| !tool.is_covered()) {
        text.push_str(&format!(
            "{}: no rule and no grant is about this tool\n",
            tool.tool
        ));
    }
    let (tried, branches) = coverage.branches();
    let covered = coverage
        .tools
        .iter()
        .filter(|tool| tool.is_covered())
        .count();
    text.push_str(&format!(
        "coverage: {tried} of {branches} rules and branches tried both ways ({} %), \
         {covered} of {} tools covered ({} %)\n",
        percent(tried, branches),
        coverage.tools.len(),
        percent(covered, coverage.tools.len()),
    ));
    text
}

fn gap(gap: &Gap) -> String {
    let place = gap.span.map_or(0, |span| span.line);
    let value = visible(&gap.value.to_string());
    format!(
        "GAP  {}:{place}  {}: `{}` {} ({value}) is answered {} instead of {}\n",
        gap.file,
        visible(&gap.case),
        gap.argument,
        gap.variant,
        gap.milder.as_str(),
        gap.verdict.as_str(),
    )
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    std::fs::write(path, text).map_err(|error| {
        Fault::usage(format!("`{}` cannot be written: {error}", path.display()))
            .help("name a file in a directory that is there")
    })
}
