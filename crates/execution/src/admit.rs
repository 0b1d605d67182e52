//! `admit`: the gate allowed the call. The durable admission comes before the first byte is sent.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::refusal::Refusal;
use crate::state::{Attempt, Grounds, Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Proposed => admitted(invocation, now, lease_until, Grounds::Allowed),
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
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "admit")),
    }
}

/// The transition to a further attempt on these grounds.
pub(crate) fn admitted(
    invocation: &Invocation,
    now: Timestamp,
    lease_until: Timestamp,
    grounds: Grounds,
) -> Result<Transition, Refusal> {
    if lease_until <= now {
        return Err(Refusal::NotInFuture);
    }
    // INVARIANT: the number of an attempt is never used twice; it fences every outcome.
    let number = invocation.attempts + 1;
    let data = json!({"attempt": number, "lease_until": lease_until, "grounds": grounds});
    let attempt = Attempt {
        number,
        started_at: now,
        lease_until,
    };
    let mut step = Transition::to(invocation, now, State::Executing { attempt, grounds })
        .event("invocation.admitted", data)
        .output(Output::Dispatch { attempt: number })
        .output(Output::ArmTimer { at: lease_until });
    step.next.attempts = number;
    Ok(step)
}
