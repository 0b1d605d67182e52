//! How a ruling came about: every rule that was looked at, and the truth of every part of it.
//!
//! The same evaluation fills it in that rules (2-decision, 5); it decides nothing. It is shown by
//! `eval --explain` and by the console.
//!
//! Must not know: how truths are computed.

use serde::Serialize;
use toolgate_model::{RuleRef, Truth};

/// Every candidate rule with its truth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The rules that are about the called tool, by document name and place.
    pub rules: Vec<ExplainedRule>,
    /// How many rules of the set are about other tools and were not looked at.
    pub rules_elsewhere: usize,
}

/// One candidate rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedRule {
    /// Which rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// The line it stands on in its document.
    pub line: usize,
    /// What it does, in its written form.
    pub effect: String,
    /// Whether it is only watched.
    pub monitor: bool,
    /// The truth of the whole: selectors, match, condition and when, and not unless.
    pub truth: Truth,
    /// Whether it counts: true, or unknown and tightening; and not exempted.
    pub matched: bool,
    /// The rules of its document that exempt the call from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exempted_by: Vec<String>,
    /// The attributes that were missing or could not be judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Its parts.
    pub parts: Vec<ExplainedPart>,
}

/// One part of a rule: a selector, a key of `match` or `condition`, or a piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedPart {
    /// Where it is written, `match.tools` or `when`; empty within an expression.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// Its text.
    pub text: String,
    /// Whether it holds.
    pub truth: Truth,
    /// The value found on its left, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether the tool cannot have what it asks about, so that its opposite does not hold either.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub impossible: bool,
    /// The pieces of an expression.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ExplainedPart>,
}
