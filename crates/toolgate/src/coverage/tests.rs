//! Projects of a few files each, and what must be said of every tool in them.
//!
//! A case is one text: files after `--- NAME` lines, then the findings after `=== EXPECTED`, one a
//! line: `STATE NAME`. Whoever adds a framework adds a case with a covered and an uncovered tool.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at the first surprise"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::{State, scan};

/// The findings of a case, as its last part has them.
fn found(files: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut name: Option<PathBuf> = None;
    let mut text = String::new();
    for line in files.lines().chain(["--- end"]) {
        match line.strip_prefix("--- ") {
            Some(next) => {
                if let Some(name) = name.replace(folder.path().join(next.trim())) {
                    fs::create_dir_all(name.parent().unwrap()).unwrap();
                    fs::write(name, &text).unwrap();
                }
                text.clear();
            }
            None => {
                writeln!(text, "{line}").unwrap();
            }
        }
    }
    let scan = scan(
        &[folder.path().to_owned()],
        &["https://gate.acme.com".to_owned()],
    )
    .unwrap();
    let mut lines: Vec<_> = scan
        .findings
        .iter()
        .map(|found| {
            let state = match found.state {
                State::Covered => "covered",
                State::Uncovered => "uncovered",
                State::Unknown => "unknown",
            };
            format!("{state} {}", found.name)
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

fn check(case: &str) {
    let (files, expected) = case.split_once("=== EXPECTED\n").unwrap();
    let mut expected: Vec<_> = expected.lines().filter(|line| !line.is_empty()).collect();
    expected.sort_unstable();
    assert_eq!(
        found(files),
        expected.join("\n"),
        "of this project:\n{files}"
    );
}

macro_rules! cases {
    ($($name:ident,)+) => {
        $(#[test]
        fn $name() {
            check(include_str!(concat!("cases/", stringify!($name), ".txt")));
        })+
    };
}

cases! {
    python_frameworks,
    python_files,
    python_doubts,
    script_frameworks,
    script_files,
    servers,
    clients,
}

/// Whatever the gate is taken out of, nothing may stay covered.
#[test]
fn without_the_sdk_nothing_is_covered() {
    let cases = [
        include_str!("cases/python_frameworks.txt"),
        include_str!("cases/python_files.txt"),
        include_str!("cases/script_frameworks.txt"),
        include_str!("cases/script_files.txt"),
    ];
    for case in cases {
        let (files, _) = case.split_once("=== EXPECTED\n").unwrap();
        let bare = files.replace("toolgate", "elsewhere");
        assert!(!bare.contains("toolgate"));
        let found = found(&bare);
        assert!(
            !found.contains("covered ") || found.lines().all(|line| !line.starts_with("covered")),
            "{found}"
        );
    }
}

/// Nesting, circles and bytes that nobody writes by hand end, and are not called covered.
#[test]
fn odd_files_end_and_are_unknown() {
    let deep = format!(
        "--- deep.py\nx = {}1{}\n",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert_eq!(found(&deep), "unknown deep.py");
    let circle = "--- a.py\nfrom b import x\nfrom agents import Agent\nAgent(tools=x)\n\
                  --- b.py\nfrom a import x\nx = x + x + [x, x]\n";
    let circle = found(circle);
    assert!(
        circle.lines().all(|line| !line.starts_with("covered")),
        "{circle}"
    );
    assert_eq!(found("--- half.ts\nconst x = tool({\n"), "unknown half.ts");
}
