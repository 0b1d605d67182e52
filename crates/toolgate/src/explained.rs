//! A decision in words: the sentence, and the truth of every part behind it.
//!
//! ```text
//! approval_required by refunds/r2: amount > 500 or env == prod
//!
//! refunds/r2 (line 6) require_approval: true, counts
//!   when  amount > 500 or env == prod: true
//!     amount > 500: true  (640)
//! ```
//!
//! It reads the JSON form, so that an answer of a server and one made here look the same.
//! Must not know: how anything was decided.

use serde_json::Value;
use toolgate_model::Verdict;

use crate::table::visible;

/// The decision in one line.
pub(crate) fn sentence(
    verdict: Option<Verdict>,
    decision: &Value,
    denial: Option<&Value>,
) -> String {
    let Some(denial) = denial else {
        let verdict = verdict.map_or("not judged", Verdict::as_str);
        return format!("{verdict}{}\n", by(decision));
    };
    let text = |key: &str| denial.get(key).and_then(Value::as_str).unwrap_or("-");
    format!(
        "{}{}: {}\n",
        text("code"),
        by(decision),
        visible(text("message"))
    )
}

fn by(decision: &Value) -> String {
    let rule = |key: &str| {
        decision
            .pointer(&format!("/determining/{key}"))
            .and_then(Value::as_str)
    };
    match (rule("policy"), rule("rule")) {
        (Some(policy), Some(rule)) => format!(" by {policy}/{rule}"),
        _ => String::new(),
    }
}

/// The truth of every part of every rule that was looked at.
pub(crate) fn tree(explanation: &Value) -> String {
    let mut text = String::new();
    for rule in list(explanation, "rules") {
        text.push('\n');
        text.push_str(&head(rule));
        for part in list(rule, "parts") {
            branch(part, 1, &mut text);
        }
    }
    let elsewhere = explanation
        .get("rules_elsewhere")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    if elsewhere > 0 {
        text.push_str(&format!("\n{elsewhere} rules are about other tools\n"));
    }
    text
}

fn head(rule: &Value) -> String {
    let text = |key: &str| rule.get(key).and_then(Value::as_str).unwrap_or("-");
    let flag = |key: &str| rule.get(key).and_then(Value::as_bool).unwrap_or_default();
    let counts = match (flag("matched"), flag("monitor")) {
        (true, true) => ", only watched",
        (true, false) => ", counts",
        (false, _) => "",
    };
    let unknown: Vec<_> = list(rule, "unknown").filter_map(Value::as_str).collect();
    let unknown = match unknown.as_slice() {
        [] => String::new(),
        names => format!(" (missing or mistyped: {})", names.join(", ")),
    };
    let line = rule.get("line").and_then(Value::as_u64).unwrap_or_default();
    let (policy, id) = (text("policy"), text("rule"));
    format!(
        "{policy}/{id} (line {line}) {}: {}{counts}{unknown}\n",
        text("effect"),
        text("truth")
    )
}

fn branch(part: &Value, depth: usize, out: &mut String) {
    let text = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default();
    out.push_str(&"  ".repeat(depth));
    if !text("place").is_empty() {
        out.push_str(text("place"));
        out.push_str("  ");
    }
    out.push_str(&format!("{}: {}", visible(text("text")), text("truth")));
    if let Some(value) = part.get("value").and_then(Value::as_str) {
        out.push_str(&format!("  ({})", visible(value)));
    }
    out.push('\n');
    // LIMIT: the depth of an expression is bounded by the language.
    for inner in list(part, "parts") {
        branch(inner, depth + 1, out);
    }
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
