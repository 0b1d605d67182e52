//! The snapshot: everything that will run and everything it was judged on (3-execution, 3).
//!
//! Its digest is SHA-256 over the canonical JSON; approvers decide on that digest. What drift
//! means is decided here too: which fields must still be the same when the call is thawed.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use toolgate_execution::{Drift, Frozen, Proposal};
use toolgate_model::{
    ApprovalId, ApprovalTerms, Decision, Digest, InvocationId, Timestamp, json as canonical,
};

use crate::beside;

/// Fields of a snapshot that must not change between approval and run.
const PINNED: [&str; 13] = [
    "tool",
    "version",
    "descriptor",
    "arguments",
    "resource",
    "agent",
    "credential",
    "chain",
    "user",
    "trigger",
    "env",
    "workflow",
    "entity",
];

/// Freezes a proposal for approval.
pub fn freeze(
    (invocation, approval): (&InvocationId, ApprovalId),
    proposal: &Proposal,
    decision: &Decision,
    (now, expires_at): (Timestamp, Timestamp),
) -> Frozen {
    let terms = decision.approval.clone().unwrap_or_default();
    let snapshot = body(invocation, proposal, (decision, &terms), expires_at);
    let digest = canonical::digest(&snapshot);
    Frozen {
        approval,
        snapshot,
        digest,
        terms,
        frozen_at: now,
        expires_at,
        requeues: 0,
        drift: Vec::new(),
        escalation: None,
    }
}

fn body(
    invocation: &InvocationId,
    proposal: &Proposal,
    (decision, terms): (&Decision, &ApprovalTerms),
    expires_at: Timestamp,
) -> Value {
    let mut body = json!({
        "v": 1,
        "invocation": invocation,
        "tool": proposal.tool,
        "version": proposal.version,
        "descriptor": proposal.descriptor,
        "arguments": proposal.arguments,
        "resource": proposal.resource,
        "entity": proposal.entity,
        "tenant": proposal.tenant,
        "agent": proposal.agent,
        "owner": proposal.owner,
        "credential": proposal.key,
        "chain": proposal.chain,
        "user": proposal.user,
        "trigger": proposal.trigger,
        "env": proposal.env,
        "workflow": proposal.workflow,
        "policy_version": decision.policy_version,
        "rules": decision.rules,
        "risk": decision.risk,
        "risk_score": decision.risk_score,
        "approvers": terms.approvers,
        "quorum": terms.quorum,
        "expires_at": expires_at,
        // The digest stands in a record for ever; the salt keeps guessable arguments from being
        // found by trying, once the snapshot itself has been erased.
        "salt": proposal.salt,
    });
    if let (Some(beside), Some(body)) = (beside::shown(&proposal.meta), body.as_object_mut()) {
        body.insert("meta".to_owned(), beside.into());
    }
    if let (Some(raw), Some(body)) = (&proposal.request, body.as_object_mut()) {
        body.insert("request".to_owned(), json!(raw));
    }
    body
}

/// The pinned fields in which two snapshots differ, the facts of the entity one by one.
pub fn drift(before: &Value, after: &Value) -> Vec<Drift> {
    PINNED
        .into_iter()
        .flat_map(|name| {
            let (before, after) = (field(before, name), field(after, name));
            match (&before, &after) {
                (Value::Object(old), Value::Object(new)) if name == "entity" => {
                    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
                    let path = |key: &String| format!("{name}.{key}");
                    keys.into_iter()
                        .map(|key| (path(key), field(&before, key), field(&after, key)))
                        .collect()
                }
                _ => vec![(name.to_owned(), before, after)],
            }
        })
        .filter(|(_, before, after)| canonical::canonical(before) != canonical::canonical(after))
        .map(|(field, before, after)| Drift {
            field,
            before,
            after,
        })
        .collect()
}

fn field(snapshot: &Value, name: &str) -> Value {
    snapshot.get(name).cloned().unwrap_or(Value::Null)
}

/// What a caller's idempotency key must always come with (3-execution, 2).
pub fn fingerprint(proposal: &Proposal) -> Digest {
    let mut called = json!({
        "tool": proposal.tool,
        "version": proposal.version,
        "arguments": proposal.arguments,
        "env": proposal.env,
        "workflow": proposal.workflow,
        "resource": proposal.resource,
    });
    // Two people behind one agent never get each other's answers.
    if let (Some(user), Some(called)) = (&proposal.user, called.as_object_mut()) {
        called.insert("user".to_owned(), json!(user.id));
    }
    // Headers of a raw request are no arguments, and make another request of it all the same.
    if let (Some(raw), Some(called)) = (&proposal.request, called.as_object_mut()) {
        called.insert("request".to_owned(), json!(raw.request));
    }
    canonical::digest(&called)
}
