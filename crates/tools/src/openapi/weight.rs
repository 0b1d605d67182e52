//! How heavy a schema is for those who read it.
//!
//! The gate holds arguments against a schema only where it and all that it refers to have few enough
//! levels; what goes in a circle without reading on in the value would never end. Pure.
//!
//! Must not know: what a schema says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// LIMIT: levels from the outermost value to the innermost: definitions of tools are read to 64.
const DEPTH_MAX: usize = 56;
/// LIMIT: levels of all parts together, where the gate's own bound is 1,000.
const LEVELS_MAX: usize = 900;

/// Whether everybody who reads the schema can.
pub(super) fn is_light(schema: &Value) -> bool {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let parts = definitions.into_iter().flat_map(|all| all.values());
    // The whole has its definitions in it, so its own levels are counted once more; that only errs
    // on the safe side.
    let levels = depth(schema) + parts.map(depth).sum::<usize>();
    depth(schema) <= DEPTH_MAX && levels <= LEVELS_MAX
}

/// Levels of a value; a text has none.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Whether some definition leads back to itself.
pub(super) fn is_circular(turns: &BTreeMap<String, BTreeSet<String>>) -> bool {
    // Definitions that lead to none but such that are known to end, end.
    let mut ended: BTreeSet<&String> = BTreeSet::new();
    loop {
        let ends = |all: &BTreeSet<String>| {
            let known = |name: &String| ended.contains(name) || !turns.contains_key(name);
            all.iter().all(known)
        };
        let more: Vec<&String> = turns
            .iter()
            .filter(|(name, all)| !ended.contains(name) && ends(all))
            .map(|(name, _)| name)
            .collect();
        if more.is_empty() {
            return ended.len() < turns.len();
        }
        ended.extend(more);
    }
}
