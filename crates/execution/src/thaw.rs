//! `thaw`: an approved call was read and decided again, just before it runs.
//!
//! Same: it runs, and the approval is used up. Drifted: a new snapshot goes back to the approvers
//! and the old approval is void. Forbidden: it ends, whatever was approved (3-execution, 3).

use serde_json::json;
use toolgate_model::{Code, Denial, Timestamp};

use crate::REQUEUES_MAX;
use crate::admit::admitted;
use crate::deny::denied;
use crate::freeze::pending;
use crate::input::{Thaw, Vote};
use crate::refusal::Refusal;
use crate::state::{Frozen, Grounds, Invocation, State};
use crate::transition::Transition;

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    thaw: Thaw,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::Approved { frozen, votes } => match thaw {
            Thaw::Same { lease_until } => run(invocation, now, lease_until, (frozen, votes)),
            Thaw::Drifted(fresh) => requeue(invocation, now, frozen, *fresh),
            Thaw::Forbidden(denial) => Ok(denied(invocation, now, denial)),
        },
        State::Proposed
        | State::Denied { .. }
        | State::PendingApproval { .. }
        | State::Executing { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "thaw")),
    }
}

fn run(
    invocation: &Invocation,
    now: Timestamp,
    lease_until: Timestamp,
    (frozen, votes): (&Frozen, &[Vote]),
) -> Result<Transition, Refusal> {
    // INVARIANT: an approval is never used after its expiry, even if nobody swept it.
    if now >= frozen.expires_at {
        return Err(Refusal::Expired {
            expired_at: frozen.expires_at,
        });
    }
    let grounds = Grounds::Approved {
        approval: frozen.approval.clone(),
        digest: frozen.digest,
        votes: votes.to_vec(),
        expires_at: Some(frozen.expires_at),
        entity: frozen.snapshot.get("entity").cloned(),
    };
    admitted(invocation, now, (lease_until, None), grounds)
}

fn requeue(
    invocation: &Invocation,
    now: Timestamp,
    old: &Frozen,
    mut fresh: Frozen,
) -> Result<Transition, Refusal> {
    if old.requeues >= REQUEUES_MAX {
        let message = format!("the target changed {REQUEUES_MAX} times while it was approved");
        let denial = Denial::new(Code::Drifted, message);
        return Ok(denied(invocation, now, denial));
    }
    fresh.requeues = old.requeues + 1;
    let data = json!({"approval": old.approval, "digest": old.digest, "drift": fields(&fresh)});
    let mut step = pending(invocation, now, fresh)?;
    step.events.insert(
        0,
        crate::Event {
            kind: "approval.voided",
            data: data.as_object().cloned().unwrap_or_default(),
        },
    );
    Ok(step)
}

/// Which fields changed, by name: their values are the approvers' to see, not the log's to keep.
fn fields(fresh: &Frozen) -> Vec<&str> {
    fresh
        .drift
        .iter()
        .map(|drift| drift.field.as_str())
        .collect()
}
