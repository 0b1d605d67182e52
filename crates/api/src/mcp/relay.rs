//! A tool's own answer on its way to the client: the same bytes, with the gate's `_meta` in it.
//!
//! `{"content":[],"n":1e2}` becomes `{"_meta":{…},"content":[],"n":1e2}`: the text is spliced, not
//! written anew, so that key order, numbers and fields nobody here knows stay as they are. Entries
//! of `_meta` that claim to be the gate's are taken out, or a tool could forge a decision.
//!
//! Must not know: invocations.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::era::Era;

/// The prefix of keys that only the gate writes.
const OWN_PREFIX: &str = "dev.toolgate/";

/// Why an answer cannot be relayed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(String);

/// The fields of one object, each with the place of its value in the text.
struct Fields<'t> {
    text: &'t str,
    values: Vec<(String, &'t RawValue)>,
}

/// The result with `meta` merged into its `_meta`, and what the era wants beside it.
pub(super) fn merged(result: &str, meta: &Map<String, Value>, era: Era) -> Result<String, Unfit> {
    let fields = Fields::read(result)?;
    let merged = match fields.get("_meta") {
        Some(given) => with_own(given, meta)?,
        None => Value::Object(meta.clone()).to_string(),
    };
    let mut front = String::new();
    if era == Era::Modern && fields.get("resultType").is_none() {
        front.push_str(r#""resultType":"complete","#);
    }
    let spliced = match fields.get("_meta").map(|value| fields.place(value)) {
        Some(place) => splice(result, (place, &merged), &front),
        None => {
            front.push_str(&format!(r#""_meta":{merged}"#));
            if !fields.values.is_empty() {
                front.push(',');
            }
            splice(result, (0..0, ""), &front)
        }
    };
    // A message is one line on stdio and in an event; outside strings JSON means the same so.
    Ok(spliced.replace(['\r', '\n'], " "))
}

/// `_meta` as the tool wrote it, without what is not its to say, and with what is the gate's.
fn with_own(given: &RawValue, meta: &Map<String, Value>) -> Result<String, Unfit> {
    let fields = Fields::read(given.get())?;
    let theirs = fields
        .values
        .iter()
        .filter(|(key, _)| !key.starts_with(OWN_PREFIX) && !meta.contains_key(key))
        .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), value.get()));
    let ours = meta
        .iter()
        .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())));
    let all: Vec<String> = theirs.chain(ours).collect();
    Ok(format!("{{{}}}", all.join(",")))
}

/// The text with one range replaced, and `front` as the first thing in the object.
fn splice(text: &str, (place, with): (Range<usize>, &str), front: &str) -> String {
    let open = text.find('{').map_or(0, |brace| brace + 1);
    let (head, rest) = text.split_at(open);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    if place.is_empty() {
        return format!("{head}{front}{rest}");
    }
    let (before, after) = (part(open, place.start), part(place.end, text.len()));
    format!("{head}{front}{before}{with}{after}")
}

impl<'t> Fields<'t> {
    fn read(text: &'t str) -> Result<Self, Unfit> {
        let unfit = |error: serde_json::Error| Unfit(error.to_string());
        let mut reader = serde_json::Deserializer::from_str(text);
        let values = reader.deserialize_map(FieldsVisitor).map_err(unfit)?;
        reader.end().map_err(unfit)?;
        Ok(Self { text, values })
    }

    fn get(&self, name: &str) -> Option<&'t RawValue> {
        self.values
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }

    /// Where a value stands. It is borrowed from the text, so its address says it.
    fn place(&self, value: &RawValue) -> Range<usize> {
        let start = value.get().as_ptr().addr() - self.text.as_ptr().addr();
        start..start + value.get().len()
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            if fields.iter().any(|(known, _)| *known == key) {
                // Which of the two counts is up to the reader, so neither is passed on.
                return Err(de::Error::custom("a key stands twice"));
            }
            fields.push((key, entries.next_value()?));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::merged;
    use crate::mcp::era::Era;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    const LEGACY: Era = Era::Legacy("2025-11-25");

    fn check(result: &str, era: Era, expected: Expect) {
        let Value::Object(meta) = json!({"dev.toolgate/invocation-id": "inv_1"}) else {
            panic!()
        };
        expected.assert_eq(&match merged(result, &meta, era) {
            Ok(text) => text,
            Err(error) => format!("unfit: {error}"),
        });
    }

    #[test]
    fn everything_but_meta_stays_byte_for_byte() {
        check(
            r#"{"zeta": 1e2, "content":[{"type":"hologram","n":123456789012345678901234567890.10}] ,"isError":false,"alpha":{"b":1,"a":2}}"#,
            LEGACY,
            expect![[
                r#"{"_meta":{"dev.toolgate/invocation-id":"inv_1"},"zeta": 1e2, "content":[{"type":"hologram","n":123456789012345678901234567890.10}] ,"isError":false,"alpha":{"b":1,"a":2}}"#
            ]],
        );
        check(
            "{}",
            LEGACY,
            expect![[r#"{"_meta":{"dev.toolgate/invocation-id":"inv_1"}}"#]],
        );
        check(
            r#" { "content" : [ ] , "_meta" : { "v" : 1E5 } , "z":0 }"#,
            LEGACY,
            expect![[
                r#" { "content" : [ ] , "_meta" : {"v":1E5,"dev.toolgate/invocation-id":"inv_1"} , "z":0 }"#
            ]],
        );
    }

    #[test]
    fn a_tool_cannot_speak_for_the_gate() {
        check(
            r#"{"_meta":{"dev.toolgate/outcome":{"success":true},"dev.toolgate/invocation-id":"inv_9","ok":1}}"#,
            LEGACY,
            expect![[r#"{"_meta":{"ok":1,"dev.toolgate/invocation-id":"inv_1"}}"#]],
        );
        check(
            r#"{"_meta":{},"content":[],"_meta":{"dev.toolgate/outcome":{}}}"#,
            LEGACY,
            expect!["unfit: a key stands twice at line 1 column 32"],
        );
        check(
            r#"{"\u005fmeta":{"\u0064ev.toolgate/outcome":{}}}"#,
            LEGACY,
            expect![[r#"{"\u005fmeta":{"dev.toolgate/invocation-id":"inv_1"}}"#]],
        );
    }

    #[test]
    fn the_modern_era_is_told_that_a_result_is_complete() {
        check(
            r#"{"content":[]}"#,
            Era::Modern,
            expect![[
                r#"{"resultType":"complete","_meta":{"dev.toolgate/invocation-id":"inv_1"},"content":[]}"#
            ]],
        );
        check(
            r#"{"_meta":{"a":1},"resultType":"complete"}"#,
            Era::Modern,
            expect![[
                r#"{"_meta":{"a":1,"dev.toolgate/invocation-id":"inv_1"},"resultType":"complete"}"#
            ]],
        );
    }

    #[test]
    fn a_result_is_one_line() {
        check(
            "{\n \"content\": [\r\n] }",
            LEGACY,
            expect![[r#"{"_meta":{"dev.toolgate/invocation-id":"inv_1"},  "content": [  ] }"#]],
        );
    }

    #[test]
    fn what_is_no_object_is_not_relayed() {
        for text in ["[]", "1", "null", "{", "{} {}", r#"{"_meta":7}"#] {
            let Value::Object(meta) = json!({}) else {
                panic!()
            };
            assert!(merged(text, &meta, LEGACY).is_err(), "{text}");
        }
    }
}
