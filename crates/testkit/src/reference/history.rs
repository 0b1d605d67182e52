//! Earlier calls as a plain list, and every question about them answered by walking it.
//!
//! ```json
//! {"known": 86400, "burst": false, "seen": {"user": ["ana"], "external": ["evil.org"]},
//!  "calls": [{"tool": "pay.refund", "agent": "bot", "ago": 60, "session": true, "read": ["PII"],
//!             "measures": {"args.amount": 5}, "limits": ["p/r1"], "verdict": "allow"}]}
//! ```
//!
//! `ago` and `known` are seconds; no history at all means that nobody can say anything.
//! Must not know: how the gate remembers.

use std::collections::BTreeSet;

use serde_json::Value;
use toolgate_model::Glob;

use super::number::Number;

/// The history of one call.
#[derive(Clone, Copy, Debug)]
pub struct Past<'c> {
    call: &'c Value,
}

/// Which earlier calls are meant.
#[derive(Clone, Copy, Debug)]
pub struct Span<'w> {
    /// `agent`, `tool`, `resource`, `tenant`, `session` or `user`.
    pub scope: &'w str,
    /// How far back, in milliseconds.
    pub millis: i64,
    /// Of which tools.
    pub tools: Option<&'w str>,
    /// That this rule matched, `document/rule`.
    pub rule: Option<&'w str>,
}

const ORIGINS: [&str; 3] = ["user", "result", "external"];

impl<'c> Past<'c> {
    /// The history of this call.
    pub const fn of(call: &'c Value) -> Self {
        Self { call }
    }

    /// Whether anything is known at all.
    pub fn is_known(&self) -> bool {
        self.call.get("history").is_some_and(Value::is_object)
    }

    fn all(&self) -> impl Iterator<Item = &'c Value> {
        let calls = self.call.pointer("/history/calls");
        calls.and_then(Value::as_array).into_iter().flatten()
    }

    /// The calls of the window; nothing where it reaches back further than is known, or where the
    /// call itself has no such thing as the scope names.
    fn within(&self, span: &Span<'_>) -> Option<Vec<&'c Value>> {
        let known = self.call.pointer("/history/known").and_then(Value::as_i64);
        if !self.is_known() || known.is_some_and(|known| known * 1_000 < span.millis) {
            return None;
        }
        let own = match span.scope {
            "tenant" | "session" => None,
            scope => Some((scope, text(self.call, scope)?)),
        };
        let fits = move |call: &&Value| {
            let same = match &own {
                Some((scope, own)) => text(call, scope).as_ref() == Some(own),
                None => span.scope == "tenant" || flag(call, "session"),
            };
            let age = call.get("ago").and_then(Value::as_i64).unwrap_or_default();
            let tool = text(call, "tool").unwrap_or_default();
            let named = span.tools.is_none_or(|glob| Glob::new(glob).matches(&tool));
            let ruled = span
                .rule
                .is_none_or(|rule| texts(call, "limits").contains(rule));
            same && named && ruled && age * 1_000 < span.millis
        };
        Some(self.all().filter(fits).collect())
    }

    /// How many calls were let through.
    pub fn rate(&self, span: &Span<'_>) -> Option<u64> {
        let calls = self.within(span)?;
        u64::try_from(calls.iter().filter(|call| taken(call)).count()).ok()
    }

    /// What the subject came to in them, written as a number.
    pub fn sum(&self, subject: &str, span: &Span<'_>) -> Option<i64> {
        let calls = self.within(span)?;
        let amount = |call: &&&Value| call.get("measures")?.get(subject)?.as_i64();
        Some(
            calls
                .iter()
                .filter(|call| taken(call))
                .filter_map(|call| amount(&call))
                .sum(),
        )
    }

    pub(super) fn sum_number(&self, subject: &str, span: &Span<'_>) -> Option<Number> {
        self.sum(subject, span).map(Number::of)
    }

    /// Whether data of the class was read.
    pub fn has_read(&self, class: &str, span: &Span<'_>) -> Option<bool> {
        let calls = self.within(span)?;
        Some(
            calls
                .iter()
                .any(|call| taken(call) && texts(call, "read").contains(class)),
        )
    }

    /// What is known of the session: `tools`, `resources`, `data_class` or `signals`.
    pub fn session_set(&self, name: &str) -> BTreeSet<String> {
        let calls = self.session().filter(taken);
        match name {
            "tools" => calls.filter_map(|call| text(call, "tool")).collect(),
            "resources" => calls.filter_map(|call| text(call, "resource")).collect(),
            "signals" => calls.flat_map(|call| texts(call, "signals")).collect(),
            _ => calls.flat_map(|call| texts(call, "read")).collect(),
        }
    }

    /// The calls of this session, refused ones too.
    pub fn session_calls(&self) -> usize {
        self.session().count()
    }

    /// The refused ones of this session.
    pub fn session_denials(&self) -> usize {
        self.session().filter(|call| !taken(call)).count()
    }

    /// Whether something of outsiders was read in this session.
    pub fn session_external(&self) -> bool {
        self.session()
            .any(|call| taken(&call) && flag(call, "external"))
    }

    fn session(&self) -> impl Iterator<Item = &'c Value> {
        self.all().filter(|call| flag(call, "session"))
    }

    /// Whether this agent never used this resource.
    pub fn is_new_resource(&self) -> Option<bool> {
        let own = |call: &Value| Some((text(call, "agent")?, text(call, "resource")?));
        let here = own(self.call).filter(|_| self.is_known())?;
        Some(
            !self
                .all()
                .any(|call| taken(&call) && own(call).as_ref() == Some(&here)),
        )
    }

    /// Whether it calls far more often than it does.
    pub fn is_burst(&self) -> Option<bool> {
        self.call.pointer("/history/burst")?.as_bool()
    }

    /// Where the value was seen: over a list or an object, where each of its leaves was.
    pub fn origins(&self, value: &Value) -> Option<BTreeSet<&'static str>> {
        if !self.is_known() {
            return None;
        }
        let found: BTreeSet<_> = match value {
            // Without a leaf there is no origin either.
            Value::Array(items) => return self.union(items.iter()),
            Value::Object(members) => return self.union(members.values()),
            leaf => {
                let seen = self.call.pointer("/history/seen")?;
                let stands = |origin: &&str| {
                    let values = seen.get(*origin).and_then(Value::as_array);
                    values.is_some_and(|values| values.contains(leaf))
                };
                ORIGINS.into_iter().filter(stands).collect()
            }
        };
        Some(if found.is_empty() {
            BTreeSet::from(["none"])
        } else {
            found
        })
    }

    fn union<'v>(&self, values: impl Iterator<Item = &'v Value>) -> Option<BTreeSet<&'static str>> {
        let each: Option<Vec<_>> = values.map(|value| self.origins(value)).collect();
        Some(each?.into_iter().flatten().collect())
    }
}

fn taken(call: &&Value) -> bool {
    call.get("verdict").is_none_or(|verdict| verdict == "allow")
}

fn flag(call: &Value, key: &str) -> bool {
    call.get(key) == Some(&Value::Bool(true))
}

/// A scope's own text: `resource` and `user` of a call are objects or texts.
fn text(call: &Value, key: &str) -> Option<String> {
    let value = call.get(key)?;
    let named = value.get("id").unwrap_or(value);
    named.as_str().map(str::to_owned)
}

fn texts(call: &Value, key: &str) -> BTreeSet<String> {
    let items = call
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
