//! Names and values of a query or a form, decoded once, in their order.
//!
//! `a=1&b=x+y` is `a` = `1` and `b` = `x y`. The same pair twice is one; a name with two values is
//! refused where it is no list, because one reader takes the first and another the last.
//!
//! Must not know: what the names mean.

use serde_json::{Map, Value};

use super::address::decode;
use super::refusal::Refusal;

/// LIMIT: a form of a payment with a hundred lines has about five hundred fields.
const PAIRS_MAX: usize = 1_000;

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads `name=value&…`; `place` is what the caller is told where that fails.
    ///
    /// # Errors
    /// A [`Refusal`] where an escape is broken, a name is empty, or `;` could be a separator.
    pub(super) fn read(text: &str, place: &str) -> Result<Self, Refusal> {
        if text.contains(';') {
            let what = "has a `;`, which some readers take for a separator: percent-encode it";
            return Err(Refusal::at(place, what));
        }
        let mut pairs = Vec::new();
        for piece in text.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let name = decode(&name.replace('+', " "), place)?;
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(Refusal::at(
                    place,
                    "has a name that is empty or not printable",
                ));
            }
            pairs.push((name, decode(&value.replace('+', " "), place)?));
        }
        Self::of(pairs, place)
    }

    /// These names and values, the same pair once.
    ///
    /// # Errors
    /// A [`Refusal`] where there are too many, or names differ only in letter case.
    pub(super) fn of(pairs: Vec<(String, String)>, place: &str) -> Result<Self, Refusal> {
        if pairs.len() > PAIRS_MAX {
            let what = format!("has more than the {PAIRS_MAX} fields allowed");
            return Err(Refusal::at(place, what));
        }
        let mut kept: Vec<(String, String)> = Vec::new();
        for pair in pairs {
            let alike = |other: &&(String, String)| other.0.eq_ignore_ascii_case(&pair.0);
            match kept.iter().find(alike) {
                Some(other) if other.0 != pair.0 => return Err(Refusal::twice(&pair.0)),
                _ if kept.contains(&pair) => {}
                _ => kept.push(pair),
            }
        }
        Ok(Self(kept))
    }

    /// The pairs in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Takes out the pairs of these names and tells which were there.
    pub(super) fn withhold(&mut self, names: &[&str]) -> Vec<String> {
        let is = |name: &str| names.iter().any(|secret| secret.eq_ignore_ascii_case(name));
        let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(name, _)| is(name));
        self.0 = kept;
        taken.into_iter().map(|(name, _)| name).collect()
    }

    /// As an object: names that end in `[]` and those of `lists` become lists.
    ///
    /// # Errors
    /// A [`Refusal`] that names what has two values and is no list.
    pub(super) fn object(&self, lists: &[&str]) -> Result<Map<String, Value>, Refusal> {
        let mut object = Map::new();
        for (name, value) in self.iter() {
            let bare = name.strip_suffix("[]");
            let key = bare.unwrap_or(name);
            match object.get_mut(key) {
                None if bare.is_some() => {
                    object.insert(key.to_owned(), Value::from(vec![value]));
                }
                None => {
                    object.insert(key.to_owned(), Value::from(value));
                }
                Some(Value::Array(items)) if bare.is_some() || lists.contains(&key) => {
                    items.push(Value::from(value));
                }
                Some(first) if lists.contains(&key) => {
                    *first = Value::from(vec![first.take(), Value::from(value)]);
                }
                Some(_) => return Err(Refusal::twice(key)),
            }
        }
        Ok(object)
    }

    /// Written again, with as few escapes as all readers agree on.
    pub(super) fn text(&self) -> String {
        let pieces = self.iter().map(|(name, value)| match value {
            "" => encoded(name),
            _ => format!("{}={}", encoded(name), encoded(value)),
        });
        pieces.collect::<Vec<_>>().join("&")
    }
}

fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'[')
        .remove(b']')
        .remove(b'/')
        .remove(b':')
        .remove(b'@')
        .remove(b',');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}
