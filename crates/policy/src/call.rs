//! One call while it is being decided: its facts, what has been found out so far, and the meter.
//!
//! Conditions read the call only through this. What is found out once (which needles the arguments
//! contain) is kept for the next rule that asks; the names of attributes that could not be judged
//! are collected, because the record names them.
//!
//! Must not know: rules, expressions, precedence.

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::facts::{self, Attribute, Reading, Source};
use crate::input::Facts;
use crate::meter::Meter;
use crate::needles::{Found, NeedleId, Needles};
use crate::path::{self, Step};
use crate::ruling::{Budget, Fault};
use crate::schema::{Admission, Shape};
use crate::value::{Answer, Got};

pub(crate) struct Call<'s, 'c> {
    /// What is known of the call; nothing where an expectation is judged, which sees its locals
    /// alone.
    pub(crate) facts: Option<&'s Facts<'c>>,
    pub(crate) meter: Meter,
    /// The time zone of the document whose rules are being read.
    pub(crate) zone: &'s TimeZone,
    needles: &'s Needles,
    found: Option<Option<Found>>,
    unknown: Vec<String>,
    locals: Vec<Local<'c>>,
}

/// The element that a name of `any` or `all` stands for.
#[derive(Clone)]
pub(crate) struct Local<'c> {
    pub(crate) value: &'c Value,
    pub(crate) shape: Shape<'c>,
}

impl<'s, 'c> Call<'s, 'c> {
    pub(crate) fn new(facts: &'s Facts<'c>, needles: &'s Needles, budget: Budget) -> Self {
        Self {
            facts: Some(facts),
            ..Self::over(Vec::new(), needles, budget)
        }
    }

    /// No call, but these elements, each under its own name.
    pub(crate) fn over(locals: Vec<Local<'c>>, needles: &'s Needles, budget: Budget) -> Self {
        const UTC: &TimeZone = &TimeZone::UTC;
        Self {
            facts: None,
            meter: Meter::new(budget),
            zone: UTC,
            needles,
            found: None,
            unknown: Vec::new(),
            locals,
        }
    }

    /// The value of an attribute that is a fact.
    pub(crate) fn attribute(&self, attribute: &Attribute) -> Got<'c> {
        let Some(facts) = self.facts else {
            return Got::Unknown;
        };
        let reading = Reading {
            facts,
            zone: self.zone,
        };
        match attribute.source {
            Source::Facts(get) => get(&reading),
            // The checker lets none of these through as a plain attribute; if one came, it would
            // be unknown, which is strict.
            Source::Mapped | Source::Body | Source::NotYet(_) => Got::Unknown,
        }
    }

    /// The argument at the end of `steps`.
    pub(crate) fn argument(&self, steps: &[Step]) -> Got<'c> {
        match self.facts {
            Some(facts) => reached(facts.args, steps, || self.input_shape()),
            None => Got::Unknown,
        }
    }

    /// What is at the end of `steps` in the live entity.
    pub(crate) fn entity(&self, steps: &[Step]) -> Got<'c> {
        self.facts
            .map_or(Got::Unknown, |facts| facts::entity(facts, steps))
    }

    /// What the tool's schema says of its arguments.
    pub(crate) fn input_shape(&self) -> Shape<'c> {
        let tool = self.facts.and_then(|facts| facts.descriptor);
        Shape::of(tool.map(|tool| &tool.input_schema))
    }

    /// What is at the end of `steps` in the element that `slot` stands for.
    pub(crate) fn local(&self, slot: usize, steps: &[Step]) -> Got<'c> {
        match self.locals.get(slot) {
            Some(local) => reached(local.value, steps, || local.shape.clone()),
            None => Got::Unknown,
        }
    }

    pub(crate) fn local_shape(&self, slot: usize) -> Shape<'c> {
        self.locals
            .get(slot)
            .map_or(Shape::anything(), |local| local.shape.clone())
    }

    /// Runs `inner` with one more named element.
    pub(crate) fn with_local<T>(
        &mut self,
        local: Local<'c>,
        inner: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.locals.push(local);
        let result = inner(self);
        self.locals.pop();
        result
    }

    /// Whether the texts of the arguments contain the needle. The first question searches for the
    /// needles of all rules.
    pub(crate) fn body_contains(&mut self, needle: NeedleId) -> Result<Answer, Fault> {
        if let (None, Some(facts)) = (&self.found, self.facts) {
            self.found = Some(self.needles.search(facts.args, &mut self.meter)?);
        }
        Ok(match &self.found {
            Some(Some(found)) => Answer::known(found.has(needle)),
            Some(None) | None => {
                self.note_unknown("body");
                Answer::UNKNOWN
            }
        })
    }

    /// Remembers that an attribute could not be judged.
    pub(crate) fn note_unknown(&mut self, name: &str) {
        if !self.unknown.iter().any(|known| known == name) {
            self.unknown.push(name.to_owned());
        }
    }

    /// How many names have been noted, to go back to with [`Self::forget_since`].
    pub(crate) fn mark(&self) -> usize {
        self.unknown.len()
    }

    /// Forgets names noted since, because what they left open was settled otherwise.
    pub(crate) fn forget_since(&mut self, mark: usize) {
        self.unknown.truncate(mark);
    }

    /// Runs `inner` without a trace of it: what it costs and finds out does not count. It is for
    /// parts of a rule that are shown in an explanation although they no longer matter.
    pub(crate) fn aside<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let (meter, found, unknown) =
            (self.meter.clone(), self.found.clone(), self.unknown.clone());
        let result = inner(self);
        (self.meter, self.found, self.unknown) = (meter, found, unknown);
        result
    }

    /// Hands over the names noted so far.
    pub(crate) fn take_unknown(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unknown)
    }
}

/// The value at the end of `steps`; where there is none, whether there could have been.
fn reached<'c>(value: &'c Value, steps: &[Step], shape: impl FnOnce() -> Shape<'c>) -> Got<'c> {
    match path::find(value, steps) {
        Some(found) => Got::json(found),
        None if could_exist(value, steps, shape()) => Got::Missing,
        None => Got::Impossible,
    }
}

/// Whether the schema leaves room for what is missing. A step that the schema does not declare
/// but the caller sent is no proof of anything: what is missing behind it could be there.
fn could_exist(value: &Value, steps: &[Step], mut shape: Shape<'_>) -> bool {
    let mut here = Some(value);
    for step in steps {
        here = here.and_then(|value| step.of(value));
        let (admission, inner) = shape.step(step);
        match admission {
            Admission::Undeclared if here.is_none() => return false,
            Admission::Undeclared => shape = Shape::anything(),
            Admission::Declared | Admission::Open => shape = inner,
        }
    }
    true
}
