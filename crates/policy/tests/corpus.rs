//! Runs every case of `corpus/policy`: documents, tools and calls with what must come out.
//!
//! The cases are language-neutral, so that the HTTP face and the command line answer the same.
//! What must come out was written from the specification, never copied from what came out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case that cannot be read is a failure, and says which"
)]

mod common;

use std::path::{Path, PathBuf};

use common::past::Memory;
use common::{Call, catalogue};
use serde_json::{Map, Value, json};
use toolgate_model::{Catalogue, Coverage, Diagnostic, Reach, Risk};
use toolgate_policy::{Budget, Document, Facts, History, PolicySet, Sanitize, load};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/policy")
}

fn cases() -> Vec<(String, Value)> {
    let mut cases: Vec<(String, Value)> = std::fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .flat_map(|path| {
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let cases: Vec<Value> =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
            let named =
                move |case: Value| (format!("{file}: {}", case["about"].as_str().unwrap()), case);
            cases.into_iter().map(named)
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

fn documents(case: &Value) -> Vec<Document> {
    let mut documents = Vec::new();
    for document in case["documents"].as_array().unwrap() {
        let text = match (&document["file"], &document["text"], &document["json"]) {
            (Value::String(file), _, _) => std::fs::read_to_string(corpus().join(file)).unwrap(),
            (_, Value::String(text), _) => text.clone(),
            (_, _, json) => json.to_string(),
        };
        let name = document["name"].as_str().unwrap().to_owned();
        documents.push(Document { name, text });
    }
    documents
}

/// `P021 refunds 2:14 /rules/0/effect`.
fn shown(problem: &Diagnostic) -> String {
    let span = problem.span.unwrap_or_default();
    format!(
        "{} {} {}:{} {}",
        problem.code, problem.file, span.line, span.column, problem.path
    )
}

/// What came out, with exactly the fields that the case asks for.
fn outcome(set: &PolicySet, spec: &Value, catalogue: &Catalogue) -> Value {
    let call = Call::of(spec, catalogue);
    let memory = Memory::of(spec, &call, (set, catalogue));
    let facts = Facts {
        history: memory.as_ref().map(|memory| memory as &dyn History),
        ..call.facts(catalogue)
    };
    let ruling = set.decide(&facts, Budget::default()).unwrap();
    let (explained, explanation) = set.explain(&facts, Budget::default()).unwrap();
    assert_eq!(explained, ruling, "explain decides as decide does");
    assert!(serde_json::to_string(&explanation).is_ok());
    let reach = Reach {
        tool: call.tool.as_str(),
        route: None,
        action: spec.get("action").and_then(Value::as_str),
        resource: call
            .resource
            .as_ref()
            .map(|resource| (resource.name.as_str(), resource.derived)),
        env: facts.env,
        workflow: facts.workflow,
        risk: facts.descriptor.map_or(Risk::High, |tool| tool.risk),
    };
    let (coverage, granted_by) = set.grant_coverage(&facts, &reach);
    let coverage = match coverage {
        Coverage::NotNamed => "not_named",
        Coverage::Elsewhere => "elsewhere",
        Coverage::TooRisky => "too_risky",
        Coverage::Covered => "covered",
    };
    let rules: Vec<Value> = ruling
        .rules
        .iter()
        .map(|rule| {
            let watched = if rule.monitor { " (watched)" } else { "" };
            match rule.unknown.is_empty() {
                true => json!(format!("{}{watched}", rule.rule)),
                false => json!(format!(
                    "{}{watched} unknown {}",
                    rule.rule,
                    rule.unknown.join(" ")
                )),
            }
        })
        .collect();
    json!({
        "effect": ruling.effect,
        "rule": ruling.determining.map(|rule| rule.to_string()),
        "rules": rules,
        "reason": ruling.reason,
        "code": ruling.rule_code,
        "obligations": ruling.obligations,
        "approvers": ruling.approval.as_ref().map(|terms| &terms.approvers),
        "quorum": ruling.approval.as_ref().map(|terms| terms.quorum),
        "expires_in": ruling.approval.as_ref().map(|terms| terms.expires_in),
        "grant": coverage,
        "granted_by": granted_by,
        "limited": ruling.is_limited,
        "sanitize": ruling.sanitize.as_ref().map(sanitized),
        "notices": ruling.notices.iter().map(|notice| {
            let channel = notice.channel.as_deref().unwrap_or("-");
            let incident = if notice.incident { " incident" } else { "" };
            format!("{} {channel}{incident}", notice.rule)
        }).collect::<Vec<_>>(),
    })
}

/// What is replaced, as a case writes it: the fields, then what was found and where.
fn sanitized(sanitize: &Sanitize) -> Vec<String> {
    let found = sanitize.findings.iter();
    let found = found.map(|found| format!("{} {}", found.kind, found.path));
    let unknown = sanitize.is_unknown.then(|| "unknown".to_owned());
    sanitize
        .fields
        .iter()
        .cloned()
        .chain(found)
        .chain(unknown)
        .collect()
}

#[test]
fn every_case_comes_out_as_written() {
    let (mut failures, mut calls) = (Vec::new(), 0);
    for (name, case) in cases() {
        let tools = case["tools"].as_array().cloned().unwrap_or_default();
        let catalogue = catalogue(&tools);
        let loaded = load(&documents(&case), &catalogue);
        let problems: Vec<String> = loaded.diagnostics.iter().map(shown).collect();
        let expected = case.get("problems").cloned().unwrap_or(json!([]));
        if json!(problems) != expected {
            failures.push(format!(
                "{name}\n  problems {problems:#?}\n  expected {expected}\n  {:#?}",
                loaded
                    .diagnostics
                    .iter()
                    .map(|d| format!("{} ({:?})", d.message, d.help))
                    .collect::<Vec<_>>()
            ));
        }
        let specs = case["calls"].as_array().cloned().unwrap_or_default();
        let Some(set) = loaded.set else {
            if !specs.is_empty() {
                failures.push(format!("{name}: calls, but no set"));
            }
            continue;
        };
        for spec in specs {
            calls += 1;
            let expected: &Map<String, Value> = spec["expect"].as_object().unwrap();
            assert!(!expected.is_empty(), "{name}: a call that expects nothing");
            let mut spec = spec.clone();
            if let Some(own) = case.get("own_domains") {
                spec["own_domains"] = own.clone();
            }
            let got = outcome(&set, &spec, &catalogue);
            for (key, value) in expected {
                if &got[key] != value {
                    let call = &spec["call"];
                    failures.push(format!(
                        "{name} / {call}: `{key}` is {}, not {value}",
                        got[key]
                    ));
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(calls > 100, "only {calls} calls were found");
}

#[test]
fn every_code_has_a_case() {
    let mut missing: Vec<&str> = toolgate_policy::diagnostics::CODES
        .iter()
        .map(|code| code.code)
        .collect();
    for (_, case) in cases() {
        for problem in case["problems"].as_array().into_iter().flatten() {
            missing.retain(|code| !problem.as_str().unwrap().starts_with(code));
        }
    }
    // Too long to be written into a case; their tests stand in `tests/limits.rs`.
    missing.retain(|code| !["P002", "P009", "P041", "P061", "P062"].contains(code));
    assert_eq!(missing, Vec::<&str>::new());
}
