//! What a tool's input schema says about an argument that is not there.
//!
//! A schema that lists `charge` and `amount` and says nothing of others cannot have `channel`;
//! `{"type": "object"}` alone, an open `additionalProperties`, or no schema at all could have
//! anything (docs/decisions/0010-missing-arguments.md). Branches (`allOf`, `anyOf`, `$ref`, …) are
//! all looked at: what any of them declares could be there.
//!
//! Must not know: rules, values. It does not validate: step 3 of the gate has done that.

use serde_json::Value;

use crate::limits::SCHEMA_PARTS_MAX;
use crate::path::Step;

/// Whether an argument that is not there could have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The schema names it.
    Declared,
    /// The schema leaves room for it.
    Open,
    /// The schema lists others, or forbids it.
    Undeclared,
}

/// The parts of a schema that describe one value. None: nothing is said about it.
#[derive(Clone, Debug)]
pub(crate) struct Shape<'s> {
    root: Option<&'s Value>,
    parts: Vec<&'s Value>,
}

/// What one part says of a name.
enum Vote<'s> {
    Declares(&'s Value),
    Admits,
    Excludes,
    Silent,
}

const ANYTHING: Shape<'static> = Shape {
    root: None,
    parts: Vec::new(),
};

impl<'s> Shape<'s> {
    /// The shape of whatever a schema describes; `Null` describes nothing.
    pub(crate) fn of(schema: Option<&'s Value>) -> Self {
        match schema {
            Some(schema) if !schema.is_null() => Self::expand(schema, vec![schema]),
            _ => ANYTHING,
        }
    }

    /// Nothing is said about it.
    pub(crate) const fn anything() -> Self {
        ANYTHING
    }

    /// Whether the step could be there, and what it would look like.
    pub(crate) fn step(&self, step: &Step) -> (Admission, Self) {
        match step {
            Step::Name(name) => self.member(name),
            Step::Index(index) => self.element(*index),
        }
    }

    /// The names that the schema declares here.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'s str> + use<'s> {
        let parts = self.parts.clone();
        parts
            .into_iter()
            .filter_map(|part| part.get("properties")?.as_object())
            .flat_map(|properties| properties.keys().map(String::as_str))
    }

    /// What the elements of the list look like, whichever one.
    pub(crate) fn elements(&self) -> Self {
        let parts = self.parts.iter().filter_map(|part| part.get("items"));
        self.within(parts.collect())
    }

    fn member(&self, name: &str) -> (Admission, Self) {
        let mut declared = Vec::new();
        let (mut admits, mut excludes) = (false, false);
        for part in &self.parts {
            match vote(part, name) {
                Vote::Declares(inner) => declared.push(inner),
                Vote::Admits => admits = true,
                Vote::Excludes => excludes = true,
                Vote::Silent => {}
            }
        }
        let closed = self
            .root_part()
            .is_some_and(|part| is_false(part, "additionalProperties"));
        if !declared.is_empty() {
            (Admission::Declared, self.within(declared))
        } else if admits && !closed {
            (Admission::Open, ANYTHING)
        } else if excludes || closed || !self.may_be("object") {
            (Admission::Undeclared, ANYTHING)
        } else {
            (Admission::Open, ANYTHING)
        }
    }

    fn element(&self, index: usize) -> (Admission, Self) {
        if !self.may_be("array") {
            return (Admission::Undeclared, ANYTHING);
        }
        let placed = |part: &&'s Value| {
            let prefix = part.get("prefixItems").and_then(|items| items.get(index));
            prefix.or_else(|| part.get("items"))
        };
        let inner: Vec<_> = self.parts.iter().filter_map(placed).collect();
        match inner.is_empty() {
            true => (Admission::Open, ANYTHING),
            false => (Admission::Declared, self.within(inner)),
        }
    }

    fn within(&self, parts: Vec<&'s Value>) -> Self {
        match self.root {
            Some(root) if !parts.is_empty() => Self::expand(root, parts),
            _ => ANYTHING,
        }
    }

    fn root_part(&self) -> Option<&'s Value> {
        self.parts.first().copied()
    }

    /// Whether some part leaves room for this type.
    fn may_be(&self, wanted: &str) -> bool {
        let mut typed = self
            .parts
            .iter()
            .filter_map(|part| part.get("type"))
            .peekable();
        typed.peek().is_none()
            || typed.any(|types| match types {
                Value::String(one) => one == wanted,
                Value::Array(some) => some.iter().any(|one| one == wanted),
                _ => true,
            })
    }

    /// `parts` and every branch of them. Where a branch cannot be followed nothing is known.
    // LIMIT: `SCHEMA_PARTS_MAX` branches, so that no schema, however it refers to itself, costs
    // more than that.
    fn expand(root: &'s Value, mut parts: Vec<&'s Value>) -> Self {
        let mut next = 0;
        while let Some(part) = parts.get(next).copied() {
            next += 1;
            let Some(branches) = branches(root, part) else {
                return ANYTHING;
            };
            for branch in branches {
                if !parts.iter().any(|known| std::ptr::eq(*known, branch)) {
                    parts.push(branch);
                }
            }
            if parts.len() > SCHEMA_PARTS_MAX {
                return ANYTHING;
            }
        }
        Self {
            root: Some(root),
            parts,
        }
    }
}

fn vote<'s>(part: &'s Value, name: &str) -> Vote<'s> {
    const OPENING: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];
    if let Some(inner) = part
        .get("properties")
        .and_then(|properties| properties.get(name))
    {
        return Vote::Declares(inner);
    }
    let opens = |key: &str| {
        part.get(key)
            .is_some_and(|value| value != &Value::Bool(false))
    };
    if OPENING.iter().any(|key| opens(key)) || part.get("patternProperties").is_some() {
        Vote::Admits
    } else if part.get("properties").is_some() || OPENING.iter().any(|key| is_false(part, key)) {
        Vote::Excludes
    } else {
        Vote::Silent
    }
}

fn is_false(part: &Value, key: &str) -> bool {
    part.get(key) == Some(&Value::Bool(false))
}

/// The schemas that also describe the same value; `None` where one of them cannot be read here.
fn branches<'s>(root: &'s Value, part: &'s Value) -> Option<Vec<&'s Value>> {
    let mut found = Vec::new();
    for key in ["allOf", "anyOf", "oneOf"] {
        found.extend(
            part.get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten(),
        );
    }
    found.extend(
        ["if", "then", "else"]
            .iter()
            .filter_map(|key| part.get(key)),
    );
    let dependent = part.get("dependentSchemas").and_then(Value::as_object);
    found.extend(dependent.into_iter().flat_map(|schemas| schemas.values()));
    if part.get("$dynamicRef").is_some() || part.get("$recursiveRef").is_some() {
        return None;
    }
    if let Some(target) = part.get("$ref") {
        let pointer = target.as_str()?.strip_prefix('#')?;
        found.push(root.pointer(pointer)?);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::{Admission, Shape};
    use crate::path::Path;
    use serde_json::{Value, json};

    /// The admission of the first step that is not declared, or else of the last.
    fn admission(schema: &Value, path: &str) -> Admission {
        let mut shape = Shape::of(Some(schema));
        let mut last = Admission::Open;
        for step in &Path::parse(path).unwrap().steps {
            (last, shape) = shape.step(step);
            if last == Admission::Undeclared {
                break;
            }
        }
        last
    }

    #[test]
    fn what_a_schema_lists_is_what_there_is() {
        use Admission::{Declared, Open, Undeclared};
        let plain = json!({"type": "object", "properties": {"amount": {"type": "number"}}});
        let anything = json!({"type": "object"});
        let nothing = json!({"type": "object", "properties": {}});
        let closed = json!({"type": "object", "additionalProperties": false});
        let open = json!({"properties": {"a": {}}, "additionalProperties": {"type": "string"}});
        let pattern = json!({"properties": {"a": {}}, "patternProperties": {"^x-": {}}});
        let nested = json!({"properties": {"customer": {"$ref": "#/$defs/customer"}},
            "$defs": {"customer": {"type": "object", "properties": {"id": {"type": "string"}}}}});
        let either = json!({"type": "object", "properties": {"a": {}},
            "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}}], "then": {"properties": {"c": {}}}});
        let list = json!({"properties": {"items": {"type": "array", "items": {"properties": {"id": {}}}}}});
        let shut =
            json!({"additionalProperties": false, "anyOf": [{"additionalProperties": true}]});
        let typed =
            json!({"properties": {"a": {"type": ["string", "object"]}, "b": {"type": "string"}}});
        let dynamic = json!({"properties": {"a": {}}, "$dynamicRef": "#x"});
        let prefixed = json!({"prefixItems": [{"properties": {"id": {}}}], "items": false});
        let remote = json!({"properties": {"a": {}}, "$ref": "https://elsewhere/schema"});
        let circle = json!({"properties": {"a": {"$ref": "#"}}, "allOf": [{"$ref": "#"}]});
        for (schema, path, expected) in [
            (&plain, "amount", Declared),
            (&plain, "channel", Undeclared),
            (&plain, "amount.value", Undeclared),
            (&plain, "amount[0]", Undeclared),
            (&anything, "amount", Open),
            (&nothing, "amount", Undeclared),
            (&closed, "amount", Undeclared),
            (&open, "amount", Open),
            (&pattern, "amount", Open),
            (&nested, "customer.id", Declared),
            (&nested, "customer.name", Undeclared),
            (&either, "b", Declared),
            (&either, "c", Declared),
            (&either, "d", Undeclared),
            (&list, "items[3].id", Declared),
            (&list, "items[3].price", Undeclared),
            (&list, "items.id", Undeclared),
            (&shut, "z", Undeclared),
            (&typed, "a.z", Open),
            (&typed, "b.z", Undeclared),
            (&typed, "a[0]", Undeclared),
            (&dynamic, "z", Open),
            (&json!({"properties": {"l": prefixed}}), "l[0].id", Declared),
            (
                &json!({"properties": {"l": prefixed}}),
                "l[0].no",
                Undeclared,
            ),
            (&remote, "z", Open),
            (&circle, "a.a.a", Declared),
            (&circle, "a.b", Undeclared),
            (&json!(null), "a", Open),
            (&json!(true), "a", Open),
            (&json!({}), "a.b[0]", Open),
        ] {
            assert_eq!(admission(schema, path), expected, "{path} in {schema}");
        }
    }

    #[test]
    fn a_schema_that_branches_without_end_is_not_followed() {
        let mut inner = json!({"properties": {"a": {}}});
        for _ in 0..300 {
            inner = json!({"allOf": [inner]});
        }
        assert_eq!(admission(&inner, "z"), Admission::Open);
    }
}
