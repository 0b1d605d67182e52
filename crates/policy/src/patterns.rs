//! Globs over one attribute: selectors (`"env": "prod"`) and matches (`tools`, `verbs`,
//! `repo_patterns`).
//!
//! One of the globs has to match; where the attribute is a list, for one element. What is missing is
//! unknown, and what the tool cannot have does not match.
//!
//! Must not know: which keys use it.

use serde_json::Value;
use toolgate_model::Glob;

use crate::call::Call;
use crate::limits;
use crate::plain::folded;
use crate::ruling::Fault;
use crate::scope::Scope;
use crate::term::Term;
use crate::test::Test;
use crate::value::{Answer, Datum, Got};

/// Globs over what the gate knows by itself: identity, environment, the tool.
#[derive(Debug)]
pub(crate) struct Patterns {
    pub(crate) term: Term,
    pub(crate) globs: Vec<Glob>,
}

/// Globs over a place, which the caller writes. A text that fits only once look-alike characters
/// and letter case are undone is unknown: whether it is the same place is for the tool to say.
#[derive(Debug)]
pub(crate) struct PlacePatterns {
    term: Term,
    globs: Vec<Glob>,
    /// The same folded; empty where that changes none of them.
    folded: Vec<Glob>,
}

impl Test for Patterns {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        let answer = over(&self.term, call, |text, call| {
            matches_any(&self.globs, text, call)
        })?;
        match self
            .term
            .other_name(call)
            .filter(|_| answer == Answer::FALSE)
        {
            Some(name) => matches_any(&self.globs, name, call),
            None => Ok(answer),
        }
    }

    fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Option<String>, Fault> {
        self.term.shown(call)
    }

    fn scope(&self) -> Scope {
        let globs = self.globs.iter().cloned();
        match &self.term {
            Term::Attribute(attribute) if attribute.name == "tool" => Scope::tools(globs),
            Term::Attribute(attribute) if attribute.name == "tool_name" => Scope::sources(globs),
            _ => Scope::Any,
        }
    }

    fn patterns(&self) -> Option<(&Term, &[Glob])> {
        Some((&self.term, &self.globs))
    }
}

impl PlacePatterns {
    pub(crate) fn new(term: Term, globs: Vec<Glob>) -> Self {
        let fold = |glob: &Glob| Glob::new(toolgate_model::searchable(glob.as_str()));
        let mut folded: Vec<Glob> = globs.iter().map(fold).collect();
        if folded == globs {
            folded.clear();
        }
        Self {
            term,
            globs,
            folded,
        }
    }

    fn fits(&self, text: &str, call: &mut Call<'_, '_>) -> Result<Answer, Fault> {
        let exact = matches_any(&self.globs, text, call)?;
        if exact == Answer::TRUE {
            return Ok(exact);
        }
        let globs = match self.folded.is_empty() {
            true => &self.globs,
            false => &self.folded,
        };
        let fits_folded = match folded(text) {
            Some(folded) => matches_any(globs, &folded, call)?,
            None if self.folded.is_empty() => Answer::FALSE,
            None => matches_any(globs, text, call)?,
        };
        if fits_folded == Answer::FALSE {
            return Ok(Answer::FALSE);
        }
        self.term.note(call);
        Ok(Answer::UNKNOWN)
    }
}

impl Test for PlacePatterns {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        over(&self.term, call, |text, call| self.fits(text, call))
    }

    fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Option<String>, Fault> {
        self.term.shown(call)
    }

    fn patterns(&self) -> Option<(&Term, &[Glob])> {
        Some((&self.term, &self.globs))
    }
}

/// Whether `fits` holds of a term's text, or of one of its texts. An empty list says as little as
/// nothing at all.
pub(crate) fn over<'c, 't: 'c>(
    term: &'t Term,
    call: &mut Call<'_, 'c>,
    fits: impl Fn(&str, &mut Call<'_, 'c>) -> Result<Answer, Fault>,
) -> Result<Answer, Fault> {
    let answer = match term.value(call)? {
        Got::Value(Datum::Text(text)) => return fits(&text, call),
        Got::Value(Datum::Risk(risk)) => return fits(risk.as_str(), call),
        Got::Value(Datum::Texts(texts)) => {
            let one = |text: &_, call: &mut Call<'_, 'c>| fits(text, call);
            some(texts.iter().map(AsRef::as_ref), call, one)?
        }
        Got::Value(Datum::Json(Value::Array(items))) if items.len() <= limits::ELEMENTS_MAX => {
            let one = |item: &Value, call: &mut Call<'_, 'c>| match Got::json(item) {
                Got::Value(Datum::Text(text)) => fits(&text, call),
                _ => Ok(Answer::UNKNOWN),
            };
            some(items.iter(), call, one)?
        }
        Got::Impossible => return Ok(Answer::IMPOSSIBLE),
        Got::Value(_) => None,
        Got::Missing | Got::Unknown => return Ok(Answer::UNKNOWN),
    };
    let answer = answer.unwrap_or(Answer::UNKNOWN);
    if answer == Answer::UNKNOWN {
        term.note(call);
    }
    Ok(answer)
}

/// Whether one of them fits; none where there is none.
fn some<'c, 'i, T: ?Sized + 'i>(
    items: impl Iterator<Item = &'i T>,
    call: &mut Call<'_, 'c>,
    fits: impl Fn(&T, &mut Call<'_, 'c>) -> Result<Answer, Fault>,
) -> Result<Option<Answer>, Fault> {
    let mut answer = None;
    for item in items {
        call.meter.spend(1)?;
        answer = Some(answer.unwrap_or(Answer::FALSE).or(fits(item, call)?));
    }
    Ok(answer)
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
