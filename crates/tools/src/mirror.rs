//! The HTTP headers of the modern era that mirror parts of a request, for whatever stands between
//! the gate and a server.
//!
//! `tools/call` of `refund` says `Mcp-Method: tools/call` and `Mcp-Name: refund`; an argument that
//! the tool's schema marks with `x-mcp-header: Region` travels as `Mcp-Param-Region` too. A value
//! that a header cannot carry is wrapped as `=?base64?…?=`. Pure.
//!
//! Must not know: HTTP clients.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::era::Era;

/// LIMIT: marks deeper or more than this are left out; no real schema comes near.
const DEPTH_MAX: usize = 8;
const PARAMETERS_MAX: usize = 32;
const VALUE_BYTES_MAX: usize = 4 << 10;
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// The key of a schema that marks an argument to be mirrored.
pub(crate) const MARK: &str = "x-mcp-header";

/// The headers of a request without parameters to mirror.
pub(crate) fn method(era: Era, method: &str) -> Vec<(String, String)> {
    if era != Era::Modern {
        return Vec::new();
    }
    vec![
        ("mcp-protocol-version".to_owned(), era.version().to_owned()),
        ("mcp-method".to_owned(), method.to_owned()),
    ]
}

/// The headers of a request that names something: a prompt, the URI of a resource, a task.
pub(crate) fn named(era: Era, method: &str, name: Option<&str>) -> Vec<(String, String)> {
    let mut headers = self::method(era, method);
    if era == Era::Modern {
        headers.extend(name.map(|name| ("mcp-name".to_owned(), encoded(name))));
    }
    headers
}

/// The headers of a call.
pub(crate) fn call(
    era: Era,
    name: &str,
    schema: Option<&Value>,
    arguments: &Value,
) -> Vec<(String, String)> {
    let mut headers = named(era, "tools/call", Some(name));
    if let Some(schema) = schema.filter(|_| era == Era::Modern) {
        parameters(schema, arguments, DEPTH_MAX, &mut headers);
    }
    headers
}

fn parameters(schema: &Value, value: &Value, depth: usize, out: &mut Vec<(String, String)>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, property) in properties {
        let Some(value) = value.get(name) else {
            continue;
        };
        if let Some(mark) = property.get(MARK).and_then(Value::as_str) {
            if let Some(text) = plain(value).filter(|_| is_token(mark)) {
                let room = out.len() < PARAMETERS_MAX && text.len() <= VALUE_BYTES_MAX;
                out.extend(room.then(|| (format!("mcp-param-{mark}"), encoded(&text))));
            }
        } else if depth > 0 {
            parameters(property, value, depth - 1, out);
        }
    }
}

/// Text, whole numbers and truth values have one written form; all else has none.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.as_str().to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// RFC 9110, 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

fn encoded(text: &str) -> String {
    let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
    let wrapped = text.starts_with("=?base64?") && text.ends_with("?=");
    if printable && text.trim() == text && !wrapped {
        return text.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::{call, named};
    use crate::era::Era;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn check(name: &str, arguments: Value, expected: Expect) {
        let schema = json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "evil": {"type": "string", "x-mcp-header": "A\r\nAuthorization: x"},
            "inner": {"properties": {"flag": {"type": "boolean", "x-mcp-header": "Flag"}}},
            "plain": {"type": "string"},
        }});
        let lines: Vec<String> = call(Era::Modern, name, Some(&schema), &arguments)
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn marked_arguments_are_mirrored_and_no_others() {
        check(
            "refund",
            json!({"region": "eu", "count": 3, "evil": "x", "inner": {"flag": true}, "plain": "p"}),
            expect![[r#"
                mcp-protocol-version: 2026-07-28
                mcp-method: tools/call
                mcp-name: refund
                mcp-param-Region: eu
                mcp-param-Count: 3
                mcp-param-Flag: true"#]],
        );
        check(
            "refund",
            json!({"region": ["eu"], "count": null}),
            expect![[r#"
            mcp-protocol-version: 2026-07-28
            mcp-method: tools/call
            mcp-name: refund"#]],
        );
    }

    #[test]
    fn what_a_header_cannot_carry_is_wrapped() {
        check(
            "größe",
            json!({"region": "a\r\nb"}),
            expect![[r#"
            mcp-protocol-version: 2026-07-28
            mcp-method: tools/call
            mcp-name: =?base64?Z3LDtsOfZQ==?=
            mcp-param-Region: =?base64?YQ0KYg==?="#]],
        );
        check(
            "x",
            json!({"region": " =?base64?x?="}),
            expect![[r#"
            mcp-protocol-version: 2026-07-28
            mcp-method: tools/call
            mcp-name: x
            mcp-param-Region: =?base64?ID0/YmFzZTY0P3g/PQ==?="#]],
        );
    }

    #[test]
    fn what_a_request_names_is_mirrored() {
        let name = |name| named(Era::Modern, "resources/read", name).pop().unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(name(Some("file:///a b")), pair("mcp-name", "file:///a b"));
        assert_eq!(
            name(Some("file:///ä")),
            pair("mcp-name", "=?base64?ZmlsZTovLy/DpA==?=")
        );
        assert_eq!(name(None), pair("mcp-method", "resources/read"));
    }

    #[test]
    fn a_legacy_server_gets_none() {
        assert!(named(Era::Legacy("2025-11-25"), "prompts/get", Some("x")).is_empty());
        assert!(call(Era::Legacy("2025-11-25"), "x", None, &json!({})).is_empty());
    }
}
