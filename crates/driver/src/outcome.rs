//! What the driver answers: an outcome for every call, a refusal for a request that does not fit.

use toolgate_execution::{Invocation, Refusal};
use toolgate_gate::port::Unavailable;
use toolgate_model::{Code, InvocationId, Permission, RecordId, Timestamp};

/// The answer to one call, whatever became of it. A denial is an outcome, not an error.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The invocation as it stands.
    pub invocation: Invocation,
    /// The records that this request added.
    pub evidence: Vec<RecordId>,
    /// Whether an earlier call with the same key is answered again.
    pub replayed: bool,
    /// The earlier identical call that this one joined.
    pub duplicate_of: Option<InvocationId>,
    /// The lease that this request was given: its caller runs the call now, and nobody else.
    pub lease: Option<Lease>,
}

/// That a host may run a call, once, until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The attempt that it reports on.
    pub attempt: u32,
    /// When its silence becomes an unknown effect.
    pub expires_at: Timestamp,
}

impl Outcome {
    pub(crate) const fn of(invocation: Invocation, evidence: Vec<RecordId>) -> Self {
        Self {
            invocation,
            evidence,
            replayed: false,
            duplicate_of: None,
            lease: None,
        }
    }

    /// The outcome of a request that admitted a call for its host to run.
    pub(crate) fn leased(invocation: Invocation, evidence: Vec<RecordId>) -> Self {
        let lease = invocation.state.attempt().map(|attempt| Lease {
            attempt: attempt.number,
            expires_at: attempt.lease_until,
        });
        Self {
            lease,
            ..Self::of(invocation, evidence)
        }
    }
}

/// Why a request about an invocation, an approval or a setting was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// There is no such thing, or not for this caller.
    #[error("there is no {kind} `{id}`")]
    NotFound {
        /// What was asked for.
        kind: &'static str,
        /// Its id, as given.
        id: String,
    },
    /// The caller's role does not allow it.
    #[error("this needs the permission `{permission:?}`, which the caller's role does not have")]
    Forbidden {
        /// What is missing.
        permission: Permission,
    },
    /// The invocation's state does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request contradicts what is there.
    #[error("{message}")]
    Conflict {
        /// The stable code.
        code: Code,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// An invariant of the invocation is broken; it is stopped.
    #[error("the invocation is stopped: {0}")]
    Poisoned(#[from] toolgate_execution::Broken),
    /// The world did not cooperate.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Failed {
    pub(crate) fn not_found(kind: &'static str, id: impl std::fmt::Display) -> Self {
        Self::NotFound {
            kind,
            id: id.to_string(),
        }
    }
}
