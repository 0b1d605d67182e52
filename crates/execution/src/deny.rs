//! `deny`: the gate refused the call. Nothing ran and nothing will.

use serde_json::json;
use toolgate_model::{Denial, Timestamp};

use crate::refusal::Refusal;
use crate::state::{Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    denial: Denial,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Proposed => Ok(denied(invocation, now, denial)),
        State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Executing { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "deny")),
    }
}

/// The transition to `denied`, also used where a thaw forbids.
pub(crate) fn denied(invocation: &Invocation, now: Timestamp, denial: Denial) -> Transition {
    let data = json!({"denial": denial});
    Transition::to(invocation, now, State::Denied { denial })
        .event("invocation.denied", data)
        .output(Output::Answer)
}
