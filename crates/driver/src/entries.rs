//! What goes on the record: one entry a transition, with who, what and when.
//!
//! Arguments and results stand there as salted digests, so that they can be erased without
//! tearing the log (3-execution, 6); the operator may choose to capture arguments in full.

use serde_json::{Map, Value, json};
use toolgate_execution::{Event, Grounds, Invocation, State};
use toolgate_gate::Capture;
use toolgate_model::{AgentId, Digest, RecordId, TenantId, Timestamp, json as canonical};
use toolgate_record::{Actor, Entry};

/// The entry for one event of an invocation.
pub(crate) fn of_event(
    id: RecordId,
    invocation: &Invocation,
    event: &Event,
    (actor, capture): (&Actor, Capture),
) -> Entry {
    let proposal = &invocation.proposal;
    let mut data = event.data.clone();
    if matches!(invocation.revision, 0 | 1) {
        data.insert("call".to_owned(), call(invocation, capture));
    }
    tie(event, invocation, &mut data);
    if let State::Succeeded { settlement } | State::Failed { settlement, .. } = &invocation.state
        && let Some(result) = &settlement.result
    {
        let digest = commitment(&proposal.salt, result.as_bytes());
        data.insert("result_digest".to_owned(), json!(digest));
    }
    if let State::Succeeded { settlement } | State::Failed { settlement, .. } = &invocation.state
        && let Some(inspection) = &settlement.inspection
        && !inspection.notices.is_empty()
    {
        data.insert("notices".to_owned(), json!(inspection.notices));
    }
    Entry {
        id,
        at: invocation.updated_at,
        kind: event.kind.to_owned(),
        tenant: proposal.tenant.clone(),
        actor: actor.clone(),
        invocation: Some(invocation.id.clone()),
        correlation: proposal.correlation.clone(),
        data,
    }
}

/// The digests by which a receipt ties together what was described, approved and executed
/// (3-execution, 6): of the snapshot where people decided, else of the call as it was allowed.
fn tie(event: &Event, invocation: &Invocation, data: &mut Map<String, Value>) {
    let digest = |data: &Map<String, Value>| data.get("digest").cloned();
    match (event.kind, invocation.state.grounds()) {
        ("approval.requested", _) => {
            let described = digest(data).unwrap_or_default();
            data.insert("described".to_owned(), described);
        }
        ("approval.approved", _) => {
            let approved = data
                .get("vote")
                .and_then(|vote| vote.get("digest"))
                .cloned();
            data.insert("approved".to_owned(), approved.unwrap_or_default());
        }
        ("invocation.admitted", Some(Grounds::Approved { digest, .. })) => {
            data.insert("executed".to_owned(), json!(digest));
        }
        ("invocation.admitted", Some(Grounds::Allowed)) => {
            let proposal = &invocation.proposal;
            let call = commitment(&proposal.salt, proposal.fingerprint.as_bytes());
            data.insert("described".to_owned(), json!(call));
            data.insert("executed".to_owned(), json!(call));
        }
        _ => {}
    }
}

/// What was called, by whom, and how it was decided: in the first entry of each invocation.
fn call(invocation: &Invocation, capture: Capture) -> Value {
    let proposal = &invocation.proposal;
    let arguments = canonical::canonical(&proposal.arguments);
    let mut call = json!({
        "tool": proposal.tool,
        "version": proposal.version,
        "descriptor": proposal.descriptor,
        "arguments_digest": commitment(&proposal.salt, arguments.as_bytes()),
        "fingerprint": commitment(&proposal.salt, proposal.fingerprint.as_bytes()),
        "agent": proposal.agent,
        "owner": proposal.owner,
        "key": proposal.key,
        "chain": proposal.chain,
        "user": proposal.user,
        "resource": proposal.resource,
        "env": proposal.env,
        "workflow": proposal.workflow,
        "session": proposal.session,
        "trigger": proposal.trigger,
        "entity": proposal.entity.as_ref().map(|entity| {
            commitment(&proposal.salt, canonical::canonical(entity).as_bytes())
        }),
        "idempotency_key": proposal.idempotency_key.as_ref().map(|key| {
            commitment(&proposal.salt, key.as_bytes())
        }),
        "decision": proposal.decision,
    });
    let Some(map) = call.as_object_mut() else {
        return call;
    };
    if invocation.is_hosts() {
        // Whose word its outcome is.
        map.insert("mode".to_owned(), json!(proposal.mode));
    }
    if let Some(raw) = &proposal.request {
        let request = canonical::canonical(&json!(raw.request));
        let digest = commitment(&proposal.salt, request.as_bytes());
        map.insert("request_digest".to_owned(), json!(digest));
    }
    if capture == Capture::Full {
        map.insert("arguments".to_owned(), proposal.arguments.clone());
    }
    call
}

/// An entry about something else than an invocation.
pub(crate) fn of_change(
    (id, at): (RecordId, Timestamp),
    kind: &'static str,
    tenant: &TenantId,
    actor: &Actor,
    data: Value,
) -> Entry {
    let data = match data {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    Entry {
        id,
        at,
        kind: kind.to_owned(),
        tenant: tenant.clone(),
        actor: actor.clone(),
        invocation: None,
        correlation: None,
        data,
    }
}

fn commitment(salt: &str, bytes: &[u8]) -> Digest {
    Digest::of_parts(&[b"toolgate/commitment/1\0", salt.as_bytes(), b"\0", bytes])
}

/// The name by which an invocation or a version remembers who did it.
pub(crate) fn name(actor: &Actor) -> Option<&AgentId> {
    match actor {
        Actor::Agent { id, .. } | Actor::Person { id, .. } => Some(id),
        Actor::Gate | Actor::Nobody => None,
    }
}
