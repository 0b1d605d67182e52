//! One open conversation with a server: era agreed, things asked, calls sent.
//!
//! [`Session::open`] probes for the modern era and falls back to the legacy handshake;
//! [`Session::ask`] asks what leaves no trace; and [`Session::call`] sends a dispatched call once.
//!
//! Must not know: which transport carries it, other sources, or what happens after it ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use toolgate_gate::ability::Severity;
use toolgate_gate::peer::Peer;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Duration, Timestamp, json::Raw};

use crate::config::{ClientScope, EraChoice, SourceConfig};
use crate::declared::Declared;
use crate::describe::Offered;
use crate::era::{self, Era, Probed, Server};
use crate::errand::Errand;
use crate::exchange::{Exchange, Link, Request, Ticket};
use crate::message;
use crate::mirror;
use crate::ports::Ports;
use crate::rounds::Talk;
use crate::wording::Wording;

/// How long a server may take to answer the probe. One that starts slowly is asked by `initialize`
/// afterwards, and tells then if the probe was right after all.
const PROBE_WAIT: Duration = Duration::from_secs(10);
/// How long a server may take to agree to log less or more.
const LEVEL_WAIT: Duration = Duration::from_secs(5);

/// An open conversation.
pub(crate) struct Session {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) server: Server,
    pub(crate) ports: Ports,
    pub(crate) terms: Terms,
    next_id: AtomicU64,
    /// The least severe log message that the server was asked for.
    logged: Mutex<Option<Severity>>,
}

/// What a conversation is opened on.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Bytes of one message.
    pub(crate) message_bytes_max: usize,
    /// What the source may ask of a client.
    pub(crate) client: ClientScope,
    /// What a legacy server is told at its start that its client can do: nothing, where it is
    /// everybody's and the operator does not say otherwise.
    pub(crate) declared: Declared,
}

impl Terms {
    /// What everybody's conversation with a source is opened on.
    pub(crate) fn of(config: &SourceConfig) -> Self {
        Self {
            message_bytes_max: config.limits.message_bytes_max,
            client: config.client,
            declared: Declared::assumed(config.client),
        }
    }
}

/// Why a conversation could not be opened.
#[derive(Debug)]
pub(crate) struct OpenError {
    /// Why, in words.
    pub(crate) reason: String,
    /// Whether the connection broke on the probe: old servers leave on any request before
    /// `initialize`.
    pub(crate) broke_on_probe: bool,
}

impl OpenError {
    pub(crate) const fn plain(reason: String) -> Self {
        Self {
            reason,
            broke_on_probe: false,
        }
    }
}

/// Whether to look for the modern era first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Probe, then fall back.
    Probe,
    /// Straight to `initialize`.
    Handshake,
    /// Probe, and nothing else.
    OnlyProbe,
    /// `initialize`, and nothing else.
    OnlyHandshake,
}

impl Opening {
    /// What to try when this one broke the connection.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Probe => Self::Handshake,
            Self::Handshake => Self::Probe,
            Self::OnlyProbe | Self::OnlyHandshake => self,
        }
    }
}

impl From<EraChoice> for Opening {
    fn from(choice: EraChoice) -> Self {
        match choice {
            EraChoice::Auto => Self::Probe,
            EraChoice::Modern => Self::OnlyProbe,
            EraChoice::Legacy => Self::OnlyHandshake,
        }
    }
}

impl Session {
    /// Agrees with the server on an era.
    pub(crate) async fn open(
        link: Arc<dyn Link>,
        opening: Opening,
        ports: &Ports,
        terms: Terms,
    ) -> Result<Self, OpenError> {
        let mut session = Self {
            link,
            server: Server::unknown(Era::Modern),
            ports: ports.clone(),
            terms,
            next_id: AtomicU64::new(1),
            logged: Mutex::default(),
        };
        session.server = session.agree(opening).await?;
        session.link.agree(session.server.era);
        if session.server.era != Era::Modern {
            let params = message::raw(&json!({}));
            session
                .link
                .notify("notifications/initialized", params)
                .await;
        }
        Ok(session)
    }

    async fn agree(&self, opening: Opening) -> Result<Server, OpenError> {
        let failed = OpenError::plain;
        if matches!(opening, Opening::Probe | Opening::OnlyProbe) {
            match self.probe().await? {
                Some(server) => return Ok(server),
                None if opening == Opening::Probe => {}
                None => {
                    let reason = "it does not speak MCP 2026-07-28, the only era allowed by `era`";
                    return Err(failed(reason.to_owned()));
                }
            }
        }
        let answer = self.initialize().await;
        if opening == Opening::OnlyHandshake || !era::is_modern_after_all(&answer) {
            return era::initialized(&answer).map_err(failed);
        }
        let modern = self.probe().await?;
        modern.ok_or_else(|| failed("it answers neither era of MCP".to_owned()))
    }

    /// What a modern server says of itself; none where it is none.
    async fn probe(&self) -> Result<Option<Server>, OpenError> {
        // LIMIT: one that refuses, twice, the version that it says it speaks is taken at its deed.
        for _ in 0..2 {
            let probe = self.ports.within(PROBE_WAIT, self.discover()).await;
            let broke_on_probe = matches!(probe, Some(Exchange::Broken(_)));
            match probe.as_ref().map_or(Probed::Legacy, era::probed) {
                Probed::Modern(server) => return Ok(Some(server)),
                Probed::Legacy => return Ok(None),
                Probed::Again => {}
                Probed::Failed(reason) => {
                    return Err(OpenError {
                        reason,
                        broke_on_probe,
                    });
                }
            }
        }
        Ok(None)
    }

    async fn discover(&self) -> Exchange {
        let params = Era::Modern.params(Map::new());
        let headers = mirror::method(Era::Modern, "server/discover");
        self.link
            .request(self.plain("server/discover", params, headers))
            .await
    }

    async fn initialize(&self) -> Exchange {
        let params = era::initialize_params(&self.terms.declared);
        self.link
            .request(self.plain("initialize", params, Vec::new()))
            .await
    }

    fn plain(&self, method: &'static str, params: Raw, headers: Vec<(String, String)>) -> Request {
        self.request(|_| Wording {
            method,
            params,
            headers,
        })
    }

    /// A request without anything special, in the era's own form.
    fn ordinary(&self, method: &'static str, params: Map<String, Value>) -> Request {
        let era = self.server.era;
        self.plain(method, era.params(params), mirror::method(era, method))
    }

    /// Asks something that leaves no trace, and waits for the answer for `patience` at most.
    pub(crate) async fn ask(
        &self,
        method: &'static str,
        params: Map<String, Value>,
        patience: Duration,
    ) -> Option<Exchange> {
        let request = self.ordinary(method, params);
        self.ports
            .within(patience, self.link.request(request))
            .await
    }

    /// Opens a stream of these notifications: its number, and what becomes of it in the end.
    pub(crate) fn listen(&self, notifications: Value) -> (u64, BoxFuture<'_, Exchange>) {
        let params = Map::from_iter([("notifications".to_owned(), notifications)]);
        let request = self.ordinary("subscriptions/listen", params);
        (request.id, self.link.listen(request))
    }

    /// Sends one errand, once, and waits for its answer until the deadline, or until the caller
    /// gives up. Whatever the server asks meanwhile is asked of the client behind it.
    pub(crate) async fn call(
        &self,
        tool: &Offered,
        errand: Errand,
        watch: (Timestamp, BoxFuture<'static, ()>),
    ) -> Answer {
        Talk::new(self, tool, errand, watch).run().await
    }

    /// What the server is told, or was told at its start, of the client behind a call.
    ///
    /// INVARIANT: never anything that this client did not declare.
    pub(crate) fn declared(&self, peer: &dyn Peer) -> Declared {
        let declared = Declared::of(peer, self.terms.client);
        match self.server.era {
            Era::Modern => declared,
            Era::Legacy(_) => declared.for_legacy_within(&self.terms.declared),
        }
    }

    /// Has a legacy server log from this level on, unless it does already. What a client wants is
    /// picked out of that later; a modern server is told with each request.
    pub(crate) async fn have_logged(&self, level: Severity) {
        if self.server.era == Era::Modern || !self.server.can("logging") {
            return;
        }
        let lower = {
            let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
            let lower = logged.is_none_or(|least| level < least);
            if lower {
                *logged = Some(level);
            }
            lower
        };
        if lower {
            let params = Map::from_iter([("level".to_owned(), level.name().into())]);
            self.ask("logging/setLevel", params, LEVEL_WAIT).await;
        }
    }

    /// A request whose words depend on its number.
    pub(crate) fn request(&self, word: impl FnOnce(u64) -> Wording) -> Request {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let Wording {
            method,
            params,
            headers,
        } = word(id);
        Request {
            id,
            method,
            params,
            headers,
            progress: None,
            caller: None,
            ticket: Ticket::default(),
        }
    }
}
