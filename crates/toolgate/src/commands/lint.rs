//! `toolgate lint`: which rules cannot do what they seem to?
//!
//! ```text
//! warning[L003]: `refunds/small` never matters: `refunds/all` is stricter on every call it matches
//! ```
//!
//! Offline. Codes below L100 are certain; from L100 on they are notes. A page a code stands under
//! `docs/lint/`. Exit code 3 where something certain was found.
//!
//! Must not know: how a finding comes about; `policy` does.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use toolgate_model::{Diagnostic, Severity};
use toolgate_policy::{LINT_CODES, Lint as About, findings, load};

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::reload;
use crate::shell::{Shell, problems};
use crate::{cases, catalogue};

/// Arguments of `toolgate lint`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate lint policies/ --tools tools.json --people finance")]
pub(crate) struct Lint {
    /// JSON files, or directories of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Tools, as `toolgate tool ls --json` prints them
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// People, groups and roles that can approve; may be repeated. Without, approvers are not looked at
    #[arg(long, value_name = "NAME")]
    people: Vec<String>,
}

impl Run for Lint {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let files = cases::documents(&self.paths)?;
        let catalogue = catalogue::read(self.tools.as_deref())?;
        let loaded = load(&files.documents, &catalogue);
        let Some(set) = &loaded.set else {
            let errors = loaded.diagnostics.into_iter();
            let errors: Vec<_> = errors
                .filter(|one| one.severity == Severity::Error)
                .collect();
            let message = format!("the policies have {}", problems(errors.len()));
            return Err(Fault::invalid(message, reload::findings(errors, &files)));
        };
        let people: BTreeSet<String> = self.people.into_iter().collect();
        let found = findings(&About {
            set,
            documents: &files.documents,
            catalogue: &catalogue,
            approvers: Some(&people).filter(|people| !people.is_empty()),
        });
        let certain = found.iter().filter(|one| !is_note(one)).count();
        let notes = found.len() - certain;
        let findings = reload::findings(found, &files);
        if !shell.global.json {
            shell.say(findings.drawn().trim_end());
        }
        let value = json!({
            "documents": files.documents.len(), "certain": certain, "notes": notes,
            "findings": findings.diagnostics,
        });
        shell.print(&value, || {
            let documents = files.documents.len();
            format!("{documents} policies: {certain} certain findings, {notes} notes")
        })?;
        Ok(if certain == 0 {
            Exit::Done
        } else {
            Exit::Invalid
        })
    }
}

fn is_note(found: &Diagnostic) -> bool {
    let known = LINT_CODES.iter().find(|code| code.code == found.code);
    known.is_some_and(|code| code.is_note())
}
