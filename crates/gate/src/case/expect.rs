//! What a case expects, held against what came out.
//!
//! `"expect": "deny"` is short for `{"verdict": "deny"}`. Each key that stands there is compared,
//! and nothing else; a null says that there must be none (`"rule": null`: no rule is named).
//!
//! Must not know: how the answer came about.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use toolgate_model::{Decision, RuleRef, Sanitized, Verdict};

/// What must come out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expected {
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The code of the denial, or the rule's own.
    #[serde(deserialize_with = "said")]
    pub code: Option<Option<String>>,
    /// The rule that is named: `refunds/r2`, or `r2` in whatever document.
    #[serde(deserialize_with = "said")]
    pub rule: Option<Option<String>>,
    /// All rules that matched, watched ones too, in the order of precedence.
    pub rules: Option<Vec<String>>,
    /// The sentence for the caller.
    #[serde(deserialize_with = "said")]
    pub reason: Option<Option<String>>,
    /// What execution owes, in any order.
    pub obligations: Option<Vec<String>>,
    /// What was replaced, in any order.
    pub sanitized: Option<Vec<Sanitized>>,
    /// The arguments that would run.
    pub arguments: Option<Value>,
    /// The result that the caller would see.
    pub result: Option<Value>,
}

/// A key that is there says something, even if that is null.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

/// One thing that came out otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Which key of `expect`.
    pub key: &'static str,
    /// What it says.
    pub expected: Value,
    /// What came out.
    pub got: Value,
}

/// What came out, as far as a case can ask.
#[derive(Clone, Debug)]
pub(super) struct Actual<'a> {
    pub(super) decision: &'a Decision,
    pub(super) arguments: &'a Value,
    pub(super) result: Option<&'a Value>,
}

impl Expected {
    /// Only a verdict.
    pub(super) fn verdict(verdict: Verdict) -> Self {
        Self {
            verdict: Some(verdict),
            ..Self::default()
        }
    }

    /// Whether it asks for nothing at all, so that the case could not fail.
    pub(super) fn is_empty(&self) -> bool {
        let texts = [&self.code, &self.rule, &self.reason];
        self.verdict.is_none()
            && texts.iter().all(|text| text.is_none())
            && self.rules.is_none()
            && self.obligations.is_none()
            && self.sanitized.is_none()
            && self.arguments.is_none()
            && self.result.is_none()
    }

    /// Everything that came out otherwise.
    pub(super) fn differences(&self, actual: &Actual<'_>) -> Vec<Difference> {
        let decision = actual.decision;
        let reason = decision.denial.as_ref().map(|denial| &denial.message);
        let told = actual.result.cloned().unwrap_or(Value::Null);
        let pairs = [
            differs("verdict", &self.verdict, json!(decision.verdict)),
            differs("code", &self.code, self.code_got(decision)),
            differs("rule", &self.rule, self.rule_got(decision)),
            differs("rules", &self.rules, self.rules_got(decision)),
            differs("reason", &self.reason, json!(reason)),
            differs(
                "obligations",
                &self.obligations.as_deref().map(sorted),
                json!(sorted(&decision.obligations)),
            ),
            differs(
                "sanitized",
                &self.sanitized.as_deref().map(sorted),
                json!(sorted(&decision.sanitized)),
            ),
            differs("arguments", &self.arguments, actual.arguments.clone()),
            differs("result", &self.result, told),
        ];
        pairs.into_iter().flatten().collect()
    }

    /// The code that is asked for where it is one of the decision's, else the more special one.
    fn code_got(&self, decision: &Decision) -> Value {
        let codes = codes(decision);
        let asked = self.code.as_ref().and_then(Option::as_ref);
        let fits = asked.filter(|code| codes.contains(code));
        json!(fits.or(codes.last()))
    }

    fn rule_got(&self, decision: &Decision) -> Value {
        let asked = self.rule.as_ref().and_then(Option::as_ref);
        json!(decision.determining.as_ref().map(|rule| spelt(rule, asked)))
    }

    fn rules_got(&self, decision: &Decision) -> Value {
        let asked = self.rules.as_deref().unwrap_or_default();
        let rules = decision.rules.iter().enumerate();
        let spelt: Vec<String> = rules
            .map(|(place, rule)| spelt(&rule.rule, asked.get(place)))
            .collect();
        json!(spelt)
    }
}

fn differs(key: &'static str, expected: &Option<impl Serialize>, got: Value) -> Option<Difference> {
    let expected = json!(expected.as_ref()?);
    (expected != got).then_some(Difference { key, expected, got })
}

/// The codes by which the decision goes: the gate's own, and the rule's.
fn codes(decision: &Decision) -> Vec<String> {
    let Some(denial) = &decision.denial else {
        return Vec::new();
    };
    let own = denial.details.get("rule_code").and_then(Value::as_str);
    let code = std::iter::once(denial.code.as_str());
    code.chain(own).map(str::to_owned).collect()
}

/// The rule as the case writes it: by its id alone where the case leaves the document out.
fn spelt(rule: &RuleRef, asked: Option<&String>) -> String {
    match asked {
        Some(text) if *text == rule.rule => rule.rule.clone(),
        _ => rule.to_string(),
    }
}

fn sorted<T: Serialize>(all: &[T]) -> Vec<Value> {
    let mut all: Vec<Value> = all.iter().map(|one| json!(one)).collect();
    all.sort_by_key(Value::to_string);
    all
}
