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

/// Texts in searchable form, and the numbers in them.
#[derive(Clone, Debug, Default)]
pub struct Words {
    text: String,
    numbers: HashSet<Decimal>,
}

/// What separates two texts, so that nothing is found across them.
const BETWEEN: char = '\u{0}';

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

    /// Adds those of one more text.
    pub fn add(&mut self, text: &str) {
        let text = searchable(text);
        self.numbers.extend(numbers(&text));
        self.text.push_str(&text);
        self.text.push(BETWEEN);
    }

    /// Adds those of one more value.
    pub fn add_value(&mut self, value: &Value) {
        let mut rest = vec![value];
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => self.add(text),
                Value::Number(number) => self.add(number.as_str()),
                Value::Array(items) => rest.extend(items),
                Value::Object(members) => {
                    for (key, value) in members {
                        self.add(key);
                        rest.push(value);
                    }
                }
                Value::Null | Value::Bool(_) => {}
            }
        }
    }

    /// How many bytes they take.
    pub fn len(&self) -> usize {
        self.text.len() + self.numbers.len() * size_of::<Decimal>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the value stands among them: a text as whole words, whatever the letter case and
    /// the spaces between; a number as a number. What is neither stands nowhere.
    pub fn hold(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.hold_text(text),
            Value::Number(number) => decimal(number.as_str())
                .is_some_and(|number| self.numbers.contains(&number.normalize())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        }
    }

    fn hold_text(&self, text: &str) -> bool {
        let wanted = searchable(text);
        let wanted = wanted.trim();
        if wanted.is_empty() {
            return false;
        }
        if self.hold_whole(wanted) {
            return true;
        }
        // A number that a tool wants as a text.
        decimal(wanted).is_some_and(|number| self.numbers.contains(&number.normalize()))
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
}
