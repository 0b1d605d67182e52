//! What the gate answers: verdicts, denials as data, and which rules spoke.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::risk::words;
use crate::{Code, Duration, PolicyVersion, Risk, RiskScore, Timestamp};

/// What happens to a call. Ordered by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It runs as it is.
    Allow,
    /// It runs with some data replaced.
    Sanitize,
    /// It is frozen until people decide.
    RequireApproval,
    /// It ends here.
    Deny,
}

words!(Verdict {
    Allow = "allow",
    Sanitize = "sanitize",
    RequireApproval = "require_approval",
    Deny = "deny",
});

/// Kleene's truth: a missing or mistyped attribute is neither true nor false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// It does not hold.
    False,
    /// Nobody can say.
    Unknown,
    /// It holds.
    True,
}

/// A rule by document and id, written `refunds/r2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleRef {
    /// The document's name.
    pub policy: String,
    /// The rule's id within it.
    pub rule: String,
}

impl std::fmt::Display for RuleRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.policy, self.rule)
    }
}

/// A rule that matched a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRule {
    /// Which rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// What it does, in its written form.
    pub effect: String,
    /// True, or unknown where an attribute is missing or mistyped.
    pub truth: Truth,
    /// The attributes that were missing or mistyped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Whether it is only watched: recorded, and changing nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub monitor: bool,
}

/// What execution owes beside the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obligation {
    /// Look before anything is tried again.
    ReconcileBeforeRetry,
    /// Resolve the entity and compare it.
    VerifyEntity,
    /// Have the trigger's source of truth confirm it.
    VerifyTrigger,
    /// Replace data in the arguments before they are approved or run.
    Sanitize,
    /// Tell a channel of the decision.
    Notify,
    /// Open an incident about it.
    OpenIncident,
}

/// Something that others are told because a rule matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// Which channel is told; none where only an incident is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether an incident is opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incident: bool,
}

/// Who must approve, how many, and how long they have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalTerms {
    /// Groups, roles or people; empty: whoever may approve at all.
    pub approvers: Vec<String>,
    /// How many different people.
    pub quorum: u32,
    /// How long they have.
    pub expires_in: Option<Duration>,
}

impl Default for ApprovalTerms {
    fn default() -> Self {
        Self {
            approvers: Vec::new(),
            quorum: 1,
            expires_in: None,
        }
    }
}

/// One replacement that sanitizing made: type and place, never the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sanitized {
    /// What was found, such as `EMAIL`.
    pub kind: String,
    /// JSON pointer into the arguments.
    pub path: String,
}

/// A refusal as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Denial {
    /// The stable code.
    pub code: Code,
    /// One sentence for the caller.
    pub message: String,
    /// Facts beside it: rule, approval, digest, what to do.
    #[serde(default)]
    pub details: Map<String, Value>,
}

impl Denial {
    /// A denial with no details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Map::new(),
        }
    }

    /// The same denial with one more detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}

/// The whole answer of the gate to one call (2-decision, 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What happens.
    pub verdict: Verdict,
    /// Why not, where the verdict is not an allow.
    pub denial: Option<Denial>,
    /// The rule that is named, if a rule spoke.
    pub determining: Option<RuleRef>,
    /// Every rule that matched, in order of priority, document and place.
    pub rules: Vec<MatchedRule>,
    /// What execution owes.
    pub obligations: Vec<Obligation>,
    /// Who must approve, where the verdict is `require_approval`.
    pub approval: Option<ApprovalTerms>,
    /// The tool's risk.
    pub risk: Option<Risk>,
    /// The finer rating.
    pub risk_score: Option<RiskScore>,
    /// What was replaced in the arguments.
    pub sanitized: Vec<Sanitized>,
    /// Who else is told, a denial included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// The digest of the policy set in force.
    pub policy_version: Option<PolicyVersion>,
    /// When it was decided.
    pub evaluated_at: Timestamp,
}
