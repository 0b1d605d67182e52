//! Replacing data by placeholders: in arguments before anybody approves or runs them, in results
//! before anybody reads them.
//!
//! What cannot be replaced exactly is not let through: a call whose arguments could not be looked
//! through, or no longer fit the tool's schema afterwards, is denied.
//!
//! Must not know: what is found where; `detect` does.

use serde_json::Value;
use toolgate_detect::{redact, redact_fields};
use toolgate_model::{Call, Code, Denial, Descriptor, MatchedRule, Sanitized, Verdict};
use toolgate_policy::Sanitize;

use crate::configuration::Configuration;
use crate::decide::Judged;

/// Replaces what the rules want replaced, and keeps the arguments in that form.
pub(crate) fn arguments(
    configuration: &Configuration,
    (tool, call): (&Descriptor, &Call),
    sanitize: &Sanitize,
    judged: &mut Judged,
) -> Result<(), Denial> {
    readable(&judged.decision.rules, sanitize)?;
    let (arguments, replaced) = replace(&call.arguments, sanitize);
    if replaced.is_empty() {
        return Ok(());
    }
    if call.recognised.is_none() {
        let fits = configuration.payloads.check(tool, &arguments);
        fits.map_err(|_| {
            let message = "a rule sanitizes the call, and its tool does not take it in that form";
            Denial::new(Code::PolicyDenied, message)
        })?;
    }
    let decision = &mut judged.decision;
    if decision.verdict == Verdict::Allow {
        decision.verdict = Verdict::Sanitize;
        let sanitizing = decision.rules.iter().find(|rule| sanitizes(rule));
        decision.determining = decision
            .determining
            .take()
            .or_else(|| sanitizing.map(|rule| rule.rule.clone()));
    }
    decision.sanitized = replaced;
    judged.sanitized = Some(arguments);
    Ok(())
}

/// The arguments without what the rules want gone, and what was replaced.
fn replace(value: &Value, sanitize: &Sanitize) -> (Value, Vec<Sanitized>) {
    let (value, mut replaced) = redact(value, &sanitize.findings, &sanitize.classes);
    let (value, fields) = blank(&value, sanitize);
    replaced.extend(fields);
    (value, replaced)
}

/// An answer without what the rules want gone. Its fields are those of its data: of the structured
/// content and of each text that is JSON itself.
///
/// # Errors
/// A [`Denial`] `gate_unavailable` where the same data also stands in a text that is no JSON: nobody
/// can say where.
pub(crate) fn replace_answer(
    whole: &Value,
    sanitize: &Sanitize,
) -> Result<(Value, Vec<Sanitized>), Denial> {
    let (mut value, mut replaced) = redact(whole, &sanitize.findings, &sanitize.classes);
    if sanitize.fields.is_empty() {
        return Ok((value, replaced));
    }
    if value.get("content").is_none_or(|parts| !parts.is_array()) {
        let (value, fields) = blank(&value, sanitize);
        replaced.extend(fields);
        return Ok((value, replaced));
    }
    if let Some(data) = value.get_mut("structuredContent") {
        let (clean, fields) = blank(data, sanitize);
        *data = clean;
        replaced.extend(fields);
    }
    let parts = value.get_mut("content").and_then(Value::as_array_mut);
    for text in parts
        .into_iter()
        .flatten()
        .filter_map(|part| part.get_mut("text"))
    {
        let data = text.as_str().map(serde_json::from_str::<Value>);
        let Some(Ok(data)) = data else {
            let message = "a rule sanitizes fields of it, and it is not all data";
            return Err(Denial::new(Code::GateUnavailable, message));
        };
        let (clean, fields) = blank(&data, sanitize);
        *text = clean.to_string().into();
        replaced.extend(fields);
    }
    Ok((value, replaced))
}

/// Replaces whole fields. The language writes an element `items[0]`, the detector `items.0`.
fn blank(value: &Value, sanitize: &Sanitize) -> (Value, Vec<Sanitized>) {
    let dotted = |field: &String| field.replace('[', ".").replace(']', "");
    let paths: Vec<String> = sanitize.fields.iter().map(dotted).collect();
    redact_fields(value, paths.iter().map(String::as_str))
}

/// Whether the detector could read everything that a matching rule wants sanitized.
///
/// # Errors
/// A [`Denial`] `gate_unavailable` where it could not: what was not read cannot be replaced.
pub(crate) fn readable(rules: &[MatchedRule], sanitize: &Sanitize) -> Result<(), Denial> {
    let blind = rules.iter().find(|rule| {
        let unasked = rule.unknown.iter().any(|name| name == "data_class");
        sanitizes(rule) && (sanitize.is_unknown || unasked)
    });
    match blind {
        None => Ok(()),
        Some(rule) => {
            let message = format!(
                "`{}` sanitizes it, and it could not be looked through",
                rule.rule
            );
            Err(Denial::new(Code::GateUnavailable, message))
        }
    }
}

fn sanitizes(rule: &MatchedRule) -> bool {
    rule.effect == "sanitize" && !rule.monitor
}
