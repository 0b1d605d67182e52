//! What people and callers do to an invocation from outside: cancel it, resolve its doubt.

use std::sync::Arc;

use toolgate_execution::{Input, NO_PROBE, Refusal, Resolution, Resolved, State};
use toolgate_gate::port::CommitError;
use toolgate_gate::{Thawed, revalidate};
use toolgate_model::{AgentId, Code, InvocationId};

use crate::driver::{Driver, With, chain};
use crate::outcome::{Failed, Outcome};
use crate::run::Watch;
use crate::submit::lease_until;
use toolgate_record::Actor;

impl Driver {
    /// Withdraws a call that has not run.
    ///
    /// # Errors
    /// [`Failed`] where it is not waiting any more.
    pub(crate) async fn withdraw(
        &self,
        id: &InvocationId,
        actor: &Actor,
    ) -> Result<Outcome, Failed> {
        let Some(by) = crate::entries::name(actor).cloned() else {
            return Err(Failed::Invalid("nobody cannot withdraw a call".to_owned()));
        };
        let (transition, evidence) = self
            .advance(id, actor, |_| vec![Input::Withdraw { by: by.clone() }])
            .await?;
        Ok(Outcome::of(transition.next, evidence))
    }

    /// Settles a call in doubt by the word of a named person.
    ///
    /// # Errors
    /// [`Failed`] where it is not in doubt, or no reason is given.
    pub(crate) async fn resolve_doubt(
        self: &Arc<Self>,
        id: &InvocationId,
        (by, landed, reason): (AgentId, Landed, String),
        actor: &Actor,
    ) -> Result<Outcome, Failed> {
        if reason.trim().is_empty() {
            return Err(Failed::Invalid(
                "a reason is needed: how do you know".to_owned(),
            ));
        }
        let resolved = match landed {
            Landed::Yes => Resolved::Landed,
            Landed::No => Resolved::NotLanded,
            Landed::Retry => return self.order_retry(id, (by, reason), actor).await,
        };
        let word = |_: &toolgate_execution::Invocation| {
            vec![Input::Resolve(Resolution {
                by: by.clone(),
                resolved,
                reason: reason.clone(),
            })]
        };
        let (transition, evidence) = self.advance(id, actor, word).await?;
        Ok(Outcome::of(transition.next, evidence))
    }

    /// Sends the same request once more because a person says so, if the gate would still allow
    /// it. Answers as soon as the order is durable; follow it with [`Driver::wait`].
    async fn order_retry(
        self: &Arc<Self>,
        id: &InvocationId,
        (by, reason): (AgentId, String),
        actor: &Actor,
    ) -> Result<Outcome, Failed> {
        let before = self.load(id).await?;
        if before.is_hosts() {
            return Err(Refusal::HostRuns.into());
        }
        let configuration = self.configuration();
        let evidence = self.evidence_again(&configuration, &before).await;
        let now = self.now();
        let thawed = self
            .with_history(|history| revalidate(&configuration, &before, (&evidence, history), now));
        let clearance = match thawed {
            Thawed::Same(clearance) => clearance,
            Thawed::Drifted { fields, .. } => {
                let names: Vec<_> = fields.iter().map(|drift| drift.field.as_str()).collect();
                let message = format!("its target changed in `{}`", names.join("`, `"));
                return Err(refused(Code::Drifted, message));
            }
            Thawed::Forbidden(denial) => return Err(refused(denial.code, denial.message)),
        };
        let lease_until = lease_until(&before.proposal, now);
        let word = Input::Resolve(Resolution {
            by,
            resolved: Resolved::Retry { lease_until },
            reason,
        });
        let mut transition = chain(&before, now, vec![word])?;
        let with = With {
            epoch: Some(clearance.epoch()),
            claim: None,
            actor: actor.clone(),
        };
        let (committed, records) = self
            .commit_step(Some(&before), &mut transition, with)
            .await
            .map_err(moved)?;
        let permit = clearance.permit(&transition.next, &committed);
        if let Ok(permit) = permit {
            let (driver, admitted) = (self.clone(), transition.next.clone());
            let work = async move {
                let watch = Watch::default();
                let _outcome = driver.run_owned(admitted, permit, Vec::new(), watch).await;
            };
            self.ports.tasks.spawn("ordered retry", Box::pin(work));
        }
        Ok(Outcome::of(transition.next, records))
    }

    /// Has the gate look for the effect now, whatever its own timetable says.
    pub(crate) async fn look_now(
        self: &Arc<Self>,
        id: &InvocationId,
        actor: &Actor,
    ) -> Result<Outcome, Failed> {
        let before = self.load(id).await?;
        let check = before.proposal.effect_check.as_ref();
        if check.is_none_or(|check| check.look.is_none()) {
            return Err(refused(Code::WrongState, NO_PROBE.to_owned()));
        }
        match &before.state {
            State::NeedsOperator { .. } | State::UnknownEffect { .. } => {
                let (transition, evidence) =
                    self.advance(id, actor, |_| vec![Input::Reconcile]).await?;
                self.spawn_pursuit(id.clone());
                Ok(Outcome::of(transition.next, evidence))
            }
            State::Reconciling { .. } => {
                self.spawn_pursuit(id.clone());
                Ok(Outcome::of(before, Vec::new()))
            }
            _ => Err(Refusal::WrongState {
                verb: "reconcile",
                status: before.status(),
            }
            .into()),
        }
    }
}

fn refused(code: Code, message: String) -> Failed {
    Failed::Conflict { code, message }
}

/// A commit that lost a race: whoever asked looks again.
fn moved(error: CommitError) -> Failed {
    match error {
        CommitError::Unavailable(unavailable) => unavailable.into(),
        other => refused(Code::WrongState, format!("it moved meanwhile: {other}")),
    }
}

/// What a person says of an effect in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// It is there.
    Yes,
    /// It is not, and will not come.
    No,
    /// It is not; send the same request once more.
    Retry,
}
