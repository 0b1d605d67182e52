//! Globs over one attribute: selectors (`"env": "prod"`) and matches (`repo_patterns`, `verbs`).
//!
//! One of the globs has to match. What is missing is unknown, and what the tool cannot have does
//! not match.
//!
//! Must not know: which keys use it.

use toolgate_model::Glob;

use crate::call::Call;
use crate::ruling::Fault;
use crate::scope::Scope;
use crate::term::Term;
use crate::test::Test;
use crate::value::{Answer, Datum, Got};

#[derive(Debug)]
pub(crate) struct Patterns {
    pub(crate) term: Term,
    pub(crate) globs: Vec<Glob>,
}

impl Test for Patterns {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        match self.term.value(call)? {
            Got::Value(Datum::Text(text)) => matches_any(&self.globs, &text, call),
            Got::Value(Datum::Risk(risk)) => matches_any(&self.globs, risk.as_str(), call),
            Got::Impossible => Ok(Answer::IMPOSSIBLE),
            Got::Value(_) => {
                self.term.note(call);
                Ok(Answer::UNKNOWN)
            }
            Got::Missing | Got::Unknown => Ok(Answer::UNKNOWN),
        }
    }

    fn scope(&self) -> Scope {
        let globs = self.globs.iter().cloned();
        match &self.term {
            Term::Attribute(attribute) if attribute.name == "tool" => Scope::tools(globs),
            Term::Attribute(attribute) if attribute.name == "tool_name" => Scope::sources(globs),
            _ => Scope::Any,
        }
    }
}

/// Whether one of the globs matches.
pub(crate) fn matches_any(
    globs: &[Glob],
    text: &str,
    call: &mut Call<'_, '_>,
) -> Result<Answer, Fault> {
    for glob in globs {
        call.meter
            .spend_text(text.len().saturating_mul(glob.as_str().len()))?;
        if glob.matches(text) {
            return Ok(Answer::TRUE);
        }
    }
    Ok(Answer::FALSE)
}
