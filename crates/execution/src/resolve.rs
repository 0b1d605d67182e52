//! `resolve`: a named person says what happened to a call in doubt, and why they know.

use serde_json::json;
use toolgate_model::{Code, Timestamp};

use crate::admit::admitted;
use crate::input::{Answer, Resolution, Resolved};
use crate::refusal::Refusal;
use crate::search::RetryGround;
use crate::settle::{settled, settlement};
use crate::state::{Attempt, Failure, Grounds, Invocation, State};
use crate::transition::{Event, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    resolution: Resolution,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::NeedsOperator {
            attempt, grounds, ..
        } => resolved(invocation, now, resolution, (attempt, grounds)),
        State::Proposed
        | State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Executing { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "resolve")),
    }
}

fn resolved(
    invocation: &Invocation,
    now: Timestamp,
    resolution: Resolution,
    (attempt, grounds): (&Attempt, &Grounds),
) -> Result<Transition, Refusal> {
    let Resolution {
        by,
        resolved,
        reason,
    } = resolution;
    let mut end = settlement(attempt, grounds);
    match resolved {
        Resolved::Landed => {
            end.resolved_by = Some((by, reason));
            let answer = Answer::Success {
                result: "null".to_owned(),
            };
            Ok(settled(invocation, now, answer, end))
        }
        Resolved::NotLanded => {
            let message = format!("an operator found that the effect did not land: {reason}");
            end.resolved_by = Some((by, reason));
            let failure = Failure {
                code: Code::UnknownEffect,
                message,
                error: None,
            };
            Ok(settled(
                invocation,
                now,
                Answer::Failure {
                    failure,
                    result: None,
                },
                end,
            ))
        }
        Resolved::Retry { lease_until } => {
            let data = json!({"attempt": attempt.number, "by": by, "reason": reason});
            let mut step = admitted(
                invocation,
                now,
                (lease_until, Some(RetryGround::Ordered)),
                grounds.clone(),
            )?;
            let data = data.as_object().cloned().unwrap_or_default();
            step.events.insert(
                0,
                Event {
                    kind: "invocation.retry_ordered",
                    data,
                },
            );
            Ok(step)
        }
    }
}
