//! `probe`: a look at live state told something, or nothing.
//!
//! Found is settled at once. Proven absent is another attempt on the same grounds. *Not found is
//! not yet proof*: whoever builds the finding has waited for the descriptor's own bound.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::admit::admitted;
use crate::input::{Answer, Finding};
use crate::refusal::Refusal;
use crate::settle::{settled, settlement};
use crate::state::{Invocation, State};
use crate::transition::{Event, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    finding: Finding,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Reconciling {
            attempt,
            grounds,
            cause,
            tries,
        } => match finding {
            Finding::Landed { data } => {
                let mut settlement = settlement(attempt, grounds);
                settlement.reconciled = true;
                let result = data.unwrap_or_else(|| "null".to_owned());
                Ok(settled(
                    invocation,
                    now,
                    Answer::Success { result },
                    settlement,
                ))
            }
            Finding::NotLanded {
                ground,
                lease_until,
            } => {
                let data = json!({"attempt": attempt.number, "ground": ground});
                let mut step = admitted(invocation, now, lease_until, grounds.clone())?;
                let data = data.as_object().cloned().unwrap_or_default();
                step.events.insert(
                    0,
                    Event {
                        kind: "invocation.not_landed",
                        data,
                    },
                );
                Ok(step)
            }
            Finding::Unclear => {
                let tries = tries + 1;
                let data = json!({"attempt": attempt.number, "tries": tries});
                let state = State::Reconciling {
                    attempt: attempt.clone(),
                    grounds: grounds.clone(),
                    cause: *cause,
                    tries,
                };
                Ok(Transition::to(invocation, now, state).event("invocation.probed", data))
            }
        },
        State::Proposed
        | State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Executing { .. }
        | State::UnknownEffect { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "probe")),
    }
}
