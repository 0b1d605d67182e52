//! How much a check against a tool's schema would take, counted before it is made.
//!
//! A tool's server writes the schema, its caller the arguments, and the validator follows every
//! reference and tries every branch. Each of these definitions doubles its time, and a chain of a few
//! thousand ends its stack, and with it the gate:
//!
//! ```json
//! {"$defs": {"a": {"type": "string"},
//!            "b": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}}
//! ```
//!
//! What is counted is every schema together with every value that it is applied to, as if nothing
//! were left out; that is never less than what the validator does. Must not know: what a schema
//! means, whether the arguments fit it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// LIMIT: levels of a schema with all that it refers to. Twice as many end a stack of 2 MiB where
/// nothing is optimised; the deepest of a real tool has a few dozen.
const SCHEMA_LEVELS_MAX: usize = 1_000;

/// LIMIT: schemas inside each other at one place of the arguments. The validator keeps all of them
/// on its stack.
const LEVELS_MAX: usize = 400;

/// LIMIT: schemas that one call may be held against: a tenth of a second, and as many again for
/// each value in the arguments as real schemas ask for.
const STEPS_MAX: u64 = 50_000;
const STEPS_PER_VALUE_MAX: u64 = 32;

/// Where a schema says what else holds.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// What stands in a schema and is none.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

const OLD_DIALECTS: [&str; 2] = ["draft-03", "draft-04"];

/// Why a check is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuch {
    /// The schema alone is too deep.
    #[error("it refers to itself through more than {SCHEMA_LEVELS_MAX} levels")]
    Nested,
    /// What it refers to cannot be told.
    #[error("it has an `$id` inside, or a reference that leads to no one place in it")]
    Elsewhere,
    /// It is written as it was before 2017, when other words said what is referred to.
    #[error("its dialect is older than draft-06: write it in 2020-12 or draft-07")]
    Dialect,
    /// The schema and these arguments together are too deep.
    #[error("they lead through more than {LEVELS_MAX} levels of it")]
    Deep,
    /// Or take too long.
    #[error("they would be held against it too often")]
    Long,
}

/// Whether a schema can be compiled, and what it refers to is known.
///
/// # Errors
/// [`TooMuch`] where not.
pub(crate) fn bounded(schema: &Value) -> Result<(), TooMuch> {
    let dialect = schema.get("$schema").and_then(Value::as_str);
    let is_old = |dialect: &str| OLD_DIALECTS.iter().any(|old| dialect.contains(old));
    if dialect.is_some_and(is_old) {
        return Err(TooMuch::Dialect);
    }
    let document = Document::new(schema);
    let mut targets = BTreeSet::new();
    let mut levels = survey(schema, true, &mut targets)?;
    for target in targets {
        let target = document.resolved(target).ok_or(TooMuch::Elsewhere)?;
        // A way through the schema enters each target once at most before it is on its way again.
        levels += survey(target, true, &mut BTreeSet::new())?;
        if levels > SCHEMA_LEVELS_MAX {
            return Err(TooMuch::Nested);
        }
    }
    Ok(())
}

/// How deep a schema is, without what it refers to; that is collected.
fn survey<'s>(
    schema: &'s Value,
    outermost: bool,
    targets: &mut BTreeSet<&'s str>,
) -> Result<usize, TooMuch> {
    let mut deepest = 0;
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(_) if name == "$id" && !outermost => {
                        return Err(TooMuch::Elsewhere);
                    }
                    Value::String(to) if REFERENCES.contains(&name.as_str()) => {
                        targets.insert(to);
                    }
                    _ if DATA.contains(&name.as_str()) => {}
                    _ => deepest = deepest.max(survey(member, false, targets)?),
                }
            }
            Ok(deepest + 1)
        }
        Value::Array(items) => {
            for item in items {
                deepest = deepest.max(survey(item, false, targets)?);
            }
            Ok(deepest)
        }
        _ => Ok(0),
    }
}

/// A schema, in which references lead from one place to another.
struct Document<'s> {
    root: &'s Value,
    /// What has a name of its own; none where two have the same.
    anchors: OnceCell<BTreeMap<&'s str, Option<&'s Value>>>,
}

impl<'s> Document<'s> {
    const fn new(root: &'s Value) -> Self {
        let anchors = OnceCell::new();
        Self { root, anchors }
    }

    /// What a reference leads to.
    fn resolved(&self, reference: &str) -> Option<&'s Value> {
        let place = reference.strip_prefix('#')?;
        if place.is_empty() {
            return Some(self.root);
        }
        if place.starts_with('/') {
            let plain = percent_encoding::percent_decode_str(place).decode_utf8();
            return self.root.pointer(&plain.ok()?);
        }
        let anchors = self.anchors.get_or_init(|| {
            let mut anchors = BTreeMap::new();
            collect_anchors(self.root, &mut anchors);
            anchors
        });
        anchors.get(place).copied().flatten()
    }
}

fn collect_anchors<'s>(schema: &'s Value, found: &mut BTreeMap<&'s str, Option<&'s Value>>) {
    for name in ["$anchor", "$dynamicAnchor"] {
        if let Some(name) = schema.get(name).and_then(Value::as_str) {
            let twice = found.contains_key(name);
            found.insert(name, (!twice).then_some(schema));
        }
    }
    for (name, member) in members(schema) {
        if !DATA.contains(&name.as_str()) {
            collect_anchors(member, found);
        }
    }
    for item in elements(schema) {
        collect_anchors(item, found);
    }
}

/// Whether these arguments can be held against a schema that is [`bounded`].
///
/// # Errors
/// [`TooMuch`] where not.
pub(crate) fn affordable(schema: &Value, arguments: &Value) -> Result<(), TooMuch> {
    let mut walk = Walk {
        document: Document::new(schema),
        steps_max: STEPS_MAX + STEPS_PER_VALUE_MAX * values(arguments),
        pairs: 0,
        known: BTreeMap::new(),
    };
    walk.held(schema, arguments, 0).map(|_| ())
}

fn values(of: &Value) -> u64 {
    1 + match of {
        Value::Object(members) => members.values().map(values).sum(),
        Value::Array(items) => items.iter().map(values).sum(),
        _ => 0,
    }
}

/// The count of one call.
struct Walk<'s> {
    document: Document<'s>,
    steps_max: u64,
    /// How many were walked; what is known already is only added up.
    pairs: u64,
    /// The steps of what a reference leads to, with the value it is applied to, by their addresses;
    /// none while it is being walked.
    known: BTreeMap<(*const Value, *const Value), Option<u64>>,
}

impl<'s> Walk<'s> {
    /// The steps of one schema with one value.
    fn held(&mut self, schema: &'s Value, value: &Value, level: usize) -> Result<u64, TooMuch> {
        if level > LEVELS_MAX {
            return Err(TooMuch::Deep);
        }
        self.pairs += 1;
        if self.pairs > self.steps_max {
            return Err(TooMuch::Long);
        }
        let mut steps: u64 = 1;
        for (keyword, part) in schema.as_object().into_iter().flatten() {
            let more = self.keyword((keyword, part), value, level + 1)?;
            steps = steps.saturating_add(more);
            if steps > self.steps_max {
                return Err(TooMuch::Long);
            }
        }
        Ok(steps)
    }

    fn keyword(
        &mut self,
        (keyword, part): (&str, &'s Value),
        value: &Value,
        level: usize,
    ) -> Result<u64, TooMuch> {
        match keyword {
            "$ref" | "$dynamicRef" | "$recursiveRef" => self.referred(part, value, level),
            "not" | "if" | "then" | "else" => self.held(part, value, level),
            "allOf" | "anyOf" | "oneOf" => {
                self.sum(elements(part), |walk, part| walk.held(part, value, level))
            }
            "dependentSchemas" | "dependencies" => self.sum(members(part), |walk, (_, part)| {
                walk.held(part, value, level)
            }),
            "properties" => self.sum(members(part), |walk, (name, part)| {
                let member = value.get(name);
                member.map_or(Ok(0), |member| walk.held(part, member, level))
            }),
            "patternProperties" => self.sum(members(part), |walk, (_, part)| {
                walk.sum(children(value), |walk, child| walk.held(part, child, level))
            }),
            "items" | "prefixItems" if part.is_array() => {
                let pairs = elements(part).zip(elements(value));
                self.sum(pairs, |walk, (part, item)| walk.held(part, item, level))
            }
            "additionalProperties"
            | "unevaluatedProperties"
            | "propertyNames"
            | "items"
            | "additionalItems"
            | "unevaluatedItems"
            | "contains" => self.sum(children(value), |walk, child| walk.held(part, child, level)),
            _ => Ok(0),
        }
    }

    /// What a reference leads to, counted once for each value.
    fn referred(&mut self, to: &'s Value, value: &Value, level: usize) -> Result<u64, TooMuch> {
        let target = to.as_str().and_then(|to| self.document.resolved(to));
        let target = target.ok_or(TooMuch::Elsewhere)?;
        let place = (std::ptr::from_ref(target), std::ptr::from_ref(value));
        match self.known.get(&place) {
            Some(Some(steps)) => return Ok(*steps),
            // Round in a circle without going on in the arguments: the validator stops here, too.
            Some(None) => return Ok(1),
            None => {}
        }
        self.known.insert(place, None);
        let steps = self.held(target, value, level)?;
        self.known.insert(place, Some(steps));
        Ok(steps)
    }

    fn sum<T>(
        &mut self,
        parts: impl Iterator<Item = T>,
        mut count: impl FnMut(&mut Self, T) -> Result<u64, TooMuch>,
    ) -> Result<u64, TooMuch> {
        let mut steps: u64 = 0;
        for part in parts {
            steps = steps.saturating_add(count(self, part)?);
        }
        Ok(steps)
    }
}

fn elements(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn members(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.as_object().into_iter().flatten()
}

fn children(of: &Value) -> impl Iterator<Item = &Value> {
    elements(of).chain(members(of).map(|(_, member)| member))
}

#[cfg(test)]
mod tests {
    use super::{TooMuch, affordable, bounded};
    use serde_json::{Map, Value, json};

    /// Definitions `0` to `count`, each made from the reference to the one before.
    fn definitions(count: usize, next: impl Fn(Value) -> Value) -> Value {
        let mut all = Map::new();
        all.insert("0".to_owned(), json!({"type": "string"}));
        for number in 1..=count {
            let before = json!({"$ref": format!("#/$defs/{}", number - 1)});
            all.insert(number.to_string(), next(before));
        }
        json!({"$defs": all, "$ref": format!("#/$defs/{count}")})
    }

    fn checked(schema: &Value, arguments: &Value) -> Result<(), TooMuch> {
        bounded(schema).and_then(|()| affordable(schema, arguments))
    }

    #[test]
    fn what_real_tools_ask_for_is_affordable() {
        let tree = json!({
            "type": "object",
            "properties": {"filter": {"$ref": "#/$defs/filter"}, "rows": {"items": {"$ref": "#row"}}},
            "$defs": {
                "filter": {"anyOf": [{"$ref": "#/$defs/all"}, {"$ref": "#/$defs/any"}, {"type": "string"}]},
                "all": {"properties": {"and": {"items": {"$ref": "#/$defs/filter"}}}},
                "any": {"properties": {"or": {"items": {"$ref": "#/$defs/filter"}}}},
                "row": {"$anchor": "row", "properties": {"id": {"type": "integer"}, "note": {"maxLength": 9}}},
            },
        });
        let mut filter = json!("x = 1");
        for level in 0..20 {
            let key = if level % 2 == 0 { "and" } else { "or" };
            filter = json!({key: [filter, "y = 2"]});
        }
        let rows: Vec<_> = (0..20_000)
            .map(|id| json!({"id": id, "note": "n"}))
            .collect();
        assert_eq!(
            checked(&tree, &json!({"filter": filter, "rows": rows})),
            Ok(())
        );
    }

    #[test]
    fn a_chain_that_would_end_the_stack_is_refused() {
        let schema = definitions(5_000, |before| before);
        assert_eq!(bounded(&schema), Err(TooMuch::Nested));
        assert_eq!(bounded(&definitions(300, |before| before)), Ok(()));
        let again = json!({"properties": {"n": {"allOf": [{"$ref": "#"}]}}});
        let mut deep = json!(1);
        for _ in 0..300 {
            deep = json!({"n": deep});
        }
        assert_eq!(checked(&again, &deep), Err(TooMuch::Deep));
        assert_eq!(checked(&again, &deep["n"]["n"]["n"]), Err(TooMuch::Deep));
    }

    #[test]
    fn what_doubles_with_each_definition_is_refused() {
        let twice = |before: Value| json!({"anyOf": [before.clone(), before]});
        assert_eq!(checked(&definitions(12, twice), &json!(1)), Ok(()));
        assert_eq!(
            checked(&definitions(30, twice), &json!(1)),
            Err(TooMuch::Long)
        );
        // The same with a level of the arguments for each doubling.
        let of = json!({"$ref": "#"});
        let schema = json!({"properties": {"n": {"oneOf": [of, of]}}});
        let mut deep = json!(1);
        for _ in 0..30 {
            deep = json!({"n": deep});
        }
        assert_eq!(checked(&schema, &deep), Err(TooMuch::Long));
    }

    #[test]
    fn many_schemas_on_many_values_are_refused() {
        let branches: Vec<_> = (0..500).map(|number| json!({"const": number})).collect();
        let schema = json!({"properties": {"a": {"items": {"anyOf": branches}}}});
        let items: Vec<_> = (0..10_000).collect();
        assert_eq!(checked(&schema, &json!({"a": items})), Err(TooMuch::Long));
        assert_eq!(checked(&schema, &json!({"a": [1, 2, 3]})), Ok(()));
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(checked(&json!({"$ref": "#"}), &json!({})), Ok(()));
        let circle = json!({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"});
        assert_eq!(checked(&circle, &json!({})), Ok(()));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for elsewhere in [
            json!({"$ref": "http://127.0.0.1/x.json"}),
            json!({"$ref": "#/$defs/missing"}),
            json!({"$defs": {"b": true}, "properties": {"a": {"$id": "urn:x", "$ref": "#/$defs/b"}}}),
        ] {
            assert_eq!(bounded(&elsewhere), Err(TooMuch::Elsewhere), "{elsewhere}");
        }
        let twice = json!({"$ref": "#a", "x": {"$anchor": "a"}, "y": {"$anchor": "a"}});
        assert_eq!(bounded(&twice), Err(TooMuch::Elsewhere));
        let old = json!({"$schema": "http://json-schema.org/draft-04/schema#"});
        assert_eq!(bounded(&old), Err(TooMuch::Dialect));
        let named = json!({"$id": "urn:tool", "properties": {"$id": {"type": "string"}}, "default": {"$id": "x"}});
        assert_eq!(bounded(&named), Ok(()));
    }
}
