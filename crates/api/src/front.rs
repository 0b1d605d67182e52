//! What every request passes before its handler, and every answer after it.
//!
//! ```text
//! request id → size of headers → Host → Origin → (preflight) → handler → problem → headers
//! ```
//!
//! The Host and Origin checks keep a web page that a victim opens from reaching a gate on their
//! own machine, also by a name that was pointed at it (DNS rebinding). A handler that panics is a
//! defect of one request and of nothing else. Must not know: tokens, handlers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use toolgate_model::entropy_id;
use tracing::Instrument as _;

use crate::host;
use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// Bytes of the address.
// LIMIT: eight kibibytes; the longest query is a call's arguments in `can`.
const URI_BYTES_MAX: usize = 8 << 10;

/// Headers of one request.
const HEADERS_MAX: usize = 100;

/// Bytes of all headers of one request, names and values.
// LIMIT: sixteen kibibytes; tokens, keys and trace context need far less.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// Bytes of a caller's own request id.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Where the endpoints of AuthZEN are.
const AUTHZEN: &str = "/access/";

/// The header that names a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer: nothing here is for a browser to guess at, frame, or keep.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// What the front knows.
#[derive(Clone)]
pub(crate) struct Front {
    api: Api,
    requests: Arc<AtomicU64>,
}

impl Front {
    /// The front of this API.
    pub(crate) fn new(api: Api) -> Self {
        Self {
            api,
            requests: Arc::default(),
        }
    }

    /// The caller's own id for the request, if it is a plain word, else a fresh one. AuthZEN lets a
    /// caller choose any text, and wants it back; the log escapes what it is written with.
    fn request_id(&self, request: &Request) -> String {
        let given = request.headers().get(&REQUEST_ID);
        let given = given.and_then(|value| value.to_str().ok());
        let any = request.uri().path().starts_with(AUTHZEN);
        let plain = |b: u8| any || b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        let fits =
            |id: &&str| (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain);
        given
            .filter(fits)
            .map_or_else(|| self.fresh_id(), str::to_owned)
    }

    /// Names a request in the log; it opens nothing, so it need not be unguessable.
    fn fresh_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 10];
        for (slot, byte) in bytes.iter_mut().skip(2).zip(number.to_be_bytes()) {
            *slot = byte;
        }
        format!("req_{}", entropy_id(self.api.driver.now(), bytes))
    }

    /// Lets a request pass; yields the origin of a browser's page that may read the answer.
    fn admit(&self, request: &Request) -> Result<Option<HeaderValue>, Problem> {
        measure(request)?;
        let named = host::check(request.headers(), &self.api)?;
        host::check_origin(request.headers(), named, &self.api)
    }

    /// Completes an answer: the body of a problem, and the headers of every answer.
    fn finish(&self, mut response: Response, request_id: &str) -> Response {
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            let headers = std::mem::take(response.headers_mut());
            response = self.problem(problem, request_id);
            // What axum said beside it stays: `allow` on 405.
            response
                .headers_mut()
                .extend(headers.into_iter().filter_map(|(name, value)| {
                    name.filter(|name| *name == header::ALLOW)
                        .map(|name| (name, value))
                }));
        }
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }

    fn problem(&self, problem: Problem, request_id: &str) -> Response {
        let (status, extra) = (problem.kind.status(), problem.headers(&self.api));
        let view = problem.view(&self.api.public_url, request_id);
        // A view is plain strings and numbers; if it could not be written, the status says enough.
        let body = serde_json::to_vec(&view).unwrap_or_default();
        let mut response = (status, body).into_response();
        let media = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        response.headers_mut().extend(extra);
        response
    }
}

/// The middleware around all routes.
pub(crate) async fn pass(State(front): State<Front>, request: Request, next: Next) -> Response {
    let request_id = front.request_id(&request);
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let response = match front.admit(&request) {
        Err(problem) => problem.into_response(),
        Ok(Some(origin)) if preflight => allow(StatusCode::NO_CONTENT.into_response(), origin),
        Ok(origin) => {
            // What the log says meanwhile stands under the id that the caller is told.
            let (method, path) = (request.method().as_str(), request.uri().path());
            let span = tracing::info_span!("request", request_id, method, path);
            let response = guarded(next, request).instrument(span).await;
            match origin {
                Some(origin) => allow(response, origin),
                None => response,
            }
        }
    };
    front.finish(response, &request_id)
}

/// Runs the handler; a panic in it ends this request alone.
async fn guarded(next: Next, request: Request) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a handler panicked");
            Problem::new(Kind::Defect, "the request met a defect of the gate").into_response()
        }
    }
}

/// Lets a page of another origin, which the operator listed, read the answer.
fn allow(mut response: Response, origin: HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    let fixed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, idempotency-key, if-match, if-none-match, x-request-id",
        ),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "etag, idempotency-replayed, x-request-id",
        ),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

fn measure(request: &Request) -> Result<(), Problem> {
    let uri = request.uri().to_string();
    if uri.len() > URI_BYTES_MAX {
        let detail = format!(
            "the address has {} bytes, more than the {URI_BYTES_MAX} allowed",
            uri.len()
        );
        return Err(Problem::new(Kind::UriTooLong, detail));
    }
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let detail = format!(
            "{} headers of {bytes} bytes, more than the {HEADERS_MAX} of {HEADER_BYTES_MAX} allowed",
            headers.len()
        );
        return Err(Problem::new(Kind::HeadersTooLarge, detail));
    }
    Ok(())
}
