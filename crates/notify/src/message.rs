//! What an endpoint is told: `{"type", "timestamp", "data"}`, as Standard Webhooks has it.
//!
//! ```text
//! {"type":"approval.requested","timestamp":"2026-06-16T15:14:22.104Z","data":{"event_id":"evt_…",
//!  "index":7,"approval_id":"apr_…","digest":"sha256:…","tool":"stripe.refund",
//!  "agent":"billing_agent","resource":"customer:cust_1","expires_at":"…","url":"https://…"}}
//! ```
//!
//! It says what happened and where to look, never what would run: arguments are in it only where
//! the operator captures them in full. The agent's own words are never in it. What it names was
//! written by attackers all the same: a receiver shows it as text. Must not know: how it travels.

use serde_json::{Map, Value, json};
use toolgate_execution::Invocation;
use toolgate_gate::{Capture, notices};
use toolgate_model::Timestamp;
use toolgate_record::Entry;

/// Bytes of the arguments in one message.
// LIMIT: 16 KiB: receivers refuse large bodies; beyond it only the link says more.
const ARGUMENTS_BYTES_MAX: usize = 16 << 10;

/// Characters of a resource's name; it is made from arguments, and they may be long.
const RESOURCE_CHARS_MAX: usize = 256;

/// What an event's own data says beside the call, under the same name.
const TOLD: [&str; 19] = [
    "digest",
    "approvers",
    "quorum",
    "expires_at",
    "requeues",
    "drift",
    "to",
    "attempt",
    "incident",
    "severity",
    "state",
    "count",
    "policy",
    "rule",
    "agent",
    "tool",
    "pinned",
    "present",
    "incidents",
];

/// One message, the same at every attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// `webhook-id`: the record's own id.
    pub(crate) id: String,
    /// What happened.
    pub(crate) kind: String,
    /// The JSON.
    pub(crate) body: String,
}

impl Message {
    /// The message about one record.
    pub(crate) fn of(
        (index, entry): (u64, &Entry),
        invocation: Option<&Invocation>,
        (public_url, capture): (&str, Capture),
    ) -> Self {
        let mut data = Map::new();
        let mut put = |key: &str, value: Value| data.insert(key.to_owned(), value);
        put("event_id", entry.id.as_str().into());
        put("index", index.into());
        put("tenant", entry.tenant.as_str().into());
        if let Some(invocation) = invocation {
            call(invocation, capture, &mut put);
        }
        for name in TOLD {
            if let Some(value) = entry.data.get(name) {
                put(name, value.clone());
            }
        }
        if let Some((rules, decision)) = noticed(entry) {
            put("rules", rules);
            put(
                "verdict",
                decision.get("verdict").cloned().unwrap_or_default(),
            );
            let code = decision.pointer("/denial/code").cloned();
            put("code", code.unwrap_or_default());
        }
        let approval = entry.data.get("approval").and_then(Value::as_str);
        if let Some(approval) = approval {
            put("approval_id", approval.into());
        }
        if let Some(vote) = entry.data.get("vote") {
            let by = vote.pointer("/voter/id").cloned().unwrap_or_default();
            let decision = vote.get("choice").cloned().unwrap_or_default();
            put("decided_by", by);
            put("decision", decision);
        }
        let incident = entry.data.get("incident").and_then(Value::as_str);
        let link = match (approval, incident, invocation) {
            (Some(approval), _, _) => Some(format!("{public_url}/approvals/{approval}")),
            (None, Some(incident), _) => Some(format!("{public_url}/incidents/{incident}")),
            (None, None, Some(invocation)) => {
                Some(format!("{public_url}/invocations/{}", invocation.id))
            }
            (None, None, None) => None,
        };
        if let Some(link) = link {
            put("url", link.into());
        }
        Self::with(entry.id.as_str(), (&entry.kind, entry.at), data)
    }

    /// A message that only shows that messages arrive.
    pub(crate) fn test(id: &str, endpoint: &str, now: Timestamp) -> Self {
        let mut data = Map::new();
        data.insert("event_id".to_owned(), id.into());
        data.insert("endpoint".to_owned(), endpoint.into());
        Self::with(id, ("notify.test", now), data)
    }

    fn with(id: &str, (kind, at): (&str, Timestamp), data: Map<String, Value>) -> Self {
        let body = json!({"type": kind, "timestamp": at, "data": data});
        Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            body: body.to_string(),
        }
    }
}

/// The rules that wanted somebody told, and the decision that the entry is about.
fn noticed(entry: &Entry) -> Option<(Value, Value)> {
    let rules: Vec<_> = notices(entry)
        .iter()
        .map(|notice| notice.rule.to_string())
        .collect();
    let call = entry.data.get("call").and_then(|call| call.get("decision"));
    (!rules.is_empty()).then(|| (json!(rules), call.cloned().unwrap_or_default()))
}

fn call<P>(invocation: &Invocation, capture: Capture, put: &mut P)
where
    P: FnMut(&str, Value) -> Option<Value>,
{
    let proposal = &invocation.proposal;
    let resource = proposal.resource.as_ref().map(|resource| {
        let name = resource.name.chars().take(RESOURCE_CHARS_MAX);
        name.collect::<String>()
    });
    put("invocation_id", invocation.id.as_str().into());
    put("tool", proposal.tool.as_str().into());
    put("agent", proposal.agent.as_str().into());
    put("owner", proposal.owner.as_str().into());
    put("env", proposal.env.clone().into());
    put("workflow", proposal.workflow.clone().into());
    put("resource", resource.into());
    put("risk", json!(proposal.decision.risk));
    if capture == Capture::Full {
        let fits = proposal.arguments.to_string().len() <= ARGUMENTS_BYTES_MAX;
        let arguments = fits.then(|| proposal.arguments.clone());
        put("arguments", arguments.unwrap_or_default());
        put("arguments_omitted", (!fits).into());
    }
}
