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
        State::UnknownEffect {
            attempt,
            grounds,
            cause,
        }
        | State::Reconciling {
            attempt,
            grounds,
            cause,
            ..
        } => {
            let data = json!({"attempt": attempt.number, "ground": ground});
            let state = State::NeedsOperator {
                attempt: attempt.clone(),
                grounds: grounds.clone(),
                cause: *cause,
                ground: ground.to_owned(),
            };
            Ok(Transition::to(invocation, now, state)
                .event("invocation.needs_operator", data)
                .output(Output::Answer))
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
