//! Updates of resources on their way to one listener.
//!
//! A server says as often as it likes that a resource was updated; a listener who is slow, or away
//! for a moment, hears of it once. So no more waits here than there are resources.
//!
//! Must not know: who listens, how they are reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::Notify;
use toolgate_gate::port::ResourceSink;
use toolgate_model::json::Raw;

use super::limits::UPDATES_WAITING_MAX;

/// Updates that a listener has not been told of yet.
#[derive(Default)]
pub(super) struct Updates {
    /// By the resource that is followed and the one that was updated, which may be a part of it.
    waiting: Mutex<BTreeMap<(String, String), Update>>,
    arrived: Notify,
}

/// One update.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Update {
    /// The resource that is followed, as its listener knows it.
    pub(super) followed: String,
    /// What the server said, with the URI that its listener knows.
    pub(super) params: Map<String, Value>,
}

impl Updates {
    /// Where what a server says of the followed resource goes; `named` says by which URI clients
    /// know one of that server's.
    pub(super) fn sink(
        self: &Arc<Self>,
        followed: &str,
        named: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> ResourceSink {
        let (updates, followed) = (self.clone(), followed.to_owned());
        Arc::new(move |said: Raw| {
            let Ok(Value::Object(mut params)) = serde_json::from_str(said.get()) else {
                return;
            };
            let Some(uri) = params.get("uri").and_then(Value::as_str).map(&named) else {
                return;
            };
            params.insert("uri".to_owned(), uri.clone().into());
            let followed = followed.clone();
            updates.add(uri, Update { followed, params });
        })
    }

    /// The next update.
    pub(super) async fn next(&self) -> Update {
        loop {
            let arrived = self.arrived.notified();
            if let Some((_, update)) = self.waiting().pop_first() {
                return update;
            }
            arrived.await;
        }
    }

    /// Nobody wants to hear of this one any more.
    pub(super) fn forget(&self, followed: &str) {
        self.waiting().retain(|(of, _), _| of != followed);
    }

    fn add(&self, uri: String, update: Update) {
        let mut waiting = self.waiting();
        let key = (update.followed.clone(), uri);
        if waiting.len() < UPDATES_WAITING_MAX || waiting.contains_key(&key) {
            waiting.insert(key, update);
        }
        drop(waiting);
        // Also where nobody waits right now: the next one who does is let through at once.
        self.arrived.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(String, String), Update>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Updates;
    use futures_util::FutureExt as _;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn say(sink: &toolgate_gate::port::ResourceSink, params: &Value) {
        sink(serde_json::from_str(&params.to_string()).unwrap());
    }

    #[tokio::test]
    async fn a_resource_that_is_updated_often_is_told_of_once() {
        let updates = Arc::new(Updates::default());
        let sink = updates.sink("toolgate://crm/a:/", |uri| format!("toolgate://crm/{uri}"));
        for n in 0..3 {
            say(&sink, &json!({"uri": "a:/1", "n": n, "x": 1e2}));
        }
        say(&sink, &json!({"uri": "a:/2"}));
        for nothing in [json!({}), json!([]), json!({"uri": 7})] {
            say(&sink, &nothing);
        }
        let told = |update: super::Update| Value::Object(update.params).to_string();
        assert_eq!(
            told(updates.next().await),
            r#"{"uri":"toolgate://crm/a:/1","n":2,"x":100.0}"#
        );
        assert_eq!(
            told(updates.next().await),
            r#"{"uri":"toolgate://crm/a:/2"}"#
        );
        assert!(updates.next().now_or_never().is_none());
        say(&sink, &json!({"uri": "a:/3"}));
        updates.forget("toolgate://crm/a:/");
        assert!(updates.next().now_or_never().is_none());
    }
}
