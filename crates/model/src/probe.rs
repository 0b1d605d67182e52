//! What the operator states about a tool's effect, its entity and its trigger: all by probes.
//!
//! A probe is a read-only call of a catalogued tool with arguments filled from the invocation,
//! and an expectation on its result (3-execution, 4). `stripe.refund` may say: look the charge up
//! with `stripe.get_charge` before it runs, and find the refund with `stripe.list_refunds` when
//! its answer is lost.
//!
//! Must not know: how a probe is sent, how an expectation is evaluated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Duration, ToolId, json};

/// A read-only call of another tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The tool that reads; its descriptor says that it leaves no trace.
    pub tool: ToolId,
    /// Its arguments; texts may hold `{args.path}`, `{trigger.id}`, `{invocation.id}`.
    pub arguments: Template,
}

/// Is the thing that the call is about the one meant, and is it still?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntityCheck {
    /// How it is looked up.
    pub probe: Probe,
    /// Where the candidates stand in the answer, a dotted path to a list; none where the answer
    /// is the entity itself.
    pub list: Option<String>,
    /// What must hold of it: dotted path to value.
    pub matches: BTreeMap<String, Template>,
    /// What an approver sees and what must be the same when the call runs: dotted paths.
    pub pin: Vec<String>,
}

/// Did the event that the agent acts on really happen?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerCheck {
    /// How its source of truth is asked.
    pub probe: Probe,
    /// What must hold of it: dotted path to value.
    pub matches: BTreeMap<String, Template>,
}

/// Did it land, and may it be sent again?
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EffectCheck {
    /// How the downstream takes the gate's own key, if it honours one.
    pub idempotency: Option<KeyPlace>,
    /// How the effect is looked for, if it can be.
    pub look: Option<EffectLook>,
    /// How long after the last byte was sent the downstream may still apply it. The operator's
    /// own statement of risk; without it, not finding the effect proves nothing.
    pub lands_within: Option<Duration>,
    /// How often to look before a person is asked.
    pub tries: u32,
    /// How long to wait between looks.
    pub backoff: Backoff,
}

/// A look for the effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectLook {
    /// The probe.
    pub probe: Probe,
    /// True of its result where the effect is there: an expression over `result`, `args` and
    /// `$invocation.id`.
    pub landed: String,
}

/// Where the downstream wants its idempotency key. The gate's key is the invocation's id, the
/// same for every attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// An HTTP header of this name.
    Header(String),
    /// An argument of this name.
    Argument(String),
    /// A `_meta` entry of this name.
    Meta(String),
}

/// Waits that double from the first to the last: `1s..60s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// No wait is longer.
    pub last: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            last: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// How long to wait after this many looks, counted from 1.
    pub fn after(&self, looks: u32) -> Duration {
        let doublings = looks.saturating_sub(1).min(32);
        let wait = self.first.as_millis().saturating_mul(1 << doublings);
        let wait = wait.min(self.last.as_millis());
        Duration::from_millis(u32::try_from(wait).unwrap_or(u32::MAX))
    }
}

/// All that a descriptor states by probes. Nothing stated: nothing verified, nothing recovered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// Before the first attempt, and again at thaw.
    pub entity: Option<EntityCheck>,
    /// After an answer was lost.
    pub effect: Option<EffectCheck>,
    /// Before the first attempt, and again at thaw.
    pub trigger: Option<TriggerCheck>,
    /// How long the same call without a key is answered from the first one; the gate's own
    /// window where it is not stated.
    pub duplicate_window: Option<Duration>,
}

/// What the loss of an answer can lead to; follows from what the descriptor states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// It leaves no trace, so it is asked again.
    Read,
    /// The downstream honours the gate's key, so the same request may be sent again.
    Idempotent,
    /// The effect can be looked for.
    Checkable,
    /// Neither: only a person can say what happened.
    Irreversible,
}

/// JSON whose texts may hold `{path}`: filled, each becomes the value at that path.
///
/// A text that is one placeholder alone becomes the value with its type; a placeholder inside
/// other text becomes text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(Value);

/// What the templates of a probe may name.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'f> {
    /// `{args}`, `{args.…}`.
    pub args: &'f Value,
    /// `{trigger.source}`, `{trigger.id}`.
    pub trigger: Option<&'f crate::Trigger>,
    /// `{invocation.id}`: the gate's own name for this call; none before it has one.
    pub invocation: Option<&'f str>,
}

const HEADS: [&str; 5] = [
    "trigger.source",
    "trigger.id",
    "invocation.id",
    "args",
    "args.…",
];

impl Template {
    /// The template that this JSON writes.
    ///
    /// # Errors
    /// A message where a brace does not close or a placeholder names nothing that there is.
    pub fn parse(json: Value) -> Result<Self, String> {
        let mut fault = None;
        texts(&json, &mut |text| {
            if let Err(wrong) = pieces(text, &mut |_| Ok(())) {
                fault.get_or_insert(wrong);
            }
        });
        fault.map_or(Ok(Self(json)), Err)
    }

    /// The template as written.
    pub const fn as_json(&self) -> &Value {
        &self.0
    }

    /// Every path that it names, such as `args.charge`.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        texts(&self.0, &mut |text| {
            let _checked = pieces(text, &mut |piece| {
                if let Piece::Name(name) = piece {
                    names.push(name.to_owned());
                }
                Ok(())
            });
        });
        names
    }

    /// The JSON with every placeholder filled.
    ///
    /// # Errors
    /// The path that has no value, or one that cannot be part of a text.
    pub fn fill(&self, with: &Filling<'_>) -> Result<Value, String> {
        fill(&self.0, with)
    }
}

enum Piece<'t> {
    Text(&'t str),
    Name(&'t str),
}

fn texts(json: &Value, each: &mut impl FnMut(&str)) {
    match json {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        Value::Object(map) => map.values().for_each(|value| texts(value, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Hands out the parts of a text with placeholders in it.
fn pieces(
    text: &str,
    each: &mut impl FnMut(Piece<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, tail) = rest.split_at(open);
        let close = tail.find('}').filter(|_| tail.starts_with('{'));
        let Some(close) = close else {
            return Err(format!("the braces of `{text}` do not pair"));
        };
        let name = tail.get(1..close).unwrap_or_default();
        let known =
            HEADS.contains(&name) || name.strip_prefix("args.").is_some_and(|p| !p.is_empty());
        if !known {
            let all = HEADS.join("`, `");
            return Err(format!("`{{{name}}}` in `{text}` is none of `{all}`"));
        }
        if !before.is_empty() {
            each(Piece::Text(before))?;
        }
        each(Piece::Name(name))?;
        rest = tail.get(close + 1..).unwrap_or_default();
    }
    if rest.is_empty() {
        Ok(())
    } else {
        each(Piece::Text(rest))
    }
}

fn fill(json: &Value, with: &Filling<'_>) -> Result<Value, String> {
    match json {
        Value::String(text) => filled(text, with),
        Value::Array(items) => items.iter().map(|item| fill(item, with)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| Ok((key.clone(), fill(value, with)?)))
            .collect::<Result<_, String>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(json.clone()),
    }
}

fn filled(text: &str, with: &Filling<'_>) -> Result<Value, String> {
    let mut parts = Vec::new();
    let mut alone = true;
    pieces(text, &mut |piece| {
        match piece {
            Piece::Text(text) => {
                alone = false;
                parts.push(Value::String(text.to_owned()));
            }
            Piece::Name(name) => parts.push(with.get(name)?),
        }
        Ok(())
    })?;
    if alone && parts.len() == 1 {
        return Ok(parts.swap_remove(0));
    }
    let mut joined = String::new();
    for part in &parts {
        match part {
            Value::String(text) => joined.push_str(text),
            Value::Number(number) => joined.push_str(number.as_str()),
            Value::Bool(value) => joined.push_str(if *value { "true" } else { "false" }),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(format!("`{text}` needs plain values"));
            }
        }
    }
    Ok(Value::String(joined))
}

impl Filling<'_> {
    fn get(&self, name: &str) -> Result<Value, String> {
        let missing = || format!("`{name}` has no value in this call");
        let text = |text: &str| Value::String(text.to_owned());
        match name {
            "trigger.source" => self.trigger.map(|trigger| text(&trigger.source)),
            "trigger.id" => self.trigger.map(|trigger| text(&trigger.id)),
            "invocation.id" => self.invocation.map(text),
            "args" => Some(self.args.clone()),
            _ => name
                .strip_prefix("args.")
                .and_then(|path| json::at(self.args, path))
                .cloned(),
        }
        .ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Filling, Template};
    use crate::{Duration, Trigger};
    use serde_json::{Value, json};

    fn filled(template: Value) -> Result<Value, String> {
        // From text, because the digits as written are what must survive.
        let args = r#"{"charge": "ch_1", "amount": 40.50, "line": {"ids": [7, 8]}}"#;
        let args: Value = serde_json::from_str(args).unwrap();
        let trigger = Trigger {
            source: "stripe".to_owned(),
            id: "evt_9".to_owned(),
        };
        Template::parse(template)?.fill(&Filling {
            args: &args,
            trigger: Some(&trigger),
            invocation: Some("inv_1"),
        })
    }

    #[test]
    fn a_placeholder_alone_keeps_its_type_and_inside_text_becomes_text() {
        let template = json!({
            "id": "{args.charge}", "amount": "{args.amount}", "ids": "{args.line.ids}",
            "note": ["{trigger.id} of {trigger.source} for {args.amount}", 5, null],
            "ref": "{invocation.id}", "all": "{args}",
        });
        let expected = r#"{"id":"ch_1","amount":40.50,"ids":[7,8],"note":["evt_9 of stripe for 40.50",5,null],"ref":"inv_1","all":{"charge":"ch_1","amount":40.50,"line":{"ids":[7,8]}}}"#;
        assert_eq!(filled(template).unwrap().to_string(), expected);
    }

    #[test]
    fn what_has_no_value_or_no_text_is_an_error() {
        for bad in [
            "{args.nothing}",
            "x{args.line}",
            "x{args}",
            "{args.",
            "}",
            "{env}",
            "{args.}",
        ] {
            assert!(filled(json!(bad)).is_err(), "{bad} was filled");
        }
        let names = Template::parse(json!(["{args.a.b} {trigger.id}"])).unwrap();
        assert_eq!(names.names(), ["args.a.b", "trigger.id"]);
    }

    #[test]
    fn waits_double_up_to_the_last() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            last: Duration::from_secs(5),
        };
        let waits: Vec<_> = (1..=5).map(|n| backoff.after(n).as_millis()).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(backoff.after(u32::MAX).as_millis(), 5_000);
    }
}
