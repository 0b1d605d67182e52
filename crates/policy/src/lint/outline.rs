//! A set's rules in order, and which of them are about a tool.

use serde_json::{Map, Value};
use toolgate_model::{Descriptor, Glob, Role, RuleRef, Timestamp, ToolNames, Truth};

use crate::effects::Occasion;
use crate::explanation::{ExplainedPart, ExplainedRule};
use crate::input::Facts;
use crate::ruling::Budget;
use crate::scope::Scope;
use crate::set::PolicySet;

/// What a list of rules shows of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSummary {
    /// Which.
    pub rule: RuleRef,
    /// The name its document is stored by.
    pub file: String,
    /// The line it stands on.
    pub line: usize,
    /// What it does, in its written form.
    pub effect: &'static str,
    /// Whether it and its document count at all.
    pub enabled: bool,
    /// Whether it is only watched.
    pub monitor: bool,
    /// Whether it is judged on what a tool returned, and not on the call.
    pub on_result: bool,
}

impl PolicySet {
    /// Every rule, by document and place.
    pub fn rule_summaries(&self) -> impl Iterator<Item = RuleSummary> {
        self.policies.iter().flat_map(|policy| {
            policy.rules.iter().map(|rule| RuleSummary {
                rule: RuleRef {
                    policy: policy.name.clone(),
                    rule: rule.id.clone(),
                },
                file: policy.file.clone(),
                line: rule.line,
                effect: rule.effect.as_str(),
                enabled: rule.enabled && policy.enabled,
                monitor: rule.monitor,
                on_result: rule.occasion == Occasion::Result,
            })
        })
    }

    /// Whether an enforced grant names the tool, for whatever agent, resource and environment.
    pub fn grants_name(&self, tool: ToolNames<'_>) -> bool {
        let counting = self
            .policies
            .iter()
            .filter(|policy| policy.enabled && !policy.monitor);
        let mut grants = counting.filter_map(|policy| policy.grant.as_ref());
        let named = |glob: &Glob| tool.iter().any(|name| glob.matches(name.as_str()));
        grants.any(|grant| grant.tools.iter().any(named))
    }

    /// How many enabled rules say in their text that they are about some tools, this one among
    /// them.
    pub fn rules_naming(&self, tool: ToolNames<'_>) -> usize {
        let rules = self.rules.iter().filter_map(|(policy, place)| {
            let policy = self.policies.get(*policy)?;
            policy.rules.get(*place)
        });
        rules
            .filter(|rule| matches!(rule.scope, Scope::Of(_)) && rule.scope.fits(tool))
            .count()
    }

    /// How many enabled rules name no tool and say by verb, risk, method or operation that they are
    /// about tools such as this one.
    pub fn rules_describing(&self, tool: &Descriptor) -> usize {
        let args = Value::Object(Map::new());
        let facts = Facts {
            tool: &tool.id,
            descriptor: Some(tool),
            args: &args,
            agent: "",
            role: Role::default(),
            runtime: None,
            tenant: "",
            project: None,
            env: None,
            workflow: None,
            user: None,
            chain: &[],
            resource: None,
            trigger: None,
            entity: None,
            trigger_confirmed: None,
            allow_duplicate: false,
            places: None,
            own_domains: &[],
            history: None,
            approval: None,
            result: None,
            now: Timestamp::default(),
        };
        let explained = self.explain(&facts, Budget::default());
        let rules = explained.map_or_else(|_| Vec::new(), |(_, explanation)| explanation.rules);
        rules.iter().filter(|rule| describes(rule)).count()
    }
}

/// The keys of `match` that a descriptor answers by itself.
const DESCRIBING: [&str; 4] = [
    "match.methods",
    "match.operations",
    "match.risk",
    "match.verbs",
];

fn describes(rule: &ExplainedRule) -> bool {
    let names = |part: &&ExplainedPart| part.place.starts_with("match.tool");
    let mut describing = rule
        .parts
        .iter()
        .filter(|part| DESCRIBING.contains(&part.place.as_str()))
        .peekable();
    rule.parts.iter().find(names).is_none()
        && describing.peek().is_some()
        && describing.all(|part| part.truth == Truth::True)
}
