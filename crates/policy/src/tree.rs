//! Text to tree: strict JSON in which every value knows its bytes.
//!
//! The parser underneath reads JSON with comments too; all of that is switched off, and what it
//! accepts is read once more by the gate's own strict reader, so that no text is a policy here
//! and something else there.
//!
//! Must not know: which keys a policy has.

use std::ops::Range;

use jsonc_parser::ast::{ObjectPropName, Value as Node};
use jsonc_parser::{CollectOptions, ParseOptions, common::Ranged};
use toolgate_model::json::{JsonError, Limits, Numbers, parse};

use crate::diagnostics::{DOCUMENT_TOO_LARGE, NOT_JSON, OUT_OF_RANGE};
use crate::limits;
use crate::source::{Complaint, Report, shown};

/// A JSON value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    pub(crate) at: Range<usize>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<Member>),
}

/// One key and its value. A key may stand twice here; who walks the object says so.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_at: Range<usize>,
    pub(crate) value: Json,
}

impl Json {
    /// What it is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Object(_) => "an object",
        }
    }

    /// The same value without places. Of a key that stands twice the last one is kept; such a
    /// document is refused anyway.
    pub(crate) fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(text) => text.parse().map_or(Value::Null, Value::Number),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|member| (member.key.clone(), member.value.to_value()))
                    .collect(),
            ),
        }
    }
}

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The tree of the report's text; `None` where it is not strict JSON, which the report then says.
pub(crate) fn parse_text(report: &mut Report<'_>) -> Option<Json> {
    let text = report.source.text;
    if text.len() > limits::DOCUMENT_BYTES_MAX {
        let message = format!(
            "the document has {} bytes, more than the {} allowed",
            text.len(),
            limits::DOCUMENT_BYTES_MAX
        );
        report.push(Complaint::new(DOCUMENT_TOO_LARGE, message).help("split it"));
        return None;
    }
    let tree = match jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => parsed.value,
        Err(error) => {
            let at = error.range().start..error.range().end;
            let message = lower_first(&error.kind().to_string());
            report.push(Complaint::new(NOT_JSON, message).at(&at, ""));
            return None;
        }
    };
    strictly(report)?;
    let Some(tree) = tree else {
        report.push(Complaint::new(NOT_JSON, "the document is empty").at(&(0..0), ""));
        return None;
    };
    Some(convert(&tree, report))
}

/// Reads the text once more with the gate's own reader and reports what only that one refuses.
/// Duplicate keys are left to the walk, which reports all of them.
fn strictly(report: &mut Report<'_>) -> Option<()> {
    let text = report.source.text;
    let limits = Limits {
        bytes_max: limits::DOCUMENT_BYTES_MAX,
        depth_max: limits::DOCUMENT_DEPTH_MAX,
        string_bytes_max: limits::DOCUMENT_BYTES_MAX,
    };
    let (message, line, column) = match parse(text.as_bytes(), limits, Numbers::Relay) {
        Ok(_) => return Some(()),
        Err(JsonError::TooLong { .. }) => return None,
        Err(JsonError::Malformed {
            message,
            line,
            column,
        }) => (message, line, column),
    };
    if message.ends_with("stands twice") {
        return Some(());
    }
    let start = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let byte = (start + column.saturating_sub(1)).min(text.len());
    report.push(Complaint::new(NOT_JSON, message).at(&(byte..byte), ""));
    None
}

fn convert(node: &Node<'_>, report: &mut Report<'_>) -> Json {
    let at = node.range().start..node.range().end;
    let kind = match node {
        Node::NullKeyword(_) => Kind::Null,
        Node::BooleanLit(literal) => Kind::Bool(literal.value),
        Node::NumberLit(literal) => {
            if !toolgate_model::json::is_exact(literal.value) {
                let message = format!(
                    "the number `{}` is outside exact range",
                    shown(literal.value)
                );
                report.push(Complaint::new(OUT_OF_RANGE, message).at(&at, ""));
            }
            Kind::Number(literal.value.to_owned())
        }
        Node::StringLit(literal) => Kind::Text(literal.value.clone().into_owned()),
        Node::Array(list) => Kind::List(
            list.elements
                .iter()
                .map(|item| convert(item, report))
                .collect(),
        ),
        Node::Object(object) => {
            let member = |property: &jsonc_parser::ast::ObjectProp<'_>| {
                let (key, key_at) = match &property.name {
                    ObjectPropName::String(name) => (name.value.clone().into_owned(), name.range),
                    ObjectPropName::Word(name) => (name.value.to_owned(), name.range),
                };
                Member {
                    key,
                    key_at: key_at.start..key_at.end,
                    value: convert(&property.value, report),
                }
            };
            Kind::Object(object.properties.iter().map(member).collect())
        }
    };
    Json { at, kind }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Where each byte of a decoded text stands in the document: escapes make the two differ.
#[derive(Clone, Debug)]
pub(crate) enum Offsets {
    /// No escapes: the text begins at this byte.
    Plain(usize),
    /// The document's byte of each decoded byte, and of the end.
    Escaped(Vec<usize>),
}

impl Offsets {
    /// For the text literal whose bytes, quotes included, are `at`.
    pub(crate) fn of_literal(document: &str, at: &Range<usize>) -> Self {
        let inner = (at.start + 1)..at.end.saturating_sub(1);
        let raw = document.get(inner.clone()).unwrap_or_default();
        if !raw.contains('\\') {
            return Self::Plain(inner.start);
        }
        let mut map = Vec::with_capacity(raw.len() + 1);
        let mut rest = raw;
        while let Some(first) = rest.chars().next() {
            let (taken, decoded) = escape_lengths(rest, first);
            let here = inner.start + raw.len() - rest.len();
            map.extend(std::iter::repeat_n(here, decoded));
            rest = rest.get(taken..).unwrap_or_default();
        }
        map.push(inner.end);
        Self::Escaped(map)
    }

    pub(crate) fn range(&self, inner: &Range<usize>) -> Range<usize> {
        match self {
            Self::Plain(start) => start + inner.start..start + inner.end,
            Self::Escaped(map) => {
                let byte = |at: usize| map.get(at).or(map.last()).copied().unwrap_or_default();
                byte(inner.start)..byte(inner.end)
            }
        }
    }
}

/// Bytes that the first character takes in the document, and in the decoded text.
fn escape_lengths(rest: &str, first: char) -> (usize, usize) {
    if first != '\\' {
        return (first.len_utf8(), first.len_utf8());
    }
    let Some(code) = rest.strip_prefix("\\u").and_then(|tail| tail.get(..4)) else {
        return (2, 1);
    };
    match u32::from_str_radix(code, 16) {
        Ok(unit) if (0xd800..0xdc00).contains(&unit) => (12, 4),
        Ok(unit) => (6, char::from_u32(unit).map_or(1, char::len_utf8)),
        Err(_) => (2, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Offsets, parse_text};
    use crate::source::{Report, Source};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let source = Source::new("t", text);
        let mut report = Report::new(&source);
        let shown = match parse_text(&mut report) {
            Some(tree) => tree.to_value().to_string(),
            None => "none".to_owned(),
        };
        let lines: Vec<String> = report
            .diagnostics
            .iter()
            .map(|d| {
                let span = d.span.unwrap_or_default();
                format!("{} {}:{} {}", d.code, span.line, span.column, d.message)
            })
            .collect();
        expected.assert_eq(&format!("{shown}\n{}", lines.join("\n")));
    }

    #[test]
    fn only_strict_json_is_a_policy() {
        check(
            "{\"a\": [1, 2.50, null]}",
            expect![[r#"
            {"a":[1,2.50,null]}
        "#]],
        );
        check(
            "{\"a\": 1, // why\n}",
            expect![[r#"
            none
            P001 1:10 comments are not allowed"#]],
        );
        check(
            "{\"a\": 1,}",
            expect![[r#"
            none
            P001 1:8 trailing commas are not allowed"#]],
        );
        check(
            "{a: 1}",
            expect![[r#"
            none
            P001 1:2 expected string for object property"#]],
        );
        check(
            "{'a': 1}",
            expect![[r#"
            none
            P001 1:2 single-quoted strings are not allowed"#]],
        );
        check(
            "{\"a\": 0x10}",
            expect![[r#"
            none
            P001 1:7 hexadecimal numbers are not allowed"#]],
        );
        check(
            "{\"a\": 01}",
            expect![[r#"
            none
            P001 1:8 expected comma"#]],
        );
        check(
            "{\"a\": NaN}",
            expect![[r#"
            none
            P001 1:7 unexpected token"#]],
        );
        check(
            "{\"a\": 1 \"b\": 2}",
            expect![[r#"
            none
            P001 1:8 expected comma"#]],
        );
        check(
            "{\"a\": \"x\ty\"}",
            expect![[r#"
            none
            P001 1:9 control character (\u0000-\u001F) found while parsing a string"#]],
        );
        check(
            "{\n\"a\": \"\\ud800\"}",
            expect![[r#"
            none
            P001 2:7 invalid unicode escape sequence. 'd800 (unpaired high surrogate)' is not a valid UTF8 character"#]],
        );
        check(
            "{\"a\": 9007199254740993}",
            expect![[r#"
            {"a":9007199254740993}
            P006 1:7 the number `9007199254740993` is outside exact range"#]],
        );
        check(
            "",
            expect![[r#"
            none
            P001 1:1 EOF while parsing a value"#]],
        );
        check(
            "{} {}",
            expect![[r#"
            none
            P001 1:4 text cannot contain more than one JSON value"#]],
        );
        check(
            &"[".repeat(600),
            expect![[r#"
            none
            P001 1:513 maximum nesting depth exceeded"#]],
        );
        check(
            &format!("{}{}", "[".repeat(40), "]".repeat(40)),
            expect![[r#"
            none
            P001 1:33 nesting deeper than 32 levels"#]],
        );
    }

    #[test]
    fn places_survive_escapes() {
        let text = r#"{"when": "a == \"\u00e9\ud83d\ude00\" and b"}"#;
        let source = Source::new("t", text);
        let tree = parse_text(&mut Report::new(&source)).unwrap();
        let Kind::Object(members) = &tree.kind else {
            panic!("no object")
        };
        let Kind::Text(decoded) = &members[0].value.kind else {
            panic!("no text")
        };
        let offsets = Offsets::of_literal(text, &members[0].value.at);
        let b = decoded.rfind('b').unwrap();
        assert_eq!(&text[offsets.range(&(b..b + 1))], "b");
        let quoted = decoded.find('"').unwrap();
        assert_eq!(&text[offsets.range(&(quoted..quoted + 1))], "\\\"");
    }
}
