//! Whether a tool's schema marks the arguments to be mirrored as headers as it may. Pure.
//!
//! A tool whose argument `score` is a `number` with `x-mcp-header: Score`, or which has two
//! arguments for `Mcp-Param-Region`, must not be used by a client over HTTP: whatever stands
//! between would route by a header that says something else than the call. One such tool costs no
//! other.
//!
//! Must not know: sources, or how an argument is mirrored.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::message::excerpt;
use crate::mirror::{MARK, NAME_BYTES_MAX, is_token};

/// Where in the whole a part of a schema stands.
#[derive(Clone, Copy)]
enum Place<'s> {
    Root,
    /// The argument of this name, to which `properties` alone lead.
    Argument(&'s str),
    /// Somewhere under this keyword: no call's arguments tell where its values stand.
    Under(&'s str),
}

/// Checks every mark in a schema of arguments.
///
/// # Errors
/// Which mark is used wrongly, and how.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    let mut names = BTreeSet::new();
    let mut open = vec![(Place::Root, schema)];
    while let Some((place, schema)) = open.pop() {
        if let Some(mark) = schema.get(MARK) {
            let name = header(place, schema, mark)?;
            if !names.insert(name.to_ascii_lowercase()) {
                let name = shown(name);
                return Err(format!(
                    "two of its arguments have the `{MARK}` `{name}`, in whichever case; give each its own"
                ));
            }
        }
        open.extend(parts(place, schema));
    }
    Ok(())
}

/// The header that a mark names.
fn header<'s>(place: Place<'_>, schema: &Value, mark: &'s Value) -> Result<&'s str, String> {
    let argument = match place {
        Place::Argument(name) => shown(name),
        Place::Root => {
            return Err(format!(
                "its `inputSchema` itself has an `{MARK}`; only an argument may"
            ));
        }
        Place::Under(keyword) => {
            return Err(format!(
                "an `{MARK}` stands under `{keyword}` of its `inputSchema`; only `properties` may lead to one"
            ));
        }
    };
    let name = mark
        .as_str()
        .ok_or_else(|| format!("the `{MARK}` of its argument `{argument}` is no text"))?;
    if !is_token(name) {
        let name = shown(name);
        return Err(format!(
            "the `{MARK}` `{name}` of its argument `{argument}` is not 1 to {NAME_BYTES_MAX} of the characters that a header's name may have"
        ));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string" | "integer" | "boolean") => Ok(name),
        _ => Err(format!(
            "its argument `{argument}` has an `{MARK}`, which needs the `type` `string`, `integer` or `boolean`"
        )),
    }
}

/// The schemas right below one, and where they stand. What only looks like one, in a `default` or
/// an `enum`, is a value.
fn parts<'s>(place: Place<'s>, schema: &'s Value) -> Vec<(Place<'s>, &'s Value)> {
    let mut parts = Vec::new();
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let under = match place {
            Place::Under(_) => place,
            Place::Root | Place::Argument(_) => Place::Under(keyword),
        };
        match (keyword.as_str(), value) {
            ("properties", Value::Object(all)) => parts.extend(all.iter().map(|(name, part)| {
                let argument = match place {
                    Place::Under(_) => place,
                    Place::Root | Place::Argument(_) => Place::Argument(name),
                };
                (argument, part)
            })),
            (
                "$defs" | "definitions" | "patternProperties" | "dependentSchemas" | "dependencies",
                Value::Object(all),
            ) => parts.extend(all.values().map(|part| (under, part))),
            ("items" | "prefixItems" | "allOf" | "anyOf" | "oneOf", Value::Array(all)) => {
                parts.extend(all.iter().map(|part| (under, part)))
            }
            (
                "items"
                | "additionalItems"
                | "unevaluatedItems"
                | "contains"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contentSchema",
                Value::Object(_),
            ) => parts.push((under, value)),
            _ => {}
        }
    }
    parts
}

/// LIMIT: enough of a name to find it by.
const SHOWN_CHARS_MAX: usize = 64;

fn shown(name: &str) -> String {
    excerpt(name, SHOWN_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::check;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn one(property: Value) -> Value {
        json!({"type": "object", "properties": {"a": property}})
    }

    /// Each schema, in one line, and what is wrong with it.
    fn all(schemas: &[Value], expected: Expect) {
        let lines: Vec<String> = schemas
            .iter()
            .map(|schema| check(schema).err().unwrap_or_else(|| "fits".to_owned()))
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_mark_is_for_an_argument_that_a_header_can_say() {
        for kind in ["string", "integer", "boolean"] {
            assert_eq!(
                check(&one(json!({"type": kind, "x-mcp-header": "A"}))),
                Ok(())
            );
        }
        let kinds = [
            json!("number"),
            json!("array"),
            json!("object"),
            json!("null"),
            json!(["string", "null"]),
            json!(null),
        ];
        for kind in kinds {
            let schema = one(json!({"type": kind, "x-mcp-header": "A"}));
            expect![
                "its argument `a` has an `x-mcp-header`, which needs the `type` `string`, `integer` or `boolean`"
            ]
            .assert_eq(&check(&schema).unwrap_err());
        }
        assert!(check(&one(json!({"x-mcp-header": "A"}))).is_err());
    }

    #[test]
    fn a_mark_names_a_header() {
        let marked = |mark: Value| one(json!({"type": "string", "x-mcp-header": mark}));
        let long = "x".repeat(65);
        let wrong = [
            "",
            "My Region",
            " Region",
            "Region:Primary",
            "Région",
            "Region\t1",
            "A\r\nB",
            "A\u{0}",
            "A/B",
            "A\"",
            "(A)",
            "A,B",
            &long,
        ];
        for name in wrong {
            let reason = check(&marked(json!(name))).unwrap_err();
            assert!(
                reason.contains("a header's name may have"),
                "{name:?}: {reason}"
            );
        }
        for name in ["Region", "x-1", "!#$%&'*+-.^_`|~", &long[1..]] {
            assert_eq!(check(&marked(json!(name))), Ok(()), "{name}");
        }
        all(
            &[
                marked(json!("My\r\nRegion")),
                marked(json!(7)),
                marked(json!(null)),
                marked(json!({"name": "A"})),
            ],
            expect![[r#"
                the `x-mcp-header` `My  Region` of its argument `a` is not 1 to 64 of the characters that a header's name may have
                the `x-mcp-header` of its argument `a` is no text
                the `x-mcp-header` of its argument `a` is no text
                the `x-mcp-header` of its argument `a` is no text"#]],
        );
    }

    #[test]
    fn no_two_arguments_have_one_header() {
        let two = |one: &str, other: &str| {
            json!({"properties": {
                "a": {"type": "string", "x-mcp-header": one},
                "b": {"properties": {"c": {"type": "string", "x-mcp-header": other}}},
            }})
        };
        all(
            &[
                two("Region", "Region"),
                two("MyField", "myfield"),
                two("Region", "Regions"),
            ],
            expect![[r#"
                two of its arguments have the `x-mcp-header` `Region`, in whichever case; give each its own
                two of its arguments have the `x-mcp-header` `MyField`, in whichever case; give each its own
                fits"#]],
        );
    }

    #[test]
    fn only_properties_lead_to_a_mark() {
        let mark = || json!({"type": "string", "x-mcp-header": "A"});
        let deep = one(json!({"type": "object", "properties": {"b": one(mark())}}));
        assert_eq!(check(&deep), Ok(()));
        let listed = |part: Value| json!([true, part]);
        let named = |part: Value| json!({"x": part});
        type Written = fn(Value) -> Value;
        let all_of: [(Written, &str); 3] = [
            (listed, "items prefixItems allOf anyOf oneOf"),
            (
                named,
                "$defs definitions patternProperties dependentSchemas dependencies",
            ),
            (
                |part| part,
                "items additionalItems unevaluatedItems contains additionalProperties \
                 unevaluatedProperties propertyNames not if then else contentSchema",
            ),
        ];
        for (written, keywords) in all_of {
            for keyword in keywords.split(' ') {
                let told = format!(
                    "an `x-mcp-header` stands under `{keyword}` of its `inputSchema`; only `properties` may lead to one"
                );
                for schema in [
                    json!({keyword: written(mark())}),
                    one(json!({"type": "object", keyword: written(mark())})),
                    json!({keyword: written(one(mark()))}),
                ] {
                    assert_eq!(check(&schema), Err(told.clone()), "{schema}");
                }
            }
        }
        all(
            &[json!({"type": "object", "x-mcp-header": "A"}), mark()],
            expect![[r#"
                its `inputSchema` itself has an `x-mcp-header`; only an argument may
                its `inputSchema` itself has an `x-mcp-header`; only an argument may"#]],
        );
    }

    #[test]
    fn what_only_looks_like_a_mark_is_none() {
        all(
            &[
                json!({"properties": {"x-mcp-header": {"type": "string"}}}),
                one(json!({"type": "object", "default": {"x-mcp-header": ""}})),
                one(json!({"enum": [{"x-mcp-header": ""}], "examples": [{"x-mcp-header": 1}]})),
                one(json!({"const": {"items": {"x-mcp-header": ""}}})),
                json!({"properties": {"a": true, "b": {"items": false}}, "$defs": []}),
                json!({"required": ["x-mcp-header"], "description": "x-mcp-header"}),
            ],
            expect![[r#"
                fits
                fits
                fits
                fits
                fits
                fits"#]],
        );
    }
}
