//! Values of one call, and answers that may be neither true nor false.
//!
//! `amount > 500` is [`Answer::UNKNOWN`] when `amount` is missing, and [`Answer::IMPOSSIBLE`] when
//! the tool has no such argument: then neither it nor `not amount > 500` holds, because the rule
//! is about another tool (2-decision, 4).
//!
//! Must not know: rules, where values come from.

use std::borrow::Cow;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::Value;
use toolgate_model::{Duration, Risk, Truth};

use crate::{limits, number};

/// A value that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum<'c> {
    Text(Cow<'c, str>),
    Number(Decimal),
    Bool(bool),
    Risk(Risk),
    Date(Date),
    Duration(Duration),
    /// A list or a set of texts that the gate holds.
    Texts(Vec<Cow<'c, str>>),
    /// A list or an object of the arguments, or a thing whose presence is all there is to know.
    Json(&'c Value),
}

/// What looking for a value gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Got<'c> {
    Value(Datum<'c>),
    /// It could be there and is not, or it is null.
    Missing,
    /// It is there and cannot be judged: too long, not exact, merely claimed.
    Unknown,
    /// The tool has no such thing.
    Impossible,
}

impl<'c> Datum<'c> {
    pub(crate) fn text(text: &'c str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The list of these texts.
    pub(crate) fn texts<T: AsRef<str> + ?Sized + 'c>(
        texts: impl IntoIterator<Item = &'c T>,
    ) -> Self {
        let borrowed = |text: &'c T| Cow::Borrowed(text.as_ref());
        Self::Texts(texts.into_iter().map(borrowed).collect())
    }

    /// The list of these words.
    pub(crate) fn words(words: impl IntoIterator<Item = &'static str>) -> Self {
        Self::Texts(words.into_iter().map(Cow::Borrowed).collect())
    }

    /// How it is shown in an explanation, cut short.
    pub(crate) fn show(&self) -> String {
        let text = match self {
            Self::Text(text) => text.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Risk(risk) => risk.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Duration(duration) => duration.to_string(),
            Self::Texts(texts) => texts.join(", "),
            Self::Json(Value::Array(items)) => format!("a list of {}", items.len()),
            Self::Json(_) => "an object".to_owned(),
        };
        crate::source::shown(&text)
    }
}

impl<'c> Got<'c> {
    pub(crate) fn text(text: &'c str) -> Self {
        Self::Value(Datum::text(text))
    }

    pub(crate) fn optional(text: Option<&'c str>) -> Self {
        text.map_or(Self::Missing, Self::text)
    }

    /// An argument's value. A null says as little as no argument at all.
    pub(crate) fn json(value: &'c Value) -> Self {
        let datum = match value {
            Value::Null => return Self::Missing,
            Value::Bool(value) => Datum::Bool(*value),
            Value::Number(number) => match number::parse(number.as_str()) {
                Some(number) => Datum::Number(number),
                None => return Self::Unknown,
            },
            Value::String(text) if text.len() > limits::VALUE_BYTES_MAX => return Self::Unknown,
            Value::String(text) => Datum::text(text),
            Value::Array(_) | Value::Object(_) => Datum::Json(value),
        };
        Self::Value(datum)
    }
}

/// Whether a condition holds, and whether its negation does. For what the tool cannot have, both
/// are false; otherwise one is the other's opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) holds: Truth,
    pub(crate) fails: Truth,
}

impl Answer {
    pub(crate) const TRUE: Self = Self::of(Truth::True, Truth::False);
    pub(crate) const FALSE: Self = Self::of(Truth::False, Truth::True);
    pub(crate) const UNKNOWN: Self = Self::of(Truth::Unknown, Truth::Unknown);
    pub(crate) const IMPOSSIBLE: Self = Self::of(Truth::False, Truth::False);

    const fn of(holds: Truth, fails: Truth) -> Self {
        Self { holds, fails }
    }

    pub(crate) const fn known(value: bool) -> Self {
        if value { Self::TRUE } else { Self::FALSE }
    }

    pub(crate) const fn not(self) -> Self {
        Self::of(self.fails, self.holds)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self::of(self.holds.min(other.holds), self.fails.max(other.fails))
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self::of(self.holds.max(other.holds), self.fails.min(other.fails))
    }

    pub(crate) fn is_settled(self) -> bool {
        self.holds != Truth::Unknown && self.fails != Truth::Unknown
    }
}

/// Kleene's negation.
pub(crate) const fn opposite(truth: Truth) -> Truth {
    match truth {
        Truth::True => Truth::False,
        Truth::Unknown => Truth::Unknown,
        Truth::False => Truth::True,
    }
}
