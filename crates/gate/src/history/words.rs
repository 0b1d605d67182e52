//! Words that were read or said, and whether a value stands among them.
//!
//! `GB29NWBK60161331926819` stands in "please pay GB29 NWBK 6016 1331 9268 19"? No: only what was
//! said is known, not what it could mean. `50` stands in "I owe you 50.00 USD": numbers are
//! compared as decimals. `1` does not stand in `100`, nor `acme` in `acmeltd`: a value is whole words.
//!
//! Must not know: who said it.

use std::collections::HashSet;

use rust_decimal::Decimal;
use serde_json::Value;
use toolgate_model::searchable;

use super::dates::{self, Day};

/// Texts in searchable form, and the numbers and days in them.
#[derive(Clone, Debug, Default)]
pub struct Words {
    text: String,
    numbers: HashSet<Decimal>,
    days: HashSet<Day>,
    /// Short texts and numbers that stood alone.
    alone: HashSet<String>,
}

/// What separates two texts, so that nothing is found across them.
const BETWEEN: char = '\u{0}';

/// Characters from which on a text is too long to be met by chance.
const LONG_CHARS_MIN: usize = 4;

impl Words {
    /// The words of one text.
    pub fn of_text(text: &str) -> Self {
        let mut words = Self::default();
        words.add(text);
        words
    }

    /// The words of every text and number in the value, keys included.
    pub fn of_value(value: &Value) -> Self {
        let mut words = Self::default();
        words.add_value(value);
        words
    }

    /// Adds those of one more text, in which blanks separate what stands alone.
    pub fn add(&mut self, text: &str) {
        let text = searchable(text);
        let tokens = text.split_whitespace();
        let tokens = tokens.map(|token| token.trim_matches(is_around));
        self.alone.extend(tokens.filter_map(kept_alone));
        self.add_searchable(&text);
    }

    /// Adds a text that is a leaf of data: as a whole it stands alone.
    fn add_leaf(&mut self, text: &str) {
        let text = searchable(text);
        self.alone.extend(kept_alone(text.trim()));
        self.add_searchable(&text);
    }

    fn add_searchable(&mut self, text: &str) {
        self.numbers.extend(numbers(text));
        self.days.extend(dates::days(text));
        self.text.push_str(text);
        self.text.push(BETWEEN);
    }

    /// Adds those of one more value.
    pub fn add_value(&mut self, value: &Value) {
        // A text that is all there is was not taken apart by anybody.
        if let Value::String(text) = value {
            return self.add(text);
        }
        let mut rest = vec![value];
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => self.add_leaf(text),
                Value::Number(number) => self.add_leaf(number.as_str()),
                Value::Array(items) => rest.extend(items),
                Value::Object(members) => {
                    for (key, value) in members {
                        self.add_leaf(key);
                        rest.push(value);
                    }
                }
                Value::Null | Value::Bool(_) => {}
            }
        }
    }

    /// How many bytes they take, about.
    pub fn len(&self) -> usize {
        let short: usize = self.alone.iter().map(String::len).sum();
        self.text.len() + short + self.numbers.len() * size_of::<Decimal>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the value stands among them: a text as whole words, whatever the letter case; a
    /// number as a number; a day in whichever way it is written. What is neither stands nowhere.
    pub fn hold(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.hold_text(text),
            Value::Number(number) => self.hold_number(number.as_str()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// The same, but numbers and short texts only where they stood alone: `13` is no part of
    /// `13:00`. What lets a value pass must not be met by chance.
    pub fn hold_apart(&self, value: &Value) -> bool {
        match short(value) {
            Some(text) => self.alone.contains(&text),
            None => self.hold(value),
        }
    }

    fn hold_number(&self, text: &str) -> bool {
        decimal(text).is_some_and(|number| self.numbers.contains(&number.normalize()))
    }

    fn hold_text(&self, text: &str) -> bool {
        let wanted = searchable(text);
        let wanted = wanted.trim();
        if wanted.is_empty() {
            return false;
        }
        self.hold_whole(wanted)
            // A number that a tool wants as a text.
            || self.hold_number(wanted)
            || dates::iso(wanted).is_some_and(|day| day.is_among(&self.days))
    }

    fn hold_whole(&self, wanted: &str) -> bool {
        let finder = memchr::memmem::Finder::new(wanted);
        let bytes = self.text.as_bytes();
        finder.find_iter(bytes).any(|at| {
            let before = self
                .text
                .get(..at)
                .and_then(|text| text.chars().next_back());
            let after = self.text.get(at + wanted.len()..);
            let after = after.and_then(|text| text.chars().next());
            apart(before, wanted.chars().next()) && apart(wanted.chars().next_back(), after)
        })
    }
}

/// The one form of a value that is met by chance: a number, or a text of under four characters.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => kept_alone(number.as_str()),
        Value::String(text) => kept_alone(searchable(text).trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn kept_alone(text: &str) -> Option<String> {
    match decimal(text) {
        Some(number) => Some(number.normalize().to_string()),
        None if text.is_empty() || text.chars().count() >= LONG_CHARS_MIN => None,
        None => Some(text.to_owned()),
    }
}

/// What stands around a word in a sentence, amounts included.
fn is_around(c: char) -> bool {
    ",.;:!?()[]{}<>\"'`$€£%".contains(c)
}

/// Whether a word ends between these two.
fn apart(left: Option<char>, right: Option<char>) -> bool {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !(inside(left) && inside(right))
}

/// The decimals that stand in the text, `1,234.50` and `1234.5` alike.
fn numbers(text: &str) -> impl Iterator<Item = Decimal> + '_ {
    let part = |c: char| !(c.is_ascii_digit() || c == '.' || c == ',' || c == '-');
    text.split(part)
        .filter(|word| word.bytes().any(|byte| byte.is_ascii_digit()))
        .filter_map(decimal)
        .map(|number| number.normalize())
}

fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim_matches(['.', ',', '-']);
    // LIMIT: thirty digits; longer ones are identifiers and found as texts.
    if text.len() > 30 {
        return None;
    }
    let plain: String = match grouped(text) {
        true => text.replace(',', ""),
        false => text.to_owned(),
    };
    Decimal::from_str_exact(&plain).ok()
}

/// Whether every comma stands before three digits, as in `1,234,567.80`.
fn grouped(text: &str) -> bool {
    let whole = text.split('.').next().unwrap_or_default();
    let mut groups = whole.split(',').skip(1).peekable();
    groups.peek().is_some() && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::Words;
    use serde_json::json;

    #[test]
    fn whole_words_and_numbers_stand_in_a_text() {
        let words = Words::of_text("Please pay 1,250.00 to GB29NWBK, mail Ana@Acme.com\tby 5.");
        for value in [
            json!("gb29nwbk"),
            json!(1250),
            json!("1250.0"),
            json!(5),
            json!("ana@acme.com"),
        ] {
            assert!(words.hold(&value), "{value}");
        }
        for value in [
            json!("B29NWBK"),
            json!("nwbk"),
            json!(1),
            json!(250),
            json!(""),
            json!(null),
            json!(["5"]),
        ] {
            assert!(!words.hold(&value), "{value}");
        }
    }

    #[test]
    fn nothing_is_found_across_two_texts() {
        let words = Words::of_value(&json!({"a": ["new", "york"], "b": 7}));
        assert!(words.hold(&json!("york")) && words.hold(&json!(7)) && words.hold(&json!("b")));
        assert!(!words.hold(&json!("new york")) && !words.hold(&json!("newyork")));
    }

    #[test]
    fn disguises_are_undone_on_both_sides() {
        let words = Words::of_text("send it to ｅｖｉｌ@x\u{200b}.org");
        assert!(words.hold(&json!("evil@x.org")));
        assert!(Words::of_text("evil@x.org").hold(&json!("EVIL@x.org")));
    }

    #[test]
    fn what_could_be_met_by_chance_must_have_stood_alone() {
        let data =
            Words::of_value(&json!({"id": "13", "at": "13:07", "day": "2024-05-21", "n": 98.70}));
        for value in [
            json!("13"),
            json!(13),
            json!(98.7),
            json!("98.70"),
            json!("13:07"),
        ] {
            assert!(data.hold_apart(&value), "{value}");
        }
        for value in [
            json!("7"),
            json!(7),
            json!("21"),
            json!(2024),
            json!("at 13"),
        ] {
            assert!(!data.hold_apart(&value), "{value}");
        }
        let text = Words::of_text("Room 12 at 13:00, it costs $98.70.");
        assert!(text.hold_apart(&json!(12)) && text.hold_apart(&json!(98.7)));
        assert!(!text.hold_apart(&json!(13)) && text.hold(&json!(13)));
    }

    #[test]
    fn a_day_is_the_same_in_words_and_in_figures() {
        let words = Words::of_text("Book it from the 3rd of May 2024 to Sep. 14, please");
        for value in [
            json!("2024-05-03"),
            json!("2024-05-03T10:00"),
            json!("2025-09-14"),
        ] {
            assert!(words.hold(&value), "{value}");
        }
        for value in [
            json!("2023-05-03"),
            json!("2024-05-04"),
            json!("2024-03-05"),
        ] {
            assert!(!words.hold(&value), "{value}");
        }
    }
}
