//! One call while it is being decided: its facts, what has been found out so far, and the meter.
//!
//! Conditions read the call only through this. What is found out once (which needles the arguments
//! contain, which classes of data) is kept for the next rule that asks; the names of attributes
//! that could not be judged are collected, because the record names them.
//!
//! Must not know: rules, expressions, precedence.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;
use toolgate_detect::{Detector, Scan};

use crate::facts::{self, Attribute, Reading, Source};
use crate::input::Facts;
use crate::meter::Meter;
use crate::needles::{Found, NeedleId, Needles, text_bytes};
use crate::path::{self, Step};
use crate::ruling::{Budget, Fault};
use crate::schema::{Admission, Shape};
use crate::signals::ToolSignals;
use crate::value::{Answer, Datum, Got};

pub(crate) struct Call<'s, 'c> {
    /// What is known of the call; nothing where an expectation is judged, which sees its locals
    /// alone.
    pub(crate) facts: Option<&'s Facts<'c>>,
    pub(crate) meter: Meter,
    /// The time zone of the document whose rules are being read.
    pub(crate) zone: &'s TimeZone,
    /// Whether some rule that may be asked reads what the detector finds: then needles are searched
    /// for in the same pass.
    pub(crate) reads_data: bool,
    lookups: Lookups<'s>,
    found: Option<Option<Found>>,
    scan: Option<Scanned>,
    unknown: Vec<String>,
    locals: Vec<Local<'c>>,
}

/// What the set holds for all calls.
#[derive(Clone, Copy)]
pub(crate) struct Lookups<'s> {
    pub(crate) needles: &'s Needles,
    /// None where an expectation is judged.
    pub(crate) detector: Option<&'s Arc<Detector>>,
    pub(crate) tool_signals: Option<&'s ToolSignals>,
}

/// What one scan gave; none where the detector refused. Shared, because an explanation goes back.
pub(crate) type Scanned = Option<Rc<Scan>>;

/// The element that a name of `any` or `all` stands for.
#[derive(Clone)]
pub(crate) struct Local<'c> {
    /// A text that was made for the walk, such as an address found in another, is owned.
    pub(crate) value: Cow<'c, Value>,
    pub(crate) shape: Shape<'c>,
}

impl<'s, 'c> Call<'s, 'c> {
    pub(crate) fn new(facts: &'s Facts<'c>, lookups: Lookups<'s>, budget: Budget) -> Self {
        Self {
            facts: Some(facts),
            ..Self::over(Vec::new(), lookups, budget)
        }
    }

    /// No call, but these elements, each under its own name.
    pub(crate) fn over(locals: Vec<Local<'c>>, lookups: Lookups<'s>, budget: Budget) -> Self {
        const UTC: &TimeZone = &TimeZone::UTC;
        Self {
            facts: None,
            meter: Meter::new(budget),
            zone: UTC,
            reads_data: false,
            lookups,
            found: None,
            scan: None,
            unknown: Vec::new(),
            locals,
        }
    }

    /// The value of an attribute that is a fact, or that the detector finds.
    pub(crate) fn attribute(&mut self, attribute: &Attribute) -> Result<Got<'c>, Fault> {
        let Some(facts) = self.facts else {
            return Ok(Got::Unknown);
        };
        let reading = Reading {
            facts,
            zone: self.zone,
        };
        Ok(match attribute.source {
            Source::Facts(get) | Source::History(get) => get(&reading),
            Source::Found(words) => match self.scan()? {
                Some(scan) => Got::Value(Datum::words(words(&scan))),
                None => Got::Unknown,
            },
            Source::ToolSignals => self.tool_signals(facts),
            // The checker makes other terms of these; if one came, it would be unknown, which is
            // strict.
            Source::Mapped | Source::Body | Source::External | Source::Result => Got::Unknown,
        })
    }

    /// The argument at the end of `steps`.
    pub(crate) fn argument(&self, steps: &[Step]) -> Got<'c> {
        match self.facts {
            Some(facts) => reached(facts.args, steps, || self.input_shape()),
            None => Got::Unknown,
        }
    }

    /// The same as it stands.
    pub(crate) fn argument_value(&self, steps: &[Step]) -> Option<&'c Value> {
        path::find(self.facts?.args, steps)
    }

    /// What a normaliser recognised under the first of the steps, and there at the end of the
    /// others; none where it says nothing of it.
    pub(crate) fn place(&self, steps: &[Step]) -> Option<Got<'c>> {
        let value = self.place_value(steps)?;
        Some(value.map_or(Got::Missing, Got::json))
    }

    /// The same as it stands.
    pub(crate) fn place_value(&self, steps: &[Step]) -> Option<Option<&'c Value>> {
        let places = self.facts?.places?;
        let (Step::Name(name), rest) = steps.split_first()? else {
            return None;
        };
        let value = places.get(name)?;
        Some(path::find(value, rest))
    }

    /// What is at the end of `steps` in the live entity.
    pub(crate) fn entity(&self, steps: &[Step]) -> Got<'c> {
        self.facts
            .map_or(Got::Unknown, |facts| facts::entity(facts, steps))
    }

    /// What is at the end of `steps` in the result that is judged.
    pub(crate) fn result(&self, steps: &[Step]) -> Got<'c> {
        let result = self.facts.and_then(|facts| facts.result);
        result.map_or(Got::Unknown, |result| {
            path::find(result.data, steps).map_or(Got::Missing, Got::json)
        })
    }

    /// What the tool's schema says of its arguments.
    pub(crate) fn input_shape(&self) -> Shape<'c> {
        let tool = self.facts.and_then(|facts| facts.descriptor);
        Shape::of(tool.map(|tool| &tool.input_schema))
    }

    /// What is at the end of `steps` in the element that `slot` stands for.
    pub(crate) fn local(&self, slot: usize, steps: &[Step]) -> Got<'c> {
        match self.locals.get(slot) {
            Some(local) => match &local.value {
                Cow::Borrowed(value) => reached(value, steps, || local.shape.clone()),
                Cow::Owned(Value::String(text)) if steps.is_empty() => {
                    Got::Value(Datum::Text(text.clone().into()))
                }
                // A text has no parts.
                Cow::Owned(_) => Got::Missing,
            },
            None => Got::Unknown,
        }
    }

    /// The same as it stands.
    pub(crate) fn local_value(&self, slot: usize, steps: &[Step]) -> Option<Cow<'c, Value>> {
        match &self.locals.get(slot)?.value {
            Cow::Borrowed(value) => path::find(value, steps).map(Cow::Borrowed),
            Cow::Owned(value) => steps.is_empty().then(|| Cow::Owned(value.clone())),
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

    /// Whether the texts of the arguments (or of the result that is judged) contain the needle. The
    /// first question searches for the needles of all rules.
    pub(crate) fn body_contains(&mut self, needle: NeedleId) -> Result<Answer, Fault> {
        if self.reads_data {
            self.scan()?;
        }
        if let (None, Some(body)) = (&self.found, self.body()) {
            self.found = Some(self.lookups.needles.search(body, &mut self.meter)?);
        }
        Ok(match &self.found {
            Some(Some(found)) => Answer::known(found.has(needle)),
            Some(None) | None => {
                self.note_unknown("body");
                Answer::UNKNOWN
            }
        })
    }

    /// What the detector finds in the arguments, or in the result that is judged. The first
    /// question scans, once for all rules; none where it refuses.
    pub(crate) fn scan(&mut self) -> Result<Scanned, Fault> {
        if let Some(known) = &self.scan {
            return Ok(known.clone());
        }
        let (Some(body), Some(detector)) = (self.body(), self.lookups.detector) else {
            return Ok(None);
        };
        self.meter.spend_text(text_bytes(body))?;
        let together = match self.reads_data {
            true => self
                .lookups
                .needles
                .search_with(detector, body, &mut self.meter)?,
            false => None,
        };
        let scanned = match together {
            Some((found, scan)) => {
                self.found = Some(Some(found));
                Some(Rc::new(scan))
            }
            None => detector.scan(body).ok().map(Rc::new),
        };
        self.scan = Some(scanned.clone());
        Ok(scanned)
    }

    /// What `body` and the detector read.
    pub(crate) fn body(&self) -> Option<&'c Value> {
        self.facts
            .map(|facts| facts.result.map_or(facts.args, |result| result.whole))
    }

    fn tool_signals(&self, facts: &Facts<'c>) -> Got<'c> {
        let (Some(tool), Some(detector)) = (facts.descriptor, self.lookups.detector) else {
            return Got::Unknown;
        };
        // What a normaliser says of a raw request is no tool of the catalogue, whatever its name.
        let known = self.lookups.tool_signals.filter(|_| facts.places.is_none());
        let words = match known.and_then(|known| known.get(&tool.id)) {
            Some(words) => words.cloned(),
            None => ToolSignals::of(tool, detector),
        };
        words.map_or(Got::Unknown, |words| Got::Value(Datum::words(words)))
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
        let (meter, found) = (self.meter.clone(), self.found.clone());
        let (scan, unknown) = (self.scan.clone(), self.unknown.clone());
        let result = inner(self);
        (self.meter, self.found) = (meter, found);
        (self.scan, self.unknown) = (scan, unknown);
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
