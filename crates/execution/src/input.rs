//! What can happen to an invocation: one variant a transition verb.

use serde::{Deserialize, Serialize};
use toolgate_model::{AgentId, Denial, Digest, Role, Timestamp};

use crate::state::{Failure, Frozen};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The gate denied the call.
    Deny(Denial),
    /// The gate allowed it; the attempt holds its lease until then.
    Admit {
        /// When the lease runs out.
        lease_until: Timestamp,
    },
    /// The gate wants people to approve it.
    Freeze(Box<Frozen>),
    /// Somebody decided.
    Vote(Vote),
    /// The approved call was read again and decided again.
    Thaw(Thaw),
    /// The requester or an operator takes it back.
    Withdraw {
        /// Who.
        by: AgentId,
    },
    /// Its time is up.
    Expire,
    /// A definite answer of one attempt.
    Answer {
        /// Which attempt; an answer of an older one changes nothing.
        attempt: u32,
        /// The answer.
        answer: Answer,
    },
    /// The host that ran an attempt says what came of it.
    Report(Report),
    /// The answer of one attempt is lost.
    Lose(Loss),
    /// The gate begins to look for the effect.
    Reconcile,
    /// What a look found.
    Probe(Finding),
    /// The same request again, if its first sending is proven harmless.
    Retry(Retry),
    /// Nobody decided for so long that others are asked too.
    Remind,
    /// The gate cannot find out.
    Escalate {
        /// Why not.
        ground: String,
    },
    /// A person says what happened.
    Resolve(Resolution),
}

/// A definite answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The tool did it; `result` is its answer as it wrote it.
    Success {
        /// JSON text.
        result: String,
    },
    /// It definitely did not do it.
    Failure {
        /// Why.
        failure: Failure,
        /// What it answered, if it did.
        result: Option<String>,
    },
}

/// What a host says of an attempt that it ran under a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which attempt.
    pub attempt: u32,
    /// What came of it.
    pub told: Told,
    /// The digest of the whole report, by which the same one is known again.
    pub digest: Digest,
}

/// What came of an attempt, by the word of the host that ran it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// It has ended, and so.
    Ended(Answer),
    /// The host itself cannot say whether its effect landed.
    Unsure,
}

/// How an answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// No answer in time.
    Timeout,
    /// The connection broke after the first byte was sent.
    Disconnected,
    /// An answer that proves neither.
    Ambiguous,
    /// The caller cancelled after it was sent.
    Cancelled,
    /// The gate's process ended while it ran.
    GateRestarted,
    /// The lease ended before whoever held it, a node or a host, said what came of it.
    LeaseLost,
    /// The same request was sent again under the same key and was refused, which does not say
    /// what became of the first.
    RepeatRefused,
    /// The host that ran it cannot say.
    HostUnsure,
}

impl LossCause {
    /// The cause in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "no answer arrived in time",
            Self::Disconnected => "the connection broke after the call was sent",
            Self::Ambiguous => "the answer does not say whether the effect landed",
            Self::Cancelled => "the call was cancelled after it was sent",
            Self::GateRestarted => "the gate stopped while the call was running",
            Self::LeaseLost => "whoever ran the call said nothing of it before its lease ended",
            Self::RepeatRefused => {
                "the call was sent again under the same key and refused, which leaves the first open"
            }
            Self::HostUnsure => "the host that ran the call cannot say what came of it",
        }
    }
}

/// A lost answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Which attempt.
    pub attempt: u32,
    /// How.
    pub cause: LossCause,
    /// Until when a further attempt of a tool without effects would hold its lease; none where
    /// the gate would not allow one now.
    pub lease_until: Option<Timestamp>,
}

/// What an approver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Run exactly this.
    Approve,
    /// Never run this.
    Deny,
    /// Do not run this; come back with something else.
    SendBack,
}

/// Who decides, as the gate authenticated them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// The person.
    pub id: AgentId,
    /// Their role.
    pub role: Role,
    /// Their groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How they signed in: the credential or session, never a secret.
    pub via: String,
}

/// One decision of one person on one digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub voter: Voter,
    /// The digest they saw.
    pub digest: Digest,
    /// What they said.
    pub choice: Choice,
    /// Why; the agent may read it.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What revalidation of an approved call found.
#[derive(Clone, Debug, PartialEq)]
pub enum Thaw {
    /// All as approved: it runs, under a lease until then.
    Same {
        /// When the lease runs out.
        lease_until: Timestamp,
    },
    /// Something pinned changed, and it can still be approved: a new snapshot.
    Drifted(Box<Frozen>),
    /// Policy, credential, grants or tool now forbid it.
    Forbidden(Denial),
}

/// What a look at live state found.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The effect is there; the data of live state, as JSON text.
    Landed {
        /// What was read.
        data: Option<String>,
    },
    /// The look worked and the effect is not there. By itself that proves nothing.
    NotFound {
        /// When the look began.
        looked_at: Timestamp,
    },
    /// The look told nothing.
    Unclear {
        /// When it began.
        looked_at: Timestamp,
        /// Why it told nothing.
        why: String,
    },
}

/// What the gate says of sending the same request again.
#[derive(Clone, Debug, PartialEq)]
pub enum Retry {
    /// It would still allow the call, unchanged; the new attempt holds its lease until then.
    Admit {
        /// When the lease runs out.
        lease_until: Timestamp,
    },
    /// Policy, credential, tool or entity forbid it now.
    Forbidden(Denial),
}

/// A person's word on a call in doubt.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// Who.
    pub by: AgentId,
    /// What they say.
    pub resolved: Resolved,
    /// Why.
    pub reason: String,
}

/// What a person can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The effect is there.
    Landed,
    /// It is not, and will not come.
    NotLanded,
    /// Try once more, under a lease until then.
    Retry {
        /// When the lease runs out.
        lease_until: Timestamp,
    },
}
