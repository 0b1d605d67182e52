//! A document's text with its lines, and the report that all complaints about it go to.
//!
//! Every later stage speaks in byte ranges; here they become line and column, once.
//!
//! Must not know: what is being complained about.

use std::ops::Range;

use toolgate_model::{Diagnostic, Label, Severity, Span, nearest};

use crate::diagnostics::{self, Code};
use crate::limits;

/// A text and where its lines begin.
#[derive(Clone, Debug)]
pub(crate) struct Source<'t> {
    /// The name that complaints carry.
    pub(crate) file: &'t str,
    /// The text.
    pub(crate) text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after).collect();
        Self {
            file,
            text,
            line_starts,
        }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, byte: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= byte)
    }

    pub(crate) fn span(&self, at: &Range<usize>) -> Span {
        let line = self.line(at.start);
        let start = self
            .line_starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        let before = self.text.get(start..at.start).unwrap_or_default();
        Span {
            start: at.start,
            end: at.end,
            line,
            column: before.chars().count() + 1,
        }
    }
}

/// One complaint on its way into the report.
pub(crate) struct Complaint {
    code: Code,
    message: String,
    help: Option<String>,
    path: String,
    at: Option<Range<usize>>,
    related: Vec<(Range<usize>, String)>,
}

impl Complaint {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            path: String::new(),
            at: None,
            related: Vec::new(),
        }
    }

    /// Where it stands: bytes of the document, and the JSON pointer of the part.
    pub(crate) fn at(mut self, at: &Range<usize>, path: &str) -> Self {
        self.at = Some(at.clone());
        self.path = path.to_owned();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers the nearest of the candidates, or else lists them.
    // LIMIT: 200 candidates; comparing with every rule of a large document helps nobody.
    pub(crate) fn suggest(self, word: &str, candidates: &[&str]) -> Self {
        let candidates = candidates.get(..200).unwrap_or(candidates);
        match nearest(word, candidates.iter().copied()) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self.help(format!("one of {}", candidates.join(", "))),
        }
    }

    pub(crate) fn see(mut self, at: &Range<usize>, message: impl Into<String>) -> Self {
        self.related.push((at.clone(), message.into()));
        self
    }
}

/// All complaints about one document, bounded.
pub(crate) struct Report<'t> {
    pub(crate) source: &'t Source<'t>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl<'t> Report<'t> {
    pub(crate) fn new(source: &'t Source<'t>) -> Self {
        Self {
            source,
            diagnostics: Vec::new(),
            errors: 0,
            warnings: 0,
        }
    }

    pub(crate) fn push(&mut self, complaint: Complaint) {
        let count = match complaint.code.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= limits::DIAGNOSTICS_MAX {
            let diagnostic = self.finish(complaint);
            self.diagnostics.push(diagnostic);
        } else if self.errors == limits::DIAGNOSTICS_MAX + 1 {
            let code = diagnostics::TOO_MANY_PROBLEMS;
            let message = format!("more than {} problems", limits::DIAGNOSTICS_MAX);
            let last = self.finish(Complaint::new(code, message).help("mend the first ones"));
            self.diagnostics.push(last);
            self.errors += 1;
        }
    }

    /// Whether further errors would not be listed any more.
    pub(crate) fn is_full(&self) -> bool {
        self.errors > limits::DIAGNOSTICS_MAX
    }

    fn finish(&self, complaint: Complaint) -> Diagnostic {
        let label = |(at, message): (Range<usize>, String)| Label {
            span: self.source.span(&at),
            message,
        };
        Diagnostic {
            code: complaint.code.code,
            severity: complaint.code.severity,
            message: complaint.message,
            help: complaint.help,
            file: self.source.file.to_owned(),
            path: complaint.path,
            span: complaint.at.map(|at| self.source.span(&at)),
            related: complaint.related.into_iter().map(label).collect(),
        }
    }
}

/// A text cut to what fits into a message, without what could deceive a terminal.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if cut.len() < text.len() && text.chars().nth(60).is_some() {
        format!("{cut}…")
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::{Complaint, Report, Source, shown};
    use crate::diagnostics::{UNCHECKED_ARGUMENTS, WRONG_TYPE};
    use crate::limits::DIAGNOSTICS_MAX;

    #[test]
    fn spans_count_lines_and_characters() {
        let source = Source::new("a", "{\n  \"é\": 1\n}");
        let at = source.text.find('1').unwrap();
        let span = source.span(&(at..at + 1));
        assert_eq!((span.line, span.column), (2, 8));
        assert_eq!(source.line(0), 1);
    }

    #[test]
    fn a_flood_of_warnings_hides_no_error() {
        let source = Source::new("a", "");
        let mut report = Report::new(&source);
        for _ in 0..DIAGNOSTICS_MAX * 2 {
            report.push(Complaint::new(UNCHECKED_ARGUMENTS, "w"));
        }
        for _ in 0..DIAGNOSTICS_MAX * 2 {
            report.push(Complaint::new(WRONG_TYPE, "e"));
        }
        assert_eq!(report.diagnostics.len(), DIAGNOSTICS_MAX * 2 + 1);
        assert_eq!(report.diagnostics.last().unwrap().code, "P009");
    }

    #[test]
    fn shown_text_is_short_and_plain() {
        assert_eq!(shown("a\u{1b}[31m"), "a\u{fffd}[31m");
        assert!(shown(&"x".repeat(100)).ends_with('…'));
    }
}
