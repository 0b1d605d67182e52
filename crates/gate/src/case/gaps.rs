//! Ways around a rule, tried out: variants of a case's call that would be answered more mildly.
//!
//! A case shows that `amount: 640` waits for approval. Does it still when `amount` is left out, is
//! `"640"` or `[640]`, when `recipient` is a list, when the path has a `..` in it, when letters are
//! full-width? Whatever comes out milder than the case itself is reported; a person judges whether
//! the tool would take it for the same thing.
//!
//! Must not know: which rule a variant gets around.

use serde::Serialize;
use serde_json::{Map, Value, json};
use toolgate_model::{Span, Verdict};

use super::run::Runner;
use super::written::Case;

/// LIMIT: what one call is varied in; a call of a thousand arguments is tried in its first ones.
const ARGUMENTS_MAX: usize = 50;

/// A variant of a case that is answered more mildly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// The case.
    pub case: String,
    /// The file or document it stands in.
    pub file: String,
    /// Where in it.
    pub span: Option<Span>,
    /// Which argument was varied, as a JSON pointer.
    pub argument: String,
    /// How: `left out`, `as a text`, …
    pub variant: &'static str,
    /// What stood there instead; null where it was left out.
    pub value: Value,
    /// The case's own verdict.
    pub verdict: Verdict,
    /// The milder one.
    pub milder: Verdict,
}

/// The gaps of one case; none where the case's call is let through anyway.
pub fn gaps(runner: &Runner<'_>, case: &Case) -> Vec<Gap> {
    let verdict = runner.answered(case).decision.verdict;
    let Value::Object(arguments) = case.call.arguments() else {
        return Vec::new();
    };
    if verdict == Verdict::Allow || case.call.http.is_some() || case.result.is_some() {
        return Vec::new();
    }
    let mut gaps = Vec::new();
    for pointer in leaves(&Value::Object(arguments.clone())) {
        for (variant, value) in variants(&arguments, &pointer) {
            let Some(varied) = with(&arguments, &pointer, value.clone()) else {
                continue;
            };
            let tried = Case {
                call: case.call.with_arguments(varied),
                ..case.clone()
            };
            let milder = runner.answered(&tried).decision.verdict;
            if milder < verdict {
                gaps.push(Gap {
                    case: case.name.clone(),
                    file: case.file.clone(),
                    span: case.span,
                    argument: pointer.clone(),
                    variant,
                    value: value.unwrap_or(Value::Null),
                    verdict,
                    milder,
                });
            }
        }
    }
    gaps
}

/// The pointers of everything that is no object, lists and their elements both.
fn leaves(arguments: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = vec![(String::new(), arguments)];
    while let Some((pointer, value)) = rest.pop() {
        match value {
            Value::Object(members) => rest.extend(members.iter().map(|(key, value)| {
                let key = key.replace('~', "~0").replace('/', "~1");
                (format!("{pointer}/{key}"), value)
            })),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                rest.extend(items.map(|(place, value)| (format!("{pointer}/{place}"), value)));
                found.push(pointer);
            }
            _ => found.push(pointer),
        }
    }
    found.sort();
    found.truncate(ARGUMENTS_MAX);
    found
}

/// What is tried instead of the value; none leaves it out.
fn variants(arguments: &Map<String, Value>, pointer: &str) -> Vec<(&'static str, Option<Value>)> {
    let whole = Value::Object(arguments.clone());
    let Some(value) = whole.pointer(pointer) else {
        return Vec::new();
    };
    let mut tried = vec![
        ("left out", None),
        ("null", Some(Value::Null)),
        ("in a list", Some(json!([value]))),
        ("in an object", Some(json!({"value": value}))),
    ];
    match value {
        Value::String(text) => tried.extend(texts(text)),
        Value::Number(number) => {
            let plain = number.to_string();
            tried.push(("as a text", Some(json!(plain))));
            tried.push((
                "as a text with a currency",
                Some(json!(format!("${plain}"))),
            ));
            tried.push((
                "as a text with an exponent",
                Some(json!(format!("{plain}e0"))),
            ));
        }
        Value::Bool(flag) => tried.push(("as a text", Some(json!(flag.to_string())))),
        _ => {}
    }
    tried.retain(|(_, other)| other.as_ref() != Some(value));
    tried
}

fn texts(text: &str) -> Vec<(&'static str, Option<Value>)> {
    let mut tried = vec![
        ("in upper case", text.to_uppercase()),
        ("in lower case", text.to_lowercase()),
        ("in full-width letters", full_width(text)),
        ("with a zero-width space inside", split_by(text, "\u{200b}")),
        ("with spaces around", format!(" {text} ")),
    ];
    if text.contains('/') {
        tried.push(("with `/./`", text.replacen('/', "/./", 1)));
        tried.push(("with a detour", text.replacen('/', "/x/../", 1)));
        tried.push(("with doubled slashes", text.replace('/', "//")));
        tried.push(("with `%2f`", text.replace('/', "%2f")));
        tried.push(("with backslashes", text.replace('/', "\\")));
    }
    let split = match text.split_once('@') {
        Some((name, domain)) if !domain.is_empty() => {
            tried.push(("with a dot at the end", format!("{text}.")));
            tried.push(("with a display name", format!("{name} <{text}>")));
            Some(json!([text, text]))
        }
        _ => None,
    };
    let mut all: Vec<_> = tried
        .into_iter()
        .map(|(name, text)| (name, Some(json!(text))))
        .collect();
    all.extend(split.map(|list| ("as a list of two", Some(list))));
    all
}

fn full_width(text: &str) -> String {
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
        c => c,
    };
    text.chars().map(wide).collect()
}

fn split_by(text: &str, separator: &str) -> String {
    let middle = text.char_indices().nth(text.chars().count() / 2);
    match middle {
        Some((at, _)) if at > 0 => {
            let (head, tail) = text.split_at(at);
            format!("{head}{separator}{tail}")
        }
        _ => text.to_owned(),
    }
}

/// The arguments with another value at the pointer, or without it.
fn with(
    arguments: &Map<String, Value>,
    pointer: &str,
    value: Option<Value>,
) -> Option<Map<String, Value>> {
    let mut whole = Value::Object(arguments.clone());
    match value {
        Some(value) => *whole.pointer_mut(pointer)? = value,
        None => {
            let (outer, last) = pointer.rsplit_once('/')?;
            let key = last.replace("~1", "/").replace("~0", "~");
            match whole.pointer_mut(outer)? {
                Value::Object(members) => drop(members.remove(&key)),
                Value::Array(items) => {
                    let place: usize = key.parse().ok().filter(|place| *place < items.len())?;
                    items.remove(place);
                }
                _ => return None,
            }
        }
    }
    match whole {
        Value::Object(members) => Some(members),
        _ => None,
    }
}
