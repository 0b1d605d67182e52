//! All sources of tools together: one catalogue, one port.
//!
//! [`Sources::start`] returns at once; sources come up on their own, and each change of what they
//! offer makes another [`Catalogue`]. A call goes to the source that its tool's name begins with.
//!
//! Must not know: how a source is reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_gate::Look;
use toolgate_gate::permit::Dispatch;
use toolgate_gate::pin::ToolPin;
use toolgate_gate::port::{
    Answer, BoxFuture, Following, Registered, ResourceSink, Tools, Unregistered,
};
use toolgate_model::{
    Agent, Catalogue, Denial, Descriptor, Duration, HostTool, HttpRequest, Offer, Recognition,
    SourceStatus, ToolId,
};

use crate::config::{Overrides, SourceConfig, SourceKind, source_problems};
use crate::describe::{self, UnavailableTool};
use crate::errand::Errand;
use crate::host::HostSource;
use crate::normalise;
use crate::openapi::OpenApiSource;
use crate::plugin::PluginSource;
use crate::ports::Ports;
use crate::raw::RawSource;
use crate::source::Source;
use crate::supply::Supply;
use crate::verdict;
use crate::verify::{self, Faults, Standing};

/// Told of each new catalogue, in order. It must not block.
pub type OnChange = Arc<dyn Fn(Arc<Catalogue>) + Send + Sync>;

/// How long all sources together may take to end; longer than one takes at its worst.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(12);

/// What a catalogue is made of.
#[derive(Default)]
struct Known {
    /// The tools.
    tools: Vec<Arc<Descriptor>>,
    /// What there is besides tools, by source.
    offers: BTreeMap<String, Arc<Offer>>,
    /// What is wrong with what their descriptors state.
    faults: Faults,
    /// What shares a name with another source's tool.
    clashes: Vec<UnavailableTool>,
}

/// All sources of tools.
pub struct Sources {
    sources: Vec<Arc<dyn Supply>>,
    catalogue: ArcSwap<Catalogue>,
    /// What the catalogue was made of. Its lock also keeps changes in order.
    known: Mutex<Known>,
    on_change: OnChange,
    ports: Ports,
    stop: CancellationToken,
    running: TaskTracker,
}

impl Sources {
    /// Starts all sources. A source whose configuration is wrong stays down and says why.
    pub fn start(
        configs: Vec<SourceConfig>,
        overrides: &Overrides,
        ports: Ports,
        on_change: OnChange,
    ) -> Arc<Self> {
        let problems = source_problems(&configs);
        let make = |config| supply(config, overrides, &ports);
        let all = Arc::new(Self {
            sources: configs.into_iter().map(make).collect(),
            catalogue: ArcSwap::default(),
            known: Mutex::default(),
            on_change,
            ports,
            stop: CancellationToken::new(),
            running: TaskTracker::new(),
        });
        for (position, source) in all.sources.iter().enumerate() {
            match problems.iter().find(|problem| problem.position == position) {
                Some(problem) => source.disable(problem.message.clone()),
                None => all.supervise(source),
            }
        }
        all
    }

    fn supervise(self: &Arc<Self>, source: &Arc<dyn Supply>) {
        // The sources outlive their supervision, not the other way round.
        let all = Arc::downgrade(self);
        let on_offer = Arc::new(move || {
            if let Some(all) = all.upgrade() {
                all.refresh();
            }
        });
        let work = Arc::clone(source).supervise(self.stop.clone(), on_offer);
        let work = self.running.track_future(work);
        self.ports.tasks.spawn("tool source", Box::pin(work));
    }

    /// Makes the catalogue anew from what all sources offer.
    fn refresh(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let offers: Vec<_> = self.sources.iter().map(|source| source.offer()).collect();
        let all = offers.iter().flat_map(|offer| &offer.tools);
        let (tools, clashes) = describe::distinct(all);
        known.clashes = clashes;
        let faults = verify::faults(&tools, &self.standing());
        let besides = self.besides();
        if same(&known.tools, &tools) && known.faults == faults && known.offers == besides {
            return;
        }
        for (tool, fault) in told_anew(&known.faults, &faults) {
            tracing::warn!(%tool, fault, "a tool is unavailable: its descriptor does not fit");
        }
        let catalogue = Catalogue::new(tools.iter().cloned())
            .with_faults(faults.clone())
            .with_offers(besides.clone());
        let catalogue = Arc::new(catalogue);
        (known.tools, known.faults, known.offers) = (tools, faults, besides);
        self.catalogue.store(Arc::clone(&catalogue));
        (self.on_change)(catalogue);
    }

    /// What the sources offer besides tools; those that never came up offer nothing.
    fn besides(&self) -> BTreeMap<String, Arc<Offer>> {
        let of = |source: &Arc<dyn Supply>| {
            let besides = Arc::clone(&source.offer().besides);
            let said = *besides != Offer::default();
            said.then(|| (source.name().to_owned(), besides))
        };
        self.sources.iter().filter_map(of).collect()
    }

    fn standing(&self) -> BTreeMap<String, Standing> {
        let named = self
            .sources
            .iter()
            .map(|source| (source.name().to_owned(), source.standing()));
        named.collect()
    }

    /// Waits until every source is up or known to be down, but not longer than `patience`.
    pub async fn settled(&self, patience: Duration) {
        let all = join_all(self.sources.iter().map(|source| source.settled()));
        self.ports.within(patience, all).await;
    }

    /// Every tool that cannot be called, and why, by source.
    pub fn unavailable(&self) -> Vec<UnavailableTool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let offers = self.sources.iter().map(|source| source.offer());
        let own = offers.flat_map(|offer| offer.unavailable.clone());
        own.chain(known.clashes.iter().cloned()).collect()
    }

    /// Ends all sources: children are asked to leave, then told to, then made to.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.running.close();
        let done = self.ports.within(SHUTDOWN_WAIT, self.running.wait()).await;
        if done.is_none() {
            tracing::error!("sources of tools did not end within {SHUTDOWN_WAIT}");
        }
    }
}

/// A source of its kind.
fn supply(config: SourceConfig, overrides: &Overrides, ports: &Ports) -> Arc<dyn Supply> {
    let ports = ports.clone();
    match &config.kind {
        SourceKind::Stdio { .. } | SourceKind::Http { .. } => {
            Arc::new(Source::new(config, overrides, ports))
        }
        SourceKind::OpenApi(api) => {
            let api = api.clone();
            Arc::new(OpenApiSource::new(config, *api, overrides, ports))
        }
        SourceKind::Plugin(plugin) => {
            let plugin = plugin.clone();
            Arc::new(PluginSource::new(config, *plugin, overrides, ports))
        }
        SourceKind::Raw(raw) => {
            let raw = raw.clone();
            Arc::new(RawSource::new(config, *raw, ports))
        }
        SourceKind::Host(host) => {
            let host = host.clone();
            Arc::new(HostSource::new(config, *host, overrides))
        }
    }
}

impl Sources {
    fn named(&self, name: &str) -> Option<&Arc<dyn Supply>> {
        self.sources.iter().find(|source| source.name() == name)
    }

    fn send(&self, errand: Errand) -> BoxFuture<'_, Answer> {
        // INVARIANT: a raw request goes where its address says, and never to a source that has the
        // name of what it was recognised as.
        let found = match errand.request() {
            Some(request) => self.sources.iter().find(|source| source.sends(request)),
            None => self.named(errand.tool().source()),
        };
        match found {
            Some(source) => source.send(errand),
            None => {
                let answer = verdict::unavailable("no such source is configured");
                Box::pin(std::future::ready(answer))
            }
        }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Whether these are the same tools. Most are the very ones of before, which need no reading.
fn same(before: &[Arc<Descriptor>], after: &[Arc<Descriptor>]) -> bool {
    before.len() == after.len()
        && before
            .iter()
            .zip(after)
            .all(|(before, after)| Arc::ptr_eq(before, after) || before == after)
}

/// The tools of a source that are there and cannot be called, in one line.
fn uncallable(catalogue: &Catalogue, source: &str) -> Option<String> {
    let faulty = |tool: &&Arc<Descriptor>| {
        tool.id.source() == source && !catalogue.faults(&tool.id).is_empty()
    };
    let all: Vec<_> = catalogue.iter().filter(faulty).collect();
    let first = all.first()?;
    let fault = catalogue.faults(&first.id).first()?;
    let count = all.len();
    let noun = if count == 1 { "tool" } else { "tools" };
    Some(format!(
        "{count} {noun} cannot be called: `{}`: its {fault}",
        first.id
    ))
}

/// The faults that were not there before.
fn told_anew<'f>(
    before: &'f Faults,
    now: &'f Faults,
) -> impl Iterator<Item = (&'f ToolId, &'f String)> {
    now.iter().flat_map(|(tool, lines)| {
        let old = before.get(tool).map_or(&[][..], Vec::as_slice);
        let new = lines.iter().filter(move |line| !old.contains(line));
        new.map(move |line| (tool, line))
    })
}

impl Tools for Sources {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    fn sources(&self) -> Vec<SourceStatus> {
        let catalogue = self.catalogue.load();
        let status = |source: &Arc<dyn Supply>| {
            let status = source.status();
            let detail = status
                .detail
                .or_else(|| uncallable(&catalogue, &status.name));
            SourceStatus { detail, ..status }
        };
        let mut all: Vec<_> = self.sources.iter().map(status).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn refresh(&self, source: &str) -> bool {
        let found = self.named(source);
        if let Some(found) = found {
            found.refresh();
        }
        found.is_some()
    }

    fn call(&self, dispatch: Dispatch) -> BoxFuture<'_, Answer> {
        self.send(Errand::Call(Box::new(dispatch)))
    }

    fn follow(&self, source: &str, uri: &str, told: ResourceSink) -> Option<Following> {
        self.named(source)?.follow(uri, told)
    }

    fn look(&self, look: Look) -> BoxFuture<'_, Answer> {
        self.send(Errand::Look(look))
    }

    fn recognise(
        &self,
        request: &HttpRequest,
        own_domains: &[String],
    ) -> Result<Recognition, Denial> {
        normalise::recognise(request, own_domains)
    }

    fn sends(&self, request: &HttpRequest) -> bool {
        self.sources.iter().any(|source| source.sends(request))
    }

    fn register(
        &self,
        source: &str,
        by: &Agent,
        tools: Vec<HostTool>,
    ) -> Result<Vec<Registered>, Unregistered> {
        match self.named(source) {
            Some(source) => source.register(by, tools),
            None => Err(Unregistered::NoSuchSource(source.to_owned())),
        }
    }

    fn recall(&self, pins: &[Arc<ToolPin>]) {
        for source in &self.sources {
            let own = pins.iter().filter(|pin| pin.tool.source() == source.name());
            let defined = own.filter_map(|pin| serde_json::from_str(&pin.definition).ok());
            let tools = defined.filter_map(|definition| HostTool::of_definition(&definition));
            source.recall(tools.collect());
        }
    }
}
