//! What a tenant adds and takes, and what redaction of named fields does.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use serde_json::{Value, json};
use toolgate_detect::{
    Config, Detector, Finding, OwnPattern, Part, Scanner, redact, redact_fields,
};
use toolgate_model::{DataClass, Sanitized};

fn pattern(name: &str, regex: &str, words: &[&str]) -> OwnPattern {
    OwnPattern {
        name: name.to_owned(),
        class: DataClass::Internal,
        regex: regex.to_owned(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        confidence: 0.8,
    }
}

fn kinds(config: &Config, text: &str) -> Vec<String> {
    let scan = Detector::with(config).unwrap().scan_text(text).unwrap();
    scan.findings.into_iter().map(|found| found.kind).collect()
}

fn problems(config: &Config) -> Vec<String> {
    let found = Detector::with(config).unwrap_err();
    found
        .iter()
        .map(|problem| format!("{}: {}", problem.place, problem.message))
        .collect()
}

#[test]
fn own_patterns_find_their_group_near_their_words() {
    let config = Config {
        patterns: vec![
            pattern("DEAL", r"DEAL-(\d{4})", &[]),
            pattern("PLAN", r"\bP\d{3}\b", &["term sheet"]),
        ],
        ..Config::default()
    };
    let detector = Detector::with(&config).unwrap();
    let scan = detector.scan_text("DEAL-4711 and P123").unwrap();
    assert_eq!(scan.findings.len(), 1);
    assert_eq!(
        (scan.findings[0].kind.as_str(), scan.findings[0].at.clone()),
        ("DEAL", 5..9)
    );
    assert_eq!(kinds(&config, "the Term Sheet P123"), ["PLAN"]);
    let far = format!("term sheet {} P123", "x ".repeat(60));
    assert!(kinds(&config, &far).is_empty());
    // Disguised, and behind a key.
    let scan = detector.scan(&json!({"ref": "ＤＥＡＬ-4711"})).unwrap();
    assert_eq!(
        (scan.findings[0].path.as_str(), scan.findings[0].at.clone()),
        ("/ref", 13..17)
    );
}

#[test]
fn what_is_allowed_or_switched_off_is_no_finding() {
    let none = Config::default();
    let text = "ana@acme.com bo@eu.acme.com eve@acme.com.evil.org 86.121.97.248";
    assert_eq!(
        kinds(&none, text),
        ["EMAIL", "EMAIL", "EMAIL", "IP_ADDRESS"]
    );
    let domains = Config {
        allow_domains: vec!["acme.com".to_owned()],
        ..Config::default()
    };
    assert_eq!(kinds(&domains, text), ["EMAIL", "IP_ADDRESS"]);
    let values = Config {
        allow: vec!["ana@acme.com".to_owned(), "*.evil.org".to_owned()],
        ..Config::default()
    };
    assert_eq!(kinds(&values, text), ["EMAIL", "IP_ADDRESS"]);
    let disabled = Config {
        disabled: vec!["IP_ADDRESS".to_owned()],
        ..Config::default()
    };
    assert_eq!(kinds(&disabled, text), ["EMAIL", "EMAIL", "EMAIL"]);
    let sure = Config {
        confidence_min: 0.9,
        ..Config::default()
    };
    assert_eq!(kinds(&sure, text), ["EMAIL", "EMAIL", "EMAIL"]);
}

#[test]
fn every_problem_has_its_place() {
    let config = Config {
        patterns: vec![
            pattern("deal", "(", &[""]),
            pattern("EMPTY", "x*", &[]),
            OwnPattern {
                confidence: 1.5,
                ..pattern("MUCH", "x", &[])
            },
        ],
        allow: vec!["**".to_owned()],
        disabled: vec!["EMIAL".to_owned()],
        confidence_min: -0.1,
        ..Config::default()
    };
    let found = problems(&config);
    for place in [
        "confidence_min: ",
        "patterns[0].name: ",
        "patterns[0].words: ",
        "patterns[0].regex: ",
        "patterns[1].regex: ",
        "patterns[2].confidence: ",
        "allow[0]: ",
        "disabled[0]: ",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(place)),
            "{place} {found:?}"
        );
    }
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn a_scanner_hears_of_needles_in_texts_alone() {
    let needles = ["secret", "deal #", "ret"].map(str::to_owned);
    let scanner = Scanner::new(&Detector::builtin(), &needles).unwrap();
    let value = json!({"secret": "SEC\u{200b}RET deal", "n": 5, "mail": "ana@acme.com"});
    let mut heard = Vec::new();
    let scan = scanner
        .scan(&value, &mut |needle| {
            heard.push(needle);
            Ok::<(), ()>(())
        })
        .unwrap();
    heard.sort_unstable();
    assert_eq!(heard, [0, 2]);
    assert_eq!(scan, Detector::builtin().scan(&value));
    let stopped = scanner.scan(&value, &mut |_| Err("enough"));
    assert_eq!(stopped, Err("enough"));
}

fn found(path: &str, part: Part, at: std::ops::Range<usize>, kind: &str) -> Finding {
    Finding {
        class: DataClass::Pii,
        kind: kind.to_owned(),
        path: path.to_owned(),
        part,
        at,
        confidence: 0.9,
    }
}

#[test]
fn overlapping_findings_are_replaced_together() {
    let value = json!({"a/b": "0123456789", "n": 42});
    let findings = [
        found("/a~1b", Part::Value, 2..6, "SHORT"),
        found("/a~1b", Part::Value, 4..9, "LONGER"),
        found("/a~1b", Part::Key, 0..1, "KEY"),
        found("/n", Part::Value, 0..2, "NUMBER"),
    ];
    let (clean, replaced) = redact(&value, &findings, &[DataClass::Pii].into());
    assert_eq!(
        clean,
        json!({"[KEY_1]/b": "01[LONGER_1]9", "n": "[NUMBER_1]"})
    );
    assert_eq!(replaced.len(), 3);
    let (same, nothing) = redact(&value, &findings, &[DataClass::Secrets].into());
    assert_eq!((same, nothing), (value, Vec::new()));
}

#[test]
fn a_renamed_key_swallows_no_other() {
    let value = json!({"[EMAIL_1]": 1, "ana@acme.com": 2});
    let scan = Detector::builtin().scan(&value).unwrap();
    let (clean, _) = redact(&value, &scan.findings, &scan.classes());
    assert_eq!(clean, json!({"[EMAIL_1]": 1, "[EMAIL_1]_": 2}));
}

#[test]
fn named_fields_are_replaced_whole() {
    let value = json!({
        "customer": {"email": "a", "tags": ["x", "y"], "none": null},
        "items": [{"note": "n"}, {"note": "m"}, {"other": "n"}],
        "a.b": {"c": 1},
    });
    let (clean, replaced) = redact_fields(
        &value,
        [
            "customer.email",
            "customer.tags",
            "customer.none",
            "items.note",
            "a.b",
            "nowhere.x",
        ],
    );
    assert_eq!(
        clean,
        json!({
            "customer": {"email": "[REDACTED_1]", "tags": "[REDACTED_2]", "none": null},
            "items": [{"note": "[REDACTED_3]"}, {"note": "[REDACTED_4]"}, {"other": "n"}],
            "a.b": "[REDACTED_5]",
        })
    );
    let paths: Vec<&str> = replaced
        .iter()
        .map(|one: &Sanitized| one.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "/customer/email",
            "/customer/tags",
            "/items/0/note",
            "/items/1/note",
            "/a.b"
        ]
    );
    let (one, _) = redact_fields(&value, ["items.1.note", "*.email"]);
    assert_eq!(one["items"][1]["note"], Value::from("[REDACTED_1]"));
    assert_eq!(one["customer"]["email"], Value::from("[REDACTED_2]"));
}
