//! No text breaks the detector: no panic, ranges that fit, nothing of what was found left behind.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use base64::Engine as _;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use serde_json::{Value, json};
use toolgate_detect::{Detector, Part, TEXT_BYTES_MAX, redact};

/// Pieces that lead somewhere when they stand beside each other.
fn piece() -> impl Strategy<Value = String> {
    let known = prop_oneof![
        Just("-----BEGIN RSA PRIVATE KEY-----"),
        Just("-----END"),
        Just("password"),
        Just("api_key"),
        Just("token"),
        Just(": \""),
        Just("="),
        Just("\""),
        Just("eyJ"),
        Just("."),
        Just("@"),
        Just("acme.com"),
        Just("://"),
        Just(":"),
        Just("%40"),
        Just("&#64;"),
        Just("\\u0040"),
        Just("\u{200b}"),
        Just("ｓｋ-"),
        Just("e\u{301}"),
        Just("4111 1111 1111 1111"),
        Just("+49 30 1234567"),
        Just("078-05-1123"),
        Just("GB82 WEST 1234 5698 7654 32"),
        Just("86.121.97.248"),
        Just("2001:db8::1"),
        Just("ghp_"),
        Just("AKIA"),
        Just("Q~"),
        Just("\n"),
        Just(" "),
        Just("patient Jane Roe"),
        Just("diagnosed"),
        Just("ssn"),
        Just("do not share"),
        Just("Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB"),
        Just("aGVsbG8gYW5hQGFjbWUuY29t"),
    ];
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>(), 1 => "[A-Za-z0-9+/_-]{0,40}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn ranges_fit_and_nothing_found_is_left(pieces in vec(piece(), 0..24), key in piece()) {
        let text = pieces.concat();
        let value = json!({ key.as_str(): text });
        let scan = Detector::builtin().scan(&value).unwrap();
        for found in &scan.findings {
            let whole = if found.part == Part::Key { &key } else { &text };
            assert!(found.at.start < found.at.end && whole.get(found.at.clone()).is_some(), "{found:?}");
            assert!((0.0..=1.0).contains(&found.confidence));
        }
        let (clean, replaced) = redact(&value, &scan.findings, &scan.classes());
        assert_eq!(replaced.is_empty(), scan.findings.is_empty());
        // What stood outside every finding is still there, in its order, and nothing else but
        // placeholders.
        let mut outside = String::new();
        for (at, c) in text.char_indices() {
            if !scan.findings.iter().any(|found| found.part == Part::Value && found.at.contains(&at)) {
                outside.push(c);
            }
        }
        let shown = clean.as_object().unwrap().values().next().unwrap().as_str().unwrap();
        let mut rest = shown;
        let mut kept = String::new();
        let kinds: Vec<String> = scan.findings.iter().map(|found| format!("[{}_", found.kind)).collect();
        while let Some(c) = rest.chars().next() {
            match kinds.iter().find(|kind| rest.starts_with(kind.as_str())) {
                Some(_) => rest = &rest[rest.find(']').unwrap() + 1..],
                None => {
                    kept.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        assert_eq!(kept, outside);
    }

    #[test]
    fn the_same_text_has_the_same_scan(pieces in vec(piece(), 0..16)) {
        let value = Value::from(pieces.concat());
        assert_eq!(Detector::builtin().scan(&value), Detector::builtin().scan(&value));
    }
}

/// Texts that are made to cost: one beginning over and over, nothing but hits, encodings in
/// encodings.
fn hostile(bytes: usize) -> Vec<String> {
    let beginnings = [
        "a",
        "1",
        "1 ",
        "1-",
        "eyJ",
        "eyJa.",
        "-----BEGIN",
        "-----BEGIN PRIVATE KEY-----",
        "@",
        "a@",
        "a@b.",
        "://",
        "://a:b@",
        "key=",
        "token:",
        "password ",
        "sk-",
        "AKIA",
        "ghp_",
        "::",
        "1:",
        "1.1.1.1 ",
        "%41",
        "&#64;",
        "\\u0041",
        "\u{200b}",
        "é",
        "e\u{301}",
        "<!--",
        "ignore ",
        "before using this tool ",
        "curl -u ",
        "kind: secret data: ",
        "machine ",
        "resourceType",
        "diagnosis patient ",
        "ssn 1",
        "GB82",
        "+/",
        "a/",
        "Q~",
        "confidential ",
        "do not share ",
        "\n",
        "\"",
        "basic ",
        "bearer ",
        "deepgram ",
        "4111 ",
    ];
    let mut texts: Vec<String> = beginnings
        .iter()
        .map(|text| text.repeat(bytes / text.len()))
        .collect();
    let mut nested = "password=Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB ".repeat(bytes / 200);
    while nested.len() < bytes {
        nested = base64::engine::general_purpose::STANDARD.encode(nested);
    }
    texts.push(nested);
    texts
}

#[test]
fn hostile_texts_are_read_to_their_end() {
    for text in hostile(16 << 10) {
        assert!(
            Detector::builtin().scan_text(&text).is_ok(),
            "{}",
            &text[..text.floor_char_boundary(40)]
        );
    }
}

#[test]
fn deep_and_wide_values_are_read_and_too_much_is_refused() {
    let mut deep = json!("ana@acme.com");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let scan = Detector::builtin().scan(&deep).unwrap();
    assert_eq!(scan.findings[0].path, "/0".repeat(100));
    let wide: Vec<Value> = (0..10_000).map(Value::from).collect();
    assert!(
        Detector::builtin()
            .scan(&Value::from(wide))
            .unwrap()
            .findings
            .is_empty()
    );
    let large = Value::from("x ".repeat(TEXT_BYTES_MAX / 2 + 1));
    assert!(Detector::builtin().scan(&large).is_err());
}
