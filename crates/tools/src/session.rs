//! One open conversation with a server: era agreed, tools listed, calls sent.
//!
//! [`Session::open`] probes for the modern era and falls back to the legacy handshake;
//! [`Session::list`] follows the pages of `tools/list`, but never in a circle; and
//! [`Session::call`] sends a dispatched call once.
//!
//! Must not know: which transport carries it, other sources, or what happens after it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use toolgate_execution::LossCause;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Duration, KeyPlace, Timestamp, json::Raw};

use crate::describe::Offered;
use crate::era::{self, Era, Probed, Server};
use crate::errand::Errand;
use crate::exchange::{Exchange, Link, Request, Ticket};
use crate::key_place;
use crate::message::{self, RpcError};
use crate::mirror;
use crate::ports::Ports;
use crate::verdict;

/// How long a server may take to answer the probe. One that starts slowly is asked by `initialize`
/// afterwards, and tells then if the probe was right after all.
const PROBE_WAIT: Duration = Duration::from_secs(10);
/// How long one page of the list of tools may take.
const PAGE_WAIT: Duration = Duration::from_secs(30);
/// LIMIT: 1,000 tools in pages of ten.
const PAGES_MAX: usize = 100;

/// An open conversation.
pub(crate) struct Session {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) server: Server,
    ports: Ports,
    next_id: AtomicU64,
    result_bytes_max: usize,
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
}

impl Opening {
    /// What to try when this one broke the connection.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Probe => Self::Handshake,
            Self::Handshake => Self::Probe,
        }
    }
}

/// The tools of a server.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Their definitions, as written.
    pub(crate) tools: Vec<Raw>,
    /// What was odd about the list.
    pub(crate) note: Option<String>,
}

/// Why a list could not be had.
#[derive(Debug)]
pub(crate) struct ListError {
    /// Why, in words.
    pub(crate) reason: String,
    /// Whether nothing can be sent any more.
    pub(crate) unreachable: bool,
}

impl Session {
    /// Agrees with the server on an era.
    pub(crate) async fn open(
        link: Arc<dyn Link>,
        opening: Opening,
        ports: &Ports,
        result_bytes_max: usize,
    ) -> Result<Self, OpenError> {
        let mut session = Self {
            link,
            server: Server {
                era: Era::Modern,
                version: None,
                tells_changes: false,
            },
            ports: ports.clone(),
            next_id: AtomicU64::new(1),
            result_bytes_max,
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
        if opening == Opening::Probe {
            let probe = self.ports.within(PROBE_WAIT, self.discover()).await;
            let broke_on_probe = matches!(probe, Some(Exchange::Broken(_)));
            match probe.as_ref().map_or(Probed::Legacy, era::probed) {
                Probed::Modern(server) => return Ok(server),
                Probed::Legacy => {}
                Probed::Failed(reason) => {
                    return Err(OpenError {
                        reason,
                        broke_on_probe,
                    });
                }
            }
        }
        let failed = OpenError::plain;
        let answer = self.initialize().await;
        if !era::is_modern_after_all(&answer) {
            return era::initialized(&answer).map_err(failed);
        }
        let probe = self.ports.within(PROBE_WAIT, self.discover()).await;
        match probe.as_ref().map_or(Probed::Legacy, era::probed) {
            Probed::Modern(server) => Ok(server),
            Probed::Legacy => Err(failed("it answers neither era of MCP".to_owned())),
            Probed::Failed(reason) => Err(failed(reason)),
        }
    }

    async fn discover(&self) -> Exchange {
        let params = Era::Modern.params(Map::new());
        let headers = mirror::method(Era::Modern, "server/discover");
        self.link
            .request(self.plain("server/discover", params, headers))
            .await
    }

    async fn initialize(&self) -> Exchange {
        let params = era::initialize_params();
        self.link
            .request(self.plain("initialize", params, Vec::new()))
            .await
    }

    fn plain(&self, method: &'static str, params: Raw, headers: Vec<(String, String)>) -> Request {
        Request {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            method,
            params,
            headers,
            progress: None,
            ticket: Ticket::default(),
        }
    }

    /// A request without anything special, in the era's own form.
    fn ordinary(&self, method: &'static str, params: Map<String, Value>) -> Request {
        let era = self.server.era;
        self.plain(method, era.params(params), mirror::method(era, method))
    }

    /// All tools of the server, page by page.
    pub(crate) async fn list(&self, tools_max: usize) -> Result<Listing, ListError> {
        let mut listing = Listing::default();
        let mut cursors = BTreeSet::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self.page(cursor.take()).await?;
            listing.tools.extend(page.tools);
            match page.next_cursor {
                None => return Ok(listing),
                Some(_) if listing.tools.len() > tools_max => return Ok(listing),
                Some(next) if !cursors.insert(next.clone()) => {
                    listing.note = Some("its list of tools goes in a circle".to_owned());
                    return Ok(listing);
                }
                Some(next) => cursor = Some(next),
            }
        }
        listing.note = Some(format!("its list of tools has more than {PAGES_MAX} pages"));
        Ok(listing)
    }

    async fn page(&self, cursor: Option<String>) -> Result<Page, ListError> {
        let params = cursor.map(|cursor| ("cursor".to_owned(), cursor.into()));
        let request = self.ordinary("tools/list", params.into_iter().collect());
        let failed = |reason: String, unreachable| ListError {
            reason: format!("it did not list its tools: {reason}"),
            unreachable,
        };
        let Some(exchange) = self
            .ports
            .within(PAGE_WAIT, self.link.request(request))
            .await
        else {
            return Err(failed(format!("no answer within {PAGE_WAIT}"), false));
        };
        match exchange {
            Exchange::Result(result) => serde_json::from_str(result.get())
                .map_err(|error| failed(format!("the page cannot be read: {error}"), false)),
            // A server without tools need not know the method.
            Exchange::Error { error, .. } if error.code == RpcError::METHOD_NOT_FOUND => {
                Ok(Page::default())
            }
            Exchange::NotSent(_) | Exchange::Broken(_) => Err(failed(exchange.in_words(), true)),
            other => Err(failed(other.in_words(), false)),
        }
    }

    /// Listens for changes of the list of tools; ends when the server offers no such stream, or
    /// when it breaks.
    pub(crate) async fn listen(&self) -> Exchange {
        if !self.server.tells_changes {
            return std::future::pending().await;
        }
        let filter = json!({"toolsListChanged": true});
        let params = Map::from_iter([("notifications".to_owned(), filter)]);
        self.link
            .listen(self.ordinary("subscriptions/listen", params))
            .await
    }

    /// Sends one errand, once, and waits for its answer until the deadline, or until the caller
    /// gives up. An answer that is already there wins over both.
    pub(crate) async fn call(
        &self,
        tool: &Offered,
        errand: Errand,
        (deadline, cancelled): (Timestamp, BoxFuture<'static, ()>),
    ) -> Answer {
        let request = self.call_request(tool, &errand);
        let (id, ticket) = (request.id, request.ticket.clone());
        let mut exchange = self.link.request(request);
        let (cause, reason) = tokio::select! {
            biased;
            done = &mut exchange => {
                return verdict::answer(done, self.server.era, self.result_bytes_max);
            }
            () = cancelled => (LossCause::Cancelled, "the caller gave up"),
            () = self.ports.clock.sleep_until(deadline) => (LossCause::Timeout, "no answer in time"),
        };
        drop(exchange);
        if ticket.withdraw() {
            return verdict::unavailable(&format!("{reason} while it waited to be sent"));
        }
        self.link.cancel(id, reason);
        verdict::lost(cause, format!("{reason} ({})", errand.timeout()))
    }

    fn call_request(&self, tool: &Offered, errand: &Errand) -> Request {
        let era = self.server.era;
        let place = key_place::stated(&tool.descriptor.checks).zip(errand.key());
        let arguments = key_place::with_key(place, errand.arguments());
        // The server's own schema: the caller's lacks the argument that is the gate's.
        let schema = tool.descriptor.definition.get("inputSchema");
        let mut headers = mirror::call(era, &tool.name, schema, &arguments);
        let mut meta = errand.meta();
        match place {
            Some((KeyPlace::Header(name), key)) => headers.push((name.clone(), key.to_owned())),
            Some((KeyPlace::Meta(name), key)) => {
                meta.insert(name.clone(), key.into());
            }
            Some((KeyPlace::Argument(_), _)) | None => {}
        }
        let mut request = self.plain("tools/call", Raw::default(), headers);
        if errand.progress().is_some() {
            meta.insert("progressToken".to_owned(), request.id.into());
        }
        era.stamp(&mut meta);
        request.progress = errand.progress().cloned();
        request.params = message::raw(&CallParams {
            name: &tool.name,
            arguments: &arguments,
            meta,
        });
        request
    }
}

#[derive(Serialize)]
struct CallParams<'a> {
    name: &'a str,
    arguments: &'a Value,
    #[serde(rename = "_meta")]
    meta: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tools: Vec<Raw>,
    #[serde(default)]
    next_cursor: Option<String>,
}
