//! What holds of every set and every call, on the same random scenes as the differential test: all
//! words, histories, results and places in them (5-house, 7; 2-decision, 3 and 4).
//!
//! A failure names the seed of its scene.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

use serde_json::{Value, json};
use toolgate_model::{Obligation, Verdict};
use toolgate_policy::{Budget, Fault, Ruling};
use toolgate_testkit::differential::{Engine, Scene};

const CASES: u64 = 1_500;

/// The scenes that load, with their seeds.
fn scenes() -> impl Iterator<Item = (u64, Scene)> {
    let scenes = (0..CASES).map(|seed| (seed, Scene::random(seed)));
    scenes.filter(|(_, scene)| Engine::load(scene).is_ok())
}

/// What the scene's documents say; nothing where they do not load.
fn ruled(scene: &Scene) -> Option<Ruling> {
    Some(Engine::load(scene).ok()?.decide(Budget::default()).unwrap())
}

/// Ordered by strictness; no word of a rule is at least as strict as an allow, because the posture
/// speaks then.
fn strictness(effect: Option<Verdict>) -> u8 {
    match effect {
        Some(Verdict::Allow) => 0,
        None => 1,
        Some(Verdict::Sanitize) => 2,
        Some(Verdict::RequireApproval) => 3,
        Some(Verdict::Deny) => 4,
    }
}

fn at_least_as_strict(strict: &Ruling, mild: &Ruling) -> bool {
    let owed = |one: &Obligation| strict.obligations.contains(one);
    strictness(strict.effect) >= strictness(mild.effect)
        && (strict.effect == Some(Verdict::Deny) || mild.obligations.iter().all(owed))
}

/// The scene with one more rule at the end of its first document.
fn with_rule(scene: &Scene, rule: &Value) -> Scene {
    let mut more = scene.clone();
    more.documents[0].1["rules"]
        .as_array_mut()
        .unwrap()
        .push(rule.clone());
    more
}

/// Rules of other scenes that tighten and exempt nothing.
fn tightening(seed: u64) -> impl Iterator<Item = Value> {
    let other = Scene::random(seed + CASES);
    let rules: Vec<Value> = other.documents[0].1["rules"].as_array().unwrap().clone();
    let effect = |rule: &Value| {
        let effect = rule.get("effect").or(rule.get("action"));
        effect.and_then(Value::as_str).unwrap().to_lowercase()
    };
    rules
        .into_iter()
        .filter(move |rule| effect(rule) != "allow" && rule.get("exempts").is_none())
}

#[test]
fn a_tightening_rule_never_loosens() {
    let mut tried = 0;
    for (seed, scene) in scenes() {
        let before = ruled(&scene).unwrap();
        for rule in tightening(seed) {
            let Some(after) = ruled(&with_rule(&scene, &rule)) else {
                continue;
            };
            tried += 1;
            assert!(
                at_least_as_strict(&after, &before),
                "seed {seed}: {rule} made {before:?} into {after:?}"
            );
        }
    }
    assert!(tried > CASES / 4, "{tried} were tried");
}

#[test]
fn the_order_of_documents_and_of_keys_never_matters() {
    for (seed, scene) in scenes() {
        let mut turned = scene.clone();
        turned.documents.reverse();
        for (_, document) in &mut turned.documents {
            *document = reversed(document);
        }
        let said = |scene: &Scene| ruled(scene).map(sorted);
        assert_eq!(said(&turned), said(&scene), "seed {seed}");
    }
}

/// The ruling without what says in which order parts were looked at: steps, and the names of what was
/// unknown.
fn sorted(mut ruling: Ruling) -> Ruling {
    for rule in &mut ruling.rules {
        rule.unknown.sort();
    }
    Ruling {
        steps: 0,
        reason: None,
        ..ruling
    }
}

/// The object with its keys in the opposite order, and the objects in it; lists stay.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().rev();
            Value::Object(
                members
                    .map(|(key, member)| (key.clone(), reversed(member)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(reversed).collect()),
        plain => plain.clone(),
    }
}

/// `exists` and `default` are what a rule says in the open about absence; where texts are searched,
/// less of them is less to find; a rule that names no argument has nothing hidden from it.
const OPEN: [&str; 9] = [
    "exists",
    "default",
    "body",
    "data_class",
    "signals",
    "count",
    "not in [prod]",
    "sanitize_fields",
    "is_external_principal",
];

#[test]
fn hiding_an_argument_never_relaxes() {
    let mut tried = 0;
    for (seed, scene) in scenes() {
        let text = scene.json()["documents"].to_string();
        if OPEN.iter().any(|word| text.contains(word)) {
            continue;
        }
        let seen = ruled(&scene).unwrap();
        let names: Vec<String> = scene.call["args"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for name in names.iter().filter(|name| could_be(&scene, name)) {
            let mut less = scene.clone();
            less.call["args"]
                .as_object_mut()
                .unwrap()
                .shift_remove(name);
            let unseen = ruled(&less).unwrap();
            tried += 1;
            assert!(
                at_least_as_strict(&unseen, &seen),
                "seed {seed}: without {name} {seen:?} is {unseen:?}"
            );
        }
    }
    assert!(tried > CASES / 10, "{tried} were tried");
}

/// Whether the tool declares the argument or leaves room for it: what it does not have it does not
/// read.
fn could_be(scene: &Scene, name: &str) -> bool {
    let tool = scene
        .tools
        .iter()
        .find(|tool| tool["id"] == scene.call["tool"]);
    match tool.and_then(|tool| tool["input_schema"]["properties"].as_object()) {
        Some(declared) => declared.contains_key(name),
        None => true,
    }
}

#[test]
fn watching_changes_nothing() {
    for (seed, scene) in scenes() {
        let mut watched = scene.clone();
        for (_, document) in &mut watched.documents {
            document["mode"] = json!("monitor");
            for rule in document["rules"].as_array_mut().unwrap() {
                rule.as_object_mut().unwrap().shift_remove("mode");
            }
        }
        let ruling = ruled(&watched).unwrap();
        let silent = Ruling {
            rules: ruling.rules.clone(),
            steps: ruling.steps,
            ..Ruling::default()
        };
        assert_eq!(ruling, silent, "seed {seed}");
        assert!(ruling.rules.iter().all(|rule| rule.monitor), "seed {seed}");
    }
}

#[test]
fn explaining_decides_alike_and_the_budget_ends_everything() {
    for (seed, scene) in scenes() {
        let engine = Engine::load(&scene).unwrap();
        let set = engine.set();
        let checked = engine.with_facts(|facts| {
            let ruling = set.decide(facts, Budget::default()).unwrap();
            let (explained, explanation) = set.explain(facts, Budget::default()).unwrap();
            assert_eq!(explained, ruling, "seed {seed}");
            let matched = explanation.rules.iter().filter(|rule| rule.matched).count();
            assert_eq!(matched, ruling.rules.len(), "seed {seed}");
            for steps_max in 0..ruling.steps.min(60) {
                let fault = Fault::BudgetExhausted { steps_max };
                let short = Budget { steps_max };
                assert_eq!(set.decide(facts, short), Err(fault), "seed {seed}");
                assert_eq!(
                    set.explain(facts, short).map(|_| ()),
                    Err(fault),
                    "seed {seed}"
                );
            }
        });
        assert!(checked.is_some(), "seed {seed}");
    }
}
