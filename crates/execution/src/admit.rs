//! `admit`: the gate allowed the call. The durable admission comes before the first byte is sent.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::refusal::Refusal;
use crate::search::RetryGround;
use crate::state::{Attempt, Grounds, Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Proposed => admitted(invocation, now, (lease_until, None), Grounds::Allowed),
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
    (lease_until, again): (Timestamp, Option<RetryGround>),
    grounds: Grounds,
) -> Result<Transition, Refusal> {
    if lease_until <= now {
        return Err(Refusal::NotInFuture);
    }
    // INVARIANT: a host is given one attempt; whoever wants a further one makes a new call.
    if invocation.is_hosts() && invocation.attempts > 0 {
        return Err(Refusal::HostRuns);
    }
    // INVARIANT: nothing runs on an approval after its expiry, a further attempt neither.
    if let Grounds::Approved {
        expires_at: Some(expired_at),
        ..
    } = grounds
        && now >= expired_at
    {
        return Err(Refusal::Expired { expired_at });
    }
    // INVARIANT: the number of an attempt is never used twice; it fences every outcome.
    let number = invocation.attempts + 1;
    let mut data = json!({"attempt": number, "lease_until": lease_until, "grounds": grounds});
    if let (Some(ground), Some(map)) = (again, data.as_object_mut()) {
        map.insert("again".to_owned(), json!(ground));
    }
    let attempt = Attempt {
        number,
        started_at: now,
        lease_until,
        again,
    };
    let mut step = Transition::to(invocation, now, State::Executing { attempt, grounds })
        .event("invocation.admitted", data)
        .output(Output::ArmTimer { at: lease_until });
    // INVARIANT: of a call that its host runs the gate itself sends nothing.
    if !invocation.is_hosts() {
        step = step.output(Output::Dispatch { attempt: number });
    }
    step.next.attempts = number;
    Ok(step)
}
