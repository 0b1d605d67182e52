//! `body_contains_any`: one of these texts stands somewhere in the arguments.
//!
//! `["internal only", "deal #"]` is looked for in every text of the arguments, whatever the letter
//! case; full-width letters and invisible characters inside a word do not hide it.

use serde_json::json;

use crate::call::Call;
use crate::checker::Checker;
use crate::diagnostics::BAD_PATTERN;
use crate::needles::NeedleId;
use crate::reading::{Item, pattern_problem};
use crate::ruling::Fault;
use crate::source::{Complaint, shown};
use crate::test::{Key, Test};
use crate::value::Answer;

pub(super) const KEY: Key = Key {
    name: "body_contains_any",
    doc: "one of these texts stands in the arguments, in any letter case",
    schema: || json!({"$ref": "#/$defs/texts"}),
    read: |checker, item| Some(Box::new(AnyOf(needles(checker, item)?))),
};

#[derive(Debug)]
struct AnyOf(Vec<NeedleId>);

impl Test for AnyOf {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        let mut answer = Answer::FALSE;
        for needle in &self.0 {
            answer = answer.or(call.body_contains(*needle)?);
        }
        Ok(answer)
    }
}

/// The needles that a list of texts stands for.
pub(super) fn needles(checker: &mut Checker<'_, '_>, item: &Item<'_>) -> Option<Vec<NeedleId>> {
    let texts = checker.report.texts(item)?;
    let mut needles = Vec::new();
    let mut fine = true;
    for text in texts {
        let needle = checker.needles.add(&text.value);
        let problem = pattern_problem(&text.value)
            .or(needle.is_none().then_some("has nothing searchable in it"));
        if let Some(problem) = problem {
            fine = false;
            let message = format!("the text `{}` {problem}", shown(&text.value));
            checker
                .report
                .push(Complaint::new(BAD_PATTERN, message).at(&text.at, &text.path));
        }
        needles.extend(needle);
    }
    fine.then_some(needles)
}
