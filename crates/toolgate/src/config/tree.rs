//! Configuration before anybody knows what it means: values, each with where it came from.
//!
//! The file, the environment and the command line become the same tree, laid over one another:
//! `TOOLGATE_POSTURE__HIGH=deny` is `posture.high`, and wins over the file's `[posture]`.
//!
//! Must not know: which keys exist.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// These bytes of the file.
    File(Range<usize>),
    /// Nobody said anything.
    Default,
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Bool(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// Something that no key takes: what it is.
    Other(&'static str),
}

/// One line of a table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) node: Node,
}

/// The prefix of variables that are configuration.
const PREFIX: &str = "TOOLGATE_";

/// Variables with that prefix that are about the command line and not about the gate.
const NOT_SETTINGS: [&str; 5] = [
    "TOOLGATE_CONFIG",
    "TOOLGATE_KEY",
    "TOOLGATE_LOG",
    "TOOLGATE_TOKEN",
    "TOOLGATE_URL",
];

/// What the text of a file says, and every place where it is not TOML.
pub(super) fn of_toml(text: &str) -> (Vec<Entry>, Vec<toml::de::Error>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    (entries(table.get_ref()), errors)
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let origin = Origin::File(key.span());
        Entry {
            key: name.to_string(),
            origin,
            node: node(value),
        }
    };
    table.iter().map(entry).collect()
}

fn node(value: &toml::Spanned<DeValue<'_>>) -> Node {
    let origin = Origin::File(value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("an integer out of range"), Value::Integer),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(items.iter().map(node).collect()),
        DeValue::Table(table) => Value::Table(entries(table)),
    };
    Node { value, origin }
}

/// Lays the variables that are configuration over the tree.
pub(super) fn overlay_variables(tree: &mut Vec<Entry>, variables: &BTreeMap<String, String>) {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX).filter(|_| !is_reserved(name)) else {
            continue;
        };
        let path: Vec<_> = path.split("__").map(str::to_lowercase).collect();
        put(tree, &path, (text, &Origin::Variable(name.clone())));
    }
}

fn is_reserved(name: &str) -> bool {
    NOT_SETTINGS.contains(&name)
}

/// Puts one text at a path, instead of whatever is there.
pub(super) fn put(tree: &mut Vec<Entry>, path: &[String], (text, origin): (&str, &Origin)) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let place = tree.iter().position(|entry| entry.key == *first);
    let old = place.map(|place| tree.remove(place).node.value);
    let value = match (rest.is_empty(), old) {
        (true, _) => Value::Text(text.to_owned()),
        (false, Some(Value::Table(mut inner))) => {
            put(&mut inner, rest, (text, origin));
            Value::Table(inner)
        }
        (false, _) => {
            let mut inner = Vec::new();
            put(&mut inner, rest, (text, origin));
            Value::Table(inner)
        }
    };
    let node = Node {
        value,
        origin: origin.clone(),
    };
    tree.push(Entry {
        key: first.clone(),
        origin: origin.clone(),
        node,
    });
}

impl Node {
    /// What it is, for a complaint.
    pub(super) const fn what(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "an integer",
            Value::Bool(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other(what) => what,
        }
    }
}
