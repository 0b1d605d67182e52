//! Where in a JSON text a value stands, by its JSON pointer.
//!
//! `/tests/2/expect` is what a person sees underlined when a case says something that no case can
//! say. The text has been parsed strictly before, so every key is unique.
//!
//! Must not know: what the text is about.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use toolgate_model::Span;

/// The span of the value that the pointer names, or of the nearest value around it.
pub(super) fn span(text: &str, pointer: &str) -> Option<Span> {
    let mut here: &RawValue = serde_json::from_str(text).ok()?;
    for step in pointer.split('/').skip(1) {
        match step_into(here, &step.replace("~1", "/").replace("~0", "~")) {
            Some(inner) => here = inner,
            None => break,
        }
    }
    let start = offset(text, here.get())?;
    Some(Span::in_text(text, start, start + here.get().len()))
}

/// The spans of the elements of the list that the pointer names, in one pass over the text.
pub(super) fn spans(text: &str, pointer: &str) -> Vec<Span> {
    let list = span(text, pointer).and_then(|span| text.get(span.start..span.end));
    let items: Vec<&RawValue> = list
        .and_then(|list| serde_json::from_str(list).ok())
        .unwrap_or_default();
    let (mut at, mut line, mut column) = (0, 1, 1);
    let mut spans = Vec::with_capacity(items.len());
    for item in items {
        let start = offset(text, item.get()).unwrap_or(at);
        let between = text.get(at..start).unwrap_or_default();
        line += between.matches('\n').count();
        column = match between.rsplit_once('\n') {
            Some((_, tail)) => tail.chars().count() + 1,
            None => column + between.chars().count(),
        };
        at = start;
        spans.push(Span {
            start,
            end: start + item.get().len(),
            line,
            column,
        });
    }
    spans
}

fn step_into<'t>(value: &'t RawValue, step: &str) -> Option<&'t RawValue> {
    let text = value.get();
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        return items.get(step.parse::<usize>().ok()?).copied();
    }
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    members.remove(step)
}

/// How many bytes into `text` its own part `inner` begins.
fn offset(text: &str, inner: &str) -> Option<usize> {
    (inner.as_ptr().addr()).checked_sub(text.as_ptr().addr())
}

#[cfg(test)]
mod tests {
    use super::{span, spans};

    #[test]
    fn a_pointer_leads_to_its_line_or_to_the_nearest_value_around_it() {
        let text = "{\n  \"tests\": [\n    {\"a/b\": 1},\n    {\"c\": \"é\", \"d\": 2}\n  ]\n}";
        let place = |pointer: &str| {
            let span = span(text, pointer).unwrap();
            (span.line, span.column, &text[span.start..span.end])
        };
        assert_eq!(place("/tests/1/d"), (4, 21, "2"));
        assert_eq!(place("/tests/0/a~1b"), (3, 13, "1"));
        assert_eq!(place("/tests/0/none"), (3, 5, "{\"a/b\": 1}"));
        assert_eq!(place("").0, 1);
        assert!(span("no json", "/x").is_none());
        let one = |place: usize| span(text, &format!("/tests/{place}")).unwrap();
        assert_eq!(spans(text, "/tests"), [one(0), one(1)]);
        let dense = "[ 1,\"é\", [2,\n3],4]";
        let each: Vec<_> = (0..4)
            .map(|at| span(dense, &format!("/{at}")).unwrap())
            .collect();
        assert_eq!(spans(dense, ""), each);
    }
}
