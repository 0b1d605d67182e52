//! Precedence: from the truths of rules to one ruling (2-decision, 3).
//!
//! The strictest effect of the enforced rules that match holds; among the rules with that effect
//! the lowest priority number, then the document's name, then the place picks the one that is
//! named. An unknown rule that tightens counts as matching; an unknown `allow`, `unless` or
//! exemption does not. Rules that are only watched are recorded and change nothing.
//!
//! Must not know: reach, posture, what the effects do.

use std::collections::BTreeSet;

use toolgate_detect::Finding;
use toolgate_model::{ApprovalTerms, MatchedRule, Notice, Obligation, RuleRef, Truth, Verdict};

use crate::call::Call;
use crate::checked::{Policy, Replaced, Rule};
use crate::effects::{Effect, Occasion};
use crate::explanation::{ExplainedPart, ExplainedRule, Explanation};
use crate::input::Facts;
use crate::quota::Standing;
use crate::reason;
use crate::ruling::{Budget, Fault, Ruling, Sanitize};
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
    /// Where the call stands with the rule's limit, if it has one and matches.
    standing: Option<Standing>,
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
    let occasion = match facts.result {
        None => Occasion::Call,
        Some(_) => Occasion::Result,
    };
    let mut call = Call::new(facts, set.lookups(), budget);
    let candidates = set.index(occasion).candidates(facts.names());
    call.reads_data = set.reads_data(&candidates);
    let mut judged = judge_all(set, &candidates, &mut call, explanation.is_some())?;
    let exempted = exempted(&judged);
    for one in &mut judged {
        if one.counts() && !exempted.contains(&one.key()) {
            one.stand(&mut call, explanation.is_some())?;
        }
    }
    if let Some(explanation) = explanation {
        explanation.rules_elsewhere = set.count(occasion).saturating_sub(judged.len());
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
    let sanitize = sanitize(&matched, &mut call)?;
    Ok(Ruling {
        sanitize,
        steps: call.meter.steps(),
        ..ruling(&matched)
    })
}

/// Judges every rule that can be about the call, in the order of documents and places.
fn judge_all<'s: 'c, 'c>(
    set: &'s PolicySet,
    candidates: &[u32],
    call: &mut Call<'s, 'c>,
    traced: bool,
) -> Result<Vec<Judged<'s>>, Fault> {
    let mut judged = Vec::with_capacity(candidates.len());
    let mut selected: Option<Selected> = None;
    for number in candidates {
        let Some((policy_at, policy, place, rule)) = set.rule(*number) else {
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
            standing: None,
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

impl<'s> Judged<'s> {
    /// Finds out where the call stands with the rule's limit.
    fn stand<'c>(&mut self, call: &mut Call<'s, 'c>, traced: bool) -> Result<(), Fault>
    where
        's: 'c,
    {
        let Some(quota) = &self.rule.quota else {
            return Ok(());
        };
        let standing = quota.standing(&self.name(), call)?;
        if traced {
            self.parts.push(ExplainedPart {
                place: "limit".to_owned(),
                text: quota.show(),
                truth: match (standing.is_exceeded, standing.used) {
                    (true, None) => Truth::Unknown,
                    (true, Some(_)) => Truth::True,
                    (false, _) => Truth::False,
                },
                value: standing.used.map(|used| used.to_string()),
                impossible: false,
                parts: Vec::new(),
            });
        }
        // What the limit could not count is named by the limit.
        call.take_unknown();
        self.standing = Some(standing);
        Ok(())
    }

    /// What it decides, if it decides anything.
    fn verdict(&self) -> Option<Verdict> {
        match self.rule.effect {
            Effect::Verdict(verdict) => Some(verdict),
            Effect::Limit => {
                let exceeded = self.standing.as_ref().is_some_and(|one| one.is_exceeded);
                exceeded.then_some(Verdict::Deny)
            }
            Effect::Obligation(_) => None,
        }
    }

    /// Whom it tells, and whether it opens an incident.
    fn notice(&self) -> Option<Notice> {
        let incident = self.rule.effect == Effect::Obligation(Obligation::OpenIncident);
        (incident || self.rule.notify.is_some()).then(|| Notice {
            rule: self.name(),
            channel: self.rule.notify.clone(),
            incident,
        })
    }

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

    /// The rules of the same document that this one exempts the call from: where it certainly holds
    /// all that it names, and where it may hold already the allows. An allow that stays because an
    /// argument is hidden would be a way around.
    fn exempts(&self) -> impl Iterator<Item = (usize, usize)> {
        let loosens = |place: &usize| {
            let rule = self.policy.rules.get(*place);
            rule.is_some_and(|rule| !rule.effect.tightens())
        };
        let holds = move |place: &&usize| match self.truth {
            Truth::True => !self.rule.monitor,
            Truth::Unknown => !self.rule.monitor && loosens(place),
            Truth::False => false,
        };
        let places = self.rule.exempts.iter().filter(holds);
        places.map(|place| (self.policy_at, *place))
    }
}

fn exempted(judged: &[Judged<'_>]) -> BTreeSet<(usize, usize)> {
    judged.iter().flat_map(Judged::exempts).collect()
}

/// The ruling that the matching rules make, given in order of precedence.
fn ruling(matched: &[&Judged<'_>]) -> Ruling {
    let enforced: Vec<&Judged<'_>> = enforced(matched).collect();
    let effect = enforced.iter().filter_map(|one| one.verdict()).max();
    let speaking = |one: &&&Judged<'_>| effect.is_some() && one.verdict() == effect;
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
        reason: determining
            .zip(effect)
            .map(|(one, verdict)| match &one.standing {
                Some(standing) => reason::used_up(&one.name(), one.rule, standing),
                None => reason::sentence(&one.name(), one.rule, verdict, (one.truth, &one.unknown)),
            }),
        rule_code: determining.and_then(|one| rule_code(one)),
        rules: matched.iter().map(|one| matched_rule(one)).collect(),
        obligations: obligations(&enforced, effect),
        approval,
        is_limited: determining.is_some_and(|one| one.standing.is_some()),
        sanitize: None,
        notices: enforced.iter().filter_map(|one| one.notice()).collect(),
        steps: 0,
    }
}

fn enforced<'a, 's>(matched: &[&'a Judged<'s>]) -> impl Iterator<Item = &'a Judged<'s>> {
    matched.iter().copied().filter(|one| !one.rule.monitor)
}

/// What is to be replaced, all `sanitize` rules together; nothing on a denial, which lets nothing
/// through. Only here is it asked what the findings are.
fn sanitize<'s: 'c, 'c>(
    matched: &[&Judged<'s>],
    call: &mut Call<'s, 'c>,
) -> Result<Option<Sanitize>, Fault> {
    let sanitizes = |one: &&Judged<'s>| one.rule.effect == Effect::Obligation(Obligation::Sanitize);
    let mut rules = enforced(matched).filter(sanitizes).peekable();
    let denied = enforced(matched).any(|one| one.verdict() == Some(Verdict::Deny));
    if denied || rules.peek().is_none() {
        return Ok(None);
    }
    let mut all = Sanitize::default();
    let rules: Vec<&Replaced> = rules.map(|one| &one.rule.replaced).collect();
    for replaced in &rules {
        all.classes.extend(&replaced.classes);
        if replaced.classes.is_empty() {
            all.fields.extend(replaced.fields.iter().cloned());
        }
    }
    if !all.classes.is_empty() {
        match call.scan()? {
            Some(scan) => {
                let wanted = |found: &&Finding| rules.iter().any(|one| one.wants(found));
                all.findings = scan.findings.iter().filter(wanted).cloned().collect();
            }
            None => all.is_unknown = true,
        }
    }
    Ok(Some(all))
}

fn rule_code(one: &Judged<'_>) -> Option<String> {
    let unknown = (one.truth == Truth::Unknown).then(|| "attribute_unknown".to_owned());
    one.rule.code.clone().or(unknown)
}

fn obligations(enforced: &[&Judged<'_>], effect: Option<Verdict>) -> Vec<Obligation> {
    let own = enforced.iter().filter_map(|one| match one.rule.effect {
        Effect::Obligation(obligation) => Some(obligation),
        Effect::Verdict(_) | Effect::Limit => None,
    });
    let told = enforced.iter().filter(|one| one.rule.notify.is_some());
    let mut owed: BTreeSet<Obligation> = own.chain(told.map(|_| Obligation::Notify)).collect();
    if effect == Some(Verdict::Deny) {
        // Of a denial, too, somebody may have to know.
        owed.retain(|one| matches!(one, Obligation::Notify | Obligation::OpenIncident));
    }
    owed.into_iter().collect()
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
