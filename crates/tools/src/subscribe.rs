//! Keeps what is subscribed at a server in step with what is followed ([`News`]).
//!
//! A legacy server takes one request a URI, to begin and to end. A modern one takes a stream for
//! all of them together, so each change opens another, and the older one goes on until the newer
//! one stands: nothing is missed in between. After a gap, which is what a new connection is, the
//! followers are told to read again.
//!
//! Must not know: who follows, what an update says.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, json};
use tokio::sync::watch;
use toolgate_gate::port::BoxFuture;
use toolgate_model::Duration;

use crate::era::Era;
use crate::exchange::Exchange;
use crate::follow::News;
use crate::ports::Ports;
use crate::session::Session;

/// How long a server may take to begin or end a subscription.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(10);
/// How long until what failed is tried again.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(5);

type Uris = BTreeSet<Arc<str>>;

/// What follows are kept with.
#[derive(Clone, Copy)]
pub(crate) struct Keeper<'a> {
    pub(crate) session: &'a Session,
    pub(crate) news: &'a News,
    pub(crate) ports: &'a Ports,
    pub(crate) source: &'a str,
}

impl<'a> Keeper<'a> {
    /// Keeps the subscriptions of one conversation for as long as it lasts.
    pub(crate) async fn keep(self) {
        if !self.session.server.states("resources", "subscribe") {
            return std::future::pending().await;
        }
        let followed = self.news.followed();
        // Whoever followed before this conversation began may have missed something.
        let gap = !followed.borrow().is_empty();
        match self.session.server.era {
            Era::Modern => self.keep_stream(followed, gap).await,
            Era::Legacy(_) => self.keep_each(followed, gap).await,
        }
    }

    async fn keep_each(self, mut followed: watch::Receiver<Uris>, mut gap: bool) {
        let mut subscribed = Uris::new();
        let mut refused = Uris::new();
        loop {
            let wanted = followed.borrow_and_update().clone();
            refused.retain(|uri| wanted.contains(uri));
            let ended: Vec<_> = subscribed.difference(&wanted).cloned().collect();
            for uri in ended {
                self.ask("resources/unsubscribe", &uri).await;
                subscribed.remove(&uri);
            }
            let fresh: Vec<_> = wanted.difference(&subscribed).cloned().collect();
            for uri in fresh
                .into_iter()
                .filter(|uri| !refused.contains(uri))
                .collect::<Vec<_>>()
            {
                match self.ask("resources/subscribe", &uri).await {
                    Some(Exchange::Result(_)) => {
                        subscribed.insert(uri);
                    }
                    Some(Exchange::Error { .. } | Exchange::Malformed(_)) => {
                        refused.insert(uri);
                    }
                    Some(_) | None => {}
                }
            }
            if std::mem::take(&mut gap) {
                self.news.missed();
            }
            let settled = subscribed.len() + refused.len() == wanted.len();
            tokio::select! {
                changed = followed.changed() => if changed.is_err() { return },
                () = self.ports.sleep(SUBSCRIBE_AGAIN), if !settled => {}
            }
        }
    }

    async fn ask(self, method: &'static str, uri: &str) -> Option<Exchange> {
        let params = Map::from_iter([("uri".to_owned(), uri.into())]);
        let exchange = self.session.ask(method, params, SUBSCRIBE_WAIT).await;
        if !matches!(exchange, Some(Exchange::Result(_))) {
            let why = exchange.as_ref().map(Exchange::in_words);
            let why = why.unwrap_or_else(|| format!("no answer within {SUBSCRIBE_WAIT}"));
            tracing::warn!(source = self.source, method, uri, why, "not subscribed");
        }
        exchange
    }

    async fn keep_stream(self, mut followed: watch::Receiver<Uris>, mut gap: bool) {
        let mut older: Option<Stream<'a>> = None;
        loop {
            let wanted = followed.borrow_and_update().clone();
            if wanted.is_empty() {
                drop(older.take());
                if followed.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let mut newer = self.open(&wanted);
            self.stand(&mut newer, older.take()).await;
            if newer.end.is_none() && std::mem::take(&mut gap) {
                self.news.missed();
            }
            let ended = tokio::select! {
                ended = newer.ended() => ended,
                changed = followed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    older = Some(newer);
                    continue;
                }
            };
            tracing::debug!(source = self.source, why = ended, "a subscription ended");
            gap = true;
            self.ports.sleep(SUBSCRIBE_AGAIN).await;
        }
    }

    fn open(self, uris: &Uris) -> Stream<'a> {
        let uris: Vec<&str> = uris.iter().map(AsRef::as_ref).collect();
        let (id, answer) = self.session.listen(json!({"resourceSubscriptions": uris}));
        Stream {
            session: self.session,
            id,
            answer,
            end: None,
        }
    }

    /// Waits until the newer stream stands, or it is clear that nobody will say so; the older one
    /// is heard until then.
    async fn stand(self, newer: &mut Stream<'a>, older: Option<Stream<'a>>) {
        let acknowledged = self.news.acknowledged(newer.id);
        let older = async {
            if let Some(mut older) = older {
                older.ended().await;
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            () = acknowledged => {}
            _ = newer.ended() => {}
            () = self.ports.sleep(SUBSCRIBE_WAIT) => {}
            never = older => never,
        }
    }
}

/// A stream of notifications that the server was asked for; dropping it ends it there too.
struct Stream<'a> {
    session: &'a Session,
    id: u64,
    answer: BoxFuture<'a, Exchange>,
    end: Option<String>,
}

impl Stream<'_> {
    /// Resolves with the reason once the server ended it.
    async fn ended(&mut self) -> String {
        if let Some(end) = &self.end {
            return end.clone();
        }
        let end = (&mut self.answer).await.in_words();
        self.end = Some(end.clone());
        end
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.session
                .link
                .cancel(self.id, "nobody follows these resources any more");
        }
    }
}
