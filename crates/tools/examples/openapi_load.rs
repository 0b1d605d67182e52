//! Loads descriptions of HTTP APIs as tools, each in a process of its own, and prints what that took.
//!
//! ```text
//! cargo run --release -p toolgate-tools --example openapi_load -- corpus/openapi/*.json.gz
//! ```
//! One line a description: operations, tools, skipped; the time to read it and make all tools of it;
//! the most memory the process ever held; the bytes of a list of all tools, and of the largest; and on
//! what the ratings rest: a rule over the words, the method alone, or neither.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on had better stop"
)]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use toolgate_model::Risk;
use toolgate_tools::ApiTools;

/// The argument that makes one process measure one file.
const ONE: &str = "--one";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, file] if flag == ONE => one(Path::new(file)),
        [flag, file] if flag == "--list" => list(Path::new(file)),
        [] => println!("name the files: plain, or compressed as `.gz`"),
        files => all(files),
    }
}

fn all(files: &[String]) {
    println!(
        "| description | operations | tools | skipped | ms | peak MB | list kB | largest kB | by words | by method | fallback |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let own = std::env::current_exe().unwrap();
    for file in files {
        let child = Command::new(&own).args([ONE, file]).output().unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        print!("{said}{}", String::from_utf8_lossy(&child.stderr));
    }
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
fn one(file: &Path) {
    let text = text(file);
    let began = std::time::Instant::now();
    let read = ApiTools::read("api", &text, &BTreeMap::new());
    let milliseconds = began.elapsed().as_secs_f64() * 1_000.0;
    let read = read.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let sizes: Vec<usize> = read
        .tools
        .iter()
        .map(|tool| tool.definition.to_string().len())
        .collect();
    let total: usize = sizes.iter().sum();
    let share = |count: usize| 100.0 * count as f64 / read.tools.len().max(1) as f64;
    println!(
        "| {} | {} | {} | {} | {milliseconds:.0} | {:.0} | {:.0} | {:.1} | {:.0} % | {:.0} % | {:.0} % |",
        file.file_name()
            .unwrap()
            .to_string_lossy()
            .trim_end_matches(".json.gz"),
        read.operations,
        read.tools.len(),
        read.unavailable.len(),
        peak_kilobytes() as f64 / 1_000.0,
        total as f64 / 1_000.0,
        sizes.iter().max().copied().unwrap_or(0) as f64 / 1_000.0,
        share(read.bases.words),
        share(read.bases.method),
        share(read.bases.fallback),
    );
    for one in read.unavailable.iter().take(20) {
        eprintln!("  skipped {}: {}", one.tool, one.reason);
    }
}

/// Every tool in a line, for whoever wants to read the ratings.
fn list(file: &Path) {
    let read = ApiTools::read("api", &text(file), &BTreeMap::new()).unwrap();
    let mut bands: BTreeMap<(String, Risk), usize> = BTreeMap::new();
    for tool in &read.tools {
        let method = tool.method.clone().unwrap_or_default();
        *bands.entry((method.clone(), tool.risk)).or_default() += 1;
        println!(
            "{method:7} {:9} {:3} {:6} {} | {} | {} | {}",
            tool.risk,
            tool.risk_score.hundredths(),
            tool.verb,
            tool.id,
            tool.route.as_ref().map_or("", |route| route.as_str()),
            tool.resource
                .as_ref()
                .map_or("-", |resource| resource.as_str()),
            tool.risk_reason,
        );
    }
    for ((method, risk), count) in bands {
        println!("= {method} {risk} {count}");
    }
}

fn text(file: &Path) -> Vec<u8> {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if file.extension().is_none_or(|ending| ending != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice())
        .read_to_end(&mut text)
        .unwrap();
    text
}

/// The most memory that this process ever held, as Linux counts it.
fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|text| text.parse().ok()).unwrap_or(0)
}
