//! Finds classes of data (`SECRETS`, `PII`, `PHI`, `INTERNAL`) and hidden instructions in JSON and
//! text, and replaces what it found.
//!
//! `{"text": "mail ana@acme.com"}` has one finding: `PII`, `EMAIL`, at `/text`. Redacted it reads
//! `{"text": "mail [EMAIL_1]"}`, and the same address is `[EMAIL_1]` wherever it stands in the call.
//!
//! Must not know: policies, calls, what follows from a finding.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use toolgate_model::{DataClass, DataClasses, Sanitized};

/// All patterns, compiled. Immutable and shared; made once a process.
#[derive(Debug, Default)]
pub struct Detector {
    _private: (),
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its class.
    pub class: DataClass,
    /// What it is, in capitals: `EMAIL`, `CREDIT_CARD`, `GITHUB_TOKEN`.
    pub kind: String,
    /// JSON pointer to the text that it stands in; empty for a plain text.
    pub path: String,
    /// Its bytes in that text, as it was sent.
    pub at: Range<usize>,
    /// How sure, 0 to 1.
    pub confidence: f32,
}

/// A sign that a text speaks to the model instead of about its matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// `hidden_text`, `instructions`, `tool_poisoning`, …
    pub kind: &'static str,
    /// JSON pointer to the text.
    pub path: String,
}

/// What one pass over a value gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// What was found, by place.
    pub findings: Vec<Finding>,
    /// What was noticed, by place.
    pub signals: Vec<Signal>,
}

/// The value has more text than is scanned at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} bytes of text")]
pub struct TooLarge {
    /// The bound.
    pub max: usize,
}

impl Detector {
    /// The detector with the patterns of the product and nothing of a tenant's own.
    pub fn builtin() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Scans every text in the value, keys included, in one pass.
    ///
    /// # Errors
    /// [`TooLarge`]; nothing is known then, and the caller takes that as unknown.
    pub fn scan(&self, _value: &Value) -> Result<Scan, TooLarge> {
        Ok(Scan::default())
    }
}

impl Scan {
    /// The classes that were found.
    pub fn classes(&self) -> DataClasses {
        self.findings.iter().map(|found| found.class).collect()
    }
}

/// The value with the findings of these classes replaced by typed placeholders, and what was
/// replaced where. Equal data has equal placeholders within the value.
pub fn redact(
    value: &Value,
    _findings: &[Finding],
    _classes: &DataClasses,
) -> (Value, Vec<Sanitized>) {
    (value.clone(), Vec::new())
}
