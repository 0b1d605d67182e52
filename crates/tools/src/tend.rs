//! What is done with a conversation for as long as it lasts.
//!
//! Its lists are read again whenever the server says that they changed, and now and then; its
//! notifications are listened to; what is followed stays subscribed; and when its calls get no
//! answers it is asked whether it still gives any. Nothing here ends a conversation by itself but
//! a server that cannot be reached, or is silent for long while nobody waits for it.
//!
//! Must not know: how a conversation is opened, what happens after it.

use std::sync::Arc;

use futures_util::future::{join, join_all};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use toolgate_model::{Announced, Duration, SourceHealth};

use crate::era::{Era, Server};
use crate::exchange::Exchange;
use crate::guard::Guard;
use crate::offers::Shelves;
use crate::pages::{self, List, ListError, Listing};
use crate::session::Session;
use crate::source::{Source, with_observations};
use crate::subscribe::Keeper;
use crate::supply::OnOffer;

/// How often the lists are read unasked: it also shows whether the server still answers.
const RELIST_EVERY: Duration = Duration::from_secs(300);
/// LIMIT: a server that changes its lists all the time is read this often at most. Half a second:
/// a client that waits for a change that it caused itself has not given up by then.
const RELIST_GAP: Duration = Duration::from_millis(500);
/// How long until a broken stream of notifications is opened again.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
/// How long one list of what is offered besides tools may take; the tools do not wait for more.
const SHELF_WAIT: Duration = Duration::from_secs(10);

/// Everything that a server listed.
pub(crate) struct Listed {
    pub(crate) tools: Listing,
    pub(crate) shelves: Shelves,
    /// What had been announced before it was listed.
    pub(crate) announced: Announced,
}

impl Source {
    /// Stays with a conversation until it ends; gives the reason.
    pub(crate) async fn tend(
        &self,
        session: &Arc<Session>,
        stop: &CancellationToken,
        on_offer: &OnOffer,
    ) -> String {
        self.news.begin();
        let keeper = Keeper {
            session,
            news: &self.news,
            ports: &self.ports,
            source: &self.config.name,
        };
        let guard = Guard {
            session,
            breaker: &self.breaker,
            ports: &self.ports,
            source: &self.config.name,
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => "the gate is stopping".to_owned(),
            reason = session.link.ended() => with_observations(reason, session.link.as_ref()),
            reason = self.relist(session, on_offer) => reason,
            () = self.listen(session) => "it cannot be listened to".to_owned(),
            () = keeper.keep() => "nobody can follow it".to_owned(),
            reason = guard.watch(|| self.is_busy()) => reason,
        }
    }

    /// Reads all lists of a server: without its tools it is of no use, and of the others each
    /// costs only itself.
    pub(crate) async fn list(&self, session: &Session) -> Result<Listed, ListError> {
        let announced = self.news.announced();
        let tools = pages::list(session, List::Tools, self.config.limits.tools_max);
        let (tools, shelves) = join(tools, self.shelves(session)).await;
        Ok(Listed {
            tools: tools?,
            shelves,
            announced,
        })
    }

    async fn shelves(&self, session: &Session) -> Shelves {
        let wanted = Shelves::wanted(&session.server);
        let max = self.config.limits.offers_max;
        let all = wanted.into_iter().map(async |list| {
            let listing = self
                .ports
                .within(SHELF_WAIT, pages::list(session, list, max));
            (list, listing.await)
        });
        let mut shelves = Shelves::default();
        for (list, listing) in join_all(all).await {
            match listing {
                Some(Ok(listing)) => shelves.put(list, listing),
                Some(Err(error)) => shelves.miss(list, error.reason),
                None => {
                    let noun = list.noun();
                    let why = format!("it did not list its {noun} within {SHELF_WAIT}");
                    shelves.miss(list, why);
                }
            }
        }
        shelves
    }

    /// Lists again whenever something changed and now and then; ends with the reason once nothing
    /// can be sent any more.
    async fn relist(&self, session: &Arc<Session>, on_offer: &OnOffer) -> String {
        loop {
            tokio::select! {
                () = self.news.changed.notified() => {}
                () = self.ports.sleep(RELIST_EVERY) => {}
            }
            match self.list(session).await {
                Ok(listed) => self.take(session, &listed, on_offer),
                Err(error) if error.unreachable => return error.reason,
                Err(error) => {
                    // A server that is busy with a long call is no dead one: its tools stay.
                    self.breaker.count();
                    self.enter(SourceHealth::Up, Some(error.reason), Some(session));
                }
            }
            self.ports.sleep(RELIST_GAP).await;
        }
    }

    /// Listens for changes for ever; what may have been missed in between is listed again.
    async fn listen(&self, session: &Session) {
        let Some(notifications) = notifications(&session.server) else {
            return std::future::pending().await;
        };
        loop {
            match session.listen(notifications.clone()).1.await {
                Exchange::Result(_) | Exchange::Broken(_) | Exchange::NotSent(_) => {}
                refused @ (Exchange::Error { .. }
                | Exchange::Status { .. }
                | Exchange::Malformed(_)) => {
                    let why = refused.in_words();
                    tracing::debug!(source = self.config.name, why, "it tells no changes");
                    return std::future::pending().await;
                }
            }
            self.ports.sleep(LISTEN_AGAIN).await;
            self.news.changed.notify_one();
            self.news.missed();
        }
    }
}

/// What a server is asked to tell: what it declares that it tells. None where that is nothing.
fn notifications(server: &Server) -> Option<Value> {
    let lists = [
        ("tools", "toolsListChanged"),
        ("prompts", "promptsListChanged"),
        ("resources", "resourcesListChanged"),
    ];
    let told = |(capability, _): &(&str, &str)| server.states(capability, "listChanged");
    let wanted: Map<String, Value> = lists
        .into_iter()
        .filter(told)
        .map(|(_, flag)| (flag.to_owned(), true.into()))
        .collect();
    // A legacy server tells of resources on the same stream.
    let updates = server.era != Era::Modern && server.states("resources", "subscribe");
    (updates || !wanted.is_empty()).then_some(Value::Object(wanted))
}
