//! `toolgate config show`: every effective value, and where it came from.
//!
//! ```text
//! listen = "127.0.0.1:8787"  # default
//! posture.high = "deny"  # TOOLGATE_POSTURE__HIGH
//! ```
//!
//! Secrets are shown as the places they are in. Must not know: how values are read.

use serde_json::{Value, json};
use toolgate_model::Span;

use super::{ConfigFile, Effective, Origin};

/// How a configuration is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing<'f> {
    /// The file that it was read from, for line numbers.
    pub(crate) file: Option<&'f ConfigFile>,
    /// Whether origins are listed too.
    pub(crate) origins: bool,
}

impl Listing<'_> {
    /// One line a value.
    pub(crate) fn to_text(self, effective: &[Effective]) -> String {
        let line = |value: &Effective| {
            if self.origins {
                format!(
                    "{} = {}  # {}\n",
                    value.path,
                    value.value,
                    self.origin(&value.origin)
                )
            } else {
                format!("{} = {}\n", value.path, value.value)
            }
        };
        effective.iter().map(line).collect()
    }

    /// One object: path to value, or to value and origin.
    pub(crate) fn to_json(self, effective: &[Effective]) -> Value {
        let entry = |value: &Effective| {
            let shown = if self.origins {
                json!({"value": value.value, "origin": self.origin(&value.origin)})
            } else {
                value.value.clone()
            };
            (value.path.clone(), shown)
        };
        Value::Object(effective.iter().map(entry).collect())
    }

    fn origin(self, origin: &Origin) -> String {
        match (origin, self.file) {
            (Origin::Flag(flag), _) => (*flag).to_owned(),
            (Origin::Variable(name), _) => name.clone(),
            (Origin::File(range), Some(file)) => {
                let span = Span::in_text(&file.text, range.start, range.end);
                format!("{}:{}", file.name(), span.line)
            }
            (Origin::File(_) | Origin::Default, _) => "default".to_owned(),
        }
    }
}
