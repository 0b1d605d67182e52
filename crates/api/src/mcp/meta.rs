//! What a call says beside its arguments: the `_meta` keys that are the gate's, and trace context.
//!
//! `dev.toolgate/idempotency-key`, `/session`, `/correlation`, `/env`, `/workflow` and
//! `/allow-duplicate` fill in the call. Everything else travels on to the tool within bounds, but
//! for what is the protocol's own; the gate drops entries with data or instructions in them.
//!
//! Must not know: what is done with the call.

use serde_json::{Map, Value};
use toolgate_gate::beside::TRACE_KEYS;
use toolgate_model::{Call, nearest};

use super::limits::{META_BYTES_MAX, TRACE_BYTES_MAX};
use super::message::{RpcError, shown};

/// The prefix of the gate's own keys.
const PREFIX: &str = "dev.toolgate/";

/// The gate's own keys. A gate before this one also sends its invocation's id.
const KEYS: [&str; 7] = [
    "allow-duplicate",
    "correlation",
    "env",
    "idempotency-key",
    "invocation-id",
    "session",
    "workflow",
];

/// Ids that clients give a call by themselves, stable over their own retries, which serve as
/// idempotency key where nothing better does.
const CLIENT_CALL_IDS: [&str; 1] = ["claudecode/toolUseId"];

/// Fills in what `_meta` says; `header` is the `Idempotency-Key` of HTTP, which yields to the key
/// in `_meta`.
pub(super) fn fill(
    call: &mut Call,
    meta: Option<&Value>,
    header: Option<String>,
) -> Result<(), RpcError> {
    let empty = Map::new();
    let meta = match meta {
        None => &empty,
        Some(Value::Object(meta)) => meta,
        Some(_) => return Err(RpcError::invalid_params("`_meta` must be an object")),
    };
    check_keys(meta)?;
    call.session = text(meta, "session")?;
    call.correlation = text(meta, "correlation")?;
    call.env = text(meta, "env")?;
    call.workflow = text(meta, "workflow")?;
    call.allow_duplicate = flag(meta, "allow-duplicate")?;
    call.idempotency_key = match text(meta, "idempotency-key")?.or(header) {
        Some(key) => Some(key),
        None => client_call_id(meta),
    };
    call.meta = travelling(meta)?;
    Ok(())
}

/// A misspelt key of ours would be a promise that nobody keeps.
fn check_keys(meta: &Map<String, Value>) -> Result<(), RpcError> {
    let ours = meta.keys().filter_map(|key| key.strip_prefix(PREFIX));
    for name in ours {
        if !KEYS.contains(&name) {
            let hint = nearest(name, KEYS).map(|near| format!(": did you mean `{PREFIX}{near}`"));
            let hint = hint.unwrap_or_default();
            let message = format!("`_meta` has no key `{PREFIX}{}`{hint}", shown(name));
            return Err(RpcError::invalid_params(message));
        }
    }
    Ok(())
}

fn text(meta: &Map<String, Value>, name: &str) -> Result<Option<String>, RpcError> {
    match meta.get(&format!("{PREFIX}{name}")) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => {
            let message = format!("`_meta[\"{PREFIX}{name}\"]` must be a text that is not empty");
            Err(RpcError::invalid_params(message))
        }
    }
}

fn flag(meta: &Map<String, Value>, name: &str) -> Result<bool, RpcError> {
    match meta.get(&format!("{PREFIX}{name}")) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => {
            let message = format!("`_meta[\"{PREFIX}{name}\"]` must be true or false");
            Err(RpcError::invalid_params(message))
        }
    }
}

/// The client's name for the call, under its own name space so that it meets no other key.
fn client_call_id(meta: &Map<String, Value>) -> Option<String> {
    CLIENT_CALL_IDS.into_iter().find_map(|key| {
        let id = meta.get(key)?.as_str().filter(|id| !id.is_empty())?;
        Some(format!("{key}:{id}"))
    })
}

/// What travels on to the tool.
fn travelling(meta: &Map<String, Value>) -> Result<Map<String, Value>, RpcError> {
    for key in TRACE_KEYS {
        let fits = |value: &Value| value.as_str().is_some_and(|t| t.len() <= TRACE_BYTES_MAX);
        if !meta.get(key).is_none_or(fits) {
            let message =
                format!("`_meta.{key}` must be a text of at most {TRACE_BYTES_MAX} bytes");
            return Err(RpcError::invalid_params(message));
        }
    }
    let on: Map<_, _> = meta
        .iter()
        .filter(|(key, _)| !key.starts_with(PREFIX) && !is_protocols_own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let vendors = on
        .iter()
        .filter(|(key, _)| !TRACE_KEYS.contains(&key.as_str()));
    let bytes: usize = vendors
        .map(|(key, value)| key.len() + value.to_string().len())
        .sum();
    if bytes > META_BYTES_MAX {
        let message = format!("`_meta` has {bytes} bytes, more than the {META_BYTES_MAX} allowed");
        return Err(RpcError::invalid_params(message));
    }
    Ok(on)
}

/// Whether the key is the protocol's: by its prefix's second label, or the one without a prefix.
fn is_protocols_own(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let second = prefix.split('.').nth(1).unwrap_or_default();
    key == "progressToken" || matches!(second, "modelcontextprotocol" | "mcp")
}

#[cfg(test)]
mod tests {
    use super::fill;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};
    use toolgate_model::Call;

    fn check(meta: Value, header: Option<&str>, expected: Expect) {
        let mut call = Call::new("desk.refund".parse().unwrap(), json!({}));
        let filled = fill(&mut call, Some(&meta), header.map(str::to_owned));
        expected.assert_eq(&match filled {
            Err(error) => format!("{} {}", error.code, error.message),
            Ok(()) => format!(
                "key {:?}, session {:?}, correlation {:?}, env {:?}, workflow {:?}, again {}, on {}",
                call.idempotency_key,
                call.session,
                call.correlation,
                call.env,
                call.workflow,
                call.allow_duplicate,
                Value::Object(call.meta),
            ),
        });
    }

    #[test]
    fn the_gates_own_keys_fill_in_the_call() {
        check(
            json!({
                "dev.toolgate/idempotency-key": "k1", "dev.toolgate/session": "s",
                "dev.toolgate/correlation": "c", "dev.toolgate/env": "prod",
                "dev.toolgate/workflow": "w", "dev.toolgate/allow-duplicate": true,
                "dev.toolgate/invocation-id": "inv_of_a_gate_before",
            }),
            Some("h1"),
            expect![[
                r#"key Some("k1"), session Some("s"), correlation Some("c"), env Some("prod"), workflow Some("w"), again true, on {}"#
            ]],
        );
        check(
            json!({"dev.toolgate/idempotancy-key": "k1"}),
            None,
            expect![
                "-32602 `_meta` has no key `dev.toolgate/idempotancy-key`: did you mean `dev.toolgate/idempotency-key`"
            ],
        );
        check(
            json!({"dev.toolgate/env": ["prod"]}),
            None,
            expect![[r#"-32602 `_meta["dev.toolgate/env"]` must be a text that is not empty"#]],
        );
        check(
            json!({"dev.toolgate/allow-duplicate": "true"}),
            None,
            expect![[r#"-32602 `_meta["dev.toolgate/allow-duplicate"]` must be true or false"#]],
        );
        check(json!([]), None, expect!["-32602 `_meta` must be an object"]);
    }

    #[test]
    fn the_best_key_there_is_becomes_the_idempotency_key() {
        let client = json!({"claudecode/toolUseId": "toolu_1"});
        check(
            client.clone(),
            Some("h1"),
            expect![[
                r#"key Some("h1"), session None, correlation None, env None, workflow None, again false, on {"claudecode/toolUseId":"toolu_1"}"#
            ]],
        );
        check(
            client,
            None,
            expect![[
                r#"key Some("claudecode/toolUseId:toolu_1"), session None, correlation None, env None, workflow None, again false, on {"claudecode/toolUseId":"toolu_1"}"#
            ]],
        );
    }

    #[test]
    fn what_is_neither_ours_nor_the_protocols_travels_on() {
        check(
            json!({"traceparent": "00-1-2-01", "tracestate": "a=b", "baggage": "x=1",
                "vendor.example/n": [7], "progressToken": 1, "dev.toolgate/env": "prod",
                "io.modelcontextprotocol/clientInfo": {}, "com.mcp.x/y": 1}),
            None,
            expect![[
                r#"key None, session None, correlation None, env Some("prod"), workflow None, again false, on {"traceparent":"00-1-2-01","tracestate":"a=b","baggage":"x=1","vendor.example/n":[7]}"#
            ]],
        );
        check(
            json!({"baggage": "x".repeat(8_193)}),
            None,
            expect!["-32602 `_meta.baggage` must be a text of at most 8192 bytes"],
        );
        check(
            json!({"vendor.example/x": "x".repeat(16 << 10)}),
            None,
            expect!["-32602 `_meta` has 16402 bytes, more than the 16384 allowed"],
        );
    }
}
