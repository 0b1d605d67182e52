//! `freeze`: people must approve. The snapshot is durable before anybody is asked.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::refusal::Refusal;
use crate::state::{Frozen, Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    frozen: Frozen,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Proposed => pending(invocation, now, frozen).map(|step| step.output(Output::Answer)),
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
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "freeze")),
    }
}

/// The transition to `pending_approval` with a fresh snapshot and no votes.
pub(crate) fn pending(
    invocation: &Invocation,
    now: Timestamp,
    frozen: Frozen,
) -> Result<Transition, Refusal> {
    if frozen.expires_at <= now {
        return Err(Refusal::NotInFuture);
    }
    let data = json!({
        "approval": frozen.approval,
        "digest": frozen.digest,
        "approvers": frozen.terms.approvers,
        "quorum": frozen.terms.quorum,
        "expires_at": frozen.expires_at,
        "requeues": frozen.requeues,
    });
    let (approval, at) = (frozen.approval.clone(), frozen.expires_at);
    let reminder = frozen.escalation.as_ref().map(|escalation| escalation.at);
    let step = Transition::to(
        invocation,
        now,
        State::PendingApproval {
            frozen,
            votes: Vec::new(),
        },
    )
    .event("approval.requested", data)
    .output(Output::AskApprovers { approval })
    .output(Output::ArmTimer { at });
    Ok(match reminder {
        Some(at) => step.output(Output::ArmTimer { at }),
        None => step,
    })
}
