//! What happens in the demo to data that has no business where it is going.
//!
//! The agent writes a card number into a message, and looks a customer up whose address it does not
//! need. The tool runs both times; what leaves the gate carries placeholders.
//!
//! Must not know: how steps are shown.

use serde_json::{Value, json};

use super::cast::Cast;
use super::desk::DeskProcess;
use super::steps::{expect, otherwise, told};
use super::story::Told;
use crate::fault::Fault;

/// A card number that card schemes publish for tests.
const CARD: &str = "4242 4242 4242 4242";

pub(super) async fn sanitized_message(cast: &Cast, desk: &DeskProcess) -> Result<Told, Fault> {
    let before = desk.sums()?.messages;
    let text = format!("The refund goes back to your card {CARD}.");
    let message = json!({"to": "cust_123@example.com", "text": text});
    let envelope = cast.invoke("desk.send_message", message, None).await?;
    expect(&envelope, "/outcome", "success")?;
    expect(&envelope, "/decision/verdict", "sanitize")?;
    let sent = desk.ledger()?;
    if sent.contains(CARD) || desk.sums()?.messages != before + 1 {
        return Err(otherwise("the message", "sent without the card", &envelope));
    }
    told(
        "a message with a card number in it",
        &format!("it ran, with {}", kinds(&envelope, "/decision/sanitized")),
        envelope,
    )
}

pub(super) async fn masked_customer(cast: &Cast) -> Result<Told, Fault> {
    let customer = json!({"customer": "cust_123"});
    let envelope = cast.invoke("desk.get_customer", customer, None).await?;
    expect(&envelope, "/outcome", "success")?;
    let data = envelope
        .get("data")
        .map(Value::to_string)
        .unwrap_or_default();
    if data.contains('@') {
        return Err(otherwise("the customer", "read without an address", &data));
    }
    told(
        "a customer is looked up, by an agent that needs no address",
        &format!(
            "it ran; the answer comes with {}",
            kinds(&envelope, "/inspection/sanitized")
        ),
        envelope,
    )
}

/// `CREDIT_CARD at /text`.
fn kinds(envelope: &Value, pointer: &str) -> String {
    let replaced = envelope.pointer(pointer).and_then(Value::as_array);
    let shown = replaced.into_iter().flatten().map(|one| {
        let part = |key| one.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{} replaced at {}", part("kind"), part("path"))
    });
    shown.collect::<Vec<_>>().join(", ")
}
