//! What an input schema says of one argument before any call: is there room for it, and could
//! what is written there ever be valid?
//!
//! It does not validate: that is step 3 of the gate, on real arguments. Where a schema says more
//! than its `properties` and `type` do, nothing is held against anybody.
//!
//! Must not know: probes, descriptors.

use serde_json::Value;
use toolgate_model::{Template, nearest};

/// What a schema says of one name.
pub(crate) enum Member<'s> {
    /// It describes it.
    Declared(&'s Value),
    /// It leaves room for it.
    Open,
    /// It lists others, or forbids it.
    Undeclared,
}

/// The first step of a dotted path that the schema has no room for.
pub(crate) fn missing_step(schema: &Value, path: &str) -> Option<String> {
    let mut here = schema;
    for step in path.split('.') {
        match member(here, step) {
            Member::Declared(inner) => here = inner,
            Member::Open => return None,
            Member::Undeclared => return Some(step.to_owned()),
        }
    }
    None
}

/// Keywords by which a schema may say more than its `properties` do: what they say is not read,
/// so nothing is held against a name.
const FURTHER: [&str; 9] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "patternProperties",
    "dependentSchemas",
    "items",
];

/// Whether the name could be there, and what it would look like.
pub(crate) fn member<'s>(schema: &'s Value, name: &str) -> Member<'s> {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(inner) = properties.and_then(|known| known.get(name)) {
        return Member::Declared(inner);
    }
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let opened = schema.get("additionalProperties").is_some() && !closed;
    let further = FURTHER.iter().any(|keyword| schema.get(keyword).is_some());
    if further || opened || (properties.is_none() && !closed && may_have_members(schema)) {
        Member::Open
    } else {
        Member::Undeclared
    }
}

fn may_have_members(schema: &Value) -> bool {
    fits_type(schema, "object")
}

/// Whether a value that is written out, or a text with something filled into it, can be valid.
pub(crate) fn fits(schema: &Value, value: &Value) -> bool {
    let names = Template::parse(value.clone()).map_or_else(|_| Vec::new(), |one| one.names());
    let literal = names.is_empty();
    let alone = value
        .as_str()
        .is_some_and(|text| matches!(names.as_slice(), [name] if text.len() == name.len() + 2));
    if alone {
        return true;
    }
    let listed = schema.get("enum").and_then(Value::as_array);
    if literal && listed.is_some_and(|listed| !listed.contains(value)) {
        return false;
    }
    fits_type(schema, type_of(value))
}

fn fits_type(schema: &Value, kind: &str) -> bool {
    let same = |wanted: &Value| wanted == kind || (kind == "integer" && wanted == "number");
    match schema.get("type") {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().any(same),
        Some(one) => same(one),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A hint at the argument that was probably meant.
pub(crate) fn meant(name: &str, schema: &Value) -> String {
    let properties = schema.get("properties").and_then(Value::as_object);
    let names = properties
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    nearest(name, names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
