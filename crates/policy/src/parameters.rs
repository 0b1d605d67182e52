//! The parameters of effects: `expires_in`, `per`, `limit`, `sanitize_fields`, `reason`.
//!
//! `"tool/1h"` is a scope and a span, `{"sum": "amount", "max": 5000}` a limit on a sum. Each reader takes
//! one value and reports what is wrong with it in its place.
//!
//! Must not know: which effect they belong to.

use rust_decimal::Decimal;
use toolgate_model::Duration;

use crate::checker::window_problem;
use crate::counted::SCOPES;
use crate::diagnostics::{BAD_DURATION, BAD_NAME, OUT_OF_RANGE, PARAMETER_MISSING, UNKNOWN_VALUE};
use crate::history::Scope;
use crate::path::Path;
use crate::reading::{Item, Placed};
use crate::source::{Complaint, Report, shown};
use crate::tree::Kind as JsonKind;
use crate::{limits, number};

/// LIMIT: a reason is one sentence for an agent or a person.
const REASON_CHARS_MAX: usize = 500;

/// What a limit allows.
#[derive(Clone, Debug)]
pub(crate) enum Limit {
    Calls(u32),
    /// So much of this argument or mapped attribute.
    Sum(Placed<Path>, Decimal),
}

/// One line for people.
pub(crate) fn sentence(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = report.text(item)?.value;
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > REASON_CHARS_MAX || text.chars().any(char::is_control) {
        let message = format!("`reason` is one line of 1 to {REASON_CHARS_MAX} characters");
        report.complain(item, Complaint::new(OUT_OF_RANGE, message));
        return None;
    }
    Some(text)
}

/// How long approvers have.
pub(crate) fn expiry(item: &Item<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let duration = report.duration(item)?;
    let max = Duration::from_secs(limits::EXPIRES_SECONDS_MAX);
    if duration > max || duration < Duration::from_secs(1) {
        let message = format!("`expires_in` is 1s to {max}, not {duration}");
        report.complain(item, Complaint::new(OUT_OF_RANGE, message));
        return None;
    }
    Some(duration)
}

/// `1h`, or `tool/1h`.
pub(crate) fn per(item: &Item<'_>, report: &mut Report<'_>) -> Option<(Scope, Duration)> {
    let text = report.text(item)?.value;
    let (scope, span) = text.split_once('/').unwrap_or(("agent", &text));
    let known = SCOPES
        .iter()
        .find(|(_, word)| word.eq_ignore_ascii_case(scope));
    let Some((scope, _)) = known else {
        let words: Vec<&str> = SCOPES.iter().map(|(_, word)| *word).collect();
        let message = format!("`{}` is not one whose calls can be counted", shown(scope));
        report.complain(
            item,
            Complaint::new(UNKNOWN_VALUE, message).suggest(scope, &words),
        );
        return None;
    };
    let span: Duration = match span.parse() {
        Ok(span) => span,
        Err(error) => {
            let error: toolgate_model::TimeError = error;
            let complaint = Complaint::new(BAD_DURATION, error.to_string());
            report.complain(item, complaint.help("write `1h`, or `tool/1h`"));
            return None;
        }
    };
    if let Some(problem) = window_problem(span) {
        report.complain(item, Complaint::new(OUT_OF_RANGE, problem));
        return None;
    }
    Some((*scope, span))
}

/// `20`, or `{"sum": "amount", "max": 5000}`.
pub(crate) fn limit(item: &Item<'_>, report: &mut Report<'_>) -> Option<Limit> {
    if !matches!(item.json.kind, JsonKind::Object(_)) {
        return report.integer(item, 0..=u32::MAX).map(Limit::Calls);
    }
    let members = report.members(item, &["sum", "max"])?;
    let (mut sum, mut max) = (None, None);
    for (key, member) in &members {
        match *key {
            "sum" => sum = field(report, member),
            _ => max = decimal(member, report),
        }
    }
    if members.len() < 2 {
        let message = "a limit on a sum says what is summed and how much it may be";
        let complaint = Complaint::new(PARAMETER_MISSING, message);
        report.complain(
            item,
            complaint.help("write `{\"sum\": \"amount\", \"max\": 5000}`"),
        );
    }
    Some(Limit::Sum(sum?, max?))
}

/// A dotted path, `message.text`.
pub(crate) fn field(report: &mut Report<'_>, item: &Item<'_>) -> Option<Placed<Path>> {
    let text = report.text(item)?;
    let path = Path::parse(&text.value);
    if path.is_none() {
        let message = format!("`{}` is not a path", shown(&text.value));
        let complaint = Complaint::new(BAD_NAME, message);
        report.complain(
            item,
            complaint.help("write it as in `message.text` or `items[0].note`"),
        );
    }
    path.map(|path| item.placed(path))
}

fn decimal(item: &Item<'_>, report: &mut Report<'_>) -> Option<Decimal> {
    let JsonKind::Number(text) = &item.json.kind else {
        report.wrong_type(item, "a number");
        return None;
    };
    let number = number::parse(text).filter(|number| *number >= Decimal::ZERO);
    if number.is_none() {
        let message = format!("`{}` is not an exact decimal from 0 on", shown(text));
        report.complain(item, Complaint::new(OUT_OF_RANGE, message));
    }
    number
}
