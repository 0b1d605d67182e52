//! Terms: the parts of a checked expression that have a value.
//!
//! `args.amount`, `default(env, prod)`, `lower(channel)`, `amount * 2`. A bare `amount` is what a
//! normaliser recognised in a raw request, else what the tool's descriptor maps `amount` to, and
//! where it maps nothing, the argument of that name.
//!
//! Must not know: comparisons, rules.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::Value;
use toolgate_model::{Duration, Risk};

use crate::call::Call;
use crate::compare::size;
use crate::counted::Counted;
use crate::external::External;
use crate::facts::{self, Attribute, Type};
use crate::language::Arithmetic;
use crate::limits;
use crate::needles::text_bytes;
use crate::number;
use crate::path::Path;
use crate::plain::Place;
use crate::ruling::Fault;
use crate::schema::Shape;
use crate::seen::Seen;
use crate::value::{Datum, Got};

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Number(Decimal),
    Bool(bool),
    Risk(Risk),
    Date(Date),
    Duration(Duration),
}

/// Something with a value.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Literal(Literal),
    Attribute(&'static Attribute),
    /// `args.x`.
    Argument(Path),
    /// `entity.x`, of the entity as read live.
    Entity(Path),
    /// `result.x`, of what the tool answered.
    Result(Path),
    /// A name that a normaliser may recognise or a descriptor map, and that is an argument where
    /// neither does. Its texts are read in the plain form of `place`.
    Mapped {
        path: Path,
        mappings: Arc<Mappings>,
        place: Place,
    },
    /// A name of `any` or `all`; the path's first step is that name.
    Local {
        slot: usize,
        path: Path,
    },
    Default(Box<Term>, Literal),
    Apply {
        apply: Function,
        gives: Type,
        to: Box<Term>,
    },
    Arithmetic {
        op: Arithmetic,
        left: Box<Term>,
        right: Box<Term>,
    },
    /// `rate(agent, 1h)` and its kin.
    Counted(Box<Counted>),
    /// `source(args.to)`.
    Seen(Box<Seen>),
    External(Box<External>),
    /// Everything that `body` reads, for functions that look through it.
    Body,
}

pub(crate) type Function = for<'c> fn(Datum<'c>) -> Option<Datum<'c>>;

/// Where the value of a mapped name comes from.
enum Origin<'c, 't> {
    Read(Got<'c>),
    /// What the descriptor maps it to.
    By(&'t Term),
}

/// The expressions by which the descriptors of the catalogue map one attribute, by their text.
pub(crate) type Mappings = BTreeMap<String, Term>;

impl Literal {
    pub(crate) fn datum(&self) -> Datum<'_> {
        match self {
            Self::Text(text) => Datum::text(text),
            Self::Number(number) => Datum::Number(*number),
            Self::Bool(value) => Datum::Bool(*value),
            Self::Risk(risk) => Datum::Risk(*risk),
            Self::Date(date) => Datum::Date(*date),
            Self::Duration(duration) => Datum::Duration(*duration),
        }
    }

    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::Text(_) => Type::Text,
            Self::Number(_) => Type::Number,
            Self::Bool(_) => Type::Bool,
            Self::Risk(_) => Type::Risk,
            Self::Date(_) => Type::Date,
            Self::Duration(_) => Type::Duration,
        }
    }
}

impl Term {
    /// What kind of value it has, as far as that is known before any call.
    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::Literal(literal) => literal.kind(),
            Self::Attribute(attribute) => attribute.kind,
            Self::Argument(_)
            | Self::Entity(_)
            | Self::Result(_)
            | Self::Mapped { .. }
            | Self::Local { .. }
            | Self::Body => Type::Any,
            Self::Default(inner, _) => inner.kind(),
            Self::Apply { gives, .. } => *gives,
            Self::Arithmetic { .. } => Type::Number,
            Self::Counted(counted) => counted.kind(),
            Self::Seen(_) => Type::Set(crate::facts::ORIGINS),
            Self::External(_) => Type::Bool,
        }
    }

    /// The attribute or argument that it is about; `None` for constants.
    pub(crate) fn subject(&self) -> Option<String> {
        match self {
            Self::Literal(_) => None,
            Self::Attribute(attribute) => Some(attribute.name.to_owned()),
            Self::Argument(path) => Some(format!("args.{}", path.text)),
            Self::Entity(path) => Some(format!("entity.{}", path.text)),
            Self::Result(path) if path.steps.is_empty() => Some("result".to_owned()),
            Self::Result(path) => Some(format!("result.{}", path.text)),
            Self::Mapped { path, .. } => Some(format!("args.{}", path.text)),
            Self::Local { path, .. } => Some(path.text.clone()),
            Self::Default(inner, _) => inner.subject(),
            Self::Apply { to, .. } => to.subject(),
            Self::Arithmetic { left, right, .. } => left.subject().or_else(|| right.subject()),
            Self::Counted(counted) => Some(counted.text.clone()),
            Self::Seen(seen) => seen.of.subject().map(|of| format!("source({of})")),
            Self::External(_) => Some("is_external_principal".to_owned()),
            Self::Body => Some("body".to_owned()),
        }
    }

    /// Its value for this call. Names of what is missing or cannot be judged are noted.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Got<'c>, Fault> {
        call.meter.spend(1)?;
        let got = match self {
            Self::Literal(literal) => return Ok(Got::Value(literal.datum())),
            Self::Attribute(attribute) => call.attribute(attribute)?,
            Self::Argument(path) => call.argument(&path.steps),
            Self::Entity(path) => call.entity(&path.steps),
            Self::Result(path) => call.result(&path.steps),
            Self::Mapped { path, place, .. } => match self.origin(path, call) {
                Origin::Read(got) => plain(*place, got),
                Origin::By(term) => match term.value(call)? {
                    // The parts of the mapping have noted what they lack.
                    got @ (Got::Missing | Got::Unknown) => return Ok(got),
                    got => plain(*place, got),
                },
            },
            Self::Counted(counted) => counted.value(call)?,
            Self::Seen(seen) => seen.value(call)?,
            Self::External(external) => external.value(call)?,
            Self::Body => call.body().map_or(Got::Unknown, Got::json),
            Self::Local { slot, path } => call.local(*slot, path.tail()),
            Self::Default(inner, literal) => return default(inner, literal, call),
            Self::Apply { apply, gives, to } => {
                let got = to.value(call)?;
                if let (Type::Texts, Got::Value(datum)) = (gives, &got) {
                    call.meter.spend_text(searched(datum))?;
                }
                return Ok(self.computed(got, *apply, call));
            }
            Self::Arithmetic { op, left, right } => {
                let (left, right) = (left.value(call)?, right.value(call)?);
                return Ok(self.combined(*op, left, right, call));
            }
        };
        if matches!(got, Got::Missing | Got::Unknown) {
            self.note(call);
        }
        Ok(got)
    }

    /// Whether there is a value, which is always true or false.
    pub(crate) fn exists<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<bool, Fault> {
        let mark = call.mark();
        let got = match self {
            Self::Mapped { path, .. } => match self.origin(path, call) {
                Origin::Read(got) => got,
                Origin::By(term) => return term.exists(call),
            },
            Self::Attribute(attribute) => call.attribute(attribute)?,
            Self::Argument(path) => call.argument(&path.steps),
            Self::Entity(path) => call.entity(&path.steps),
            Self::Result(path) => call.result(&path.steps),
            Self::Local { slot, path } => call.local(*slot, path.tail()),
            Self::Default(..) | Self::Literal(_) | Self::Counted(_) | Self::Body => {
                return Ok(true);
            }
            Self::Apply { to, .. } => return to.exists(call),
            Self::Seen(seen) => return seen.of.exists(call),
            Self::External(external) => external.value(call)?,
            Self::Arithmetic { left, right, .. } => {
                return Ok(left.exists(call)? && right.exists(call)?);
            }
        };
        call.meter.spend(1)?;
        call.forget_since(mark);
        Ok(matches!(got, Got::Value(_) | Got::Unknown))
    }

    /// Its value where `any` and `all` walk it: as it stands, elements and all. Of a place, which may
    /// be one or several, one text is a list of one and comes as JSON.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn listed<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Got<'c>, Fault> {
        match self {
            Self::Mapped { path, .. } if facts::attribute(&path.text).is_some() => {
                call.meter.spend(1)?;
                let got = match self.parts(call) {
                    Ok(parts) => match parts.as_slice() {
                        [Cow::Borrowed(one)] => Got::Value(Datum::Json(one)),
                        _ => Got::Unknown,
                    },
                    Err(nothing) => nothing,
                };
                if matches!(got, Got::Missing | Got::Unknown) {
                    self.note(call);
                }
                Ok(got)
            }
            _ => self.value(call),
        }
    }

    /// The values of the call that it is made of, as they stand; none where one of them cannot be
    /// had, and then whether the tool could have it.
    pub(crate) fn parts<'c, 't: 'c>(
        &'t self,
        call: &Call<'_, 'c>,
    ) -> Result<Vec<Cow<'c, Value>>, Got<'c>> {
        let held = |value: Option<Cow<'c, Value>>, got: Got<'c>| match (value, got) {
            (Some(value), Got::Value(_) | Got::Unknown) => Ok(vec![value]),
            (_, Got::Impossible) => Err(Got::Impossible),
            _ => Err(Got::Missing),
        };
        let found = |value: Option<&'c Value>, got: Got<'c>| held(value.map(Cow::Borrowed), got);
        match self {
            Self::Literal(_) => Ok(Vec::new()),
            Self::Argument(path) => {
                found(call.argument_value(&path.steps), call.argument(&path.steps))
            }
            Self::Local { slot, path } => held(
                call.local_value(*slot, path.tail()),
                call.local(*slot, path.tail()),
            ),
            Self::Mapped { path, .. } => match self.origin(path, call) {
                Origin::By(term) => term.parts(call),
                Origin::Read(got) => match call.place_value(&path.steps) {
                    Some(value) => found(value, got),
                    None => found(call.argument_value(&path.steps), got),
                },
            },
            Self::Default(inner, _) => match inner.parts(call) {
                Err(Got::Missing | Got::Impossible) => Ok(Vec::new()),
                parts => parts,
            },
            Self::Apply { to, .. } => to.parts(call),
            Self::Arithmetic { left, right, .. } => {
                let mut parts = left.parts(call)?;
                parts.extend(right.parts(call)?);
                Ok(parts)
            }
            Self::Attribute(_)
            | Self::Entity(_)
            | Self::Result(_)
            | Self::Counted(_)
            | Self::Seen(_)
            | Self::External(_)
            | Self::Body => Err(Got::Unknown),
        }
    }

    /// Where the value of a mapped name comes from in this call.
    fn origin<'c, 't>(&'t self, path: &Path, call: &Call<'_, 'c>) -> Origin<'c, 't> {
        let Self::Mapped { mappings, .. } = self else {
            return Origin::Read(Got::Unknown);
        };
        if let Some(got) = call.place(&path.steps) {
            return Origin::Read(got);
        }
        match mapped(path, mappings, call) {
            Some(Some(term)) => Origin::By(term),
            // A text that was not there, or no use, when the set was loaded.
            Some(None) => Origin::Read(Got::Unknown),
            None => Origin::Read(call.argument(&path.steps)),
        }
    }

    /// What the schema says of the elements, where the value is a list.
    pub(crate) fn element_shape<'c>(&self, call: &Call<'_, 'c>) -> Shape<'c> {
        let (mut shape, steps) = match self {
            Self::Argument(path) | Self::Mapped { path, .. } => {
                (call.input_shape(), path.steps.as_slice())
            }
            Self::Local { slot, path } => (call.local_shape(*slot), path.tail()),
            _ => return Shape::anything(),
        };
        for step in steps {
            shape = shape.step(step).1;
        }
        shape.elements()
    }

    /// Its value as an explanation shows it.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn shown<'c, 't: 'c>(
        &'t self,
        call: &mut Call<'_, 'c>,
    ) -> Result<Option<String>, Fault> {
        Ok(match self.value(call)? {
            Got::Value(datum) => Some(datum.show()),
            Got::Missing | Got::Unknown | Got::Impossible => None,
        })
    }

    fn computed<'c>(&self, got: Got<'c>, apply: Function, call: &mut Call<'_, 'c>) -> Got<'c> {
        match got {
            Got::Value(datum) => match apply(datum) {
                Some(datum) => Got::Value(datum),
                None => {
                    self.note(call);
                    Got::Unknown
                }
            },
            other => other,
        }
    }

    fn combined<'c>(
        &self,
        op: Arithmetic,
        left: Got<'c>,
        right: Got<'c>,
        call: &mut Call<'_, 'c>,
    ) -> Got<'c> {
        let (left, right) = match (left, right) {
            (Got::Impossible, _) | (_, Got::Impossible) => return Got::Impossible,
            (Got::Value(Datum::Number(left)), Got::Value(Datum::Number(right))) => (left, right),
            (Got::Missing, Got::Missing | Got::Value(_)) | (Got::Value(_), Got::Missing) => {
                return Got::Missing;
            }
            // What is missing has been noted by name; what has another type has not.
            (Got::Value(_), Got::Value(_)) => {
                self.note(call);
                return Got::Unknown;
            }
            _ => return Got::Unknown,
        };
        let result = match op {
            Arithmetic::Add => number::add(left, right),
            Arithmetic::Subtract => number::subtract(left, right),
            Arithmetic::Multiply => number::multiply(left, right),
            Arithmetic::Divide => number::divide(left, right),
        };
        match result {
            Some(number) => Got::Value(Datum::Number(number)),
            None => {
                self.note(call);
                Got::Unknown
            }
        }
    }

    /// What else the term's text could be: a tool with a route is known by that as well, and what
    /// is said of `tool` or `operation` holds where it holds for either name.
    pub(crate) fn other_name<'c>(&self, call: &Call<'_, 'c>) -> Option<&'c str> {
        let Self::Attribute(attribute) = self else {
            return None;
        };
        let route = call.facts?.names().route?;
        match attribute.name {
            "tool" => Some(route.as_str()),
            "operation" => Some(route.operation()),
            _ => None,
        }
    }

    /// Notes what the term is about as not judged.
    pub(crate) fn note(&self, call: &mut Call<'_, '_>) {
        if let Some(subject) = self.subject() {
            call.note_unknown(&subject);
        }
    }
}

/// What the descriptor of the called tool maps the name to: nothing, a term, or a text that was
/// not there (or no use) when the set was loaded.
fn mapped<'t>(
    path: &Path,
    mappings: &'t Mappings,
    call: &Call<'_, '_>,
) -> Option<Option<&'t Term>> {
    let text = call.facts?.descriptor?.attributes.get(&path.text)?;
    Some(mappings.get(text))
}

/// What looking through a value costs, in bytes: eight times its text.
fn searched(datum: &Datum<'_>) -> usize {
    let bytes = match datum {
        Datum::Json(value) => text_bytes(value),
        other => size(other),
    };
    bytes.saturating_mul(8)
}

/// The plain form of what a place is; a list of texts is the list of theirs.
fn plain(place: Place, got: Got<'_>) -> Got<'_> {
    if place == Place::Other {
        return got;
    }
    let datum = match got {
        Got::Value(Datum::Text(text)) => place.plain(text).map(Datum::Text),
        Got::Value(Datum::Json(Value::Array(items))) if items.len() <= limits::ELEMENTS_MAX => {
            let text = |item| match Got::json(item) {
                Got::Value(Datum::Text(text)) => place.plain(text),
                _ => None,
            };
            let texts: Option<Vec<_>> = items.iter().map(text).collect();
            texts.map(Datum::Texts)
        }
        other => return other,
    };
    datum.map_or(Got::Unknown, Got::Value)
}

fn default<'c, 't: 'c>(
    inner: &'t Term,
    literal: &'t Literal,
    call: &mut Call<'_, 'c>,
) -> Result<Got<'c>, Fault> {
    let mark = call.mark();
    Ok(match inner.value(call)? {
        Got::Missing | Got::Impossible => {
            call.forget_since(mark);
            Got::Value(literal.datum())
        }
        got => got,
    })
}
