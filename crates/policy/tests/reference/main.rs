//! The engine against a second evaluator, on random expressions and calls.
//!
//! A difference prints the expression and the arguments; proptest shrinks both.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a difference is a failure"
)]

#[path = "../common/mod.rs"]
mod common;
mod evaluator;

use common::{catalogue, decide, rules};
use evaluator::{Expr, NAMES, Term, truth, write};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use toolgate_model::Truth;

fn terms() -> impl Strategy<Value = Term> {
    let name = || prop::sample::select(&NAMES[..]);
    let leaf = prop_oneof![
        3 => name().prop_map(Term::Arg),
        3 => (-3..4_i64).prop_map(Term::Num),
        1 => (name(), -3..4_i64).prop_map(|(name, n)| Term::Default(name, n)),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        let pair = (inner.clone().prop_map(Box::new), inner.prop_map(Box::new));
        (any::<bool>(), pair).prop_map(|(sum, (l, r))| match (sum, &*l, &*r) {
            (false, Term::Sum(..) | Term::Times(..), _)
            | (false, _, Term::Sum(..) | Term::Times(..))
            | (true, ..) => Term::Sum(l, r),
            (false, ..) => Term::Times(l, r),
        })
    })
}

fn exprs() -> impl Strategy<Value = Expr> {
    let name = || prop::sample::select(&NAMES[..]);
    let op = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let texts = || prop::collection::vec(prop::sample::select(vec![json!("x"), json!("1")]), 1..3);
    let leaf = prop_oneof![
        4 => (terms(), op(), terms()).prop_map(|(l, op, r)| Expr::Order(l, op, r)),
        1 => (name(), texts(), any::<bool>()).prop_map(|(n, list, not_in)| Expr::In(n, list, not_in)),
        1 => (name(), prop::sample::select(vec![json!("x"), json!(1)])).prop_map(|(n, v)| Expr::Contains(n, v)),
        1 => name().prop_map(Expr::Exists),
        1 => name().prop_map(Expr::Bare),
        1 => (any::<bool>(), name(), prop::sample::select(vec![">", "=="]), -1..3_i64)
            .prop_map(|(every, name, op, n)| Expr::Each(every, name, op, n)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = || {
            (
                inner.clone().prop_map(Box::new),
                inner.clone().prop_map(Box::new),
            )
        };
        prop_oneof![
            pair().prop_map(|(l, r)| Expr::And(l, r)),
            pair().prop_map(|(l, r)| Expr::Or(l, r)),
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

fn args() -> impl Strategy<Value = Value> {
    let plain = || {
        prop::sample::select(vec![
            json!(0),
            json!(1),
            json!(2),
            json!("x"),
            json!("1"),
            json!(true),
            json!(false),
            json!(null),
        ])
    };
    let value =
        prop_oneof![4 => plain(), 1 => prop::collection::vec(plain(), 0..3).prop_map(Value::Array)];
    let entry = (prop::sample::select(&NAMES[..]), value);
    prop::collection::vec(entry, 0..5).prop_map(|entries| {
        let map: Map<String, Value> = entries
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect();
        Value::Object(map)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_and_the_reference_agree(expr in exprs(), args in args()) {
        let schema = json!({"type": "object", "properties": {"a": {}, "b": {}, "l": {}}});
        // The second tool has `u`, so that it is a name that rules may use.
        let tools = catalogue(&[
            json!({"id": "t.x", "input_schema": schema}),
            json!({"id": "t.y", "input_schema": {"properties": {"u": {}}}}),
        ]);
        let text = write(&expr);
        let set = rules(json!([{"when": text, "effect": "deny"}]), &tools);
        let ruling = decide(&set, &json!({"tool": "t.x", "args": args}), &tools);
        let engine = ruling.rules.first().map_or(Some(false), |rule| match rule.truth {
            Truth::True => Some(true),
            Truth::Unknown => None,
            Truth::False => panic!("a rule matched that is false"),
        });
        prop_assert_eq!(engine, truth(&expr, false, &args), "{} with {}", text, args);
    }
}
