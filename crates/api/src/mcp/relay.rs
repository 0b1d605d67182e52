//! A server's own answer on its way to the client: the same bytes, with the gate's `_meta` in it.
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
use toolgate_model::json::{self, Limits, Numbers};

use super::era::Era;

/// The prefix of keys that only the gate writes.
const OWN_PREFIX: &str = "dev.toolgate/";

/// Whether only the gate may write this key of `_meta`.
pub(super) fn is_own(key: &str) -> bool {
    key.starts_with(OWN_PREFIX)
}

/// Why an answer cannot be relayed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(String);

/// The fields of one object, each with the place of its value in the text.
struct Fields<'t> {
    text: &'t str,
    values: Vec<(String, &'t RawValue)>,
}

/// A field that the modern era wants in a result.
struct Wanted {
    name: &'static str,
    value: &'static str,
    /// Whether it is the gate's to say, whatever the server says.
    own: bool,
}

const COMPLETE: Wanted = Wanted {
    name: "resultType",
    value: r#""complete""#,
    own: false,
};

/// What every result wants.
const EVERY: &[Wanted] = &[COMPLETE];

/// What a result wants that clients may keep. What one identity may read is for it alone.
const KEPT: &[Wanted] = &[
    COMPLETE,
    Wanted {
        name: "ttlMs",
        value: "0",
        own: false,
    },
    Wanted {
        name: "cacheScope",
        value: r#""private""#,
        own: true,
    },
];

/// The result with `meta` merged into its `_meta`, and what the era wants beside it.
pub(super) fn merged(result: &str, meta: &Map<String, Value>, era: Era) -> Result<String, Unfit> {
    dressed(result, meta, (era, EVERY))
}

/// The same for a result that clients may keep for a while.
pub(super) fn merged_kept(
    result: &str,
    meta: &Map<String, Value>,
    era: Era,
) -> Result<String, Unfit> {
    dressed(result, meta, (era, KEPT))
}

/// The code of a server's error object, and the object on one line: as it was written, but for
/// what is not the server's to say, and for a code that `recoded` writes as another. Where its data
/// has room for it, `own` stands in it.
pub(super) fn error(
    text: &str,
    own: &Map<String, Value>,
    recoded: impl FnOnce(i64) -> i64,
) -> Result<(i64, String), Unfit> {
    let unfit = |why: &str| Unfit(why.to_owned());
    json::parse(text.as_bytes(), Limits::RESULT, Numbers::Relay)
        .map_err(|error| Unfit(error.to_string()))?;
    let fields = Fields::read(text)?;
    let written = fields
        .get("code")
        .filter(|code| code.get().parse::<i64>().is_ok());
    let written = written.ok_or_else(|| unfit("`code` is no whole number"))?;
    let code = recoded(written.get().parse().unwrap_or_default());
    if !fields
        .get("message")
        .is_some_and(|message| message.get().starts_with('"'))
    {
        return Err(unfit("`message` is no text"));
    }
    let mut edits = vec![(fields.place(written), code.to_string())];
    edits.extend(match fields.get("data") {
        Some(data) if data.get().starts_with('{') => {
            Some((fields.place(data), with_own(data, own)?))
        }
        Some(_) => None,
        None => {
            let end = text.rfind('}').unwrap_or(text.len());
            let data = format!(r#","data":{}"#, Value::Object(own.clone()));
            Some((end..end, data))
        }
    });
    Ok((code, spliced(text, edits)))
}

fn dressed(
    result: &str,
    meta: &Map<String, Value>,
    (era, wanted): (Era, &[Wanted]),
) -> Result<String, Unfit> {
    let fields = Fields::read(result)?;
    let (mut front, mut edits) = (Vec::new(), Vec::new());
    for Wanted { name, value, own } in wanted.iter().filter(|_| era == Era::Modern) {
        match fields.get(name) {
            None => front.push(format!(r#""{name}":{value}"#)),
            Some(given) if *own => edits.push((fields.place(given), (*value).to_owned())),
            Some(_) => {}
        }
    }
    match fields.get("_meta") {
        Some(given) => edits.push((fields.place(given), with_own(given, meta)?)),
        None => front.push(format!(r#""_meta":{}"#, Value::Object(meta.clone()))),
    }
    let open = result.find('{').map_or(0, |brace| brace + 1);
    let mut first = front.join(",");
    if !first.is_empty() && !fields.values.is_empty() {
        first.push(',');
    }
    edits.push((open..open, first));
    Ok(spliced(result, edits))
}

/// `_meta` as the tool wrote it, without what is not its to say, and with what is the gate's.
fn with_own(given: &RawValue, meta: &Map<String, Value>) -> Result<String, Unfit> {
    let fields = Fields::read(given.get())?;
    let theirs = fields
        .values
        .iter()
        .filter(|(key, _)| !is_own(key) && !meta.contains_key(key))
        .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), value.get()));
    let ours = meta
        .iter()
        .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())));
    let all: Vec<String> = theirs.chain(ours).collect();
    Ok(format!("{{{}}}", all.join(",")))
}

/// The text with these ranges, none of which meet, replaced; on one line.
fn spliced(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(place, _)| place.start);
    let (mut out, mut at) = (String::new(), 0);
    for (place, with) in edits {
        out.push_str(text.get(at..place.start).unwrap_or_default());
        out.push_str(&with);
        at = place.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    // A message is one line on stdio and in an event; outside strings JSON means the same so.
    out.replace(['\r', '\n'], " ")
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
    use super::{error, merged, merged_kept};
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
    fn what_may_be_kept_is_kept_by_whoever_asked_alone() {
        let Value::Object(meta) = json!({"m": 1}) else {
            panic!()
        };
        let dressed = |text| merged_kept(text, &meta, Era::Modern).unwrap();
        expect![[
            r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"m":1},"contents":[ 1e2 ]}"#
        ]]
        .assert_eq(&dressed(r#"{"contents":[ 1e2 ]}"#));
        expect![[
            r#"{"resultType":"complete","_meta":{"m":1},"cacheScope": "private", "contents":[],"ttlMs":5}"#
        ]]
        .assert_eq(&dressed(r#"{"cacheScope": "public", "contents":[],"ttlMs":5}"#));
        let legacy = merged_kept(r#"{"cacheScope":"public"}"#, &meta, LEGACY).unwrap();
        assert_eq!(legacy, r#"{"_meta":{"m":1},"cacheScope":"public"}"#);
    }

    #[test]
    fn an_error_goes_out_as_it_was_written() {
        let Value::Object(own) = json!({"dev.toolgate/invocation-id": "inv_1"}) else {
            panic!()
        };
        let check = |text: &str, expected: Expect| {
            expected.assert_eq(&match error(text, &own, |code| {
                if code == -32_002 { -32_602 } else { code }
            }) {
                Ok((code, text)) => format!("{code} {text}"),
                Err(unfit) => format!("unfit: {unfit}"),
            });
        };
        check(
            r#"{"data":{"z":1E5,"dev.toolgate/outcome":{"success":true},"a":[]}, "code":-32021,"message":"no"}"#,
            expect![[
                r#"-32021 {"data":{"z":1E5,"a":[],"dev.toolgate/invocation-id":"inv_1"}, "code":-32021,"message":"no"}"#
            ]],
        );
        check(
            r#"{"code":7,"message":"no","data":"x"}"#,
            expect![[r#"7 {"code":7,"message":"no","data":"x"}"#]],
        );
        check(
            "{\"code\":7,\n\"message\":\"no\" }",
            expect![[
                r#"7 {"code":7, "message":"no" ,"data":{"dev.toolgate/invocation-id":"inv_1"}}"#
            ]],
        );
        check(
            r#"{"code": -32002 ,"message":"gone","data":null}"#,
            expect![[r#"-32602 {"code": -32602 ,"message":"gone","data":null}"#]],
        );
        check(
            r#"{"message":"no"}"#,
            expect!["unfit: `code` is no whole number"],
        );
        check(
            r#"{"code":1.5,"message":"no"}"#,
            expect!["unfit: `code` is no whole number"],
        );
        check(
            r#"{"code":1,"message":7}"#,
            expect!["unfit: `message` is no text"],
        );
        check(
            r#"{"code":1,"message":"","data":{"a":{"b":1,"b":2}}}"#,
            expect!["unfit: the key `b` stands twice at line 1, column 45"],
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
