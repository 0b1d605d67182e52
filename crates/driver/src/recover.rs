//! Picking up what a crash or a lapse of time left behind.
//!
//! A gate that starts again never assumes that nothing happened: what was executing is in doubt.
//! What was approved is thawed, what waits too long expires. The same code runs while serving,
//! driven by the timers that the machine armed.

use std::sync::Arc;

use toolgate_execution::{Input, Invocation, Loss, LossCause, Refusal, State, Status};
use toolgate_gate::port::Unavailable;
use toolgate_model::{InvocationId, Timestamp};

use crate::driver::{Driver, lock};
use crate::outcome::Failed;
use crate::run::NO_PROBE;
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

impl Driver {
    /// Takes over everything unfinished. Call once, before the first request.
    ///
    /// # Errors
    /// [`Unavailable`] where the store cannot be read or written; nothing may be served then.
    pub async fn recover(self: &Arc<Self>) -> Result<Recovered, Unavailable> {
        let (mut recovered, mut after) = (Recovered::default(), None);
        loop {
            let page = self.ports.store.unfinished(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(recovered);
            };
            after = Some(last.id.clone());
            for invocation in &page {
                self.take_over(invocation, &mut recovered).await?;
            }
        }
    }

    async fn take_over(
        self: &Arc<Self>,
        invocation: &Invocation,
        recovered: &mut Recovered,
    ) -> Result<(), Unavailable> {
        recovered.seen += 1;
        if let Err(broken) = invocation.check() {
            tracing::error!(invocation = %invocation.id, %broken, "an invocation is poisoned");
            recovered.poisoned += 1;
            return Ok(());
        }
        match &invocation.state {
            State::Executing { .. } | State::UnknownEffect { .. } | State::Reconciling { .. } => {
                recovered.in_doubt += 1;
                let id = &invocation.id;
                let doubted = self.doubt(id, LossCause::GateRestarted).await;
                doubted.or_else(|failed| unavailable_only(id, failed))
            }
            State::Approved { .. } => {
                recovered.thawed += 1;
                self.spawn_thaw(invocation.id.clone());
                Ok(())
            }
            State::PendingApproval { frozen, .. } => {
                lock(&self.timers).insert((frozen.expires_at, invocation.id.clone()));
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

    /// An attempt whose node is gone: in doubt, and with no way to look a person must say.
    async fn doubt(&self, id: &InvocationId, cause: LossCause) -> Result<(), Failed> {
        let inputs = |invocation: &Invocation| {
            let attempt = invocation.attempts;
            let lose = Input::Lose(Loss {
                attempt,
                cause,
                lease_until: None,
            });
            let escalate = Input::Escalate {
                ground: NO_PROBE.to_owned(),
            };
            match (invocation.status(), invocation.proposal.effect) {
                (Status::Executing, toolgate_model::Effect::Some) => vec![lose, escalate],
                (Status::Executing, toolgate_model::Effect::None) => vec![lose],
                _ => vec![escalate],
            }
        };
        self.advance(id, &Actor::Gate, inputs).await.map(|_| ())
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
        let invocation = self.load(id).await?;
        let now = self.now();
        match &invocation.state {
            State::PendingApproval { frozen, .. } | State::Approved { frozen, .. }
                if now >= frozen.expires_at =>
            {
                let expire = |_: &Invocation| vec![Input::Expire];
                self.advance(id, &Actor::Gate, expire).await.map(|_| ())
            }
            State::Approved { .. } => {
                self.spawn_thaw(id.clone());
                Ok(())
            }
            // A task of this process still holds it: the tools port ends it by its timeout.
            State::Executing { attempt, .. }
                if now >= attempt.lease_until && !lock(&self.running).contains(id) =>
            {
                self.doubt(id, LossCause::LeaseLost).await
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
