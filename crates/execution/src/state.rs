//! The states of an invocation, and what is true only in each.
//!
//! `proposed → denied | pending_approval | executing`, and on from there (3-execution, 1). What
//! only a frozen call has is a field of [`Frozen`] alone. The types are their own stored form,
//! versioned and pinned by a golden file (docs/decisions/0004).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toolgate_model::{
    AgentId, ApprovalId, ApprovalTerms, Code, DataClasses, Decision, Denial, Digest, Duration,
    Effect, EffectCheck, HttpRequest, InvocationId, KeyId, MatchedRule, Mode, Notice, Sanitized,
    TenantId, Timestamp, ToolId, Trigger, User,
};

use crate::input::{LossCause, Vote};
use crate::search::{RetryGround, Sighting};

/// The gate's durable life of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// Its id.
    pub id: InvocationId,
    /// What was proposed and by whom. Never changes.
    pub proposal: Arc<Proposal>,
    /// Where it stands.
    pub state: State,
    /// How many attempts were admitted so far; the fencing number of the newest.
    pub attempts: u32,
    /// Counts steps; a store writes only over the revision that was read.
    pub revision: u64,
    /// When it was proposed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What was proposed, by whom, and how it was first decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The tenant of the agent.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// The person who owns the agent.
    pub owner: AgentId,
    /// The credential that authenticated it.
    pub key: KeyId,
    /// The delegation chain, root first; empty where the agent acts by itself.
    pub chain: Vec<AgentId>,
    /// The user it acts for.
    pub user: Option<User>,
    /// The tool.
    pub tool: ToolId,
    /// Its version when it was decided.
    pub version: String,
    /// The digest of its descriptor when it was decided.
    pub descriptor: Option<Digest>,
    /// The arguments that would run: after sanitizing.
    pub arguments: Value,
    /// Salt of the commitments to arguments and result in the record, as 32 hex digits.
    pub salt: String,
    /// The environment in force.
    pub env: Option<String>,
    /// The workflow in force.
    pub workflow: Option<String>,
    /// The resource, as decided.
    pub resource: Option<toolgate_model::Resource>,
    /// The caller's session.
    pub session: Option<String>,
    /// What it belongs to.
    pub correlation: Option<String>,
    /// The event it acts on.
    pub trigger: Option<Trigger>,
    /// The agent's own words.
    pub justification: Option<String>,
    /// What the caller wanted done.
    pub mode: Mode,
    /// Whether the tool may leave a trace.
    pub effect: Effect,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The caller's idempotency key.
    pub idempotency_key: Option<String>,
    /// Digest of tool, version, arguments, environment, workflow and resource (3-execution, 2).
    pub fingerprint: Digest,
    /// What travels on to the tool beside the arguments.
    pub meta: serde_json::Map<String, Value>,
    /// How it was first decided.
    pub decision: Decision,
    /// Whether the caller said that a second call like an earlier one is meant.
    #[serde(default)]
    pub allow_duplicate: bool,
    /// The pinned facts of its entity, as read live when it was first decided.
    #[serde(default)]
    pub entity: Option<Value>,
    /// How the effect is looked for and when it may be sent again, as the descriptor said when it
    /// was decided: what was sent under one contract is never retried under another.
    #[serde(default)]
    pub effect_check: Option<EffectCheck>,
    /// The user's own words, as a trusted host passed them on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_request: Option<String>,
    /// Whether the caller's name for its session splits what is remembered of its credential.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session_trusted: bool,
    /// The raw HTTP request that it is, as it may be sent; none where the call names its tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Sendable>,
}

/// A raw HTTP request as it was judged. It carries no credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sendable {
    /// The request, rebuilt from what was judged.
    pub request: HttpRequest,
    /// What the caller's own request had beside that, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
}

/// Where an invocation stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum State {
    /// Nothing has been decided; never stored.
    Proposed,
    /// Refused. Terminal.
    Denied {
        /// Why.
        denial: Denial,
    },
    /// Frozen until people decide.
    PendingApproval {
        /// What they decide on.
        frozen: Frozen,
        /// What they have decided so far.
        votes: Vec<Vote>,
    },
    /// The quorum is met; not yet revalidated.
    Approved {
        /// What was approved.
        frozen: Frozen,
        /// By whom.
        votes: Vec<Vote>,
    },
    /// An attempt is admitted and may be running.
    Executing {
        /// Which attempt.
        attempt: Attempt,
        /// Why it may run.
        grounds: Grounds,
    },
    /// Nobody can know yet whether the effect landed.
    UnknownEffect {
        /// The attempt whose answer is lost.
        attempt: Attempt,
        /// Why it may have run.
        grounds: Grounds,
        /// How the answer was lost.
        cause: LossCause,
        /// When; none in what was stored before this was kept, and then nothing is ever proven.
        #[serde(default)]
        lost_at: Option<Timestamp>,
    },
    /// The gate is finding out from live state.
    Reconciling {
        /// The attempt in doubt.
        attempt: Attempt,
        /// Why it may have run.
        grounds: Grounds,
        /// How the answer was lost.
        cause: LossCause,
        /// When.
        #[serde(default)]
        lost_at: Option<Timestamp>,
        /// How often the gate has looked.
        tries: u32,
        /// What the last look saw.
        #[serde(default)]
        last: Option<Sighting>,
        /// Before this instant there is no use in looking again.
        #[serde(default)]
        next_look_at: Option<Timestamp>,
    },
    /// Only a person can say what happened.
    NeedsOperator {
        /// The attempt in doubt.
        attempt: Attempt,
        /// Why it may have run.
        grounds: Grounds,
        /// How the answer was lost.
        cause: LossCause,
        /// When.
        #[serde(default)]
        lost_at: Option<Timestamp>,
        /// How often the gate has looked.
        #[serde(default)]
        tries: u32,
        /// What the last look saw.
        #[serde(default)]
        last: Option<Sighting>,
        /// Why the gate could not settle it.
        ground: String,
    },
    /// The effect landed. Terminal.
    Succeeded {
        /// What came back.
        settlement: Settlement,
    },
    /// It ended without its effect. Terminal.
    Failed {
        /// Why.
        failure: Failure,
        /// What came back, where the tool answered with an error.
        settlement: Settlement,
    },
    /// An approver said no. Terminal.
    Rejected {
        /// The request.
        approval: ApprovalId,
        /// The decision that ended it.
        vote: Vote,
    },
    /// Nobody decided in time. Terminal.
    Expired {
        /// The request.
        approval: ApprovalId,
    },
    /// Withdrawn before it ran. Terminal.
    Cancelled {
        /// The request, where there was one.
        approval: Option<ApprovalId>,
        /// Who withdrew it.
        by: AgentId,
    },
}

/// The name of a state, as interfaces show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing decided.
    Proposed,
    /// Refused.
    Denied,
    /// Frozen until people decide.
    PendingApproval,
    /// Approved, not yet revalidated.
    Approved,
    /// Running.
    Executing,
    /// In doubt.
    UnknownEffect,
    /// Being settled.
    Reconciling,
    /// Waiting for a person.
    NeedsOperator,
    /// Landed.
    Succeeded,
    /// Ended without effect.
    Failed,
    /// Refused by an approver.
    Rejected,
    /// Not decided in time.
    Expired,
    /// Withdrawn.
    Cancelled,
}

impl Status {
    /// Every status with its written form.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Proposed, "proposed"),
        (Self::Denied, "denied"),
        (Self::PendingApproval, "pending_approval"),
        (Self::Approved, "approved"),
        (Self::Executing, "executing"),
        (Self::UnknownEffect, "unknown_effect"),
        (Self::Reconciling, "reconciling"),
        (Self::NeedsOperator, "needs_operator"),
        (Self::Succeeded, "succeeded"),
        (Self::Failed, "failed"),
        (Self::Rejected, "rejected"),
        (Self::Expired, "expired"),
        (Self::Cancelled, "cancelled"),
    ];

    /// The written form.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(status, _)| *status == self)
            .map_or("", |(_, word)| word)
    }

    /// The status with this written form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(status, _)| *status)
    }

    /// Whether it never changes again.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Denied
            | Self::Succeeded
            | Self::Failed
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled => true,
            Self::Proposed
            | Self::PendingApproval
            | Self::Approved
            | Self::Executing
            | Self::UnknownEffect
            | Self::Reconciling
            | Self::NeedsOperator => false,
        }
    }
}

/// A frozen call: everything that will run and everything it was judged on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// The request.
    pub approval: ApprovalId,
    /// The snapshot itself (3-execution, 3).
    pub snapshot: Value,
    /// SHA-256 over its canonical JSON: what approvers decide on.
    pub digest: Digest,
    /// Who must decide and how many.
    pub terms: ApprovalTerms,
    /// When it was frozen.
    pub frozen_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// How often drift has sent it back.
    pub requeues: u32,
    /// What changed since the snapshot that was approved before: why it is asked again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// Who else may decide once nobody has for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
}

/// One pinned field that changed between approval and run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Its name in the snapshot: `entity.customer`, `arguments`.
    pub field: String,
    /// What was approved.
    pub before: Value,
    /// What is there now.
    pub after: Value,
}

/// What happens when nobody decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// When.
    pub at: Timestamp,
    /// Groups, roles or people who may decide from then on, beside the approvers.
    pub to: Vec<String>,
    /// Whether they have been told.
    #[serde(default)]
    pub told: bool,
}

/// Why an attempt may run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Grounds {
    /// The gate allowed it.
    Allowed,
    /// People approved exactly this snapshot; used up by the attempt.
    Approved {
        /// The request.
        approval: ApprovalId,
        /// The digest they decided on.
        digest: Digest,
        /// Who decided.
        votes: Vec<Vote>,
        /// From when on no further attempt may run on it.
        #[serde(default)]
        expires_at: Option<Timestamp>,
        /// The pinned facts of the entity that were approved.
        #[serde(default)]
        entity: Option<Value>,
    },
}

/// One admitted attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1; the fencing number of its lease.
    pub number: u32,
    /// When it was admitted.
    pub started_at: Timestamp,
    /// Until when its node may write an outcome.
    pub lease_until: Timestamp,
    /// Why it may run although an earlier one may have; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<RetryGround>,
}

/// How an invocation that ran came to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settlement {
    /// What came back, exactly as the tool wrote it; none where only live state or a person told.
    pub result: Option<String>,
    /// How many attempts it took.
    pub attempts: u32,
    /// When the last one was admitted.
    pub started_at: Timestamp,
    /// Why it was allowed to run.
    pub grounds: Grounds,
    /// Whether live state told, not an answer.
    pub reconciled: bool,
    /// The person who told, and their reason.
    pub resolved_by: Option<(AgentId, String)>,
    /// What was found in what came back, before anybody saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspection: Option<Inspection>,
    /// The report of the host that ran it; none where the gate ran it or somebody else told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

/// That a host said what came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Whether its lease had ended by then.
    pub late: bool,
    /// The digest of the report.
    pub digest: Digest,
}

/// What judging a result found and did (2-decision, 3, rules with `on: "result"`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Classes of data that stood in it.
    #[serde(default)]
    pub classes: DataClasses,
    /// Signs that it speaks to the model.
    #[serde(default)]
    pub signals: BTreeSet<String>,
    /// Whether outsiders can write some of it.
    #[serde(default)]
    pub external: bool,
    /// Whether it was more than could be looked through; nothing is known of it then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// The result rules that matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<MatchedRule>,
    /// What was replaced in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sanitized: Vec<Sanitized>,
    /// Why the caller does not get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Denial>,
    /// Who else is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// Why an invocation failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// `tool_error`, `upstream_unavailable`, `invalid_result` or `unknown_effect`.
    pub code: Code,
    /// One sentence.
    pub message: String,
    /// The JSON-RPC error object, as the tool's server wrote it, where that is what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl State {
    /// Its name.
    pub const fn status(&self) -> Status {
        match self {
            Self::Proposed => Status::Proposed,
            Self::Denied { .. } => Status::Denied,
            Self::PendingApproval { .. } => Status::PendingApproval,
            Self::Approved { .. } => Status::Approved,
            Self::Executing { .. } => Status::Executing,
            Self::UnknownEffect { .. } => Status::UnknownEffect,
            Self::Reconciling { .. } => Status::Reconciling,
            Self::NeedsOperator { .. } => Status::NeedsOperator,
            Self::Succeeded { .. } => Status::Succeeded,
            Self::Failed { .. } => Status::Failed,
            Self::Rejected { .. } => Status::Rejected,
            Self::Expired { .. } => Status::Expired,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// The frozen call, while it waits or is approved.
    pub const fn frozen(&self) -> Option<&Frozen> {
        match self {
            Self::PendingApproval { frozen, .. } | Self::Approved { frozen, .. } => Some(frozen),
            _ => None,
        }
    }

    /// Why the newest attempt may run or may have run, while it does or is in doubt.
    pub const fn grounds(&self) -> Option<&Grounds> {
        match self {
            Self::Executing { grounds, .. }
            | Self::UnknownEffect { grounds, .. }
            | Self::Reconciling { grounds, .. }
            | Self::NeedsOperator { grounds, .. } => Some(grounds),
            _ => None,
        }
    }

    /// The newest attempt, while it runs or is in doubt.
    pub const fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Executing { attempt, .. }
            | Self::UnknownEffect { attempt, .. }
            | Self::Reconciling { attempt, .. }
            | Self::NeedsOperator { attempt, .. } => Some(attempt),
            _ => None,
        }
    }
}

impl Invocation {
    /// An invocation of which nothing is decided yet.
    pub fn propose(id: InvocationId, proposal: Proposal, now: Timestamp) -> Self {
        Self {
            id,
            proposal: Arc::new(proposal),
            state: State::Proposed,
            attempts: 0,
            revision: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// The name of its state.
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// Whether its caller runs it, under a lease, and the gate sends nothing of it.
    pub fn is_hosts(&self) -> bool {
        self.proposal.mode == Mode::Host
    }

    /// How it came to its end, where it ran.
    pub const fn settlement(&self) -> Option<&Settlement> {
        match &self.state {
            State::Succeeded { settlement } | State::Failed { settlement, .. } => Some(settlement),
            _ => None,
        }
    }

    /// What came back and was not looked through yet.
    pub fn uninspected(&self) -> Option<&str> {
        let settlement = self.settlement()?;
        let fresh = settlement.inspection.is_none();
        settlement.result.as_deref().filter(|_| fresh)
    }

    /// The same with its result looked through, and replaced by `result` where that is another one.
    /// What has not come back has nothing to look through, and stays as it is.
    #[must_use]
    pub fn inspected(mut self, inspection: Inspection, result: Option<String>) -> Self {
        if let State::Succeeded { settlement } | State::Failed { settlement, .. } = &mut self.state
            && settlement.result.is_some()
        {
            settlement.inspection = Some(inspection);
            settlement.result = result.or_else(|| settlement.result.take());
        }
        self
    }
}
