//! Which tools a rule can be about at all, as far as its text says.
//!
//! `tool == stripe.refund and amount > 500` is about one tool, `match: {"tool_name": "slack"}` about
//! those of one source. The index keeps rules about other tools out of a decision, and the checker
//! looks up names of arguments only in the tools in scope. A scope may be wider than the rule,
//! never narrower: leaving a rule out must never change a decision. A tool with a route is known by two
//! names, and each part of a pattern may fit either of them.
//!
//! Must not know: expressions, rules, calls.

use toolgate_model::{Glob, ToolId, ToolNames};

use crate::limits;

/// The tools that fit; `Any` where the text names none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scope {
    Any,
    /// Those that fit one of these. None: no tool at all.
    Of(Vec<ToolPattern>),
}

/// A tool fits when all three fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ToolPattern {
    pub(crate) tool: Option<Glob>,
    pub(crate) source: Option<Glob>,
    pub(crate) operation: Option<Glob>,
}

impl Scope {
    pub(crate) fn tools(globs: impl IntoIterator<Item = Glob>) -> Self {
        let pattern = |tool| ToolPattern {
            tool: Some(tool),
            ..ToolPattern::default()
        };
        Self::Of(globs.into_iter().map(pattern).collect())
    }

    pub(crate) fn sources(globs: impl IntoIterator<Item = Glob>) -> Self {
        let pattern = |source| ToolPattern {
            source: Some(source),
            ..ToolPattern::default()
        };
        Self::Of(globs.into_iter().map(pattern).collect())
    }

    pub(crate) fn operations(globs: impl IntoIterator<Item = Glob>) -> Self {
        let pattern = |operation| ToolPattern {
            operation: Some(operation),
            ..ToolPattern::default()
        };
        Self::Of(globs.into_iter().map(pattern).collect())
    }

    /// What fits both.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, scope) | (scope, Self::Any) => scope,
            (Self::Of(ours), Self::Of(theirs)) => {
                // LIMIT: a product of two long lists would be longer than either is worth.
                if ours.len().saturating_mul(theirs.len()) > limits::LIST_MAX {
                    return Self::Of(if ours.len() <= theirs.len() {
                        ours
                    } else {
                        theirs
                    });
                }
                let pairs = ours.iter().flat_map(|a| theirs.iter().map(move |b| (a, b)));
                Self::Of(pairs.filter_map(|(a, b)| a.and(b)).collect())
            }
        }
    }

    /// What fits either.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Of(mut ours), Self::Of(theirs)) => {
                ours.extend(theirs);
                Self::Of(ours)
            }
        }
    }

    pub(crate) fn fits<'t>(&self, tool: impl Into<ToolNames<'t>>) -> bool {
        let tool = tool.into();
        match self {
            Self::Any => true,
            Self::Of(patterns) => patterns.iter().any(|pattern| pattern.fits(tool)),
        }
    }

    /// The full names that it is limited to one by one.
    pub(crate) fn exact_names(&self) -> Vec<&str> {
        let Self::Of(patterns) = self else {
            return Vec::new();
        };
        let names = patterns.iter().filter_map(|pattern| pattern.tool.as_ref());
        names
            .filter(|name| name.is_exact())
            .map(Glob::as_str)
            .collect()
    }
}

impl ToolPattern {
    pub(crate) fn fits(&self, tool: ToolNames<'_>) -> bool {
        let fit = |glob: &Option<Glob>, part: fn(&ToolId) -> &str| {
            let fits = |glob: &Glob| tool.iter().any(|name| glob.matches(part(name)));
            glob.as_ref().is_none_or(fits)
        };
        fit(&self.tool, ToolId::as_str)
            && fit(&self.source, ToolId::source)
            && fit(&self.operation, ToolId::operation)
    }

    /// What fits both; `None` where nothing can.
    fn and(&self, other: &Self) -> Option<Self> {
        Some(Self {
            tool: both(&self.tool, &other.tool, |a, b| {
                let sources = (written_source(a), written_source(b));
                matches!(sources, (Some(a), Some(b)) if a != b)
            })?,
            source: both(&self.source, &other.source, |exact, glob| {
                !glob.matches(exact.as_str())
            })?,
            operation: both(&self.operation, &other.operation, |_, _| false)?,
        })
    }
}

/// A glob for what fits both, wider where one glob cannot say it; `None` where nothing can, which
/// `excludes` says of an exact one and another.
///
/// INVARIANT: of two globs over names, each may fit another name of the same tool; only sources
/// exclude each other.
fn both(
    a: &Option<Glob>,
    b: &Option<Glob>,
    excludes: fn(&Glob, &Glob) -> bool,
) -> Option<Option<Glob>> {
    match (a, b) {
        (None, one) | (one, None) => Some(one.clone()),
        (Some(a), Some(b)) if a.is_exact() => (!excludes(a, b)).then(|| Some(a.clone())),
        (Some(a), Some(b)) if b.is_exact() => (!excludes(b, a)).then(|| Some(b.clone())),
        (Some(a), Some(_)) => Some(Some(a.clone())),
    }
}

/// The source that a pattern such as `slack.*` spells out.
pub(crate) fn written_source(tool: &Glob) -> Option<&str> {
    let (source, _) = tool.as_str().split_once('.')?;
    (!source.contains(['*', '?'])).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::Scope;
    use proptest::prelude::*;
    use toolgate_model::{Glob, ToolId, ToolNames};

    fn scope() -> impl Strategy<Value = Scope> {
        let glob =
            || prop::sample::select(vec!["a.x", "a.*", "*.x", "b.y", "*", "a", "b", "x", "y"]);
        let globs = || prop::collection::vec(glob().prop_map(Glob::new), 0..3);
        prop_oneof![
            Just(Scope::Any),
            globs().prop_map(Scope::tools),
            globs().prop_map(Scope::sources),
            globs().prop_map(Scope::operations),
        ]
    }

    proptest! {
        /// A scope may be too wide, never too narrow, whichever name each part fits.
        #[test]
        fn joining_never_loses_a_tool(a in scope(), b in scope(), c in scope()) {
            let routes = [None, Some("a.x"), Some("a.y"), Some("b.x"), Some("b.y")];
            for (name, route) in ["a.x", "a.y", "b.x", "b.y"].iter().flat_map(|name| {
                let same = move |route: &&Option<&str>| route.is_none_or(|r| r[..1] == name[..1]);
                routes.iter().filter(same).map(move |route| (name, route))
            }) {
                let id: ToolId = name.parse().unwrap();
                let route: Option<ToolId> = route.map(|route| route.parse().unwrap());
                let tool = ToolNames { id: &id, route: route.as_ref() };
                let wanted = (a.fits(tool) && b.fits(tool)) || c.fits(tool);
                let joined = a.clone().and(b.clone()).or(c.clone());
                prop_assert!(!wanted || joined.fits(tool), "{:?} in {:?}", tool, joined);
            }
        }
    }

    #[test]
    fn two_names_of_one_tool_do_not_exclude_each_other() {
        let (id, route): (ToolId, ToolId) = ("a.x".parse().unwrap(), "a.get.y".parse().unwrap());
        let tool = ToolNames {
            id: &id,
            route: Some(&route),
        };
        let tools = |text: &str| Scope::tools([Glob::new(text)]);
        let operations = |text: &str| Scope::operations([Glob::new(text)]);
        for (one, other) in [
            (tools("a.x"), tools("a.get.*")),
            (tools("a.x"), tools("a.get.y")),
            (operations("x"), operations("get.*")),
            (tools("a.x"), operations("get.*")),
        ] {
            assert!(
                one.clone().and(other.clone()).fits(tool),
                "{one:?} {other:?}"
            );
            assert!(
                other.clone().and(one.clone()).fits(tool),
                "{other:?} {one:?}"
            );
        }
        assert!(!tools("a.x").and(tools("b.*")).fits(tool));
    }

    #[test]
    fn exact_names_narrow() {
        let tool = Scope::tools([Glob::new("a.x")]);
        let both = tool.clone().and(Scope::tools([Glob::new("a.*")]));
        assert_eq!(both, tool);
        assert_eq!(both.exact_names(), ["a.x"]);
        let none = tool.and(Scope::tools([Glob::new("b.*")]));
        assert_eq!(none, Scope::Of(Vec::new()));
        let tool: ToolId = "a.x".parse().unwrap();
        assert!(!none.fits(&tool));
    }
}
