//! Complaints about policies as the API sends them: the model's [`Diagnostic`] with a schema.
//!
//! The command line draws them under the text, the console underlines it; both need every place
//! in bytes, lines and columns. This is the one file that converts them.

use serde::Serialize;
use toolgate_model::{Diagnostic, Label, Severity, Span};
use utoipa::ToSchema;

/// One complaint about a policy: what, where, and how to mend it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Diagnostic)]
pub(crate) struct DiagnosticView {
    /// A stable code such as `P021`.
    pub(crate) code: &'static str,
    /// Whether it keeps the policy from loading.
    #[schema(value_type = String, examples("error", "warning"))]
    pub(crate) severity: Severity,
    /// What is wrong.
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) help: Option<String>,
    /// The document it stands in.
    pub(crate) file: String,
    /// JSON pointer of the part.
    pub(crate) path: String,
    /// Where in the text.
    pub(crate) span: Option<SpanView>,
    /// Further places.
    pub(crate) related: Vec<LabelView>,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Span)]
pub(crate) struct SpanView {
    /// First byte.
    start: usize,
    /// Byte after the last.
    end: usize,
    /// Line, from 1.
    line: usize,
    /// Column in characters, from 1.
    column: usize,
}

/// A second place that belongs to the complaint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Label)]
pub(crate) struct LabelView {
    /// Where.
    span: SpanView,
    /// What is to be seen there.
    message: String,
}

impl From<Diagnostic> for DiagnosticView {
    fn from(found: Diagnostic) -> Self {
        Self {
            code: found.code,
            severity: found.severity,
            message: found.message,
            help: found.help,
            file: found.file,
            path: found.path,
            span: found.span.map(SpanView::from),
            related: found.related.into_iter().map(LabelView::from).collect(),
        }
    }
}

impl From<Span> for SpanView {
    fn from(span: Span) -> Self {
        Self {
            start: span.start,
            end: span.end,
            line: span.line,
            column: span.column,
        }
    }
}

impl From<Label> for LabelView {
    fn from(label: Label) -> Self {
        Self {
            span: label.span.into(),
            message: label.message,
        }
    }
}
