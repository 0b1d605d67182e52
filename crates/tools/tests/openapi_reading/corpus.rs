//! Descriptions of real APIs, and what always holds of the tools that are made of them.
//!
//! The descriptions are those of `corpus/openapi`, as their publishers wrote them. What must be found
//! in each is said by its `index.json`, and by looking into the text itself: no rating and no name is
//! taken for right because the reader gave it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Map, Value};
use toolgate_model::{Descriptor, Glob, Grant, Reach, Risk, Verb};
use toolgate_tools::ApiTools;

use crate::Dice;

/// LIMIT: what the reader promises for one input schema.
const SCHEMA_BYTES_MAX: usize = 32 << 10;
/// LIMIT: the same with words, annotations and all else that a list shows of a tool.
const TOOL_BYTES_MAX: usize = 36 << 10;

struct Described {
    name: String,
    index: Value,
    text: Vec<u8>,
    root: Value,
    read: ApiTools,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../corpus/openapi")
}

fn load(index: &Value) -> Described {
    let name = index["name"].as_str().unwrap().to_owned();
    let packed = std::fs::read(folder().join(format!("{name}.json.gz"))).unwrap();
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut text)
        .unwrap();
    Described {
        read: ApiTools::read("api", &text, &BTreeMap::new()).unwrap(),
        root: serde_json::from_slice(&text).unwrap(),
        index: index.clone(),
        text,
        name,
    }
}

/// All of them, read once.
fn all() -> &'static [Described] {
    static ALL: OnceLock<Vec<Described>> = OnceLock::new();
    ALL.get_or_init(|| {
        let index = std::fs::read(folder().join("index.json")).unwrap();
        let index: Vec<Value> = serde_json::from_slice(&index).unwrap();
        assert_eq!(index.len(), 16);
        index.iter().map(load).collect()
    })
}

fn each(check: impl FnMut(&Described)) {
    all().iter().for_each(check);
}

/// How an operation stands in the description, by what its tool says of it.
fn written<'r>(root: &'r Value, tool: &Descriptor) -> &'r Value {
    let about = &tool.definition["_meta"]["dev.toolgate/operation"];
    let method = about["method"].as_str().unwrap().to_ascii_lowercase();
    let path = about["path"].as_str().unwrap();
    // Where the path goes on with a fragment, which is never sent, the name tells which one it is.
    let fits = |written: &str, operation: &Value| {
        let same = operation["operationId"] == tool.id.operation();
        written == path || written.split('#').next() == Some(path) && same
    };
    let mut all = root["paths"].as_object().unwrap().iter();
    let found = all.find_map(|(written, item)| {
        let operation = item.get(&method)?;
        let other =
            path_with_fragment(root, path) && operation["operationId"] != tool.id.operation();
        (fits(written, operation) && !other).then_some(operation)
    });
    found.unwrap_or_else(|| panic!("{method} {path} is not in the description"))
}

fn path_with_fragment(root: &Value, path: &str) -> bool {
    let start = format!("{path}#");
    let mut all = root["paths"].as_object().unwrap().keys();
    all.any(|written| written.starts_with(&start))
}

fn shape(tool: &Descriptor) -> (String, String, String, Risk) {
    let about = &tool.definition["_meta"]["dev.toolgate/operation"];
    (
        tool.id.to_string(),
        tool.wire_name.clone(),
        about["digest"].as_str().unwrap().to_owned(),
        tool.risk,
    )
}

fn shapes(read: &ApiTools) -> BTreeSet<(String, String, String, Risk)> {
    read.tools.iter().map(|tool| shape(tool)).collect()
}

#[test]
fn every_operation_is_counted_and_can_be_called() {
    each(|one| {
        let counted = usize::try_from(one.index["operations"].as_u64().unwrap()).unwrap();
        assert_eq!(one.read.operations, counted, "{}", one.name);
        assert_eq!(one.read.unavailable, [], "{}", one.name);
        assert_eq!(one.read.tools.len(), counted, "{}", one.name);
        let mut methods: BTreeMap<String, u64> = BTreeMap::new();
        for tool in &one.read.tools {
            let method = tool.method.as_ref().unwrap().to_ascii_lowercase();
            *methods.entry(method).or_default() += 1;
            written(&one.root, tool);
        }
        let said: BTreeMap<String, u64> =
            serde_json::from_value(one.index["methods"].clone()).unwrap();
        assert_eq!(methods, said, "{}", one.name);
    });
}

#[test]
fn names_are_unique_and_are_what_the_description_says() {
    each(|one| {
        let count = one.read.tools.len();
        let ids: BTreeSet<&str> = one.read.tools.iter().map(|tool| tool.id.as_str()).collect();
        let wires: BTreeSet<&str> = one
            .read
            .tools
            .iter()
            .map(|tool| tool.wire_name.as_str())
            .collect();
        assert_eq!((ids.len(), wires.len()), (count, count), "{}", one.name);
        for tool in &one.read.tools {
            assert!(tool.wire_name.len() <= 48, "{}", tool.wire_name);
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            assert!(tool.wire_name.chars().all(plain), "{}", tool.wire_name);
            let written = written(&one.root, tool);
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
            if let Some(id) = written["operationId"].as_str()
                && id.chars().all(plain)
            {
                assert_eq!(tool.id.operation(), id, "{}", one.name);
            }
        }
    });
}

/// The same value with the members of every object in another order.
fn shuffled(dice: &mut Dice, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| shuffled(dice, item)).collect(),
        Value::Object(members) => {
            let mut all: Vec<(&String, &Value)> = members.iter().collect();
            for at in (1..all.len()).rev() {
                let with = dice.below(at + 1);
                all.swap(at, with);
            }
            let all = all.into_iter();
            all.map(|(name, value)| (name.clone(), shuffled(dice, value)))
                .collect::<Map<String, Value>>()
                .into()
        }
        plain => plain.clone(),
    }
}

#[test]
fn the_order_of_members_changes_nothing() {
    each(|one| {
        let text = shuffled(&mut Dice(7), &one.root).to_string();
        assert_ne!(text.as_bytes(), one.text, "{}", one.name);
        let again = ApiTools::read("api", text.as_bytes(), &BTreeMap::new()).unwrap();
        let (before, after) = (shapes(&one.read), shapes(&again));
        let changed: Vec<_> = before.symmetric_difference(&after).take(4).collect();
        assert!(changed.is_empty(), "{}: {changed:?}", one.name);
    });
}

#[test]
fn what_else_is_in_a_description_renames_nothing() {
    each(|one| {
        let mut dice = Dice(11);
        let mut root = one.root.clone();
        let paths = root["paths"].as_object_mut().unwrap();
        paths.retain(|_, _| dice.below(3) > 0);
        let text = root.to_string();
        let fewer = ApiTools::read("api", text.as_bytes(), &BTreeMap::new()).unwrap();
        let (before, after) = (shapes(&one.read), shapes(&fewer));
        assert!(
            after.len() < before.len() || before.len() < 5,
            "{}",
            one.name
        );
        let renamed: Vec<_> = after.difference(&before).collect();
        assert!(renamed.is_empty(), "{}: {renamed:?}", one.name);
    });
}

#[test]
fn no_delete_of_any_description_is_below_high() {
    each(|one| {
        for tool in &one.read.tools {
            if tool.method.as_deref() == Some("DELETE") {
                assert!(tool.risk >= Risk::High, "{}: {}", one.name, tool.id);
            }
            // What a description itself calls a removal, by whatever method.
            let written = written(&one.root, tool);
            let said = written["operationId"].as_str().unwrap_or_default();
            let path = tool.definition["_meta"]["dev.toolgate/operation"]["path"].as_str();
            let last = path.unwrap().rsplit('/').next().unwrap_or_default();
            let words = format!("{said} {last}").to_ascii_lowercase();
            let removals = [
                "delete",
                "remove",
                "revoke",
                "uninstall",
                "destroy",
                "purge",
                "cancel",
            ];
            let removes = |word: &str| removals.contains(&word);
            let mut words = words.split(|c: char| !c.is_ascii_alphabetic());
            if words.any(removes) {
                let (name, id) = (&one.name, &tool.id);
                assert!(tool.risk >= Risk::High, "{name}: {id} is {}", tool.risk);
            }
        }
    });
}

#[test]
fn a_ceiling_of_medium_keeps_every_delete_away_and_a_grant_of_get_reaches_reads_only() {
    let grant = |tools: &str, max_risk| Grant {
        tools: vec![Glob::new(tools)],
        resources: Vec::new(),
        actions: Vec::new(),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk,
    };
    let (medium, gets) = (grant("api.*", Some(Risk::Medium)), grant("api.get.*", None));
    let mut reached = 0;
    each(|one| {
        for tool in &one.read.tools {
            let reach = Reach {
                tool: tool.id.as_str(),
                route: tool.route.as_ref().map(|route| route.as_str()),
                action: None,
                resource: None,
                env: None,
                workflow: None,
                risk: tool.risk,
            };
            let delete = tool.method.as_deref() == Some("DELETE") || tool.verb == Verb::Delete;
            assert!(
                !(delete && medium.opens(&reach)),
                "{}: {}",
                one.name,
                tool.id
            );
            let get = tool.method.as_deref() == Some("GET");
            let harmless = get && tool.risk == Risk::Low && tool.verb == Verb::Read;
            assert_eq!(gets.opens(&reach), harmless, "{}: {}", one.name, tool.id);
            reached += usize::from(harmless);
        }
    });
    // Nearly all of the 1,381 `GET`s there are: a grant that reaches nothing would be safe and useless.
    assert!(reached > 1_200, "{reached}");
}

#[test]
fn every_input_schema_is_valid_self_contained_and_small() {
    each(|one| {
        for tool in &one.read.tools {
            let (name, id, schema) = (&one.name, &tool.id, &tool.input_schema);
            if let Err(error) = jsonschema::draft202012::meta::validate(schema) {
                panic!("{name}: {id}: {error}");
            }
            let compiled = jsonschema::draft202012::new(schema);
            assert!(compiled.is_ok(), "{name}: {id}: {compiled:?}");
            assert_eq!(schema["type"], "object", "{name}: {id}");
            assert_eq!(schema["additionalProperties"], false, "{name}: {id}");
            references(schema, &mut |to| {
                let target = to.strip_prefix('#').and_then(|to| schema.pointer(to));
                assert!(target.is_some(), "{name}: {id}: {to}");
            });
            let bytes = schema.to_string().len();
            assert!(bytes <= SCHEMA_BYTES_MAX, "{name}: {id} has {bytes}");
            let bytes = tool.definition.to_string().len();
            assert!(bytes <= TOOL_BYTES_MAX, "{name}: {id} has {bytes}");
        }
    });
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("$ref") {
                found(to);
            }
            members.values().for_each(|inner| references(inner, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_the_description_requires_is_required_of_the_caller() {
    each(|one| {
        for tool in &one.read.tools {
            let written = written(&one.root, tool);
            let declared = written["parameters"].as_array().into_iter().flatten();
            for parameter in declared {
                let required = parameter["required"] == true;
                let placed = matches!(parameter["in"].as_str(), Some("path" | "query"));
                let Some(name) = parameter["name"].as_str().filter(|_| required && placed) else {
                    continue;
                };
                let flat = &tool.input_schema["required"];
                let group = parameter["in"].as_str().unwrap();
                let nested = &tool.input_schema["properties"][group]["required"];
                let has = |list: &Value| {
                    let mut names = list.as_array().into_iter().flatten();
                    names.any(|known| known == name)
                };
                assert!(
                    has(flat) || has(nested),
                    "{}: {}: {name}",
                    one.name,
                    tool.id
                );
            }
        }
    });
}

#[test]
fn most_ratings_rest_on_more_than_a_habit_of_the_method() {
    let (mut words, mut method, mut fallback) = (0, 0, 0);
    each(|one| {
        let bases = one.read.bases;
        assert_eq!(
            bases.words + bases.method + bases.fallback,
            one.read.tools.len()
        );
        words += bases.words;
        method += bases.method;
        fallback += bases.fallback;
        // Bands alone would say too little where there is much to tell apart.
        let scores: BTreeSet<u8> = one
            .read
            .tools
            .iter()
            .map(|tool| tool.risk_score.hundredths())
            .collect();
        let few = one.read.tools.len() < 150;
        assert!(few || scores.len() >= 5, "{}: {scores:?}", one.name);
    });
    let all = words + method + fallback;
    assert!(words * 100 >= all * 90, "{words} of {all} by words");
    assert!(fallback * 100 <= all * 6, "{fallback} of {all} by neither");
}
