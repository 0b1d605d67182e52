//! What comes out: the ruling of a policy set on one call, and what bounds the way to it.
//!
//! A ruling is not yet a decision: the gate joins it with reach and posture. `effect: None` means
//! that no rule spoke, so the posture does.
//!
//! Must not know: how the rules were evaluated.

use std::collections::BTreeSet;

use toolgate_detect::Finding;
use toolgate_model::{
    ApprovalTerms, DataClasses, MatchedRule, Notice, Obligation, RuleRef, Verdict,
};

use crate::limits;

/// How much work one decision may cost, in counted steps: never in time, so that the same call
/// costs the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The steps after which deciding stops with a [`Fault`].
    pub steps_max: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            steps_max: limits::STEPS_MAX,
        }
    }
}

/// Why there is no ruling. The gate denies the call with `gate_unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The rules that are about this call cost more than the budget.
    #[error("deciding took more than the {steps_max} steps that one decision may take")]
    BudgetExhausted {
        /// The budget's bound.
        steps_max: u32,
    },
}

/// What the rules of a set say about one call (2-decision, 3).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruling {
    /// The strictest effect of the enforced rules that match; none where no rule has a verdict.
    pub effect: Option<Verdict>,
    /// The rule that is named for it.
    pub determining: Option<RuleRef>,
    /// One sentence, safe to show an agent: the rule's own, or one made from its text.
    pub reason: Option<String>,
    /// The rule's own code; `attribute_unknown` where it names none and could not be ruled out.
    pub rule_code: Option<String>,
    /// Every rule that matched, watched ones too, by priority, document name and place.
    pub rules: Vec<MatchedRule>,
    /// What execution owes; nothing on a denial.
    pub obligations: Vec<Obligation>,
    /// Who must approve, where the effect is `require_approval`.
    pub approval: Option<ApprovalTerms>,
    /// Whether the denial comes from a limit that is used up.
    pub is_limited: bool,
    /// What is replaced before the call is approved or runs; on a result ruling, before the caller
    /// sees it.
    pub sanitize: Option<Sanitize>,
    /// Who else is told.
    pub notices: Vec<Notice>,
    /// What it cost.
    pub steps: u32,
}

/// What `sanitize` rules want replaced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sanitize {
    /// Data of these classes, wherever it stands.
    pub classes: DataClasses,
    /// Whole values at these dotted paths.
    pub fields: BTreeSet<String>,
    /// What the detector found of these classes; empty where only fields are named.
    pub findings: Vec<Finding>,
    /// Whether the detector could not say what there is. Nothing may then pass as sanitized.
    pub is_unknown: bool,
}
