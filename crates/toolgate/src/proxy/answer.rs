//! What callers of the proxy are answered where nothing comes from upstream: problems (RFC 9457) with
//! the gate's envelope in them.
//!
//! ```text
//! 403 {"title": "Forbidden", "code": "policy_denied", "detail": "…", "envelope": {…}}
//! ```
//!
//! Must not know: how anything is sent.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::fault::Fault;

/// Seconds after which a caller may try again.
// LIMIT: five; people do not decide faster, and the gate is not asked more often than it minds.
const RETRY_SECONDS: &str = "5";

/// The header with the gate's verdict.
const VERDICT: &str = "toolgate-verdict";
/// The header with the invocation.
const INVOCATION: &str = "toolgate-invocation";

/// An answer that is none of the upstream's.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: String,
    detail: String,
    envelope: Option<Box<Value>>,
}

impl Refusal {
    /// A refusal with its reason.
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            envelope: None,
        }
    }

    /// An address that the proxy does not connect to.
    pub(super) fn forbidden(detail: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "address_forbidden", detail)
    }

    /// There are too many requests at once.
    pub(super) fn busy(max: usize) -> Self {
        let detail = format!("nothing was sent: {max} requests are under way already");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }

    /// The request did not arrive in time.
    pub(super) fn slow() -> Self {
        let detail = "nothing was sent: the request did not arrive whole in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow_request", detail)
    }

    /// The proxy's own work broke.
    pub(super) fn broken() -> Self {
        let detail = "the proxy broke; whether the request was sent is on the record";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The gate could not be asked, or would not consider the request. Nothing was sent.
    pub(super) fn unjudged(fault: &Fault) -> Self {
        let status = match fault.exit() {
            crate::exit::Exit::NotPermitted => StatusCode::FORBIDDEN,
            crate::exit::Exit::Usage | crate::exit::Exit::Invalid => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let detail = format!("nothing was sent: {fault}").replace("\n  help: ", "; ");
        Self::new(status, fault.code(), detail)
    }

    /// The same with the envelope.
    pub(super) fn with(mut self, envelope: Value) -> Self {
        self.envelope = Some(Box::new(envelope));
        self
    }

    /// What an envelope without a lease means for whoever waits for an answer.
    pub(super) fn of(envelope: Value) -> Self {
        let text = |pointer: &str| {
            let found = envelope.pointer(pointer).and_then(Value::as_str);
            found.map(str::to_owned)
        };
        let status = text("/status").unwrap_or_default();
        let code = text("/denial/code").or_else(|| text("/error/code"));
        let detail = text("/denial/message").or_else(|| text("/error/message"));
        let (http, else_code) = match status.as_str() {
            "denied" | "rejected" | "expired" | "cancelled" => (StatusCode::FORBIDDEN, "denied"),
            "pending_approval" | "approved" => (StatusCode::ACCEPTED, "approval_required"),
            "executing" => (StatusCode::CONFLICT, "in_progress"),
            "succeeded" => (StatusCode::CONFLICT, "answer_not_kept"),
            _ => (StatusCode::BAD_GATEWAY, "unknown_effect"),
        };
        let detail = match (http, detail) {
            (StatusCode::ACCEPTED, detail) => format!(
                "{} Nothing was sent. The same request again joins this one, and is sent once it is \
                 approved.",
                detail.unwrap_or_default(),
            ),
            (_, Some(detail)) => detail,
            (StatusCode::CONFLICT, None) if status == "succeeded" => {
                "the same request was answered already, and its answer was not kept whole: a second \
                 one that is meant has the header `toolgate-allow-duplicate: true`"
                    .to_owned()
            }
            (_, None) => format!("the call is {status}"),
        };
        Self::new(http, code.as_deref().unwrap_or(else_code), detail).with(envelope)
    }

    /// The answer.
    pub(super) fn response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail.trim(),
        });
        let waits = matches!(self.status, StatusCode::ACCEPTED)
            || self.status == StatusCode::CONFLICT && self.code == "in_progress"
            || self.status == StatusCode::SERVICE_UNAVAILABLE;
        if let (Some(envelope), Some(members)) = (&self.envelope, body.as_object_mut()) {
            members.insert("envelope".to_owned(), envelope.as_ref().clone());
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if waits {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        if let Some(envelope) = &self.envelope {
            mark(&mut response, envelope);
        }
        response
    }
}

/// Says in headers what the gate said.
pub(super) fn mark(response: &mut Response, envelope: &Value) {
    let marks = [
        (VERDICT, "/decision/verdict"),
        (INVOCATION, "/invocation_id"),
    ];
    for (name, pointer) in marks {
        let value = envelope.pointer(pointer).and_then(Value::as_str);
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// Says that nobody judged it.
pub(super) fn mark_unjudged(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(VERDICT, HeaderValue::from_static("unjudged"));
}
