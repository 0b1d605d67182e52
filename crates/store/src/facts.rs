//! What a store keeps beside an invocation's body, so that it can be found without reading it.
//!
//! Which approval request it belongs to, and whether it fits a filter. Both stores ask here, so
//! that a list means the same in each.
//!
//! Must not know: how anything is kept.

use toolgate_execution::{Grounds, Invocation, State};
use toolgate_gate::port::InvocationFilter;
use toolgate_model::ApprovalId;

/// The approval request that this invocation names now. Earlier ones, void since a requeue, were
/// noted when it named them.
pub(crate) fn approval(state: &State) -> Option<&ApprovalId> {
    match state {
        State::Proposed | State::Denied { .. } => None,
        State::PendingApproval { frozen, .. } | State::Approved { frozen, .. } => {
            Some(&frozen.approval)
        }
        State::Executing { grounds, .. }
        | State::UnknownEffect { grounds, .. }
        | State::Reconciling { grounds, .. }
        | State::NeedsOperator { grounds, .. } => granted(grounds),
        State::Succeeded { settlement } | State::Failed { settlement, .. } => {
            granted(&settlement.grounds)
        }
        State::Rejected { approval, .. } | State::Expired { approval } => Some(approval),
        State::Cancelled { approval, .. } => approval.as_ref(),
    }
}

fn granted(grounds: &Grounds) -> Option<&ApprovalId> {
    match grounds {
        Grounds::Allowed => None,
        Grounds::Approved { approval, .. } => Some(approval),
    }
}

/// Whether an invocation is one of those asked for.
pub(crate) fn fits(filter: &InvocationFilter, invocation: &Invocation) -> bool {
    let proposal = &invocation.proposal;
    filter
        .tenant
        .as_ref()
        .is_none_or(|it| *it == proposal.tenant)
        && filter.agent.as_ref().is_none_or(|it| *it == proposal.agent)
        && filter.tool.as_ref().is_none_or(|it| *it == proposal.tool)
        && (filter.statuses.is_empty() || filter.statuses.contains(&invocation.status()))
        && (filter.correlation.is_none() || filter.correlation == proposal.correlation)
        && filter.before.as_ref().is_none_or(|it| invocation.id < *it)
}
