//! Precedence: from the truths of rules to one ruling (2-decision, 3).
//!
//! The strictest effect of the enforced rules that match holds; among the rules with that effect
//! the lowest priority number, then the document's name, then the place picks the one that is
//! named. An unknown rule that tightens counts as matching; an unknown `allow`, `unless` or
//! exemption does not. Rules that are only watched are recorded and change nothing.
//!
//! Must not know: reach, posture, what the effects do.

use std::collections::BTreeSet;

use toolgate_model::{ApprovalTerms, MatchedRule, Obligation, RuleRef, ToolId, Truth, Verdict};

use crate::call::Call;
use crate::checked::{Policy, Rule};
use crate::effects::Effect;
use crate::explanation::{ExplainedPart, ExplainedRule, Explanation};
use crate::input::Facts;
use crate::reason;
use crate::ruling::{Budget, Fault, Ruling};
use crate::set::PolicySet;
use crate::test::Part;
use crate::value::opposite;

/// A rule with its truth for the call.
struct Judged<'s> {
    policy_at: usize,
    policy: &'s Policy,
    place: usize,
    rule: &'s Rule,
    truth: Truth,
    unknown: Vec<String>,
    parts: Vec<ExplainedPart>,
}

/// What the selectors of a document say, for all its rules.
struct Selected {
    policy_at: usize,
    truth: Truth,
    unknown: Vec<String>,
    parts: Vec<ExplainedPart>,
}

/// The ruling of the set, and into `explanation`, if there is one, how it came about.
pub(crate) fn decide(
    set: &PolicySet,
    facts: &Facts<'_>,
    budget: Budget,
    explanation: Option<&mut Explanation>,
) -> Result<Ruling, Fault> {
    let mut call = Call::new(facts, &set.needles, budget);
    let judged = judge_all(set, facts.tool, &mut call, explanation.is_some())?;
    let exempted = exempted(&judged);
    if let Some(explanation) = explanation {
        explanation.rules_elsewhere = set.rules.len() - judged.len();
        explanation.rules = judged
            .iter()
            .map(|one| explained(one, &judged, &exempted))
            .collect();
    }
    let mut matched: Vec<&Judged<'_>> = judged
        .iter()
        .filter(|one| one.counts() && !exempted.contains(&one.key()))
        .collect();
    matched.sort_by_key(|one| (one.rule.priority, one.key()));
    Ok(ruling(&matched, call.meter.steps()))
}

/// Judges every rule that can be about the call, in the order of documents and places.
fn judge_all<'s: 'c, 'c>(
    set: &'s PolicySet,
    tool: &ToolId,
    call: &mut Call<'s, 'c>,
    traced: bool,
) -> Result<Vec<Judged<'s>>, Fault> {
    let mut judged = Vec::new();
    let mut selected: Option<Selected> = None;
    for number in set.rule_index.candidates(tool) {
        let at = usize::try_from(number)
            .ok()
            .and_then(|number| set.rules.get(number));
        let Some((policy_at, policy, place, rule)) = at.and_then(|(policy_at, place)| {
            let policy = set.policies.get(*policy_at)?;
            Some((*policy_at, policy, *place, policy.rules.get(*place)?))
        }) else {
            continue;
        };
        call.meter.spend(1)?;
        call.zone = &policy.zone;
        // All rules of a document stand together, so its selectors are read once.
        let selection = match selected.take().filter(|known| known.policy_at == policy_at) {
            Some(known) => known,
            None => select(policy_at, policy, call, traced)?,
        };
        let (mut unknown, mut parts) = (selection.unknown.clone(), selection.parts.clone());
        let trace = traced.then_some(&mut parts);
        let truth = judge(rule, selection.truth, call, trace)?;
        let own = call.take_unknown();
        unknown.extend(
            own.into_iter()
                .filter(|name| !selection.unknown.contains(name)),
        );
        selected = Some(selection);
        judged.push(Judged {
            policy_at,
            policy,
            place,
            rule,
            truth,
            unknown,
            parts,
        });
    }
    Ok(judged)
}

fn select<'s: 'c, 'c>(
    policy_at: usize,
    policy: &'s Policy,
    call: &mut Call<'s, 'c>,
    traced: bool,
) -> Result<Selected, Fault> {
    let mut parts = Vec::new();
    let mut trace = traced.then_some(&mut parts);
    let mut truth = Truth::True;
    for part in &policy.selectors {
        truth = next(truth, part, call, trace.as_deref_mut(), |holds| holds)?;
    }
    let unknown = call.take_unknown();
    Ok(Selected {
        policy_at,
        truth,
        unknown,
        parts,
    })
}

fn judge<'s: 'c, 'c>(
    rule: &'s Rule,
    selected: Truth,
    call: &mut Call<'s, 'c>,
    mut trace: Option<&mut Vec<ExplainedPart>>,
) -> Result<Truth, Fault> {
    let mut truth = selected;
    for part in &rule.parts {
        truth = next(truth, part, call, trace.as_deref_mut(), |holds| holds)?;
    }
    // `unless` is negated as a whole and not pushed inwards: on a tool that has no `amount`,
    // `unless amount <= 100` exempts nothing.
    if let Some(part) = &rule.unless {
        truth = next(truth, part, call, trace, opposite)?;
    }
    Ok(truth)
}

/// `truth` and what the part says. A part that cannot change it any more is only shown.
fn next<'s: 'c, 'c>(
    truth: Truth,
    part: &'s Part,
    call: &mut Call<'s, 'c>,
    trace: Option<&mut Vec<ExplainedPart>>,
    reading: fn(Truth) -> Truth,
) -> Result<Truth, Fault> {
    if truth != Truth::False {
        return Ok(truth.min(reading(part.answer(call, trace)?.holds)));
    }
    if trace.is_some() {
        // A fault beside the decision is none of the decision's.
        let _shown = call.aside(|call| part.answer(call, trace));
    }
    Ok(truth)
}

impl Judged<'_> {
    /// Whether the rule matches as far as its own parts go.
    fn counts(&self) -> bool {
        match self.truth {
            Truth::True => true,
            Truth::Unknown => self.rule.effect.tightens(),
            Truth::False => false,
        }
    }

    fn key(&self) -> (usize, usize) {
        (self.policy_at, self.place)
    }

    fn name(&self) -> RuleRef {
        RuleRef {
            policy: self.policy.name.clone(),
            rule: self.rule.id.clone(),
        }
    }

    /// The rules of the same document that this one exempts the call from.
    fn exempts(&self) -> impl Iterator<Item = (usize, usize)> {
        let holds = self.truth == Truth::True && !self.rule.monitor;
        let places = self.rule.exempts.iter().filter(move |_| holds);
        places.map(|place| (self.policy_at, *place))
    }
}

fn exempted(judged: &[Judged<'_>]) -> BTreeSet<(usize, usize)> {
    judged.iter().flat_map(Judged::exempts).collect()
}

/// The ruling that the matching rules make, given in order of precedence.
fn ruling(matched: &[&Judged<'_>], steps: u32) -> Ruling {
    let enforced: Vec<&Judged<'_>> = matched
        .iter()
        .copied()
        .filter(|one| !one.rule.monitor)
        .collect();
    let verdict = |one: &&Judged<'_>| match one.rule.effect {
        Effect::Verdict(verdict) => Some(verdict),
        Effect::Obligation(_) => None,
    };
    let effect = enforced.iter().filter_map(verdict).max();
    let speaking = |one: &&&Judged<'_>| effect.is_some() && verdict(one) == effect;
    let determining = enforced.iter().find(speaking);
    let approval = (effect == Some(Verdict::RequireApproval)).then(|| {
        combined(
            enforced
                .iter()
                .filter(speaking)
                .map(|one| &one.rule.approval),
        )
    });
    Ruling {
        effect,
        determining: determining.map(|one| one.name()),
        reason: determining.zip(effect).map(|(one, verdict)| {
            reason::sentence(&one.name(), one.rule, verdict, (one.truth, &one.unknown))
        }),
        rule_code: determining.and_then(|one| rule_code(one)),
        rules: matched.iter().map(|one| matched_rule(one)).collect(),
        obligations: obligations(&enforced, effect),
        approval,
        is_limited: false,
        sanitize: None,
        notices: Vec::new(),
        steps,
    }
}

fn rule_code(one: &Judged<'_>) -> Option<String> {
    let unknown = (one.truth == Truth::Unknown).then(|| "attribute_unknown".to_owned());
    one.rule.code.clone().or(unknown)
}

fn obligations(enforced: &[&Judged<'_>], effect: Option<Verdict>) -> Vec<Obligation> {
    if effect == Some(Verdict::Deny) {
        return Vec::new();
    }
    let owed = enforced.iter().filter_map(|one| match one.rule.effect {
        Effect::Obligation(obligation) => Some(obligation),
        Effect::Verdict(_) => None,
    });
    owed.collect::<BTreeSet<_>>().into_iter().collect()
}

/// All groups, the largest quorum, the shortest expiry.
fn combined<'a>(terms: impl Iterator<Item = &'a ApprovalTerms>) -> ApprovalTerms {
    let mut sum = ApprovalTerms::default();
    for one in terms {
        sum.approvers.extend(one.approvers.iter().cloned());
        sum.quorum = sum.quorum.max(one.quorum);
        sum.expires_in = match (sum.expires_in, one.expires_in) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    sum.approvers.sort();
    sum.approvers.dedup();
    sum
}

fn matched_rule(one: &Judged<'_>) -> MatchedRule {
    let unknown = match one.truth {
        Truth::Unknown => one.unknown.clone(),
        Truth::True | Truth::False => Vec::new(),
    };
    MatchedRule {
        rule: one.name(),
        effect: one.rule.effect.as_str().to_owned(),
        truth: one.truth,
        unknown,
        monitor: one.rule.monitor,
    }
}

fn explained(
    one: &Judged<'_>,
    all: &[Judged<'_>],
    exempted: &BTreeSet<(usize, usize)>,
) -> ExplainedRule {
    let exempting = all
        .iter()
        .filter(|other| other.exempts().any(|key| key == one.key()));
    let shown = matched_rule(one);
    ExplainedRule {
        rule: shown.rule,
        line: one.rule.line,
        effect: shown.effect,
        monitor: shown.monitor,
        truth: one.truth,
        matched: one.counts() && !exempted.contains(&one.key()),
        exempted_by: exempting.map(|other| other.rule.id.clone()).collect(),
        unknown: shown.unknown,
        parts: one.parts.clone(),
    }
}
