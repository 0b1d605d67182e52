//! A set's rules in order, and which of them are about a tool.

use toolgate_model::{RuleRef, ToolId};

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
            })
        })
    }

    /// Whether an enforced grant names the tool, for whatever agent, resource and environment.
    pub fn grants_name(&self, tool: &ToolId) -> bool {
        let counting = self
            .policies
            .iter()
            .filter(|policy| policy.enabled && !policy.monitor);
        let mut grants = counting.filter_map(|policy| policy.grant.as_ref());
        grants.any(|grant| grant.tools.iter().any(|glob| glob.matches(tool.as_str())))
    }

    /// How many enabled rules say in their text that they are about some tools, this one among
    /// them.
    pub fn rules_naming(&self, tool: &ToolId) -> usize {
        let rules = self.rules.iter().filter_map(|(policy, place)| {
            let policy = self.policies.get(*policy)?;
            policy.rules.get(*place)
        });
        rules
            .filter(|rule| matches!(rule.scope, Scope::Of(_)) && rule.scope.fits(tool))
            .count()
    }
}
