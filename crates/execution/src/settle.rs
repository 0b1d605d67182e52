//! `settle`: a definite answer arrived. It is durable before the caller sees it.

use serde_json::json;
use toolgate_model::Timestamp;

use crate::input::{Answer, LossCause};
use crate::lose::in_doubt;
use crate::refusal::Refusal;
use crate::search::RetryGround;
use crate::state::{Attempt, Grounds, Invocation, Settlement, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    number: u32,
    answer: Answer,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Executing { attempt, .. } if attempt.number != number => Err(Refusal::Fenced {
            given: number,
            current: attempt.number,
        }),
        // The same request under the same key was refused: what became of the first stays open.
        State::Executing { attempt, grounds }
            if attempt.again == Some(RetryGround::SameKey)
                && matches!(answer, Answer::Failure { .. }) =>
        {
            let cause = LossCause::RepeatRefused;
            Ok(in_doubt(invocation, now, cause, (attempt, grounds)))
        }
        State::Executing { attempt, grounds } => Ok(settled(
            invocation,
            now,
            answer,
            settlement(attempt, grounds),
        )),
        State::Proposed
        | State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "settle")),
    }
}

/// How an attempt came to its end, before it is said what came back.
pub(crate) fn settlement(attempt: &Attempt, grounds: &Grounds) -> Settlement {
    Settlement {
        result: None,
        attempts: attempt.number,
        started_at: attempt.started_at,
        grounds: grounds.clone(),
        reconciled: false,
        resolved_by: None,
        inspection: None,
        reported: None,
    }
}

/// The transition to `succeeded` or `failed`.
pub(crate) fn settled(
    invocation: &Invocation,
    now: Timestamp,
    answer: Answer,
    settlement: Settlement,
) -> Transition {
    let mut data = json!({
        "attempt": settlement.attempts,
        "reconciled": settlement.reconciled,
        "resolved_by": settlement.resolved_by,
    });
    if let (Some(reported), Some(data)) = (settlement.reported, data.as_object_mut()) {
        data.insert("late".to_owned(), reported.late.into());
    }
    let (kind, state, failure) = match answer {
        Answer::Success { result } => {
            let settlement = Settlement {
                result: Some(result),
                ..settlement
            };
            (
                "invocation.succeeded",
                State::Succeeded { settlement },
                None,
            )
        }
        Answer::Failure { failure, result } => {
            let settlement = Settlement {
                result,
                ..settlement
            };
            let told = json!({"failure": failure});
            (
                "invocation.failed",
                State::Failed {
                    failure,
                    settlement,
                },
                Some(told),
            )
        }
    };
    let mut step = Transition::to(invocation, now, state)
        .event(kind, data)
        .output(Output::Answer);
    if let (Some(event), Some(serde_json::Value::Object(told))) = (step.events.last_mut(), failure)
    {
        event.data.extend(told);
    }
    step
}
