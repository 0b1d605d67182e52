//! `withdraw`: the call is taken back before it ran.

use serde_json::json;
use toolgate_model::{AgentId, Timestamp};

use crate::refusal::Refusal;
use crate::state::{Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    by: &AgentId,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::PendingApproval { frozen, .. } | State::Approved { frozen, .. } => {
            let approval = Some(frozen.approval.clone());
            let data = json!({"approval": approval, "by": by});
            let state = State::Cancelled {
                approval,
                by: by.clone(),
            };
            Ok(Transition::to(invocation, now, state)
                .event("invocation.cancelled", data)
                .output(Output::Answer))
        }
        State::Proposed
        | State::Denied { .. }
        | State::Executing { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "cancel")),
    }
}
