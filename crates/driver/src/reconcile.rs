//! A call in doubt, until it is settled: look, look again, send it again, or ask a person.
//!
//! What comes next is the machine's to say ([`Invocation::plan`]); this page carries it out, one
//! durable step at a time, so that a crash anywhere is picked up at the same place. Several nodes
//! may look at once, and only one of them can move the invocation on.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use toolgate_execution::{Input, Invocation, NO_PROBE, Plan, Retry, State, Transition};
use toolgate_gate::port::CommitError;
use toolgate_gate::{Thawed, revalidate};
use toolgate_model::{Code, Denial, Duration, InvocationId, Timestamp};
use toolgate_record::Actor;

use crate::driver::{Driver, With, chain, lock};
use crate::outcome::Failed;
use crate::run::Watch;
use crate::submit::lease_until;

/// How long after a failure of the gate itself a call in doubt is taken up again.
// LIMIT: five seconds; a store that is away for longer is asked twelve times a minute.
pub(crate) const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Durable steps that one pursuit makes before it lets others have their turn.
// LIMIT: thirty-two, far above what looks and attempts of one call can need at one instant.
const STEPS_MAX: usize = 32;

/// What one step of a pursuit came to.
enum Pursued {
    /// There is more to do now.
    On,
    /// Settled, running again, waiting for a person, or waiting for its time.
    Done,
}

/// A pursuit under way. One that panics leaves its place, so that a later one can take it.
struct Pursuit {
    driver: Arc<Driver>,
    id: InvocationId,
}

impl Drop for Pursuit {
    fn drop(&mut self) {
        // One that came to its end has left by itself, and its place may be another's by now.
        if std::thread::panicking() {
            lock(&self.driver.pursued).remove(&self.id);
        }
    }
}

impl Driver {
    /// Settles a call in doubt in a task of its own; one that is at it already goes on once more.
    pub(crate) fn spawn_pursuit(self: &Arc<Self>, id: InvocationId) {
        if !self.takes_on(&id) {
            return;
        }
        let driver = self.clone();
        let pursuit = Pursuit {
            driver: self.clone(),
            id: id.clone(),
        };
        let work = async move {
            let _pursuit = pursuit;
            loop {
                if let Err(failed) = driver.pursue(&id).await {
                    tracing::error!(invocation = %id, %failed, "a call in doubt is still open");
                    let at = driver.now().plus(TRY_AGAIN_AFTER);
                    lock(&driver.timers).insert((at, id.clone()));
                }
                if !driver.asked_again(&id) {
                    return;
                }
            }
        };
        self.ports.tasks.spawn("reconciliation", Box::pin(work));
    }

    /// Whether nobody was at it; whoever is hears that it was asked for again.
    fn takes_on(&self, id: &InvocationId) -> bool {
        match lock(&self.pursued).entry(id.clone()) {
            Entry::Occupied(mut at_it) => {
                *at_it.get_mut() = true;
                false
            }
            Entry::Vacant(place) => {
                place.insert(false);
                true
            }
        }
    }

    /// Whether a pursuit that came to its end was asked for again meanwhile; if not, it is over.
    fn asked_again(&self, id: &InvocationId) -> bool {
        let mut pursued = lock(&self.pursued);
        match pursued.get_mut(id) {
            Some(again) if *again => {
                *again = false;
                true
            }
            _ => {
                pursued.remove(id);
                false
            }
        }
    }

    async fn pursue(self: &Arc<Self>, id: &InvocationId) -> Result<(), Failed> {
        for _ in 0..STEPS_MAX {
            let invocation = self.load(id).await?;
            if let Pursued::Done = self.pursue_once(&invocation).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn pursue_once(self: &Arc<Self>, invocation: &Invocation) -> Result<Pursued, Failed> {
        match invocation.plan() {
            None => Ok(Pursued::Done),
            Some(Plan::Look(at)) if self.now() < at => Ok(self.later(invocation, at)),
            Some(Plan::Look(_)) => self.look_for_effect(invocation).await,
            Some(Plan::Retry(_)) => match invocation.repeat_not_before() {
                Some(at) if self.now() < at => Ok(self.later(invocation, at)),
                _ => self.retry(invocation).await,
            },
            Some(Plan::Ask(ground)) => self.moved(invocation, Input::Escalate { ground }).await,
            Some(Plan::Exhausted) => {
                let ground = "it did not land in any of its attempts".to_owned();
                self.moved(invocation, Input::Escalate { ground }).await
            }
        }
    }

    /// Comes back to it at that time.
    fn later(&self, invocation: &Invocation, at: Timestamp) -> Pursued {
        lock(&self.timers).insert((at, invocation.id.clone()));
        Pursued::Done
    }

    async fn look_for_effect(&self, invocation: &Invocation) -> Result<Pursued, Failed> {
        if let State::UnknownEffect { .. } = invocation.state {
            return self.moved(invocation, Input::Reconcile).await;
        }
        let check = invocation.proposal.effect_check.as_ref();
        let Some(look) = check.and_then(|check| check.look.as_ref()) else {
            let ground = NO_PROBE.to_owned();
            return self.moved(invocation, Input::Escalate { ground }).await;
        };
        if self.is_warming(&look.probe.tool) {
            return Ok(self.later(invocation, self.now().plus(TRY_AGAIN_AFTER)));
        }
        let finding = self.finding(look, invocation).await;
        self.moved(invocation, Input::Probe(finding)).await
    }

    /// Commits one step of an invocation as it was read. Where somebody else moved it meanwhile,
    /// what was seen is about another situation and is dropped.
    async fn moved(&self, invocation: &Invocation, input: Input) -> Result<Pursued, Failed> {
        let mut transition = chain(invocation, self.now(), vec![input])?;
        self.write(invocation, &mut transition, None).await?;
        Ok(Pursued::On)
    }

    async fn write(
        &self,
        before: &Invocation,
        transition: &mut Transition,
        epoch: Option<toolgate_model::Epoch>,
    ) -> Result<Option<Written>, Failed> {
        let with = With {
            epoch,
            claim: None,
            actor: Actor::Gate,
        };
        match self.commit_step(Some(before), transition, with).await {
            Ok(written) => Ok(Some(written)),
            Err(CommitError::RevisionMoved { .. }) => Ok(None),
            Err(CommitError::EpochMoved { .. }) => {
                self.reload().await?;
                Ok(None)
            }
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable.into()),
            Err(error) => Err(Failed::Invalid(error.to_string())),
        }
    }

    /// Sends the same request once more, if the gate would still allow it unchanged.
    async fn retry(self: &Arc<Self>, invocation: &Invocation) -> Result<Pursued, Failed> {
        if self.is_warming(&invocation.proposal.tool) {
            return Ok(self.later(invocation, self.now().plus(TRY_AGAIN_AFTER)));
        }
        let configuration = self.configuration();
        let evidence = self.evidence_again(&configuration, invocation).await;
        let now = self.now();
        let thawed = self.with_history(|history| {
            revalidate(&configuration, invocation, (&evidence, history), now)
        });
        let (retry, clearance) = match thawed {
            Thawed::Same(clearance) => {
                let lease_until = lease_until(&invocation.proposal, now);
                (Retry::Admit { lease_until }, Some(clearance))
            }
            Thawed::Drifted { fields, .. } => {
                let names: Vec<_> = fields.iter().map(|drift| drift.field.as_str()).collect();
                let message = format!("its target changed in `{}`", names.join("`, `"));
                (Retry::Forbidden(Denial::new(Code::Drifted, message)), None)
            }
            Thawed::Forbidden(denial) => (Retry::Forbidden(denial), None),
        };
        let mut transition = match chain(invocation, now, vec![Input::Retry(retry)]) {
            Ok(transition) => transition,
            // The approval that it ran on has lapsed: what is open stays open, for a person.
            Err(toolgate_execution::Refusal::Expired { expired_at }) => {
                let message = format!("its approval expired at {expired_at}");
                let denial = Denial::new(Code::ApprovalExpired, message);
                return self
                    .moved(invocation, Input::Retry(Retry::Forbidden(denial)))
                    .await;
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let epoch = Some(configuration.epoch);
        let Some((committed, evidence)) = self.write(invocation, &mut transition, epoch).await?
        else {
            return Ok(Pursued::On);
        };
        let permit = clearance.map(|clearance| clearance.permit(&transition.next, &committed));
        if let Some(Ok(permit)) = permit {
            // Whoever waits for this invocation is woken by its last step.
            let watch = Watch::default();
            self.run_owned(transition.next, permit, evidence, watch)
                .await;
        }
        Ok(Pursued::On)
    }
}

type Written = (
    toolgate_gate::port::Committed,
    Vec<toolgate_model::RecordId>,
);
