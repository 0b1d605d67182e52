//! `toolgate coverage`: tools that are not behind the gate.
//!
//! ```text
//! toolgate coverage src/ .mcp.json --fail-uncovered
//! ```
//!
//! What cannot be seen is unknown, and unknown is never covered: with `--fail-uncovered` both end with
//! 4, the code for something that was to be covered and is not. Must not know: how tools are found.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::Run;
use crate::coverage::{self, Finding, Scan, State};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::table;

/// Arguments of `toolgate coverage`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate coverage src/ .mcp.json --fail-uncovered")]
pub(crate) struct Coverage {
    /// Folders and files: code in Python and TypeScript, configurations of MCP clients
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Another address that a gate answers at
    #[arg(long, value_name = "URL")]
    gate: Vec<String>,
    /// End with 4 where a tool is uncovered or unknown
    #[arg(long)]
    fail_uncovered: bool,
    /// List the covered ones too
    #[arg(long)]
    all: bool,
}

impl Run for Coverage {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let named = [shell.global.url.as_deref(), shell.variable("TOOLGATE_URL")];
        let named = named.into_iter().flatten().map(str::to_owned);
        let gates: Vec<_> = self.gate.iter().cloned().chain(named).collect();
        let scan = coverage::scan(&self.paths, &gates).map_err(Fault::usage)?;
        shell.print(&value(&scan), || text(&scan, self.all))?;
        let open = scan
            .findings
            .iter()
            .any(|found| found.state != State::Covered);
        Ok(match self.fail_uncovered && open {
            true => Exit::TestsFailed,
            false => Exit::Done,
        })
    }
}

fn count(scan: &Scan, state: State) -> usize {
    scan.findings
        .iter()
        .filter(|found| found.state == state)
        .count()
}

fn value(scan: &Scan) -> Value {
    let (tools, covered) = (scan.findings.len(), count(scan, State::Covered));
    // Nothing to cover is covered.
    let percent = (100 * covered).checked_div(tools).unwrap_or(100);
    json!({
        "files": scan.files,
        "tools": scan.findings,
        "sums": {
            "tools": tools,
            "covered": covered,
            "uncovered": count(scan, State::Uncovered),
            "unknown": count(scan, State::Unknown),
        },
        "coverage_percent": percent,
    })
}

fn text(scan: &Scan, all: bool) -> String {
    let shown = |found: &&Finding| all || found.state != State::Covered;
    let rows: Vec<_> = scan.findings.iter().filter(shown).map(row).collect();
    let columns = [
        ("STATE", "/state"),
        ("TOOL", "/name"),
        ("KIND", "/kind"),
        ("PLACE", "/place"),
        ("BECAUSE", "/reason"),
    ];
    let list = if rows.is_empty() {
        String::new()
    } else {
        table(&rows, &columns) + "\n"
    };
    let (tools, covered) = (scan.findings.len(), count(scan, State::Covered));
    format!(
        "{list}{covered} of {tools} covered, {} uncovered, {} unknown, in {} files",
        count(scan, State::Uncovered),
        count(scan, State::Unknown),
        scan.files,
    )
}

fn row(found: &Finding) -> Value {
    let place = format!("{}:{}", found.path.display(), found.line);
    json!({
        "state": found.state, "name": found.name, "kind": found.kind,
        "place": place, "reason": found.reason,
    })
}
