//! Replaces what was found by placeholders that keep its type.
//!
//! `mail ana@acme.com or ANA at 4111 1111 1111 1111` becomes `mail [EMAIL_1] or ANA at
//! [CREDIT_CARD_1]`. Equal data has equal placeholders within one value, so that a reader can still
//! tell two addresses apart. A number that is data becomes a text; nothing else changes its type.
//!
//! Must not know: how anything is found, what rule wanted it replaced.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};
use toolgate_model::{DataClasses, Sanitized};

use crate::finding::{Finding, Part};

/// Steps of one dotted path. LIMIT: JSON is nested no deeper.
const NESTING_MAX: usize = 128;

/// The value with the findings of these classes replaced by typed placeholders, and what was
/// replaced where. Equal data has equal placeholders within the value. Findings that overlap are
/// replaced together, under the name of the longest.
///
/// ```
/// use serde_json::json;
/// use toolgate_detect::{Detector, redact};
///
/// let value = json!({"to": "ana@acme.com", "cc": ["bo@acme.com", "ana@acme.com"]});
/// let scan = Detector::builtin().scan(&value)?;
/// let (clean, replaced) = redact(&value, &scan.findings, &scan.classes());
/// assert_eq!(clean, json!({"to": "[EMAIL_1]", "cc": ["[EMAIL_2]", "[EMAIL_1]"]}));
/// assert_eq!(replaced.len(), 3);
/// # Ok::<(), toolgate_detect::TooLarge>(())
/// ```
pub fn redact(
    value: &Value,
    findings: &[Finding],
    classes: &DataClasses,
) -> (Value, Vec<Sanitized>) {
    let mut places: Places<'_> = BTreeMap::new();
    for finding in findings
        .iter()
        .filter(|finding| classes.contains(&finding.class))
    {
        places
            .entry((&finding.path, finding.part))
            .or_default()
            .push(finding);
    }
    let mut redaction = Redaction {
        places,
        names: Names::default(),
        replaced: Vec::new(),
    };
    let clean = redaction.value(value, &mut String::new());
    (clean, redaction.replaced)
}

/// The value with whole values at these dotted paths replaced by `[REDACTED]`, numbered where
/// several differ: `customer.email`, `items.0.note`, `*` for every element or key. A path that
/// leads nowhere replaces nothing.
pub fn redact_fields<'p>(
    value: &Value,
    paths: impl IntoIterator<Item = &'p str>,
) -> (Value, Vec<Sanitized>) {
    let mut clean = value.clone();
    let mut fields = Fields {
        names: Names::default(),
        replaced: Vec::new(),
    };
    for path in paths {
        let steps: Vec<&str> = path.split('.').take(NESTING_MAX).collect();
        fields.replace(&mut clean, &steps, &mut String::new());
    }
    (clean, fields.replaced)
}

type Places<'f> = BTreeMap<(&'f str, Part), Vec<&'f Finding>>;

/// Names for data: one for each kind and text.
#[derive(Debug, Default)]
struct Names {
    given: BTreeMap<(String, String), usize>,
    counts: BTreeMap<String, usize>,
}

impl Names {
    fn of(&mut self, kind: &str, text: &str) -> String {
        let count = self.counts.entry(kind.to_owned()).or_default();
        let number = self
            .given
            .entry((kind.to_owned(), text.to_owned()))
            .or_insert_with(|| {
                *count += 1;
                *count
            });
        format!("[{kind}_{number}]")
    }
}

#[derive(Debug)]
struct Redaction<'f> {
    places: Places<'f>,
    names: Names,
    replaced: Vec<Sanitized>,
}

impl Redaction<'_> {
    fn value(&mut self, value: &Value, path: &mut String) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text, path, Part::Value)),
            Value::Number(number) => {
                match self.places.contains_key(&(path.as_str(), Part::Value)) {
                    true => Value::String(self.text(&number.to_string(), path, Part::Value)),
                    false => value.clone(),
                }
            }
            Value::Array(items) => {
                let mut clean = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    clean.push(self.under(item, path, &index.to_string()));
                }
                Value::Array(clean)
            }
            Value::Object(members) => self.object(members, path),
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn object(&mut self, members: &Map<String, Value>, path: &mut String) -> Value {
        let mut clean = Map::with_capacity(members.len());
        for (key, member) in members {
            let token = key.replace('~', "~0").replace('/', "~1");
            let length = path.len();
            path.push('/');
            path.push_str(&token);
            let mut name = self.text(key, path, Part::Key);
            // A key that is written like a placeholder must not swallow another member.
            while name != *key && (members.contains_key(&name) || clean.contains_key(&name)) {
                name.push('_');
            }
            let value = self.value(member, path);
            path.truncate(length);
            clean.insert(name, value);
        }
        Value::Object(clean)
    }

    fn under(&mut self, value: &Value, path: &mut String, token: &str) -> Value {
        let length = path.len();
        path.push('/');
        path.push_str(token);
        let clean = self.value(value, path);
        path.truncate(length);
        clean
    }

    fn text(&mut self, text: &str, path: &str, part: Part) -> String {
        let Some(findings) = self.places.get(&(path, part)) else {
            return text.to_owned();
        };
        let mut clean = String::with_capacity(text.len());
        let mut copied = 0;
        for (at, kind) in merged(findings, text) {
            let (Some(before), Some(data)) = (text.get(copied..at.start), text.get(at.clone()))
            else {
                continue;
            };
            clean.push_str(before);
            clean.push_str(&self.names.of(kind, data));
            copied = at.end;
            self.replaced.push(Sanitized {
                kind: kind.to_owned(),
                path: path.to_owned(),
            });
        }
        clean.push_str(text.get(copied..).unwrap_or_default());
        clean
    }
}

/// The ranges that the findings cover, each under the name of the longest finding in it.
fn merged<'f>(findings: &[&'f Finding], text: &str) -> Vec<(Range<usize>, &'f str)> {
    let mut sorted: Vec<&Finding> = findings.to_vec();
    sorted.sort_by_key(|finding| (finding.at.start, std::cmp::Reverse(finding.at.end)));
    let mut ranges: Vec<(Range<usize>, &str, usize)> = Vec::new();
    for finding in sorted {
        let start = text.floor_char_boundary(finding.at.start);
        let end = text.ceil_char_boundary(finding.at.end);
        match ranges.last_mut() {
            Some((range, kind, longest)) if start < range.end => {
                range.end = range.end.max(end);
                if end - start > *longest {
                    (*kind, *longest) = (&finding.kind, end - start);
                }
            }
            _ if start < end => ranges.push((start..end, &finding.kind, end - start)),
            _ => {}
        }
    }
    ranges
        .into_iter()
        .map(|(range, kind, _)| (range, kind))
        .collect()
}

#[derive(Debug)]
struct Fields {
    names: Names,
    replaced: Vec<Sanitized>,
}

/// The kind of what is replaced because its place was named.
const FIELD: &str = "REDACTED";

impl Fields {
    fn replace(&mut self, value: &mut Value, steps: &[&str], path: &mut String) {
        let Some((step, rest)) = steps.split_first() else {
            self.replace_here(value, path);
            return;
        };
        match value {
            Value::Object(members) => {
                // A key may hold dots itself: `{"a.b": 1}` is what `a.b` names, too.
                let whole = steps.join(".");
                if let Some(member) = members.get_mut(&whole).filter(|_| !rest.is_empty()) {
                    self.step(member, &[], path, &whole);
                }
                for (key, member) in members
                    .iter_mut()
                    .filter(|(key, _)| *step == "*" || key == step)
                {
                    self.step(member, rest, path, key);
                }
            }
            Value::Array(items) => self.elements(items, steps, path),
            _ => {}
        }
    }

    /// Elements by number or all; without either, the path goes on in every element.
    fn elements(&mut self, items: &mut [Value], steps: &[&str], path: &mut String) {
        let Some((step, rest)) = steps.split_first() else {
            return;
        };
        let number: Option<usize> = step.parse().ok();
        for (index, item) in items.iter_mut().enumerate() {
            match number {
                Some(wanted) if wanted == index => self.step(item, rest, path, &index.to_string()),
                Some(_) => {}
                None if *step == "*" => self.step(item, rest, path, &index.to_string()),
                None => self.step(item, steps, path, &index.to_string()),
            }
        }
    }

    fn step(&mut self, value: &mut Value, rest: &[&str], path: &mut String, token: &str) {
        let length = path.len();
        path.push('/');
        path.push_str(&token.replace('~', "~0").replace('/', "~1"));
        self.replace(value, rest, path);
        path.truncate(length);
    }

    fn replace_here(&mut self, value: &mut Value, path: &str) {
        let done = self.replaced.iter().any(|one| one.path == path);
        if value.is_null() || done {
            return;
        }
        let name = self.names.of(FIELD, &value.to_string());
        *value = Value::String(name);
        self.replaced.push(Sanitized {
            kind: FIELD.to_owned(),
            path: path.to_owned(),
        });
    }
}
