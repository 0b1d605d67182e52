//! Terms: the parts of a checked expression that have a value.
//!
//! `args.amount`, `default(env, prod)`, `lower(channel)`, `amount * 2`. A bare `amount` is what the
//! tool's descriptor maps `amount` to, and where it maps nothing, the argument of that name.
//!
//! Must not know: comparisons, rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use rust_decimal::Decimal;
use toolgate_model::{Duration, Risk};

use crate::call::Call;
use crate::facts::{Attribute, Type};
use crate::language::Arithmetic;
use crate::number;
use crate::path::Path;
use crate::ruling::Fault;
use crate::schema::Shape;
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
    /// A name that a descriptor may map, and that is an argument where it does not.
    Mapped {
        path: Path,
        mappings: Arc<Mappings>,
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
}

pub(crate) type Function = for<'c> fn(Datum<'c>) -> Option<Datum<'c>>;

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
            Self::Argument(_) | Self::Entity(_) | Self::Mapped { .. } | Self::Local { .. } => {
                Type::Any
            }
            Self::Default(inner, _) => inner.kind(),
            Self::Apply { gives, .. } => *gives,
            Self::Arithmetic { .. } => Type::Number,
        }
    }

    /// The attribute or argument that it is about; `None` for constants.
    pub(crate) fn subject(&self) -> Option<String> {
        match self {
            Self::Literal(_) => None,
            Self::Attribute(attribute) => Some(attribute.name.to_owned()),
            Self::Argument(path) => Some(format!("args.{}", path.text)),
            Self::Entity(path) => Some(format!("entity.{}", path.text)),
            Self::Mapped { path, .. } => Some(format!("args.{}", path.text)),
            Self::Local { path, .. } => Some(path.text.clone()),
            Self::Default(inner, _) => inner.subject(),
            Self::Apply { to, .. } => to.subject(),
            Self::Arithmetic { left, right, .. } => left.subject().or_else(|| right.subject()),
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
            Self::Attribute(attribute) => call.attribute(attribute),
            Self::Argument(path) => call.argument(&path.steps),
            Self::Entity(path) => call.entity(&path.steps),
            Self::Mapped { path, mappings } => match mapped(path, mappings, call) {
                Some(Some(term)) => return term.value(call),
                Some(None) => Got::Unknown,
                None => call.argument(&path.steps),
            },
            Self::Local { slot, path } => call.local(*slot, path.tail()),
            Self::Default(inner, literal) => return default(inner, literal, call),
            Self::Apply { apply, to, .. } => {
                let got = to.value(call)?;
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
    pub(crate) fn exists(&self, call: &mut Call<'_, '_>) -> Result<bool, Fault> {
        let mark = call.mark();
        let got = match self {
            // A mapping's value lives as long as the set, so it is asked for in its own scope.
            Self::Mapped { path, mappings } => match mapped(path, mappings, call) {
                Some(Some(term)) => return term.exists(call),
                Some(None) => return Ok(true),
                None => call.argument(&path.steps),
            },
            Self::Attribute(attribute) => call.attribute(attribute),
            Self::Argument(path) => call.argument(&path.steps),
            Self::Entity(path) => call.entity(&path.steps),
            Self::Local { slot, path } => call.local(*slot, path.tail()),
            Self::Default(..) | Self::Literal(_) => return Ok(true),
            Self::Apply { to, .. } => return to.exists(call),
            Self::Arithmetic { left, right, .. } => {
                return Ok(left.exists(call)? && right.exists(call)?);
            }
        };
        call.meter.spend(1)?;
        call.forget_since(mark);
        Ok(matches!(got, Got::Value(_) | Got::Unknown))
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
