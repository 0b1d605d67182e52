//! What HTTP headers say must be what the body says.
//!
//! The modern era mirrors parts of a message into headers, for whoever routes without reading
//! bodies. The gate judges the body alone, and refuses a request whose headers tell another story
//! (`-32020`): otherwise a router would let one call pass and the gate would run another.
//!
//! Must not know: tools (see [`super::param_headers`]), sessions.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::message::{Request, RpcError, shown};

pub(super) const VERSION: &str = "mcp-protocol-version";
pub(super) const SESSION: &str = "mcp-session-id";
pub(super) const LAST_EVENT: &str = "last-event-id";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
const IDEMPOTENCY: &str = "idempotency-key";

/// How a value that is not plain ASCII is written.
const BASE64_MARKS: (&str, &str) = ("=?base64?", "?=");

/// The one value of a header, if it is there.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, RpcError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(RpcError::header_mismatch(format!(
            "the header `{name}` stands twice"
        )));
    }
    let text = value.to_str().map_err(|_| {
        RpcError::header_mismatch(format!(
            "the header `{name}` has characters that are not ASCII"
        ))
    })?;
    Ok(Some(text.trim()))
}

/// Compares the headers of a modern request with its body; `version` is what its `_meta` says.
pub(super) fn agree(
    headers: &HeaderMap,
    request: &Request,
    version: &Value,
) -> Result<(), RpcError> {
    if version.as_str().is_none_or(str::is_empty) {
        return Err(RpcError::invalid_meta(
            "the protocol version in `_meta` must be a string",
        ));
    }
    same(VERSION, single(headers, VERSION)?, version.as_str())?;
    same(METHOD, single(headers, METHOD)?, Some(&request.method))?;
    let Some(field) = named_by(&request.method) else {
        return Ok(());
    };
    // What the body leaves out is refused later, with words about the body.
    let Some(named) = request.params.get(field).and_then(Value::as_str) else {
        return Ok(());
    };
    let header = single(headers, NAME)?
        .map(|text| decoded(NAME, text))
        .transpose()?;
    same(NAME, header.as_deref(), Some(named))
}

/// The caller's idempotency key.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, RpcError> {
    Ok(single(headers, IDEMPOTENCY)?.map(str::to_owned))
}

/// The text of a header value, which may be written in Base64.
pub(super) fn decoded(name: &str, text: &str) -> Result<String, RpcError> {
    let inner = text
        .strip_prefix(BASE64_MARKS.0)
        .and_then(|rest| rest.strip_suffix(BASE64_MARKS.1));
    let Some(inner) = inner else {
        return Ok(text.to_owned());
    };
    let bytes = STANDARD.decode(inner).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            RpcError::header_mismatch(format!("the header `{name}` is not well written Base64"))
        })
}

/// The field of the parameters that `Mcp-Name` mirrors.
fn named_by(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

fn same(name: &str, header: Option<&str>, body: Option<&str>) -> Result<(), RpcError> {
    match header {
        Some(_) if header == body => Ok(()),
        Some(header) => Err(RpcError::header_mismatch(format!(
            "the header `{name}` says `{}`, and the body says `{}`",
            shown(header),
            shown(body.unwrap_or_default()),
        ))),
        None => Err(RpcError::header_mismatch(format!(
            "the header `{name}` is missing"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::agree;
    use crate::mcp::message::Request;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn check(lines: &[(&str, &str)], name: Value, expected: Expect) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = name.parse::<HeaderName>().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let Value::Object(params) = json!({"name": name}) else {
            unreachable!()
        };
        let request = Request {
            id: 1.into(),
            method: "tools/call".to_owned(),
            params,
        };
        expected.assert_eq(&match agree(&headers, &request, &json!("2026-07-28")) {
            Ok(()) => "fine".to_owned(),
            Err(error) => format!("{} {} {}", error.status, error.code, error.message),
        });
    }

    const FINE: [(&str, &str); 2] = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
    ];

    #[test]
    fn each_header_must_say_what_the_body_says() {
        let with = |name| [FINE[0], FINE[1], ("Mcp-Name", name)];
        check(
            &with("desk__refund"),
            json!("desk__refund"),
            expect!["fine"],
        );
        check(
            &with("desk__lookup"),
            json!("desk__refund"),
            expect![
                "400 -32020 the header `mcp-name` says `desk__lookup`, and the body says `desk__refund`"
            ],
        );
        check(
            &FINE,
            json!("desk__refund"),
            expect!["400 -32020 the header `mcp-name` is missing"],
        );
        check(
            &[
                ("MCP-Protocol-Version", "2025-06-18"),
                FINE[1],
                ("Mcp-Name", "a"),
            ],
            json!("a"),
            expect![
                "400 -32020 the header `mcp-protocol-version` says `2025-06-18`, and the body says `2026-07-28`"
            ],
        );
        check(
            &[FINE[0], ("Mcp-Method", "tools/list"), ("Mcp-Name", "a")],
            json!("a"),
            expect![
                "400 -32020 the header `mcp-method` says `tools/list`, and the body says `tools/call`"
            ],
        );
        check(
            &FINE[..1],
            json!("a"),
            expect!["400 -32020 the header `mcp-method` is missing"],
        );
    }

    #[test]
    fn a_header_that_stands_twice_is_refused() {
        check(
            &[FINE[0], FINE[1], ("Mcp-Name", "a"), ("Mcp-Name", "b")],
            json!("a"),
            expect!["400 -32020 the header `mcp-name` stands twice"],
        );
    }

    #[test]
    fn names_beyond_ascii_come_in_base64() {
        let with = |name| [FINE[0], FINE[1], ("Mcp-Name", name)];
        check(&with("=?base64?w6Q=?="), json!("ä"), expect!["fine"]);
        check(
            &with("=?base64?w6Q=?="),
            json!("a"),
            expect!["400 -32020 the header `mcp-name` says `ä`, and the body says `a`"],
        );
        check(
            &with("=?base64?***?="),
            json!("a"),
            expect!["400 -32020 the header `mcp-name` is not well written Base64"],
        );
        check(
            &with("ä"),
            json!("ä"),
            expect!["400 -32020 the header `mcp-name` has characters that are not ASCII"],
        );
    }
}
