//! Text that nobody meant: documents and expressions with pieces cut out, doubled and swapped in.
//!
//! Nothing panics, every complaint points into the text it is about, and what still loads decides
//! within the steps it is given. A smoke run; a failure prints the text.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

mod common;

use common::{Call, catalogue, document};
use proptest::prelude::*;
use serde_json::json;
use toolgate_model::{Catalogue, Severity};
use toolgate_policy::{Budget, load};

const STEPS_MAX: u32 = 5_000;

const DOCUMENTS: [&str; 3] = [
    r#"{"agent_id": "bot", "env": ["prod", "d*"], "allowed_tools": ["pay.*"], "mode": "enforce", "time_zone": "Europe/Berlin",
        "rules": [{"rule_id": "a", "priority": 3, "when": "amount > 500 or env == prod", "effect": "require_approval", "approvers": ["ops"], "quorum": 2}]}"#,
    r#"{"rules": [{"match": {"tools": ["pay.refund"], "operations": ["method:POST"], "recipient_patterns": ["*@acme.com"]},
        "condition": {"body_contains_any": ["deal #"], "has_data_class": ["PII"], "time_window": {"days": ["mon-fri"], "from": "09:00"}},
        "action": "SANITIZE", "sanitize_fields": ["note"]}, {"effect": "deny", "unless": "exists(to)", "exempts": ["r1"]}]}"#,
    r#"{"rules": [{"on": "result", "when": "result.total > 5 and not session.external_content", "effect": "deny"},
        {"effect": "limit", "limit": {"sum": "amount", "max": 5e2}, "per": "tool/1h"}]}"#,
];

const EXPRESSIONS: [&str; 6] = [
    "amount > 500 and (env == prod or not exists(note)) && risk >= high",
    "any(to, t, t == 'x' or all(t.parts, p, p.price * 2 - 1 >= $args.amount / 3))",
    "note matches '*@acme.com' or note ~ '^[a-z]+(x|y)*$' or lower(note) starts_with \"a\"",
    "rate(agent, 1h, 'pay.*') >= 20 or sum(args.amount, session, 2d) > 5000.50",
    "source(args.to) contains external and not has_read(PII, session, 1h)",
    "default(amount, 0) in [1, -2.5, 'x', true] or domain(note) not in [acme.com]",
];

const PIECES: [&str; 24] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    ",",
    ":",
    ".",
    "$",
    "\\u0000",
    "\u{200b}",
    "é",
    " and ",
    " not ",
    "==",
    "1e999",
    "99999999999999999999",
    "any(",
    "~",
    "*",
    "\n",
];

/// One edit: where (in a thousandth of the text), how much of it, and what comes there.
fn edits() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    prop::collection::vec((0..1_000_usize, 0..12_usize, 0..PIECES.len() + 2), 0..7)
}

fn mutated(text: &str, edits: &[(usize, usize, usize)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, length, with) in edits {
        let at = at * chars.len() / 1_000;
        let end = (at + length).min(chars.len());
        let cut: Vec<char> = chars.drain(at..end).collect();
        let piece: Vec<char> = match PIECES.get(*with) {
            Some(piece) => piece.chars().collect(),
            // The rest of the time what was cut comes twice, or not at all.
            None if *with == PIECES.len() => [cut.clone(), cut].concat(),
            None => Vec::new(),
        };
        chars.splice(at..at, piece);
    }
    chars.into_iter().collect()
}

fn tools() -> Catalogue {
    catalogue(&[json!({"id": "pay.refund", "method": "POST", "input_schema": {"type": "object"}})])
}

/// Loads the text, and asks whatever it makes.
fn survives(text: &str) {
    let tools = tools();
    let loaded = load(&[document("p", text)], &tools);
    let errors = loaded
        .diagnostics
        .iter()
        .any(|one| one.severity == Severity::Error);
    assert_eq!(loaded.set.is_none(), errors, "{text}");
    for diagnostic in &loaded.diagnostics {
        let span = diagnostic.span.unwrap();
        assert!(
            text.get(span.start..span.end).is_some(),
            "{diagnostic:?} in {text}"
        );
    }
    let Some(set) = loaded.set else {
        return;
    };
    let args =
        json!({"amount": 640, "note": "mail ana@acme.com", "to": [{"parts": [{"price": 1}]}, "x"]});
    let call = Call::of(
        &json!({"tool": "pay.refund", "args": args, "env": "prod"}),
        &tools,
    );
    let (facts, budget) = (
        call.facts(&tools),
        Budget {
            steps_max: STEPS_MAX,
        },
    );
    let decided = set.decide(&facts, budget);
    let explained = set.explain(&facts, budget).map(|(ruling, _)| ruling);
    assert_eq!(decided, explained, "{text}");
    assert!(
        decided.is_err() || decided.is_ok_and(|ruling| ruling.steps <= STEPS_MAX),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn documents_survive(which in 0..DOCUMENTS.len(), edits in edits()) {
        survives(&mutated(DOCUMENTS[which], &edits));
    }

    #[test]
    fn expressions_survive(which in 0..EXPRESSIONS.len(), edits in edits()) {
        let when = mutated(EXPRESSIONS[which], &edits);
        survives(&json!({"rules": [{"when": when, "effect": "deny"}]}).to_string());
    }

    #[test]
    fn any_text_survives(text in "\\PC{0,80}") {
        survives(&text);
        survives(&json!({"rules": [{"when": text, "unless": text, "effect": "deny"}]}).to_string());
    }
}

/// What is nested without end, and what would take without end.
#[test]
fn depth_and_length_are_bounded() {
    for text in ["(", "not ", "[", "any(to, t, ", "- ", "x.", "x[0]", "1 + "] {
        for times in [40, 5_000] {
            let when = text.repeat(times);
            survives(&json!({"rules": [{"when": when, "effect": "deny"}]}).to_string());
        }
    }
    survives(&"[".repeat(100_000));
    survives(&format!(
        "{{\"rules\": [{}]}}",
        "{\"effect\": \"deny\"},".repeat(300)
    ));
    for hard in ["(a*)*b", "(x+x+)+y", "(.*){1,32}", "[^x]*[^y]*[^z]*w"] {
        survives(
            &json!({"rules": [{"when": format!("note ~ '{hard}'"), "effect": "deny"}]}).to_string(),
        );
    }
}
