//! Measures the detector on a labelled set and on clean text, and prints the figures beside those
//! that other detectors have on the same set.
//!
//! ```text
//! cargo run -p toolgate-detect --release --example measure -- DIR [ORDINARY.txt …]
//! ```
//!
//! `DIR` holds `messages.jsonl` (text, labels with class, type, tier and range in characters, and the
//! classes that a line is scored for) and `internal.jsonl`. `--misses` prints what was missed. No data
//! of the set is part of this repository.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement stops at what is no measurement"
)]

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use toolgate_detect::{Detector, Finding, redact};
use toolgate_model::{DataClass, DataClasses};

#[derive(Debug, Deserialize)]
struct Message {
    text: String,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    scored: Vec<String>,
    #[serde(default)]
    tier: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    negative: String,
    #[serde(default)]
    source: String,
}

#[derive(Debug, Deserialize)]
struct Label {
    class: String,
    #[serde(rename = "type")]
    kind: String,
    start: usize,
    end: usize,
    #[serde(default)]
    tier: String,
}

#[derive(Debug, Default)]
struct Tally {
    hit: usize,
    of: usize,
}

impl Tally {
    fn add(&mut self, hit: bool) {
        self.hit += usize::from(hit);
        self.of += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = self.hit as f64 / self.of.max(1) as f64;
        write!(f, "{:>5}/{:<5} {share:.3}", self.hit, self.of)
    }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let misses = arguments.iter().any(|argument| argument == "--misses");
    arguments.retain(|argument| argument != "--misses");
    let Some((directory, ordinary)) = arguments.split_first() else {
        eprintln!("usage: measure DIR [ORDINARY.txt …] [--misses]");
        std::process::exit(2);
    };
    let directory = Path::new(directory);
    let messages = lines(&directory.join("messages.jsonl"));
    let found: Vec<Vec<Finding>> = messages.iter().map(|message| scan(&message.text)).collect();
    secrets(&messages, &found, misses);
    personal(&messages, &found, misses);
    internal(&lines(&directory.join("internal.jsonl")), misses);
    signals(&messages, misses);
    speed(
        "dense: the set itself",
        messages.iter().map(|message| message.text.as_str()),
    );
    let clean = messages
        .iter()
        .filter(|message| message.negative == "ordinary");
    speed(
        "ordinary: its clean messages",
        clean.map(|message| message.text.as_str()),
    );
    for file in ordinary {
        let text = std::fs::read_to_string(file).expect("a text file");
        alarms(file, &text, misses);
        speed(file, text.split("\n\n"));
    }
    hostile();
    println!("\n{PEERS}");
}

/// Beginnings over and over: twice the text takes twice the time.
fn hostile() {
    println!("HOSTILE, seconds for 512 KiB and 1 MiB");
    let beginnings = [
        "a",
        "1",
        "1-",
        "eyJ",
        "eyJa.",
        "-----BEGIN",
        "-----BEGIN PRIVATE KEY-----",
        "@",
        "a:b@",
        "key=",
        "key=a1b2c3",
        "password ",
        "::",
        "%41",
        "&#64;",
        "\u{e9}",
        "ignore ",
        "curl -u ",
        "a/",
        "diagnosis patient ",
        "aGVsbG8g",
        "kind: secret data: ",
        "1 2 3 4 ",
        "AKIA",
        "do not share ",
        "<!--",
    ];
    for text in beginnings {
        let seconds = [512 << 10, 1 << 20].map(|bytes: usize| {
            let value = Value::from(text.repeat(bytes / text.len()));
            let start = cpu_seconds();
            let found = Detector::builtin()
                .scan(&value)
                .map_or(0, |scan| scan.findings.len());
            (cpu_seconds() - start, found)
        });
        let [(half, _), (whole, found)] = seconds;
        println!(
            "  {text:<32?} {half:.3} {whole:.3} x{:.1} {found} findings",
            whole / half.max(0.001)
        );
    }
}

fn lines(path: &Path) -> Vec<Message> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a labelled message a line"))
        .collect()
}

fn scan(text: &str) -> Vec<Finding> {
    Detector::builtin()
        .scan_text(text)
        .map(|scan| scan.findings)
        .unwrap_or_default()
}

fn has(found: &[Finding], class: DataClass) -> bool {
    found.iter().any(|finding| finding.class == class)
}

fn secrets(messages: &[Message], found: &[Vec<Finding>], misses: bool) {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let (mut left, mut labelled) = (0, 0);
    for (message, found) in messages.iter().zip(found) {
        if !message.scored.iter().any(|class| class == "SECRETS") {
            continue;
        }
        let hit = has(found, DataClass::Secrets);
        let positive = message.labels.iter().any(|label| label.class == "SECRETS");
        if positive {
            if message.tier == "secret" {
                tallies.entry("core, all".to_owned()).or_default().add(hit);
                count_left(message, found, "SECRETS", (&mut left, &mut labelled));
            }
            tallies
                .entry(format!("{}, {}", message.tier, message.group))
                .or_default()
                .add(hit);
        } else {
            tallies
                .entry(format!(
                    "flagged: {} {}",
                    message.negative,
                    if message.negative == "ordinary" {
                        message.source.as_str()
                    } else {
                        ""
                    }
                ))
                .or_default()
                .add(hit);
        }
        if misses && positive && !hit && message.tier == "secret" {
            println!("MISS {} {:?}", message.labels[0].kind, clip(&message.text));
        }
        if misses && !positive && hit && message.negative == "ordinary" {
            println!("ALARM {:?} {:?}", found, clip(&message.text));
        }
    }
    println!("SECRETS, by message");
    print_all(&tallies);
    println!(
        "  labelled characters of the core left after redaction {left}/{labelled} {:.3}",
        left as f64 / labelled.max(1) as f64
    );
}

fn personal(messages: &[Message], found: &[Vec<Finding>], misses: bool) {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let (mut left, mut labelled) = (0, 0);
    for (message, found) in messages.iter().zip(found) {
        if !message.scored.iter().any(|class| class == "PII") {
            continue;
        }
        let hit = has(found, DataClass::Pii) || has(found, DataClass::Phi);
        let core = message.labels.iter().any(|label| label.tier == "core");
        if core {
            tallies
                .entry("core, by message".to_owned())
                .or_default()
                .add(hit);
            count_left(message, found, "PII", (&mut left, &mut labelled));
        } else if message.labels.iter().any(|label| label.tier == "id") {
            tallies
                .entry("id, by message".to_owned())
                .or_default()
                .add(hit);
        } else if !message.negative.is_empty() {
            tallies
                .entry(format!("flagged: {}", message.negative))
                .or_default()
                .add(hit);
            if misses && hit && message.negative == "ordinary" {
                println!("ALARM {:?} {:?}", found, clip(&message.text));
            }
        }
        for label in message.labels.iter().filter(|label| label.tier == "core") {
            let at = range(&message.text, label);
            let covered = found
                .iter()
                .any(|finding| finding.at.start < at.end && at.start < finding.at.end);
            tallies
                .entry(format!("  {}", label.kind))
                .or_default()
                .add(covered);
            if misses && !covered {
                println!(
                    "MISS {} {:?} in {:?}",
                    label.kind,
                    &message.text[at],
                    clip(&message.text)
                );
            }
        }
    }
    println!("PII");
    print_all(&tallies);
    println!(
        "  labelled characters of the core left after redaction {left}/{labelled} {:.3}",
        left as f64 / labelled.max(1) as f64
    );
}

fn internal(messages: &[Message], misses: bool) {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for message in messages {
        let hit = has(&scan(&message.text), DataClass::Internal);
        let positive = !message.labels.is_empty();
        tallies
            .entry(
                if positive {
                    "marked"
                } else {
                    "flagged: mention only"
                }
                .to_owned(),
            )
            .or_default()
            .add(hit);
        if misses && hit != positive {
            println!("INTERNAL {positive} {:?}", clip(&message.text));
        }
    }
    println!("INTERNAL");
    print_all(&tallies);
}

fn signals(messages: &[Message], misses: bool) {
    let mut tally = Tally::default();
    for message in messages
        .iter()
        .filter(|message| message.negative == "ordinary")
    {
        let signals = Detector::builtin()
            .scan_text(&message.text)
            .map(|scan| scan.signals)
            .unwrap_or_default();
        tally.add(!signals.is_empty());
        if misses && !signals.is_empty() {
            println!("SIGNAL {:?} {:?}", signals, clip(&message.text));
        }
    }
    println!("SIGNALS\n  flagged: ordinary                    {tally}");
}

/// Paragraphs of clean text that are flagged.
fn alarms(name: &str, text: &str, misses: bool) {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for part in text.split("\n\n").filter(|part| !part.trim().is_empty()) {
        let scan = Detector::builtin().scan_text(part).unwrap_or_default();
        for class in [
            DataClass::Secrets,
            DataClass::Pii,
            DataClass::Phi,
            DataClass::Internal,
        ] {
            tallies
                .entry(format!("flagged: {class:?}"))
                .or_default()
                .add(has(&scan.findings, class));
        }
        tallies
            .entry("signals".to_owned())
            .or_default()
            .add(!scan.signals.is_empty());
        if misses {
            for finding in &scan.findings {
                println!(
                    "ALARM {} {:?} in {:?}",
                    finding.kind,
                    part.get(finding.at.clone()),
                    clip(part)
                );
            }
            for signal in &scan.signals {
                println!("SIGNAL {} {:?}", signal.kind, clip(part));
            }
        }
    }
    println!("{name}, by paragraph");
    print_all(&tallies);
}

fn range(text: &str, label: &Label) -> std::ops::Range<usize> {
    let byte = |place: usize| {
        text.char_indices()
            .nth(place)
            .map_or(text.len(), |(at, _)| at)
    };
    byte(label.start)..byte(label.end)
}

/// Adds the labelled bytes that are still there after redaction.
fn count_left(
    message: &Message,
    found: &[Finding],
    class: &str,
    (left, labelled): (&mut usize, &mut usize),
) {
    let classes: DataClasses = found.iter().map(|finding| finding.class).collect();
    let (_, replaced) = redact(&Value::from(message.text.as_str()), found, &classes);
    assert!(replaced.len() <= found.len());
    for label in message
        .labels
        .iter()
        .filter(|label| label.class == class && (label.tier.is_empty() || label.tier == "core"))
    {
        let at = range(&message.text, label);
        *labelled += at.len();
        let open = at
            .filter(|byte| !found.iter().any(|finding| finding.at.contains(byte)))
            .count();
        *left += open;
        if open > 0 && std::env::var_os("LEFT").is_some() {
            println!(
                "LEFT {open} {} {:?} {:?}",
                label.kind,
                found
                    .iter()
                    .map(|finding| (&finding.kind, &finding.at))
                    .collect::<Vec<_>>(),
                clip(&message.text)
            );
        }
    }
}

fn speed<'t>(name: &str, texts: impl Iterator<Item = &'t str>) {
    let values: Vec<Value> = texts.map(Value::from).collect();
    let bytes: usize = values
        .iter()
        .map(|value| value.as_str().unwrap_or_default().len())
        .sum();
    let rounds = (20_000_000 / bytes.max(1)).clamp(1, 200);
    let detector = Detector::builtin();
    let start = cpu_seconds();
    let mut findings = 0;
    for _ in 0..rounds {
        for value in &values {
            findings += detector.scan(value).map_or(0, |scan| scan.findings.len());
        }
    }
    let seconds = (cpu_seconds() - start).max(0.001);
    let rate = (bytes * rounds) as f64 / seconds / 1e6;
    println!(
        "{name}: {bytes} bytes in {} texts, {} findings, {rate:.1} MB a CPU second",
        values.len(),
        findings / rounds
    );
}

/// Seconds of processor time that this process has used: the machine may be busy with others.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds: f64 = text
        .split(' ')
        .next()
        .and_then(|field| field.parse().ok())
        .unwrap_or(0.0);
    nanoseconds / 1e9
}

fn print_all(tallies: &BTreeMap<String, Tally>) {
    for (name, tally) in tallies {
        println!("  {name:<36} {tally}");
    }
}

fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(160)).unwrap_or(text)
}

const PEERS: &str = "\
Peers on the same half of the same set (measured with their defaults, by message):
  SECRETS core / common / long tail / flagged ordinary
    gitleaks rules (222)        .607 / .686 / .511 / 0 of 1247
    kingfisher 2.14.0           .411 / .605 / .181 / 0
    detect-secrets 1.5.0        .499 / .597 / .359 / 61
    secretlint 12.0.0           .137 / .245 / .007 / 0
    any of them                 .96  / .971 / .948
  PII core / flagged ordinary
    presidio-analyzer 2.2.366   .935 / 11 of 1253
    scrubadub 2.0.1             .701 / 2
    redact-pii 3.4.0            .735 / 67
  INTERNAL, three phrases       9 of 13 marked, 9 of 22 mentions
  MB/s dense: kingfisher 1.3, gitleaks rules 0.9 (Python), presidio 0.1, detect-secrets 0.18
  MB/s ordinary: kingfisher 121, detect-secrets 0.14, presidio 0.15, scrubadub 1.5";
