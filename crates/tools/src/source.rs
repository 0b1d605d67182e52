//! One source of tools, kept connected.
//!
//! Its supervision connects, lists the tools, listens for changes and lists again; when the
//! connection ends it starts over, first at once and then ever more slowly. While the source is
//! down its tools stay known and its calls are refused before anything is sent.
//!
//! Must not know: other sources.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Duration, SourceHealth, SourceStatus, Timestamp, ToolId};

use crate::config::{Overrides, SourceConfig, SourceKind};
use crate::describe::{self, Offered, Origin, UnavailableTool};
use crate::errand::Errand;
use crate::exchange::{Exchange, Link};
use crate::http::{Endpoint, HttpLink};
use crate::ports::Ports;
use crate::session::{Listing, OpenError, Opening, Session};
use crate::stdio::{Program, StdioLink};
use crate::verdict;
use crate::verify::Standing;

/// The first pause after a failed start, doubled each time up to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_LAST: Duration = Duration::from_secs(60);
/// A connection that lived so long was a good one: the next failure is the first again.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// How long a call waits for a source that is just starting.
const READY_WAIT: Duration = Duration::from_secs(5);
/// How often the tools are listed unasked: it also shows whether the server still answers.
const RELIST_EVERY: Duration = Duration::from_secs(300);
/// LIMIT: a server that changes its tools all the time is listed this often at most.
const RELIST_GAP: Duration = Duration::from_secs(1);
/// How long until a broken stream of notifications is opened again.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
/// LIMIT: calls of one source that are under way at once.
const CALLS_MAX: usize = 256;

/// One source.
pub(crate) struct Source {
    pub(crate) config: SourceConfig,
    overrides: Overrides,
    ports: Ports,
    phase: watch::Sender<Phase>,
    offer: Mutex<Arc<Offer>>,
    calls: Semaphore,
    changed: Arc<Notify>,
}

/// Where a source stands.
#[derive(Clone)]
struct Phase {
    health: SourceHealth,
    detail: Option<String>,
    session: Option<Arc<Session>>,
}

impl Phase {
    /// Whether the source is up or down. A connection that has just ended, of which its
    /// supervision does not know yet, is neither.
    fn is_settled(&self) -> bool {
        let ended = self
            .session
            .as_ref()
            .is_some_and(|session| session.link.is_ended());
        self.health != SourceHealth::Starting && !ended
    }
}

/// What a source last offered.
#[derive(Default, PartialEq)]
pub(crate) struct Offer {
    pub(crate) tools: Vec<Offered>,
    pub(crate) unavailable: Vec<UnavailableTool>,
    positions: BTreeMap<ToolId, usize>,
}

impl Offer {
    /// Whether nothing was ever said.
    fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.unavailable.is_empty()
    }
}

/// Told when a source offers something else.
pub(crate) type OnOffer = Arc<dyn Fn() + Send + Sync>;

impl Source {
    pub(crate) fn new(config: SourceConfig, overrides: &Overrides, ports: Ports) -> Self {
        let own = |(id, _): &(&ToolId, _)| id.source() == config.name;
        let overrides = overrides.iter().filter(own);
        Self {
            overrides: overrides.map(|(id, o)| (id.clone(), o.clone())).collect(),
            config,
            ports,
            phase: watch::Sender::new(Phase {
                health: SourceHealth::Starting,
                detail: None,
                session: None,
            }),
            offer: Mutex::default(),
            calls: Semaphore::new(CALLS_MAX),
            changed: Arc::new(Notify::new()),
        }
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> SourceStatus {
        let phase = self.phase.borrow().clone();
        let offer = self.offer();
        SourceStatus {
            name: self.config.name.clone(),
            kind: match self.config.kind {
                SourceKind::Stdio { .. } => "mcp-stdio",
                SourceKind::Http { .. } => "mcp-http",
            }
            .to_owned(),
            health: phase.health,
            detail: phase.detail.or_else(|| in_words(&offer.unavailable)),
            tools: offer.tools.len(),
        }
    }

    /// What it last offered.
    pub(crate) fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of its tools.
    pub(crate) fn standing(&self) -> Standing {
        let silent = self.offer().is_empty();
        match self.phase.borrow().health {
            SourceHealth::Starting if silent => Standing::Starting,
            SourceHealth::Down if silent => Standing::Down,
            SourceHealth::Starting | SourceHealth::Up | SourceHealth::Down => Standing::Known,
        }
    }

    /// Resolves once it is up, or known to be down.
    pub(crate) async fn settled(&self) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = phase.wait_for(Phase::is_settled).await;
    }

    /// Marks it as down for good.
    pub(crate) fn disable(&self, reason: String) {
        self.enter(SourceHealth::Down, Some(reason), None);
    }

    /// Sends one errand, once.
    pub(crate) async fn send(&self, mut errand: Errand) -> Answer {
        let deadline = self.ports.clock.now().plus(errand.timeout());
        let offer = self.offer();
        let position = offer.positions.get(errand.tool());
        let Some(tool) = position.and_then(|position| offer.tools.get(*position)) else {
            return verdict::unavailable("the tool is not offered any more");
        };
        let Ok(_turn) = self.calls.try_acquire() else {
            return verdict::unavailable(&format!("{CALLS_MAX} calls are under way already"));
        };
        let mut cancelled = errand.take_cancelled();
        match self.ready(&mut cancelled, deadline).await {
            Ok(session) => session.call(tool, errand, (deadline, cancelled)).await,
            Err(why) => verdict::unavailable(&why),
        }
    }

    /// The conversation to use; waits a little where one is just being opened.
    async fn ready(
        &self,
        cancelled: &mut BoxFuture<'static, ()>,
        deadline: Timestamp,
    ) -> Result<Arc<Session>, String> {
        let patience = deadline.min(self.ports.clock.now().plus(READY_WAIT));
        let mut phase = self.phase.subscribe();
        let settled = phase.wait_for(Phase::is_settled);
        let known = tokio::select! {
            biased;
            phase = settled => phase.ok().map(|phase| phase.clone()),
            () = self.ports.clock.sleep_until(patience) => None,
            () = cancelled => return Err("the caller gave up".to_owned()),
        };
        let Some(known) = known else {
            return Err("it is still starting".to_owned());
        };
        known
            .session
            .ok_or_else(|| known.detail.unwrap_or_else(|| "it is down".to_owned()))
    }

    /// Keeps the source connected until `stop`.
    pub(crate) async fn supervise(self: Arc<Self>, stop: CancellationToken, on_offer: OnOffer) {
        let mut failures = 0u32;
        let mut opening = Opening::Probe;
        while !stop.is_cancelled() {
            let began = self.ports.clock.now();
            match self.open(opening, &stop).await {
                Ok((session, listing)) => {
                    self.take(&session, &listing, &on_offer);
                    let ending = self.tend(&session, &stop, &on_offer).await;
                    let lived = self.ports.clock.now().since(began);
                    failures = if lived >= STABLE_AFTER {
                        1
                    } else {
                        failures + 1
                    };
                    self.mourn(ending, failures == 1);
                    session.link.close().await;
                }
                Err(error) => {
                    failures += 1;
                    if error.broke_on_probe {
                        opening = opening.other();
                    }
                    self.mourn(error.reason, error.broke_on_probe && failures == 1);
                    // Whoever waits for its tools, to probe with them, waits in vain.
                    on_offer();
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.ports.sleep(backoff(failures, self.chance())) => {}
            }
        }
        self.disable("the gate is stopping".to_owned());
    }

    /// Connects, agrees with the server, and lists its tools.
    async fn open(
        &self,
        opening: Opening,
        stop: &CancellationToken,
    ) -> Result<(Arc<Session>, Listing), OpenError> {
        let link = self.link().map_err(OpenError::plain)?;
        let limit = self.config.limits.start_timeout;
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => Err(OpenError::plain("the gate is stopping".to_owned())),
            opened = self.ports.within(limit, self.converse(&link, opening)) => {
                let late = || OpenError::plain(format!("it was not ready within {limit}"));
                opened.unwrap_or_else(|| Err(late()))
            }
        };
        if let Err(mut error) = opened {
            error.reason = with_observations(error.reason, link.as_ref());
            link.close().await;
            return Err(error);
        }
        opened
    }

    async fn converse(
        &self,
        link: &Arc<dyn Link>,
        opening: Opening,
    ) -> Result<(Arc<Session>, Listing), OpenError> {
        let limits = self.config.limits;
        let link = Arc::clone(link);
        let session = Session::open(link, opening, &self.ports, limits.message_bytes_max).await?;
        let listing = session.list(limits.tools_max).await;
        let listing = listing.map_err(|error| OpenError::plain(error.reason))?;
        Ok((Arc::new(session), listing))
    }

    fn link(&self) -> Result<Arc<dyn Link>, String> {
        let message_bytes_max = self.config.limits.message_bytes_max;
        let (name, changed) = (&self.config.name, Arc::clone(&self.changed));
        match self.config.kind.clone() {
            SourceKind::Stdio { command, env, cwd } => {
                let program = Program {
                    command,
                    env,
                    cwd,
                    message_bytes_max,
                };
                Ok(Arc::new(StdioLink::start(
                    name,
                    &program,
                    &self.ports,
                    changed,
                )?))
            }
            SourceKind::Http {
                url,
                bearer,
                headers,
            } => {
                let endpoint = Endpoint {
                    url,
                    bearer,
                    headers,
                    message_bytes_max,
                };
                Ok(Arc::new(HttpLink::new(
                    name,
                    &endpoint,
                    &self.ports,
                    changed,
                )?))
            }
        }
    }

    /// Stays with a conversation until it ends; gives the reason.
    async fn tend(
        &self,
        session: &Arc<Session>,
        stop: &CancellationToken,
        on_offer: &OnOffer,
    ) -> String {
        tokio::select! {
            biased;
            () = stop.cancelled() => "the gate is stopping".to_owned(),
            reason = session.link.ended() => with_observations(reason, session.link.as_ref()),
            reason = self.relist(session, on_offer) => reason,
            () = self.listen(session) => "it cannot be listened to".to_owned(),
        }
    }

    /// Lists the tools again whenever they changed and now and then; ends with the reason once
    /// nothing can be sent any more.
    async fn relist(&self, session: &Arc<Session>, on_offer: &OnOffer) -> String {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = self.ports.sleep(RELIST_EVERY) => {}
            }
            match session.list(self.config.limits.tools_max).await {
                Ok(listing) => self.take(session, &listing, on_offer),
                Err(error) if error.unreachable => return error.reason,
                Err(error) => {
                    // A server that is busy with a long call is no dead one: its tools stay.
                    self.enter(SourceHealth::Up, Some(error.reason), Some(session));
                }
            }
            self.ports.sleep(RELIST_GAP).await;
        }
    }

    /// Listens for changes for ever; what may have been missed in between is listed again.
    async fn listen(&self, session: &Session) {
        loop {
            match session.listen().await {
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
            self.changed.notify_one();
        }
    }

    /// Describes what the server lists, and tells whoever wants to know if it is something else.
    fn take(&self, session: &Arc<Session>, listing: &Listing, on_offer: &OnOffer) {
        let origin = Origin {
            source: &self.config.name,
            wire_names: self.config.wire_names,
            limits: self.config.limits,
            version: session.server.version.as_deref(),
            headers: match &self.config.kind {
                SourceKind::Http { headers, .. } => Some(headers),
                SourceKind::Stdio { .. } => None,
            },
        };
        let (tools, unavailable) = describe::describe(origin, &listing.tools, &self.overrides);
        for left_out in &unavailable {
            let UnavailableTool {
                source,
                tool,
                reason,
            } = left_out;
            tracing::warn!(source, tool, reason, "a tool is unavailable");
        }
        let ids = tools.iter().map(|tool| tool.descriptor.id.clone());
        let offer = Arc::new(Offer {
            positions: ids.zip(0..).collect(),
            tools,
            unavailable,
        });
        let changed = {
            let mut held = self.offer.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = **held != *offer;
            *held = offer;
            changed
        };
        if changed {
            on_offer();
        }
        self.enter(SourceHealth::Up, listing.note.clone(), Some(session));
        if !changed {
            // It may be up for the first time, and offer nothing.
            on_offer();
        }
    }

    /// Notes that the source is not connected. The first loss of a good connection counts as a
    /// new start, for which calls wait a little.
    fn mourn(&self, reason: String, hopeful: bool) {
        let health = if hopeful {
            SourceHealth::Starting
        } else {
            SourceHealth::Down
        };
        tracing::warn!(source = self.config.name, reason, "not connected");
        self.enter(health, Some(reason), None);
    }

    fn enter(&self, health: SourceHealth, detail: Option<String>, session: Option<&Arc<Session>>) {
        let session = session.map(Arc::clone);
        self.phase.send_replace(Phase {
            health,
            detail,
            session,
        });
    }

    /// A random byte; without any, all gates come back at the same moment, which is no fault.
    fn chance(&self) -> u8 {
        let mut byte = [0];
        let _ = self.ports.entropy.fill(&mut byte);
        byte[0]
    }
}

fn with_observations(reason: String, link: &dyn Link) -> String {
    match link.observations() {
        seen if seen.is_empty() || reason.contains(&seen) => reason,
        seen => format!("{reason}; {seen}"),
    }
}

/// The pause before the next try: none after the first failure, then doubling, with up to a
/// quarter taken off so that many gates do not come back together.
fn backoff(failures: u32, chance: u8) -> Duration {
    if failures <= 1 {
        return Duration::default();
    }
    let first = BACKOFF_FIRST.as_millis();
    let full = first << (failures - 2).min(16);
    let full = full.min(BACKOFF_LAST.as_millis());
    let millis = full - full / 4 * i64::from(chance) / 255;
    Duration::from_millis(u32::try_from(millis).unwrap_or(u32::MAX))
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

#[cfg(test)]
mod tests {
    use super::backoff;

    #[test]
    fn pauses_double_up_to_a_minute_and_are_spread() {
        let pauses: Vec<_> = [0, 1, 2, 3, 4, 9, 10, 11, 1_000]
            .map(|failures| backoff(failures, 0).to_string())
            .to_vec();
        assert_eq!(
            pauses,
            [
                "0ms", "0ms", "250ms", "500ms", "1s", "32s", "1m", "1m", "1m"
            ]
        );
        assert_eq!(backoff(1_000, 255).to_string(), "45s");
    }
}
