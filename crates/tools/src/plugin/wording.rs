//! What a plugin is sent for one call: everything that the gate knows of it, and nothing that a
//! caller claims.
//!
//! ```text
//! {"type": "action.execute", "action": "issue", "arguments": {"charge": "ch_1", "amount": 640},
//!  "context": {"source": "refunds", "tenant": "default", "agent": "billing_agent",
//!              "resource": "charge:ch_1"},
//!  "invocation_id": "inv_…", "idempotency_key": "inv_…", "attempt": 1}
//! ```
//! `type` binds what is signed to its path: a request to authorize cannot be sent on as one to
//! execute. Pure. Must not know: how anything is signed or sent.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use toolgate_model::{KeyPlace, Runner};

use super::wire::Step;
use crate::describe::Offered;
use crate::errand::Errand;
use crate::key_place;

/// The requests that one errand is.
pub(super) struct Wording {
    /// What is asked before; nothing of a look, which nobody asked for but the gate.
    pub(super) authorize: Option<Value>,
    /// What is asked then, once.
    pub(super) step: Step,
    /// What that says.
    pub(super) body: Value,
    /// The header that carries the downstream key, where the operator states one.
    pub(super) headers: HeaderMap,
}

impl Wording {
    /// The requests for one errand to one action.
    pub(super) fn of(tool: &Offered, errand: &Errand) -> Self {
        let context = context(tool, errand);
        match errand {
            Errand::Look(_) if tool.descriptor.runner == Runner::Probe => {
                Self::reflection(tool, errand, context)
            }
            Errand::Look(_) => Self::execution(tool, errand, (context, None)),
            Errand::Call(_) => {
                let authorize = json!({
                    "type": "action.authorize",
                    "action": tool.name,
                    "arguments": errand.arguments(),
                    "context": context,
                });
                Self::execution(tool, errand, (context, Some(authorize)))
            }
        }
    }

    fn execution(
        tool: &Offered,
        errand: &Errand,
        (context, authorize): (Value, Option<Value>),
    ) -> Self {
        let place = key_place::stated(&tool.descriptor.checks).zip(errand.key());
        let (invocation, attempt) = match errand {
            Errand::Call(dispatch) => (Some(dispatch.invocation().as_str()), dispatch.attempt()),
            Errand::Look(_) => (None, 0),
        };
        let body = json!({
            "type": "action.execute",
            "action": tool.name,
            "arguments": key_place::with_key(place, errand.arguments()),
            "context": context,
            "invocation_id": invocation,
            "idempotency_key": errand.key(),
            "attempt": attempt,
        });
        Self {
            authorize,
            step: Step::Execute,
            body,
            headers: key_header(place),
        }
    }

    fn reflection(tool: &Offered, errand: &Errand, context: Value) -> Self {
        let given = |key: &str| errand.arguments().get(key).cloned().unwrap_or_default();
        let body = json!({
            "type": "action.reflect",
            "action": tool.name,
            "invocation_id": given("invocation_id"),
            "arguments": given("arguments"),
            "context": context,
        });
        Self {
            authorize: None,
            step: Step::Reflect,
            body,
            headers: HeaderMap::new(),
        }
    }
}

/// What the question is to a plugin that is asked what it can do.
pub(super) fn discovery(source: &str) -> Value {
    json!({"type": "action.discover", "context": {"source": source}})
}

/// Who asks, and about what.
fn context(tool: &Offered, errand: &Errand) -> Value {
    let mut context = Map::new();
    let mut put = |key: &str, value: &str| context.insert(key.to_owned(), value.into());
    put("source", tool.descriptor.id.source());
    if let Some(principal) = errand.principal() {
        put("tenant", principal.tenant.as_str());
        put("agent", principal.agent.as_str());
        if let Some(user) = &principal.user {
            put("user", user.as_str());
        }
    }
    let resource = tool.descriptor.resource.as_ref();
    if let Some(resource) = resource.and_then(|it| it.fill(errand.arguments())) {
        put("resource", &resource.name);
    }
    if let Errand::Look(_) = errand {
        context.insert("probe".to_owned(), true.into());
    }
    Value::Object(context)
}

fn key_header(place: Option<(&KeyPlace, &str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some((KeyPlace::Header(name), key)) = place
        && let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(key))
    {
        headers.insert(name, value);
    }
    headers
}
