//! `toolgate check`: do these policies load?
//!
//! ```text
//! toolgate check policies/ --tools tools.json
//! ```
//!
//! Offline. With `--tools` the arguments that rules name are held against the tools' schemas;
//! without, every tool that a rule names is a warning, because nobody can say what it takes.
//!
//! Must not know: what is wrong with a policy; `policy` does.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use toolgate_model::Severity;
use toolgate_policy::load;

use crate::catalogue;
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::reload;
use crate::shell::{Shell, problems};

/// Arguments of `toolgate check`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate check policies/")]
pub(crate) struct Check {
    /// JSON files, or directories of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Tools, as `toolgate tool ls --json` prints them
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
}

impl Run for Check {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let files = reload::read(&self.paths)?;
        let catalogue = catalogue::read(self.tools.as_deref())?;
        let loaded = load(&files.documents, &catalogue);
        let count = |severity| {
            loaded
                .diagnostics
                .iter()
                .filter(|found| found.severity == severity)
                .count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let version = loaded.set.as_ref().map(|set| set.version());
        let documents = files.documents.len();
        let findings = reload::findings(loaded.diagnostics, &files);
        let value = json!({
            "documents": documents, "errors": errors, "warnings": warnings,
            "policy_version": version, "diagnostics": findings.diagnostics,
        });
        if !shell.global.json {
            shell.say(findings.drawn().trim_end());
        }
        shell.print(&value, || {
            let files = if documents == 1 { "policy" } else { "policies" };
            format!(
                "{documents} {files}: {}, {warnings} warnings",
                problems(errors)
            )
        })?;
        Ok(if errors == 0 {
            Exit::Done
        } else {
            Exit::Invalid
        })
    }
}
