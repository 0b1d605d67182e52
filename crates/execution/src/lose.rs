//! `lose`: the answer of an attempt is lost. A timeout is never called a failure.
//!
//! A tool that may leave a trace goes to `unknown_effect`. One that only reads is asked again
//! within its budget, and fails when that is used up: nothing can have landed.

use serde_json::json;
use toolgate_model::{Code, Effect, Timestamp};

use crate::READ_ATTEMPTS_MAX;
use crate::admit::admitted;
use crate::input::{Answer, Loss, LossCause};
use crate::refusal::Refusal;
use crate::settle::{settled, settlement};
use crate::state::{Attempt, Failure, Grounds, Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    loss: Loss,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Executing { attempt, .. } if attempt.number != loss.attempt => {
            Err(Refusal::Fenced {
                given: loss.attempt,
                current: attempt.number,
            })
        }
        // INVARIANT: a host that holds its lease is at work, whatever becomes of the gate meanwhile:
        // only it can give up before the lease ends.
        State::Executing { attempt, .. }
            if invocation.is_hosts()
                && loss.cause != LossCause::HostUnsure
                && now < attempt.lease_until =>
        {
            Err(Refusal::wrong_state(invocation, "lose"))
        }
        State::Executing { attempt, grounds } => match invocation.proposal.effect {
            Effect::Some => Ok(in_doubt(invocation, now, loss.cause, (attempt, grounds))),
            Effect::None => again(invocation, now, &loss, (attempt, grounds)),
        },
        State::Proposed
        | State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "lose")),
    }
}

/// The transition to `unknown_effect`. From here on nothing of this attempt is being sent.
pub(crate) fn in_doubt(
    invocation: &Invocation,
    now: Timestamp,
    cause: LossCause,
    (attempt, grounds): (&Attempt, &Grounds),
) -> Transition {
    let data = json!({"attempt": attempt.number, "cause": cause});
    let state = State::UnknownEffect {
        attempt: attempt.clone(),
        grounds: grounds.clone(),
        cause,
        lost_at: Some(now.max(invocation.updated_at)),
    };
    Transition::to(invocation, now, state)
        .event("invocation.unknown_effect", data)
        .output(Output::Probe {
            attempt: attempt.number,
        })
        .output(Output::Answer)
}

impl Invocation {
    /// Whether its caller gave it up after it was sent, and nobody has heard of it since.
    pub fn is_given_up(&self) -> bool {
        match &self.state {
            State::UnknownEffect { cause, .. }
            | State::Reconciling { cause, .. }
            | State::NeedsOperator { cause, .. } => *cause == LossCause::Cancelled,
            State::Failed { failure, .. } => failure.message == only_reads(LossCause::Cancelled),
            State::Proposed
            | State::Denied { .. }
            | State::PendingApproval { .. }
            | State::Approved { .. }
            | State::Executing { .. }
            | State::Succeeded { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. } => false,
        }
    }
}

fn only_reads(cause: LossCause) -> String {
    format!("the tool only reads, and {}", cause.as_str())
}

fn again(
    invocation: &Invocation,
    now: Timestamp,
    loss: &Loss,
    (attempt, grounds): (&Attempt, &Grounds),
) -> Result<Transition, Refusal> {
    // An approval is for one run, so even a read that was approved is not sent twice on it, a
    // caller who gave up wants no second one, and what a host runs the gate cannot send.
    let free = matches!(grounds, Grounds::Allowed)
        && loss.cause != LossCause::Cancelled
        && !invocation.is_hosts();
    if let Some(lease_until) = loss.lease_until
        && free
        && attempt.number < READ_ATTEMPTS_MAX
    {
        return admitted(invocation, now, (lease_until, None), grounds.clone());
    }
    let message = only_reads(loss.cause);
    let failure = Failure {
        code: Code::UpstreamUnavailable,
        message,
        error: None,
    };
    let answer = Answer::Failure {
        failure,
        result: None,
    };
    Ok(settled(
        invocation,
        now,
        answer,
        settlement(attempt, grounds),
    ))
}
