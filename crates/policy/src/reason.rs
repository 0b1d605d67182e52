//! The sentence that an agent reads where a rule names no reason of its own.
//!
//! "`refunds/r2` requires approval: amount > 500 or env == prod". Only the rule's expression is
//! shown: the texts that a condition searches for would teach how to avoid them. Where something
//! could not be judged the sentence names it and says what to do.
//!
//! Must not know: how the truth came about.

use toolgate_model::{RuleRef, Truth, Verdict};

use crate::checked::Rule;
use crate::quota::{Quota, Standing};

/// LIMIT: a longer expression is cut; the record has all of it.
const EXPRESSION_CHARS_MAX: usize = 200;

pub(crate) fn sentence(
    name: &RuleRef,
    rule: &Rule,
    verdict: Verdict,
    (truth, unknown): (Truth, &[String]),
) -> String {
    if let Some(reason) = &rule.reason {
        return reason.clone();
    }
    let does = match verdict {
        Verdict::Allow => "allows",
        Verdict::Sanitize => "sanitizes",
        Verdict::RequireApproval => "requires approval",
        Verdict::Deny => "denies",
    };
    let basis = basis(rule);
    if truth == Truth::True || unknown.is_empty() {
        return format!("`{name}` {does}: {basis}");
    }
    let (arguments, others): (Vec<&str>, Vec<&str>) = unknown
        .iter()
        .map(String::as_str)
        .partition(|name| name.starts_with("args."));
    let mut causes = Vec::new();
    if !arguments.is_empty() {
        let names: Vec<&str> = arguments
            .iter()
            .map(|name| name.get(5..).unwrap_or(name))
            .collect();
        causes.push(format!(
            "{} missing or of another type",
            quoted(&names, "the argument")
        ));
    }
    if !others.is_empty() {
        causes.push(format!("{} not known", quoted(&others, "the attribute")));
    }
    let fix = match arguments.is_empty() {
        true => "",
        false => "; send a plain value for it",
    };
    format!(
        "`{name}` {does}: {}, so {basis} could not be ruled out{fix}",
        causes.join(" and ")
    )
}

/// The sentence for a limit that is used up.
pub(crate) fn used_up(name: &RuleRef, rule: &Rule, standing: &Standing) -> String {
    if let Some(reason) = &rule.reason {
        return reason.clone();
    }
    let limit = rule.quota.as_ref().map_or(String::new(), Quota::show);
    match standing.used {
        Some(_) => format!("`{name}` denies: its limit of {limit} is used up"),
        None => format!("`{name}` denies: nobody can say what is left of its limit of {limit}"),
    }
}

fn basis(rule: &Rule) -> String {
    let when = rule.parts.iter().find(|part| part.place == "when");
    match when {
        Some(part) => cut(&part.text),
        None if rule.parts.is_empty() => "every call it is about".to_owned(),
        None => {
            let places: Vec<&str> = rule.parts.iter().map(|part| part.place.as_str()).collect();
            places.join(" and ")
        }
    }
}

fn quoted(names: &[&str], what: &str) -> String {
    let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let (s, verb) = if names.len() == 1 {
        ("", "is")
    } else {
        ("s", "are")
    };
    format!("{what}{s} {} {verb}", list.join(", "))
}

fn cut(text: &str) -> String {
    let mut cut: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(EXPRESSION_CHARS_MAX)
        .collect();
    if text.chars().count() > EXPRESSION_CHARS_MAX {
        cut.push('…');
    }
    cut
}
