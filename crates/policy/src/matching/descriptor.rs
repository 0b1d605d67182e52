//! `verbs` and `risk`: what the catalogue says of the tool.
//!
//! `{"verbs": ["DELETE", "ADMIN"]}`, `{"risk": ["high", "critical"]}`. Of a tool that is not in the
//! catalogue both are unknown.

use serde_json::json;
use toolgate_model::{Glob, Risk, Verb};

use crate::checker::Checker;
use crate::facts::attribute;
use crate::patterns::Patterns;
use crate::reading::Item;
use crate::term::Term;
use crate::test::{Key, Test};

pub(super) const VERBS: Key = Key {
    name: "verbs",
    doc: "`READ`, `WRITE`, `DELETE`, `ADMIN`",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: |checker, item| words(checker, item, "verb", Verb::ALL),
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
