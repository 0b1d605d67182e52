//! The engine and the reference agree: on random scenes, and on what the corpus says must come out.
//!
//! A difference prints the seed that plays it again and the scene cut down to what it needs;
//! `cargo run -p toolgate-testkit --bin differential` plays on for as long as wanted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

use serde_json::json;
use toolgate_model::Verdict;
use toolgate_policy::Budget;
use toolgate_testkit::differential::{Engine, Played, Scene, compare, play};
use toolgate_testkit::reference;

const CASES: u64 = 2_000;

#[test]
fn the_engine_and_the_reference_agree() {
    let (mut spoke, mut refused) = (0, 0);
    for seed in 0..CASES {
        match play(seed) {
            Played::Same(matched) => spoke += u64::from(matched),
            Played::Refused(_) => refused += 1,
            Played::Differs(found) => panic!("seed {seed}: {found}"),
        }
    }
    // Scenes that say nothing would agree with any engine.
    assert!(spoke > CASES / 4, "a rule matched in {spoke} of {CASES}");
    assert!(
        refused < CASES / 3,
        "{refused} of {CASES} were refused at load"
    );
}

/// The reference by itself, on what the specification says in so many words.
#[test]
fn the_reference_says_what_the_specification_says() {
    let effect = |when: &str, args: serde_json::Value| {
        let document = json!({"rules": [{"when": when, "effect": "deny"}]});
        let tools = [json!({"id": "pay.refund", "input_schema": {"properties": {"amount": {}}}})];
        let call = json!({"tool": "pay.refund", "args": args, "env": "prod", "now": "2026-06-16T15:14:22Z"});
        let outcome = reference::decide(&[("p".to_owned(), document)], &tools, &call);
        (outcome.effect, outcome.code)
    };
    let unknown = (Some(Verdict::Deny), Some("attribute_unknown".to_owned()));
    let denied = (Some(Verdict::Deny), None);
    let silent = (None, None);
    for (when, args, expected) in [
        ("amount > 500", json!({"amount": 640}), &denied),
        ("amount > 500", json!({"amount": 5}), &silent),
        ("amount > 500", json!({}), &unknown),
        ("amount > 500", json!({"amount": "1000"}), &unknown),
        ("amount > 500", json!({"amount": null}), &unknown),
        // No other argument can be: the rule, and its opposite, are about another tool.
        ("customer == x", json!({"amount": 1}), &silent),
        ("not customer == x", json!({"amount": 1}), &silent),
        ("amount > 500 or env == prod", json!({}), &denied),
        ("amount > 500 and env == dev", json!({}), &silent),
        (
            "not amount > 5 and env == prod or env == dev",
            json!({"amount": 1}),
            &denied,
        ),
        ("exists(amount)", json!({}), &silent),
        ("default(amount, 900) > 500", json!({}), &denied),
        ("amount / 3 > 1", json!({"amount": 10}), &unknown),
        ("amount * 2 + 1 == 1.2", json!({"amount": 0.1}), &denied),
    ] {
        assert_eq!(&effect(when, args.clone()), expected, "{when} with {args}");
    }
}

/// A harness that called everything alike would find nothing: an engine that was given one document
/// more than the reference differs.
#[test]
fn a_difference_is_seen() {
    let mut scene = Scene::random(1);
    scene.call.as_object_mut().unwrap().shift_remove("result");
    scene.documents = vec![("d0".to_owned(), json!({"rules": [{"effect": "deny"}]}))];
    assert_eq!(compare(&scene), Played::Same(true));
    let engine = Engine::load(&scene).unwrap();
    let ruling = engine.decide(Budget::default()).unwrap();
    let without = reference::decide(&[], &scene.tools, &scene.call);
    assert_eq!((ruling.effect, without.effect), (Some(Verdict::Deny), None));
}
