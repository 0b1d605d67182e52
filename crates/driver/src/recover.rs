//! Picking up what a crash or a lapse of time left behind.
//!
//! A gate that starts again never assumes that nothing happened: what was executing is in doubt.
//! What was approved is thawed, what waits too long expires. The same code runs while serving,
//! driven by the timers that the machine armed.

use std::sync::Arc;

use toolgate_execution::{Input, Invocation, Loss, LossCause, Refusal, State};
use toolgate_gate::port::{CommitError, Unavailable};
use toolgate_model::{InvocationId, Timestamp};

use crate::driver::{Driver, With, lock};
use crate::outcome::Failed;
use crate::run::in_doubt;
use toolgate_record::Actor;

/// Invocations that recovery reads at once.
const PAGE: usize = 200;

/// What recovery found and did, by count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Looked at.
    pub seen: usize,
    /// Were executing, now in doubt or failed.
    pub in_doubt: usize,
    /// Were approved, now being thawed.
    pub thawed: usize,
    /// Stopped by a broken invariant.
    pub poisoned: usize,
}

/// Whether other nodes may still be at work on the same store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Gone,
    MayLive,
}

impl Driver {
    /// Takes over everything unfinished. Call once, before the first request, where the store is
    /// this process's alone: whatever was executing is then known to have no node any more.
    ///
    /// # Errors
    /// [`Unavailable`] where the store cannot be read or written; nothing may be served then.
    pub async fn recover(self: &Arc<Self>) -> Result<Recovered, Unavailable> {
        self.take_over_all(Others::Gone).await
    }

    /// Takes over what other nodes left behind: attempts whose lease ran out, approved calls that
    /// nobody thaws, calls in doubt that nobody settles. Call now and then.
    ///
    /// # Errors
    /// [`Unavailable`] where the store cannot be read or written.
    pub async fn sweep(self: &Arc<Self>) -> Result<Recovered, Unavailable> {
        self.take_over_all(Others::MayLive).await
    }

    async fn take_over_all(self: &Arc<Self>, others: Others) -> Result<Recovered, Unavailable> {
        let alone = others == Others::Gone;
        let (mut recovered, mut after) = (Recovered::default(), None);
        loop {
            let page = self.ports.store.unfinished(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(recovered);
            };
            after = Some(last.id.clone());
            for invocation in &page {
                self.take_over(invocation, alone, &mut recovered).await?;
            }
        }
    }

    async fn take_over(
        self: &Arc<Self>,
        invocation: &Invocation,
        alone: bool,
        recovered: &mut Recovered,
    ) -> Result<(), Unavailable> {
        recovered.seen += 1;
        if let Err(broken) = invocation.check() {
            tracing::error!(invocation = %invocation.id, %broken, "an invocation is poisoned");
            recovered.poisoned += 1;
            return Ok(());
        }
        let id = &invocation.id;
        match &invocation.state {
            // What a host runs goes on without any node of the gate: only the end of its lease puts
            // it in doubt.
            State::Executing { attempt, .. }
                if (!alone || invocation.is_hosts()) && self.now() < attempt.lease_until =>
            {
                lock(&self.timers).insert((attempt.lease_until, id.clone()));
                Ok(())
            }
            State::Executing { .. } if lock(&self.running).contains(id) => Ok(()),
            State::Executing { .. } => {
                recovered.in_doubt += 1;
                let cause = if alone && !invocation.is_hosts() {
                    LossCause::GateRestarted
                } else {
                    LossCause::LeaseLost
                };
                let doubted = self.doubt(id, cause).await;
                doubted.or_else(|failed| unavailable_only(id, failed))
            }
            State::UnknownEffect { .. } | State::Reconciling { .. } => {
                recovered.in_doubt += 1;
                self.spawn_pursuit(id.clone());
                Ok(())
            }
            State::Approved { frozen, .. } if invocation.is_hosts() => {
                lock(&self.timers).insert((frozen.expires_at, id.clone()));
                Ok(())
            }
            State::Approved { .. } => {
                recovered.thawed += 1;
                self.spawn_thaw(id.clone());
                Ok(())
            }
            State::PendingApproval { frozen, .. } => {
                let mut timers = lock(&self.timers);
                timers.insert((frozen.expires_at, id.clone()));
                if let Some(escalation) = frozen.escalation.as_ref().filter(|e| !e.told) {
                    timers.insert((escalation.at, id.clone()));
                }
                Ok(())
            }
            State::Proposed
            | State::NeedsOperator { .. }
            | State::Denied { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. } => Ok(()),
        }
    }

    /// An attempt whose node is gone: in doubt, and settled from live state from here on.
    async fn doubt(self: &Arc<Self>, id: &InvocationId, cause: LossCause) -> Result<(), Failed> {
        let before = self.load(id).await?;
        let now = self.now();
        let lose = Input::Lose(Loss {
            attempt: before.attempts,
            cause,
            lease_until: None,
        });
        let mut transition = in_doubt(before.step(now, lose)?, now)?;
        let with = With {
            epoch: None,
            claim: None,
            actor: Actor::Gate,
        };
        match self.commit_step(Some(&before), &mut transition, with).await {
            Ok(_) => {
                if transition.next.plan().is_some() {
                    self.spawn_pursuit(id.clone());
                }
                Ok(())
            }
            // Its own node was faster, or another one: then it is not lost.
            Err(CommitError::RevisionMoved { .. }) => Ok(()),
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable.into()),
            Err(error) => Err(Failed::Invalid(error.to_string())),
        }
    }

    /// Fires the timers that are due: approvals that lapsed, leases that ran out. Returns when
    /// the next one is due.
    pub async fn fire_timers(self: &Arc<Self>) -> Option<Timestamp> {
        while let Some(id) = self.take_due() {
            if let Err(failed) = self.lapse(&id).await {
                tracing::warn!(invocation = %id, %failed, "a timer could not be carried out");
            }
        }
        lock(&self.timers).first().map(|(at, _)| *at)
    }

    fn take_due(&self) -> Option<InvocationId> {
        let now = self.now();
        let mut timers = lock(&self.timers);
        let due = timers.first().is_some_and(|(at, _)| *at <= now);
        if due {
            timers.pop_first().map(|(_, id)| id)
        } else {
            None
        }
    }

    async fn lapse(self: &Arc<Self>, id: &InvocationId) -> Result<(), Failed> {
        let (invocation, now) = (self.load(id).await?, self.now());
        match &invocation.state {
            State::PendingApproval { frozen, .. } | State::Approved { frozen, .. }
                if now >= frozen.expires_at =>
            {
                self.advance(id, &Actor::Gate, |_| vec![Input::Expire])
                    .await
                    .map(|_| ())
            }
            State::PendingApproval { frozen, .. } if frozen.is_overdue(now) => self
                .advance(id, &Actor::Gate, |_| vec![Input::Remind])
                .await
                .map(|_| ()),
            State::Approved { .. } => {
                self.spawn_thaw(id.clone());
                Ok(())
            }
            State::Executing { attempt, .. }
                if now >= attempt.lease_until && !lock(&self.running).contains(id) =>
            {
                self.doubt(id, LossCause::LeaseLost).await
            }
            State::UnknownEffect { .. } | State::Reconciling { .. } => {
                self.spawn_pursuit(id.clone());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Recovery goes on past an invocation that will not move; only a store that fails stops it.
fn unavailable_only(id: &InvocationId, failed: Failed) -> Result<(), Unavailable> {
    match failed {
        Failed::Unavailable(unavailable) => Err(unavailable),
        Failed::Refused(Refusal::WrongState { .. }) => Ok(()),
        other => {
            tracing::error!(invocation = %id, %other, "an invocation could not be taken over");
            Ok(())
        }
    }
}
