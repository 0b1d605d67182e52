//! Files of cases that nobody meant: pieces cut out and swapped in. Nothing panics, and every complaint
//! points into the text. A smoke run; a failure prints the text.

#![allow(
    clippy::indexing_slicing,
    reason = "what cannot be set up is a failure"
)]

use proptest::prelude::*;
use toolgate_gate::case::{Case, CaseFile};

const FILE: &str = r#"{"policies": ["refunds.json"], "own_domains": ["acme.com"], "posture": {"high": "require_approval"},
 "tools": [{"id": "pay.refund", "risk": "high", "input_schema": {"properties": {"amount": {"type": "number"}}}, "authors": {"fields": ["*.body"]}}],
 "tests": [{"name": "large", "call": {"tool": "pay.refund", "arguments": {"amount": 640}, "env": "prod", "user": {"id": "ana@acme.com"}},
  "history": [{"tool": "pay.refund", "at": "-10m", "verdict": "deny", "read": ["PII"], "result": {"a": [1]}}], "entity": {"total": 5},
  "user_request": "refund 640", "now": "2026-06-16T15:14:22Z", "expect": {"verdict": "deny", "rules": ["refunds/r1"]}}]}"#;

const PIECES: [&str; 14] = [
    "{", "}", "[", "]", "\"", ",", ":", "null", "-1", "1e999", "\\u0000", "\u{200b}", "é", "",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn files_of_cases_survive(edits in prop::collection::vec((0..1_000_usize, 0..15_usize, 0..PIECES.len()), 0..6)) {
        let mut chars: Vec<char> = FILE.chars().collect();
        for (at, length, piece) in edits {
            let at = at * chars.len() / 1_000;
            let end = (at + length).min(chars.len());
            chars.splice(at..end, PIECES[piece].chars());
        }
        let text: String = chars.into_iter().collect();
        let complaints = [CaseFile::read("f", &text).err(), Case::of_document("f", &text).err()];
        for complaint in complaints.into_iter().flatten().flatten() {
            let points = complaint.span.is_none_or(|span| text.get(span.start..span.end).is_some());
            prop_assert!(points, "{:?} in {}", complaint, text);
        }
    }
}
