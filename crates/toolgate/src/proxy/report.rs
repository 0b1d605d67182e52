//! What came of a request, as it is told to the gate.
//!
//! ```text
//! 201, {"id": "re_1"}      {"status": "succeeded", "data": {"status": 201, "headers": {…}, "body": {…}}}
//! 200, a stream            {"status": "succeeded", "data": {"status": 200, "bytes": 512, "digest": "sha256:…"}}
//! 503                      {"status": "unknown"}
//! ```
//!
//! Which statuses are definite is the table of 3-execution, part 1. Must not know: how anything is sent.

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Statuses that do not say whether the request was processed, though they begin with 4.
const AMBIGUOUS: [u16; 4] = [408, 409, 425, 429];

/// Headers of an answer that are recorded.
const RECORDED: [&str; 7] = [
    "content-type",
    "etag",
    "location",
    "request-id",
    "retry-after",
    "x-github-request-id",
    "x-request-id",
];

/// The beginning of an answer.
pub(super) struct Begun {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What came of the body so far.
    pub(super) first: Vec<u8>,
    /// What is still to come; none where that was all.
    pub(super) rest: Option<reqwest::Response>,
}

/// Whether a status says nothing about whether the request was processed.
pub(super) fn is_ambiguous(status: StatusCode) -> bool {
    match status.as_u16() {
        200..=299 | 304 | 307 | 308 => false,
        code @ 400..=499 => AMBIGUOUS.contains(&code),
        _ => true,
    }
}

/// What is reported of an answer with this status.
pub(super) fn outcome(status: StatusCode, data: Value) -> Value {
    if is_ambiguous(status) {
        return json!({"status": "unknown"});
    }
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return json!({"status": "succeeded", "data": data});
    }
    let error = json!({"code": "tool_error", "message": format!("HTTP {}", status.as_u16())});
    json!({"status": "failed", "data": data, "error": error})
}

/// A whole answer as it is recorded and judged.
pub(super) fn record(begun: &Begun) -> Value {
    let kind = begun.headers.get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("json")));
    let text = std::str::from_utf8(&begun.first);
    let body = match text {
        Ok("") => Value::Null,
        Ok(text) if is_json => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Ok(text) => json!(text),
        Err(_) => return brief(begun, begun.first.len(), &Sha256::digest(&begun.first)),
    };
    json!({"status": begun.status.as_u16(), "headers": few(begun), "body": body})
}

/// An answer by what proves which one it was.
pub(super) fn brief(begun: &Begun, length: usize, digest: &[u8]) -> Value {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "status": begun.status.as_u16(), "headers": few(begun),
        "bytes": length, "digest": format!("sha256:{hex}"),
    })
}

fn few(begun: &Begun) -> Value {
    let value = |name: &str| begun.headers.get(name)?.to_str().ok();
    let pairs = RECORDED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), json!(value(name)?))));
    Value::Object(pairs.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::outcome;
    use axum::http::StatusCode;
    use serde_json::{Value, json};

    /// The table of 3-execution, part 1; a redirect that repeats the method was not processed.
    #[test]
    fn a_status_means_what_the_table_says() {
        for (status, word) in [
            (200, "succeeded"),
            (201, "succeeded"),
            (204, "succeeded"),
            (304, "succeeded"),
            (301, "unknown"),
            (302, "unknown"),
            (303, "unknown"),
            (307, "failed"),
            (308, "failed"),
            (400, "failed"),
            (401, "failed"),
            (404, "failed"),
            (422, "failed"),
            (451, "failed"),
            (408, "unknown"),
            (409, "unknown"),
            (425, "unknown"),
            (429, "unknown"),
            (500, "unknown"),
            (502, "unknown"),
            (503, "unknown"),
            (504, "unknown"),
        ] {
            let report = outcome(StatusCode::from_u16(status).unwrap(), Value::Null);
            assert_eq!(report["status"], json!(word), "{status}");
        }
    }
}
