//! The detector: all patterns compiled, and one pass over a value with them.
//!
//! A [`Scanner`] is a detector that looks for somebody's needles in the same pass.
//!
//! Must not know: policies, calls, what follows from a finding.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde_json::Value;

use crate::config::{Config, ConfigProblem, Rules};
use crate::finding::{Finding, HIDDEN_TEXT, Part, Scan, Signal, TooLarge};
use crate::kinds;
use crate::page::Raw;
use crate::reading::{Gathered, OnNeedle, Reading};
use crate::secrets::CompiledFormat;
use crate::secrets::formats;
use crate::signals::{CompiledPhrase, PHRASES, has_hidden};
use crate::triggers::{self, Trigger};
use crate::view::View;
use crate::walk::{Leaf, Leaves};

/// Bytes of text that are scanned at once. LIMIT: four whole calls of the largest size.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// Findings that one scan reports. LIMIT: keeps memory in bounds; a text of more is data anyway,
/// and what is over the bound makes the scan [`TooLarge`], so nothing is left out in silence.
pub const FINDINGS_MAX: usize = 100_000;
/// Bytes between a tenant's pattern and its words.
const OWN_WORD_DISTANCE: usize = 64;

/// All patterns, compiled. Immutable and shared; made once a process.
#[derive(Debug)]
pub struct Detector {
    automaton: AhoCorasick,
    triggers: Vec<Trigger>,
    formats: Vec<CompiledFormat>,
    phrases: Vec<CompiledPhrase>,
    rules: Rules,
}

impl Detector {
    /// The detector with the patterns of the product and nothing of a tenant's own.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<Detector>> = LazyLock::new(|| {
            let detector = Detector::with(&Config::default());
            #[expect(
                clippy::expect_used,
                reason = "the default configuration and the literals are constants, and a test builds them"
            )]
            detector.expect("the product's own patterns are in order")
        });
        BUILTIN.clone()
    }

    /// The same with what a tenant adds and takes.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration, each with its place.
    pub fn with(config: &Config) -> Result<Arc<Self>, Vec<ConfigProblem>> {
        let known: BTreeSet<&str> = kinds::all().collect();
        let rules = Rules::new(config, &known)?;
        let literals = triggers::builtin();
        let own = rules.own.iter().enumerate().flat_map(|(place, rule)| {
            let words = rule.words.iter();
            words.map(move |word| (word.as_str(), Trigger::Own(place)))
        });
        let (texts, triggers): (Vec<&str>, Vec<Trigger>) = literals.into_iter().chain(own).unzip();
        let automaton = triggers::automaton(texts.iter().copied(), Some(AhoCorasickKind::DFA));
        let automaton = automaton.map_err(|error| {
            vec![ConfigProblem {
                place: "patterns".to_owned(),
                message: format!("their words do not fit into one automaton: {error}"),
                help: "write fewer or shorter words".to_owned(),
            }]
        })?;
        Ok(Arc::new(Self {
            automaton,
            triggers,
            formats: formats::all().map(CompiledFormat::new).collect(),
            phrases: PHRASES.iter().map(CompiledPhrase::new).collect(),
            rules,
        }))
    }

    /// Scans every text in the value, keys and numbers included, in one pass.
    ///
    /// # Errors
    /// [`TooLarge`]; nothing is known then, and the caller takes that as unknown.
    pub fn scan(&self, value: &Value) -> Result<Scan, TooLarge> {
        let reading = self.reading(&self.automaton, &self.triggers);
        let heard: Result<Result<Scan, TooLarge>, Infallible> =
            self.scan_with(&reading, value, &mut |_| Ok(()));
        let Ok(scan) = heard;
        scan
    }

    /// Scans a plain text, whatever it holds.
    ///
    /// # Errors
    /// [`TooLarge`], as above.
    pub fn scan_text(&self, text: &str) -> Result<Scan, TooLarge> {
        self.scan(&Value::from(text))
    }

    fn reading<'d>(&'d self, automaton: &'d AhoCorasick, triggers: &'d [Trigger]) -> Reading<'d> {
        Reading {
            automaton,
            triggers,
            formats: &self.formats,
            phrases: &self.phrases,
        }
    }

    fn scan_with<E>(
        &self,
        reading: &Reading<'_>,
        value: &Value,
        on_needle: OnNeedle<'_, E>,
    ) -> Result<Result<Scan, TooLarge>, E> {
        let (mut scan, mut bytes) = (Scan::default(), 0);
        let mut leaves = Leaves::new(value);
        while let Some(leaf) = leaves.next() {
            bytes += leaf.text.len();
            if bytes > TEXT_BYTES_MAX {
                return Ok(Err(TooLarge {
                    max: TEXT_BYTES_MAX,
                }));
            }
            // Needles are looked for in texts alone, as rules have it: not in keys and numbers.
            let is_text = leaf.part == Part::Value && !leaf.is_number;
            let view = View::new(&leaf.text, leaf.key);
            let mut gathered = reading.read(&view, &mut |needle| {
                if is_text { on_needle(needle) } else { Ok(()) }
            })?;
            self.read_own(&view, &mut gathered);
            if leaf.is_number {
                gathered.found.retain(|found| is_whole(&view, found, &leaf));
            }
            self.report(&mut scan, &leaves, &leaf, (&view, gathered));
            if scan.findings.len() > FINDINGS_MAX {
                return Ok(Err(TooLarge { max: FINDINGS_MAX }));
            }
        }
        Ok(Ok(scan))
    }

    /// What the tenant's own patterns find.
    fn read_own(&self, view: &View<'_>, gathered: &mut Gathered) {
        for (place, rule) in self.rules.own.iter().enumerate() {
            let near = |at: &Range<usize>| {
                gathered.own.iter().any(|(owner, word)| {
                    *owner == place
                        && word.start < at.end + OWN_WORD_DISTANCE
                        && at.start < word.end + OWN_WORD_DISTANCE
                })
            };
            if !rule.words.is_empty() && !gathered.own.iter().any(|(owner, _)| *owner == place) {
                continue;
            }
            for groups in rule.regex.captures_iter(view.bytes()) {
                let Some(found) = groups.get(1).or_else(|| groups.get(0)) else {
                    continue;
                };
                if rule.words.is_empty() || near(&found.range()) {
                    gathered.found.push(Raw {
                        class: rule.class,
                        kind: rule.name.clone().into(),
                        at: found.range(),
                        confidence: rule.confidence,
                    });
                }
            }
        }
    }

    /// Takes over what counts, in the bytes that were sent.
    fn report(
        &self,
        scan: &mut Scan,
        leaves: &Leaves<'_>,
        leaf: &Leaf<'_>,
        (view, gathered): (&View<'_>, Gathered),
    ) {
        let Gathered {
            found, mut signs, ..
        } = gathered;
        if has_hidden(&leaf.text) && !signs.contains(&HIDDEN_TEXT) {
            signs.push(HIDDEN_TEXT);
        }
        signs.sort_unstable();
        signs.dedup();
        if found.is_empty() && signs.is_empty() {
            return;
        }
        let path = leaves.path(leaf.place);
        let mut findings: Vec<Finding> = found
            .into_iter()
            .filter_map(|raw| {
                let at = on_characters(&leaf.text, view.source(&raw.at)?);
                let text = leaf.text.get(at.clone())?;
                self.rules
                    .admits(&raw.kind, raw.confidence, text)
                    .then(|| Finding {
                        class: raw.class,
                        kind: raw.kind.into_owned(),
                        path: path.clone(),
                        part: leaf.part,
                        at,
                        confidence: raw.confidence,
                    })
            })
            .collect();
        sort(&mut findings);
        scan.findings.extend(findings);
        scan.signals.extend(signs.into_iter().map(|kind| Signal {
            kind,
            path: path.clone(),
        }));
    }
}

/// A detector that also looks for needles, in the same pass.
#[derive(Debug)]
pub struct Scanner {
    detector: Arc<Detector>,
    automaton: AhoCorasick,
    triggers: Vec<Trigger>,
}

impl Scanner {
    /// The detector with these needles, in lower case and searchable form. `None` where they are
    /// too many for one automaton.
    pub fn new(detector: &Arc<Detector>, needles: &[String]) -> Option<Self> {
        let own = detector.rules.own.iter().flat_map(|rule| &rule.words);
        let literals = triggers::builtin();
        let texts = literals
            .iter()
            .map(|(text, _)| *text)
            .chain(own.map(String::as_str));
        let texts = texts.chain(needles.iter().map(String::as_str));
        let automaton = triggers::automaton(texts, None).ok()?;
        let mut triggers = detector.triggers.clone();
        triggers.extend((0..needles.len()).map(Trigger::Needle));
        Some(Self {
            detector: detector.clone(),
            automaton,
            triggers,
        })
    }

    /// Scans as [`Detector::scan`] does, and tells `on_needle` of every needle that a text, not a
    /// key or a number, contains; needles inside needles too.
    ///
    /// # Errors
    /// The first error that `on_needle` gives ends the scan.
    pub fn scan<E>(
        &self,
        value: &Value,
        on_needle: &mut dyn FnMut(usize) -> Result<(), E>,
    ) -> Result<Result<Scan, TooLarge>, E> {
        let reading = self.detector.reading(&self.automaton, &self.triggers);
        self.detector.scan_with(&reading, value, on_needle)
    }
}

/// A number is data as a whole or not at all: `12.5` has no part that is a card.
fn is_whole(view: &View<'_>, found: &Raw, leaf: &Leaf<'_>) -> bool {
    view.source(&found.at) == Some(0..leaf.text.len())
}

/// The range without a part of a character on either side.
fn on_characters(text: &str, at: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(at.start);
    start..text.ceil_char_boundary(at.end).max(start)
}

/// By place, and of two findings of one class at one place only the surer and longer one.
fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        (a.at.start, b.at.end)
            .cmp(&(b.at.start, a.at.end))
            .then(b.confidence.total_cmp(&a.confidence))
            .then(a.kind.cmp(&b.kind))
    });
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for found in findings.drain(..) {
        let inside = kept.iter().rev().take(NEIGHBOURS_MAX).any(|other| {
            other.class == found.class
                && other.at.start <= found.at.start
                && found.at.end <= other.at.end
        });
        if !inside {
            kept.push(found);
        }
    }
    *findings = kept;
}

/// Findings before one that may enclose it. LIMIT: keeps a text of findings linear.
const NEIGHBOURS_MAX: usize = 8;
