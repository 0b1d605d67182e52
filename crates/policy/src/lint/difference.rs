//! What two versions of documents say differently: rules added, removed and changed, by meaning.
//!
//! `"action": "DENY"` and `"effect": "deny"` are the same, a text is a list of one, the order of a
//! list of patterns says nothing, and neither does white space in an expression.
//!
//! Must not know: what a difference does to calls; a backtest says that.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::input::Document;

/// One document that is not the same any more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DocumentDifference {
    /// Its name.
    pub document: String,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
    /// Keys of the document itself that differ.
    pub keys: Vec<KeyDifference>,
    /// Its rules that differ, in the order in which they stand.
    pub rules: Vec<RuleDifference>,
}

/// One rule that is not the same any more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleDifference {
    /// Its id; of a rule without one its place, `r3`.
    pub rule: String,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
    /// What it says: the whole rule where it was added or removed, else the keys that differ.
    pub keys: Vec<KeyDifference>,
}

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyDifference {
    /// Which, `match.tools` or `when`.
    pub key: String,
    /// What it said; null where it was not there.
    pub before: Value,
    /// What it says; null where it is gone.
    pub after: Value,
}

/// What the second list says differently from the first, by name of document. A text that is no
/// JSON object counts as an empty document; loading says what is wrong with it.
pub fn difference(before: &[Document], after: &[Document]) -> Vec<DocumentDifference> {
    let (before, after) = (read(before), read(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let pairs = names
        .into_iter()
        .map(|name| (name, before.get(name), after.get(name)));
    pairs
        .filter_map(|(name, before, after)| one(name, before, after))
        .collect()
}

/// A document in plain form.
#[derive(Default)]
struct Plain {
    keys: BTreeMap<String, Value>,
    rules: Vec<PlainRule>,
}

struct PlainRule {
    id: String,
    /// Whether its author named it.
    named: bool,
    keys: BTreeMap<String, Value>,
}

fn read(documents: &[Document]) -> BTreeMap<String, Plain> {
    let plain = |document: &Document| {
        let value: Value = serde_json::from_str(&document.text).unwrap_or_default();
        let name = value.get("name").and_then(Value::as_str);
        let name = name.unwrap_or(&document.name).to_owned();
        (name, Plain::of(value))
    };
    documents.iter().map(plain).collect()
}

impl Plain {
    fn of(value: Value) -> Self {
        let Value::Object(mut members) = value else {
            return Self::default();
        };
        let rules = match members.remove("rules") {
            Some(Value::Array(rules)) => rules,
            _ => Vec::new(),
        };
        // Neither what people read nor what is tried changes what is decided.
        for key in ["name", "description", "tests"] {
            members.remove(key);
        }
        let rules = rules.into_iter().enumerate();
        Self {
            keys: flat(members),
            rules: rules
                .map(|(place, rule)| PlainRule::of(place, rule))
                .collect(),
        }
    }
}

impl PlainRule {
    fn of(place: usize, rule: Value) -> Self {
        let Value::Object(mut members) = rule else {
            return Self {
                id: format!("r{}", place + 1),
                named: false,
                keys: BTreeMap::new(),
            };
        };
        let id = members.remove("rule_id");
        let id = id.as_ref().and_then(Value::as_str);
        Self {
            named: id.is_some(),
            id: id.map_or_else(|| format!("r{}", place + 1), str::to_owned),
            keys: flat(members),
        }
    }
}

/// Keys by their path, `match` and `condition` taken apart, what is the default left out.
fn flat(members: Map<String, Value>) -> BTreeMap<String, Value> {
    let mut keys = BTreeMap::new();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("match" | "condition", Value::Object(inner)) => keys.extend(
                inner
                    .into_iter()
                    .map(|(inner, value)| (format!("{key}.{inner}"), plain(&inner, value))),
            ),
            ("action", value) => drop(keys.insert("effect".to_owned(), plain("effect", value))),
            ("env_names", value) => drop(keys.insert("env".to_owned(), plain("env", value))),
            (_, value) => drop(keys.insert(key.clone(), plain(&key, value))),
        }
    }
    let usual = [("enabled", json!(true)), ("priority", json!(100))];
    for (key, usual) in usual {
        if keys.get(key) == Some(&usual) {
            keys.remove(key);
        }
    }
    keys
}

/// A value in its plain form: words in lower case, expressions without spare space, lists sorted.
fn plain(key: &str, value: Value) -> Value {
    match (key, value) {
        ("effect", Value::String(word)) => Value::String(word.to_lowercase()),
        ("when" | "unless", Value::String(text)) => {
            Value::String(text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        (
            "reason" | "code" | "mode" | "expires_in" | "per" | "notify" | "on" | "time_zone"
            | "max_risk",
            value,
        ) => value,
        (_, Value::String(text)) => json!([text]),
        (_, Value::Array(mut items)) => {
            items.sort_by_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        (_, value) => value,
    }
}

fn one(name: &str, before: Option<&Plain>, after: Option<&Plain>) -> Option<DocumentDifference> {
    let nothing = Plain::default();
    let change = word(before.is_some(), after.is_some());
    let (before, after) = (before.unwrap_or(&nothing), after.unwrap_or(&nothing));
    let keys = keys(&before.keys, &after.keys);
    let rules = rules(&before.rules, &after.rules);
    let same = keys.is_empty() && rules.is_empty() && change == "changed";
    (!same).then(|| DocumentDifference {
        document: name.to_owned(),
        change,
        keys,
        rules,
    })
}

fn rules(before: &[PlainRule], after: &[PlainRule]) -> Vec<RuleDifference> {
    let mut gone: Vec<&PlainRule> = before.iter().collect();
    let mut rest = Vec::new();
    // A rule without a name is known by what it says, wherever it moved to.
    for rule in after {
        let same = |old: &&PlainRule| match rule.named {
            true => old.named && old.id == rule.id,
            false => !old.named && old.keys == rule.keys,
        };
        match gone.iter().position(same) {
            Some(at) => rest.push((rule, Some(gone.remove(at)))),
            None => rest.push((rule, None)),
        }
    }
    // What is left without a name is taken for its successor at the same place.
    for (rule, partner) in rest.iter_mut().filter(|(_, partner)| partner.is_none()) {
        let heir = |old: &&PlainRule| !old.named && !rule.named && old.id == rule.id;
        if let Some(at) = gone.iter().position(heir) {
            *partner = Some(gone.remove(at));
        }
    }
    let nothing = BTreeMap::new();
    let differing = rest.into_iter().filter_map(|(rule, partner)| {
        let old = partner.map_or(&nothing, |old| &old.keys);
        let keys = keys(old, &rule.keys);
        (partner.is_none() || !keys.is_empty()).then(|| RuleDifference {
            rule: rule.id.clone(),
            change: word(partner.is_some(), true),
            keys,
        })
    });
    let mut all: Vec<RuleDifference> = differing.collect();
    all.extend(gone.into_iter().map(|rule| RuleDifference {
        rule: rule.id.clone(),
        change: word(true, false),
        keys: keys(&rule.keys, &nothing),
    }));
    all
}

fn keys(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<KeyDifference> {
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |of: &BTreeMap<String, Value>, key: &str| of.get(key).cloned().unwrap_or_default();
    let pair = |key: &String| KeyDifference {
        key: key.clone(),
        before: value(before, key),
        after: value(after, key),
    };
    all.into_iter()
        .map(pair)
        .filter(|pair| pair.before != pair.after)
        .collect()
}

const fn word(before: bool, after: bool) -> &'static str {
    match (before, after) {
        (false, _) => "added",
        (true, false) => "removed",
        (true, true) => "changed",
    }
}

#[cfg(test)]
mod tests {
    use super::difference;
    use crate::input::Document;

    fn shown(before: &str, after: &str) -> Vec<String> {
        let document = |text: &str| Document {
            name: "p".to_owned(),
            text: text.to_owned(),
        };
        let mut lines = Vec::new();
        for document in difference(&[document(before)], &[document(after)]) {
            let key = |at: &str, one: &super::KeyDifference| {
                format!("{at} {}: {} to {}", one.key, one.before, one.after)
            };
            lines.extend(document.keys.iter().map(|one| key("document", one)));
            for rule in &document.rules {
                lines.extend(
                    rule.keys
                        .iter()
                        .map(|one| key(&format!("{} {}", rule.change, rule.rule), one)),
                );
            }
        }
        lines
    }

    #[test]
    fn what_is_only_written_otherwise_is_no_difference() {
        let a = r#"{"env": "prod", "rules": [{"rule_id": "a", "action": "DENY", "priority": 100,
                    "match": {"tools": ["a.b", "c.d"]}, "when": "amount  > 500"}], "description": "x"}"#;
        let b = r#"{"rules": [{"match": {"tools": ["c.d", "a.b"]}, "rule_id": "a", "effect": "deny",
                    "when": "amount > 500", "enabled": true}], "env_names": ["prod"]}"#;
        assert_eq!(shown(a, b), Vec::<String>::new());
    }

    #[test]
    fn a_changed_bound_an_added_and_a_removed_rule_are_named() {
        let a = r#"{"rules": [{"when": "amount > 500", "effect": "deny"}, {"when": "x == 1", "effect": "allow"}]}"#;
        let b = r#"{"rules": [{"when": "amount > 100", "effect": "deny"}, {"rule_id": "n", "effect": "notify", "notify": "c"}]}"#;
        assert_eq!(
            shown(a, b),
            [
                r#"changed r1 when: "amount > 500" to "amount > 100""#,
                r#"added n effect: null to "notify""#,
                r#"added n notify: null to "c""#,
                r#"removed r2 effect: "allow" to null"#,
                r#"removed r2 when: "x == 1" to null"#,
            ]
        );
    }

    #[test]
    fn a_rule_that_moved_is_the_same() {
        let a = r#"{"rules": [{"when": "a == 1", "effect": "deny"}, {"when": "b == 1", "effect": "deny"}]}"#;
        let b = r#"{"rules": [{"when": "b == 1", "effect": "deny"}, {"when": "a == 1", "effect": "deny"}]}"#;
        assert_eq!(shown(a, b), Vec::<String>::new());
    }
}
