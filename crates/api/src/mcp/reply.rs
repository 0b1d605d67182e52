//! Answers as HTTP: one JSON text, or a stream of events with the answer as the last one.
//!
//! A stream is begun only when something comes before the answer, or when the answer takes long
//! enough for a proxy to lose patience; until then the status can still say what happened.
//!
//! Must not know: what the messages say.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, select};
use futures_util::stream;
use toolgate_gate::port::Clock;

use super::limits::KEEP_ALIVE;
use super::message::{Rejected, RpcError};
use super::work::{Outgoing, Running};

/// Headers of a stream: nobody on the way is to keep, change or hold it back.
const STREAM_HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/event-stream"),
    (header::CACHE_CONTROL, "no-cache, no-transform"),
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// What a client takes for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accept {
    /// One JSON text only.
    Json,
    /// A stream only.
    Stream,
    /// Whatever fits.
    Either,
}

impl Accept {
    /// Reads the `Accept` header; without one a JSON text is meant.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, RpcError> {
        let text: Vec<&str> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let all = text.join(",").to_ascii_lowercase();
        let takes = |kinds: [&str; 2]| {
            all.split(',').any(|part| {
                let kind = part.split(';').next().unwrap_or_default().trim();
                kinds.contains(&kind)
            })
        };
        let json = all.trim().is_empty()
            || takes(["application/json", "application/*"])
            || takes(["*/*", "*/*"]);
        let stream = takes(["text/event-stream", "text/*"]);
        match (json, stream) {
            (true, true) => Ok(Self::Either),
            (true, false) => Ok(Self::Json),
            (false, true) => Ok(Self::Stream),
            (false, false) => Err(RpcError::refused(
                406,
                "the client must accept `application/json` and `text/event-stream`",
            )),
        }
    }
}

/// A message as one JSON text.
pub(super) fn json(status: u16, text: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// An error, with the status that fits it.
pub(super) fn refusal(rejected: &Rejected) -> Response {
    json(rejected.error.status, rejected.text())
}

/// What is said to a message that wants no answer.
pub(super) fn accepted() -> Response {
    StatusCode::ACCEPTED.into_response()
}

/// What was heard of a request under way.
pub(super) enum Heard {
    /// A message of it.
    Message(Outgoing),
    /// Nothing for a while.
    Quiet,
}

/// Waits for what is under way, and answers in a form that the client takes.
pub(super) async fn respond(
    mut running: Running,
    accept: Accept,
    clock: &Arc<dyn Clock>,
) -> Response {
    if accept == Accept::Stream {
        return events(running, None, clock.clone());
    }
    loop {
        match (hear(&mut running, clock).await, accept) {
            (Some(Heard::Message(Outgoing::Answer { status, text })), _) => {
                return json(status, text);
            }
            (Some(first), Accept::Either) => return events(running, Some(first), clock.clone()),
            // Whoever takes one JSON text only waits for it in silence.
            (Some(_), _) => {}
            (None, _) => return unanswered(&running),
        }
    }
}

/// Where no answer comes the request was given up, and nobody waits for one; or the work broke off.
fn unanswered(running: &Running) -> Response {
    if running.is_cancelled() {
        return accepted();
    }
    refusal(&RpcError::defect().for_nobody())
}

/// A stream of events that begins with what was heard already and ends with the answer.
pub(super) fn events(running: Running, first: Option<Heard>, clock: Arc<dyn Clock>) -> Response {
    let state = Some((running, first, clock));
    let frames = stream::unfold(state, |state| async move {
        let (mut running, first, clock) = state?;
        let heard = match first {
            Some(heard) => heard,
            None => hear(&mut running, &clock).await?,
        };
        let (text, last) = match heard {
            Heard::Quiet => (":\n\n".to_owned(), false),
            Heard::Message(Outgoing::Notification(text)) => (event(&text), false),
            Heard::Message(Outgoing::Answer { text, .. }) => (event(&text), true),
        };
        let state = (!last).then_some((running, None, clock));
        Some((Ok::<_, Infallible>(Bytes::from(text)), state))
    });
    let mut response = Body::from_stream(frames).into_response();
    let headers = response.headers_mut();
    for (name, value) in STREAM_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is heard next; nothing at the end.
async fn hear(running: &mut Running, clock: &Arc<dyn Clock>) -> Option<Heard> {
    let alarm = clock.sleep_until(clock.now().plus(KEEP_ALIVE));
    match select(Box::pin(running.next()), alarm).await {
        Either::Left((message, _)) => message.map(Heard::Message),
        Either::Right(_) => Some(Heard::Quiet),
    }
}

/// One event. A message has no line break in it, or an attacker could write events of their own.
fn event(text: &str) -> String {
    format!(
        "event: message\ndata: {}\n\n",
        text.replace(['\r', '\n'], " ")
    )
}
