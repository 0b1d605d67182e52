//! A client that says exactly what it is told, and answers that can be compared.
//!
//! [`Answer::show`] is stable: ids, digests and session ids are numbered in the order they appear.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::world::World;

/// A request being put together.
pub(crate) struct Sending<'w> {
    world: &'w World,
    request: Request<Body>,
}

impl<'w> Sending<'w> {
    pub(crate) fn new(world: &'w World, request: Request<Body>) -> Self {
        Self { world, request }
    }

    /// Sets a header, or takes it away where the value is empty.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: axum::http::HeaderName = name.parse().unwrap();
        if value.is_empty() {
            self.request.headers_mut().remove(name);
        } else {
            self.request
                .headers_mut()
                .insert(name, value.parse().unwrap());
        }
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, text: &str) -> Self {
        *self.request.body_mut() = Body::from(text.to_owned());
        self
    }

    /// A body that begins and never ends.
    pub(crate) fn dripping(mut self) -> Self {
        let begin = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("{")]);
        let never = futures_util::stream::pending();
        *self.request.body_mut() = Body::from_stream(futures_util::StreamExt::chain(begin, never));
        self
    }

    /// Sends it and reads the answer to its end.
    pub(crate) async fn await_answer(self) -> Answer {
        let (world, stream) = (self.world, self.await_stream().await);
        let bytes = stream.body.collect().await.unwrap().to_bytes();
        Answer {
            status: stream.status,
            headers: stream.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
            names: world.names.clone(),
        }
    }

    /// Sends it and reads the answer bit by bit.
    pub(crate) async fn await_stream(self) -> Stream {
        let response = self
            .world
            .router
            .clone()
            .oneshot(self.request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        Stream {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            names: self.world.names.clone(),
        }
    }
}

/// An answer that comes bit by bit.
pub(crate) struct Stream {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Body,
    names: Arc<Mutex<Names>>,
}

impl Stream {
    /// The next bit; empty at the end.
    pub(crate) async fn next(&mut self) -> String {
        let frame = soon(self.body.frame()).await;
        let data = frame
            .map(|frame| frame.unwrap().into_data().unwrap())
            .unwrap_or_default();
        self.names
            .lock()
            .unwrap()
            .redact(std::str::from_utf8(&data).unwrap())
    }
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    names: Arc<Mutex<Names>>,
}

impl Answer {
    /// Status and body, with ids numbered.
    pub(crate) fn show(&self) -> String {
        let mut names = self.names.lock().unwrap();
        format!("{} {}", self.status, names.redact(self.body.trim_end()))
    }

    /// The message; of a stream the last one.
    pub(crate) fn json(&self) -> Value {
        let last = self
            .body
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("data: "));
        serde_json::from_str(last.unwrap_or(&self.body)).unwrap_or_else(|_| panic!("{}", self.body))
    }

    /// The text that a model reads.
    pub(crate) fn text(&self) -> String {
        let text = self.json()["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned();
        self.names.lock().unwrap().redact(&text)
    }

    /// The envelope in `_meta`.
    pub(crate) fn envelope(&self) -> Value {
        self.json()["result"]["_meta"]["dev.toolgate/outcome"].clone()
    }

    /// The message without its `_meta`, which says much and is shown where it matters.
    pub(crate) fn bare(&self) -> String {
        let mut message = self.json();
        if let Some(Value::Object(result)) = message.get_mut("result") {
            result.shift_remove("_meta");
        }
        let mut names = self.names.lock().unwrap();
        format!("{} {}", self.status, names.redact(&message.to_string()))
    }
}

/// What comes within an hour of the paused clock: a test that waits in vain says so.
pub(crate) async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let hour = std::time::Duration::from_secs(3_600);
    tokio::time::timeout(hour, coming)
        .await
        .expect("it never came")
}

/// Ids by the order in which they appeared.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<String, String>,
    counts: HashMap<String, usize>,
}

impl Names {
    pub(crate) fn redact(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        const PREFIXES: [&str; 6] = ["inv_", "apr_", "evt_", "key_", "mcp_", "sha256:"];
        while !rest.is_empty() {
            let found = PREFIXES.iter().find(|prefix| rest.starts_with(**prefix));
            let hex = |tail: &str| tail.bytes().take_while(u8::is_ascii_hexdigit).count();
            match found.map(|prefix| (prefix, hex(&rest[prefix.len()..]))) {
                Some((prefix, digits)) if digits >= 32 => {
                    let (id, tail) = rest.split_at(prefix.len() + digits);
                    out.push_str(&self.name(prefix, id));
                    rest = tail;
                }
                _ => {
                    let next = rest.chars().next().unwrap();
                    out.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        out
    }

    fn name(&mut self, prefix: &str, id: &str) -> String {
        let counts = &mut self.counts;
        let fresh = || {
            let count = counts.entry(prefix.to_owned()).or_default();
            *count += 1;
            format!("{prefix}{count}")
        };
        self.known
            .entry(id.to_owned())
            .or_insert_with(fresh)
            .clone()
    }
}
