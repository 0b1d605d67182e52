//! What happens in the demo when the world moves on while a call waits for people.
//!
//! A refund of 600 to `cust_123` is frozen with the customer's address, as read live. The address
//! changes; the approval is given all the same, and the gate reads again before it runs anything.
//!
//! Must not know: how steps are shown.

use serde_json::{Value, json};

use super::cast::{Cast, text};
use super::desk::DeskProcess;
use super::steps::{expect, otherwise, refund, told};
use super::story::Told;
use crate::admin::Ask;
use crate::fault::Fault;

/// Where the customer can be reached from then on.
const NEW_EMAIL: &str = "new-address@example.net";

pub(super) async fn frozen_refund(cast: &Cast) -> Result<Told, Fault> {
    let envelope = cast
        .invoke("desk.refund", refund("ch_2", 600), None)
        .await?;
    expect(&envelope, "/status", "pending_approval")?;
    let seen = approval(cast, &envelope).await?;
    let email = text(&seen, "/entity/email")?;
    told(
        "a refund of 600 is frozen together with the customer, as read live",
        &format!("approval_required, email {email}"),
        envelope,
    )
}

pub(super) async fn changed_customer(
    cast: &Cast,
    desk: &DeskProcess,
    waiting: &Value,
) -> Result<Told, Fault> {
    let before = desk.sums()?.refunds;
    desk.change_email("cust_123", NEW_EMAIL).await?;
    cast.approve(&cast.approver, waiting).await?;
    let envelope = cast.requeued(waiting).await?;
    if desk.sums()?.refunds != before {
        return Err(otherwise("the drifted call", "not run", &envelope));
    }
    let seen = approval(cast, &envelope).await?;
    expect(&seen, "/drift/0/after", NEW_EMAIL)?;
    let drift = seen.get("drift").and_then(Value::as_array);
    let lines: Vec<String> = drift.into_iter().flatten().map(difference).collect();
    told(
        "the customer's address changes, and then the refund is approved",
        &format!("sent back to the approvers: {}", lines.join(", ")),
        envelope,
    )
}

/// The decision that was given is void, and so is every other on those bytes.
pub(super) async fn old_digest(cast: &Cast, old: &Value, now: &Value) -> Result<Told, Fault> {
    let approval = text(now, "/denial/details/approval_id")?;
    let digest = text(old, "/denial/details/digest")?;
    let body = json!({"digest": digest, "decision": "approve", "reason": "checked"});
    let ask = Ask::post(format!("/v1/approvals/{approval}/decision"), body);
    match cast.approver.body(ask).await {
        Err(fault) if fault.code() == "snapshot_changed" => told(
            "a decision on what was seen before",
            "snapshot_changed",
            now.clone(),
        ),
        Err(fault) => Err(fault),
        Ok(envelope) => Err(otherwise("an old digest", "snapshot_changed", &envelope)),
    }
}

pub(super) async fn approved_again(cast: &Cast, waiting: &Value) -> Result<Told, Fault> {
    cast.approve(&cast.approver, waiting).await?;
    let envelope = cast.settled(waiting).await?;
    expect(&envelope, "/status", "succeeded")?;
    told(
        "the refund is approved with the new address in sight",
        "it ran: 600",
        envelope,
    )
}

async fn approval(cast: &Cast, frozen: &Value) -> Result<Value, Fault> {
    let id = text(frozen, "/denial/details/approval_id")?;
    cast.approver
        .body(Ask::get(format!("/v1/approvals/{id}")))
        .await
}

/// `entity.email: "a@…" → "b@…"`.
fn difference(drift: &Value) -> String {
    let part = |key: &str| drift.get(key).cloned().unwrap_or_default();
    let field = part("field");
    let field = field.as_str().unwrap_or_default();
    format!("{field}: {} → {}", part("before"), part("after"))
}
