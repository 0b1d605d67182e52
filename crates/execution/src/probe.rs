//! `probe`: a look at live state told something, or nothing.
//!
//! Found is settled at once. *Not found is not yet proof*: what follows from it is [`Plan`]'s to
//! say, from what the descriptor stated when the call was decided.

use serde_json::json;
use toolgate_model::{Code, Timestamp};

use crate::escalate::escalated;
use crate::input::{Answer, Finding};
use crate::refusal::Refusal;
use crate::search::{Plan, Sighting};
use crate::settle::{settled, settlement};
use crate::state::{Failure, Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    finding: Finding,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Reconciling { .. } => match finding {
            Finding::Landed { data } => landed(invocation, now, data),
            Finding::NotFound { looked_at } => seen(
                invocation,
                now,
                Sighting {
                    at: looked_at,
                    unclear: None,
                },
            ),
            Finding::Unclear { looked_at, why } => {
                let sighting = Sighting {
                    at: looked_at,
                    unclear: Some(why),
                };
                seen(invocation, now, sighting)
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

fn landed(
    invocation: &Invocation,
    now: Timestamp,
    data: Option<String>,
) -> Result<Transition, Refusal> {
    let State::Reconciling {
        attempt, grounds, ..
    } = &invocation.state
    else {
        return Err(Refusal::wrong_state(invocation, "probe"));
    };
    let mut settlement = settlement(attempt, grounds);
    settlement.reconciled = true;
    let result = data.unwrap_or_else(|| "null".to_owned());
    let answer = Answer::Success { result };
    Ok(settled(invocation, now, answer, settlement))
}

/// A look that did not find it. A look cannot have begun after it was reported.
fn seen(
    invocation: &Invocation,
    now: Timestamp,
    mut sighting: Sighting,
) -> Result<Transition, Refusal> {
    let mut state = invocation.state.clone();
    let State::Reconciling {
        attempt,
        tries,
        last,
        next_look_at,
        ..
    } = &mut state
    else {
        return Err(Refusal::wrong_state(invocation, "probe"));
    };
    sighting.at = sighting.at.min(now);
    *tries += 1;
    let data = json!({"attempt": attempt.number, "tries": tries, "look": sighting});
    *last = Some(sighting);
    *next_look_at = None;
    let mut step = Transition::to(invocation, now, state).event("invocation.probed", data);
    follow(&mut step, now)?;
    Ok(step)
}

/// Carries on with what the plan says now, in the same step where nothing has to be asked.
fn follow(step: &mut Transition, now: Timestamp) -> Result<(), Refusal> {
    match step.next.plan() {
        Some(Plan::Look(at)) => {
            if let State::Reconciling { next_look_at, .. } = &mut step.next.state {
                *next_look_at = Some(at);
            }
            step.outputs.push(Output::ArmTimer { at });
        }
        Some(Plan::Retry(_)) => step.outputs.push(Output::Retry),
        Some(Plan::Exhausted) => step.then(exhausted(&step.next, now)?),
        Some(Plan::Ask(ground)) => step.then(escalated(&step.next, now, &ground)?),
        None => {}
    }
    Ok(())
}

fn exhausted(invocation: &Invocation, now: Timestamp) -> Result<Transition, Refusal> {
    let message = if invocation.is_hosts() {
        "the call did not land, and its host may make it again as a new one".to_owned()
    } else {
        format!("none of {} attempts landed", invocation.attempts)
    };
    absent(invocation, now, message)
}

/// The end of a call that is proven not to have landed.
pub(crate) fn absent(
    invocation: &Invocation,
    now: Timestamp,
    message: String,
) -> Result<Transition, Refusal> {
    let State::Reconciling {
        attempt, grounds, ..
    } = &invocation.state
    else {
        return Err(Refusal::wrong_state(invocation, "probe"));
    };
    let mut settlement = settlement(attempt, grounds);
    settlement.reconciled = true;
    let failure = Failure {
        code: Code::UpstreamUnavailable,
        message,
        error: None,
    };
    let answer = Answer::Failure {
        failure,
        result: None,
    };
    Ok(settled(invocation, now, answer, settlement))
}
