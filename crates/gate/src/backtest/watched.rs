//! What rules in monitor mode noticed in recorded calls, and what they would have changed.
//!
//! A watched rule is recorded with every call that it matched. Had it been enforced, the strictest
//! of its effect and the verdict as it was would have held.
//!
//! Must not know: where the calls come from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use toolgate_model::{AgentId, InvocationId, RuleRef, Timestamp, ToolId, Truth, Verdict};
use toolgate_policy::PolicySet;

use super::{EXAMPLES_MAX, Recorded};

/// What watched rules noticed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Watched {
    /// Calls that were looked at.
    pub calls: u64,
    /// When the first of them was made.
    pub first_at: Option<Timestamp>,
    /// When the last was.
    pub last_at: Option<Timestamp>,
    /// The rules that are watched now or were in one of these calls, by document and id.
    pub rules: Vec<WatchedRule>,
}

/// What one watched rule noticed.
#[derive(Clone, Debug, Serialize)]
pub struct WatchedRule {
    /// Which.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// What it would do.
    pub effect: String,
    /// Whether it is watched now.
    pub watched_now: bool,
    /// Calls that it matched, or could not be judged for.
    pub matched: u64,
    /// Of those, calls for which it could not be judged.
    pub unknown: u64,
    /// Calls that it would have made stricter.
    pub would_change: u64,
    /// How many calls would have gone from which verdict to which.
    pub changes: BTreeMap<String, u64>,
    /// Some of them, the first ones.
    pub examples: Vec<WatchedCall>,
}

/// A call that a watched rule would have made stricter.
#[derive(Clone, Debug, Serialize)]
pub struct WatchedCall {
    /// Which.
    pub invocation: InvocationId,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub agent: AgentId,
    /// Of which tool.
    pub tool: ToolId,
    /// With which arguments.
    pub arguments: Value,
    /// What it got.
    pub verdict: Verdict,
    /// What it would have got.
    pub enforced: Verdict,
}

/// A look at calls, one after the other.
#[derive(Debug)]
pub struct Watching<'n> {
    policy: Option<&'n str>,
    rules: BTreeMap<RuleRef, WatchedRule>,
    report: Watched,
}

impl<'n> Watching<'n> {
    /// A look at what the rules of this document (or of all) noticed that are watched.
    pub fn new(set: Option<&PolicySet>, policy: Option<&'n str>) -> Self {
        let watched = set.into_iter().flat_map(PolicySet::rule_summaries);
        let watched = watched.filter(|rule| rule.monitor && rule.enabled);
        let rules = watched.map(|rule| (rule.rule.clone(), begun(rule.rule, rule.effect, true)));
        Self {
            rules: rules
                .filter(|(rule, _)| policy.is_none_or(|name| rule.policy == name))
                .collect(),
            policy,
            report: Watched::default(),
        }
    }

    /// Looks at one more call.
    pub fn look(&mut self, recorded: &Recorded) {
        self.report.calls += 1;
        self.report.first_at.get_or_insert(recorded.at);
        self.report.last_at = Some(recorded.at);
        let decision = &recorded.proposal.decision;
        for matched in decision.rules.iter().filter(|rule| rule.monitor) {
            if self.policy.is_some_and(|name| matched.rule.policy != name) {
                continue;
            }
            let entry = self.rules.entry(matched.rule.clone());
            let rule = entry.or_insert_with(|| begun(matched.rule.clone(), &matched.effect, false));
            rule.matched += 1;
            rule.unknown += u64::from(matched.truth == Truth::Unknown);
            let enforced = decision.verdict.max(wanted(&matched.effect));
            if enforced > decision.verdict {
                rule.note(recorded, (decision.verdict, enforced));
            }
        }
    }

    /// What was noticed.
    pub fn report(mut self) -> Watched {
        self.report.rules = self.rules.into_values().collect();
        self.report
    }
}

impl WatchedRule {
    fn note(&mut self, recorded: &Recorded, (verdict, enforced): (Verdict, Verdict)) {
        self.would_change += 1;
        let change = format!("{} to {}", verdict.as_str(), enforced.as_str());
        *self.changes.entry(change).or_default() += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(WatchedCall {
                invocation: recorded.event.invocation.clone(),
                at: recorded.at,
                agent: recorded.proposal.agent.clone(),
                tool: recorded.call.tool.clone(),
                arguments: recorded.call.arguments.clone(),
                verdict,
                enforced,
            });
        }
    }
}

fn begun(rule: RuleRef, effect: &str, watched_now: bool) -> WatchedRule {
    WatchedRule {
        rule,
        effect: effect.to_owned(),
        watched_now,
        matched: 0,
        unknown: 0,
        would_change: 0,
        changes: BTreeMap::new(),
        examples: Vec::new(),
    }
}

/// The verdict that an effect asks for. Obligations leave it as it is; a limit that is watched was
/// counted and not yet used up as far as anybody recorded.
fn wanted(effect: &str) -> Verdict {
    Verdict::parse(effect).unwrap_or(Verdict::Allow)
}
