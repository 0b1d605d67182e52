//! What a scan gives: findings of data, signals to a model, or that there was too much to read.
//!
//! `{"text": "mail ana@acme.com"}` has one finding: `PII`, `EMAIL`, at `/text`, bytes 5 to 17.
//!
//! Must not know: how anything is found.

use std::ops::Range;

use toolgate_model::{DataClass, DataClasses};

/// Something that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its class.
    pub class: DataClass,
    /// What it is, in capitals: `EMAIL`, `CREDIT_CARD`, `GITHUB_TOKEN`.
    pub kind: String,
    /// JSON pointer to the text that it stands in; empty for a plain text.
    pub path: String,
    /// Which text of the member that `path` names.
    pub part: Part,
    /// Its bytes in that text, as it was sent.
    pub at: Range<usize>,
    /// How sure, 0 to 1.
    pub confidence: f32,
}

/// Which text of a member something stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Its value.
    #[default]
    Value,
    /// Its name: the last token of the path.
    Key,
}

/// A sign that a text speaks to the model instead of about its matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// One of [`SIGNALS`].
    pub kind: &'static str,
    /// JSON pointer to the text.
    pub path: String,
}

/// Text that a person does not see and a model reads.
pub const HIDDEN_TEXT: &str = "hidden_text";
/// Words that give the model orders.
pub const INSTRUCTIONS: &str = "instructions";
/// A tool's own description that steers the model towards other tools, files or silence.
pub const TOOL_POISONING: &str = "tool_poisoning";
/// Every kind of signal, sorted.
pub const SIGNALS: &[&str] = &[HIDDEN_TEXT, INSTRUCTIONS, TOOL_POISONING];

/// What one pass over a value gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// What was found, in the order of the value.
    pub findings: Vec<Finding>,
    /// What was noticed, in the order of the value; each kind once a text.
    pub signals: Vec<Signal>,
}

impl Scan {
    /// The classes that were found.
    pub fn classes(&self) -> DataClasses {
        self.findings.iter().map(|found| found.class).collect()
    }
}

/// The value has more text than is scanned at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} bytes of text")]
pub struct TooLarge {
    /// The bound.
    pub max: usize,
}
