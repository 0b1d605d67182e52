//! What was read live about a call before it was decided, and what follows from it (step 5).
//!
//! Is the charge that the call names the one meant, and is it still? Did the dispute that the
//! agent acts on really happen? The driver makes the looks, this page judges what they saw. A look
//! that fails is not a look that says no: both end the call, with different codes, and no answer
//! of a source of truth is ever quoted to whoever asked.
//!
//! Must not know: how a look is made.

use std::sync::Arc;

use serde_json::{Map, Value};
use toolgate_model::{
    Call, Code, Denial, Descriptor, EffectLook, EntityCheck, Filling, Recognition, Template,
    TriggerCheck, Truth, json,
};
use toolgate_policy::{Expectation, Sight};

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Reading {
    /// Nobody looked.
    #[default]
    Unread,
    /// The tool's answer, as data.
    Seen(Value),
    /// The tool answered with an error of its own.
    Refused,
    /// The look failed, so nothing is known.
    Failed(String),
}

/// What was read about one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// About the thing that the call is about.
    pub entity: Reading,
    /// About the event that it acts on.
    pub trigger: Reading,
    /// What its raw HTTP request is a use of, recognised again where it is decided again.
    pub raw: Option<Arc<Recognition>>,
}

/// What evidence establishes about a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Established {
    /// The entity as it is now.
    pub entity: Option<Value>,
    /// Its pinned fields: dotted path to value.
    pub pins: Option<Value>,
    /// Whether the source of truth confirmed the event; none where the call names none, or
    /// nobody asked.
    pub trigger_confirmed: Option<bool>,
}

impl Evidence {
    /// Whether everything was read that this tool's descriptor wants read for this call.
    pub(crate) fn is_complete(&self, tool: &Descriptor, call: &Call) -> bool {
        let entity = tool.checks.entity.is_none() || self.entity != Reading::Unread;
        let asked = tool.checks.trigger.is_some() && call.trigger.is_some();
        entity && (!asked || self.trigger != Reading::Unread)
    }
}

/// Judges what was read (step 5).
pub(crate) fn establish(
    tool: &Descriptor,
    call: &Call,
    evidence: &Evidence,
) -> Result<Established, Denial> {
    let filling = Filling {
        args: &call.arguments,
        trigger: call.trigger.as_ref(),
        invocation: None,
    };
    let mut established = Established::default();
    if let Some(check) = &tool.checks.entity
        && let Some(entity) = entity(check, &evidence.entity, &filling)?
    {
        established.pins = Some(pins(check, &entity));
        established.entity = Some(entity);
    }
    if call.trigger.is_some() {
        established.trigger_confirmed = match &tool.checks.trigger {
            Some(check) => confirmed(check, &evidence.trigger, &filling)?,
            None => Some(false),
        };
    }
    Ok(established)
}

fn entity(
    check: &EntityCheck,
    reading: &Reading,
    filling: &Filling<'_>,
) -> Result<Option<Value>, Denial> {
    let not_found = || {
        Denial::new(
            Code::EntityNotFound,
            "the entity that the call names was not found",
        )
    };
    match reading {
        Reading::Unread => Ok(None),
        Reading::Failed(why) => Err(unreadable("entity", why)),
        Reading::Refused | Reading::Seen(Value::Null) => Err(not_found()),
        Reading::Seen(seen) => match candidates(check, seen) {
            Candidates::One(only) => match mismatch(&check.matches, only, filling) {
                None => Ok(Some(only.clone())),
                Some(field) => {
                    let message = "the entity is not the one meant, or is not any more";
                    Err(Denial::new(Code::EntityMismatch, message).with("field", field))
                }
            },
            Candidates::Missing => Err(not_found()),
            Candidates::List(all) => {
                let fitting = all
                    .iter()
                    .filter(|one| mismatch(&check.matches, one, filling).is_none());
                let fitting: Vec<_> = fitting.collect();
                match fitting.as_slice() {
                    [only] => Ok(Some((*only).clone())),
                    [] => Err(not_found()),
                    several => {
                        let message = format!("{} entities fit the call", several.len());
                        Err(Denial::new(Code::EntityAmbiguous, message)
                            .with("candidates", several.len()))
                    }
                }
            }
        },
    }
}

enum Candidates<'s> {
    One(&'s Value),
    List(&'s [Value]),
    Missing,
}

fn candidates<'s>(check: &EntityCheck, seen: &'s Value) -> Candidates<'s> {
    let place = match &check.list {
        Some(path) => json::at(seen, path),
        None => Some(seen),
    };
    match place {
        Some(Value::Array(all)) => Candidates::List(all),
        Some(one) if check.list.is_none() => Candidates::One(one),
        _ => Candidates::Missing,
    }
}

fn confirmed(
    check: &TriggerCheck,
    reading: &Reading,
    filling: &Filling<'_>,
) -> Result<Option<bool>, Denial> {
    let unverified = || {
        let message = "the source of truth does not know the event that the call acts on";
        Denial::new(Code::TriggerUnverified, message)
    };
    match reading {
        Reading::Unread => Ok(None),
        Reading::Failed(why) => Err(unreadable("trigger", why)),
        Reading::Refused | Reading::Seen(Value::Null) => Err(unverified()),
        Reading::Seen(seen) => match mismatch(&check.matches, seen, filling) {
            None => Ok(Some(true)),
            Some(field) => Err(unverified().with("field", field)),
        },
    }
}

/// What the look said of itself is in the gate's own words and names no data.
fn unreadable(what: &str, why: &str) -> Denial {
    let message = format!("the {what} could not be read live: {why}");
    Denial::new(Code::GateUnavailable, message)
}

/// The first field that is not as it must be.
fn mismatch<'m>(
    matches: &'m std::collections::BTreeMap<String, Template>,
    seen: &Value,
    filling: &Filling<'_>,
) -> Option<&'m str> {
    let differs = |(path, template): &(&String, &Template)| {
        let expected = template.fill(filling).ok();
        match (json::at(seen, path), expected) {
            (Some(found), Some(expected)) => json::canonical(found) != json::canonical(&expected),
            _ => true,
        }
    };
    matches.iter().find(differs).map(|(path, _)| path.as_str())
}

/// The fields that an approver sees and that must be the same when the call runs.
fn pins(check: &EntityCheck, entity: &Value) -> Value {
    let field = |path: &String| {
        let value = json::at(entity, path).cloned().unwrap_or(Value::Null);
        (path.clone(), value)
    };
    Value::Object(check.pin.iter().map(field).collect::<Map<_, _>>())
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The effect is there, and this is what it is.
    Landed(Value),
    /// It is not there.
    Nothing,
    /// The answer does not have what the expectation reads.
    Unclear,
}

/// Whether a look found the effect of this invocation.
pub fn landed(look: &EffectLook, (args, invocation): (&Value, &str), seen: &Value) -> Found {
    // What does not compile was refused at load; here it tells nothing.
    let Ok(expectation) = Expectation::compile(&look.landed) else {
        return Found::Unclear;
    };
    let sight = Sight {
        result: seen,
        args,
        invocation,
    };
    match expectation.holds(&sight) {
        Truth::True => Found::Landed(expectation.witness(&sight).unwrap_or_else(|| seen.clone())),
        Truth::False => Found::Nothing,
        Truth::Unknown => Found::Unclear,
    }
}
