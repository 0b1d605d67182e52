//! Finds what is about one tool without looking at the rest.
//!
//! A rule about `stripe.refund` stands under that name, one about `slack.*` under its source, one
//! about `create_*` among the patterns. Ten thousand rules about other tools cost nothing, so the
//! price of a decision is that of the rules that are about the call.
//!
//! Must not know: what it finds.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use toolgate_model::{Glob, ToolNames};

use crate::scope::{Scope, ToolPattern, written_source};

// The keys are the author's, so a hash without a secret does, and the same set is always the same.
type Buckets = HashMap<String, Vec<u32>, BuildHasherDefault<DefaultHasher>>;

/// Numbers by the tools that they are about.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tools: Buckets,
    sources: Buckets,
    operations: Buckets,
    patterns: Vec<(ToolPattern, u32)>,
    everything: Vec<u32>,
}

impl Index {
    /// Numbers are added in rising order.
    pub(crate) fn add(&mut self, number: u32, scope: &Scope) {
        match scope {
            Scope::Any => self.everything.push(number),
            Scope::Of(patterns) => {
                for pattern in patterns {
                    self.add_pattern(number, pattern);
                }
            }
        }
    }

    /// The numbers whose scope can fit the tool, rising, each once. Some may not fit after all.
    pub(crate) fn candidates<'t>(&self, tool: impl Into<ToolNames<'t>>) -> Vec<u32> {
        let tool = tool.into();
        let mut found = self.everything.clone();
        for name in tool.iter() {
            let buckets = [
                self.tools.get(name.as_str()),
                self.sources.get(name.source()),
                self.operations.get(name.operation()),
            ];
            found.extend(buckets.into_iter().flatten().flatten());
        }
        let fitting = self
            .patterns
            .iter()
            .filter(|(pattern, _)| pattern.fits(tool));
        found.extend(fitting.map(|(_, number)| number));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn add_pattern(&mut self, number: u32, pattern: &ToolPattern) {
        let exact = |glob: &Option<Glob>| {
            glob.as_ref()
                .filter(|glob| glob.is_exact())
                .map(|glob| glob.as_str().to_owned())
        };
        let (buckets, key) = if let Some(tool) = exact(&pattern.tool) {
            (&mut self.tools, tool)
        } else if let Some(source) = exact(&pattern.source).or(spelled(&pattern.tool)) {
            (&mut self.sources, source)
        } else if let Some(operation) = exact(&pattern.operation) {
            (&mut self.operations, operation)
        } else {
            return self.patterns.push((pattern.clone(), number));
        };
        buckets.entry(key).or_default().push(number);
    }
}

fn spelled(tool: &Option<Glob>) -> Option<String> {
    written_source(tool.as_ref()?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::Index;
    use crate::scope::Scope;
    use toolgate_model::{Glob, ToolId, ToolNames};

    #[test]
    fn every_form_of_scope_is_found_and_no_other() {
        let globs = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| Glob::new(*text))
                .collect::<Vec<_>>()
        };
        let scopes = [
            Scope::Any,
            Scope::tools(globs(&["slack.post"])),
            Scope::tools(globs(&["slack.*", "slack.post"])),
            Scope::tools(globs(&["*.post"])),
            Scope::sources(globs(&["slack"])),
            Scope::sources(globs(&["sl*"])),
            Scope::operations(globs(&["post"])),
            Scope::operations(globs(&["p*"])),
            Scope::tools(globs(&["github.post", "s*.read"])),
            Scope::Of(Vec::new()),
        ];
        let mut index = Index::default();
        for (number, scope) in scopes.iter().enumerate() {
            index.add(u32::try_from(number).unwrap(), scope);
        }
        let id = |text: &str| -> ToolId { text.parse().unwrap() };
        let found = |tool: &str| index.candidates(&id(tool));
        assert_eq!(found("slack.post"), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(found("slack.read"), [0, 2, 4, 5, 8]);
        assert_eq!(found("github.post"), [0, 3, 6, 7, 8]);
        assert_eq!(found("x.y"), [0]);
        let routed = ToolNames {
            id: &id("slack.PostIt"),
            route: Some(&id("slack.post")),
        };
        assert_eq!(index.candidates(routed), found("slack.post"));
    }
}
