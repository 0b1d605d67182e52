//! JSON-RPC 2.0 as MCP uses it: one message in, checked; errors with the codes of the protocol.
//!
//! `{"jsonrpc":"2.0","id":1,"method":"tools/list"}` is a request; without `id` a notification.
//! Must not know: methods, tools, transports.

use serde_json::{Value, json};
use toolgate_model::json::{Limits, Numbers, parse};

pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
pub(super) const METHOD_NOT_FOUND: i32 = -32601;
pub(super) const INVALID_PARAMS: i32 = -32602;
pub(super) const INTERNAL_ERROR: i32 = -32603;
pub(super) const HEADER_MISMATCH: i32 = -32020;
pub(super) const UNSUPPORTED_VERSION: i32 = -32022;

/// One message that came in.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    /// Wants an answer.
    Request {
        id: Value,
        method: String,
        params: Value,
    },
    /// Wants none: a notification, or an answer to something we never ask.
    Silent,
}

/// An error to be answered with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

impl RpcError {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The whole answer.
    pub(super) fn response(self, id: Value) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(data), Some(error)) = (self.data, error.as_object_mut()) {
            error.insert("data".to_owned(), data);
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// The whole answer.
pub(super) fn success(id: Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// Reads one message. The error is the answer to give, to `null` where no id could be read.
pub(super) fn read(text: &[u8]) -> Result<Incoming, Value> {
    let message = parse(text, Limits::CALL, Numbers::Exact)
        .map_err(|error| RpcError::new(PARSE_ERROR, error.to_string()).response(Value::Null))?;
    let id = message.get("id").cloned();
    let answer_to = id.clone().filter(is_id).unwrap_or(Value::Null);
    let invalid = |why: &str| RpcError::new(INVALID_REQUEST, why).response(answer_to.clone());
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("`jsonrpc` must be `2.0`, in one object a message"));
    }
    let Some(method) = message.get("method") else {
        let answer = message.get("result").or(message.get("error"));
        return match answer {
            Some(_) => Ok(Incoming::Silent),
            None => Err(invalid("`method` is missing")),
        };
    };
    let Some(method) = method.as_str() else {
        return Err(invalid("`method` must be a string"));
    };
    let params = message.get("params").cloned().unwrap_or_else(|| json!({}));
    if !params.is_object() {
        return Err(invalid("`params` must be an object"));
    }
    match id {
        None => Ok(Incoming::Silent),
        Some(id) if is_id(&id) => Ok(Incoming::Request {
            id,
            method: method.to_owned(),
            params,
        }),
        Some(_) => Err(invalid("`id` must be a string or a whole number")),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

#[cfg(test)]
mod tests {
    use super::{Incoming, read};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match read(text.as_bytes()) {
            Ok(Incoming::Request { id, method, .. }) => format!("request {id} {method}"),
            Ok(Incoming::Silent) => "silent".to_owned(),
            Err(answer) => {
                let error = &answer["error"];
                let message = error["message"].as_str().unwrap();
                format!("{}: {} {message}", answer["id"], error["code"])
            }
        });
    }

    #[test]
    fn a_message_is_one_object_with_a_version_and_a_method() {
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            expect!["request 1 ping"],
        );
        check(r#"{"jsonrpc":"2.0","method":"x"}"#, expect!["silent"]);
        check(r#"{"jsonrpc":"2.0","id":4,"result":{}}"#, expect!["silent"]);
        check(
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            expect!["null: -32600 `jsonrpc` must be `2.0`, in one object a message"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":"a"}"#,
            expect![[r#""a": -32600 `method` is missing"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            expect!["null: -32600 `id` must be a string or a whole number"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            expect!["null: -32600 `id` must be a string or a whole number"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
            expect!["1: -32600 `params` must be an object"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
            expect!["null: -32700 the key `id` stands twice at line 1, column 28"],
        );
        check(
            "hello",
            expect!["null: -32700 expected value at line 1, column 1"],
        );
    }
}
