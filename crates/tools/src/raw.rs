//! Services to which the gate sends raw HTTP requests itself, with its own credential.
//!
//! ```toml
//! [[source]]
//! name = "github-raw"
//! http = { base_url = "https://api.github.com", auth = { bearer = "env:GITHUB_TOKEN" } }
//! ```
//! A request whose address lies below the base URL is judged as what it is recognised as
//! (`github.merge_pull_request`) and sent as it was judged. Such a source offers no tools: what may be
//! asked of it, grants and rules say about the tools that requests are recognised as.
//!
//! Must not know: how a request is recognised, who may send what.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{AddressReach, Effect, HttpRequest, SourceFacts, SourceHealth, SourceStatus};

use crate::config::{Secret, SourceConfig, header_problem};
use crate::errand::Errand;
use crate::openapi::{ApiAuth, Asked, Base, Credentials, Prepared, Sender, Sending, unsendable};
use crate::ports::Ports;
use crate::supply::{Offer, OnOffer, Stand, Supply};
use crate::verdict;
use crate::verify::Standing;

/// LIMIT: requests to one service that are under way at once.
const CALLS_MAX: usize = 256;

/// A service: where it is, and how the gate signs in there.
#[derive(Clone, Debug)]
pub struct RawConfig {
    /// Where it is; requests to addresses below it are sent.
    pub base_url: String,
    /// The gate's own credential there.
    pub auth: Vec<ApiAuth>,
    /// Further headers on each request.
    pub headers: BTreeMap<String, Secret>,
    /// Whether a host named by name may be on this machine or in a private network.
    pub private_addresses: bool,
}

impl RawConfig {
    /// What is wrong with it, and how to put it right.
    pub(crate) fn problem(&self) -> Option<String> {
        let url = Base::parse(&self.base_url).err();
        let headers = || self.headers.keys().find_map(|name| header_problem(name));
        let auth = || self.auth.iter().find_map(ApiAuth::problem);
        url.or_else(headers).or_else(auth)
    }
}

/// A service for raw requests.
pub(crate) struct RawSource {
    config: SourceConfig,
    own: RawConfig,
    sender: Result<Sender, String>,
    stand: Stand,
    calls: Semaphore,
}

impl RawSource {
    pub(crate) fn new(config: SourceConfig, own: RawConfig, ports: Ports) -> Self {
        let sender = sender(&config, &own, ports);
        Self {
            config,
            own,
            sender,
            stand: Stand::default(),
            calls: Semaphore::new(CALLS_MAX),
        }
    }

    /// Sends one errand, once.
    async fn carried(&self, mut errand: Errand, ports: Ports) -> Answer {
        let deadline = ports.clock.now().plus(errand.timeout());
        let Ok(_turn) = self.calls.try_acquire() else {
            return verdict::unavailable(&format!("{CALLS_MAX} calls are under way already"));
        };
        let sender = match &self.sender {
            Ok(sender) => sender,
            Err(why) => return verdict::unavailable(why),
        };
        match self.sending(sender, &errand) {
            Ok(sending) => {
                let watch = (deadline, errand.take_cancelled());
                sender.send(sending, watch).await
            }
            Err(why) => unsendable(&why),
        }
    }

    fn sending(&self, sender: &Sender, errand: &Errand) -> Result<Sending, String> {
        let request = errand.request().ok_or("it is no raw request")?;
        let behalf = errand.principal().and_then(|it| it.behalf());
        let chosen = sender.credentials().chosen(&[])?;
        let personal = self
            .config
            .grants
            .as_ref()
            .is_some_and(|it| it.is_personal());
        // INVARIANT: what is to be done as a person is never done as the gate instead.
        if personal && behalf.is_none() {
            return Err("it is sent for a person, and the caller's token names none".to_owned());
        }
        Ok(Sending {
            prepared: prepared(request, sender)?,
            chosen,
            // A redirect leads to a request that nobody judged, so none is followed.
            asked: Asked {
                effect: Effect::Some,
                reads: false,
                body_bytes_max: self.config.limits.message_bytes_max,
            },
            behalf,
        })
    }
}

fn sender(config: &SourceConfig, own: &RawConfig, ports: Ports) -> Result<Sender, String> {
    let reach = match own.private_addresses {
        true => AddressReach::Private,
        false => AddressReach::Public,
    };
    let schemes = BTreeMap::new();
    let credentials = Credentials::new(&own.auth, &schemes, &own.headers, config.grants.clone())?;
    Sender::new(Base::parse(&own.base_url)?, reach, credentials, ports)
}

/// The request as it was judged; the credential is all that is added to it.
fn prepared(request: &HttpRequest, sender: &Sender) -> Result<Prepared, String> {
    let url: Url = request
        .url
        .parse()
        .map_err(|error| format!("its address is no URL: {error}"))?;
    let path = sender.base().path_of(&url);
    let path = path.ok_or("its address is not below the base URL of the source")?;
    let (own_headers, own_query) = sender.credentials().names();
    if let Some((name, _)) = url
        .query_pairs()
        .find(|(name, _)| own_query.contains(name.as_ref()))
    {
        return Err(format!(
            "its query has `{name}`, which is the gate's own credential there"
        ));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let known: Result<HeaderName, _> = name.parse();
        match (known, HeaderValue::from_str(value)) {
            (Ok(name), _) if own_headers.contains(name.as_str()) => {
                return Err(format!("its header `{name}` is the gate's own there"));
            }
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            _ => return Err(format!("its header `{name}` cannot be sent")),
        }
    }
    let body = match &request.body {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        other => {
            let json = HeaderValue::from_static("application/json");
            headers.entry(CONTENT_TYPE).or_insert(json);
            Some(other.to_string().into_bytes())
        }
    };
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
    Ok(Prepared {
        method: Method::from_bytes(request.method.as_bytes())
            .map_err(|_| format!("`{}` is no method", request.method))?,
        path: path.to_owned(),
        query: url.query().map(str::to_owned),
        headers,
        body,
    })
}

impl Supply for RawSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn offer(&self) -> Arc<Offer> {
        self.stand.offer()
    }

    fn status(&self) -> SourceStatus {
        let kind = self.config.kind.word();
        let status = self.stand.status(&self.config.name, kind);
        let fast = self.own.auth.first().map_or("none", ApiAuth::word);
        let auth = self.config.grants.as_ref().map_or(fast, |_| "oauth");
        SourceStatus {
            facts: SourceFacts {
                auth: Some(auth.to_owned()),
                ..status.facts
            },
            ..status
        }
    }

    fn standing(&self) -> Standing {
        self.stand.standing()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.stand.settled())
    }

    fn disable(&self, reason: String) {
        self.stand.enter(SourceHealth::Down, Some(reason));
    }

    fn sends(&self, request: &HttpRequest) -> bool {
        let base = self.sender.as_ref().map(Sender::base);
        let url: Option<Url> = request.url.parse().ok();
        base.is_ok_and(|base| url.is_some_and(|url| base.holds(&url)))
    }

    fn send(&self, errand: Errand) -> BoxFuture<'_, Answer> {
        match &self.sender {
            Ok(sender) => Box::pin(self.carried(errand, sender.ports().clone())),
            Err(why) => Box::pin(std::future::ready(verdict::unavailable(why))),
        }
    }

    fn supervise(
        self: Arc<Self>,
        stop: CancellationToken,
        on_offer: OnOffer,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match &self.sender {
                Ok(_) => self.stand.take(Offer::default(), &on_offer),
                Err(why) => self.disable(why.clone()),
            }
            stop.cancelled().await;
        })
    }
}
