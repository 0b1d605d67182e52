//! Where a call acts: repositories, branches, channels, paths, hosts, recipients, resources.
//!
//! `{"repo_patterns": ["acme/*"]}` reads what the tool's descriptor maps `repo` to, else the
//! argument `repo`. A tool that has no such thing is not meant; one that could have it and was
//! called without it is unknown, so leaving the repository out is no way around the rule.

use serde_json::{Value, json};

use crate::checker::Checker;
use crate::facts::{Source, attribute};
use crate::path::Path;
use crate::patterns::Patterns;
use crate::reading::Item;
use crate::term::Term;
use crate::test::{Key, Test};

macro_rules! place {
    ($constant:ident, $key:literal, $attribute:literal, $doc:literal) => {
        pub(super) const $constant: Key = Key {
            name: $key,
            doc: $doc,
            schema,
            read: |checker, item| over(checker, item, $attribute),
        };
    };
}

place!(BRANCH, "branch_patterns", "branch", "globs over the branch");
place!(
    CHANNEL,
    "channel_patterns",
    "channel",
    "globs over the channel"
);
place!(HOST, "host_patterns", "host", "globs over the host");
place!(ORG, "org_patterns", "org", "globs over the organisation");
place!(PATH, "path_patterns", "path", "globs over the path");
place!(
    RECIPIENT,
    "recipient_patterns",
    "recipient",
    "globs over the recipient"
);
place!(REPO, "repo_patterns", "repo", "globs over the repository");
place!(
    RESOURCES,
    "resources",
    "resource",
    "globs over the resource, `customer:*`"
);

fn schema() -> Value {
    json!({"$ref": "#/$defs/patterns"})
}

fn over(checker: &mut Checker<'_, '_>, item: &Item<'_>, name: &str) -> Option<Box<dyn Test>> {
    let globs = checker.report.globs(item)?;
    let known = attribute(name)?;
    let term = match known.source {
        Source::Mapped => checker.mapped(Path::parse(name)?),
        _ => Term::Attribute(known),
    };
    let globs = globs.into_iter().map(|glob| glob.value).collect();
    Some(Box::new(Patterns { term, globs }))
}
