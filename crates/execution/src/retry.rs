//! `retry`: the same request again, under the same downstream key, if that is proven harmless.
//!
//! The proof is looked up here and never taken from whoever asks: [`Invocation::plan`] says
//! whether there is one. If the gate would not allow the call any more, a call that did not land
//! has failed, and one that may have landed waits for a person.

use serde_json::json;
use toolgate_model::{Denial, Timestamp};

use crate::admit::admitted;
use crate::escalate::escalated;
use crate::input::Retry;
use crate::probe::absent;
use crate::refusal::Refusal;
use crate::search::{Plan, RetryGround};
use crate::state::{Grounds, Invocation, State};
use crate::transition::{Event, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    retry: Retry,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::UnknownEffect { grounds, .. } | State::Reconciling { grounds, .. } => {
            let Some(Plan::Retry(ground)) = invocation.plan() else {
                return Err(Refusal::NotProven);
            };
            match retry {
                Retry::Admit { lease_until } => {
                    again(invocation, now, (lease_until, ground), grounds)
                }
                Retry::Forbidden(denial) => forbidden(invocation, now, ground, &denial),
            }
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
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "retry")),
    }
}

fn again(
    invocation: &Invocation,
    now: Timestamp,
    (lease_until, ground): (Timestamp, RetryGround),
    grounds: &Grounds,
) -> Result<Transition, Refusal> {
    let data = json!({"attempt": invocation.attempts, "ground": ground});
    let again = (lease_until, Some(ground));
    let mut step = admitted(invocation, now, again, grounds.clone())?;
    step.events.insert(
        0,
        Event {
            kind: "invocation.retried",
            data: data.as_object().cloned().unwrap_or_default(),
        },
    );
    Ok(step)
}

fn forbidden(
    invocation: &Invocation,
    now: Timestamp,
    ground: RetryGround,
    denial: &Denial,
) -> Result<Transition, Refusal> {
    let why = format!("it may not be tried again: {}", denial.message);
    match ground {
        RetryGround::NotLanded { .. } => {
            absent(invocation, now, format!("the call did not land, and {why}"))
        }
        RetryGround::SameKey | RetryGround::Ordered => {
            let ground = format!("nobody can tell whether it landed, and {why}");
            escalated(invocation, now, &ground)
        }
    }
}
