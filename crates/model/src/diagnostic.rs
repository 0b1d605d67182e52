//! One shape for every complaint about a text that a person wrote: policies and configuration.
//!
//! The command line draws it, the API sends it as JSON, the console underlines it.

use serde::Serialize;

/// A place in a text: bytes from `start` up to but not including `end`, and where that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Line of `start`, from 1.
    pub line: usize,
    /// Column of `start` in characters, from 1.
    pub column: usize,
}

impl Span {
    /// The span of bytes `start..end` in `text`, with its line and column.
    pub fn in_text(text: &str, start: usize, end: usize) -> Self {
        let before = text.get(..start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            start,
            end,
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

/// How bad it is. Only errors keep a text from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The text cannot be used.
    Error,
    /// The text can be used and probably means something else than its author thinks.
    Warning,
}

/// A second place that belongs to the complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there.
    pub message: String,
}

/// One complaint: what, where, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// A stable code such as `P021`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, lower case, input in backticks.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The file or document it stands in.
    pub file: String,
    /// JSON pointer or dotted path of the part, where there is one.
    pub path: String,
    /// Where in the text, if it has a place.
    pub span: Option<Span>,
    /// Further places.
    pub related: Vec<Label>,
}

/// The candidate nearest to `word`, if one is near enough to be what was meant.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // LIMIT: one edit in three letters; farther guesses confuse more than they help.
    let reach = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, in characters, with a swap of neighbours counted as one.
fn edits(a: &str, b: &str) -> usize {
    strsim::osa_distance(&a.to_lowercase(), &b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{Span, nearest};

    #[test]
    fn the_nearest_key_is_offered_and_a_far_one_is_not() {
        let keys = ["require_approval", "deny", "allow", "rule_id"];
        assert_eq!(nearest("require_aproval", keys), Some("require_approval"));
        assert_eq!(nearest("ruel_id", keys), Some("rule_id"));
        assert_eq!(nearest("elephant", keys), None);
    }

    #[test]
    fn columns_count_characters() {
        let text = "{\n  \"é\": 1}";
        let at = text.find('1').unwrap();
        let span = Span::in_text(text, at, at + 1);
        assert_eq!((span.line, span.column), (2, 8));
    }
}
