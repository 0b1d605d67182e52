//! Which rules and branches a set of cases tried, both ways.
//!
//! A rule is covered when some case matched it and some case did not; a part of it (a key of
//! `match`, a condition, each side of an `or`) when it held in one case and did not in another. A
//! tool is covered when some grant opens it or some rule can be about it.
//!
//! Must not know: how cases are written or shown.

use std::collections::BTreeMap;

use serde::Serialize;
use toolgate_model::{Catalogue, RuleRef, ToolId, Truth};
use toolgate_policy::{ExplainedPart, ExplainedRule, PolicySet, RuleSummary};

use super::run::Outcome;

/// What a set of cases tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// Every enabled rule, by document and place.
    pub rules: Vec<RuleCover>,
    /// Every tool of the catalogue, by name.
    pub tools: Vec<ToolCover>,
}

/// How far one rule was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleCover {
    /// Which.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// The name its document is stored by.
    pub file: String,
    /// The line it stands on.
    pub line: usize,
    /// Whether a case matched it.
    pub matched: bool,
    /// Whether a case did not.
    pub unmatched: bool,
    /// Its parts, as far as a case looked at them.
    pub branches: Vec<BranchCover>,
}

/// How far one part was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BranchCover {
    /// The texts around it and its own, outermost first: two equal comparisons of one rule are two.
    #[serde(skip)]
    way: Vec<String>,
    /// Where it is written, `match.tools` or `when`.
    pub place: String,
    /// Its text.
    pub text: String,
    /// Whether it held in a case.
    pub held: bool,
    /// Whether it did not in a case.
    pub failed: bool,
}

/// Whether anything is about one tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolCover {
    /// Which.
    pub tool: ToolId,
    /// Whether a grant of a document opens it.
    pub granted: bool,
    /// How many enabled rules name it or describe it by verb, risk, method or operation; rules about
    /// every tool are left out.
    pub rules: usize,
}

impl RuleCover {
    fn merge(&mut self, other: Self) {
        self.matched |= other.matched;
        self.unmatched |= other.unmatched;
        for branch in other.branches {
            let same = |known: &&mut BranchCover| known.way == branch.way;
            match self.branches.iter_mut().find(same) {
                Some(known) => {
                    known.held |= branch.held;
                    known.failed |= branch.failed;
                }
                None => self.branches.push(branch),
            }
        }
    }

    /// Whether it and all its parts were tried both ways.
    pub fn is_covered(&self) -> bool {
        self.matched && self.unmatched && self.branches.iter().all(BranchCover::is_covered)
    }
}

impl BranchCover {
    /// Whether it was tried both ways.
    pub const fn is_covered(&self) -> bool {
        self.held && self.failed
    }
}

impl ToolCover {
    /// Whether a rule or a grant is about it.
    pub const fn is_covered(&self) -> bool {
        self.granted || self.rules > 0
    }
}

impl Coverage {
    /// What these outcomes tried of the set, and which of the tools it is about.
    pub fn of(set: &PolicySet, tools: &Catalogue, outcomes: &[Outcome]) -> Self {
        let mut tried: BTreeMap<RuleRef, Tried> = BTreeMap::new();
        for explanation in outcomes
            .iter()
            .filter_map(|outcome| outcome.explanation.as_ref())
        {
            for rule in &explanation.rules {
                tried.entry(rule.rule.clone()).or_default().add(rule);
            }
        }
        let judged = outcomes
            .iter()
            .filter(|outcome| outcome.explanation.is_some());
        let (on_result, on_call): (Vec<_>, Vec<_>) = judged.partition(|outcome| outcome.on_result);
        let rules = set.rule_summaries().filter(|rule| rule.enabled);
        Self {
            rules: rules
                .map(|rule| {
                    let cases = match rule.on_result {
                        true => on_result.len(),
                        false => on_call.len(),
                    };
                    let tried = tried.remove(&rule.rule).unwrap_or_default();
                    tried.cover(rule, cases)
                })
                .collect(),
            tools: tools
                .iter()
                .map(|tool| ToolCover {
                    tool: tool.id.clone(),
                    granted: set.grants_name(tool.names()),
                    rules: set.rules_naming(tool.names()) + set.rules_describing(tool),
                })
                .collect(),
        }
    }

    /// Joins what other cases tried, of the same rules or of others.
    pub fn merge(&mut self, other: Self) {
        for rule in other.rules {
            let same = |known: &&mut RuleCover| known.rule == rule.rule && known.file == rule.file;
            match self.rules.iter_mut().find(same) {
                Some(known) => known.merge(rule),
                None => self.rules.push(rule),
            }
        }
        for tool in other.tools {
            match self.tools.iter_mut().find(|known| known.tool == tool.tool) {
                Some(known) => {
                    known.granted |= tool.granted;
                    known.rules = known.rules.max(tool.rules);
                }
                None => self.tools.push(tool),
            }
        }
    }

    /// How many of the rules and branches were tried both ways, of how many.
    pub fn branches(&self) -> (usize, usize) {
        let parts = || self.rules.iter().flat_map(|rule| &rule.branches);
        let rules = self
            .rules
            .iter()
            .filter(|rule| rule.matched && rule.unmatched)
            .count();
        let covered = parts().filter(|branch| branch.is_covered()).count();
        (rules + covered, self.rules.len() + parts().count())
    }

    /// Whether a rule, a branch or a tool was left out.
    pub fn is_whole(&self) -> bool {
        self.rules.iter().all(RuleCover::is_covered) && self.tools.iter().all(ToolCover::is_covered)
    }
}

/// What the cases did to one rule.
#[derive(Default)]
struct Tried {
    seen: usize,
    matched: bool,
    unmatched: bool,
    branches: Vec<BranchCover>,
}

impl Tried {
    fn add(&mut self, rule: &ExplainedRule) {
        self.seen += 1;
        self.matched |= rule.matched;
        self.unmatched |= !rule.matched;
        for part in &rule.parts {
            self.add_part(part, &part.place, &[]);
        }
    }

    fn add_part(&mut self, part: &ExplainedPart, place: &str, outer: &[String]) {
        let mut way = outer.to_vec();
        way.push(format!("{place}\n{}", part.text));
        let (held, failed) = (part.truth == Truth::True, part.truth == Truth::False);
        match self.branches.iter_mut().find(|known| known.way == way) {
            Some(known) => {
                known.held |= held;
                known.failed |= failed;
            }
            None => self.branches.push(BranchCover {
                way: way.clone(),
                place: place.to_owned(),
                text: part.text.clone(),
                held,
                failed,
            }),
        }
        for inner in &part.parts {
            self.add_part(inner, place, &way);
        }
    }

    /// A case that was about other tools did not match, and failed what the rule says of tools.
    fn cover(self, rule: RuleSummary, cases: usize) -> RuleCover {
        let elsewhere = self.seen < cases;
        let about_tools = |branch: &BranchCover| {
            let place = branch.place.as_str();
            matches!(
                place,
                "match.tools" | "match.tool_name" | "match.tool_names" | "match.operations"
            ) || (place == "when" && branch.text.starts_with("tool"))
        };
        let branches = self.branches.into_iter().map(|branch| BranchCover {
            failed: branch.failed || (elsewhere && about_tools(&branch)),
            ..branch
        });
        RuleCover {
            matched: self.matched,
            unmatched: self.unmatched || elsewhere,
            branches: branches.collect(),
            rule: rule.rule,
            file: rule.file,
            line: rule.line,
        }
    }
}
