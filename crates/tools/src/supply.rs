//! What every kind of source does for the whole: it says what it offers and how it is doing, and
//! sends one errand at a time, once.
//!
//! ```text
//! SourceKind::Stdio | Http → source.rs     OpenApi → openapi/     Plugin → plugin/     Host → host/
//! ```
//! A further kind of source is a folder that implements [`Supply`], a variant of
//! [`crate::SourceKind`], and its line in `sources.rs`.
//!
//! Must not know: how any kind is reached.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture, Following, Registered, ResourceSink, Unregistered};
use toolgate_model::{
    Agent, HostTool, HttpRequest, Method, Runner, SourceFacts, SourceHealth, SourceStatus, ToolId,
};

use crate::describe::{Offered, UnavailableTool};
use crate::errand::Errand;
use crate::verify::Standing;

/// Told when a source offers something else.
pub(crate) type OnOffer = Arc<dyn Fn() + Send + Sync>;

/// One source of any kind.
pub(crate) trait Supply: Send + Sync {
    /// Its name: the first half of its tools' names.
    fn name(&self) -> &str;

    /// What it last offered.
    fn offer(&self) -> Arc<Offer>;

    /// How it is doing.
    fn status(&self) -> SourceStatus;

    /// What is known of its tools.
    fn standing(&self) -> Standing;

    /// Resolves once it is up, or known to be down.
    fn settled(&self) -> BoxFuture<'_, ()>;

    /// Marks it as down for good.
    fn disable(&self, reason: String);

    /// Has what it offers read again soon.
    fn refresh(&self) {}

    /// Whether it sends raw requests to this address.
    fn sends(&self, request: &HttpRequest) -> bool {
        let _ = request;
        false
    }

    /// Sends one errand, once.
    fn send(&self, errand: Errand) -> BoxFuture<'_, Answer>;

    /// Has `told` called with each update of this resource, where it can be followed.
    fn follow(&self, uri: &str, told: ResourceSink) -> Option<Following> {
        let _ = (uri, told);
        None
    }

    /// Adds or replaces tools that a host runs itself, see [`toolgate_gate::port::Tools::register`].
    ///
    /// # Errors
    /// [`Unregistered`] where this is no host, or the agent registers nothing here.
    fn register(&self, by: &Agent, tools: Vec<HostTool>) -> Result<Vec<Registered>, Unregistered> {
        let _ = (by, tools);
        Err(Unregistered::NotHosts(self.name().to_owned()))
    }

    /// Takes back what hosts registered before the gate started.
    fn recall(&self, tools: Vec<HostTool>) {
        let _ = tools;
    }

    /// Keeps it going until `stop`, and tells of each change of what it offers.
    fn supervise(
        self: Arc<Self>,
        stop: CancellationToken,
        on_offer: OnOffer,
    ) -> BoxFuture<'static, ()>;
}

/// What a source offers.
#[derive(Default, PartialEq)]
pub(crate) struct Offer {
    /// Its tools, and after them the methods that are called like tools.
    pub(crate) tools: Vec<Offered>,
    pub(crate) unavailable: Vec<UnavailableTool>,
    /// Prompts, resources and what else is no tool.
    pub(crate) besides: Arc<toolgate_model::Offer>,
    /// What else an operator should know of it.
    pub(crate) notes: Vec<String>,
    positions: BTreeMap<ToolId, usize>,
}

impl Offer {
    /// An offer of these tools, and of nothing besides.
    pub(crate) fn new(tools: Vec<Offered>, unavailable: Vec<UnavailableTool>) -> Self {
        let ids = tools.iter().map(|tool| tool.descriptor.id.clone());
        Self {
            positions: ids.zip(0..).collect(),
            tools,
            unavailable,
            ..Self::default()
        }
    }

    /// The same, with what there is besides tools.
    pub(crate) fn with(self, besides: toolgate_model::Offer, notes: Vec<String>) -> Self {
        Self {
            besides: Arc::new(besides),
            notes,
            ..self
        }
    }

    /// The tool of this id.
    pub(crate) fn tool(&self, id: &ToolId) -> Option<&Offered> {
        let position = self.positions.get(id)?;
        self.tools.get(*position)
    }

    /// Whether nothing was ever said.
    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.unavailable.is_empty()
    }

    /// How many tools it lists that can be called.
    pub(crate) fn listed(&self) -> usize {
        let listed = |tool: &&Offered| {
            Method::of(&tool.descriptor.id).is_none() && tool.descriptor.runner != Runner::Probe
        };
        self.tools.iter().filter(listed).count()
    }

    /// What is missing from it, in one line; none where nothing is.
    pub(crate) fn in_words(&self) -> Option<String> {
        in_words(&self.unavailable).or_else(|| self.notes.first().cloned())
    }
}

/// LIMIT: reasons that fit a line of status; all of them are in the log.
const SHOWN_MAX: usize = 3;

fn in_words(unavailable: &[UnavailableTool]) -> Option<String> {
    let shown: Vec<String> = unavailable
        .iter()
        .take(SHOWN_MAX)
        .map(|one| format!("`{}`: {}", one.tool, one.reason))
        .collect();
    let count = unavailable.len();
    let noun = if count == 1 { "tool is" } else { "tools are" };
    (count > 0).then(|| format!("{count} {noun} unavailable: {}", shown.join("; ")))
}

/// Where a source stands that holds no conversation: what it offers and whether it is up.
pub(crate) struct Stand {
    health: watch::Sender<(SourceHealth, Option<String>)>,
    offer: Mutex<Arc<Offer>>,
}

impl Default for Stand {
    fn default() -> Self {
        Self {
            health: watch::Sender::new((SourceHealth::Starting, None)),
            offer: Mutex::default(),
        }
    }
}

impl Stand {
    /// What was last offered.
    pub(crate) fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what is offered now, and tells of it where it is something else.
    pub(crate) fn take(&self, offer: Offer, on_offer: &OnOffer) {
        let offer = Arc::new(offer);
        let changed = {
            let mut held = self.offer.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = **held != *offer;
            *held = offer;
            changed
        };
        let first = self.health.borrow().0 == SourceHealth::Starting;
        self.enter(SourceHealth::Up, None);
        // It may be up for the first time, and offer nothing: whoever waits for it wants to know.
        if changed || first {
            on_offer();
        }
    }

    /// Notes how the source is doing, and why.
    pub(crate) fn enter(&self, health: SourceHealth, detail: Option<String>) {
        self.health.send_replace((health, detail));
    }

    /// How it is doing, as a status of this kind of source.
    pub(crate) fn status(&self, name: &str, kind: &str) -> SourceStatus {
        let (health, detail) = self.health.borrow().clone();
        let offer = self.offer();
        SourceStatus {
            name: name.to_owned(),
            kind: kind.to_owned(),
            health,
            detail: detail.or_else(|| offer.in_words()),
            tools: offer.listed(),
            facts: SourceFacts::default(),
        }
    }

    /// What is known of its tools.
    pub(crate) fn standing(&self) -> Standing {
        let silent = self.offer().is_empty();
        match self.health.borrow().0 {
            SourceHealth::Starting if silent => Standing::Starting,
            SourceHealth::Down if silent => Standing::Down,
            SourceHealth::Starting | SourceHealth::Up | SourceHealth::Down => Standing::Known,
        }
    }

    /// Resolves once it is up, or known to be down.
    pub(crate) async fn settled(&self) {
        let mut health = self.health.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = health
            .wait_for(|(health, _)| *health != SourceHealth::Starting)
            .await;
    }
}
