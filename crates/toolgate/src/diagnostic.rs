//! Draws a complaint about a text the way compilers do: the line, the place, the way out.
//!
//! ```text
//! error[P021]: `require_aproval` is not an effect
//!   --> policies/refunds.json:14:17
//!    |
//! 14 |       "effect": "require_aproval"
//!    |                 ^^^^^^^^^^^^^^^^^
//!    |
//! help: did you mean `require_approval`?
//! ```
//!
//! Must not know: what the texts mean.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use toolgate_model::{Diagnostic, Severity};

/// Complaints whose line holds a secret, so that only its place is shown.
const SECRET_LINES: [&str; 1] = ["C005"];

/// One complaint about `text`, as several lines without a line end at the end.
pub(crate) fn drawn(found: &Diagnostic, text: &str) -> String {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(found.message.as_str()).id(found.code);
    let mut groups = vec![placed(title, found, text)];
    if let Some(help) = &found.help {
        groups.push(Group::with_title(
            Level::HELP.secondary_title(help.as_str()),
        ));
    }
    Renderer::plain().render(&groups)
}

fn placed<'d>(
    title: annotate_snippets::Title<'d>,
    found: &'d Diagnostic,
    text: &'d str,
) -> Group<'d> {
    let whole = |start: usize, end: usize| {
        start <= end && text.is_char_boundary(start) && text.is_char_boundary(end)
    };
    let shown = !text.is_empty() && !SECRET_LINES.contains(&found.code);
    match &found.span {
        Some(span) if shown && whole(span.start, span.end) => {
            let primary = AnnotationKind::Primary.span(span.start..span.end);
            let related = found
                .related
                .iter()
                .filter(|label| whole(label.span.start, label.span.end));
            let context = related.map(|label| {
                let place = AnnotationKind::Context.span(label.span.start..label.span.end);
                place.label(label.message.as_str())
            });
            let snippet = Snippet::source(text).path(found.file.as_str());
            title.element(snippet.annotation(primary).annotations(context))
        }
        Some(span) => {
            let origin = Origin::path(found.file.as_str())
                .line(span.line)
                .char_column(span.column);
            title.element(origin)
        }
        None => title.element(Origin::path(found.file.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::drawn;
    use expect_test::expect;
    use toolgate_model::{Diagnostic, Label, Severity, Span};

    const TEXT: &str = "{\n  \"when\": \"amount > 500\",\n  \"effect\": \"require_aproval\"\n}\n";

    fn finding(part: &str) -> Diagnostic {
        let start = TEXT.find(part).unwrap();
        let when = TEXT.find("\"amount").unwrap();
        Diagnostic {
            code: "P021",
            severity: Severity::Error,
            message: format!("`{part}` is not an effect"),
            help: Some("did you mean `require_approval`?".to_owned()),
            file: "policies/refunds.json".to_owned(),
            path: "/effect".to_owned(),
            span: Some(Span::in_text(TEXT, start, start + part.len())),
            related: vec![Label {
                span: Span::in_text(TEXT, when, when + 14),
                message: "for this rule".to_owned(),
            }],
        }
    }

    #[test]
    fn a_complaint_points_at_its_place_and_at_what_belongs_to_it() {
        expect![[r#"
            error[P021]: `require_aproval` is not an effect
             --> policies/refunds.json:3:14
              |
            2 |   "when": "amount > 500",
              |           -------------- for this rule
            3 |   "effect": "require_aproval"
              |              ^^^^^^^^^^^^^^^
              |
            help: did you mean `require_approval`?"#]]
        .assert_eq(&drawn(&finding("require_aproval"), TEXT));
    }

    #[test]
    fn without_the_text_the_place_is_still_named() {
        expect![[r#"
            error[P021]: `require_aproval` is not an effect
            --> policies/refunds.json:3:14
             |
            help: did you mean `require_approval`?"#]]
        .assert_eq(&drawn(&finding("require_aproval"), ""));
    }
}
