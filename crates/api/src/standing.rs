//! How an approval stands, read from the state of its invocation.
//!
//! `pending` and `approved` are states of the invocation; `used` is any state after it ran on the
//! approval; `voided` is an approval that a requeue or a denial has left behind. An approval keeps
//! its id for ever, so a link to it always says what became of it.
//!
//! Must not know: what of it is shown.

use toolgate_execution::{Frozen, Grounds, Invocation, State as Stage, Vote};
use toolgate_model::{ApprovalId, Digest};

/// How an approval stands, read from the state of its invocation.
pub(crate) struct Standing<'i> {
    /// The request that was asked for.
    pub(crate) approval: ApprovalId,
    /// The word of the interface.
    pub(crate) status: &'static str,
    /// What was frozen, where that is still known.
    pub(crate) digest: Option<Digest>,
    /// The frozen call, while it waits or is approved.
    pub(crate) frozen: Option<&'i Frozen>,
    /// What was decided so far.
    pub(crate) votes: &'i [Vote],
}

impl<'i> Standing<'i> {
    /// The standing of the approval that was asked for, or of the one that the invocation has; none
    /// where it has none.
    pub(crate) fn of(invocation: &'i Invocation, asked: Option<&ApprovalId>) -> Option<Self> {
        let standing = match &invocation.state {
            Stage::PendingApproval { frozen, votes } => Self::frozen("pending", frozen, votes),
            Stage::Approved { frozen, votes } => Self::frozen("approved", frozen, votes),
            Stage::Executing { grounds, .. }
            | Stage::UnknownEffect { grounds, .. }
            | Stage::Reconciling { grounds, .. }
            | Stage::NeedsOperator { grounds, .. } => Self::used(grounds)?,
            Stage::Succeeded { settlement } | Stage::Failed { settlement, .. } => {
                Self::used(&settlement.grounds)?
            }
            Stage::Rejected { approval, vote } => {
                let votes = std::slice::from_ref(vote);
                let digest = Some(vote.digest);
                Self {
                    digest,
                    ..Self::ended(approval.clone(), "rejected", votes)
                }
            }
            Stage::Expired { approval } => Self::ended(approval.clone(), "expired", &[]),
            Stage::Cancelled { approval, .. } => Self::ended(approval.clone()?, "cancelled", &[]),
            Stage::Denied { .. } => Self::ended(asked?.clone(), "voided", &[]),
            Stage::Proposed => return None,
        };
        match asked {
            Some(asked) if *asked != standing.approval => {
                Some(Self::ended(asked.clone(), "voided", &[]))
            }
            _ => Some(standing),
        }
    }

    fn frozen(status: &'static str, frozen: &'i Frozen, votes: &'i [Vote]) -> Self {
        let (approval, digest) = (frozen.approval.clone(), Some(frozen.digest));
        Self {
            approval,
            status,
            digest,
            frozen: Some(frozen),
            votes,
        }
    }

    fn used(grounds: &'i Grounds) -> Option<Self> {
        match grounds {
            Grounds::Allowed => None,
            Grounds::Approved {
                approval,
                digest,
                votes,
                ..
            } => Some(Self {
                digest: Some(*digest),
                ..Self::ended(approval.clone(), "used", votes)
            }),
        }
    }

    const fn ended(approval: ApprovalId, status: &'static str, votes: &'i [Vote]) -> Self {
        Self {
            approval,
            status,
            digest: None,
            frozen: None,
            votes,
        }
    }
}
