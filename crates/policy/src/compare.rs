//! How two values are compared, and which two cannot be.
//!
//! Numbers, risks, days and durations have an order; texts have none, because `"1000"` stands
//! before `"500"`, which no author of a bound means. What cannot be compared is `None`, which
//! makes the condition unknown.
//!
//! Must not know: where the values come from.

use std::cmp::Ordering;

use jiff::civil::Date;
use serde_json::Value;

use crate::limits;
use crate::value::{Datum, Got};

/// A comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The left is in the list on the right.
    Within,
    /// The left, a text or a list, has the right in it.
    Contains,
    StartsWith,
    EndsWith,
}

impl Judge {
    /// Whether it holds; `None` where the two cannot be compared so.
    pub(crate) fn holds(self, left: &Datum<'_>, right: &Datum<'_>) -> Option<bool> {
        let ordered = |fits: fn(Ordering) -> bool| order(left, right).map(fits);
        match self {
            Self::Equal => same(left, right),
            Self::Less => ordered(Ordering::is_lt),
            Self::LessOrEqual => ordered(Ordering::is_le),
            Self::Greater => ordered(Ordering::is_gt),
            Self::GreaterOrEqual => ordered(Ordering::is_ge),
            Self::Within => member(right, left),
            Self::Contains => contains(left, right),
            Self::StartsWith => edge(left, right, |text, part| text.starts_with(part)),
            Self::EndsWith => edge(left, right, |text, part| text.ends_with(part)),
        }
    }
}

/// Whether two values are equal; `None` where they cannot be compared.
fn same(a: &Datum<'_>, b: &Datum<'_>) -> Option<bool> {
    match (a, b) {
        (Datum::Text(a), Datum::Text(b)) => Some(a == b),
        (Datum::Bool(a), Datum::Bool(b)) => Some(a == b),
        _ => Some(order(a, b)?.is_eq()),
    }
}

/// The order of two values; `None` where they have none.
fn order(a: &Datum<'_>, b: &Datum<'_>) -> Option<Ordering> {
    match (a, b) {
        (Datum::Number(a), Datum::Number(b)) => Some(a.cmp(b)),
        (Datum::Risk(a), Datum::Risk(b)) => Some(a.cmp(b)),
        (Datum::Date(a), Datum::Date(b)) => Some(a.cmp(b)),
        (Datum::Duration(a), Datum::Duration(b)) => Some(a.cmp(b)),
        (Datum::Text(a), Datum::Date(b)) => Some(date(a)?.cmp(b)),
        (Datum::Date(a), Datum::Text(b)) => Some(a.cmp(&date(b)?)),
        (Datum::Text(a), Datum::Duration(b)) => Some(a.parse().ok().map(|a| Ord::cmp(&a, b))?),
        (Datum::Duration(a), Datum::Text(b)) => Some(b.parse().ok().map(|b| a.cmp(&b))?),
        _ => None,
    }
}

/// The calendar day that a text writes, in the one form that has no second reading.
pub(crate) fn date(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok())?
}

fn contains(left: &Datum<'_>, right: &Datum<'_>) -> Option<bool> {
    match (left, right) {
        (Datum::Text(text), Datum::Text(part)) => Some(text.contains(part.as_ref())),
        _ => member(left, right),
    }
}

/// Whether the list has the element; `None` where an element that is not equal could not be
/// compared, or where it is no list.
fn member(list: &Datum<'_>, one: &Datum<'_>) -> Option<bool> {
    match list {
        Datum::Texts(texts) => match one {
            Datum::Text(one) => Some(texts.iter().any(|text| text == one)),
            _ => None,
        },
        Datum::Json(Value::Array(items)) => {
            let mut all_judged = true;
            for item in items {
                match Got::json(item) {
                    Got::Value(item) if same(&item, one) == Some(true) => return Some(true),
                    Got::Value(item) if same(&item, one) == Some(false) => {}
                    _ => all_judged = false,
                }
            }
            all_judged.then_some(false)
        }
        _ => None,
    }
}

fn edge(a: &Datum<'_>, b: &Datum<'_>, judge: fn(&str, &str) -> bool) -> Option<bool> {
    match (a, b) {
        (Datum::Text(a), Datum::Text(b)) => Some(judge(a, b)),
        _ => None,
    }
}

/// What comparing the value costs, in bytes.
pub(crate) fn size(datum: &Datum<'_>) -> usize {
    match datum {
        Datum::Text(text) => text.len(),
        Datum::Texts(texts) => texts.iter().map(|text| text.len()).sum(),
        Datum::Json(Value::Array(items)) => items.len().saturating_mul(limits::BYTES_PER_STEP),
        _ => 0,
    }
}
