//! `report`: the host that ran a call under a lease says what came of it.
//!
//! ```text
//! in time                   executing                                → succeeded | failed | unknown_effect
//! after the lease           unknown_effect, reconciling, needs_operator → succeeded | failed, marked late
//! after somebody else told  any terminal state                       → refused, and nothing changes
//! ```
//! The word of a host is the only answer that there is of what it ran, so a late one is still worth
//! more than a person's guess; but what has ended has ended, whoever said so. The attempt's number
//! fences it, as it fences the gate's own nodes.
//!
//! Must not know: how a host reports.

use toolgate_model::Timestamp;

use crate::input::{Loss, LossCause, Report, Told};
use crate::lose;
use crate::refusal::Refusal;
use crate::settle::{settled, settlement};
use crate::state::{Invocation, Reported, State};
use crate::transition::Transition;

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    report: Report,
) -> Result<Transition, Refusal> {
    // INVARIANT: only what a host runs is reported on; the gate knows the rest from its tools.
    if !invocation.is_hosts() {
        return Err(Refusal::GateRuns);
    }
    let Report {
        attempt: given,
        told,
        digest,
    } = report;
    match (&invocation.state, told) {
        (
            State::Executing { attempt, .. }
            | State::UnknownEffect { attempt, .. }
            | State::Reconciling { attempt, .. }
            | State::NeedsOperator { attempt, .. },
            _,
        ) if attempt.number != given => Err(Refusal::Fenced {
            given,
            current: attempt.number,
        }),
        (
            State::Executing { attempt, grounds }
            | State::UnknownEffect {
                attempt, grounds, ..
            }
            | State::Reconciling {
                attempt, grounds, ..
            }
            | State::NeedsOperator {
                attempt, grounds, ..
            },
            Told::Ended(answer),
        ) => {
            let mut end = settlement(attempt, grounds);
            let late = now >= attempt.lease_until;
            end.reported = Some(Reported { late, digest });
            Ok(settled(invocation, now, answer, end))
        }
        (State::Executing { attempt, .. }, Told::Unsure) => {
            let loss = Loss {
                attempt: attempt.number,
                cause: LossCause::HostUnsure,
                lease_until: None,
            };
            lose::step(invocation, now, loss)
        }
        (
            State::UnknownEffect { .. } | State::Reconciling { .. } | State::NeedsOperator { .. },
            Told::Unsure,
        )
        | (
            State::Proposed
            | State::Denied { .. }
            | State::PendingApproval { .. }
            | State::Approved { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. },
            _,
        ) => Err(Refusal::wrong_state(invocation, "report")),
    }
}
