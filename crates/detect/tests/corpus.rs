//! Runs the cases of `corpus/detect`: what is found where, which signs are noticed, what is left
//! after redaction.
//!
//! Texts that look like secrets are written in parts, so that no scanner of repositories sees one.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use toolgate_detect::{Detector, Finding, Part, redact};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "for readers")]
    source: String,
    #[expect(dead_code, reason = "for readers")]
    licence: String,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// A text in parts.
    #[serde(default)]
    text: Vec<String>,
    /// A value instead; lists of texts under the key `parts` are joined.
    #[serde(default)]
    value: Option<Value>,
    /// What is found, and nothing else.
    #[serde(default)]
    find: Vec<Expected>,
    #[serde(default)]
    signals: Vec<String>,
    /// What is left when everything that was found is replaced.
    #[serde(default)]
    redacted: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: String,
    /// Its text in parts.
    text: Vec<String>,
    #[serde(default)]
    path: String,
    #[serde(default)]
    key: bool,
}

fn joined(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.len() == 1 && members.contains_key("parts") => {
            let parts = members["parts"].as_array().unwrap();
            Value::from(
                parts
                    .iter()
                    .map(|part| part.as_str().unwrap())
                    .collect::<String>(),
            )
        }
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), joined(value)))
            .collect(),
        Value::Array(items) => items.iter().map(joined).collect(),
        other => other.clone(),
    }
}

/// The text that a finding stands in.
fn standing_in<'v>(value: &'v Value, found: &Finding) -> std::borrow::Cow<'v, str> {
    if found.part == Part::Key {
        let token = found.path.rsplit('/').next().unwrap();
        return token.replace("~1", "/").replace("~0", "~").into();
    }
    match value.pointer(&found.path).unwrap() {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

/// What is not as the case has it.
fn check(file: &str, case: &Case) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &str, left: String, right: String| {
        if left != right {
            wrong.push(format!(
                "{file}: {}: {what}\n  is     {left}\n  wanted {right}",
                case.name
            ));
        }
    };
    let value = case
        .value
        .as_ref()
        .map_or_else(|| Value::from(case.text.concat()), joined);
    let scan = Detector::builtin().scan(&value).unwrap();
    let mut found: Vec<(String, String, String, bool)> = scan
        .findings
        .iter()
        .map(|found| {
            let text = standing_in(&value, found)[found.at.clone()].to_owned();
            (
                found.kind.clone(),
                text,
                found.path.clone(),
                found.part == Part::Key,
            )
        })
        .collect();
    let mut wanted: Vec<_> = case
        .find
        .iter()
        .map(|one| {
            (
                one.kind.clone(),
                one.text.concat(),
                one.path.clone(),
                one.key,
            )
        })
        .collect();
    found.sort();
    wanted.sort();
    same("findings", format!("{found:?}"), format!("{wanted:?}"));
    let signals: Vec<&str> = scan.signals.iter().map(|signal| signal.kind).collect();
    same(
        "signals",
        format!("{signals:?}"),
        format!("{:?}", case.signals),
    );
    if let Some(redacted) = &case.redacted {
        let (clean, _) = redact(&value, &scan.findings, &scan.classes());
        same("redacted", clean.to_string(), joined(redacted).to_string());
    }
    wrong
}

#[test]
fn every_case_holds() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/detect");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let file: File = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in &file.cases {
            wrong.extend(check(&path.file_name().unwrap().to_string_lossy(), case));
            cases += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases > 80, "{cases}");
}
