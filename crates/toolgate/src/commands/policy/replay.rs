//! A backtest of calls from a file, where no gate runs.
//!
//! Agents are not in the file: each reaches everything, so rules and posture alone decide, as they do
//! for `toolgate eval`. Tools that `--tools` does not name are taken as high risk with any arguments.
//!
//! Must not know: how a report is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use toolgate_gate::backtest::{Backtest, ExportedCall, Recorded, Report};
use toolgate_gate::port::{PolicyDocument, Stored};
use toolgate_gate::{Configuration, Settings};
use toolgate_model::{Agent, AgentId, Catalogue, Profile, Risk, Severity, TenantId, Timestamp};
use toolgate_policy::Document;

use crate::catalogue::{self, assumed};
use crate::fault::{Fault, Findings};
use crate::shell::{Shell, problems, read_text};

/// LIMIT: a hundred thousand calls of 4 KiB.
const CALLS_BYTES_MAX: u64 = 400 << 20;

/// What is compared.
pub(super) struct Sets<'w> {
    /// The documents in force.
    pub(super) present: Vec<Document>,
    /// Those of them that the candidate has otherwise, and new ones.
    pub(super) changed: Vec<Document>,
    /// Those that it does not have.
    pub(super) without: &'w [String],
}

/// Decides the calls of the file under both sets.
///
/// # Errors
/// [`Fault`] where the file or a document cannot be read.
pub(super) fn replay(
    shell: &Shell,
    file: &Path,
    (sets, tools): (Sets<'_>, Option<&Path>),
) -> Result<Report, Fault> {
    let calls = read(file)?;
    let settings = shell.resolve(Vec::new())?.config.settings;
    let known = catalogue::read(tools)?;
    let strangers: BTreeSet<_> = calls.iter().map(|call| call.tool().clone()).collect();
    let strangers = strangers.into_iter().map(|tool| assumed(tool, Risk::High));
    let known = known.iter().map(|tool| tool.as_ref().clone());
    let catalogue = Arc::new(Catalogue::new(known.chain(strangers)));
    let agents = agents(&calls);
    let candidate = candidate(&sets);
    let on = |documents| configuration(documents, &agents, (&catalogue, &settings));
    let (present, candidate) = (on(sets.present)?, on(candidate)?);
    let since = calls.first().map_or(Timestamp::default(), ExportedCall::at);
    let mut backtest = Backtest::new(&present, &candidate, since);
    for call in calls {
        backtest.replay(&Recorded::from(call));
    }
    Ok(backtest.report())
}

fn candidate(sets: &Sets<'_>) -> Vec<Document> {
    let kept = sets.present.iter().filter(|document| {
        let changed = sets.changed.iter().any(|new| new.name == document.name);
        !changed && !sets.without.contains(&document.name)
    });
    kept.chain(&sets.changed).cloned().collect()
}

fn read(file: &Path) -> Result<Vec<ExportedCall>, Fault> {
    let text = read_text(file, CALLS_BYTES_MAX)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let calls = lines.map(|(number, line)| {
        serde_json::from_str(line).map_err(|error| {
            let message = format!(
                "`{}:{}` is not a recorded call: {error}",
                file.display(),
                number + 1
            );
            Fault::usage(message).help("write it with `toolgate policy calls`")
        })
    });
    let mut calls: Vec<ExportedCall> = calls.collect::<Result<_, _>>()?;
    calls.sort_by_key(ExportedCall::at);
    Ok(calls)
}

/// The agents of the calls, each of which reaches everything.
fn agents(calls: &[ExportedCall]) -> Vec<Agent> {
    let names: BTreeMap<&AgentId, &TenantId> = calls
        .iter()
        .map(|call| (call.agent(), call.tenant()))
        .collect();
    let agent = |(id, tenant): (&AgentId, &TenantId)| Agent {
        id: id.clone(),
        tenant: tenant.clone(),
        owner: AgentId::gate(),
        role: Default::default(),
        profile: Profile::Admin,
        runtime: None,
        project: None,
        trusted_host: true,
        suspended: false,
        created_at: Timestamp::default(),
    };
    names.into_iter().map(agent).collect()
}

fn configuration(
    documents: Vec<Document>,
    agents: &[Agent],
    (catalogue, settings): (&Arc<Catalogue>, &Settings),
) -> Result<Configuration, Fault> {
    let texts = documents.iter();
    let texts = texts.map(|document| (document.name.clone(), document.text.clone()));
    let texts = texts.collect();
    let policies = documents.into_iter().map(|document| PolicyDocument {
        name: document.name,
        text: document.text,
    });
    let stored = Stored {
        agents: agents.to_vec(),
        policies: policies.collect(),
        ..Stored::default()
    };
    let built = Configuration::build(stored, catalogue.clone(), settings.clone(), None);
    let errors = built.diagnostics.iter();
    let errors: Vec<_> = errors
        .filter(|found| found.severity == Severity::Error)
        .cloned()
        .collect();
    if errors.is_empty() {
        return Ok(built);
    }
    let message = format!("the policies have {}", problems(errors.len()));
    let diagnostics = errors;
    Err(Fault::invalid(message, Findings { diagnostics, texts }))
}
