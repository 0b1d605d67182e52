//! What a tenant adds to the detector and takes from it.
//!
//! ```
//! use toolgate_detect::{Config, Detector, OwnPattern};
//! use toolgate_model::DataClass;
//!
//! let config = Config {
//!     patterns: vec![OwnPattern {
//!         name: "DEAL_NUMBER".to_owned(),
//!         class: DataClass::Internal,
//!         regex: r"\bDEAL-\d{4}\b".to_owned(),
//!         words: Vec::new(),
//!         confidence: 0.8,
//!     }],
//!     ..Config::default()
//! };
//! let detector = Detector::with(&config).expect("a pattern that compiles");
//! assert_eq!(detector.scan_text("see DEAL-4711")?.findings.len(), 1);
//! # Ok::<(), toolgate_detect::TooLarge>(())
//! ```
//!
//! Must not know: files, how a configuration is written.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};
use toolgate_model::{DataClass, Glob};

/// What a tenant adds and takes. The default takes nothing and adds nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Patterns of its own.
    pub patterns: Vec<OwnPattern>,
    /// Values that are never data: exact, or globs with `*`.
    pub allow: Vec<String>,
    /// Domains whose addresses of mail are no personal data: `acme.com` covers `eu.acme.com`.
    pub allow_domains: Vec<String>,
    /// Kinds that are switched off: `IP_ADDRESS`.
    pub disabled: Vec<String>,
    /// What is less sure is left out, 0 to 1.
    pub confidence_min: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            allow: Vec::new(),
            allow_domains: Vec::new(),
            disabled: Vec::new(),
            confidence_min: CONFIDENCE_MIN,
        }
    }
}

/// What is less sure is left out where nobody says otherwise.
pub const CONFIDENCE_MIN: f32 = 0.5;

/// A pattern of a tenant's own.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnPattern {
    /// Its kind in findings: capitals, digits and underscores.
    pub name: String,
    /// The class of what it finds.
    pub class: DataClass,
    /// A linear-time regular expression; its first group, where it has one, is what is found.
    pub regex: String,
    /// Words of which one must stand within 64 bytes of it; none where it needs none.
    pub words: Vec<String>,
    /// How sure a match is, 0 to 1.
    pub confidence: f32,
}

/// Something that a configuration gets wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigProblem {
    /// Where: `patterns[0].regex`.
    pub place: String,
    /// What, in one sentence.
    pub message: String,
    /// What mends it.
    pub help: String,
}

/// Patterns of one tenant. LIMIT: each walks the text once more.
pub const PATTERNS_MAX: usize = 64;
/// Bytes of one regular expression, and of what it compiles to. LIMIT: what matching costs a byte
/// grows with it.
pub const REGEX_BYTES_MAX: usize = 1_024;
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Entries of one list. LIMIT: a longer list is a data set.
pub const LIST_MAX: usize = 1_000;

/// What of a configuration is asked during a scan.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) own: Vec<OwnRule>,
    allow: BTreeSet<String>,
    allow_globs: Vec<Glob>,
    allow_domains: Vec<String>,
    disabled: BTreeSet<String>,
    confidence_min: f32,
}

/// A tenant's pattern, compiled.
#[derive(Debug)]
pub(crate) struct OwnRule {
    pub(crate) name: String,
    pub(crate) class: DataClass,
    pub(crate) regex: Regex,
    pub(crate) words: Vec<String>,
    pub(crate) confidence: f32,
}

impl Rules {
    /// # Errors
    /// Everything that is wrong with the configuration.
    pub(crate) fn new(config: &Config, kinds: &BTreeSet<&str>) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        bounded(
            &mut problems,
            "patterns",
            config.patterns.len(),
            PATTERNS_MAX,
        );
        bounded(&mut problems, "allow", config.allow.len(), LIST_MAX);
        bounded(
            &mut problems,
            "allow_domains",
            config.allow_domains.len(),
            LIST_MAX,
        );
        share(&mut problems, "confidence_min", config.confidence_min);
        let own = config
            .patterns
            .iter()
            .enumerate()
            .filter_map(|(place, pattern)| {
                own_rule(&mut problems, &format!("patterns[{place}]"), pattern)
            })
            .collect();
        let allow_globs = globs(&mut problems, &config.allow);
        disabled(&mut problems, config, kinds);
        match problems.is_empty() {
            true => Ok(Self {
                own,
                allow: config
                    .allow
                    .iter()
                    .filter(|text| !text.contains('*'))
                    .cloned()
                    .collect(),
                allow_globs,
                allow_domains: config
                    .allow_domains
                    .iter()
                    .map(|domain| domain.trim_start_matches('.').to_ascii_lowercase())
                    .collect(),
                disabled: config.disabled.iter().cloned().collect(),
                confidence_min: config.confidence_min,
            }),
            false => Err(problems),
        }
    }

    /// Whether a finding counts.
    pub(crate) fn admits(&self, kind: &str, confidence: f32, text: &str) -> bool {
        confidence >= self.confidence_min
            && !self.disabled.contains(kind)
            && !self.allow.contains(text)
            && !self.allow_globs.iter().any(|glob| glob.matches(text))
            && (kind != "EMAIL" || !self.is_own_domain(text))
    }

    fn is_own_domain(&self, address: &str) -> bool {
        let domain = address
            .rsplit('@')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        self.allow_domains.iter().any(|own| {
            domain
                .strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

fn problem(place: &str, message: String, help: &str) -> ConfigProblem {
    ConfigProblem {
        place: place.to_owned(),
        message,
        help: help.to_owned(),
    }
}

fn bounded(problems: &mut Vec<ConfigProblem>, place: &str, count: usize, max: usize) {
    if count > max {
        problems.push(problem(
            place,
            format!("there are {count} entries, more than {max}"),
            "leave some out",
        ));
    }
}

fn share(problems: &mut Vec<ConfigProblem>, place: &str, value: f32) {
    if !(0.0..=1.0).contains(&value) {
        problems.push(problem(
            place,
            format!("`{value}` is not between 0 and 1"),
            "write a share such as 0.5",
        ));
    }
}

fn own_rule(
    problems: &mut Vec<ConfigProblem>,
    place: &str,
    pattern: &OwnPattern,
) -> Option<OwnRule> {
    let before = problems.len();
    let named = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if pattern.name.is_empty() || pattern.name.len() > 48 || !pattern.name.chars().all(named) {
        let message = format!(
            "`{}` is not a name of capitals, digits and underscores",
            pattern.name
        );
        problems.push(problem(
            &format!("{place}.name"),
            message,
            "write a name such as `DEAL_NUMBER`",
        ));
    }
    share(problems, &format!("{place}.confidence"), pattern.confidence);
    if pattern.words.iter().any(|word| word.trim().is_empty()) {
        problems.push(problem(
            &format!("{place}.words"),
            "a word is empty".to_owned(),
            "leave it out",
        ));
    }
    let regex = compiled(problems, &format!("{place}.regex"), &pattern.regex);
    regex
        .filter(|_| problems.len() == before)
        .map(|regex| OwnRule {
            name: pattern.name.clone(),
            class: pattern.class,
            regex,
            words: pattern
                .words
                .iter()
                .map(|word| word.to_ascii_lowercase())
                .collect(),
            confidence: pattern.confidence,
        })
}

fn compiled(problems: &mut Vec<ConfigProblem>, place: &str, text: &str) -> Option<Regex> {
    if text.len() > REGEX_BYTES_MAX {
        problems.push(problem(
            place,
            format!("it has more than {REGEX_BYTES_MAX} bytes"),
            "split it into several patterns",
        ));
        return None;
    }
    match RegexBuilder::new(text)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
    {
        Ok(regex) if regex.is_match(b"") => {
            problems.push(problem(
                place,
                format!("`{text}` matches the empty text"),
                "make it say what it looks for",
            ));
            None
        }
        Ok(regex) => Some(regex),
        Err(error) => {
            let cause = error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .trim()
                .to_owned();
            problems.push(problem(
                place,
                format!("`{text}` is not a regular expression: {cause}"),
                "the syntax is that of the Rust crate `regex`, without look-around",
            ));
            None
        }
    }
}

fn globs(problems: &mut Vec<ConfigProblem>, allow: &[String]) -> Vec<Glob> {
    let mut globs = Vec::new();
    for (place, text) in allow
        .iter()
        .enumerate()
        .filter(|(_, text)| text.contains('*'))
    {
        let only_stars = text.chars().all(|c| c == '*');
        if only_stars {
            let message = format!("`{text}` would allow everything");
            problems.push(problem(
                &format!("allow[{place}]"),
                message,
                "write part of the value beside the `*`",
            ));
        } else {
            globs.push(Glob::new(text));
        }
    }
    globs
}

fn disabled(problems: &mut Vec<ConfigProblem>, config: &Config, kinds: &BTreeSet<&str>) {
    for (place, kind) in config.disabled.iter().enumerate() {
        let own = config.patterns.iter().any(|pattern| pattern.name == *kind);
        if !own && !kinds.contains(kind.as_str()) {
            let message = format!("there is no kind `{kind}`");
            problems.push(problem(
                &format!("disabled[{place}]"),
                message,
                "`toolgate detect --kinds` lists them",
            ));
        }
    }
}
