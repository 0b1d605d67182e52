//! Keywords of OpenAPI's schemas as JSON Schema 2020-12 has them. Pure.
//!
//! ```text
//! {"type": "string", "nullable": true}          → {"type": ["string", "null"]}
//! {"minimum": 3, "exclusiveMinimum": true}      → {"exclusiveMinimum": 3}
//! ```
//! Must not know: how schemas are put together.

use serde_json::{Map, Value, json};

use crate::names;

/// LIMIT: characters of a name in `$defs`.
const NAME_CHARS_MAX: usize = 64;

/// What `type` may say.
pub(super) const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// Keywords that values are held against and that are not told.
pub(super) const LOST: [&str; 17] = [
    "$dynamicRef",
    "$recursiveRef",
    "additionalItems",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "not",
    "oneOf",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// What a file is among arguments.
pub(super) fn file() -> Value {
    json!({
        "type": "object",
        "properties": {
            "base64": {"type": "string", "contentEncoding": "base64"},
            "name": {"type": "string"},
            "type": {"type": "string"},
        },
        "required": ["base64"],
        "additionalProperties": false,
    })
}

/// Whether OpenAPI 3.0, or an extension of 2.0, says that a value may be `null`.
pub(super) fn is_nullable(members: &Map<String, Value>) -> bool {
    let says = |key: &str| members.get(key).and_then(Value::as_bool) == Some(true);
    says("nullable") || says("x-nullable")
}

/// Adds `null` where OpenAPI 3.0 says that it may be.
pub(super) fn nullable(members: &Map<String, Value>, mut kept: Map<String, Value>) -> Value {
    if !is_nullable(members) {
        return kept.into();
    }
    if let Some(Value::Array(choices)) = kept.get_mut("enum")
        && !choices.contains(&Value::Null)
    {
        choices.push(Value::Null);
    }
    if let Some(kind @ Value::String(_)) = kept.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    let composed = ["allOf", "anyOf", "oneOf"]
        .iter()
        .any(|one| kept.contains_key(*one));
    match composed {
        true => json!({"anyOf": [kept, {"type": "null"}]}),
        false => kept.into(),
    }
}

/// Whether a value stands in answers alone.
pub(super) fn is_read_only(schema: &Value) -> bool {
    schema.get("readOnly").and_then(Value::as_bool) == Some(true)
}

/// A word that says what a text is.
pub(super) fn short(value: &Value) -> Option<Value> {
    // LIMIT: a format is a word.
    let short = |text: &&str| text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic());
    value.as_str().filter(short).map(Value::from)
}

/// A bound that OpenAPI 3.0 may have made an exclusive one.
pub(super) fn bound(keyword: &str, value: &Value, members: &Map<String, Value>) -> Option<Value> {
    let other = match keyword {
        "minimum" => "exclusiveMinimum",
        _ => "exclusiveMaximum",
    };
    let moved = members.get(other) == Some(&Value::Bool(true));
    (value.is_number() && !moved).then(|| value.clone())
}

/// An exclusive bound, which OpenAPI 3.0 writes beside the bound itself.
pub(super) fn exclusive(value: &Value, bound: Option<&Value>) -> Option<Value> {
    match value {
        Value::Bool(true) => bound.filter(|bound| bound.is_number()).cloned(),
        Value::Number(_) => Some(value.clone()),
        _ => None,
    }
}

/// The name of a definition. What stands among the description's own has its name there; anything
/// else a piece of a digest, so that two places stay two.
pub(super) fn definition_name(pointer: &str) -> String {
    let own = ["/components/schemas/", "/definitions/"];
    let last = pointer.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let named = own.iter().any(|prefix| {
        pointer.strip_prefix(prefix).is_some_and(|name| {
            (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(plain)
        })
    });
    if named {
        return last.to_owned();
    }
    let kept: String = last.chars().filter(|c| plain(*c)).collect();
    names::marked(&kept, pointer, NAME_CHARS_MAX, '-')
}
