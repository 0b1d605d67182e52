//! An HTTP API as a source of tools: what it offers, how it is doing, and one errand at a time.
//!
//! Its description is a file. It is read when the gate starts and again when it changes; one that
//! cannot be read any more leaves in place what was read before, and the status says so. An API
//! whose calls get no answers is left alone for a while ([`Breaker`]).
//!
//! Must not know: how a description is read, how a request travels.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{
    AddressReach, Descriptor, Duration, Effect, Glob, Risk, SourceFacts, SourceHealth,
    SourceStatus, ToolId,
};

use super::answer::Asked;
use super::auth::{ApiAuth, Credentials};
use super::describe::describe;
use super::document::{Bounds, Document};
use super::guard::Base;
use super::operation::Operation;
use super::request::{self, Own};
use super::send::{Sender, Sending, unsendable};
use crate::breaker::Breaker;
use crate::config::{Overrides, Secret, SourceConfig, header_problem};
use crate::describe::{Offered, Origin, UnavailableTool};
use crate::era::Era;
use crate::errand::Errand;
use crate::key_place;
use crate::ports::Ports;
use crate::supply::{Offer, OnOffer, Stand, Supply};
use crate::verdict;
use crate::verify::Standing;

/// How often the file is looked at.
// LIMIT: two seconds, as for policies; looking costs one stat.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// LIMIT: the largest description measured has 12.7 MB.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// LIMIT: calls of one source that are under way at once.
const CALLS_MAX: usize = 256;

/// Why an API without a stated place has no credential.
const UNSTATED: &str = "a credential goes only where you say: state the `base_url`";

/// An HTTP API: where its description is, where it is, and how the gate signs in there.
#[derive(Clone, Debug, Default)]
pub struct OpenApiConfig {
    /// The description: OpenAPI 3.0, 3.1 or Swagger 2.0, in JSON or YAML.
    pub file: PathBuf,
    /// Where the API is. Nothing else is ever spoken to, whatever the description says; none: the
    /// one server that the description names, to which no credential is shown.
    pub base_url: Option<String>,
    /// The gate's own credential there.
    pub auth: Vec<ApiAuth>,
    /// Credentials for single security schemes of the description, by their names.
    pub schemes: BTreeMap<String, ApiAuth>,
    /// Further headers on each request.
    pub headers: BTreeMap<String, Secret>,
    /// Whether it may be on this machine or in a private network where `base_url` names a host by
    /// name that resolves there.
    pub private_addresses: bool,
    /// Which of its operations are tools, by id or route; none: all of them.
    pub include: Vec<Glob>,
    /// Which are not, whatever `include` says.
    pub exclude: Vec<Glob>,
}

impl OpenApiConfig {
    /// What is wrong with it, and how to put it right.
    pub(crate) fn problem(&self) -> Option<String> {
        let url = self.base_url.as_deref().map(Base::parse);
        let url = url.and_then(Result::err);
        let headers = || self.headers.keys().find_map(|name| header_problem(name));
        let auth = || self.auths().find_map(ApiAuth::problem);
        url.or_else(headers).or_else(auth).or_else(|| {
            let shown = self.auths().next().is_some() || !self.headers.is_empty();
            (self.base_url.is_none() && shown).then(|| UNSTATED.to_owned())
        })
    }

    fn auths(&self) -> impl Iterator<Item = &ApiAuth> {
        self.auth.iter().chain(self.schemes.values())
    }

    const fn reach(&self) -> AddressReach {
        match self.private_addresses {
            true => AddressReach::Private,
            false => AddressReach::Public,
        }
    }

    fn is_tool(&self, tool: &Descriptor) -> bool {
        let names = |globs: &[Glob]| {
            let fits = |glob: &Glob| tool.names().iter().any(|name| glob.matches(name.as_str()));
            globs.iter().any(fits)
        };
        (self.include.is_empty() || names(&self.include)) && !names(&self.exclude)
    }
}

/// An HTTP API.
pub(crate) struct OpenApiSource {
    config: SourceConfig,
    own: OpenApiConfig,
    overrides: Overrides,
    ports: Ports,
    stand: Stand,
    api: Mutex<Option<Arc<Api>>>,
    calls: Semaphore,
    breaker: Breaker,
    asked_to_look: Notify,
}

/// An API whose description was read.
struct Api {
    sender: Arc<Sender>,
    operations: BTreeMap<ToolId, Arc<Operation>>,
    own: Own,
}

/// What reading a description gave.
struct Loaded {
    api: Api,
    offer: Offer,
}

/// How a file looked: enough to notice that somebody saved it.
type Look = Option<(SystemTime, u64)>;

impl OpenApiSource {
    pub(crate) fn new(
        config: SourceConfig,
        own: OpenApiConfig,
        overrides: &Overrides,
        ports: Ports,
    ) -> Self {
        let of_this = |(id, _): &(&ToolId, _)| id.source() == config.name;
        let overrides = overrides.iter().filter(of_this);
        Self {
            overrides: overrides.map(|(id, o)| (id.clone(), o.clone())).collect(),
            config,
            own,
            breaker: Breaker::new(Arc::clone(&ports.clock)),
            ports,
            stand: Stand::default(),
            api: Mutex::default(),
            calls: Semaphore::new(CALLS_MAX),
            asked_to_look: Notify::new(),
        }
    }

    fn api(&self) -> Option<Arc<Api>> {
        self.api
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sends one errand, once.
    async fn carried(&self, mut errand: Errand) -> Answer {
        let deadline = self.ports.clock.now().plus(errand.timeout());
        let (offer, api) = (self.offer(), self.api());
        let found = offer.tool(errand.tool()).zip(api.as_deref());
        let found = found
            .and_then(|(tool, api)| Some((tool, api, api.operations.get(&tool.descriptor.id)?)));
        let Some((tool, api, operation)) = found else {
            return verdict::unavailable("the tool is not offered any more");
        };
        let Ok(_turn) = self.calls.try_acquire() else {
            return verdict::unavailable(&format!("{CALLS_MAX} calls are under way already"));
        };
        if let Err(why) = self.breaker.admit() {
            return verdict::unavailable(&why);
        }
        let sending = match self.sending(api, (tool, operation), &errand) {
            Ok(sending) => sending,
            Err(why) => return unsendable(&why),
        };
        let watch = (deadline, errand.take_cancelled());
        let answer = api.sender.send(sending, watch).await;
        self.breaker.note(&answer);
        answer
    }

    /// The request that an errand is, with what it is shown by.
    fn sending(
        &self,
        api: &Api,
        (tool, operation): (&Offered, &Operation),
        errand: &Errand,
    ) -> Result<Sending, String> {
        let tool = &tool.descriptor;
        let key = key_place::stated(&tool.checks).zip(errand.key());
        let arguments = key_place::with_key(key, errand.arguments());
        let behalf = errand.principal().and_then(|it| it.behalf());
        let personal = self
            .config
            .grants
            .as_ref()
            .is_some_and(|it| it.is_personal());
        let chosen = api.sender.credentials().chosen(&operation.security)?;
        // INVARIANT: what is to be done as a person is never done as the gate instead.
        if personal && chosen.granted && behalf.is_none() {
            return Err("it is called for a person, and the caller's token names none".to_owned());
        }
        Ok(Sending {
            prepared: request::prepare(operation, &arguments, &api.own, key)?,
            chosen,
            asked: Asked {
                effect: tool.effect,
                reads: tool.effect == Effect::None || is_safe(operation, tool),
                body_bytes_max: self.config.limits.message_bytes_max,
            },
            behalf,
        })
    }

    /// Reads the description; it may be large, and this takes its time.
    fn load(&self) -> Result<Loaded, String> {
        let text = text(&self.own.file)?;
        let mut document = Document::read(&text, Bounds::default())?;
        let servers = std::mem::take(&mut document.servers);
        let sender = self.sender(&servers)?;
        self.schemes_are_known(document.schemes.keys())?;
        let origin = Origin {
            source: &self.config.name,
            wire_names: self.config.wire_names,
            limits: self.config.limits,
            version: None,
            era: Era::Modern,
            headers: Some(&self.own.headers),
            effect: self.config.effect,
        };
        let described = describe(origin, document, &self.overrides);
        let (mut offered, mut unavailable) = (described.offered, described.unavailable);
        offered.retain(|tool| self.own.is_tool(&tool.descriptor));
        let mut operations = described.operations;
        let named = Named::of(servers, &operations, sender.base());
        offered.retain(|tool| {
            let place = |operation: &Arc<Operation>| elsewhere(operation, &named, sender.base());
            let why = operations.get(&tool.descriptor.id).and_then(place);
            unavailable.extend(why.iter().map(|why| UnavailableTool {
                source: self.config.name.clone(),
                tool: tool.name.clone(),
                reason: why.clone(),
            }));
            why.is_none()
        });
        let kept: BTreeSet<&ToolId> = offered.iter().map(|tool| &tool.descriptor.id).collect();
        operations.retain(|id, _| kept.contains(id));
        let (headers, query) = sender.credentials().names();
        Ok(Loaded {
            api: Api {
                sender,
                operations,
                own: Own { headers, query },
            },
            offer: Offer::new(offered, unavailable),
        })
    }

    /// A credential for a scheme that nothing asks for is a slip of the pen, and calls would go
    /// without it.
    fn schemes_are_known<'d>(
        &self,
        known: impl Iterator<Item = &'d String> + Clone,
    ) -> Result<(), String> {
        let unknown = |name: &&String| !known.clone().any(|other| other == *name);
        match self.own.schemes.keys().find(unknown) {
            None => Ok(()),
            Some(name) => {
                let all: Vec<&str> = known.map(String::as_str).collect();
                let all = all.join("`, `");
                Err(format!(
                    "`auth.schemes` names `{name}`, and its security schemes are `{all}`"
                ))
            }
        }
    }

    /// The way to the API; the one of before, with its connections, where it is still the same.
    fn sender(&self, servers: &[String]) -> Result<Arc<Sender>, String> {
        let base = match (&self.own.base_url, servers) {
            (Some(url), _) => Base::parse(url)?,
            (None, _) if self.config.grants.is_some() => return Err(UNSTATED.to_owned()),
            (None, [only]) => Base::parse(only)
                .map_err(|why| format!("the description's server is no place: {why}"))?,
            (None, servers) => {
                let count = servers.len();
                return Err(format!(
                    "the description names {count} servers: state the `base_url`"
                ));
            }
        };
        match self.api() {
            Some(api) if *api.sender.base() == base => return Ok(Arc::clone(&api.sender)),
            _ => {}
        }
        let own = &self.own;
        let grants = self.config.grants.clone();
        let credentials = Credentials::new(&own.auth, &own.schemes, &own.headers, grants)?;
        Sender::new(base, own.reach(), credentials, self.ports.clone()).map(Arc::new)
    }

    /// Keeps it going until `stop`.
    async fn keep(self: Arc<Self>, stop: CancellationToken, on_offer: OnOffer) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = Arc::clone(&self).watch(on_offer) => {}
            () = self.rest() => {}
        }
        self.disable("the gate is stopping".to_owned());
    }

    /// Reads the description whenever it changed, or somebody asks for it.
    async fn watch(self: Arc<Self>, on_offer: OnOffer) {
        let mut seen: Option<Look> = None;
        loop {
            // Looked at before it is read, so that a change in between is noticed.
            let look = looked(&self.own.file).await;
            if seen != Some(look) {
                seen = Some(look);
                let reader = Arc::clone(&self);
                let loaded = tokio::task::spawn_blocking(move || reader.load()).await;
                let loaded = loaded.unwrap_or_else(|_| Err("it could not be read".to_owned()));
                self.take(loaded, &on_offer);
            }
            tokio::select! {
                () = self.ports.sleep(LOOK_EVERY) => {}
                () = self.asked_to_look.notified() => seen = None,
            }
        }
    }

    fn take(&self, loaded: Result<Loaded, String>, on_offer: &OnOffer) {
        let source = &self.config.name;
        match loaded {
            Ok(Loaded { api, offer }) => {
                for UnavailableTool { tool, reason, .. } in &offer.unavailable {
                    tracing::warn!(source, tool, reason, "a tool is unavailable");
                }
                *self.api.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(api));
                self.stand.take(offer, on_offer);
            }
            Err(why) => {
                let file = self.own.file.display();
                let why = format!("the description `{file}` cannot be used: {why}");
                tracing::warn!(source, why, "not read");
                let health = match self.api() {
                    Some(_) => SourceHealth::Up,
                    None => SourceHealth::Down,
                };
                self.stand.enter(health, Some(why));
                // Whoever waits for its tools, to probe with them, waits in vain.
                on_offer();
            }
        }
    }

    /// Leaves an API alone for a while whose calls get no answers. There is nothing that could be
    /// asked without a call, so the next call asks.
    async fn rest(&self) {
        loop {
            self.breaker.suspected().await;
            let why = "calls in a row got no answer".to_owned();
            if let Some((pause, _)) = self.breaker.open(why) {
                let source = &self.config.name;
                tracing::warn!(source, %pause, "calls get no answers: nothing is sent for now");
                self.ports.sleep(pause).await;
            }
            self.breaker.close();
        }
    }
}

impl Supply for OpenApiSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn offer(&self) -> Arc<Offer> {
        self.stand.offer()
    }

    fn status(&self) -> SourceStatus {
        let kind = self.config.kind.word();
        let status = self.stand.status(&self.config.name, kind);
        let open = self.breaker.open_in_words();
        let open = open.filter(|_| status.health == SourceHealth::Up);
        SourceStatus {
            health: match open {
                Some(_) => SourceHealth::Down,
                None => status.health,
            },
            detail: open.or(status.detail),
            facts: SourceFacts {
                auth: Some(self.auth_in_words().to_owned()),
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

    fn refresh(&self) {
        self.asked_to_look.notify_one();
    }

    fn send(&self, errand: Errand) -> BoxFuture<'_, Answer> {
        Box::pin(self.carried(errand))
    }

    fn supervise(
        self: Arc<Self>,
        stop: CancellationToken,
        on_offer: OnOffer,
    ) -> BoxFuture<'static, ()> {
        Box::pin(self.keep(stop, on_offer))
    }
}

impl OpenApiSource {
    fn auth_in_words(&self) -> &'static str {
        let personal = self.config.grants.as_ref().map(|it| it.is_personal());
        match (personal, self.own.auth.first()) {
            (Some(true), _) => "token_exchange",
            (Some(false), _) => "client_credentials",
            (None, Some(auth)) => auth.word(),
            (None, None) if !self.own.schemes.is_empty() => "schemes",
            (None, None) if !self.own.headers.is_empty() => "headers",
            (None, None) => "none",
        }
    }
}

/// Whether an operation only reads, by its method and by its rating: neither alone says so.
fn is_safe(operation: &Operation, tool: &Descriptor) -> bool {
    matches!(operation.method.as_str(), "GET" | "HEAD") && tool.risk == Risk::Low
}

/// Why an operation is not called: the API is on one of the hosts that the description names, and
/// this operation on another. Where it is on none of them (a gateway, a test), they say nothing.
fn elsewhere(operation: &Operation, named: &Named, base: &Base) -> Option<String> {
    let is_here = |server: &String| base.hosts(server).unwrap_or(true);
    let own = match &operation.server {
        Some(own) => std::slice::from_ref(own),
        None => named.servers.as_slice(),
    };
    let first = own.first().filter(|_| named.has_base)?;
    (!own.iter().any(is_here)).then(|| {
        format!(
            "its server is `{first}`, and the source's is `{}`: make a source of its own with that \
             `base_url` of it",
            base.shown()
        )
    })
}

/// The servers that a description names.
struct Named {
    /// Those of all operations that name none of their own.
    servers: Vec<String>,
    /// Whether the base URL is on the host of any of them, or of an operation's own.
    has_base: bool,
}

impl Named {
    fn of(
        servers: Vec<String>,
        operations: &BTreeMap<ToolId, Arc<Operation>>,
        base: &Base,
    ) -> Self {
        let own = operations.values().filter_map(|it| it.server.as_ref());
        let mut all = servers.iter().chain(own);
        let has_base = all.any(|server| base.hosts(server) == Some(true));
        Self { servers, has_base }
    }
}

async fn looked(file: &PathBuf) -> Look {
    let metadata = tokio::fs::metadata(file).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn text(file: &PathBuf) -> Result<Vec<u8>, String> {
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    let read = opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| error.to_string())?;
    match u64::try_from(text.len()) {
        Ok(bytes) if bytes <= FILE_BYTES_MAX => Ok(text),
        _ => Err(format!(
            "it has more than the {FILE_BYTES_MAX} bytes allowed"
        )),
    }
}
