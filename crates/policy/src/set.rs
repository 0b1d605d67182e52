//! A policy set in force: immutable, named by its digest, indexed by tool.
//!
//! The digest is over names and canonical JSON of the documents, so neither their order nor the
//! way they are typed makes another version.
//!
//! Must not know: text, parsing, how a set came to be in force.

use std::sync::Arc;

use rust_decimal::Decimal;
use toolgate_detect::Detector;
use toolgate_model::{
    Catalogue, Coverage, Digest, Duration, PolicyVersion, Reach, ToolNames, Truth,
};

use crate::call::{Call, Lookups};
use crate::checked::{Policy, Rule};
use crate::effects::Occasion;
use crate::explanation::Explanation;
use crate::index::Index;
use crate::input::Facts;
use crate::needles::Needles;
use crate::needs::Needs;
use crate::quota::{Added, added};
use crate::ruling::{Budget, Fault, Ruling};
use crate::scope::Scope;
use crate::signals::ToolSignals;
use crate::test::Part;
use crate::{decide, limits};

/// A set of policies that decides calls.
#[derive(Debug)]
pub struct PolicySet {
    version: PolicyVersion,
    /// Ordered by name.
    pub(crate) policies: Vec<Policy>,
    /// The enabled rules, as (policy, place), ordered so.
    pub(crate) rules: Vec<(usize, usize)>,
    on_call: Candidates,
    on_result: Candidates,
    grant_index: Index,
    pub(crate) needles: Needles,
    pub(crate) detector: Arc<Detector>,
    tool_signals: Option<ToolSignals>,
    needs: Needs,
    sum_subjects: Vec<String>,
}

/// The rules that are judged on one occasion.
#[derive(Debug, Default)]
struct Candidates {
    index: Index,
    count: usize,
}

/// What a list of documents shows of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentSummary {
    /// Its name, which records carry.
    pub name: String,
    /// The name it is stored by.
    pub file: String,
    /// The digest of its canonical JSON.
    pub digest: Digest,
    /// Whether it counts at all.
    pub enabled: bool,
    /// Whether it is only watched.
    pub monitor: bool,
    /// Whether it opens something.
    pub grants: bool,
    /// How many rules it has, disabled ones too.
    pub rules: usize,
}

impl PolicySet {
    /// A set of checked documents, ordered by name.
    pub(crate) fn new(
        version: PolicyVersion,
        policies: Vec<Policy>,
        (needles, detector): (Needles, Arc<Detector>),
    ) -> Self {
        let mut grant_index = Index::default();
        let (mut on_call, mut on_result) = (Candidates::default(), Candidates::default());
        let mut needs = Needs::default();
        let mut rules = Vec::new();
        let enabled = policies
            .iter()
            .enumerate()
            .filter(|(_, policy)| policy.enabled);
        for (policy_at, policy) in enabled {
            if let Some(grant) = policy.grant.as_ref().filter(|_| !policy.monitor) {
                // An action is not found by the tool's name.
                let scope = match grant.actions.is_empty() {
                    true => Scope::tools(grant.tools.iter().cloned()),
                    false => Scope::Any,
                };
                grant_index.add(number(policy_at), &scope);
            }
            let enabled = policy
                .rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| rule.enabled);
            for (place, rule) in enabled {
                let candidates = match rule.occasion {
                    Occasion::Call => &mut on_call,
                    Occasion::Result => &mut on_result,
                };
                candidates.index.add(number(rules.len()), &rule.scope);
                candidates.count += 1;
                needs.join(&rule.needs);
                rules.push((policy_at, place));
            }
        }
        Self {
            version,
            policies,
            rules,
            on_call,
            on_result,
            grant_index,
            needles,
            detector,
            tool_signals: None,
            sum_subjects: needs.measures.iter().map(|one| one.name.clone()).collect(),
            needs,
        }
    }

    /// The same set with the signals of every tool's definition, where some rule reads them.
    #[must_use]
    pub(crate) fn knowing(mut self, catalogue: &Catalogue) -> Self {
        if self.needs.tool_signals {
            self.tool_signals = Some(ToolSignals::new(catalogue, &self.detector));
        }
        self
    }

    /// The enabled rule of this number: its document with its place among them, and its own place
    /// with itself.
    pub(crate) fn rule(&self, number: u32) -> Option<(usize, &Policy, usize, &Rule)> {
        let (policy_at, place) = *self.rules.get(usize::try_from(number).ok()?)?;
        let policy = self.policies.get(policy_at)?;
        Some((policy_at, policy, place, policy.rules.get(place)?))
    }

    /// Whether one of these rules reads what the detector finds.
    pub(crate) fn reads_data(&self, rules: &[u32]) -> bool {
        let reads = |number: &u32| {
            let rule = self.rule(*number);
            rule.is_some_and(|(_, _, _, rule)| rule.needs.data)
        };
        self.needs.data && rules.iter().any(reads)
    }

    /// What a call looks up in the set.
    pub(crate) fn lookups(&self) -> Lookups<'_> {
        Lookups {
            needles: &self.needles,
            detector: Some(&self.detector),
            tool_signals: self.tool_signals.as_ref(),
        }
    }

    /// Where the rules of an occasion are found.
    pub(crate) fn index(&self, occasion: Occasion) -> &Index {
        &self.candidates(occasion).index
    }

    /// How many rules are judged on an occasion.
    pub(crate) fn count(&self, occasion: Occasion) -> usize {
        self.candidates(occasion).count
    }

    fn candidates(&self, occasion: Occasion) -> &Candidates {
        match occasion {
            Occasion::Call => &self.on_call,
            Occasion::Result => &self.on_result,
        }
    }

    /// The digest that names the set.
    pub const fn version(&self) -> PolicyVersion {
        self.version
    }

    /// What finds classes of data for its rules.
    pub fn detector(&self) -> &Arc<Detector> {
        &self.detector
    }

    /// Whether some rule asks about earlier calls.
    pub const fn reads_history(&self) -> bool {
        self.needs.history
    }

    /// Whether some rule may have something to say about what the tool returns.
    pub fn has_result_rules<'t>(&self, tool: impl Into<ToolNames<'t>>) -> bool {
        !self.index(Occasion::Result).candidates(tool).is_empty()
    }

    /// What rules sum over calls: arguments, as in `args.amount`, and mapped attributes.
    pub fn sum_subjects(&self) -> &[String] {
        &self.sum_subjects
    }

    /// What this call adds to each sum, where that is a number. A number below zero adds nothing.
    pub fn measures(&self, facts: &Facts<'_>) -> Vec<(String, Decimal)> {
        let mut call = Call::new(facts, self.lookups(), Budget::default());
        let mut measures = Vec::new();
        for measure in &self.needs.measures {
            if let Ok(Added::Number(number)) = added(measure, &mut call) {
                measures.push((measure.name.clone(), number));
            }
        }
        measures
    }

    /// The longest window over earlier calls that some rule asks about.
    pub const fn window_max(&self) -> Duration {
        self.needs.window_max
    }

    /// Whether no document counts. No policy at all is a refusal, never an allow.
    pub fn is_empty(&self) -> bool {
        !self.policies.iter().any(|policy| policy.enabled)
    }

    /// The documents, ordered by name.
    pub fn documents(&self) -> impl Iterator<Item = DocumentSummary> {
        self.policies.iter().map(|policy| DocumentSummary {
            name: policy.name.clone(),
            file: policy.file.clone(),
            digest: policy.digest,
            enabled: policy.enabled,
            monitor: policy.monitor,
            grants: policy.grant.is_some(),
            rules: policy.rules.len(),
        })
    }

    /// How far the grants of the set cover the call, and the document that covers it furthest. A
    /// grant holds only where every selector of its document certainly fits.
    pub fn grant_coverage(
        &self,
        facts: &Facts<'_>,
        reach: &Reach<'_>,
    ) -> (Coverage, Option<String>) {
        let budget = Budget {
            steps_max: limits::STEPS_MAX,
        };
        let mut call = Call::new(facts, self.lookups(), budget);
        let mut best: (Coverage, Option<&Policy>) = (Coverage::NotNamed, None);
        for at in self.grant_index.candidates(facts.names()) {
            let policy = usize::try_from(at)
                .ok()
                .and_then(|at| self.policies.get(at));
            let Some((policy, grant)) =
                policy.and_then(|policy| Some((policy, policy.grant.as_ref()?)))
            else {
                continue;
            };
            let covered = grant
                .coverage(reach)
                .min(selected(&policy.selectors, &mut call));
            if covered > best.0 {
                best = (covered, Some(policy));
            }
        }
        (best.0, best.1.map(|policy| policy.name.clone()))
    }

    /// Whether some call that agrees with these facts could be covered by a document's grant: in
    /// another environment or workflow, where this one does not fit.
    pub fn grant_opens(&self, facts: &Facts<'_>, reach: &Reach<'_>) -> bool {
        let budget = Budget {
            steps_max: limits::STEPS_MAX,
        };
        let mut call = Call::new(facts, self.lookups(), budget);
        let candidates = self.grant_index.candidates(facts.names());
        candidates.into_iter().any(|at| {
            let policy = usize::try_from(at)
                .ok()
                .and_then(|at| self.policies.get(at));
            let granted = policy.and_then(|policy| Some((policy, policy.grant.as_ref()?)));
            granted.is_some_and(|(policy, grant)| {
                grant.opens(reach) && selected(&policy.selectors, &mut call) > Coverage::NotNamed
            })
        })
    }

    /// What the rules say about the call.
    ///
    /// # Errors
    /// [`Fault`] where the budget is used up. The caller denies the call.
    pub fn decide(&self, facts: &Facts<'_>, budget: Budget) -> Result<Ruling, Fault> {
        decide::decide(self, facts, budget, None)
    }

    /// The same ruling, and how it came about.
    ///
    /// # Errors
    /// [`Fault`] where the budget is used up, exactly when [`Self::decide`] has it.
    pub fn explain(
        &self,
        facts: &Facts<'_>,
        budget: Budget,
    ) -> Result<(Ruling, Explanation), Fault> {
        let mut explanation = Explanation::default();
        let ruling = decide::decide(self, facts, budget, Some(&mut explanation))?;
        Ok((ruling, explanation))
    }
}

/// The furthest that a document's selectors let its grant cover: for another environment or
/// workflow it names the tool but elsewhere, for another agent it is not there at all.
fn selected<'s: 'c, 'c>(selectors: &'s [Part], call: &mut Call<'s, 'c>) -> Coverage {
    let mut furthest = Coverage::Covered;
    for part in selectors {
        let holds = part
            .answer(call, None)
            .is_ok_and(|answer| answer.holds == Truth::True);
        let nearest_miss = match part.place.as_str() {
            "env" | "workflow" => Coverage::Elsewhere,
            _ => Coverage::NotNamed,
        };
        if !holds {
            furthest = furthest.min(nearest_miss);
        }
    }
    furthest
}

/// LIMIT: a set has at most `RULES_MAX` rules and no more documents than fit into memory.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
