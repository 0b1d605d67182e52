//! What happens in the demo when an answer is lost.
//!
//! Three times the desk's connection breaks before the answer: after a refund landed, before one
//! landed, and on a message that nobody can read back. The first two the gate settles by itself,
//! from what the desk shows; of the third a person says what happened, and why they think so.
//!
//! Must not know: how steps are shown.

use serde_json::{Value, json};
use toolgate_testkit::desk::Moment;

use super::cast::{Cast, text};
use super::desk::DeskProcess;
use super::steps::{expect, otherwise, refund, told};
use super::story::Told;
use crate::admin::Ask;
use crate::fault::Fault;
use crate::table::rows;

/// The caller's own key for the refund whose answer is lost.
const LOST_KEY: &str = "order-8813";

/// What the person says who asked the recipient.
const REASON: &str = "the customer has read it out to me on the telephone";

pub(super) async fn landed(cast: &Cast, desk: &DeskProcess) -> Result<Told, Fault> {
    let before = desk.sums()?.refunds;
    desk.lose_answer("refund", Moment::After).await?;
    let envelope = cast
        .invoke("desk.refund", refund("ch_1", 75), Some(LOST_KEY))
        .await?;
    let envelope = cast.settled(&envelope).await?;
    expect(&envelope, "/status", "succeeded")?;
    if envelope.get("reconciled") != Some(&Value::Bool(true)) {
        return Err(otherwise("the lost refund", "reconciled", &envelope));
    }
    refunds_since(desk, before, 1)?;
    told(
        "a refund of 75 lands, and its answer is lost",
        "the gate looks, finds it, and answers: succeeded, reconciled, one refund at the desk",
        envelope,
    )
}

pub(super) async fn repeated(cast: &Cast, desk: &DeskProcess) -> Result<Told, Fault> {
    let before = desk.sums()?.refunds;
    let envelope = cast
        .invoke("desk.refund", refund("ch_1", 75), Some(LOST_KEY))
        .await?;
    expect(&envelope, "/status", "succeeded")?;
    if envelope.get("replayed") != Some(&Value::Bool(true)) {
        return Err(otherwise("the repeated call", "replayed", &envelope));
    }
    refunds_since(desk, before, 0)?;
    told(
        "the agent, which gave up, tries it again with its key",
        "the settled answer; nothing ran",
        envelope,
    )
}

pub(super) async fn not_landed(cast: &Cast, desk: &DeskProcess) -> Result<Told, Fault> {
    let before = desk.sums()?;
    desk.lose_answer("refund", Moment::Before).await?;
    let envelope = cast.invoke("desk.refund", refund("ch_1", 60), None).await?;
    let envelope = cast.settled(&envelope).await?;
    expect(&envelope, "/status", "succeeded")?;
    let id = text(&envelope, "/invocation_id")?;
    expect(&envelope, "/data/structuredContent/idempotency_key", &id)?;
    refunds_since(desk, before.refunds, 1)?;
    let requests = |sums: &toolgate_testkit::desk::Sums| {
        sums.requests.get("refund").copied().unwrap_or_default()
    };
    if requests(&desk.sums()?) != requests(&before) + 2 {
        return Err(otherwise("the lost request", "sent twice", &envelope));
    }
    told(
        "a refund of 60 is lost on its way and does not land",
        "the gate looks, finds nothing, and sends it again under the same key: one refund",
        envelope,
    )
}

pub(super) async fn unreadable(cast: &Cast, desk: &DeskProcess) -> Result<Told, Fault> {
    let before = desk.sums()?.messages;
    desk.lose_answer("send_message", Moment::After).await?;
    let message = json!({"to": "cust_123@example.com", "text": "Your refund is on its way."});
    let envelope = cast.invoke("desk.send_message", message, None).await?;
    let envelope = cast.settled(&envelope).await?;
    expect(&envelope, "/status", "needs_operator")?;
    expect(&envelope, "/outcome", "indeterminate")?;
    if desk.sums()?.messages != before + 1 {
        return Err(otherwise("the message", "sent once", &envelope));
    }
    told(
        "a message whose answer is lost, and that nobody can read back",
        "needs_operator: neither a success nor a failure, and not sent again",
        envelope,
    )
}

pub(super) async fn resolved(cast: &Cast, lost: &Value) -> Result<Told, Fault> {
    let id = text(lost, "/invocation_id")?;
    let body = json!({"finding": "landed", "reason": REASON});
    let resolve = Ask::post(format!("/v1/invocations/{id}/resolve"), body);
    let envelope = cast.approver.body(resolve).await?;
    expect(&envelope, "/status", "succeeded")?;
    let ask = Ask::get("/v1/records").with("invocation", Some(&id));
    let records = rows(&cast.approver.body(ask).await?);
    let reasoned = |record: &Value| {
        let text = record.get("text").and_then(Value::as_str);
        text.is_some_and(|text| text.contains(REASON))
    };
    if !records.iter().any(reasoned) {
        return Err(otherwise("the record", "the reason", &json!(records)));
    }
    told(
        "a person asks the customer, and says that it arrived",
        "succeeded; who said so and why stands on the record",
        envelope,
    )
}

/// Holds the desk's own count against what should have happened since.
fn refunds_since(desk: &DeskProcess, before: u64, made: u64) -> Result<(), Fault> {
    let now = desk.sums()?.refunds;
    if now == before + made {
        return Ok(());
    }
    let found = format!("{} more", now.saturating_sub(before));
    Err(otherwise(
        "refunds at the desk",
        &format!("{made} more"),
        &found,
    ))
}
