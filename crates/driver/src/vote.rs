//! A person decides on a frozen call; once the quorum is met it is thawed and run.

use std::sync::Arc;

use toolgate_execution::{Choice, Drift, Input, Invocation, Output, State, Thaw, Vote, Voter};
use toolgate_gate::permit::{Clearance, Permit};
use toolgate_gate::port::{CommitError, Unavailable};
use toolgate_gate::{Thawed, amended, freeze, revalidate};
use toolgate_model::{ApprovalId, Code, Denial, Digest, InvocationId, RecordId, Timestamp};

use crate::driver::{Driver, With, chain, lock};
use crate::outcome::{Failed, Outcome};
use crate::reconcile::TRY_AGAIN_AFTER;
use crate::run::Watch;
use crate::submit::lease_until;
use toolgate_record::Actor;

/// How often a thaw is tried again because the configuration moved under it.
// LIMIT: sixteen, as for admissions.
const THAW_ROUNDS_MAX: usize = 16;

/// What a thaw came to.
pub(crate) enum Unfrozen {
    /// It was not approved any more, or nobody can say yet whether it still may run.
    Still(Box<Invocation>),
    /// It goes back to its approvers, or has ended.
    Moved(Box<Invocation>, Vec<RecordId>),
    /// It runs.
    Admitted(Box<Invocation>, Box<Permit>, Vec<RecordId>),
}

impl Driver {
    /// Records one decision on a frozen call. If it completes the quorum, the call is thawed and
    /// run in a task of its own; follow it with [`Driver::wait`].
    ///
    /// # Errors
    /// [`Failed`] with its own code: unknown approval, another digest, expired, not eligible,
    /// decided already.
    pub async fn vote(
        self: &Arc<Self>,
        approval: &ApprovalId,
        voter: Voter,
        (digest, choice, reason): (Digest, Choice, Option<String>),
    ) -> Result<Outcome, Failed> {
        let found = self.ports.store.by_approval(approval).await?;
        let id = found
            .ok_or_else(|| Failed::not_found("approval", approval))?
            .id;
        let key = voter.via.parse();
        let actor = key.map_or(Actor::Gate, |key| Actor::Person {
            id: voter.id.clone(),
            key,
        });
        let cast = |_: &Invocation| {
            let vote = Vote {
                voter: voter.clone(),
                digest,
                choice,
                reason: reason.clone(),
                at: self.now(),
            };
            vec![Input::Vote(vote)]
        };
        let (transition, evidence) = self.advance(&id, &actor, cast).await?;
        if transition.outputs.contains(&Output::Revalidate) {
            self.spawn_thaw(id);
        }
        Ok(Outcome::of(transition.next, evidence))
    }

    /// Thaws an approved call in a task of its own.
    pub(crate) fn spawn_thaw(self: &Arc<Self>, id: InvocationId) {
        let driver = self.clone();
        let work = async move {
            if let Err(error) = driver.thaw(&id).await {
                // It stays approved; the next sweep or restart tries again until it expires.
                tracing::error!(invocation = %id, %error, "an approved call could not be thawed");
            }
        };
        self.ports.tasks.spawn("thaw", Box::pin(work));
    }

    /// Decides an approved call again under what is in force now, and runs exactly the frozen
    /// bytes if nothing that was approved has changed. What a host runs waits for its host.
    ///
    /// # Errors
    /// [`Failed`] where it is not approved any more or the store cannot say.
    pub(crate) async fn thaw(self: &Arc<Self>, id: &InvocationId) -> Result<(), Failed> {
        if self.load(id).await?.is_hosts() {
            return Ok(());
        }
        match self.unfreeze(id, &Actor::Gate).await? {
            Unfrozen::Admitted(admitted, permit, evidence) => {
                self.run_thawed(*admitted, *permit, evidence).await;
                Ok(())
            }
            Unfrozen::Moved(..) | Unfrozen::Still(_) => Ok(()),
        }
    }

    /// One thaw: what the approved call is after it, durably, and the permit to run it if it may.
    ///
    /// # Errors
    /// [`Failed`] where the store cannot say, or somebody keeps moving it.
    pub(crate) async fn unfreeze(
        self: &Arc<Self>,
        id: &InvocationId,
        actor: &Actor,
    ) -> Result<Unfrozen, Failed> {
        for _ in 0..THAW_ROUNDS_MAX {
            let approved = self.load(id).await?;
            let State::Approved { .. } = &approved.state else {
                return Ok(Unfrozen::Still(Box::new(approved)));
            };
            let configuration = self.configuration();
            let evidence = self.evidence_again(&configuration, &approved).await;
            let now = self.now();
            let thawed = self.with_history(|history| {
                revalidate(&configuration, &approved, (&evidence, history), now)
            });
            let Some((input, clearance)) = self.thawing(&approved, thawed, now)? else {
                lock(&self.timers).insert((now.plus(TRY_AGAIN_AFTER), id.clone()));
                return Ok(Unfrozen::Still(Box::new(approved)));
            };
            let mut transition = chain(&approved, now, vec![input])?;
            let with = With {
                epoch: Some(configuration.epoch),
                claim: None,
                actor: actor.clone(),
            };
            match self
                .commit_step(Some(&approved), &mut transition, with)
                .await
            {
                Ok((committed, evidence)) => {
                    let permit = clearance.map(|c| c.permit(&transition.next, &committed));
                    let next = Box::new(transition.next);
                    return Ok(match permit {
                        Some(Ok(permit)) => Unfrozen::Admitted(next, Box::new(permit), evidence),
                        Some(Err(_)) | None => Unfrozen::Moved(next, evidence),
                    });
                }
                Err(CommitError::EpochMoved { .. }) => self.reload().await?,
                Err(CommitError::RevisionMoved { .. }) => {}
                Err(CommitError::Unavailable(unavailable)) => return Err(unavailable.into()),
                Err(error) => return Err(Failed::Invalid(error.to_string())),
            }
        }
        let detail = format!("`{id}` keeps moving");
        Err(Failed::Unavailable(Unavailable {
            part: "configuration",
            detail,
        }))
    }

    /// What revalidation means for an approved call; none where nobody can say yet.
    fn thawing(
        &self,
        approved: &Invocation,
        thawed: Thawed,
        now: Timestamp,
    ) -> Result<Option<(Input, Option<Clearance>)>, Failed> {
        let lapsed = expired(approved, now);
        let (input, clearance) = match thawed {
            Thawed::Same(clearance) => {
                let lease_until = lease_until(&approved.proposal, now);
                (Thaw::Same { lease_until }, Some(clearance))
            }
            Thawed::Drifted { fields, judged } => {
                let names: Vec<_> = fields.iter().map(|drift| &drift.field).collect();
                tracing::info!(invocation = %approved.id, ?names, "an approved call drifted");
                (self.refrozen(approved, &judged, fields)?, None)
            }
            // What cannot be read says neither yes nor no: it is read again until it can be,
            // or until the approval has lapsed.
            Thawed::Forbidden(denial)
                if (denial.code == Code::GateUnavailable
                    || self.is_warming(&approved.proposal.tool))
                    && !lapsed =>
            {
                return Ok(None);
            }
            Thawed::Forbidden(denial) => (Thaw::Forbidden(forbidden(denial)), None),
        };
        Ok(Some(match lapsed {
            true => (Input::Expire, None),
            false => (Input::Thaw(input), clearance),
        }))
    }

    async fn run_thawed(
        self: &Arc<Self>,
        admitted: Invocation,
        permit: Permit,
        evidence: Vec<RecordId>,
    ) {
        // Whoever waits for this invocation is woken by its last step.
        let _outcome = self
            .run_owned(admitted, permit, evidence, Watch::default())
            .await;
    }

    fn refrozen(
        &self,
        approved: &Invocation,
        judged: &toolgate_gate::Judged,
        drift: Vec<Drift>,
    ) -> Result<Thaw, Failed> {
        let now = self.now();
        let approval = ApprovalId::mint(now, self.random()?);
        let terms = judged.decision.approval.clone().unwrap_or_default();
        let settings = &self.configuration().settings;
        let span = terms.expires_in.unwrap_or(settings.approval_expires_in);
        let proposal = amended(&approved.proposal, judged);
        let mut fresh = freeze(
            (&approved.id, approval),
            &proposal,
            &judged.decision,
            (now, now.plus(span)),
        );
        fresh.drift = drift;
        fresh.escalation = settings.escalates(now, fresh.expires_at);
        Ok(Thaw::Drifted(Box::new(fresh)))
    }
}

/// The denial of an approved call says that it was approved, so that nobody is puzzled.
fn forbidden(denial: Denial) -> Denial {
    let code = denial.code;
    let message = format!("approved, but no longer allowed: {}", denial.message);
    let denial = Denial { message, ..denial };
    if code == Code::ApprovalRequired {
        denial.with("voided", true)
    } else {
        denial
    }
}

fn expired(approved: &Invocation, now: Timestamp) -> bool {
    approved
        .state
        .frozen()
        .is_some_and(|frozen| now >= frozen.expires_at)
}
