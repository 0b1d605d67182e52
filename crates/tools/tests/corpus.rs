//! Runs every case of `corpus/rows`, `corpus/odd` and `packs` through the library.
//!
//! The same files go through the command line and HTTP in `tests/e2e/policy_corpus.py`, and the
//! three have to agree. What must come out was written from the specification, never copied from
//! what came out. It stands in this crate because raw requests are recognised here, and nothing
//! below both knows rules and requests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case that cannot be read is a failure, and says which"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_gate::Settings;
use toolgate_gate::case::{CaseFile, Outcome, Runner, stage};
use toolgate_gate::port::{PolicyDocument, Stored};
use toolgate_model::json::{Limits, Numbers, parse};
use toolgate_model::{Catalogue, Diagnostic, Severity};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `*.test.json` below a folder of the repository.
fn case_files(folder: &str) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![root().join(folder)], Vec::new());
    while let Some(here) = open.pop() {
        for entry in std::fs::read_dir(&here).unwrap_or_else(|e| panic!("{}: {e}", here.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(".test.json") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no case in {folder}");
    found
}

/// The documents that a file of cases is about.
fn documents(path: &Path, cases: &CaseFile) -> Vec<PolicyDocument> {
    let own = path
        .to_string_lossy()
        .replace(".test.json", ".json")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let named = match cases.policies.as_slice() {
        [] => std::slice::from_ref(&own),
        named => named,
    };
    named
        .iter()
        .map(|name| {
            let file = path.parent().unwrap().join(name);
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            PolicyDocument {
                name: stem,
                text: text(&file),
            }
        })
        .collect()
}

/// Runs the cases of one text, as if it stood in this file.
fn outcomes_of(path: &Path, written: &str) -> Vec<Outcome> {
    let shown = path.display().to_string();
    let file = CaseFile::read(&shown, written).unwrap_or_else(|found| panic!("{found:#?}"));
    let stored = Stored {
        policies: documents(path, &file),
        ..Stored::default()
    };
    let settings = Settings {
        own_domains: file.own_domains.clone().unwrap_or_default(),
        posture: file.posture.unwrap_or_default(),
        ..Settings::default()
    };
    let catalogue = Arc::new(Catalogue::new(file.tools.clone()));
    let configuration = stage(stored, &catalogue, settings, &file.cases);
    // A name that no tool has is no error on a gate, where tools come and go; here it is.
    let wrong = |d: &&Diagnostic| d.severity == Severity::Error || d.code == "P050";
    let errors: Vec<_> = configuration.diagnostics.iter().filter(wrong).collect();
    assert!(errors.is_empty(), "{shown}: {errors:#?}");
    let runner = Runner {
        configuration: &configuration,
        recognise: &|request, own| toolgate_tools::recognise(request, own),
    };
    file.cases.iter().map(|case| runner.run(case)).collect()
}

fn outcomes(path: &Path) -> Vec<Outcome> {
    outcomes_of(path, &text(path))
}

/// One line a difference, with the file and line of its case.
fn shown(outcome: &Outcome) -> String {
    let line = outcome.span.map_or(0, |span| span.line);
    let file = outcome.file.rsplit("/../").next().unwrap_or_default();
    let differences: Vec<String> = outcome
        .differences
        .iter()
        .map(|d| format!("    {}: {} instead of {}", d.key, d.got, d.expected))
        .collect();
    let denial = outcome.decision.denial.as_ref();
    let said = denial.map_or("", |denial| denial.message.as_str());
    let lines = differences.join("\n");
    format!("{file}:{line} {}\n{lines}\n    {said}", outcome.name)
}

fn hold(folder: &str, cases_min: usize) {
    let all: Vec<Outcome> = case_files(folder)
        .iter()
        .flat_map(|path| outcomes(path))
        .collect();
    assert!(all.len() >= cases_min, "only {} cases", all.len());
    let failed: Vec<String> = all.iter().filter(|one| !one.passed()).map(shown).collect();
    assert!(
        failed.is_empty(),
        "{} of {} cases\n{}",
        failed.len(),
        all.len(),
        failed.join("\n")
    );
}

#[test]
fn every_row_of_the_field_comes_out_as_written() {
    hold("corpus/rows", 250);
}

#[test]
fn odd_input_comes_out_as_written() {
    hold("corpus/odd", 200);
}

#[test]
fn every_pack_does_what_its_cases_say() {
    hold("packs", 250);
}

/// The rows that are about what a policy does. Those that are about commands have their tests in
/// the end-to-end scenario, which names them.
const DECIDED: &[&str] = &[
    "itv-03", "itv-04", "itv-05", "itv-06", "itv-07", "itv-08", "itv-09", "itv-10", "itv-11",
    "itv-13", "itv-14", "itv-15", "itv-17", "vet-03", "vet-04", "vet-05", "vet-06", "vet-06a",
    "vet-06b", "vet-06c", "vet-06d", "vet-06e", "vet-06f", "vet-06g", "vet-08", "vet-09", "vet-10",
    "vet-11", "vet-12", "vet-15",
];
const COMMANDS: &[&str] = &[
    "ITV-09", "ITV-12", "ITV-16", "VET-04", "VET-24", "VET-25", "VET-26",
];

#[test]
fn every_row_has_its_cases() {
    let files = case_files("corpus/rows");
    let stem = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.trim_end_matches(".test.json").to_owned()
    };
    let found: BTreeSet<String> = files.iter().map(stem).collect();
    let wanted: BTreeSet<String> = DECIDED.iter().map(|row| (*row).to_owned()).collect();
    assert_eq!(found, wanted);
    let scenario = text(&root().join("tests/e2e/policy_commands.py"));
    for row in COMMANDS {
        assert!(scenario.contains(row), "{row} has no test from outside");
    }
}

/// The rules of a document, enabled ones.
fn rules(document: &Path) -> Vec<String> {
    let document: Value = serde_json::from_str(&text(document)).unwrap();
    let id = |rule: &Value| rule["rule_id"].as_str().unwrap().to_owned();
    document["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(id)
        .collect()
}

#[test]
fn every_rule_of_a_pack_catches_something_and_leaves_something() {
    let mut bare = Vec::new();
    for path in case_files("packs") {
        let document = PathBuf::from(path.to_string_lossy().replace(".test.json", ".json"));
        let mut tried: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for outcome in outcomes(&path) {
            for rule in rules(&document) {
                let matched = outcome
                    .decision
                    .rules
                    .iter()
                    .any(|one| one.rule.rule == rule);
                let (caught, left) = tried.entry(rule).or_default();
                *(if matched { caught } else { left }) += 1;
            }
        }
        for rule in rules(&document) {
            if tried
                .get(&rule)
                .is_none_or(|(caught, left)| *caught == 0 || *left == 0)
            {
                bare.push(format!(
                    "{} {rule} {:?}",
                    document.display(),
                    tried.get(&rule)
                ));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn every_pack_has_its_page_and_its_parts() {
    for folder in std::fs::read_dir(root().join("packs")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let pack: Value = serde_json::from_str(&text(&folder.join("pack.json"))).unwrap();
        assert_eq!(pack["name"], json!(name));
        for key in ["title", "about"] {
            assert!(
                pack[key].as_str().is_some_and(|said| !said.is_empty()),
                "{name} {key}"
            );
        }
        for key in ["catches", "does_not_catch", "requires", "policies"] {
            assert!(
                pack[key].as_array().is_some_and(|all| !all.is_empty()),
                "{name} {key}"
            );
        }
        let page = text(&root().join(format!("docs/packs/{name}.md")));
        for policy in pack["policies"].as_array().unwrap() {
            let document = folder.join(policy.as_str().unwrap());
            let cases = document.to_string_lossy().replace(".json", ".test.json");
            assert!(Path::new(&cases).exists(), "{cases}");
            for rule in rules(&document) {
                assert!(
                    page.contains(&format!("`{rule}`")),
                    "{name}: no word of {rule}"
                );
            }
        }
        for said in pack["does_not_catch"].as_array().unwrap() {
            assert!(page.contains(said.as_str().unwrap()), "{name}: {said}");
        }
    }
}

/// Every pack can be loaded into any catalogue: a rule about arguments that no tool has is asked
/// for in the open, so nothing keeps it from loading.
#[test]
fn every_pack_loads_beside_any_tools() {
    let odd = json!({"type": "object", "properties": {"odd": {}}});
    let strangers = json!([
        {"id": "x.shell_terminal", "input_schema": odd},
        {"id": "x.navigate_type_fetch_download_submit", "input_schema": odd},
        {"id": "x.sql_query_migrate_deploy_push_merge", "input_schema": odd},
        {"id": "x.refund_transfer_settle_bind_send_message", "input_schema": odd},
        {"id": "ehr.get_export_order", "verb": "READ", "input_schema": odd},
        {"id": "aws.iam.attach_user_policy", "verb": "ADMIN", "input_schema": odd},
    ]);
    for path in case_files("packs") {
        let stem = path.to_string_lossy().replace(".test.json", ".json");
        let cases = json!({
            "policies": [Path::new(&stem).file_name().unwrap().to_string_lossy()],
            "tools": strangers,
            "tests": [{"name": "loads", "call": {"tool": "x.other"}, "expect": {"sanitized": []}}],
        });
        assert_eq!(outcomes_of(&path, &cases.to_string()).len(), 1);
    }
}

/// The rows of the tables of a page: the file of their section, and their cells.
fn table(page: &str) -> Vec<(String, Vec<String>)> {
    let (mut file, mut rows) = (String::new(), Vec::new());
    for line in page.lines() {
        if let Some(named) = line.strip_prefix("Cases: `") {
            file = named.trim_end_matches("`.").to_owned();
        }
        let cells = line
            .strip_prefix("| ")
            .and_then(|rest| rest.strip_suffix(" |"));
        if let Some(cells) = cells.filter(|cells| !cells.starts_with("input ")) {
            let cells = cells.replace("\\|", "\u{1}");
            let cells = cells.split(" | ").map(|cell| cell.replace('\u{1}', "|"));
            rows.push((file.clone(), cells.collect()));
        }
    }
    rows
}

/// The outcome as the table writes it.
fn outcome_cell(expect: &Value) -> String {
    match (&expect["verdict"], &expect["code"]) {
        (Value::String(verdict), Value::String(code)) => format!("{verdict} `{code}`"),
        (Value::String(verdict), _) => verdict.clone(),
        _ => expect.as_str().unwrap().to_owned(),
    }
}

#[test]
fn the_page_on_odd_input_says_what_the_cases_hold() {
    let page = text(&root().join("docs/reference/odd-input.md"));
    let rows = table(&page);
    let mut said: BTreeSet<(String, String, String)> = BTreeSet::new();
    for (file, cells) in rows {
        let (name, outcome) = match cells.as_slice() {
            [name, _, rule, outcome, _] => (format!("{name}, {}", rule.trim_matches('`')), outcome),
            [name, _, outcome, _] => (name.clone(), outcome),
            other => panic!("a row of {} cells in {file}: {other:?}", other.len()),
        };
        assert!(
            said.insert((file, name.clone(), outcome.clone())),
            "{name} twice"
        );
    }
    let mut held = BTreeSet::new();
    for path in case_files("corpus/odd") {
        let file: Value = serde_json::from_str(&text(&path)).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for case in file["tests"].as_array().unwrap() {
            let called = case["name"].as_str().unwrap().to_owned();
            held.insert((
                format!("corpus/odd/{name}"),
                called,
                outcome_cell(&case["expect"]),
            ));
        }
    }
    for (file, line) in lines("refused").into_iter().map(|line| ("refused", line)) {
        held.insert((
            of(file),
            line["name"].as_str().unwrap().into(),
            "refused".to_owned(),
        ));
    }
    for line in lines("large") {
        let outcome = outcome_cell(&line["expect"]);
        held.insert((of("large"), line["name"].as_str().unwrap().into(), outcome));
    }
    let only = |one: &BTreeSet<_>, other: &BTreeSet<_>| -> Vec<String> {
        one.difference(other)
            .map(|row| format!("{row:?}"))
            .collect()
    };
    assert_eq!(
        only(&said, &held),
        Vec::<String>::new(),
        "rows without a case"
    );
    assert_eq!(
        only(&held, &said),
        Vec::<String>::new(),
        "cases without a row"
    );
}

fn of(stem: &str) -> String {
    format!("corpus/odd/{stem}.jsonl")
}

fn lines(stem: &str) -> Vec<Value> {
    let written = text(&root().join(of(stem)));
    written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_two_readers_read_differently_is_refused_before_any_rule() {
    for line in lines("refused") {
        let written = line["text"].as_str().unwrap();
        let read = parse(written.as_bytes(), Limits::CALL, Numbers::Exact);
        assert!(
            read.is_err(),
            "{}: {written} was read as {read:?}",
            line["name"]
        );
    }
}

/// What an odd, large value is made of.
fn made(make: &Value) -> String {
    if let Some(times) = make["times"].as_u64() {
        let text = make["repeat"].as_str().unwrap().repeat(times as usize);
        return json!(text).to_string();
    }
    if let Some(depth) = make["nest"].as_u64() {
        return format!(
            "{}{}",
            "[".repeat(depth as usize),
            "]".repeat(depth as usize)
        );
    }
    let count = make["list"].as_u64().unwrap();
    json!(vec![1; count as usize]).to_string()
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_or_unknown() {
    let words = root().join("corpus/odd/words.test.json");
    for line in lines("large") {
        let arguments = format!(r#"{{"status": {}}}"#, made(&line["make"]));
        let read = parse(arguments.as_bytes(), Limits::CALL, Numbers::Exact);
        if line["expect"] == "refused" {
            assert!(read.is_err(), "{}", line["name"]);
            continue;
        }
        let mut file: Value = serde_json::from_str(&text(&words)).unwrap();
        file["tests"] = json!([{
            "name": line["name"], "expect": line["expect"],
            "call": {"tool": "crm.reopen", "arguments": read.unwrap()},
        }]);
        for outcome in outcomes_of(&words, &file.to_string()) {
            assert!(outcome.passed(), "{}", shown(&outcome));
        }
    }
}
