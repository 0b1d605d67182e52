//! One request under way: what it says meanwhile, its answer, and how it is given up.
//!
//! A call runs as a task of its own, because what was admitted runs to its end even if nobody
//! waits any more. It speaks through an [`Outlet`]; over HTTP each request has one of its own, and
//! what the transport holds is the other end, a [`Running`]. In the modern era letting go of that
//! is how a client cancels. Over stdio all requests share one outlet.
//!
//! Must not know: methods, HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::ProgressSink;

use super::limits::NOTIFICATIONS_QUEUED_MAX;
use super::message::notification;

/// A message on its way out.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Something before the answer.
    Notification(String),
    /// The answer; nothing comes after it.
    Answer {
        /// The HTTP status that fits it.
        status: u16,
        /// The whole message.
        text: String,
    },
}

/// A request under way, as its transport sees it.
pub(super) struct Running {
    messages: mpsc::Receiver<Outgoing>,
    cancelled: CancellationToken,
    departure: Departure,
}

/// What it means that a client goes away without its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// It gives the request up.
    Cancels,
    /// Nothing: in the legacy era connections just break, and giving up is said in words.
    IsIgnored,
}

/// Where a request under way says something.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    sender: mpsc::Sender<Outgoing>,
}

/// Both ends of a request under way, which `cancelled` gives up.
pub(super) fn channel(cancelled: &CancellationToken, departure: Departure) -> (Outlet, Running) {
    let (outlet, messages) = Outlet::queue(NOTIFICATIONS_QUEUED_MAX);
    (
        outlet,
        Running {
            messages,
            cancelled: cancelled.clone(),
            departure,
        },
    )
}

impl Running {
    /// The next message; none after the answer, or where there will be none.
    pub(super) async fn next(&mut self) -> Option<Outgoing> {
        self.messages.recv().await
    }

    /// The answer, without what comes before it.
    pub(super) async fn answer(mut self) -> Option<String> {
        while let Some(message) = self.next().await {
            if let Outgoing::Answer { text, .. } = message {
                return Some(text);
            }
        }
        None
    }

    /// Whether the request was given up.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.departure == Departure::Cancels {
            self.cancelled.cancel();
        }
    }
}

impl Outlet {
    /// An outlet and the queue that it fills.
    pub(super) fn queue(room: usize) -> (Self, mpsc::Receiver<Outgoing>) {
        let (sender, messages) = mpsc::channel(room);
        (Self { sender }, messages)
    }

    /// Says something that must not be lost; false where nobody listens any more.
    pub(super) async fn say(&self, message: Outgoing) -> bool {
        self.sender.send(message).await.is_ok()
    }

    /// Says something that may be lost where the listener is slow.
    pub(super) fn mention(&self, text: String) {
        // A full queue or a listener who left: progress is a courtesy.
        let _lost = self.sender.try_send(Outgoing::Notification(text));
    }
}

/// Progress of one request, where its client asked for it.
#[derive(Clone)]
pub(super) struct Progress {
    token: Option<Value>,
    outlet: Outlet,
    cancelled: CancellationToken,
    // The last value that was sent; none any more once the request has ended.
    last: Arc<Mutex<Option<f64>>>,
}

impl Progress {
    /// Progress under the token in the request's `_meta`, if there is a proper one.
    /// A request that was given up says nothing more.
    pub(super) fn of(
        params: &Map<String, Value>,
        outlet: &Outlet,
        cancelled: &CancellationToken,
    ) -> Self {
        let token = params
            .get("_meta")
            .and_then(|meta| meta.get("progressToken"));
        Self {
            token: token.filter(|token| super::message::is_id(token)).cloned(),
            outlet: outlet.clone(),
            cancelled: cancelled.clone(),
            last: Arc::new(Mutex::new(Some(f64::NEG_INFINITY))),
        }
    }

    /// Where a tool's own progress goes.
    pub(super) fn sink(&self) -> Option<ProgressSink> {
        self.token.as_ref()?;
        let progress = self.clone();
        Some(Arc::new(move |params| progress.relay(params)))
    }

    /// Says that the request still waits.
    pub(super) fn tick(&self, message: &str) {
        let mut params = Map::new();
        params.insert("message".to_owned(), message.into());
        self.send(
            params,
            |last| if last.is_finite() { last + 1.0 } else { 0.0 },
        );
    }

    /// Where the request speaks.
    pub(super) const fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Says something else before the answer.
    pub(super) fn aside(&self, text: String) {
        if self.last().is_some() && !self.cancelled.is_cancelled() {
            self.outlet.mention(text);
        }
    }

    /// Nothing is said after the answer.
    pub(super) fn end(&self) {
        *self.last() = None;
    }

    /// Passes on what a tool says, if it is further than before.
    pub(super) fn relay(&self, params: Value) {
        let Value::Object(params) = params else {
            return;
        };
        let Some(value) = params.get("progress").and_then(Value::as_f64) else {
            return;
        };
        self.send(params, |_| value);
    }

    fn send(&self, mut params: Map<String, Value>, value: impl FnOnce(f64) -> f64) {
        let Some(token) = &self.token else { return };
        let mut last = self.last();
        let Some(before) = last.filter(|_| !self.cancelled.is_cancelled()) else {
            return;
        };
        let now = value(before);
        // INVARIANT: values increase with each message, whatever a tool says.
        if now.partial_cmp(&before) != Some(std::cmp::Ordering::Greater) {
            return;
        }
        *last = Some(now);
        params.insert("progressToken".to_owned(), token.clone());
        params.entry("progress").or_insert_with(|| now.into());
        self.outlet.mention(notification(
            "notifications/progress",
            &Value::Object(params),
        ));
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<f64>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Departure, Outgoing, Progress, Running, channel};
    use expect_test::expect;
    use serde_json::{Value, json};
    use tokio_util::sync::CancellationToken;

    fn progress(meta: Value) -> (Progress, Running, CancellationToken) {
        let cancelled = CancellationToken::new();
        let (outlet, running) = channel(&cancelled, Departure::IsIgnored);
        let Value::Object(params) = json!({"_meta": meta}) else {
            panic!()
        };
        (
            Progress::of(&params, &outlet, &cancelled),
            running,
            cancelled,
        )
    }

    fn said(running: &mut Running) -> String {
        let mut said = String::new();
        while let Ok(Outgoing::Notification(text)) = running.messages.try_recv() {
            said.push_str(&text);
            said.push('\n');
        }
        said
    }

    #[test]
    fn progress_only_ever_increases_and_ends_with_the_answer() {
        let (progress, mut running, _) = progress(json!({"progressToken": "p"}));
        let sink = progress.sink().unwrap();
        for step in [
            json!({"progressToken": 7, "progress": 0.5, "total": 2, "vendor": [1]}),
            json!({"progressToken": 7, "progress": 0.5}),
            json!({"progressToken": 7, "progress": 0.25}),
            json!({"progressToken": 7}),
            json!("garbage"),
            json!({"progressToken": 7, "progress": 1}),
        ] {
            sink(step);
        }
        progress.tick("waiting");
        progress.end();
        sink(json!({"progress": 9}));
        progress.tick("still waiting");
        expect![[r#"
            {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":0.5,"total":2,"vendor":[1]}}
            {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}
            {"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"waiting","progressToken":"p","progress":2.0}}
        "#]]
        .assert_eq(&said(&mut running));
    }

    #[test]
    fn a_request_that_was_given_up_says_nothing_more() {
        let (progress, mut running, cancelled) = progress(json!({"progressToken": 1}));
        progress.tick("waiting");
        cancelled.cancel();
        progress.tick("waiting");
        assert_eq!(said(&mut running).lines().count(), 1);
    }

    #[test]
    fn without_a_proper_token_nothing_is_said() {
        for meta in [
            json!({}),
            json!({"progressToken": null}),
            json!({"progressToken": 1.5}),
        ] {
            let (progress, mut running, _) = progress(meta);
            assert!(progress.sink().is_none());
            progress.tick("waiting");
            assert_eq!(said(&mut running), "");
        }
    }

    #[test]
    fn letting_go_cancels_only_where_that_means_something() {
        for departure in [Departure::Cancels, Departure::IsIgnored] {
            let cancelled = CancellationToken::new();
            drop(channel(&cancelled, departure));
            assert_eq!(cancelled.is_cancelled(), departure == Departure::Cancels);
        }
    }
}
