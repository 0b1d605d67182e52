//! Expectations against rules: the same language, so the same truth.
//!
//! What a rule says of arguments of which no schema is known, an expectation says of a result with
//! the same content: true, false or unknown alike. And no text, however odd, does more than be
//! refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a difference is a failure"
)]

mod common;

use common::{catalogue, decide, rules};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use toolgate_model::Truth;
use toolgate_policy::{Expectation, Sight};

/// Conditions over the names of `@`, which stands for `args` or `result`.
fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "@.a > 1",
        "@.a <= $@.b",
        "@.a == x",
        "@.b != 1",
        "@.l contains x",
        "@.a in [1, x]",
        "@.a in $@.l",
        "@.a",
        "exists(@.l)",
        "default(@.a, 1) == 1",
        "count(@.l) > 1",
        "number(@.b) >= 1",
        "lower(@.a) == x",
        "any(@.l, i, i == 1)",
        "all(@.l, i, i != x)",
        "any(@.l, i, i == $@.a)",
        "any(@.l, i, i.id == 1)",
        "@.o.id == 1",
        "@.l[0] == 1",
        "@.a + @.b == 2",
        "@.a ~ '^x'",
        "true",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(3, 10, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} and {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} or {r})")),
            inner.prop_map(|inner| format!("(not {inner})")),
        ]
    })
}

fn contents() -> impl Strategy<Value = Value> {
    let plain = || {
        prop::sample::select(vec![
            json!(0),
            json!(1),
            json!(2),
            json!("x"),
            json!("1"),
            json!("1.00"),
            json!(true),
            json!(null),
            json!({"id": 1}),
        ])
    };
    let value =
        prop_oneof![3 => plain(), 1 => prop::collection::vec(plain(), 0..3).prop_map(Value::Array)];
    let entry = (prop::sample::select(vec!["a", "b", "l", "o"]), value);
    prop::collection::vec(entry, 0..5).prop_map(|entries| {
        let named = entries.into_iter().map(|(k, v)| (k.to_owned(), v));
        Value::Object(named.collect::<Map<_, _>>())
    })
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "result",
        "result.a",
        "args.b",
        "$invocation.id",
        "invocation",
        "agent",
        "any(",
        "all(",
        "default(",
        "number(",
        ")",
        "(",
        "[",
        "]",
        ",",
        "==",
        "!=",
        "<",
        "in",
        "not",
        "and",
        "or",
        "contains",
        "~",
        "'['",
        "1",
        "5m",
        "\"",
        "$",
        "é",
        "-",
        "r",
        "r.x",
    ]);
    prop::collection::vec(word, 0..14).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_result_is_judged_as_arguments_are(condition in conditions(), contents in contents()) {
        let tools = catalogue(&[json!({"id": "t.x"})]);
        let rule = json!([{"when": condition.replace('@', "args"), "effect": "deny"}]);
        let ruling = decide(&rules(rule, &tools), &json!({"tool": "t.x", "args": contents}), &tools);
        let by_rule = ruling.rules.first().map_or(Truth::False, |rule| rule.truth);
        let expectation = Expectation::compile(&condition.replace('@', "result")).unwrap();
        let none = json!({});
        let sight = Sight { result: &contents, args: &none, invocation: "inv_1" };
        prop_assert_eq!(expectation.holds(&sight), by_rule, "{} of {}", condition, contents);
    }

    #[test]
    fn any_text_is_judged_or_refused(text in words(), contents in contents()) {
        match Expectation::compile(&text) {
            Ok(expectation) => {
                let sight = Sight { result: &contents, args: &contents, invocation: "inv_1" };
                prop_assert_eq!(expectation.holds(&sight), expectation.holds(&sight));
            }
            Err(error) => {
                prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1);
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}
