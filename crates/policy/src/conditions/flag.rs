//! Conditions that are an attribute of their own name: `{"new_resource": true}` is `new_resource`.
//!
//! `false` asks for the opposite; what is unknown is neither.

use serde_json::{Value, json};

use crate::call::Call;
use crate::checker::Checker;
use crate::reading::Item;
use crate::ruling::Fault;
use crate::term::Term;
use crate::test::Test;
use crate::value::{Answer, Datum, Got};

#[derive(Debug)]
struct Flag {
    term: Term,
    wanted: bool,
}

pub(super) fn schema() -> Value {
    json!({"type": "boolean"})
}

/// The condition over the attribute of this name.
pub(super) fn read(
    checker: &mut Checker<'_, '_>,
    item: &Item<'_>,
    name: &str,
) -> Option<Box<dyn Test>> {
    let wanted = checker.report.flag(item)?;
    let term = checker.fact(name)?;
    Some(Box::new(Flag { term, wanted }))
}

impl Test for Flag {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        Ok(match self.term.value(call)? {
            Got::Value(Datum::Bool(value)) => Answer::known(value == self.wanted),
            Got::Impossible => Answer::IMPOSSIBLE,
            Got::Value(_) | Got::Missing | Got::Unknown => Answer::UNKNOWN,
        })
    }

    fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Option<String>, Fault> {
        self.term.shown(call)
    }
}
