//! `expire`: nobody decided in time, or nobody ran in time what was approved.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::refusal::Refusal;
use crate::state::{Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(invocation: &Invocation, now: Timestamp) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::PendingApproval { frozen, .. } | State::Approved { frozen, .. }
            if now >= frozen.expires_at =>
        {
            let approval = frozen.approval.clone();
            let data = json!({"approval": approval, "expires_at": frozen.expires_at});
            Ok(Transition::to(invocation, now, State::Expired { approval })
                .event("approval.expired", data)
                .output(Output::Answer))
        }
        State::Proposed
        | State::Denied { .. }
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
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "expire")),
    }
}
