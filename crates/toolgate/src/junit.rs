//! Outcomes of cases as JUnit XML, which build servers draw.
//!
//! One `testsuite` a file, one `testcase` a case; what differs stands in its `failure`.
//!
//! Must not know: how a case is run.

use std::collections::BTreeMap;

use toolgate_gate::case::Outcome;

/// The report.
pub(crate) fn report(outcomes: &[Outcome]) -> String {
    let mut by_file: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        by_file.entry(&outcome.file).or_default().push(outcome);
    }
    let failures = failed(outcomes.iter());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"toolgate\" tests=\"{}\" failures=\"{failures}\">\n",
        outcomes.len()
    );
    for (file, outcomes) in by_file {
        xml.push_str(&suite(file, &outcomes));
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(file: &str, outcomes: &[&Outcome]) -> String {
    let failures = failed(outcomes.iter().copied());
    let mut xml = format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\">\n",
        escaped(file),
        outcomes.len()
    );
    for outcome in outcomes {
        let line = outcome.span.map_or(0, |span| span.line);
        let head = format!(
            "    <testcase classname=\"{}\" name=\"{}\" file=\"{0}\" line=\"{line}\"",
            escaped(file),
            escaped(&outcome.name),
        );
        xml.push_str(&head);
        xml.push_str(&failure(outcome));
    }
    xml.push_str("  </testsuite>\n");
    xml
}

fn failure(outcome: &Outcome) -> String {
    if outcome.passed() {
        return "/>\n".to_owned();
    }
    let lines: Vec<String> = outcome
        .differences
        .iter()
        .map(|one| format!("{}: expected {}, got {}", one.key, one.expected, one.got))
        .collect();
    let text = escaped(&lines.join("\n"));
    let first = escaped(lines.first().map_or("", String::as_str));
    format!(">\n      <failure message=\"{first}\">{text}</failure>\n    </testcase>\n")
}

fn failed<'o>(outcomes: impl Iterator<Item = &'o Outcome>) -> usize {
    outcomes.filter(|outcome| !outcome.passed()).count()
}

/// The text as XML: markup escaped, and what XML cannot say replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_in_a_name_breaks_out_of_the_report() {
        let name = "a\"<b>&\u{1b}[0m";
        assert_eq!(escaped(name), "a&quot;&lt;b&gt;&amp;\u{fffd}[0m");
    }
}
