//! `escalate`: the gate cannot find out by itself; a person must say.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::refusal::Refusal;
use crate::state::{Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    ground: &str,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::UnknownEffect { .. } | State::Reconciling { .. } => {
            escalated(invocation, now, ground)
        }
        State::Proposed
        | State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Executing { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "escalate")),
    }
}

/// The transition to `needs_operator`, with everything that was seen on the way.
pub(crate) fn escalated(
    invocation: &Invocation,
    now: Timestamp,
    ground: &str,
) -> Result<Transition, Refusal> {
    let (doubt, tries, last) = match &invocation.state {
        State::UnknownEffect {
            attempt,
            grounds,
            cause,
            lost_at,
        } => ((attempt, grounds, *cause, *lost_at), 0, None),
        State::Reconciling {
            attempt,
            grounds,
            cause,
            lost_at,
            tries,
            last,
            ..
        } => ((attempt, grounds, *cause, *lost_at), *tries, last.clone()),
        _ => return Err(Refusal::wrong_state(invocation, "escalate")),
    };
    let (attempt, grounds, cause, lost_at) = doubt;
    let data = json!({"attempt": attempt.number, "ground": ground, "tries": tries, "last": last});
    let state = State::NeedsOperator {
        attempt: attempt.clone(),
        grounds: grounds.clone(),
        cause,
        lost_at,
        tries,
        last,
        ground: ground.to_owned(),
    };
    Ok(Transition::to(invocation, now, state)
        .event("invocation.needs_operator", data)
        .output(Output::Answer))
}
