//! Strict JSON: the only way text from outside becomes a value.
//!
//! Two readers of one text must never see two values, or the gate would judge one call and the
//! tool run another. So duplicate keys, lone surrogates, NaN, and numbers that binary floats
//! cannot carry round are refused *before* anything is hashed (4-interfaces, 5), and everything
//! is bounded. [`canonical`] is RFC 8785, for hashing only: messages are relayed as written.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::Digest;

/// Bounds on one document. Each has a name in the refusal.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole text.
    pub bytes_max: usize,
    /// Nesting of arrays and objects.
    pub depth_max: usize,
    /// Bytes of one string, after unescaping; keys too.
    pub string_bytes_max: usize,
}

impl Limits {
    /// What the interfaces promise by default (4-interfaces, 5): 1 MiB, 64 levels, 256 KiB.
    pub const CALL: Self = Self {
        bytes_max: 1 << 20,
        depth_max: 64,
        string_bytes_max: 256 << 10,
    };
    /// What an upstream may answer: 16 MiB, 128 levels, and strings up to the whole.
    pub const RESULT: Self = Self {
        bytes_max: 16 << 20,
        depth_max: 120,
        string_bytes_max: 16 << 20,
    };
}

/// Whether numbers outside the exact range are refused or carried as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Refuse what RFC 8785 could not hash without loss. For everything the gate judges.
    Exact,
    /// Keep the text. For results, which are relayed and never judged by value.
    Relay,
}

/// Why a text is not acceptable JSON.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JsonError {
    /// Longer than `bytes_max`.
    #[error("the text has {bytes} bytes, more than the {max} allowed")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not JSON, or JSON that two readers may read differently.
    #[error("{message} at line {line}, column {column}")]
    Malformed {
        /// What is wrong, in lower case.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
}

/// Parses `text` strictly.
///
/// # Errors
/// [`JsonError`] names what is wrong and where: length, depth, string length, duplicate keys,
/// lone surrogates, trailing text, and (with [`Numbers::Exact`]) numbers outside exact range.
///
/// ```
/// use toolgate_model::json::{parse, Limits, Numbers};
/// assert!(parse(br#"{"amount": 640.10}"#, Limits::CALL, Numbers::Exact).is_ok());
/// assert!(parse(br#"{"amount": 1, "amount": 900}"#, Limits::CALL, Numbers::Exact).is_err());
/// ```
pub fn parse(text: &[u8], limits: Limits, numbers: Numbers) -> Result<Value, JsonError> {
    if text.len() > limits.bytes_max {
        return Err(JsonError::TooLong {
            bytes: text.len(),
            max: limits.bytes_max,
        });
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    // INVARIANT: depth is bounded by `Strict` below, which refuses before it recurses.
    let strict = Strict {
        limits,
        numbers,
        depth: 0,
    };
    let value = strict
        .deserialize(&mut reader)
        .map_err(|error| malformed(&error))?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> JsonError {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
    JsonError::Malformed {
        message,
        line: error.line(),
        column: error.column(),
    }
}

#[derive(Clone, Copy)]
struct Strict {
    limits: Limits,
    numbers: Numbers,
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= self.limits.depth_max {
            return Err(E::custom(format_args!(
                "nesting deeper than {} levels",
                self.limits.depth_max
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn text<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.len() > self.limits.string_bytes_max {
            return Err(E::custom(format_args!(
                "a string of {} bytes, more than the {} allowed",
                text.len(),
                self.limits.string_bytes_max
            )));
        }
        Ok(())
    }

    fn number<E: de::Error>(self, number: Number) -> Result<Value, E> {
        if self.numbers == Numbers::Exact && !is_exact(number.as_str()) {
            return Err(E::custom(format_args!(
                "the number `{}` is outside exact range",
                number.as_str().chars().take(40).collect::<String>()
            )));
        }
        Ok(Value::Number(number))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// How serde_json hands over a number whose text it kept (feature `arbitrary_precision`).
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.number(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.number(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number that is not"))?;
        self.number(number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.text(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        let mut first = true;
        while let Some(key) = entries.next_key::<String>()? {
            if first && key == NUMBER_TOKEN {
                // A number arrives as a map with this one key. The same key written by a caller
                // would be taken for a number too, so its text must be one.
                let text: String = entries.next_value()?;
                let number = text
                    .parse()
                    .map_err(|_| de::Error::custom("a reserved key"))?;
                return self.number(number);
            }
            first = false;
            self.text(&key)?;
            if map.contains_key(&key) {
                let shown: String = key.chars().take(64).collect();
                return Err(de::Error::custom(format_args!(
                    "the key `{shown}` stands twice"
                )));
            }
            map.insert(key, entries.next_value_seed(inner)?);
        }
        Ok(Value::Object(map))
    }
}

/// Whether a JSON number survives the way through a binary double unchanged in value, which is
/// what RFC 8785 hashes: `640.10` does, `9007199254740993` and `1e400` do not.
pub fn is_exact(text: &str) -> bool {
    let Ok(double) = text.parse::<f64>() else {
        return false;
    };
    if !double.is_finite() {
        return false;
    }
    let mut buffer = ryu_js::Buffer::new();
    decimal_parts(text) == decimal_parts(buffer.format_finite(double))
}

/// Sign, significant digits without trailing zeros, and the power of ten of the last digit.
fn decimal_parts(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let kept = significant.trim_end_matches('0');
    if kept.is_empty() {
        return Some((false, String::new(), 0));
    }
    let dropped = i64::try_from(significant.len() - kept.len()).ok()?;
    let scale = i64::try_from(fraction.len()).ok()?;
    Some((
        negative,
        kept.to_owned(),
        exponent.checked_sub(scale)?.checked_add(dropped)?,
    ))
}

/// The canonical bytes of `value` (RFC 8785): keys sorted by UTF-16, shortest numbers, no space.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

/// The digest of the canonical bytes.
pub fn digest(value: &Value) -> Digest {
    Digest::of(canonical(value).as_bytes())
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (place, (key, item)) in entries.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
    }
}

fn write_number(number: &Number, out: &mut String) {
    match number.as_str().parse::<f64>() {
        Ok(double) if double.is_finite() && is_exact(number.as_str()) => {
            out.push_str(ryu_js::Buffer::new().format_finite(double));
        }
        // A number that doubles cannot carry never reaches here from a judged text; in a relayed
        // one its own text stands, so that two different numbers never share a digest.
        _ => out.push_str(number.as_str()),
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{9}' => out.push_str("\\t"),
            '\u{a}' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\u{d}' => out.push_str("\\r"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Follows a path such as `a.b` or `items[0].id`; `None` where a step is missing.
pub fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |here, step| {
        let (name, indices) = step.split_once('[').unwrap_or((step, ""));
        let here = if name.is_empty() {
            here
        } else {
            here.get(name)?
        };
        indices
            .split('[')
            .filter(|index| !index.is_empty())
            .try_fold(here, |here, index| {
                here.get(index.strip_suffix(']')?.parse::<usize>().ok()?)
            })
    })
}

/// Raw JSON text, kept exactly as it came.
pub type Raw = Box<RawValue>;

#[cfg(test)]
mod tests {
    use super::{Limits, Numbers, at, canonical, is_exact, parse};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let shown = match parse(text.as_bytes(), Limits::CALL, Numbers::Exact) {
            Ok(value) => canonical(&value),
            Err(error) => format!("error: {error}"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn canonical_form_sorts_by_utf16_and_shortens_numbers() {
        // The sample of RFC 8785, 3.2.2 and 3.2.3.
        check(
            r#"{"numbers":[333333333.3333333,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
            expect![[
                r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
            ]],
        );
        check(
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
            expect![[r#"{"\r":2,"1":4,"":6,"ö":7,"€":1,"😀":5,"דּ":3}"#]],
        );
    }

    #[test]
    fn what_two_readers_may_read_differently_is_refused() {
        check(
            r#"{"amount":1,"amount":900}"#,
            expect!["error: the key `amount` stands twice at line 1, column 20"],
        );
        check(
            r#"{"a":{"b":1,"\u0062":2}}"#,
            expect!["error: the key `b` stands twice at line 1, column 20"],
        );
        check(
            r#""\ud800""#,
            expect!["error: unexpected end of hex escape at line 1, column 8"],
        );
        check("NaN", expect!["error: expected value at line 1, column 1"]);
        check("[1,]", expect!["error: trailing comma at line 1, column 4"]);
        check(
            "{} {}",
            expect!["error: trailing characters at line 1, column 4"],
        );
        check(
            "9007199254740993",
            expect![
                "error: the number `9007199254740993` is outside exact range at line 1, column 16"
            ],
        );
        check(
            "[1e400]",
            expect!["error: the number `1e+400` is outside exact range at line 1, column 6"],
        );
        check(
            r#"{"$serde_json::private::Number":"x"}"#,
            expect!["error: a reserved key at line 1, column 36"],
        );
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        check(
            &deep,
            expect!["error: nesting deeper than 64 levels at line 1, column 65"],
        );
        let fits = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(parse(fits.as_bytes(), Limits::CALL, Numbers::Exact).is_ok());
        let long = format!("\"{}\"", "x".repeat((256 << 10) + 1));
        check(
            &long,
            expect![
                "error: a string of 262145 bytes, more than the 262144 allowed at line 1, column 262147"
            ],
        );
    }

    #[test]
    fn exact_means_equal_in_value_after_a_double() {
        for yes in [
            "0",
            "-0",
            "640.10",
            "1e2",
            "0.1",
            "9007199254740992",
            "5e-324",
            "1.0E+2",
        ] {
            assert!(is_exact(yes), "{yes}");
        }
        for no in [
            "9007199254740993",
            "0.10000000000000000001",
            "1e400",
            "1e-400",
        ] {
            assert!(!is_exact(no), "{no}");
        }
    }

    #[test]
    fn relayed_numbers_keep_their_text() {
        // Only an exponent gains its sign; results travel as raw text, never through here.
        let text = br#"{"n":123456789012345678901234567890,"e":1e+2}"#;
        let value = parse(text, Limits::RESULT, Numbers::Relay).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap().as_bytes(), text);
    }

    #[test]
    fn paths_reach_into_lists() {
        let value = serde_json::json!({"items": [{"id": "a"}, {"id": "b"}]});
        assert_eq!(at(&value, "items[1].id"), Some(&"b".into()));
        assert_eq!(at(&value, "items[2].id"), None);
        assert_eq!(at(&value, "items.id"), None);
    }
}
