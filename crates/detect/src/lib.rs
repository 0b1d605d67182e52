//! Finds classes of data (`SECRETS`, `PII`, `PHI`, `INTERNAL`) and hidden instructions in JSON and
//! text, and replaces what it found.
//!
//! `{"text": "mail ana@acme.com"}` has one finding: `PII`, `EMAIL`, at `/text`. Redacted it reads
//! `{"text": "mail [EMAIL_1]"}`, and the same address is `[EMAIL_1]` wherever it stands in the call.
//!
//! To add a token format: one line in `secrets/formats.rs`. To add a number of persons: one line in
//! `pii/ids.rs`. To add a word or a phrase: one entry in `words.rs`, `internal.rs` or `signals.rs`.
//!
//! Must not know: policies, calls, what follows from a finding.

mod bytes;
mod config;
mod decode;
mod detector;
mod finding;
mod internal;
mod kinds;
mod page;
mod phi;
mod pii;
mod reading;
mod redact;
mod secrets;
mod signals;
mod triggers;
mod view;
mod walk;
mod words;

pub use config::{
    CONFIDENCE_MIN, Config, ConfigProblem, LIST_MAX, OwnPattern, PATTERNS_MAX, REGEX_BYTES_MAX,
};
pub use detector::{Detector, FINDINGS_MAX, Scanner, TEXT_BYTES_MAX};
pub use finding::{
    Finding, HIDDEN_TEXT, INSTRUCTIONS, Part, SIGNALS, Scan, Signal, TOOL_POISONING, TooLarge,
};
pub use kinds::all as kinds;
pub use redact::{redact, redact_fields};
