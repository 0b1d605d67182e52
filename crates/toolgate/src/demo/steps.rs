//! What happens in the demo, step by step.
//!
//! `ch_1` and `ch_2` are charges of `cust_123` at the desk; the policy lets refunds up to 500 run
//! and wants a second person for larger ones. Money is only ever moved by the desk, and each step
//! that moves some says how much.
//!
//! Must not know: how steps are shown.

use serde_json::{Value, json};

use super::cast::{Cast, text};
use super::desk::DeskProcess;
use super::story::Told;
use crate::admin::Ask;
use crate::fault::Fault;

/// The caller's own key for one of its refunds.
const KEY: &str = "order-8812";

/// The policy that is put in force while a call waits.
const STOP: &str = r#"{"name": "stop", "rules": [{"rule_id": "disputed", "match": {"tools":
    ["desk.refund"]}, "when": "charge == ch_2", "effect": "deny", "reason": "ch_2 is disputed"}]}"#;

pub(super) async fn allowed_read(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast
        .invoke("desk.get_charge", json!({"charge": "ch_1"}), None)
        .await?;
    expect(&envelope, "/outcome", "success")?;
    told("a read that is granted runs", "it ran", envelope)
}

pub(super) async fn scoped_denial(cast: &Cast) -> Result<Told, Fault> {
    let listed = cast.mcp("tools/list", json!({})).await?.to_string();
    if listed.contains("desk__close_account") || !listed.contains("desk__refund") {
        return Err(otherwise("tools/list", "only what is granted", &listed));
    }
    let envelope = cast
        .invoke("desk.close_account", json!({"customer": "cust_123"}), None)
        .await?;
    expect(&envelope, "/denial/code", "not_granted")?;
    told(
        "a tool outside the agent's reach is not listed, and denied",
        "not_granted",
        envelope,
    )
}

pub(super) async fn small_refund(cast: &Cast) -> Result<Told, Fault> {
    let call = json!({"name": "desk__refund", "arguments": refund("ch_1", 40)});
    let result = cast.mcp("tools/call", call).await?;
    let envelope = result
        .pointer("/_meta/dev.toolgate~1outcome")
        .cloned()
        .unwrap_or_default();
    expect(&envelope, "/status", "succeeded")?;
    told(
        "a refund of 40, called over MCP, runs",
        "it ran: 40",
        envelope,
    )
}

pub(super) async fn missing_amount(cast: &Cast) -> Result<Told, Fault> {
    let arguments = json!({"charge": "ch_1", "customer": "cust_123"});
    let envelope = cast.invoke("desk.refund", arguments, None).await?;
    expect(&envelope, "/denial/code", "approval_required")?;
    expect(&envelope, "/decision/matched/0/truth", "unknown")?;
    let id = text(&envelope, "/invocation_id")?;
    let cancel = Ask::post(format!("/v1/invocations/{id}/cancel"), json!({}));
    let cancelled = cast.agent.body(cancel).await?;
    expect(&cancelled, "/status", "cancelled")?;
    told(
        "a refund that leaves its amount out does not slip past `amount > 500`",
        "it needs approval, because nobody can say; the agent withdraws it",
        cancelled,
    )
}

pub(super) async fn large_refund(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast
        .invoke("desk.refund", refund("ch_1", 640), None)
        .await?;
    frozen(envelope, "a refund of 640 is frozen")
}

pub(super) async fn owner_refused(cast: &Cast, waiting: &Value) -> Result<Told, Fault> {
    match cast.approve(&cast.owner, waiting).await {
        Err(fault) if fault.code() == "self_approval" => told(
            "the agent's own owner cannot approve it",
            "self_approval",
            waiting.clone(),
        ),
        Err(fault) => Err(fault),
        Ok(envelope) => Err(otherwise(
            "the owner's approval",
            "self_approval",
            &envelope,
        )),
    }
}

pub(super) async fn approved(cast: &Cast, waiting: &Value) -> Result<Told, Fault> {
    cast.approve(&cast.approver, waiting).await?;
    let envelope = cast.settled(waiting).await?;
    expect(&envelope, "/status", "succeeded")?;
    told(
        "a second person approves exactly these bytes, by digest",
        "it ran: 640",
        envelope,
    )
}

pub(super) async fn second_large_refund(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast
        .invoke("desk.refund", refund("ch_2", 700), None)
        .await?;
    frozen(envelope, "a refund of 700 on another charge is frozen")
}

pub(super) async fn changed_policy(cast: &Cast) -> Result<Told, Fault> {
    let body = json!({"text": STOP, "message": "ch_2 is disputed", "activate": true});
    let put = Ask::put("/v1/policies/stop", body).header("if-none-match", "*");
    cast.admin.body(put).await?;
    let envelope = cast.invoke("desk.refund", refund("ch_2", 10), None).await?;
    expect(&envelope, "/denial/details/rule", "disputed")?;
    told(
        "a policy that denies that charge binds on the very next call",
        "policy_denied",
        envelope,
    )
}

pub(super) async fn overtaken_approval(cast: &Cast, waiting: &Value) -> Result<Told, Fault> {
    cast.approve(&cast.approver, waiting).await?;
    let envelope = cast.settled(waiting).await?;
    expect(&envelope, "/status", "denied")?;
    told(
        "the frozen 700 is approved now, and decided again before it runs",
        "denied: an approval does not outrun the policy",
        envelope,
    )
}

pub(super) async fn keyed_refund(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast
        .invoke("desk.refund", refund("ch_1", 125), Some(KEY))
        .await?;
    expect(&envelope, "/status", "succeeded")?;
    told(
        "a refund of 125 with the caller's own key",
        "it ran: 125",
        envelope,
    )
}

pub(super) async fn duplicate(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast
        .invoke("desk.refund", refund("ch_1", 125), Some(KEY))
        .await?;
    if envelope.get("replayed") != Some(&Value::Bool(true)) {
        return Err(otherwise("the duplicate", "replayed", &envelope));
    }
    told(
        "the same call with the same key",
        "answered from the first; nothing ran",
        envelope,
    )
}

pub(super) async fn conflicting_key(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast
        .invoke("desk.refund", refund("ch_1", 126), Some(KEY))
        .await?;
    expect(&envelope, "/denial/code", "idempotency_conflict")?;
    told(
        "another call with the same key",
        "idempotency_conflict",
        envelope,
    )
}

pub(super) async fn unkeyed_refund(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast.invoke("desk.refund", refund("ch_1", 30), None).await?;
    expect(&envelope, "/status", "succeeded")?;
    told("a refund of 30 without a key", "it ran: 30", envelope)
}

pub(super) async fn unkeyed_duplicate(
    cast: &Cast,
    desk: &DeskProcess,
    first: &Value,
) -> Result<Told, Fault> {
    let before = desk.sums()?.requests;
    let envelope = cast.invoke("desk.refund", refund("ch_1", 30), None).await?;
    expect(&envelope, "/duplicate_of", &text(first, "/invocation_id")?)?;
    if desk.sums()?.requests.get("refund") != before.get("refund") {
        return Err(otherwise("the duplicate", "no second request", &envelope));
    }
    told(
        "the very same call once more, without a key either",
        "duplicate_of: answered from the first; nothing was sent",
        envelope,
    )
}

pub(super) async fn revoked_key(cast: &Cast) -> Result<Told, Fault> {
    let path = format!("/v1/keys/{}/revoke", cast.key);
    let revoked = cast.admin.body(Ask::post(path, json!({}))).await?;
    match cast
        .invoke("desk.get_charge", json!({"charge": "ch_1"}), None)
        .await
    {
        Err(fault) if fault.code() == "credential_revoked" => told(
            "the agent's key is revoked; its very next call is refused",
            "credential_revoked",
            revoked,
        ),
        Err(fault) => Err(fault),
        Ok(envelope) => Err(otherwise(
            "a call with a revoked key",
            "a refusal",
            &envelope,
        )),
    }
}

pub(super) fn refund(charge: &str, amount: u32) -> Value {
    json!({"charge": charge, "customer": "cust_123", "amount": amount})
}

pub(super) fn frozen(envelope: Value, title: &'static str) -> Result<Told, Fault> {
    expect(&envelope, "/status", "pending_approval")?;
    let digest = text(&envelope, "/denial/details/digest")?;
    let short: String = digest.chars().take("sha256:".len() + 12).collect();
    told(
        title,
        &format!("approval_required, digest {short}…"),
        envelope,
    )
}

pub(super) fn told(title: &'static str, outcome: &str, envelope: Value) -> Result<Told, Fault> {
    Ok(Told {
        title,
        outcome: outcome.to_owned(),
        envelope,
    })
}

pub(super) fn expect(envelope: &Value, pointer: &str, wanted: &str) -> Result<(), Fault> {
    match envelope.pointer(pointer).and_then(Value::as_str) {
        Some(found) if found == wanted => Ok(()),
        _ => Err(otherwise(pointer, wanted, envelope)),
    }
}

pub(super) fn otherwise(
    what: &str,
    wanted: &str,
    found: &(impl std::fmt::Display + ?Sized),
) -> Fault {
    Fault::failed(format!(
        "the demo came out otherwise: `{what}` should be `{wanted}` in {found}"
    ))
}
