//! A stream of events read to its end, and on from there where it broke.
//!
//! A legacy server may close the stream of a call before its answer and say by the ids of its
//! events that it can be taken up again: a GET with the last id gives what came since. That only
//! listens; the call itself is never sent again. The modern era has no such thing: there a stream
//! that ends without an answer is a lost one.
//!
//! Must not know: what the events say.

use std::sync::Arc;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use toolgate_model::Duration;

use super::knock::Unasked;
use super::{Shared, content_type, words};
use crate::era::Era;
use crate::exchange::Exchange;
use crate::sse::Events;

/// The request whose own stream something comes on, and how many bytes that may have.
pub(super) type Stream = (Option<u64>, usize);

/// How long until a broken stream is taken up again, where the server does not say.
const RESUME_AFTER: Duration = Duration::from_secs(1);
/// LIMIT: no server is asked more often than that, whatever it says, nor more seldom.
const RESUME_PAUSE_MIN: Duration = Duration::from_millis(100);
const RESUME_PAUSE_MAX: Duration = Duration::from_secs(30);
/// LIMIT: how often in a row a stream is taken up again without one event more.
const FRUITLESS_MAX: u32 = 5;

const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

impl Shared {
    /// Reads a stream and feeds it to the board until it is over for good. What is returned counts
    /// only where the board has no answer.
    pub(super) async fn receive_events(
        self: &Arc<Self>,
        response: Response,
        (of, mut bytes_left): Stream,
    ) -> Exchange {
        let mut events = Events::new(self.message_bytes_max);
        let mut fruitless = 0;
        let mut next = Ok(response);
        loop {
            let before = events.seen();
            let why = match next {
                Ok(response) => {
                    let stream = (of, &mut bytes_left);
                    match self.read_events(response, &mut events, stream).await {
                        Exchange::Broken(why) => why,
                        other => return other,
                    }
                }
                Err(why) => why,
            };
            fruitless = if events.seen() > before {
                0
            } else {
                fruitless + 1
            };
            let Some(last) = self
                .resumes_at(&mut events)
                .filter(|_| fruitless < FRUITLESS_MAX)
            else {
                return Exchange::Broken(why);
            };
            self.ports.sleep(pause(events.retry())).await;
            next = match self.take_up(last).await {
                Ok(response) => Ok(response),
                Err(Missed::Again(why)) => Err(why),
                Err(Missed::Refused(why)) => return Exchange::Broken(why),
            };
        }
    }

    async fn read_events(
        self: &Arc<Self>,
        mut response: Response,
        events: &mut Events,
        (of, bytes_left): (Option<u64>, &mut usize),
    ) -> Exchange {
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => {
                    return Exchange::Broken("its stream ended without an answer".to_owned());
                }
                Err(error) => return Exchange::Broken(words(&error)),
            };
            let room = bytes_left.checked_sub(chunk.len());
            match (events.push(&chunk), room) {
                (Ok(whole), Some(room)) => {
                    *bytes_left = room;
                    whole.iter().for_each(|text| self.feed(text, of));
                }
                _ => return Exchange::Malformed("its stream is longer than allowed".to_owned()),
            }
        }
    }

    /// The id after which the stream can be taken up again, if it can.
    fn resumes_at(&self, events: &mut Events) -> Option<HeaderValue> {
        events.cut();
        let legacy = matches!(self.era(), Some(Era::Legacy(_)));
        let alive = legacy && !self.ended.is_cancelled();
        let last = events.last_id().filter(|_| alive)?;
        HeaderValue::from_bytes(last).ok()
    }

    /// Asks for what came on a stream after this event.
    async fn take_up(&self, last: HeaderValue) -> Result<Response, Missed> {
        let asked = self.knock(|it| {
            let asking = self.prepare(Method::GET, it);
            asking.header(LAST_EVENT, last.clone())
        });
        let response = match asked.await {
            Ok(response) => response,
            Err(unasked) => return Err(Missed::Again(unasked.in_words())),
        };
        let status = response.status();
        if status.is_server_error() {
            return Err(Missed::Again(format!("HTTP {}", status.as_u16())));
        }
        if status == StatusCode::OK && content_type(&response) == "text/event-stream" {
            return Ok(response);
        }
        if status == StatusCode::NOT_FOUND {
            self.end("its session has expired");
        }
        Err(Missed::Refused(format!(
            "its stream ended without an answer, and HTTP {} says that it cannot be taken up again",
            status.as_u16()
        )))
    }

    /// The stream of a legacy server's own notifications, if it offers one.
    pub(super) async fn listen_legacy(self: &Arc<Self>) -> Exchange {
        match self.knock(|it| self.prepare(Method::GET, it)).await {
            Ok(response) if response.status() == StatusCode::OK => {
                self.receive_events(response, (None, usize::MAX)).await
            }
            Ok(response) => self.refused(response).await,
            Err(Unasked::Failed(error)) => self.unsent(&error),
            Err(Unasked::NoCredential(why)) => Exchange::NotSent(why),
        }
    }
}

/// Why a stream could not be taken up again.
enum Missed {
    /// It may still work.
    Again(String),
    /// It never will.
    Refused(String),
}

fn pause(said: Option<u64>) -> Duration {
    let bounds = RESUME_PAUSE_MIN.as_millis()..=RESUME_PAUSE_MAX.as_millis();
    let said = said.map_or(RESUME_AFTER.as_millis(), |said| {
        i64::try_from(said).unwrap_or(i64::MAX)
    });
    let millis = said.clamp(*bounds.start(), *bounds.end());
    Duration::from_millis(u32::try_from(millis).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn a_server_says_when_within_bounds() {
        let pauses = [None, Some(0), Some(500), Some(u64::MAX)].map(|said| pause(said).to_string());
        assert_eq!(pauses, ["1s", "100ms", "500ms", "30s"]);
    }
}
