//! JSON-RPC through a thin lens: what a message is, with everything inside it kept as raw text.
//!
//! `{"jsonrpc":"2.0","id":7,"result":{…}}` is a reply to 7 whose result travels on untouched: key
//! order, number text and unknown fields survive. Whatever is not a message is garbage, which is a
//! value here and never an error that stops anything.
//!
//! Must not know: transports, eras, tools.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use toolgate_model::json::{self, Limits, Numbers, Raw};

use crate::caller::Question;

/// One message of a server, read as far as the gate needs it.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// An answer to one of our requests.
    Reply {
        /// Which.
        id: u64,
        /// What it says.
        reply: Reply,
    },
    /// A request of the server's own.
    Request(Question),
    /// A notification.
    Notification {
        /// What it is about.
        method: String,
        /// Its parameters, as written.
        params: Option<Raw>,
    },
    /// Nothing of the protocol; why, in words.
    Garbage(String),
}

/// What a server replied to a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A result, as written.
    Result(Raw),
    /// An error of the protocol.
    Error(RpcError),
    /// Both, or neither, or an error that is none.
    Malformed(String),
}

/// An error of JSON-RPC.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RpcError {
    /// Its code.
    pub(crate) code: i64,
    /// What it says.
    #[serde(default)]
    pub(crate) message: String,
    /// What goes along.
    #[serde(default)]
    pub(crate) data: Option<Raw>,
    /// The whole error, as written; none where it was not written by a server.
    #[serde(skip)]
    pub(crate) written: Option<Raw>,
}

impl RpcError {
    /// Invalid parameters, an unknown tool among them.
    pub(crate) const INVALID_PARAMS: i64 = -32_602;
    /// No such method.
    pub(crate) const METHOD_NOT_FOUND: i64 = -32_601;
    /// It could not be done, for whatever reason.
    pub(crate) const INTERNAL: i64 = -32_603;
    /// The server speaks other versions; `data.supported` names them.
    pub(crate) const UNSUPPORTED_VERSION: i64 = -32_022;

    /// Reads an error object and keeps it as written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(text: &RawValue) -> Result<Self, serde_json::Error> {
        let read: Self = serde_json::from_str(text.get())?;
        Ok(Self {
            written: Some(text.to_owned()),
            ..read
        })
    }
}

#[derive(Deserialize)]
struct Lens<'a> {
    #[serde(borrow)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// LIMIT: revisions up to 2025-03-26 allow batches; no server sends long ones.
const BATCH_MAX: usize = 100;

/// Reads what a server sent: one message, or a batch of them.
pub(crate) fn read(text: &[u8]) -> Vec<Inbound> {
    let text = text.trim_ascii();
    if text.first() != Some(&b'[') {
        return vec![read_one(text)];
    }
    match serde_json::from_slice::<Vec<&RawValue>>(text) {
        Ok(items) if items.len() <= BATCH_MAX => items
            .iter()
            .map(|item| read_one(item.get().as_bytes()))
            .collect(),
        Ok(_) => vec![Inbound::Garbage(format!(
            "a batch of more than {BATCH_MAX} messages"
        ))],
        Err(error) => vec![Inbound::Garbage(error.to_string())],
    }
}

fn read_one(text: &[u8]) -> Inbound {
    // A list would pass for a struct by position.
    if text.first() == Some(&b'[') {
        return Inbound::Garbage("a list inside a batch".to_owned());
    }
    let lens: Lens<'_> = match serde_json::from_slice(text) {
        Ok(lens) => lens,
        Err(error) => return Inbound::Garbage(error.to_string()),
    };
    if lens.jsonrpc.as_deref() != Some("2.0") {
        return Inbound::Garbage("no `jsonrpc` of \"2.0\"".to_owned());
    }
    match (lens.method, lens.id) {
        (Some(method), Some(id)) => Inbound::Request(Question {
            id: id.to_owned(),
            method: method.into_owned(),
            params: lens.params.map_or_else(empty, ToOwned::to_owned),
        }),
        (Some(method), None) => Inbound::Notification {
            method: method.into_owned(),
            params: lens.params.map(ToOwned::to_owned),
        },
        (None, id) => match id.and_then(|id| id.get().parse().ok()) {
            Some(id) => Inbound::Reply {
                id,
                reply: reply(lens.result, lens.error),
            },
            None => Inbound::Garbage("a reply without an id of ours".to_owned()),
        },
    }
}

fn reply(result: Option<&RawValue>, error: Option<&RawValue>) -> Reply {
    match (result, error) {
        (Some(result), None) => Reply::Result(result.to_owned()),
        (None, Some(error)) => match RpcError::read(error) {
            Ok(error) => Reply::Error(error),
            Err(why) => Reply::Malformed(format!("its error is none: {why}")),
        },
        (Some(_), Some(_)) => Reply::Malformed("both a result and an error".to_owned()),
        (None, None) => Reply::Malformed("neither a result nor an error".to_owned()),
    }
}

/// Reads the error of an HTTP answer whose id may be `null`: it was refused before it was read.
pub(crate) fn read_error(text: &[u8]) -> Option<RpcError> {
    let lens: Lens<'_> = serde_json::from_slice(text).ok()?;
    RpcError::read(lens.error?).ok()
}

/// The text of a request.
pub(crate) fn request(id: u64, method: &str, params: &Raw) -> String {
    written(&Outbound {
        jsonrpc: "2.0",
        id: Some(id),
        method,
        params,
    })
}

/// The text of a notification.
pub(crate) fn notification(method: &str, params: &Raw) -> String {
    written(&Outbound {
        jsonrpc: "2.0",
        id: None,
        method,
        params,
    })
}

/// The text of our answer to a request of the server's own.
pub(crate) fn result(id: &Raw, result: &Raw) -> String {
    answer(id, "result", result)
}

/// The text of our refusal of a request of the server's own, whose error is given as written.
pub(crate) fn error(id: &Raw, error: &Raw) -> String {
    answer(id, "error", error)
}

/// The text of our refusal of a request of the server's own.
pub(crate) fn refusal(id: &Raw, code: i64, message: &str) -> String {
    let written = raw(&serde_json::json!({"code": code, "message": message}));
    error(id, &written)
}

fn answer(id: &Raw, name: &str, body: &Raw) -> String {
    let (id, body) = (id.get(), body.get());
    format!(r#"{{"jsonrpc":"2.0","id":{id},"{name}":{body}}}"#)
}

/// An object without members.
pub(crate) fn empty() -> Raw {
    raw(&serde_json::json!({}))
}

#[derive(Serialize)]
struct Outbound<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    params: &'a Raw,
}

fn written(message: &Outbound<'_>) -> String {
    // INVARIANT: text, a number and JSON text that was checked when made always serialise.
    serde_json::to_string(message).unwrap_or_default()
}

/// Raw JSON text of `value`.
pub(crate) fn raw(value: &impl Serialize) -> Raw {
    // INVARIANT: as above; what is given here are maps with text keys.
    serde_json::value::to_raw_value(value).unwrap_or_default()
}

/// Reads raw text strictly into a value: bounded, no duplicate keys, number text kept.
///
/// # Errors
/// Why it cannot be read, in words.
pub(crate) fn value(raw: &Raw, bytes_max: usize) -> Result<Value, String> {
    let limits = Limits {
        bytes_max,
        string_bytes_max: bytes_max,
        ..Limits::RESULT
    };
    json::parse(raw.get().as_bytes(), limits, Numbers::Relay).map_err(|error| error.to_string())
}

/// `text` on one line, without control characters, at most `chars_max` long: for logs and people.
pub(crate) fn excerpt(text: &str, chars_max: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(chars_max).map(clean).collect();
    if text.chars().nth(chars_max).is_some() {
        shown.push('…');
    }
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{empty, excerpt, read, read_error, refusal, result};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&format!("{:?}", read(text.as_bytes())));
    }

    #[test]
    fn a_result_keeps_its_text() {
        check(
            r#" {"result": {"b":1e2, "a":123456789012345678901234567890,"a":0} ,"x":[1],"id":7,"jsonrpc":"2.0"}"#,
            expect![[
                r#"[Reply { id: 7, reply: Result(RawValue({"b":1e2, "a":123456789012345678901234567890,"a":0})) }]"#
            ]],
        );
    }

    #[test]
    fn replies_that_break_the_protocol_still_belong_to_their_request() {
        check(
            r#"{"jsonrpc":"2.0","id":1}"#,
            expect![[r#"[Reply { id: 1, reply: Malformed("neither a result nor an error") }]"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
            expect![[r#"[Reply { id: 1, reply: Malformed("neither a result nor an error") }]"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}"#,
            expect![[r#"[Reply { id: 1, reply: Malformed("both a result and an error") }]"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"error":"no"}"#,
            expect![[
                r#"[Reply { id: 1, reply: Malformed("its error is none: invalid type: string \"no\", expected struct RpcError at line 1 column 4") }]"#
            ]],
        );
    }

    #[test]
    fn what_is_no_message_is_garbage() {
        check(
            "Listening on stdio",
            expect![[r#"[Garbage("expected value at line 1 column 1")]"#]],
        );
        check(
            "",
            expect![[r#"[Garbage("EOF while parsing a value at line 1 column 0")]"#]],
        );
        check(
            "42",
            expect![[
                r#"[Garbage("invalid type: integer `42`, expected struct Lens at line 1 column 2")]"#
            ]],
        );
        check(
            r#"{"id":1,"result":{}}"#,
            expect![[r#"[Garbage("no `jsonrpc` of \"2.0\"")]"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":"1","result":{}}"#,
            expect![[r#"[Garbage("a reply without an id of ours")]"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":-1,"result":{}}"#,
            expect![[r#"[Garbage("a reply without an id of ours")]"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"id":2,"result":{}}"#,
            expect![[r#"[Garbage("duplicate field `id` at line 1 column 28")]"#]],
        );
        let deep = "[".repeat(200_000);
        check(
            &deep,
            expect![[r#"[Garbage("EOF while parsing a list at line 1 column 200000")]"#]],
        );
    }

    #[test]
    fn a_batch_is_its_messages() {
        check(
            r#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"ping","id":"p"},3]"#,
            expect![[
                r#"[Notification { method: "a", params: None }, Request(Question { id: RawValue("p"), method: "ping", params: RawValue({}) }), Garbage("invalid type: integer `3`, expected struct Lens at line 1 column 1")]"#
            ]],
        );
        let long = format!("[{}0]", "0,".repeat(100));
        check(
            &long,
            expect![[r#"[Garbage("a batch of more than 100 messages")]"#]],
        );
    }

    #[test]
    fn an_answer_echoes_the_id_as_written() {
        let id = serde_json::value::to_raw_value("a\"b").unwrap();
        assert_eq!(
            result(&id, &empty()),
            r#"{"jsonrpc":"2.0","id":"a\"b","result":{}}"#
        );
        assert_eq!(
            refusal(&id, -32_601, "method not found"),
            r#"{"jsonrpc":"2.0","id":"a\"b","error":{"code":-32601,"message":"method not found"}}"#
        );
    }

    #[test]
    fn an_error_is_kept_as_written() {
        let text = br#"{"jsonrpc":"2.0","id":1,"error":{"message":"no", "code":-1,"x":1e2}}"#;
        let written = read_error(text).unwrap().written.unwrap();
        assert_eq!(written.get(), r#"{"message":"no", "code":-1,"x":1e2}"#);
    }

    #[test]
    fn an_error_is_read_whatever_its_id() {
        let text = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"no","data":{"supported":[]}}}"#;
        assert_eq!(read_error(text).unwrap().code, -32022);
        assert!(read_error(b"<html>").is_none());
    }

    #[test]
    fn an_excerpt_is_short_and_plain() {
        assert_eq!(excerpt("a\u{1b}[31mb\nc", 80), "a [31mb c");
        assert_eq!(excerpt("abcdef", 3), "abc…");
    }
}
