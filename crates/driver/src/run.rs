//! Running an admitted attempt, and writing down what became of it before anybody is told.
//!
//! The work is a task of its own: a caller who goes away does not make an answer disappear. What
//! the tool says definitely is settled; everything else is a lost answer, and never repeated.

use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::sync::oneshot;
use toolgate_execution::{
    Answer, Failure, Input, Invocation, Loss, LossCause, Plan, Refusal, State, Transition,
};
use toolgate_gate::peer::{PEER_WAIT_MAX, Peer};
use toolgate_gate::permit::{Permit, Travel};
use toolgate_gate::port::{self, BoxFuture, CommitError, ProgressSink};
use toolgate_gate::{Thawed, revalidate};
use toolgate_model::{Code, Duration, Effect, InvocationId, RecordId, Timestamp};

use crate::driver::{Driver, With, chain, lock};
use crate::outcome::Outcome;
use crate::submit::lease_until;
use toolgate_record::Actor;

/// Time beyond the timeout that the tools port gets to report it itself.
// LIMIT: two seconds; it ends attempts of a port that does not keep its word.
const TIMEOUT_GRACE: Duration = Duration::from_secs(2);

/// How a caller follows its call.
pub struct Watch {
    /// How long to wait for an approval before answering that it is pending.
    pub wait: Duration,
    /// Where progress goes.
    pub progress: Option<ProgressSink>,
    /// Resolves when the caller gives up.
    pub cancelled: BoxFuture<'static, ()>,
    /// The client behind the call, where its server may talk with it.
    pub peer: Option<Arc<dyn Peer>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            wait: Duration::default(),
            progress: None,
            cancelled: Box::pin(std::future::pending()),
            peer: None,
        }
    }
}

/// That a task of this process moves an invocation; over when it is dropped, also by a panic, so
/// that the end of the lease finds nobody at it.
struct Running {
    driver: Arc<Driver>,
    id: InvocationId,
}

impl Running {
    fn mark(driver: &Arc<Driver>, id: &InvocationId) -> Self {
        lock(&driver.running).insert(id.clone());
        Self {
            driver: driver.clone(),
            id: id.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.driver.running).remove(&self.id);
    }
}

impl Driver {
    /// Runs an attempt as a task of its own and waits for what becomes of it.
    pub(crate) async fn run_owned(
        self: &Arc<Self>,
        admitted: Invocation,
        permit: Permit,
        evidence: Vec<RecordId>,
        watch: Watch,
    ) -> Outcome {
        let (sender, receiver) = oneshot::channel();
        let (driver, started) = (self.clone(), admitted.clone());
        let running = Running::mark(self, &admitted.id);
        let work = async move {
            let id = started.id.clone();
            let outcome = driver.run(started, permit, evidence, watch).await;
            drop(running);
            driver.wake(&id);
            let _gone = sender.send(outcome);
        };
        self.ports.tasks.spawn("invocation", Box::pin(work));
        // The task answers whatever happens; without it the attempt stands as admitted, and
        // recovery takes it from there.
        receiver
            .await
            .unwrap_or_else(|_| Outcome::of(admitted, Vec::new()))
    }

    async fn run(
        self: &Arc<Self>,
        mut admitted: Invocation,
        mut permit: Permit,
        mut evidence: Vec<RecordId>,
        watch: Watch,
    ) -> Outcome {
        let cancelled = futures_util::FutureExt::shared(watch.cancelled);
        if let Some(peer) = &watch.peer {
            peer.begin(&admitted.id);
        }
        loop {
            let travel = Travel {
                timeout: admitted.proposal.timeout,
                meta: admitted.proposal.meta.clone(),
                progress: watch.progress.clone(),
                cancelled: Box::pin(cancelled.clone()),
                peer: watch.peer.clone(),
            };
            let answer = self.attempt(&admitted, permit, travel).await;
            match self.conclude(&admitted, answer, &mut evidence).await {
                Concluded::Ended(invocation) => return Outcome::of(invocation, evidence),
                Concluded::Again(next, again) => (admitted, permit) = (next, *again),
            }
        }
    }

    /// Sends one attempt, once, and waits no longer than its timeout.
    async fn attempt(&self, admitted: &Invocation, permit: Permit, travel: Travel) -> port::Answer {
        let patience = patience(travel.timeout, travel.peer.as_deref());
        let deadline = self.now().plus(patience).plus(TIMEOUT_GRACE);
        let arguments = admitted.proposal.arguments.clone();
        let dispatch = match permit.dispatch(self.now(), arguments, travel) {
            Ok(dispatch) => dispatch,
            Err(mismatch) => {
                // Nothing was sent: the lease ran out before the first byte.
                let message = format!("the call was not sent: {mismatch}");
                return port::Answer::Refused {
                    code: Code::UpstreamUnavailable,
                    message,
                    error: None,
                };
            }
        };
        let call = self.ports.tools.call(dispatch);
        // INVARIANT: the deadline is looked at before the call goes on. A node that stood still and
        // wakes up after its lease must not send what it had still to send.
        match select(self.ports.clock.sleep_until(deadline), call).await {
            Either::Right((answer, _)) => answer,
            Either::Left(((), _)) => port::Answer::Lost {
                cause: LossCause::Timeout,
                detail: format!("no answer within {}", admitted.proposal.timeout),
            },
        }
    }

    /// A call whose taking was never confirmed to this node: there is no permit for it, so nothing
    /// of it was sent, and an admitted attempt ends here instead of being in doubt.
    pub(crate) async fn unsent(self: &Arc<Self>, found: Invocation) -> Outcome {
        let mut evidence = Vec::new();
        let State::Executing { .. } = &found.state else {
            return Outcome::of(found, evidence);
        };
        let answer = port::Answer::Refused {
            code: Code::UpstreamUnavailable,
            message: "the call was not sent: its admission was not confirmed in time".to_owned(),
            error: None,
        };
        match self.conclude(&found, answer, &mut evidence).await {
            Concluded::Ended(ended) => Outcome::of(ended, evidence),
            Concluded::Again(..) => Outcome::of(found, evidence),
        }
    }

    /// Writes down what became of an attempt. The caller learns it only once it is durable.
    async fn conclude(
        self: &Arc<Self>,
        admitted: &Invocation,
        answer: port::Answer,
        evidence: &mut Vec<RecordId>,
    ) -> Concluded {
        let attempt = admitted.attempts;
        let (input, clearance) = match answer {
            port::Answer::Answered { result, failed } => (
                Input::Answer {
                    attempt,
                    answer: definite(result.get(), failed),
                },
                None,
            ),
            port::Answer::Refused {
                code,
                message,
                error,
            } => {
                let error = error.map(|error| error.get().to_owned());
                let answer = Answer::Failure {
                    failure: Failure {
                        code,
                        message,
                        error,
                    },
                    result: None,
                };
                (Input::Answer { attempt, answer }, None)
            }
            port::Answer::Lost { cause, detail } => {
                tracing::warn!(invocation = %admitted.id, ?cause, detail, "an answer was lost");
                self.lost(admitted, cause).await
            }
        };
        self.write_conclusion(admitted, input, clearance, evidence)
            .await
    }

    /// A lost answer; a tool that only reads may be asked again if the gate would allow it now.
    async fn lost(
        &self,
        admitted: &Invocation,
        cause: LossCause,
    ) -> (Input, Option<toolgate_gate::permit::Clearance>) {
        let clearance = match admitted.proposal.effect {
            Effect::Some => None,
            Effect::None => {
                let configuration = self.configuration();
                let evidence = self.evidence_again(&configuration, admitted).await;
                let thawed = self.with_history(|history| {
                    revalidate(&configuration, admitted, (&evidence, history), self.now())
                });
                match thawed {
                    Thawed::Same(clearance) => Some(clearance),
                    Thawed::Drifted { .. } | Thawed::Forbidden(_) => None,
                }
            }
        };
        let until = || lease_until(&admitted.proposal, self.now());
        let lease_until = clearance.as_ref().map(|_| until());
        (
            Input::Lose(Loss {
                attempt: admitted.attempts,
                cause,
                lease_until,
            }),
            clearance,
        )
    }

    async fn write_conclusion(
        self: &Arc<Self>,
        admitted: &Invocation,
        input: Input,
        clearance: Option<toolgate_gate::permit::Clearance>,
        evidence: &mut Vec<RecordId>,
    ) -> Concluded {
        let now = self.now();
        let mut transition =
            match chain(admitted, now, vec![input]).and_then(|step| in_doubt(step, now)) {
                Ok(transition) => transition,
                Err(refusal) => {
                    tracing::error!(invocation = %admitted.id, %refusal, "an outcome was refused");
                    return Concluded::Ended(admitted.clone());
                }
            };
        let again = matches!(transition.next.state, State::Executing { .. });
        let epoch = clearance
            .as_ref()
            .filter(|_| again)
            .map(|clearance| clearance.epoch());
        let with = With {
            epoch,
            claim: None,
            actor: Actor::Gate,
        };
        match self
            .commit_step(Some(admitted), &mut transition, with)
            .await
        {
            Ok((committed, records)) => {
                evidence.extend(records);
                if transition.next.plan().is_some() {
                    self.spawn_pursuit(admitted.id.clone());
                }
                match clearance
                    .filter(|_| again)
                    .map(|c| c.permit(&transition.next, &committed))
                {
                    Some(Ok(permit)) => Concluded::Again(transition.next, Box::new(permit)),
                    Some(Err(_)) | None => Concluded::Ended(transition.next),
                }
            }
            Err(error) => Concluded::Ended(self.unwritten(admitted, &error).await),
        }
    }

    /// An outcome that could not be written: whoever moved the invocation knows better, and where
    /// nobody did it stays admitted until recovery takes it over as unknown.
    async fn unwritten(&self, admitted: &Invocation, error: &CommitError) -> Invocation {
        tracing::error!(invocation = %admitted.id, %error, "an outcome could not be written");
        self.load(&admitted.id)
            .await
            .unwrap_or_else(|_| admitted.clone())
    }
}

/// How long an attempt may take: longer where its server may ask its client things meanwhile, which
/// it may where the client can do anything. Whoever asks keeps the timeout itself; this is for a port
/// that does not keep its word.
pub(crate) fn patience(timeout: Duration, peer: Option<&dyn Peer>) -> Duration {
    let beyond = match peer {
        Some(peer) if !peer.capabilities().is_empty() => PEER_WAIT_MAX.as_millis(),
        Some(_) | None => 0,
    };
    let millis = timeout.as_millis().saturating_add(beyond);
    Duration::from_millis(u32::try_from(millis).unwrap_or(u32::MAX))
}

enum Concluded {
    Ended(Invocation),
    Again(Invocation, Box<Permit>),
}

fn definite(result: &str, failed: bool) -> Answer {
    let result = result.to_owned();
    if failed {
        let failure = Failure {
            code: Code::ToolError,
            message: "the tool answered with an error of its own".to_owned(),
            error: None,
        };
        Answer::Failure {
            failure,
            result: Some(result),
        }
    } else {
        Answer::Success { result }
    }
}

/// What follows from doubt in the same commit: where nothing can be looked for a person must say,
/// and where something can the looking begins.
pub(crate) fn in_doubt(step: Transition, now: Timestamp) -> Result<Transition, Refusal> {
    let State::UnknownEffect { .. } = step.next.state else {
        return Ok(step);
    };
    let input = match step.next.plan() {
        Some(Plan::Ask(ground)) => Input::Escalate { ground },
        Some(Plan::Look(_)) => Input::Reconcile,
        Some(Plan::Retry(_) | Plan::Exhausted) | None => return Ok(step),
    };
    let next = step.next.step(now, input)?;
    Ok(Transition {
        next: next.next,
        events: [step.events, next.events].concat(),
        outputs: [step.outputs, next.outputs].concat(),
    })
}
