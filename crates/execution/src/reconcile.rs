//! `reconcile`: the gate begins to find out from live state whether the effect landed.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::refusal::Refusal;
use crate::state::{Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(invocation: &Invocation, now: Timestamp) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::UnknownEffect {
            attempt,
            grounds,
            cause,
            lost_at,
        }
        | State::NeedsOperator {
            attempt,
            grounds,
            cause,
            lost_at,
            ..
        } => {
            let number = attempt.number;
            let state = State::Reconciling {
                attempt: attempt.clone(),
                grounds: grounds.clone(),
                cause: *cause,
                lost_at: *lost_at,
                tries: 0,
                last: None,
                next_look_at: None,
            };
            Ok(Transition::to(invocation, now, state)
                .event("invocation.reconciling", json!({"attempt": number}))
                .output(Output::Probe { attempt: number }))
        }
        State::Proposed
        | State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Executing { .. }
        | State::Reconciling { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "reconcile")),
    }
}
