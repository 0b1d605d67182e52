//! JSON-RPC as MCP uses it: one strict message in, a text out.
//!
//! `{"jsonrpc":"2.0","id":1,"method":"tools/list"}` is a request; without `id` a notification.
//! Whatever is not a message is answered with an error that says what is wrong, to `null` where
//! no id could be read. A result is text already, so that what a tool wrote is never written anew.
//!
//! Must not know: methods, eras, transports. An error carries the HTTP status that fits it.

use serde_json::{Map, Value, json};
use toolgate_gate::peer::Reply;
use toolgate_model::json::{self, Numbers, Raw};

use super::limits::NAME_SHOWN_MAX;
use crate::Limits;

/// One message that came in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Incoming {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification {
        /// What it is about.
        method: String,
        /// The rest of it.
        params: Map<String, Value>,
    },
    /// Answers something that the gate asked.
    Response(Response),
}

/// An answer of a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Response {
    /// The id of the request that it answers; `null` where there is none.
    pub(super) id: Value,
    said: Result<Value, Value>,
}

/// A request, read as far as every method needs it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    /// A string or a whole number, echoed.
    pub(super) id: Value,
    /// What is wanted.
    pub(super) method: String,
    /// With what.
    pub(super) params: Map<String, Value>,
}

/// An error to be answered with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    /// The HTTP status; stdio has none.
    pub(super) status: u16,
    /// A code of JSON-RPC or MCP; the gate's own are the HTTP status, which lies outside the
    /// reserved range.
    pub(super) code: i64,
    /// What is wrong, where, and how to mend it.
    pub(super) message: String,
    /// The same for machines.
    detail: Option<Box<Detail>>,
}

/// What an error says besides.
#[derive(Clone, Debug, PartialEq)]
enum Detail {
    /// Data of the gate's own.
    Data(Value),
    /// The whole error as a tool's server wrote it, which goes out as it stands.
    Verbatim(String),
}

/// An error and the request that it answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rejected {
    /// `null` where no id could be read.
    pub(super) id: Value,
    /// The error.
    pub(super) error: RpcError,
}

impl RpcError {
    const PARSE: i64 = -32_700;
    const INVALID_REQUEST: i64 = -32_600;
    const METHOD_NOT_FOUND: i64 = -32_601;
    const INVALID_PARAMS: i64 = -32_602;
    const INTERNAL: i64 = -32_603;
    const HEADER_MISMATCH: i64 = -32_020;
    const MISSING_CAPABILITY: i64 = -32_021;
    const UNSUPPORTED_VERSION: i64 = -32_022;

    fn new(status: u16, code: i64, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            detail: None,
        }
    }

    /// The text is no JSON that two readers would read alike.
    pub(super) fn parse(message: impl Into<String>) -> Self {
        Self::new(400, Self::PARSE, message)
    }

    /// The JSON is no message.
    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, Self::INVALID_REQUEST, message)
    }

    /// There is no such method. The modern era wants a 404; older clients take that for the end
    /// of their session.
    pub(super) fn unknown_method(method: &str, status: u16) -> Self {
        let message = format!("there is no method `{}`", shown(method));
        Self::new(status, Self::METHOD_NOT_FOUND, message)
    }

    /// The method is known, and nobody here serves it for what is named.
    pub(super) fn method_unsupported(message: impl Into<String>) -> Self {
        Self::new(200, Self::METHOD_NOT_FOUND, message)
    }

    /// The parameters of a known method do not fit.
    pub(super) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(200, Self::INVALID_PARAMS, message)
    }

    /// The `_meta` that the modern era needs is missing or malformed.
    pub(super) fn invalid_meta(message: impl Into<String>) -> Self {
        Self::new(400, Self::INVALID_PARAMS, message)
    }

    /// A header does not say what the body says.
    pub(super) fn header_mismatch(message: impl Into<String>) -> Self {
        Self::new(400, Self::HEADER_MISMATCH, message)
    }

    /// The client did not declare what this needs.
    pub(super) fn missing_capability(message: impl Into<String>) -> Self {
        Self::new(400, Self::MISSING_CAPABILITY, message)
    }

    /// The gate does not speak this version.
    pub(super) fn unsupported_version(requested: &str, supported: &[&str]) -> Self {
        let message = format!("protocol version `{}` is not spoken here", shown(requested));
        Self::new(400, Self::UNSUPPORTED_VERSION, message)
            .with(json!({"supported": supported, "requested": shown(requested)}))
    }

    /// Something about the request as a whole; the code is the HTTP status.
    pub(super) fn refused(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, status.into(), message)
    }

    /// A call that an error must answer, because its method has no words of its own for one.
    pub(super) fn of_call(code: i64, message: impl Into<String>) -> Self {
        Self::new(200, code, message)
    }

    /// What was asked for did not come about, and no more can be said of it.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(200, Self::INTERNAL, message)
    }

    /// An error of a tool's server, in one line of JSON.
    pub(super) fn relayed(status: u16, code: i64, text: String) -> Self {
        Self {
            detail: Some(Box::new(Detail::Verbatim(text))),
            ..Self::new(status, code, "")
        }
    }

    /// The gate broke off; the record says how far it came.
    pub(super) fn defect() -> Self {
        let message = "the gate broke off: look the call up in its record before repeating it";
        Self::new(500, Self::INTERNAL, message)
    }

    /// The same error with data for machines.
    #[must_use]
    pub(super) fn with(self, data: Value) -> Self {
        Self {
            detail: Some(Box::new(Detail::Data(data))),
            ..self
        }
    }

    /// The error object, as JSON text.
    pub(super) fn object(&self) -> String {
        let (code, message) = (self.code, &self.message);
        match self.detail.as_deref() {
            None => json!({"code": code, "message": message}).to_string(),
            Some(Detail::Data(data)) => {
                json!({"code": code, "message": message, "data": data}).to_string()
            }
            Some(Detail::Verbatim(written)) => written.clone(),
        }
    }

    /// The error as the answer to a request.
    pub(super) const fn answering(self, id: Value) -> Rejected {
        Rejected { id, error: self }
    }

    /// The error as the answer to nobody in particular.
    pub(super) const fn for_nobody(self) -> Rejected {
        self.answering(Value::Null)
    }
}

impl Response {
    fn of(id: Option<Value>, said: Result<Value, Value>) -> Self {
        let id = id.unwrap_or_default();
        Self { id, said }
    }

    /// What it says: a result or an error object.
    pub(super) fn reply(&self) -> Option<Reply> {
        Some(match &self.said {
            Ok(result) => Reply::Result(raw(result)?),
            Err(error) => Reply::Error(raw(error)?),
        })
    }
}

/// The value as JSON text.
pub(super) fn raw(value: &Value) -> Option<Raw> {
    serde_json::value::to_raw_value(value).ok()
}

impl Rejected {
    /// The whole message.
    pub(super) fn text(&self) -> String {
        failure(&self.id, &self.error)
    }
}

/// Reads the JSON of one message or batch.
pub(super) fn read(text: &[u8], limits: &Limits) -> Result<Value, RpcError> {
    let limits = json::Limits {
        bytes_max: limits.body_bytes_max,
        depth_max: limits.depth_max,
        string_bytes_max: limits.string_bytes_max,
    };
    json::parse(text, limits, Numbers::Exact)
        .map_err(|error| RpcError::parse(format!("the message is not acceptable JSON: {error}")))
}

/// Makes a message of a JSON value.
pub(super) fn incoming(message: Value) -> Result<Incoming, Rejected> {
    let Value::Object(mut map) = message else {
        return Err(RpcError::invalid_request("a message must be one object").for_nobody());
    };
    let id = map.remove("id");
    let known = id.clone().filter(is_id).unwrap_or(Value::Null);
    let invalid = |why: &str| RpcError::invalid_request(why).answering(known.clone());
    if map.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("`jsonrpc` must be `2.0`"));
    }
    let method = match map.remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return Err(invalid("`method` must be a string")),
        None => match (map.remove("result"), map.remove("error")) {
            (Some(result), None) => return Ok(Incoming::Response(Response::of(id, Ok(result)))),
            (None, Some(error)) => return Ok(Incoming::Response(Response::of(id, Err(error)))),
            (Some(_), Some(_)) => return Err(invalid("an answer has a `result` or an `error`")),
            (None, None) => return Err(invalid("`method` is missing")),
        },
    };
    let params = match map.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(invalid("`params` must be an object")),
    };
    match id {
        None => Ok(Incoming::Notification { method, params }),
        Some(id) if is_id(&id) => Ok(Incoming::Request(Request { id, method, params })),
        Some(_) => Err(invalid("`id` must be a string or a whole number")),
    }
}

/// The answer to a request: `result` is JSON text.
pub(super) fn success(id: &Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// The error as the answer to a request.
pub(super) fn failure(id: &Value, error: &RpcError) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#,
        error.object()
    )
}

/// A message that wants no answer.
pub(super) fn notification(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
}

/// What may be shown of a caller's own text: without control characters, and not too much of it.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(NAME_SHOWN_MAX)
        .collect()
}

/// MCP narrows what JSON-RPC allows: no null, no fraction.
pub(super) fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

#[cfg(test)]
mod tests {
    use super::{Incoming, incoming, read};
    use crate::Limits;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let message = read(text.as_bytes(), &Limits::default())
            .map_err(super::RpcError::for_nobody)
            .and_then(incoming);
        expected.assert_eq(&match message {
            Ok(Incoming::Request(request)) => format!("request {} {}", request.id, request.method),
            Ok(Incoming::Notification { method, .. }) => format!("notification {method}"),
            Ok(Incoming::Response(response)) => format!("response to {}", response.id),
            Err(rejected) => rejected.text(),
        });
    }

    #[test]
    fn a_message_is_one_object_with_a_version_and_a_method() {
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            expect!["request 1 ping"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{}}"#,
            expect![[r#"request "a" ping"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","method":"x"}"#,
            expect!["notification x"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":4,"result":{}}"#,
            expect!["response to 4"],
        );
        check(
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":"no"}}"#,
            expect!["response to null"],
        );
        check(
            r#"{"jsonrpc":"2.0","id":4,"result":{},"error":{}}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":4,"error":{"code":-32600,"message":"an answer has a `result` or an `error`"}}"#
            ]],
        );
        check(
            r#"{"id":3,"method":"ping"}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32600,"message":"`jsonrpc` must be `2.0`"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":"a"}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32600,"message":"`method` is missing"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":9,"method":7}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":9,"error":{"code":-32600,"message":"`method` must be a string"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"`params` must be an object"}}"#
            ]],
        );
        for id in ["null", "1.5", "{}", "[1]", "true"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            check(
                &text,
                expect![[
                    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"`id` must be a string or a whole number"}}"#
                ]],
            );
        }
    }

    #[test]
    fn what_two_readers_may_read_differently_is_no_message() {
        check(
            "hello",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: expected value at line 1, column 1"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: the key `id` stands twice at line 1, column 28"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: expected value at line 1, column 52"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: unexpected end of hex escape at line 1, column 41"}}"#
            ]],
        );
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        check(
            &deep,
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: nesting deeper than 64 levels at line 1, column 65"}}"#
            ]],
        );
    }
}
