//! The desk's tools as MCP describes them: schemas, annotations, output schemas.
//!
//! Six tools that work, and `desk_switch` where the desk was started with `--switches`.
//! Must not know: how a tool runs (see `operations`).

use serde_json::{Value, json};

use super::{Control, KeyPolicy, Schemas};

/// The definitions, in the order in which they are listed.
pub(super) fn tools(keys: KeyPolicy, switches: Control, schemas: Schemas) -> Vec<Value> {
    let mut tools = vec![
        get_customer(),
        get_charge(),
        list_refunds(),
        refund(keys),
        send_message(keys),
        close_account(keys),
    ];
    if schemas == Schemas::Loose {
        tools.iter_mut().for_each(loosen);
    }
    if switches == Control::Open {
        tools.push(desk_switch());
    }
    tools
}

fn get_customer() -> Value {
    json!({
        "name": "get_customer", "title": "Look a customer up",
        "description": "Returns one customer of the refund desk.",
        "inputSchema": object(json!({"customer": text("The customer's id, such as cust_123")}), &["customer"]),
        "outputSchema": object(json!({"id": text("Its id"), "email": text("Where messages go"),
            "status": {"type": "string", "enum": ["active", "review", "closed"]}}), &["id", "email", "status"]),
        "annotations": read_only(),
    })
}

fn get_charge() -> Value {
    json!({
        "name": "get_charge", "title": "Look a charge up",
        "description": "Returns one charge and how much of it was refunded.",
        "inputSchema": object(json!({"charge": text("The charge's id, such as ch_1")}), &["charge"]),
        "outputSchema": object(json!({"id": text("Its id"), "customer": text("Whose it is"),
            "amount": {"type": "number"}, "currency": text("In which currency"),
            "amount_refunded": {"type": "number"}, "refunded": {"type": "boolean"}}),
            &["id", "customer", "amount", "currency", "amount_refunded", "refunded"]),
        "annotations": read_only(),
    })
}

fn list_refunds() -> Value {
    json!({
        "name": "list_refunds", "title": "List the refunds of a charge",
        "description": "Returns every refund of one charge, oldest first.",
        "inputSchema": object(json!({"charge": text("The charge's id, such as ch_1")}), &["charge"]),
        "outputSchema": object(json!({"data": {"type": "array", "items": {"type": "object"}}}), &["data"]),
        "annotations": read_only(),
    })
}

fn refund(keys: KeyPolicy) -> Value {
    let input = json!({
        "charge": text("The charge's id, such as ch_1"),
        "customer": text("Whose charge it is, such as cust_123"),
        "amount": {"type": "number", "exclusiveMinimum": 0, "description": "How much, with at most two places"},
        "currency": text("In which currency; the charge's own when left out"),
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Kept with the refund"},
    });
    json!({
        "name": "refund", "title": "Refund a charge",
        "description": "Returns money of one charge to its customer. It cannot be taken back.",
        "inputSchema": object(with_key(input, keys), &["charge", "customer", "amount"]),
        "outputSchema": object(json!({"id": text("The refund's id"), "charge": text("Of which charge"),
            "customer": text("Whose charge"), "amount": {"type": "number"}, "currency": text("In which currency"),
            "status": text("Always succeeded"), "metadata": {"type": "object"},
            "idempotency_key": {"type": ["string", "null"], "description": "The key that it came with"}}),
            &["id", "charge", "customer", "amount", "currency", "status"]),
        "annotations": writes(json!({"destructiveHint": true, "idempotentHint": keys == KeyPolicy::Honour})),
    })
}

fn send_message(keys: KeyPolicy) -> Value {
    let input = json!({"to": text("An address"), "text": text("What it says")});
    json!({
        "name": "send_message", "title": "Send a message",
        "description": "Sends a message to an address.",
        "inputSchema": object(with_key(input, keys), &["to", "text"]),
        "annotations": writes(json!({"destructiveHint": false, "openWorldHint": true})),
    })
}

fn close_account(keys: KeyPolicy) -> Value {
    let input = json!({"customer": text("The customer's id, such as cust_123")});
    json!({
        "name": "close_account", "title": "Close an account",
        "description": "Closes a customer's account for good.",
        "inputSchema": object(with_key(input, keys), &["customer"]),
        "annotations": writes(json!({"destructiveHint": true})),
    })
}

/// Leaves the names of the arguments and nothing else, as many servers do.
fn loosen(tool: &mut Value) {
    let Some(schema) = tool.get_mut("inputSchema").and_then(Value::as_object_mut) else {
        return;
    };
    schema.remove("required");
    schema.remove("additionalProperties");
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(|map| map.values_mut()) {
        *property = json!({"description": property.get("description")});
    }
}

fn desk_switch() -> Value {
    json!({
        "name": "desk_switch", "title": "Make the desk misbehave",
        "description": "Arms a fault, or changes a customer's data. For tests.",
        "inputSchema": object(json!({
            "fault": {"type": "object", "description": "kind, tool, when, times, millis, bytes"},
            "customer": {"type": "object", "description": "id, email, status"},
        }), &[]),
        "annotations": writes(json!({"destructiveHint": false})),
    })
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn read_only() -> Value {
    json!({"readOnlyHint": true, "openWorldHint": false})
}

fn writes(mut hints: Value) -> Value {
    if let Some(hints) = hints.as_object_mut() {
        hints.insert("readOnlyHint".to_owned(), Value::Bool(false));
    }
    hints
}

/// A desk that honours keys takes them as an argument too, as many services do.
fn with_key(mut properties: Value, keys: KeyPolicy) -> Value {
    if let (KeyPolicy::Honour, Some(map)) = (keys, properties.as_object_mut()) {
        let key = text("The same key makes the same order once");
        map.insert("idempotency_key".to_owned(), key);
    }
    properties
}
