//! One approval as a person reads it: the snapshot itself, what changed, who decided so far.
//!
//! What the gate read stands first, the agent's own words last and apart: they are written by
//! whoever wants the approval. Every text from outside is made harmless for a terminal.
//!
//! Must not know: how a decision is made.

use serde_json::Value;

use crate::shell::pretty;
use crate::table::visible;

/// Hex digits of a digest that stand for it.
const SHORT_DIGITS: usize = 8;

/// The whole approval.
pub(super) fn whole(approval: &Value) -> String {
    let text = |pointer: &str| shown(approval.pointer(pointer));
    let id = text("/approval_id");
    let mut parts = vec![format!(
        "{id}  {}  expires {}\n{}",
        text("/status"),
        text("/expires_at"),
        text("/digest")
    )];
    let requeues = approval.get("requeues").and_then(Value::as_u64);
    if let Some(times) = requeues.filter(|times| *times > 0) {
        let drift: Vec<_> = items(approval, "/drift").map(drift).collect();
        let drift = drift.join("\n");
        parts.push(format!(
            "Frozen anew (requeue {times}), because this changed:\n{drift}"
        ));
    }
    let snapshot = approval
        .get("snapshot")
        .filter(|snapshot| !snapshot.is_null());
    if let Some(snapshot) = snapshot {
        parts.push(format!(
            "What runs once it is approved:\n{}",
            json(snapshot)
        ));
    }
    if let Some(entity) = approval.get("entity").filter(|entity| !entity.is_null()) {
        parts.push(format!("What it is about, as read live:\n{}", json(entity)));
    }
    parts.push(deciders(approval));
    let votes: Vec<_> = items(approval, "/votes").map(vote).collect();
    if !votes.is_empty() {
        parts.push(format!("Decided so far:\n{}", votes.join("\n")));
    }
    let words = approval.pointer("/justification/text");
    parts.push(format!(
        "The agent's own words, unverified: {}",
        words.map_or_else(|| "none".to_owned(), |words| shown(Some(words)))
    ));
    parts.join("\n\n")
}

/// How a decision on it is written on the command line; nothing where it waits for nobody.
pub(super) fn commands(approval: &Value) -> String {
    if shown(approval.get("status")) != "pending" {
        return String::new();
    }
    let id = shown(approval.get("approval_id"));
    let digest = short(approval);
    format!("toolgate approve {id} --digest {digest}\ntoolgate deny {id} --reason '…'")
}

/// The beginning of its digest, by which it is named.
pub(super) fn short(approval: &Value) -> String {
    let digest = shown(approval.get("digest"));
    let digits = digest.trim_start_matches("sha256:").chars();
    digits.take(SHORT_DIGITS).collect()
}

/// A value as one harmless line.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => visible(text),
        Some(other) => visible(&other.to_string()),
    }
}

/// `  entity.amount: 640 → 999`.
fn drift(drift: &Value) -> String {
    let text = |key: &str| shown(drift.get(key));
    format!(
        "  {}: {} → {}",
        text("field"),
        text("before"),
        text("after")
    )
}

fn vote(vote: &Value) -> String {
    let text = |key: &str| shown(vote.get(key));
    let (at, by) = (text("at"), text("by"));
    format!("  {at}  {by}  {}  {}", text("decision"), text("reason"))
}

fn deciders(approval: &Value) -> String {
    let names = |pointer: &str| {
        let names: Vec<_> = items(approval, pointer)
            .map(|name| shown(Some(name)))
            .collect();
        names.join(", ")
    };
    let quorum = shown(approval.pointer("/terms/quorum"));
    let approvers = names("/terms/approvers");
    let approvers = match approvers.as_str() {
        "" => "whoever may approve",
        named => named,
    };
    let owner = shown(approval.get("owner"));
    let mut line = format!("Needs {quorum} of {approvers}; never {owner}, who owns the agent");
    if let Some(at) = approval.pointer("/escalation/at") {
        let (at, to) = (shown(Some(at)), names("/escalation/to"));
        line.push_str(&format!("\nFrom {at} on {to} may decide too"));
    }
    line
}

fn items<'v>(approval: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    let items = approval.pointer(pointer).and_then(Value::as_array);
    items.into_iter().flatten()
}

fn json(value: &Value) -> String {
    let lines = pretty(value);
    lines.lines().map(visible).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{commands, whole};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn what_was_read_stands_first_and_what_the_agent_says_last() {
        let approval = json!({
            "approval_id": "apr_1", "status": "pending", "expires_at": "T9",
            "digest": "sha256:9f2c4e10aa", "requeues": 1, "owner": "ana@acme.com",
            "snapshot": {"tool": "desk.refund", "arguments": {"amount": 640}},
            "entity": {"customer": "cust_1"},
            "drift": [{"field": "entity.customer", "before": "cust_1", "after": "cust_9\u{202e}"}],
            "terms": {"approvers": ["finance", "owner"], "quorum": 2},
            "escalation": {"at": "T5", "to": ["cfo@acme.com"], "told": false},
            "votes": [{"at": "T2", "by": "bo@acme.com", "decision": "approve", "reason": null}],
            "justification": {"text": "approve me\u{1b}[2J\nDigest: none", "verified": false},
        });
        let text = whole(&approval) + "\n\n" + &commands(&approval);
        expect![[r#"
            apr_1  pending  expires T9
            sha256:9f2c4e10aa

            Frozen anew (requeue 1), because this changed:
              entity.customer: cust_1 → cust_9\u{202e}

            What runs once it is approved:
            {
              "tool": "desk.refund",
              "arguments": {
                "amount": 640
              }
            }

            What it is about, as read live:
            {
              "customer": "cust_1"
            }

            Needs 2 of finance, owner; never ana@acme.com, who owns the agent
            From T5 on cfo@acme.com may decide too

            Decided so far:
              T2  bo@acme.com  approve  -

            The agent's own words, unverified: approve me\u{1b}[2J\u{a}Digest: none

            toolgate approve apr_1 --digest 9f2c4e10
            toolgate deny apr_1 --reason '…'"#]]
        .assert_eq(&text);
    }
}
