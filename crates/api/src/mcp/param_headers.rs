//! Arguments that a tool's schema mirrors into headers: `x-mcp-header`, `Mcp-Param-{name}`.
//!
//! Where the schema of `query` says `"region": {"type": "string", "x-mcp-header": "Region"}`, a
//! call of it with `region` carries `Mcp-Param-Region`, and the two must say the same. A schema
//! that uses the mark wrongly mirrors nothing: clients drop such a tool.
//!
//! Must not know: whether the tool may be called.

use std::collections::HashSet;

use axum::http::HeaderMap;
use serde_json::Value;

use super::headers::{decoded, single};
use super::message::RpcError;

const MARK: &str = "x-mcp-header";
const PREFIX: &str = "mcp-param-";

/// LIMIT: properties of a schema that are looked at; schemas come from tool servers.
const PROPERTIES_MAX: usize = 10_000;

/// One argument that is mirrored.
struct Mirrored<'s> {
    /// The way to it, through `properties` alone.
    path: Vec<&'s str>,
    /// The last part of the header's name, in lower case.
    header: String,
    /// Whether numbers are compared as numbers.
    integer: bool,
}

/// Checks the mirrored arguments of a call against the headers.
pub(super) fn agree(
    headers: &HeaderMap,
    schema: &Value,
    arguments: &Value,
) -> Result<(), RpcError> {
    let Some(mirrored) = mirrored(schema) else {
        return Ok(());
    };
    mirrored
        .iter()
        .try_for_each(|argument| argument.agree(headers, arguments))
}

impl Mirrored<'_> {
    fn agree(&self, headers: &HeaderMap, arguments: &Value) -> Result<(), RpcError> {
        let name = format!("{PREFIX}{}", self.header);
        let header = single(headers, &name)?
            .map(|text| decoded(&name, text))
            .transpose()?;
        let value = self
            .path
            .iter()
            .try_fold(arguments, |here, step| here.get(step));
        let said = value.and_then(text);
        let agrees = match (&header, &said) {
            (None, None) => true,
            (Some(header), Some(said)) => {
                header == said
                    || (self.integer && whole(header).is_some_and(|h| Some(h) == whole(said)))
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        if agrees {
            return Ok(());
        }
        let path = self.path.join(".");
        let message = format!("the header `{name}` must say what the argument `{path}` says");
        Err(RpcError::header_mismatch(message))
    }
}

/// The mirrored arguments of a schema; none of them where one mark is used wrongly.
fn mirrored(schema: &Value) -> Option<Vec<Mirrored<'_>>> {
    let mut found = Vec::new();
    let mut open = vec![(Vec::new(), schema)];
    let mut looked_at = 0;
    while let Some((path, schema)) = open.pop() {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            looked_at += 1;
            if looked_at > PROPERTIES_MAX {
                return None;
            }
            let mut path = path.clone();
            path.push(name.as_str());
            if let Some(mark) = property.get(MARK) {
                found.push(marked(path.clone(), mark, property)?);
            }
            open.push((path, property));
        }
    }
    let mut names = HashSet::new();
    found
        .iter()
        .all(|one| names.insert(one.header.clone()))
        .then_some(found)
}

fn marked<'s>(path: Vec<&'s str>, mark: &Value, property: &Value) -> Option<Mirrored<'s>> {
    let header = mark
        .as_str()
        .filter(|name| is_token(name))?
        .to_ascii_lowercase();
    let kind = property.get("type").and_then(Value::as_str)?;
    let integer = kind == "integer";
    (integer || matches!(kind, "string" | "boolean")).then_some(Mirrored {
        path,
        header,
        integer,
    })
}

/// How a mirrored value is written; null and absent are the same.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The whole number that a text writes: `42`, `42.0`.
fn whole(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    fraction
        .bytes()
        .all(|b| b == b'0')
        .then(|| whole.parse().ok())
        .flatten()
}

fn is_token(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::agree;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::{Value, json};

    fn agrees(schema: &Value, lines: &[(&str, &str)], arguments: Value) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = name.parse::<HeaderName>().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        agree(&headers, schema, &arguments).is_ok()
    }

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "page": {"type": "object", "properties": {
                "size": {"type": "integer", "x-mcp-header": "Page-Size"},
            }},
            "plain": {"type": "string"},
        }})
    }

    #[test]
    fn a_mirrored_argument_and_its_header_come_together() {
        let schema = schema();
        let region = [("Mcp-Param-Region", "eu")];
        assert!(agrees(&schema, &region, json!({"region": "eu"})));
        assert!(!agrees(&schema, &region, json!({"region": "us"})));
        assert!(!agrees(&schema, &region, json!({})));
        assert!(!agrees(&schema, &[], json!({"region": "eu"})));
        assert!(agrees(&schema, &[], json!({"region": null, "plain": "x"})));
        let twice = [region[0], ("mcp-param-region", "us")];
        assert!(!agrees(&schema, &twice, json!({"region": "eu"})));
        let encoded = [("Mcp-Param-Region", "=?base64?w6Q=?=")];
        assert!(agrees(&schema, &encoded, json!({"region": "ä"})));
    }

    #[test]
    fn whole_numbers_are_compared_as_numbers() {
        let size = |header| [("Mcp-Param-Page-Size", header)];
        for (header, number, agree) in [
            ("42", "42", true),
            ("42.0", "42", true),
            ("42", "42.0", true),
            ("42.5", "42", false),
        ] {
            let number: Value = serde_json::from_str(number).unwrap();
            let arguments = json!({"page": {"size": number}});
            assert_eq!(
                agrees(&schema(), &size(header), arguments),
                agree,
                "{header}"
            );
        }
    }

    #[test]
    fn a_mark_used_wrongly_mirrors_nothing() {
        for property in [
            json!({"type": "number", "x-mcp-header": "A"}),
            json!({"type": "string", "x-mcp-header": "a b"}),
            json!({"type": "string", "x-mcp-header": ""}),
            json!({"x-mcp-header": "A"}),
        ] {
            let schema = json!({"properties": {"a": property}});
            assert!(
                agrees(&schema, &[("Mcp-Param-A", "x")], json!({"a": "y"})),
                "{schema}"
            );
        }
        let twice = json!({"properties": {
            "a": {"type": "string", "x-mcp-header": "A"},
            "b": {"type": "string", "x-mcp-header": "a"},
        }});
        assert!(agrees(&twice, &[], json!({"a": "x"})));
        assert!(agrees(&json!("no schema"), &[], json!({})));
    }
}
