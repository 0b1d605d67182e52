//! The registry of codes: append-only, one line a code.
//!
//! A code is a promise to callers. Each has a page under `docs/codes/`; a test holds that.

use crate::risk::words;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, retryable: $retryable:literal;)+) => {
        /// Why a call was refused, or why it did not succeed.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        words!(Code { $($variant = $word),+ });

        impl Code {
            /// Whether the same call may succeed later without being changed.
            pub const fn is_retryable(self) -> bool {
                match self {
                    $(Self::$variant => $retryable),+
                }
            }
        }
    };
}

codes! {
    /// The credential is missing or unknown (step 1).
    Unauthenticated = "unauthenticated", retryable: false;
    /// The credential has expired (step 1).
    CredentialExpired = "credential_expired", retryable: false;
    /// The credential was revoked, or its agent is suspended (step 1).
    CredentialRevoked = "credential_revoked", retryable: false;
    /// No such tool, or not for this identity (step 2).
    ToolNotFound = "tool_not_found", retryable: false;
    /// The tool exists at another version (step 2).
    VersionMismatch = "version_mismatch", retryable: false;
    /// The tool is declared or disabled (step 2).
    ToolDisabled = "tool_disabled", retryable: false;
    /// The tool's definition is not the one that was reviewed (step 2).
    ToolChanged = "tool_changed", retryable: true;
    /// The arguments do not fit the tool's input schema (step 3).
    InvalidArguments = "invalid_arguments", retryable: false;
    /// The timeout of the envelope is out of bounds (step 3).
    InvalidTimeout = "invalid_timeout", retryable: false;
    /// The credential's scope does not cover the call (step 4).
    OutOfScope = "out_of_scope", retryable: false;
    /// The role may not do this kind of action (step 4).
    RoleDenied = "role_denied", retryable: false;
    /// Nothing grants the tool or action (step 4).
    NotGranted = "not_granted", retryable: false;
    /// The tool is granted, but not on this resource, environment or workflow (step 4).
    ResourceNotGranted = "resource_not_granted", retryable: false;
    /// The tool's risk is above the ceiling of whatever grants it (step 4).
    RiskCeiling = "risk_ceiling", retryable: false;
    /// A link of the delegation chain does not cover the call (step 4).
    DelegationExceeded = "delegation_exceeded", retryable: false;
    /// The entity that the call names does not exist (step 5).
    EntityNotFound = "entity_not_found", retryable: false;
    /// The call's entity is not the only one that fits (step 5).
    EntityAmbiguous = "entity_ambiguous", retryable: false;
    /// The resource claimed and the resource that the arguments name differ (step 5).
    EntityMismatch = "entity_mismatch", retryable: false;
    /// The source of truth does not know the event that the agent acts on (step 5).
    TriggerUnverified = "trigger_unverified", retryable: false;
    /// No policy set is in force, so nothing is decided.
    NoPolicy = "no_policy", retryable: true;
    /// A rule denies the call (step 6).
    PolicyDenied = "policy_denied", retryable: false;
    /// A rule or the posture wants a person to approve (steps 6 and 7).
    ApprovalRequired = "approval_required", retryable: true;
    /// A limit is used up (step 6).
    RateLimited = "rate_limited", retryable: true;
    /// No rule spoke and the posture for this risk denies (step 7).
    PostureDenied = "posture_denied", retryable: false;
    /// The same idempotency key came with another call.
    IdempotencyConflict = "idempotency_conflict", retryable: false;
    /// The gate could not decide: store away, evaluation failed. Never an allow.
    GateUnavailable = "gate_unavailable", retryable: true;
    /// A decision named another digest than the frozen one.
    SnapshotChanged = "snapshot_changed", retryable: false;
    /// The target changed more often than the approval may be requeued.
    Drifted = "drifted", retryable: false;
    /// The approver denied the call.
    ApprovalRejected = "approval_rejected", retryable: false;
    /// Nobody decided in time.
    ApprovalExpired = "approval_expired", retryable: true;
    /// The call was withdrawn before it ran.
    Cancelled = "cancelled", retryable: true;
    /// An invariant of the invocation broke; it is stopped and waits for an operator.
    Poisoned = "poisoned", retryable: false;
    /// The tool answered with an error of its own.
    ToolError = "tool_error", retryable: false;
    /// The tool's server could not be reached; nothing was sent.
    UpstreamUnavailable = "upstream_unavailable", retryable: true;
    /// The tool's answer is not what its protocol or schema says.
    InvalidResult = "invalid_result", retryable: false;
    /// Nobody can know yet whether the effect landed.
    UnknownEffect = "unknown_effect", retryable: false;
    /// The approver is not among those who may decide this one.
    NotEligible = "not_eligible", retryable: false;
    /// The requester, the credential's owner or the user it acts for tried to decide it.
    SelfApproval = "self_approval", retryable: false;
    /// This person has already decided this one.
    AlreadyVoted = "already_voted", retryable: false;
    /// The invocation or approval is not in a state that allows this.
    WrongState = "wrong_state", retryable: false;
    /// The tool runs in its host, and the gate was asked to run it (step 2).
    RunsInHost = "runs_in_host", retryable: false;
}
