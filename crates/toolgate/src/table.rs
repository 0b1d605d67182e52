//! Lists for people: plain columns that can still be cut and searched.
//!
//! ```text
//! ID             OWNER         STATE
//! billing_agent  ana@acme.com  active
//! ```
//!
//! Texts from outside are shown with control characters made visible, so that nothing in an
//! agent's words can move the cursor or recolour the terminal. Must not know: what the rows are.

use serde_json::Value;

/// LIMIT: a cell is a hint; the whole text is in `--json`.
const CELL_CHARS_MAX: usize = 60;

/// Rows below a head. `columns` are pairs of a head and a JSON pointer into each row.
pub(crate) fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    let head = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let mut lines: Vec<Vec<String>> = vec![head];
    lines.extend(rows.iter().map(|row| {
        columns
            .iter()
            .map(|(_, pointer)| cell(row.pointer(pointer)))
            .collect()
    }));
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|text| text.chars().count())
            .max()
    };
    let widths: Vec<_> = (0..columns.len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    lines.iter().map(|line| row(line, &widths)).collect()
}

/// The rows of an answer: a list itself, or the `items` (or `tools`) of a page.
pub(crate) fn rows(answer: &Value) -> Vec<Value> {
    let listed = |key: &str| answer.get(key).and_then(Value::as_array);
    let listed = answer
        .as_array()
        .or_else(|| listed("items"))
        .or_else(|| listed("tools"));
    listed.cloned().unwrap_or_default()
}

fn row(cells: &[String], widths: &[usize]) -> String {
    let padded = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => visible(text),
        Some(other) => visible(&other.to_string()),
    };
    let cut = text.chars().nth(CELL_CHARS_MAX).is_some();
    let mut shown: String = text.chars().take(CELL_CHARS_MAX).collect();
    if cut {
        shown.push('…');
    }
    shown
}

/// The text with everything that a terminal would act on, or that nobody would see, spelt out.
pub(crate) fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{table, visible};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn columns_line_up_and_nothing_in_them_acts_on_the_terminal() {
        let rows = [
            json!({"id": "billing_agent", "owner": "ana@acme.com"}),
            json!({"id": "x\u{1b}[2J", "limits": {"risk": 3}}),
        ];
        let columns = [("ID", "/id"), ("OWNER", "/owner"), ("RISK", "/limits/risk")];
        expect![[r#"
            ID             OWNER         RISK
            billing_agent  ana@acme.com  -
            x\u{1b}[2J     -             3
        "#]]
        .assert_eq(&table(&rows, &columns));
    }

    #[test]
    fn what_nobody_sees_is_spelt_out() {
        assert_eq!(visible("a\u{202e}b\nc"), "a\\u{202e}b\\u{a}c");
    }
}
