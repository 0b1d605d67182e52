//! What stands between a version that is written and one that is in force: its tests, and a
//! second person.
//!
//! `toolgate policy activate refunds` by the one who wrote it, where `second_person` is set, asks;
//! the same by somebody else confirms. Red tests stop both. Files of the configuration are put in
//! force by the gate, which wrote none of them.
//!
//! Must not know: how versions are written, how anything is shown.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_gate::case::{Case, Outcome, Runner, stage};
use toolgate_gate::port::{Change, PolicyDocument, PolicyDraft, Publication, Stamp, Stored};
use toolgate_gate::{Caller, Settings};
use toolgate_model::{
    AgentId, Catalogue, Denial, Diagnostic, HttpRequest, Permission, Recognition, Severity,
    TenantId,
};
use toolgate_policy::Document;
use toolgate_record::Actor;

use crate::driver::Driver;
use crate::outcome::Failed;
use crate::people::{fits, require};
use crate::policies::{PolicyError, author};

/// The code of a test that fails.
const TEST_FAILED: &str = "T010";

/// The code of a `notify` that names no endpoint.
const UNKNOWN_CHANNEL: &str = "N001";

/// Failing tests that are listed.
// LIMIT: fifty; whoever mends those sees the rest.
const FAILING_MAX: usize = 50;

/// Names of failing tests that the record keeps of a forced activation.
const FORCED_MAX: usize = 20;

/// What makes a call of a raw request.
type Recognise<'r> =
    &'r (dyn Fn(&HttpRequest, &[String]) -> Result<Recognition, Denial> + Send + Sync + 'r);

/// Runs the tests that these documents carry, all of them on the whole set, and says which fail.
///
/// # Errors
/// Everything that is wrong with the tests themselves.
pub fn failing_tests(
    set: &[Document],
    (catalogue, settings): (&Arc<Catalogue>, &Settings),
    recognise: Recognise<'_>,
) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for document in set {
        match Case::of_document(&document.name, &document.text) {
            Ok(found) => cases.extend(found),
            Err(problems) => wrong.extend(problems),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let policies = set.iter().map(|document| PolicyDocument {
        name: document.name.clone(),
        text: document.text.clone(),
    });
    let stored = Stored {
        policies: policies.collect(),
        ..Stored::default()
    };
    let configuration = &stage(stored, catalogue, settings.clone(), &cases);
    let runner = Runner {
        configuration,
        recognise,
    };
    let outcomes = cases.iter().map(|case| runner.run(case));
    let failing = outcomes.filter(|outcome| !outcome.passed());
    Ok(failing.take(FAILING_MAX).map(failure).collect())
}

fn failure(outcome: Outcome) -> Diagnostic {
    let said = outcome.differences.iter().map(|difference| {
        let (key, expected, got) = (difference.key, &difference.expected, &difference.got);
        format!("`{key}` is {got}, not {expected}")
    });
    let said: Vec<_> = said.collect();
    Diagnostic {
        code: TEST_FAILED,
        severity: Severity::Error,
        message: format!("the test `{}` fails: {}", outcome.name, said.join(", ")),
        help: Some("mend the rule or the test; `toolgate test` runs them offline".to_owned()),
        file: outcome.file,
        path: "/tests".to_owned(),
        span: outcome.span,
        related: Vec::new(),
    }
}

impl Driver {
    /// Refuses a set whose tests fail.
    pub(crate) fn tests_pass(&self, set: &[Document]) -> Result<(), PolicyError> {
        let configuration = self.configuration();
        let recognise =
            |request: &HttpRequest, own: &[String]| self.ports.tools.recognise(request, own);
        let on = (&configuration.catalogue, &configuration.settings);
        match failing_tests(set, on, &recognise) {
            Ok(failing) if failing.is_empty() => Ok(()),
            Ok(failing) => Err(PolicyError::TestsFailed(failing)),
            Err(wrong) => Err(PolicyError::Invalid(wrong)),
        }
    }

    /// Who has to confirm that these versions are put in force; none where nobody has to. Whoever
    /// wrote one of them does not put it in force, if the setting says so.
    pub(crate) fn second_person(
        &self,
        by: &Actor,
        moving: &[&PolicyDraft],
    ) -> Option<Vec<AgentId>> {
        let wanted = self.configuration().settings.second_person;
        let wrote = moving.iter().any(|draft| draft.author == author(by));
        // The gate writes nothing of its own: who may write its files is for the system to say.
        (wanted && wrote && *by != Actor::Gate).then(|| self.confirmers(moving))
    }

    /// The people who may put these versions in force and wrote none of them, by name.
    fn confirmers(&self, moving: &[&PolicyDraft]) -> Vec<AgentId> {
        let configuration = self.configuration();
        let may = configuration.operators().filter(|operator| {
            operator.role.may(Permission::ActivatePolicy)
                && !operator.disabled
                && operator.tenant == TenantId::default()
                && moving.iter().all(|draft| draft.author != operator.id)
        });
        let mut may: Vec<_> = may.map(|operator| operator.id.clone()).collect();
        may.sort();
        may
    }

    pub(crate) fn request(&self, by: &Actor, draft: &PolicyDraft) -> Change {
        let stamp = self.stamp(author(by));
        Change::PolicyRequest(draft.name.clone(), draft.number, stamp)
    }

    pub(crate) fn publication(&self, by: AgentId, set: Vec<(String, u32)>) -> Change {
        let stamp = self.stamp(by);
        Change::PolicySet(Publication { set, stamp })
    }

    fn stamp(&self, by: AgentId) -> Stamp {
        Stamp { by, at: self.now() }
    }
}

/// What the record says of an activation against red tests, where the caller may make one.
pub(crate) fn forced(
    caller: &Caller,
    failing: &[Diagnostic],
    reason: &str,
) -> Result<Value, PolicyError> {
    require(caller, Permission::OverrideTests)?;
    fits("reason", reason)?;
    if reason.trim().is_empty() {
        let message = "say why a version whose tests fail is put in force".to_owned();
        return Err(Failed::Invalid(message).into());
    }
    let tests = failing.iter().map(|found| found.message.as_str());
    Ok(json!({
        "reason": reason,
        "failing": failing.len(),
        "tests": tests.take(FORCED_MAX).collect::<Vec<_>>(),
    }))
}

/// Who is to be asked, in words.
pub(crate) fn asked(may: &[AgentId]) -> String {
    if may.is_empty() {
        return "nobody else may: add a person who may activate policies".to_owned();
    }
    let names: Vec<_> = may.iter().map(|id| format!("`{id}`")).collect();
    format!("ask {}", names.join(" or "))
}

/// A warning for each `notify` that names no endpoint.
pub fn unknown_channels(set: &[Document], channels: &[String]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for document in set {
        // What does not read is complained about by whoever loads it.
        let Ok(value) = serde_json::from_str::<Value>(&document.text) else {
            continue;
        };
        let rules = value.get("rules").and_then(Value::as_array);
        for (place, rule) in rules.into_iter().flatten().enumerate() {
            let named = rule.get("notify").and_then(Value::as_str);
            let Some(named) = named.filter(|named| !channels.iter().any(|known| known == named))
            else {
                continue;
            };
            let near = toolgate_model::nearest(named, channels.iter().map(String::as_str));
            let help = near.map_or_else(
                || "add a `[[notify]]` endpoint of this name to the configuration".to_owned(),
                |near| format!("did you mean `{near}`"),
            );
            found.push(Diagnostic {
                code: UNKNOWN_CHANNEL,
                severity: Severity::Warning,
                message: format!("there is no endpoint `{named}`, so nobody is told"),
                help: Some(help),
                file: document.name.clone(),
                path: format!("/rules/{place}/notify"),
                span: None,
                related: Vec::new(),
            });
        }
    }
    found
}
