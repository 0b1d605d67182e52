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
use toolgate_gate::port::{Clock, Tasks};
use toolgate_model::Duration;

use super::era::LEGACY;
use super::limits::{KEEP_ALIVE, RETRY_AFTER, STREAM_AFTER};
use super::message::{Rejected, RpcError};
use super::resume::Reader;
use super::session::Session;
use super::work::{Outgoing, Running};

/// The media type of a stream.
const EVENTS: &str = "text/event-stream";

/// Keeps a quiet stream open; nobody reads it.
const COMMENT: &str = ":\n\n";

/// Headers of a stream: nobody on the way is to keep, change or hold it back.
const STREAM_HEADERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, EVENTS),
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
    /// Whatever fits, and a stream rather than a text.
    StreamFirst,
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
        let stream = takes([EVENTS, "text/*"]);
        let first = all.split([',', ';']).next().unwrap_or_default().trim();
        match (json, stream) {
            (true, true) if first == EVENTS => Ok(Self::StreamFirst),
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

/// How a request is answered.
pub(super) struct Manner {
    /// What the client takes.
    pub(super) accept: Accept,
    /// Where its stream is kept, within a session.
    pub(super) taping: Option<Taping>,
    /// The gate's clock.
    pub(super) clock: Arc<dyn Clock>,
}

/// Where streams of a session are kept.
pub(super) struct Taping {
    /// The session.
    pub(super) session: Arc<Session>,
    /// Whose task it is to keep them.
    pub(super) tasks: Arc<dyn Tasks>,
}

impl Manner {
    /// How long nothing may be said before a stream begins.
    const fn patience(&self) -> Duration {
        match (&self.taping, self.accept) {
            (Some(_), _) | (_, Accept::StreamFirst) => STREAM_AFTER,
            (None, _) => KEEP_ALIVE,
        }
    }

    /// A stream of changes. `held` stays in place while somebody listens.
    pub(super) fn changes(self, running: Running, held: impl Send + 'static) -> Response {
        self.stream((running, None), held)
    }

    /// A stream of what is under way, after what was heard already.
    fn stream(
        self,
        (running, first): (Running, Option<Heard>),
        held: impl Send + 'static,
    ) -> Response {
        let Some(taping) = self.taping else {
            return events(running, first, self.clock);
        };
        let tape = taping.session.tapes.begin();
        let reader = tape.read(0);
        // Older clients would take an event without a message for a broken one.
        let opening = (taping.session.version == LEGACY[0]).then(|| {
            let (id, retry) = (tape.beginning(), RETRY_AFTER.as_millis());
            format!("id: {id}\nretry: {retry}\ndata: \n\n")
        });
        let first = match first {
            Some(Heard::Message(message)) => Some(message),
            Some(Heard::Quiet) | None => None,
        };
        let work = Box::pin(tape.record(running, first));
        taping.tasks.spawn("mcp-tape", work);
        taped((reader, opening), self.clock, (taping.session, held))
    }
}

/// Waits for what is under way, and answers in a form that the client takes.
pub(super) async fn respond(mut running: Running, manner: Manner) -> Response {
    if manner.accept == Accept::Stream {
        return manner.stream((running, None), ());
    }
    loop {
        let heard = hear(&mut running, &manner.clock, manner.patience()).await;
        match (heard, manner.accept) {
            (Some(Heard::Message(Outgoing::Answer { status, text })), accept)
                if accept != Accept::StreamFirst || status != 200 =>
            {
                return json(status, text);
            }
            (Some(first), Accept::Either | Accept::StreamFirst) => {
                return manner.stream((running, Some(first)), ());
            }
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
fn events(running: Running, first: Option<Heard>, clock: Arc<dyn Clock>) -> Response {
    let state = Some((running, first, clock));
    let frames = stream::unfold(state, |state| async move {
        let (mut running, first, clock) = state?;
        let heard = match first {
            Some(heard) => heard,
            None => hear(&mut running, &clock, KEEP_ALIVE).await?,
        };
        let (text, last) = match heard {
            Heard::Quiet => (COMMENT.to_owned(), false),
            Heard::Message(Outgoing::Notification(text)) => (event(&text), false),
            Heard::Message(Outgoing::Answer { text, .. }) => (event(&text), true),
        };
        let state = (!last).then_some((running, None, clock));
        Some((Ok::<_, Infallible>(Bytes::from(text)), state))
    });
    streamed(Body::from_stream(frames))
}

/// A stream of events that are kept on a tape, after what opens it. `held` stays in place meanwhile.
pub(super) fn taped(
    (reader, opening): (Reader, Option<String>),
    clock: Arc<dyn Clock>,
    held: impl Send + 'static,
) -> Response {
    let state = Some((reader, opening, clock, held));
    let frames = stream::unfold(state, |state| async move {
        let (mut reader, opening, clock, held) = state?;
        if let Some(opening) = opening {
            return Some((Ok(Bytes::from(opening)), Some((reader, None, clock, held))));
        }
        let alarm = clock.sleep_until(clock.now().plus(KEEP_ALIVE));
        let (text, last) = match select(Box::pin(reader.next()), alarm).await {
            Either::Left((said, _)) => {
                let said = said?;
                (format!("id: {}\n{}", said.id, event(&said.text)), said.last)
            }
            Either::Right(_) => (COMMENT.to_owned(), false),
        };
        let state = (!last).then_some((reader, None, clock, held));
        Some((Ok::<_, Infallible>(Bytes::from(text)), state))
    });
    streamed(Body::from_stream(frames))
}

fn streamed(body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    for (name, value) in STREAM_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is heard next; nothing at the end.
async fn hear(running: &mut Running, clock: &Arc<dyn Clock>, patience: Duration) -> Option<Heard> {
    let alarm = clock.sleep_until(clock.now().plus(patience));
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
