//! Sends what was allowed, hands the answer back, and reports what came of it.
//!
//! ```text
//! 2xx, whole            succeeded    the answer, as the rules about results left it
//! 4xx that is definite  failed       the same
//! refused connection    failed       nothing was sent: 502
//! any other status      unknown      the status alone: nobody judged what came with it
//! anything else         unknown      502 or 504, or an answer that breaks off
//! ```
//!
//! A short answer is reported whole before the caller gets it; a long or streaming one goes through as
//! it comes and is reported by status, length and digest. Nothing is ever sent twice.
//! Must not know: what is allowed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use toolgate_gate::port::Tasks as _;

use super::Proxy;
use super::answer::{Refusal, mark, mark_unjudged};
use super::asked::Asked;
use super::reach::Reach;
use super::report::{Begun, brief, is_ambiguous, outcome, record};
use super::written::Written;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::hosted::Lease;

/// LIMIT: a host that takes longer to be reached is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// LIMIT: silence on a connection; models think for minutes before the first word.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// LIMIT: idle connections are given up before common servers close them under a request.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// LIMIT: bytes of an answer that is reported whole: what the gate takes for one text.
const WHOLE_BYTES_MAX: usize = 256 << 10;
/// LIMIT: parts of an answer that wait for a slow caller.
const PARTS_QUEUED_MAX: usize = 16;

/// Headers between the upstream and the proxy alone.
const OF_THE_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The client that every request is sent with: no redirects, no proxy of its own, no second try.
///
/// # Errors
/// [`Fault`] where the system gives no client.
pub(super) fn client(reach: &Reach) -> Result<reqwest::Client, Fault> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_MAX)
        .pool_idle_timeout(IDLE_MAX)
        .dns_resolver(Arc::new(reach.clone()))
        .build()
        .map_err(|error| Fault::failed(format!("no HTTP client: {error}")))
}

/// Why there is no answer.
enum Lost {
    /// Nothing was sent.
    Unsent(String),
    /// It may have been processed.
    Unknown(StatusCode, String),
}

impl Proxy {
    /// Judged before it is sent.
    pub(super) async fn enforce(self: &Arc<Self>, asked: Asked) -> Response {
        let call = match asked.call("host") {
            Ok(call) => call,
            Err(refusal) => return refusal.response(),
        };
        let envelope = match self.gate.propose(call, asked.key()).await {
            Ok(envelope) => envelope,
            Err(fault) => return Refusal::unjudged(&fault).response(),
        };
        let Some(lease) = Lease::of(&envelope) else {
            return replayed(&envelope, &asked).unwrap_or_else(|| Refusal::of(envelope).response());
        };
        let judged = envelope.get("request").cloned().unwrap_or_default();
        let written = match Written::of(&judged, &asked, &self.setting.carried) {
            Ok(written) => written,
            Err(why) => return self.unsent(&lease, why).await,
        };
        match self.send(written).await {
            Ok(begun) => self.hand_back(begun, &lease, (&asked, &envelope)).await,
            Err(Lost::Unsent(why)) => self.unsent(&lease, why).await,
            Err(Lost::Unknown(status, why)) => self.unknown(&lease, status, why).await,
        }
    }

    /// Judged, and sent whatever the verdict is.
    pub(super) async fn monitor(self: &Arc<Self>, asked: Asked) -> Response {
        let judged = match asked.call("decide") {
            Ok(call) => self
                .gate
                .propose(call, None)
                .await
                .map_err(|fault| fault.to_string()),
            Err(_) => Err("its body is no text".to_owned()),
        };
        if let Err(why) = &judged {
            tracing::warn!(
                host = asked.url.host_str(),
                why,
                "a request is sent unjudged"
            );
        }
        let mut response = match self.send_as_it_is(&asked).await {
            Ok(begun) if begun.rest.is_none() => {
                let headers = answer_headers(&begun.headers, &asked);
                with_headers(begun.status, headers, Body::from(begun.first))
            }
            Ok(begun) => self.stream(begun, &asked, None),
            Err(Lost::Unsent(why)) => {
                Refusal::new(StatusCode::BAD_GATEWAY, "upstream_unavailable", why).response()
            }
            Err(Lost::Unknown(status, why)) => {
                Refusal::new(status, "unknown_effect", why).response()
            }
        };
        match judged {
            Ok(envelope) => mark(&mut response, &envelope),
            Err(_) => mark_unjudged(&mut response),
        }
        response
    }

    async fn send(&self, written: Written) -> Result<Begun, Lost> {
        let method = written.method.parse().unwrap_or_default();
        let mut request = self.upstream.request(method, written.url);
        for (name, value) in written.headers {
            request = request.header(name, value);
        }
        if let Some(body) = written.body {
            request = request.body(body);
        }
        begun(request).await
    }

    async fn send_as_it_is(&self, asked: &Asked) -> Result<Begun, Lost> {
        let mut request = self
            .upstream
            .request(asked.method.clone(), asked.url.clone());
        for (name, value) in &asked.headers {
            request = request.header(name, value);
        }
        if !asked.bytes.is_empty() {
            request = request.body(asked.bytes.clone());
        }
        begun(request).await
    }

    /// Reports, and gives the caller what the rules about results leave.
    async fn hand_back(
        self: &Arc<Self>,
        begun: Begun,
        lease: &Lease,
        (asked, proposed): (&Asked, &Value),
    ) -> Response {
        if is_ambiguous(begun.status) {
            return self.doubtful(&begun, lease, asked).await;
        }
        if begun.rest.is_some() {
            let mut response = self.stream(begun, asked, Some(lease.clone()));
            mark(&mut response, proposed);
            return response;
        }
        let data = record(&begun);
        let report = outcome(begun.status, data.clone());
        let envelope = match self.gate.report(lease, report).await {
            // What the gate cannot keep is kept as what proves it.
            Err(fault) if matches!(fault.exit(), Exit::Usage | Exit::Invalid) => {
                let digest = Sha256::digest(&begun.first);
                let brief = brief(&begun, begun.first.len(), &digest);
                self.gate.report(lease, outcome(begun.status, brief)).await
            }
            reported => reported,
        };
        match envelope {
            Ok(envelope) => handed(begun, &envelope, &data, asked),
            Err(fault) => {
                let detail = format!(
                    "it was sent and answered with {}, and the gate could not be told: {fault}",
                    begun.status.as_u16(),
                );
                Refusal::new(StatusCode::BAD_GATEWAY, "unreported", detail).response()
            }
        }
    }

    /// An answer that does not say whether its request was processed. The gate keeps no result of a
    /// call in doubt, and what it did not judge is given to nobody.
    async fn doubtful(&self, begun: &Begun, lease: &Lease, asked: &Asked) -> Response {
        let code = begun.status.as_u16();
        let why = format!(
            "it was answered with HTTP {code}, which does not say whether it took effect; the rest of \
             the answer is not handed on"
        );
        let refusal = Refusal::new(begun.status, "unknown_effect", why);
        let mut response = self
            .reported(lease, json!({"status": "unknown"}), refusal)
            .await;
        let given = answer_headers(&begun.headers, asked);
        for name in [header::LOCATION, header::RETRY_AFTER] {
            if let Some(value) = given.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }

    async fn unsent(&self, lease: &Lease, why: String) -> Response {
        let error = json!({"code": "upstream_unavailable", "message": why});
        let report = json!({"status": "failed", "error": error});
        let refusal = Refusal::new(StatusCode::BAD_GATEWAY, "upstream_unavailable", why);
        self.reported(lease, report, refusal).await
    }

    async fn unknown(&self, lease: &Lease, status: StatusCode, why: String) -> Response {
        let report = json!({"status": "unknown"});
        let refusal = Refusal::new(status, "unknown_effect", why);
        self.reported(lease, report, refusal).await
    }

    async fn reported(&self, lease: &Lease, report: Value, refusal: Refusal) -> Response {
        match self.gate.report(lease, report).await {
            Ok(envelope) => refusal.with(envelope).response(),
            Err(fault) => {
                // Silence means the same at the end of the lease.
                tracing::warn!(invocation = lease.id, %fault, "the gate could not be told");
                refusal.response()
            }
        }
    }

    /// Hands an answer on as it comes; with a lease, and its end is reported.
    fn stream(self: &Arc<Self>, begun: Begun, asked: &Asked, lease: Option<Lease>) -> Response {
        let (parts, mut queue) = mpsc::channel(PARTS_QUEUED_MAX);
        let headers = answer_headers(&begun.headers, asked);
        let status = begun.status;
        let proxy = self.clone();
        let work = async move {
            let (report, whole) = pass_on(begun, &parts).await;
            if let Some(lease) = lease
                && let Err(fault) = proxy.gate.report(&lease, report).await
            {
                tracing::warn!(invocation = lease.id, %fault, "the gate could not be told");
            }
            // The caller learns that it broke off by a connection that does so, too.
            if let Err(why) = whole {
                let _gone = parts.send(Err(why)).await;
            }
        };
        self.tasks.spawn("streamed answer", Box::pin(work));
        let body = futures_util::stream::poll_fn(move |context| queue.poll_recv(context));
        with_headers(status, headers, Body::from_stream(body))
    }
}

/// Sends a request, and waits for its answer to begin; a short one is read to its end.
async fn begun(request: reqwest::RequestBuilder) -> Result<Begun, Lost> {
    let mut response = request.send().await.map_err(|error| lost(&error))?;
    let mut begun = Begun {
        status: response.status(),
        headers: response.headers().clone(),
        first: Vec::new(),
        rest: None,
    };
    let kind = response.headers().get(header::CONTENT_TYPE);
    let streams = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    while !streams && begun.first.len() <= WHOLE_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(part)) => begun.first.extend_from_slice(&part),
            Ok(None) => return Ok(begun),
            Err(error) => {
                let why = format!(
                    "the answer broke off after {} bytes: {error}",
                    begun.first.len()
                );
                return Err(Lost::Unknown(StatusCode::BAD_GATEWAY, why));
            }
        }
    }
    begun.rest = Some(response);
    Ok(begun)
}

fn lost(error: &reqwest::Error) -> Lost {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = cause.to_string();
        source = cause.source();
    }
    if error.is_connect() || error.is_builder() {
        return Lost::Unsent(format!("it could not be sent: {why}"));
    }
    let status = if error.is_timeout() {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::BAD_GATEWAY
    };
    Lost::Unknown(status, format!("it was sent, and no answer came: {why}"))
}

/// Passes an answer on, and says what to report and whether it came whole.
async fn pass_on(
    mut begun: Begun,
    parts: &mpsc::Sender<Result<Bytes, String>>,
) -> (Value, Result<(), String>) {
    let mut digest = Sha256::new();
    let mut length = begun.first.len();
    digest.update(&begun.first);
    let mut listening = parts
        .send(Ok(Bytes::from(std::mem::take(&mut begun.first))))
        .await
        .is_ok();
    let mut whole = Ok(());
    while let Some(rest) = &mut begun.rest {
        match rest.chunk().await {
            Ok(Some(part)) => {
                digest.update(&part);
                length += part.len();
                // Once the caller is gone the answer's end is of use to nobody: its status is known.
                listening = listening && parts.send(Ok(part)).await.is_ok();
                if !listening {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                whole = Err(format!(
                    "the answer broke off after {length} bytes: {error}"
                ));
                break;
            }
        }
    }
    let report = match &whole {
        Ok(()) => {
            let mut data = brief(&begun, length, &digest.finalize());
            if !listening && let Some(members) = data.as_object_mut() {
                members.insert("cut_by_caller".to_owned(), json!(true));
            }
            outcome(begun.status, data)
        }
        Err(_) => json!({"status": "unknown"}),
    };
    (report, whole)
}

/// The answer as the rules about results left it.
fn handed(begun: Begun, envelope: &Value, data: &Value, asked: &Asked) -> Response {
    let withheld = envelope.pointer("/inspection/withheld");
    if let Some(denial) = withheld.filter(|denial| !denial.is_null()) {
        let text = denial
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let detail = format!("the request was sent, and its answer is withheld: {text}");
        let refusal = Refusal::new(StatusCode::FORBIDDEN, "result_withheld", detail);
        return refusal.with(envelope.clone()).response();
    }
    let mut headers = answer_headers(&begun.headers, asked);
    let replaced = envelope
        .pointer("/inspection/sanitized")
        .and_then(Value::as_array)
        .is_some_and(|places| !places.is_empty());
    let body = if replaced {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ETAG);
        let left = envelope.get("data").unwrap_or(data);
        Body::from(written_body(left))
    } else {
        Body::from(begun.first)
    };
    let mut response = with_headers(begun.status, headers, body);
    mark(&mut response, envelope);
    response
}

/// The answer to the same request before, where it was kept whole.
fn replayed(envelope: &Value, asked: &Asked) -> Option<Response> {
    let ended = matches!(envelope.get("status")?.as_str()?, "succeeded" | "failed");
    let data = envelope.get("data").filter(|_| ended)?;
    let status = u16::try_from(data.get("status")?.as_u64()?).ok()?;
    data.get("body")?;
    let mut headers = HeaderMap::new();
    for (name, value) in data.get("headers")?.as_object()? {
        let name: HeaderName = name.parse().ok()?;
        headers.insert(name, value.as_str()?.parse().ok()?);
    }
    let headers = answer_headers(&headers, asked);
    let body = Body::from(written_body(data));
    let mut response = with_headers(StatusCode::from_u16(status).ok()?, headers, body);
    mark(&mut response, envelope);
    let replayed = HeaderValue::from_static("true");
    response.headers_mut().insert("toolgate-replayed", replayed);
    Some(response)
}

fn written_body(data: &Value) -> String {
    match data.get("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(json) => json.to_string(),
    }
}

/// The headers that the caller gets. A redirect leads back through the proxy where its caller only
/// knows the proxy's address.
fn answer_headers(given: &HeaderMap, asked: &Asked) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        if !OF_THE_HOP.contains(&name.as_str()) {
            headers.append(name, value.clone());
        }
    }
    let location = given
        .get(header::LOCATION)
        .and_then(|place| place.to_str().ok());
    if let Some(place) = location
        .filter(|_| asked.by_path)
        .and_then(|place| through(place, &asked.url))
    {
        headers.insert(header::LOCATION, place);
    }
    headers
}

fn through(place: &str, base: &Url) -> Option<HeaderValue> {
    let place = base.join(place).ok()?;
    format!("/proxy/{place}").parse().ok()
}

fn with_headers(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
