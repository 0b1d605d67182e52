//! The JSON Schema of a policy document, for editors. It is made from the same registries that the
//! parser reads, so it cannot name another key.
//!
//! Must not know: how documents are parsed. An editor's green light is no load: expressions, tools
//! and arguments are checked only there.

use serde_json::{Map, Value, json};
use toolgate_model::{DataClass, Risk, Role};

use crate::conditions::CONDITIONS;
use crate::counted::SCOPES;
use crate::effects::{EFFECTS, OCCASIONS};
use crate::limits;
use crate::matching::MATCH_KEYS;
use crate::parsed::{DOCUMENT_KEYS, RULE_KEYS};
use crate::test::Key;

/// The JSON Schema (2020-12) of one policy document.
pub fn json_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Toolgate policy",
        "type": "object",
        "additionalProperties": false,
        "properties": properties(&DOCUMENT_KEYS, document_key),
        "$defs": {
            "texts": one_or_many(json!({"type": "string"})),
            "patterns": one_or_many(json!({
                "type": "string", "minLength": 1, "maxLength": limits::PATTERN_BYTES_MAX,
            })),
            "expression": {"type": "string", "maxLength": limits::EXPRESSION_BYTES_MAX},
            "name": {"type": "string", "minLength": 1, "maxLength": limits::NAME_CHARS_MAX},
            "path": {"type": "string", "minLength": 1, "maxLength": limits::PATTERN_BYTES_MAX},
            "data_classes": one_or_many(any_case(DataClass::ALL.iter().map(|(_, word)| *word))),
            "duration": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"},
            "mode": any_case(["enforce", "monitor"].into_iter()),
            "effect": any_case(EFFECTS.iter().map(|effect| effect.name)),
            "rule": {
                "type": "object",
                "additionalProperties": false,
                "properties": properties(&RULE_KEYS, rule_key),
                "oneOf": [{"required": ["effect"]}, {"required": ["action"]}],
            },
        },
    })
}

fn properties(keys: &[&str], schema: fn(&str) -> Value) -> Value {
    let entries = keys.iter().map(|key| ((*key).to_owned(), schema(key)));
    Value::Object(entries.collect::<Map<String, Value>>())
}

fn document_key(key: &str) -> Value {
    match key {
        "name" => json!({"$ref": "#/$defs/name"}),
        "enabled" => json!({"type": "boolean", "default": true}),
        "mode" => json!({"$ref": "#/$defs/mode"}),
        "max_risk" => any_case(Risk::ALL.iter().map(|(_, word)| *word)),
        "role" => json!({
            "description": format!("one of {}", Role::ALL.iter().map(|(_, word)| *word).collect::<Vec<_>>().join(", ")),
            "$ref": "#/$defs/patterns",
        }),
        "rules" => json!({
            "type": "array", "maxItems": limits::RULES_MAX, "items": {"$ref": "#/$defs/rule"},
        }),
        "tests" => json!({"type": "array", "items": {"type": "object"}}),
        "invariants" => json!({"type": "array"}),
        "description" | "time_zone" => json!({"type": "string"}),
        _ => json!({"$ref": "#/$defs/patterns"}),
    }
}

fn rule_key(key: &str) -> Value {
    let scopes: Vec<String> = SCOPES.iter().map(|(_, word)| spelled(word)).collect();
    match key {
        "rule_id" | "code" => json!({"$ref": "#/$defs/name"}),
        "priority" => json!({
            "type": "integer", "minimum": 0, "maximum": limits::PRIORITY_MAX, "default": 100,
        }),
        "match" => keyed(MATCH_KEYS),
        "condition" => keyed(CONDITIONS),
        "when" | "unless" => json!({"$ref": "#/$defs/expression"}),
        "effect" | "action" => json!({"$ref": "#/$defs/effect"}),
        "mode" => json!({"$ref": "#/$defs/mode"}),
        "enabled" => json!({"type": "boolean", "default": true}),
        "quorum" => json!({"type": "integer", "minimum": 1, "maximum": limits::QUORUM_MAX}),
        "expires_in" => json!({"$ref": "#/$defs/duration"}),
        "limit" => json!({"oneOf": [
            {"type": "integer", "minimum": 0, "maximum": u32::MAX},
            {
                "type": "object", "additionalProperties": false, "required": ["sum", "max"],
                "properties": {
                    "sum": {"$ref": "#/$defs/path"},
                    "max": {"type": "number", "minimum": 0},
                },
            },
        ]}),
        "per" => json!({
            "type": "string",
            "pattern": format!("^(({})/)?[0-9]+(ms|s|m|h|d)$", scopes.join("|")),
            "examples": ["1h", "tool/24h"],
        }),
        "on" => any_case(OCCASIONS.iter().map(|(_, word)| *word)),
        "notify" => json!({"$ref": "#/$defs/name"}),
        "sanitize_fields" => one_or_many(json!({"$ref": "#/$defs/path"})),
        "reason" => json!({"type": "string"}),
        _ => json!({"$ref": "#/$defs/texts"}),
    }
}

fn keyed(keys: &[Key]) -> Value {
    let entry = |key: &Key| {
        let mut schema = (key.schema)();
        if let Some(map) = schema.as_object_mut() {
            map.insert("description".to_owned(), key.doc.into());
        }
        (key.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(entry).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn one_or_many(one: Value) -> Value {
    json!({
        "anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": limits::LIST_MAX}],
    })
}

/// Words in any letter case, as a pattern.
fn any_case(words: impl Iterator<Item = &'static str>) -> Value {
    let words: Vec<&str> = words.collect();
    let pattern: Vec<String> = words.iter().map(|word| spelled(word)).collect();
    json!({"type": "string", "pattern": format!("^({})$", pattern.join("|")), "examples": words})
}

/// A word in any letter case, as a pattern.
fn spelled(word: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphabetic() {
        true => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
        false => c.to_string(),
    };
    word.chars().map(letter).collect()
}
