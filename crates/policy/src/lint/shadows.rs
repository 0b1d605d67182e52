//! Rules that a stricter one always stands before, and rules that stand twice.
//!
//! `refunds/small` (needs approval above 100) never matters beside `refunds/none` (denies every
//! refund): wherever the first counts, the second does, and it is stricter. A rule that something
//! can keep from counting (`unless`, an exemption, monitor mode) stands before nothing.
//!
//! Must not know: how a finding is worded.

use toolgate_model::{Obligation, Verdict};

use super::claims::{alternatives, implies};
use crate::checked::{Policy, Rule};
use crate::effects::Effect;
use crate::set::PolicySet;
use crate::test::Part;

/// LIMIT: a million pairs, some seconds; rules beyond are not compared.
const PAIRS_MAX: usize = 1_000_000;

/// A rule with its document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'s> {
    pub(super) policy: &'s Policy,
    pub(super) place: usize,
    pub(super) rule: &'s Rule,
}

/// A rule that never matters, and the one that it never matters beside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow<'s> {
    pub(super) rule: Placed<'s>,
    pub(super) before: Placed<'s>,
}

impl<'s> Placed<'s> {
    /// Every enabled rule of the set, by document and place.
    pub(super) fn all(set: &'s PolicySet) -> Vec<Self> {
        let rules = set.rules.iter().filter_map(|(policy, place)| {
            let policy = set.policies.get(*policy)?;
            Some(Self {
                policy,
                place: *place,
                rule: policy.rules.get(*place)?,
            })
        });
        rules.collect()
    }

    /// The selectors of its document and its own parts.
    pub(super) fn parts(self) -> impl Iterator<Item = &'s Part> {
        self.policy.selectors.iter().chain(&self.rule.parts)
    }

    pub(super) fn name(self) -> String {
        format!("{}/{}", self.policy.name, self.rule.id)
    }

    fn is(self, other: Self) -> bool {
        std::ptr::eq(self.rule, other.rule)
    }

    /// Whether nothing can keep it from counting where its parts hold.
    fn is_firm(self) -> bool {
        let exempted = self
            .policy
            .rules
            .iter()
            .any(|other| other.exempts.contains(&self.place));
        !self.rule.monitor && self.rule.unless.is_none() && !exempted
    }

    fn verdict(self) -> Option<Verdict> {
        match self.rule.effect {
            Effect::Verdict(verdict) => Some(verdict),
            Effect::Obligation(_) | Effect::Limit => None,
        }
    }

    /// Whether `other`, which counts wherever this one does, leaves nothing for this one to do.
    fn is_beaten_by(self, other: Self) -> bool {
        let told = self.rule.notify.is_some();
        match (self.rule.effect, other.verdict()) {
            _ if told => false,
            (Effect::Verdict(ours), Some(theirs)) => ours < theirs,
            // They are sent with a denial, too.
            (Effect::Obligation(Obligation::Notify | Obligation::OpenIncident), _) => false,
            (Effect::Obligation(_) | Effect::Limit, Some(Verdict::Deny)) => true,
            _ => false,
        }
    }
}

/// Every rule that another one always beats, each with the first such one.
pub(super) fn shadows<'s>(rules: &[Placed<'s>]) -> Vec<Shadow<'s>> {
    let firm: Vec<Placed<'s>> = rules
        .iter()
        .copied()
        .filter(|rule| rule.is_firm() && rule.verdict() > Some(Verdict::Allow))
        .collect();
    let mut found = Vec::new();
    let mut pairs = 0;
    for rule in rules.iter().copied().filter(|rule| !rule.rule.monitor) {
        // What exempts matters by that.
        if !rule.rule.exempts.is_empty() {
            continue;
        }
        pairs += firm.len();
        if pairs > PAIRS_MAX {
            break;
        }
        // The same hour in two zones is two hours.
        let mut stricter = firm.iter().copied().filter(|other| {
            rule.is_beaten_by(*other)
                && rule.rule.occasion == other.rule.occasion
                && rule.policy.zone == other.policy.zone
        });
        let ways = alternatives(rule.parts());
        let covers = |other: &Placed<'s>| {
            ways.iter()
                .all(|way| other.parts().all(|part| implies(way, part)))
        };
        if let Some(before) = stricter.find(covers) {
            found.push(Shadow { rule, before });
        }
    }
    found
}

/// Every rule that says the same as an earlier one, with that one.
pub(super) fn duplicates<'s>(rules: &[Placed<'s>]) -> Vec<Shadow<'s>> {
    let mut seen = std::collections::BTreeMap::new();
    let mut found = Vec::new();
    for rule in rules.iter().copied() {
        match seen.get(&said(rule)) {
            Some(before) => found.push(Shadow {
                rule,
                before: *before,
            }),
            None => {
                seen.insert(said(rule), rule);
            }
        }
    }
    found.retain(|pair: &Shadow<'s>| !pair.rule.is(pair.before));
    found
}

/// Everything that a rule says but its name, its reason and its priority.
fn said(rule: Placed<'_>) -> String {
    let plain = |part: &Part| {
        let text: String = part.text.chars().filter(|c| !c.is_whitespace()).collect();
        format!("{}={text}", part.place)
    };
    let mut parts: Vec<String> = rule.parts().map(plain).collect();
    parts.sort();
    let Rule {
        monitor,
        effect,
        exempts,
        code,
        approval,
        occasion,
        replaced,
        quota,
        notify,
        ..
    } = rule.rule;
    let exempts: Vec<&str> = exempts
        .iter()
        .filter_map(|place| rule.policy.rules.get(*place))
        .map(|rule| rule.id.as_str())
        .collect();
    let unless = rule.rule.unless.as_ref().map(plain);
    format!(
        "{:?} {parts:?} {unless:?} {monitor} {effect:?} {exempts:?} {code:?} {approval:?} {occasion:?} \
         {replaced:?} {quota:?} {notify:?}",
        rule.policy.zone
    )
}
