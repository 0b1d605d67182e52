//! Step 3: do the arguments fit the tool's input schema, is the timeout in bounds?
//!
//! Schemas come from tool servers, so they are untrusted too: they are compiled without any
//! network or file access, on first use, and one that does not compile refuses its own tool. How
//! much a check would take is counted before it is made ([`effort`]).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use toolgate_model::{
    Call, Catalogue, Checks, Code, Denial, Descriptor, Duration, KeyPlace, ToolId,
};

use crate::effort;

/// Errors of one call that are reported; the rest is counted.
// LIMIT: five, so that a hostile call cannot make a long answer.
const ERRORS_SHOWN_MAX: usize = 5;

/// The compiled input schemas of a catalogue.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    compiled: HashMap<ToolId, OnceLock<Result<Arc<Validator>, String>>>,
}

impl Payloads {
    pub(crate) fn of(catalogue: &Catalogue) -> Self {
        let slot = |tool: &Arc<Descriptor>| (tool.id.clone(), OnceLock::new());
        Self {
            compiled: catalogue.iter().map(slot).collect(),
        }
    }

    /// Checks the arguments of one call.
    ///
    /// # Errors
    /// A [`Denial`] `invalid_arguments` that names the places, never the values.
    pub(crate) fn check(&self, tool: &Descriptor, arguments: &Value) -> Result<(), Denial> {
        if !arguments.is_object() {
            return Err(Denial::new(
                Code::InvalidArguments,
                "the arguments must be an object",
            ));
        }
        if let Some(name) = gates_own(&tool.checks).filter(|name| arguments.get(name).is_some()) {
            let message = format!("`{name}` is the gate's own idempotency key: leave it out");
            return Err(Denial::new(Code::InvalidArguments, message));
        }
        if tool.input_schema.is_null() {
            return Ok(());
        }
        let slot = self.compiled.get(&tool.id);
        let compiled = slot.map(|slot| slot.get_or_init(|| compile(&tool.input_schema)));
        match compiled {
            Some(Ok(validator)) => {
                affordable(tool, arguments)?;
                fits(validator, arguments)
            }
            Some(Err(reason)) => {
                let message = format!("the input schema of `{}` is unusable: {reason}", tool.id);
                Err(Denial::new(Code::InvalidArguments, message))
            }
            None => Err(Denial::new(
                Code::GateUnavailable,
                "the tool's schema is not loaded",
            )),
        }
    }
}

/// The argument in which the downstream wants the gate's key: no caller may choose it, or one
/// invocation could pass for another. The schema does not ask for it.
fn gates_own(checks: &Checks) -> Option<&str> {
    match checks.effect.as_ref()?.idempotency.as_ref()? {
        KeyPlace::Argument(name) => Some(name),
        KeyPlace::Header(_) | KeyPlace::Meta(_) => None,
    }
}

/// LIMIT: steps that a pattern with references back or looks ahead may take for one text. One
/// that takes more does not match.
const PATTERN_STEPS_MAX: usize = 10_000;

fn compile(schema: &Value) -> Result<Arc<Validator>, String> {
    effort::bounded(schema).map_err(|too_much| too_much.to_string())?;
    jsonschema::options()
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS_MAX))
        .build(schema)
        .map(Arc::new)
        .map_err(|error| error.to_string().chars().take(200).collect())
}

fn affordable(tool: &Descriptor, arguments: &Value) -> Result<(), Denial> {
    effort::affordable(&tool.input_schema, arguments).map_err(|too_much| {
        let message = format!(
            "the arguments cannot be checked against the schema of `{}`: {too_much}",
            tool.id
        );
        Denial::new(Code::InvalidArguments, message)
    })
}

fn fits(validator: &Validator, arguments: &Value) -> Result<(), Denial> {
    let mut errors = validator.iter_errors(arguments);
    let shown: Vec<Value> = errors
        .by_ref()
        .take(ERRORS_SHOWN_MAX)
        .map(|error| {
            // The message is made with the value masked: a denial must not carry what was sent.
            let message: String = error.masked().to_string().chars().take(300).collect();
            let path = error.instance_path().to_string();
            serde_json::json!({"path": path, "message": message})
        })
        .collect();
    let Some(first) = shown.first() else {
        return Ok(());
    };
    let text = |key: &str| first.get(key).and_then(Value::as_str).unwrap_or_default();
    let place = match text("path") {
        "" => String::new(),
        path => format!(" at `{path}`"),
    };
    let message = format!(
        "the arguments do not fit the tool's schema{place}: {}",
        text("message")
    );
    Err(Denial::new(Code::InvalidArguments, message).with("errors", Value::Array(shown)))
}

/// Bounds on what a caller says beside its arguments: all of it goes on the record, whose entries
/// are small.
// LIMIT: 256 bytes for names, 4 KiB for a justification; nothing real is longer.
const NAME_BYTES_MAX: usize = 256;
const JUSTIFICATION_BYTES_MAX: usize = 4 << 10;
// LIMIT: 64 KiB for what a user said, which is kept beside the arguments and not on the record.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Cuts whatever is too long, so that the refusal itself fits the record, and says which field it
/// was: such a call is denied `invalid_arguments` and never judged further.
pub fn bound(call: &mut Call) -> Option<Denial> {
    let trigger = call.trigger.as_mut();
    let (source, id) = trigger.map(|t| (&mut t.source, &mut t.id)).unzip();
    let names = [
        ("version", call.version.as_mut()),
        ("env", call.env.as_mut()),
        ("workflow", call.workflow.as_mut()),
        ("resource", call.resource.as_mut()),
        ("session_id", call.session.as_mut()),
        ("correlation_id", call.correlation.as_mut()),
        ("Idempotency-Key", call.idempotency_key.as_mut()),
        ("trigger.source", source),
        ("trigger.id", id),
    ];
    let names = names
        .into_iter()
        .map(|(field, text)| (field, text, NAME_BYTES_MAX));
    let words = (
        "justification",
        call.justification.as_mut(),
        JUSTIFICATION_BYTES_MAX,
    );
    let request = (
        "user_request",
        call.user_request.as_mut(),
        REQUEST_BYTES_MAX,
    );
    let mut denial = None;
    for (field, text, max) in names.chain([words, request]) {
        let Some(text) = text.filter(|text| text.len() > max) else {
            continue;
        };
        let message = format!(
            "`{field}` has {} bytes, more than the {max} allowed",
            text.len()
        );
        denial.get_or_insert_with(|| Denial::new(Code::InvalidArguments, message));
        text.truncate(text.floor_char_boundary(max));
    }
    denial
}

/// Bounds the timeout of one attempt: the tool's own, or a shorter one that the caller asks for.
///
/// # Errors
/// A [`Denial`] `invalid_timeout` where it is zero or longer than `max`.
pub(crate) fn timeout(
    tool: &Descriptor,
    asked: Option<Duration>,
    max: Duration,
) -> Result<Duration, Denial> {
    let Some(asked) = asked else {
        return Ok(tool.timeout);
    };
    if asked.as_millis() < 1 || asked > max {
        let message = format!("the timeout must lie between 1ms and {max}, and `{asked}` does not");
        return Err(Denial::new(Code::InvalidTimeout, message));
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::{compile, gates_own};
    use serde_json::{Value, json};
    use toolgate_model::{Checks, EffectCheck, KeyPlace};

    #[test]
    fn a_schema_fetches_nothing_and_is_of_a_dialect_that_is_known() {
        let refused = |schema: Value| compile(&schema).unwrap_err();
        for elsewhere in ["http://127.0.0.1:1/x.json", "file:///etc/passwd", "x.json"] {
            let words = refused(json!({"properties": {"a": {"$ref": elsewhere}}}));
            assert!(words.contains("no one place in it"), "{elsewhere}: {words}");
        }
        let own = refused(json!({"$schema": "https://example.com/own"}));
        assert!(own.contains("https://example.com/own"), "{own}");
        let old = refused(json!({"$schema": "http://json-schema.org/draft-04/schema#"}));
        assert!(old.contains("2020-12 or draft-07"), "{old}");
        let pairs = json!({"t": ["a", 2]});
        let present =
            json!({"properties": {"t": {"prefixItems": [{"type": "string"}], "items": false}}});
        assert!(!compile(&present).unwrap().is_valid(&pairs));
        let seventh = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {"t": {"items": [{"type": "string"}], "additionalItems": false}},
        });
        assert!(!compile(&seventh).unwrap().is_valid(&pairs));
        assert!(compile(&seventh).unwrap().is_valid(&json!({"t": ["a"]})));
    }

    #[test]
    fn a_pattern_that_goes_back_and_forth_is_left() {
        // It matches, once everything else was tried: 2 to the number of letters.
        let schema = json!({"properties": {"a": {"pattern": "^(a|a)*(?=c)|^a+$"}}});
        let validator = compile(&schema).unwrap();
        assert!(validator.is_valid(&json!({"a": "aaaa"})));
        assert!(!validator.is_valid(&json!({"a": "a".repeat(16)})));
    }

    #[test]
    fn only_an_argument_can_be_the_gates_own() {
        let place = |place| Checks {
            effect: Some(EffectCheck {
                idempotency: place,
                ..EffectCheck::default()
            }),
            ..Checks::default()
        };
        let name = "key".to_owned();
        let argument = place(Some(KeyPlace::Argument(name.clone())));
        assert_eq!(gates_own(&argument), Some("key"));
        for other in [
            None,
            Some(KeyPlace::Header(name.clone())),
            Some(KeyPlace::Meta(name)),
        ] {
            assert_eq!(gates_own(&place(other)), None);
        }
        assert_eq!(gates_own(&Checks::default()), None);
    }
}
