//! Calls that their caller runs itself: under a lease, and with a report at its end.
//!
//! ```text
//! propose → executing, lease → (the host runs its function) → report → succeeded
//! propose → pending_approval → approved … claim → executing, lease → …
//! ```
//! The gate sends nothing: the permit that an admission yields is dropped. No task of this process
//! holds such a call either, so it outlives the gate, and only the end of its lease puts it in doubt
//! (`recover.rs`). What a host reports is judged like any tool's answer before anybody sees it.
//!
//! Must not know: how a host runs anything, how it is spoken to.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_execution::{Answer, Failure, Input, Invocation, Refusal, Status, Told};
use toolgate_gate::Caller;
use toolgate_gate::port::{CommitError, Unavailable};
use toolgate_model::json::Raw;
use toolgate_model::{Call, Digest, Identity, InvocationId, Mode, json as canonical};

use crate::driver::{Driver, With, chain};
use crate::outcome::{Failed, Outcome};
use crate::people::sees;
use crate::run::in_doubt;
use crate::submit::agent;
use crate::vote::Unfrozen;

/// How often a report is written again because something else moved its call.
// LIMIT: eight; each lost round means that a look or a person made progress.
const REPORT_ROUNDS_MAX: usize = 8;

/// What a host says of a call that it ran.
#[derive(Clone, Debug)]
pub struct Report {
    /// The attempt of its lease.
    pub attempt: u32,
    /// What came of it.
    pub said: Said,
}

/// What came of a call, by the word of its host.
#[derive(Clone, Debug)]
pub enum Said {
    /// Its function returned this.
    Succeeded(Raw),
    /// Its function failed, and this is what there is of a result.
    Failed(Failure, Option<Raw>),
    /// It cannot say whether the effect landed.
    Unknown,
}

impl Driver {
    /// Takes an approved call of this agent for it to run: decided again, whole, and under a lease
    /// if it still may run. Only the outcome that has a [`crate::Lease`] lets it run; what has gone
    /// on by then, or still waits, is answered as it is.
    ///
    /// # Errors
    /// [`Failed`] where it is not this agent's, or the gate runs it.
    pub async fn claim(
        self: &Arc<Self>,
        identity: &Identity,
        id: &InvocationId,
    ) -> Result<Outcome, Failed> {
        self.hosted(identity, id).await?;
        Ok(match self.unfreeze(id, &agent(identity)).await? {
            Unfrozen::Still(invocation) => Outcome::of(*invocation, Vec::new()),
            Unfrozen::Moved(invocation, evidence) => Outcome::of(*invocation, evidence),
            Unfrozen::Admitted(admitted, permit, evidence) => {
                // Its host runs it: the permit is dropped, and sends nothing.
                drop(permit);
                Outcome::leased(*admitted, evidence)
            }
        })
    }

    /// The same for a call that was just proposed or joined, where it is approved by now.
    pub(crate) async fn claimed_with(
        self: &Arc<Self>,
        identity: &Identity,
        call: &Call,
        outcome: Outcome,
    ) -> Outcome {
        let invocation = &outcome.invocation;
        let waits = invocation.is_hosts() && invocation.status() == Status::Approved;
        if call.mode != Mode::Host || !waits {
            return outcome;
        }
        match self.claim(identity, &invocation.id).await {
            Ok(claimed) => claimed,
            Err(failed) => {
                // It stays approved; the host asks again.
                tracing::warn!(invocation = %invocation.id, %failed, "a call could not be claimed");
                outcome
            }
        }
    }

    /// Writes down what a host says of a call that it ran. The same report again is answered with
    /// what came of the first.
    ///
    /// # Errors
    /// [`Failed`] where the call is not this agent's, is not run by it, or has ended otherwise.
    pub async fn report(
        self: &Arc<Self>,
        identity: &Identity,
        id: &InvocationId,
        report: Report,
    ) -> Result<Outcome, Failed> {
        for _ in 0..REPORT_ROUNDS_MAX {
            let before = self.hosted(identity, id).await?;
            let report = report.clone().of(&before);
            if is_told_already(&before, &report) {
                return Ok(Outcome {
                    replayed: true,
                    ..Outcome::of(before, Vec::new())
                });
            }
            let now = self.now();
            let step = chain(&before, now, vec![Input::Report(report)])?;
            let mut transition = in_doubt(step, now)?;
            let with = With {
                epoch: None,
                claim: None,
                actor: agent(identity),
            };
            match self.commit_step(Some(&before), &mut transition, with).await {
                Ok((_, evidence)) => {
                    if transition.next.plan().is_some() {
                        self.spawn_pursuit(id.clone());
                    }
                    return Ok(Outcome::of(transition.next, evidence));
                }
                Err(CommitError::RevisionMoved { .. }) => {}
                Err(CommitError::Unavailable(unavailable)) => return Err(unavailable.into()),
                Err(error) => return Err(Failed::Invalid(error.to_string())),
            }
        }
        let detail = format!("`{id}` keeps moving");
        Err(Failed::Unavailable(Unavailable {
            part: "store",
            detail,
        }))
    }

    /// A call that this agent runs.
    async fn hosted(&self, identity: &Identity, id: &InvocationId) -> Result<Invocation, Failed> {
        let invocation = self.load(id).await?;
        // INVARIANT: nobody learns of another's call, and nobody ends it.
        if !sees(&Caller::Agent(identity.clone()), &invocation) {
            return Err(Failed::not_found("invocation", id));
        }
        if !invocation.is_hosts() {
            return Err(Refusal::GateRuns.into());
        }
        Ok(invocation)
    }
}

impl Report {
    /// The report as the machine takes it, under a digest that nobody can guess a result from.
    fn of(self, invocation: &Invocation) -> toolgate_execution::Report {
        let text = |raw: &Raw| Value::from(raw.get());
        let (status, failure, result) = match &self.said {
            Said::Succeeded(result) => ("succeeded", None, Some(text(result))),
            Said::Failed(failure, result) => ("failed", Some(failure), result.as_ref().map(text)),
            Said::Unknown => ("unknown", None, None),
        };
        let digest: Digest = canonical::digest(&json!({
            "salt": invocation.proposal.salt,
            "attempt": self.attempt,
            "status": status,
            "failure": failure,
            "result": result,
        }));
        toolgate_execution::Report {
            attempt: self.attempt,
            told: self.said.told(),
            digest,
        }
    }
}

impl Said {
    fn told(self) -> Told {
        let text = |raw: Raw| raw.get().to_owned();
        match self {
            Self::Succeeded(result) => Told::Ended(Answer::Success {
                result: text(result),
            }),
            Self::Failed(failure, result) => Told::Ended(Answer::Failure {
                failure,
                result: result.map(text),
            }),
            Self::Unknown => Told::Unsure,
        }
    }
}

/// Whether this very report is written down already. That nobody can say needs no saying twice.
fn is_told_already(invocation: &Invocation, report: &toolgate_execution::Report) -> bool {
    let settled = invocation.settlement().and_then(|end| end.reported);
    let doubted = || {
        let attempt = invocation.state.attempt();
        invocation.status() != Status::Executing
            && attempt.is_some_and(|attempt| attempt.number == report.attempt)
    };
    match report.told {
        Told::Ended(_) => settled.is_some_and(|reported| reported.digest == report.digest),
        Told::Unsure => doubted(),
    }
}
