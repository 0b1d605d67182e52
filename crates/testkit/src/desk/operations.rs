//! The tools run: arguments in, the desk's answer out. One function a tool.
//!
//! Arguments are strict: an unknown field is a mistake, and a mistake is told, never guessed at.
//! Must not know: JSON-RPC, transports, faults.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value, json};

use super::{Amount, Charge, Customer, Desk, Fault, Refund, RefundOrder, Switches};

/// What a tool says: data, or one sentence on why it did nothing.
pub(super) type Said = Result<Value, String>;

/// Runs a tool by name; `None` where there is no such tool.
pub(super) fn run(desk: &Desk, tool: &str, args: Value, key: Option<&str>) -> Option<Said> {
    Some(match tool {
        "get_customer" => get_customer(desk, args),
        "get_charge" => get_charge(desk, args),
        "list_refunds" => list_refunds(desk, args),
        "refund" => refund(desk, args, key),
        "send_message" => send_message(desk, args, key),
        "close_account" => close_account(desk, args, key),
        _ => return None,
    })
}

/// The key that a call carries as an argument.
pub(super) fn key_argument(args: &Value) -> Option<&str> {
    args.get("idempotency_key").and_then(Value::as_str)
}

/// What `desk_switch` takes: one or both.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchArgs {
    fault: Option<Fault>,
    customer: Option<Customer>,
}

/// Arms a fault or changes a customer.
pub(super) fn switch(desk: &Desk, switches: &Switches, args: Value) -> Said {
    let SwitchArgs { fault, customer } = read(args)?;
    if fault.is_none() && customer.is_none() {
        return Err("`fault` or `customer` is needed".to_owned());
    }
    if let Some(customer) = customer {
        desk.change(customer).map_err(told)?;
    }
    if let Some(fault) = fault {
        switches.set(fault);
    }
    Ok(json!({"switched": true}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerArgs {
    customer: String,
    #[serde(default, rename = "idempotency_key")]
    _key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChargeArgs {
    charge: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundArgs {
    charge: String,
    customer: String,
    amount: Number,
    currency: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default, rename = "idempotency_key")]
    _key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageArgs {
    to: String,
    text: String,
    #[serde(default, rename = "idempotency_key")]
    _key: Option<String>,
}

fn get_customer(desk: &Desk, args: Value) -> Said {
    let args: CustomerArgs = read(args)?;
    let customer = desk.customer(&args.customer).map_err(told)?;
    serde_json::to_value(customer).map_err(told)
}

fn get_charge(desk: &Desk, args: Value) -> Said {
    let args: ChargeArgs = read(args)?;
    desk.charge(&args.charge).map(shown_charge).map_err(told)
}

fn list_refunds(desk: &Desk, args: Value) -> Said {
    let args: ChargeArgs = read(args)?;
    let refunds = desk.refunds(&args.charge).map_err(told)?;
    let data: Vec<_> = refunds.into_iter().map(shown_refund).collect();
    Ok(json!({"data": data}))
}

fn refund(desk: &Desk, args: Value, key: Option<&str>) -> Said {
    let args: RefundArgs = read(args)?;
    let amount: Amount = args.amount.as_str().parse().map_err(told)?;
    let order = RefundOrder {
        charge: args.charge,
        customer: args.customer,
        amount,
        currency: args.currency,
        metadata: args.metadata,
    };
    desk.refund(order, key).map(shown_refund).map_err(told)
}

fn send_message(desk: &Desk, args: Value, key: Option<&str>) -> Said {
    let args: MessageArgs = read(args)?;
    let sent = desk.send(args.to, args.text, key).map_err(told)?;
    Ok(json!({"id": sent.id, "to": sent.to, "status": "sent"}))
}

fn close_account(desk: &Desk, args: Value, key: Option<&str>) -> Said {
    let args: CustomerArgs = read(args)?;
    let closed = desk.close(args.customer, key).map_err(told)?;
    Ok(json!({"customer": closed.customer, "status": "closed"}))
}

fn shown_charge(charge: Charge) -> Value {
    json!({
        "id": charge.id, "customer": charge.customer, "amount": charge.amount.to_number(),
        "currency": charge.currency, "amount_refunded": Amount::from_cents(charge.refunded_cents).to_number(),
        "refunded": charge.is_refunded(),
    })
}

fn shown_refund(refund: Refund) -> Value {
    json!({
        "id": refund.id, "charge": refund.charge, "customer": refund.customer,
        "amount": refund.amount.to_number(), "currency": refund.currency, "status": "succeeded",
        "metadata": refund.metadata, "idempotency_key": refund.key,
    })
}

fn read<A: DeserializeOwned>(args: Value) -> Result<A, String> {
    serde_json::from_value(args).map_err(|error| format!("the arguments do not fit: {error}"))
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
