//! `verbs`, `risk` and `methods`: what the catalogue says of the tool.
//!
//! `{"verbs": ["DELETE", "ADMIN"]}`, `{"risk": ["high", "critical"]}`, `{"methods": ["POST"]}`. Of a tool
//! that is not in the catalogue all are unknown; a tool that is there and has no HTTP method is not
//! meant by `methods`.

use serde_json::json;
use toolgate_model::{Glob, Risk, Verb};

use crate::checker::Checker;
use crate::facts::attribute;
use crate::patterns::Patterns;
use crate::reading::{Item, Placed};
use crate::term::Term;
use crate::test::{Key, Test};

pub(super) const VERBS: Key = Key {
    name: "verbs",
    doc: "`READ`, `WRITE`, `DELETE`, `ADMIN`",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: |checker, item| words(checker, item, "verb", Verb::ALL),
};

pub(super) const METHODS: Key = Key {
    name: "methods",
    doc: "HTTP methods, `POST`",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: |checker, item| {
        let globs = checker.report.globs(item)?;
        let term = Term::Attribute(attribute("method")?);
        let upper = |glob: Placed<Glob>| Glob::new(glob.value.as_str().to_ascii_uppercase());
        let globs = globs.into_iter().map(upper).collect();
        Some(Box::new(Patterns { term, globs }))
    },
};

pub(super) const RISK: Key = Key {
    name: "risk",
    doc: "`low`, `medium`, `high`, `critical`",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: |checker, item| words(checker, item, "risk", Risk::ALL),
};

fn words<T: Copy>(
    checker: &mut Checker<'_, '_>,
    item: &Item<'_>,
    name: &str,
    all: &[(T, &'static str)],
) -> Option<Box<dyn Test>> {
    let names: Vec<(&'static str, &'static str)> =
        all.iter().map(|(_, word)| (*word, *word)).collect();
    let words = checker
        .report
        .each(item, |report, item| report.word(item, &names))?;
    let term = Term::Attribute(attribute(name)?);
    let globs = words.into_iter().map(Glob::new).collect();
    Some(Box::new(Patterns { term, globs }))
}
