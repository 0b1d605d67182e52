//! Why an input does not fit: the request is refused and the invocation stays as it is.

use toolgate_model::{Code, Timestamp};

use crate::state::{Invocation, Status};

/// An input that does not fit the state.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// The state does not allow this verb.
    #[error("cannot {verb} an invocation that is {}", status.as_str())]
    WrongState {
        /// The verb.
        verb: &'static str,
        /// The state it is in.
        status: Status,
    },
    /// The decision names another digest than the frozen one.
    #[error("the snapshot has changed: decide on its present digest")]
    SnapshotChanged,
    /// The approval has lapsed.
    #[error("the approval expired at {expired_at}")]
    Expired {
        /// When.
        expired_at: Timestamp,
    },
    /// Requester, owner, or the user acted for.
    #[error("whoever asked for a call, owns its agent or is acted for cannot decide it")]
    SelfApproval,
    /// Not among those who may decide.
    #[error("not among the approvers of this call: {}", approvers.join(", "))]
    NotEligible {
        /// Who may.
        approvers: Vec<String>,
    },
    /// This person has decided already.
    #[error("this person has already decided this call")]
    AlreadyVoted,
    /// The answer of an attempt that no longer holds the lease.
    #[error("attempt {given} no longer holds the lease: {current} does")]
    Fenced {
        /// The attempt that tried.
        given: u32,
        /// The newest attempt.
        current: u32,
    },
    /// Nothing proves that sending the request again is harmless.
    #[error("nothing proves that a further attempt is harmless")]
    NotProven,
    /// Somebody reports on what the gate runs itself.
    #[error("the gate runs this call itself: nobody reports what came of it")]
    GateRuns,
    /// The gate is to send what a host runs.
    #[error("a host runs this call, and the gate cannot send it: the host makes it anew")]
    HostRuns,
    /// A lease or an expiry that lies in the past.
    #[error("a lease or expiry must lie in the future")]
    NotInFuture,
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::WrongState { .. }
            | Self::Fenced { .. }
            | Self::NotProven
            | Self::GateRuns
            | Self::HostRuns
            | Self::NotInFuture => Code::WrongState,
            Self::SnapshotChanged => Code::SnapshotChanged,
            Self::Expired { .. } => Code::ApprovalExpired,
            Self::SelfApproval => Code::SelfApproval,
            Self::NotEligible { .. } => Code::NotEligible,
            Self::AlreadyVoted => Code::AlreadyVoted,
        }
    }

    pub(crate) const fn wrong_state(invocation: &Invocation, verb: &'static str) -> Self {
        Self::WrongState {
            verb,
            status: invocation.status(),
        }
    }
}
