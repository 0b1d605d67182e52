//! `remind`: nobody decided for so long that others may decide too, and are asked.
//!
//! Who that is stood in the snapshot's terms from the start; only time makes them eligible
//! ([`Frozen::deciders`]), so a reminder that comes late or never changes no right.
//!
//! [`Frozen::deciders`]: crate::Frozen::deciders

use serde_json::json;
use toolgate_model::Timestamp;

use crate::refusal::Refusal;
use crate::state::{Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(invocation: &Invocation, now: Timestamp) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::PendingApproval { frozen, votes } if frozen.is_overdue(now) => {
            let mut frozen = frozen.clone();
            let to = frozen.escalation.as_mut().map(|escalation| {
                escalation.told = true;
                escalation.to.clone()
            });
            let approval = frozen.approval.clone();
            let data = json!({"approval": approval, "digest": frozen.digest, "to": to});
            let votes = votes.clone();
            let state = State::PendingApproval { frozen, votes };
            Ok(Transition::to(invocation, now, state)
                .event("approval.escalated", data)
                .output(Output::AskApprovers { approval }))
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
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "escalate")),
    }
}

impl crate::Frozen {
    /// Whether others are to be asked at `now`, and have not been.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let escalation = self.escalation.as_ref();
        escalation.is_some_and(|escalation| !escalation.told && now >= escalation.at)
    }
}
