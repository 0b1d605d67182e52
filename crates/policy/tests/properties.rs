//! What holds of every set and every call (5-house, 7; 2-decision, 3 and 4).
//!
//! The rules are random but small, over few names, so that they meet: a property over rules that
//! never match would hold of any engine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

mod common;

use common::{Call, catalogue, document, set};
use proptest::prelude::*;
use serde_json::{Value, json};
use toolgate_model::{Catalogue, Obligation, Verdict};
use toolgate_policy::{Budget, Document, Fault, PolicySet, Ruling};

fn tools() -> Catalogue {
    catalogue(&[
        json!({"id": "pay.refund", "risk": "high", "input_schema": {"properties": {"amount": {}, "note": {}, "to": {}}}}),
        json!({"id": "mail.send", "input_schema": {"type": "object"}}),
        json!({"id": "crm.read", "input_schema": {"properties": {}, "additionalProperties": false}}),
    ])
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "amount > 500",
        "amount <= 5",
        "amount != 7",
        "note == x",
        "note contains y",
        "env == prod",
        "exists(note)",
        "count(to) > 1",
        "any(to, t, t == x)",
        "all(to, t, t != x)",
        "risk >= high",
        "tool == pay.refund",
        "tool_name in [pay, crm]",
        "body contains x",
        "note ~ '^x'",
        "true",
        "user.groups contains admins",
        "not tool matches 'm*'",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} and {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} or {r})")),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(vec![
        "allow",
        "require_approval",
        "deny",
        "verify_entity",
        "reconcile_before_retry",
    ]);
    let unless = prop::option::weighted(0.3, expression());
    let matching = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            json!({"tools": ["pay.*", "mail.send"]}),
            json!({"tool_name": "crm"}),
            json!({"operations": ["s*"]}),
            json!({"verbs": ["WRITE"]}),
            json!({"repo_patterns": ["x*"]}),
        ]),
    );
    let monitor = prop::bool::weighted(0.15);
    (expression(), unless, matching, effect, 0..4_u32, monitor).prop_map(
        |(when, unless, matching, effect, priority, monitor)| {
            let mut rule = json!({"when": when, "effect": effect, "priority": priority});
            if let Some(unless) = unless {
                rule["unless"] = unless.into();
            }
            if let Some(matching) = matching {
                rule["match"] = matching;
            }
            if monitor {
                rule["mode"] = "monitor".into();
            }
            rule
        },
    )
}

fn rule_lists() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(rule(), 0..6)
}

fn call() -> impl Strategy<Value = Value> {
    let tool = prop::sample::select(vec!["pay.refund", "mail.send", "crm.read", "other.tool"]);
    let plain = || {
        prop::sample::select(vec![
            json!(5),
            json!(7),
            json!(501),
            json!("x"),
            json!("501"),
            json!("y"),
            json!(null),
            json!(true),
            json!(["x"]),
            json!(["x", "y"]),
            json!([]),
            json!({"a": "x"}),
        ])
    };
    let args = prop::collection::btree_map(
        prop::sample::select(vec!["amount", "note", "to", "repo"]),
        plain(),
        0..4,
    );
    let env = prop::option::of(prop::sample::select(vec!["prod", "dev"]));
    let groups = prop::option::of(prop::sample::select(vec![json!([]), json!(["admins"])]));
    (tool, args, env, groups).prop_map(|(tool, args, env, groups)| {
        let user = groups.map(|groups| json!({"id": "ana@acme.com", "groups": groups}));
        json!({"tool": tool, "args": args, "env": env, "user": user})
    })
}

/// Loaded before its tools are known, so that a rule that no tool can meet is no mistake.
fn rules(rules: Value) -> PolicySet {
    common::rules(rules, &Catalogue::default())
}

fn decide(set: &PolicySet, call: &Value, tools: &Catalogue) -> Ruling {
    common::decide(set, call, tools)
}

fn split(lists: &[Vec<Value>]) -> Vec<Document> {
    let document = |(place, rules): (usize, &Vec<Value>)| {
        document(&format!("d{place}"), json!({"rules": rules}))
    };
    lists.iter().enumerate().map(document).collect()
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

fn owes(ruling: &Ruling, obligation: Obligation) -> bool {
    ruling.effect == Some(Verdict::Deny) || ruling.obligations.contains(&obligation)
}

fn at_least_as_strict(strict: &Ruling, mild: &Ruling) -> bool {
    let obligations = [Obligation::VerifyEntity, Obligation::ReconcileBeforeRetry];
    strictness(strict.effect) >= strictness(mild.effect)
        && obligations
            .iter()
            .all(|one| owes(strict, *one) || !owes(mild, *one))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_documents_and_their_typing_change_nothing(
        lists in prop::collection::vec(rule_lists(), 1..4), call in call(),
    ) {
        let tools = tools();
        let documents = split(&lists);
        let mut turned: Vec<Document> = documents.iter().rev().cloned().collect();
        for document in &mut turned {
            let value: Value = serde_json::from_str(&document.text).unwrap();
            document.text = serde_json::to_string_pretty(&value).unwrap().replace('r', "\\u0072");
        }
        let (one, other) = (set(&documents, &Catalogue::default()), set(&turned, &Catalogue::default()));
        prop_assert_eq!(one.version(), other.version());
        prop_assert_eq!(decide(&one, &call, &tools), decide(&other, &call, &tools));
    }

    #[test]
    fn a_tightening_rule_never_loosens(lists in rule_lists(), more in rule(), call in call()) {
        let tools = tools();
        prop_assume!(more["effect"] != "allow");
        let mut longer = lists.clone();
        longer.push(more);
        let before = decide(&rules(json!(lists)), &call, &tools);
        let after = decide(&rules(json!(longer)), &call, &tools);
        prop_assert!(at_least_as_strict(&after, &before), "{:?} became {:?}", before, after);
    }

    #[test]
    fn an_allow_only_stands_in_for_the_posture(lists in rule_lists(), more in rule(), call in call()) {
        let tools = tools();
        let mut more = more;
        more["effect"] = "allow".into();
        let mut longer = lists.clone();
        longer.push(more);
        let before = decide(&rules(json!(lists)), &call, &tools);
        let after = decide(&rules(json!(longer)), &call, &tools);
        let same = before.effect == after.effect;
        prop_assert!(same || (before.effect, after.effect) == (None, Some(Verdict::Allow)));
        prop_assert_eq!(before.obligations, after.obligations);
    }

    /// `exists` is what a rule says in the open about absence, so it is left out here; and what a
    /// tool does not declare it does not read.
    #[test]
    fn hiding_an_argument_never_relaxes(lists in rule_lists(), call in call(), hidden in 0..6_usize) {
        let tools = tools();
        prop_assume!(!json!(lists).to_string().contains("exists"));
        // Of `body` nothing is missing when an argument is left out: there is simply less text.
        prop_assume!(!json!(lists).to_string().contains("body"));
        let set = rules(json!(lists));
        let seen = decide(&set, &call, &tools);
        let mut less = call.clone();
        match hidden {
            0 => less["env"] = Value::Null,
            1 => less["user"] = Value::Null,
            place => {
                let name = ["amount", "note", "to", "repo"][place - 2];
                let declared = call["tool"] != "crm.read" && !(call["tool"] == "pay.refund" && name == "repo");
                prop_assume!(declared);
                less["args"].as_object_mut().unwrap().remove(name);
            }
        }
        let unseen = decide(&set, &less, &tools);
        prop_assert!(at_least_as_strict(&unseen, &seen), "{} gives {:?}, hidden {:?}", call, seen, unseen);
    }

    #[test]
    fn explaining_decides_alike_and_looks_at_every_candidate(lists in rule_lists(), call in call()) {
        let tools = tools();
        let set = rules(json!(lists));
        let call = Call::of(&call, &tools);
        let facts = call.facts(&tools);
        let ruling = set.decide(&facts, Budget::default()).unwrap();
        let (explained, explanation) = set.explain(&facts, Budget::default()).unwrap();
        prop_assert_eq!(&explained, &ruling);
        prop_assert_eq!(explanation.rules.len() + explanation.rules_elsewhere, lists.len());
        let matched = explanation.rules.iter().filter(|rule| rule.matched).count();
        prop_assert_eq!(matched, ruling.rules.len());
        for rule in &explanation.rules {
            prop_assert!(rule.parts.iter().any(|part| part.place == "when"));
        }
    }

    #[test]
    fn the_budget_is_exact(lists in rule_lists(), call in call()) {
        let tools = tools();
        let set = rules(json!(lists));
        let call = Call::of(&call, &tools);
        let facts = call.facts(&tools);
        let steps = set.decide(&facts, Budget::default()).unwrap().steps;
        let enough = Budget { steps_max: steps };
        prop_assert_eq!(set.decide(&facts, enough).map(|ruling| ruling.steps), Ok(steps));
        if steps > 0 {
            let short = Budget { steps_max: steps - 1 };
            let fault = Fault::BudgetExhausted { steps_max: steps - 1 };
            prop_assert_eq!(set.decide(&facts, short), Err(fault));
            prop_assert_eq!(set.explain(&facts, short).map(|_| ()), Err(fault));
        }
    }

    #[test]
    fn priority_never_changes_what_happens(lists in rule_lists(), call in call()) {
        let tools = tools();
        let mut flat = lists.clone();
        for rule in &mut flat {
            rule["priority"] = 100.into();
        }
        let one = decide(&rules(json!(lists)), &call, &tools);
        let other = decide(&rules(json!(flat)), &call, &tools);
        prop_assert_eq!((one.effect, &one.obligations, one.approval), (other.effect, &other.obligations, other.approval));
    }

    /// The index is an order of looking, not a second meaning: hiding every tool name from it
    /// behind something it cannot see through changes nothing.
    #[test]
    fn the_index_leaves_out_only_what_does_not_match(lists in rule_lists(), call in call()) {
        let tools = tools();
        let mut blind = lists.clone();
        for rule in &mut blind {
            let when = rule["when"].as_str().unwrap();
            rule["when"] = format!("not not ({when})").into();
        }
        let one = decide(&rules(json!(lists)), &call, &tools);
        let other = decide(&rules(json!(blind)), &call, &tools);
        prop_assert_eq!((one.effect, one.rules), (other.effect, other.rules));
    }

    #[test]
    fn watched_rules_change_nothing(lists in rule_lists(), call in call()) {
        let tools = tools();
        let enforced: Vec<Value> = lists.iter().filter(|rule| rule["mode"] != "monitor").cloned().collect();
        let all = decide(&rules(json!(lists)), &call, &tools);
        let some = decide(&rules(json!(enforced)), &call, &tools);
        prop_assert_eq!((all.effect, all.obligations, all.approval), (some.effect, some.obligations, some.approval));
    }

    #[test]
    fn no_text_makes_loading_panic(text in ".{0,60}") {
        let tools = tools();
        for text in [text.clone(), format!("{{\"rules\": [{{\"when\": {}, \"effect\": \"deny\"}}]}}", json!(text))] {
            let loaded = toolgate_policy::load(&[document("p", &text)], &tools);
            let errors = loaded.diagnostics.iter().any(|d| d.severity == toolgate_model::Severity::Error);
            prop_assert_eq!(loaded.set.is_none(), errors);
            for diagnostic in &loaded.diagnostics {
                let span = diagnostic.span.unwrap();
                prop_assert!(text.get(span.start..span.end).is_some(), "{:?}", diagnostic);
            }
        }
    }
}
