//! Raw HTTP requests as callers write them, and as they may be sent once they were judged.
//!
//! ```json
//! {"method": "GET", "url": "https://api.github.com/repos/acme/site", "headers": {}, "body": null}
//! ```
//!
//! What comes back is rebuilt from what was judged, and only where it may be sent: the caller sends
//! that, with its own credentials, and never what it asked about. Must not know: services.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toolgate_execution::Sendable;
use toolgate_model::{HttpRequest, Recognition, Verdict};
use utoipa::ToSchema;

/// A raw HTTP request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HttpRequest)]
pub(crate) struct RawRequest {
    /// `GET`, `POST`, …
    #[schema(examples("POST"))]
    method: String,
    /// Absolute, `https` or `http`.
    #[schema(examples("https://slack.com/api/chat.postMessage"))]
    url: String,
    /// By name, in any letter case.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text is the body as it is; anything else is written as JSON. None: no body.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    body: Value,
}

/// The request that may be sent, rebuilt from what was judged.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = JudgedRequest)]
pub(crate) struct JudgedRequest {
    /// The method.
    method: String,
    /// The address in its canonical form.
    url: String,
    /// The headers that are sent; those that are credentials are the caller's own to add.
    headers: BTreeMap<String, String>,
    /// The body.
    #[schema(value_type = Option<Value>)]
    body: Value,
    /// What the given request had and this one has not, by name: `header authorization`.
    withheld: Vec<String>,
}

impl From<RawRequest> for HttpRequest {
    fn from(raw: RawRequest) -> Self {
        Self {
            method: raw.method,
            url: raw.url,
            headers: raw.headers,
            body: raw.body,
        }
    }
}

impl From<&Sendable> for JudgedRequest {
    fn from(raw: &Sendable) -> Self {
        Self::new(raw.request.clone(), raw.withheld.clone())
    }
}

impl JudgedRequest {
    fn new(request: HttpRequest, withheld: Vec<String>) -> Self {
        Self {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            withheld,
        }
    }

    /// The request as it may be sent with these judged arguments; none where it may not, or where
    /// what was sanitized cannot be replaced in it.
    pub(crate) fn of(
        recognition: &Recognition,
        verdict: Verdict,
        arguments: &Value,
    ) -> Option<Self> {
        let request = match verdict {
            Verdict::Allow | Verdict::Sanitize => recognition.request_with(arguments)?,
            Verdict::RequireApproval | Verdict::Deny => return None,
        };
        Some(Self::new(request, recognition.withheld.clone()))
    }
}
