//! `[detect]`: what a tenant adds to the detector of data classes and takes from it.
//!
//! ```toml
//! [detect]
//! allow = ["support@acme.com", "4111111111111111"]
//! allow_domains = ["acme.com"]
//! disabled = ["IP_ADDRESS"]
//!
//! [[detect.pattern]]
//! name = "DEAL_NUMBER"
//! class = "INTERNAL"
//! regex = 'DEAL-\d{4}'
//! ```
//!
//! Must not know: how anything is found, what follows from a finding.

use std::sync::Arc;

use toolgate_detect::{CONFIDENCE_MIN, Config, ConfigProblem, Detector, OwnPattern};
use toolgate_model::DataClass;

use super::Reading;
use super::reader::{Problem, Reader, Section};
use super::tree::Origin;

/// How sure a match of a tenant's own pattern is, where nobody says.
const PATTERN_CONFIDENCE_PERCENT: u32 = 80;

impl Reading<'_, '_> {
    /// The detector with what the table says; the product's own where it is wrong, which is then
    /// complained about.
    pub(super) fn detector(&mut self, root: &mut Section) -> Arc<Detector> {
        let mut section = self.reader.table(root, "detect");
        let origin = section.origin.clone();
        let config = config(self.reader, &mut section);
        self.reader.finish(section);
        if config == Config::default() {
            return Detector::builtin();
        }
        Detector::with(&config).unwrap_or_else(|problems| {
            for problem in &problems {
                complain(self.reader, problem, &origin);
            }
            Detector::builtin()
        })
    }
}

fn config(reader: &mut Reader<'_>, section: &mut Section) -> Config {
    let least = (CONFIDENCE_MIN * 100.0) as u32;
    let patterns = reader.tables(section, "pattern");
    Config {
        allow: reader.value(section, "allow", Vec::new()),
        allow_domains: reader.value(section, "allow_domains", Vec::new()),
        disabled: reader.value(section, "disabled", Vec::new()),
        confidence_min: share(reader.value(section, "confidence_percent_min", least)),
        patterns: patterns
            .into_iter()
            .filter_map(|pattern| own_pattern(reader, pattern))
            .collect(),
    }
}

fn own_pattern(reader: &mut Reader<'_>, mut section: Section) -> Option<OwnPattern> {
    let section = &mut section;
    let name: Option<String> = reader.required(section, "name");
    let class: Option<DataClass> = reader.required(section, "class");
    let regex: Option<String> = reader.required(section, "regex");
    let words = reader.value(section, "words", Vec::new());
    let confidence = reader.value(section, "confidence_percent", PATTERN_CONFIDENCE_PERCENT);
    let rest = std::mem::replace(section, Section::root(Vec::new()));
    reader.finish(rest);
    Some(OwnPattern {
        name: name?,
        class: class?,
        regex: regex?,
        words,
        confidence: share(confidence),
    })
}

fn share(percent: u32) -> f32 {
    percent as f32 / 100.0
}

/// Complains where the file says what is wrong: `patterns[0].regex` is `detect.pattern[0].regex`.
fn complain(reader: &mut Reader<'_>, problem: &ConfigProblem, table: &Origin) {
    let place = problem
        .place
        .replacen("patterns", "pattern", 1)
        .replace("confidence_min", "confidence_percent_min");
    let path = format!("detect.{}", place.trim_end_matches(".confidence"));
    let list = path.split('[').next().unwrap_or_default();
    let known = reader
        .effective
        .iter()
        .rfind(|effective| effective.path == path || effective.path == list)
        .map(|effective| effective.origin.clone());
    let origin = known.unwrap_or_else(|| table.clone());
    let message = format!("`{path}`: {}", problem.message);
    let help = Some(problem.help.clone());
    reader.complain(Problem::Value, (&path, &origin), message, help);
}
