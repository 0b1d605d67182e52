//! One source of tools, kept connected.
//!
//! Its supervision connects, takes over what the server lists, and stays with the conversation
//! ([`crate::tend`]); when the connection ends it starts over, first at once and then ever more slowly. While the source is
//! down its tools stay known and its calls are refused before anything is sent.
//!
//! Must not know: other sources.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture, Following, ResourceSink};
use toolgate_model::{Duration, SourceFacts, SourceHealth, SourceStatus, Timestamp, ToolId};

use crate::breaker::Breaker;
use crate::config::{Overrides, SourceConfig, SourceKind};
use crate::describe::{self, Offered, Origin, UnavailableTool};
use crate::dial::dial;
use crate::era::Server;
use crate::errand::Errand;
use crate::exchange::Link;
use crate::follow::News;
use crate::methods;
use crate::offers::{self, Shop};
use crate::pool::Pool;
use crate::ports::Ports;
use crate::session::{OpenError, Opening, Session, Terms};
use crate::supply::{Offer, OnOffer, Supply};
use crate::tend::Listed;
use crate::verdict;
use crate::verify::Standing;

/// The first pause after a failed start, doubled each time up to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_LAST: Duration = Duration::from_secs(60);
/// A connection that lived so long was a good one: the next failure is the first again.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// How long a call waits for a source that is just starting.
const READY_WAIT: Duration = Duration::from_secs(5);
/// LIMIT: calls of one source that are under way at once.
const CALLS_MAX: usize = 256;

/// One source.
pub(crate) struct Source {
    pub(crate) config: SourceConfig,
    overrides: Overrides,
    pub(crate) ports: Ports,
    phase: watch::Sender<Phase>,
    offer: Mutex<Arc<Offer>>,
    calls: Semaphore,
    pub(crate) breaker: Breaker,
    pub(crate) news: Arc<News>,
    pool: Arc<Pool>,
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

impl Source {
    pub(crate) fn new(config: SourceConfig, overrides: &Overrides, ports: Ports) -> Self {
        let own = |(id, _): &(&ToolId, _)| id.source() == config.name;
        let overrides = overrides.iter().filter(own);
        let news = Arc::default();
        Self {
            pool: Pool::new(&config, &ports, &news),
            overrides: overrides.map(|(id, o)| (id.clone(), o.clone())).collect(),
            config,
            breaker: Breaker::new(Arc::clone(&ports.clock)),
            ports,
            phase: watch::Sender::new(Phase {
                health: SourceHealth::Starting,
                detail: None,
                session: None,
            }),
            offer: Mutex::default(),
            calls: Semaphore::new(CALLS_MAX),
            news,
        }
    }

    /// Sends one errand, once.
    async fn carried(&self, mut errand: Errand) -> Answer {
        let deadline = self.ports.clock.now().plus(errand.timeout());
        let offer = self.offer();
        let Some(tool) = offer.tool(errand.tool()) else {
            return verdict::unavailable("the tool is not offered any more");
        };
        let Ok(_turn) = self.calls.try_acquire() else {
            return verdict::unavailable(&format!("{CALLS_MAX} calls are under way already"));
        };
        if let Err(why) = self.breaker.admit() {
            return verdict::unavailable(&why);
        }
        let cancelled = errand.take_cancelled();
        let answer = self.carry(tool, errand, (deadline, cancelled)).await;
        self.breaker.note(&answer);
        answer
    }

    /// Whether calls are under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.calls.available_permits() < CALLS_MAX
    }

    async fn carry(
        &self,
        tool: &Offered,
        errand: Errand,
        (deadline, mut cancelled): (Timestamp, BoxFuture<'static, ()>),
    ) -> Answer {
        let first = match self.ready(&mut cancelled, deadline).await {
            Ok(first) => first,
            Err(why) => return verdict::unavailable(&why),
        };
        let Some(needed) = self.pool.needed(&first, &errand) else {
            return first.call(tool, errand, (deadline, cancelled)).await;
        };
        match self.pool.pick(needed, (deadline, &mut cancelled)).await {
            Ok(None) => first.call(tool, errand, (deadline, cancelled)).await,
            Ok(Some(held)) => {
                let session = &held.session;
                let answer = session.call(tool, errand, (deadline, cancelled)).await;
                held.note(&answer);
                answer
            }
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
    async fn keep(self: Arc<Self>, stop: CancellationToken, on_offer: OnOffer) {
        let mut failures = 0u32;
        let mut opening = Opening::from(self.config.era);
        while !stop.is_cancelled() {
            let began = self.ports.clock.now();
            match self.open(opening, &stop).await {
                Ok((session, listed)) => {
                    self.breaker.close();
                    self.take(&session, &listed, &on_offer);
                    let ending = self.tend(&session, &stop, &on_offer).await;
                    let lived = self.ports.clock.now().since(began);
                    failures = if lived >= STABLE_AFTER {
                        1
                    } else {
                        failures + 1
                    };
                    self.mourn(ending, failures == 1);
                    let others = async {
                        if stop.is_cancelled() {
                            self.pool.close().await;
                        }
                    };
                    // Each takes its time to leave, and no longer than the others.
                    join(session.link.close(), others).await;
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
        self.pool.close().await;
        self.disable("the gate is stopping".to_owned());
    }

    /// Connects, agrees with the server, and lists its tools.
    async fn open(
        &self,
        opening: Opening,
        stop: &CancellationToken,
    ) -> Result<(Arc<Session>, Listed), OpenError> {
        let dialled = dial(&self.config, &self.ports, &self.news, None);
        let link = dialled.map_err(OpenError::plain)?;
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
    ) -> Result<(Arc<Session>, Listed), OpenError> {
        let link = Arc::clone(link);
        let terms = Terms::of(&self.config);
        let session = Session::open(link, opening, &self.ports, terms).await?;
        let listed = self.list(&session).await;
        let listed = listed.map_err(|error| OpenError::plain(error.reason))?;
        Ok((Arc::new(session), listed))
    }

    /// Takes over what the server lists, and tells whoever wants to know if it is something else.
    pub(crate) fn take(&self, session: &Arc<Session>, listed: &Listed, on_offer: &OnOffer) {
        let offer = Arc::new(self.described(&session.server, listed));
        let changed = {
            let mut held = self.offer.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = **held != *offer;
            *held = Arc::clone(&offer);
            changed
        };
        if changed {
            on_offer();
        }
        self.enter(SourceHealth::Up, listed.tools.note.clone(), Some(session));
        if !changed {
            // It may be up for the first time, and offer nothing.
            on_offer();
        }
    }

    fn described(&self, server: &Server, listed: &Listed) -> Offer {
        let origin = Origin {
            source: &self.config.name,
            wire_names: self.config.wire_names,
            limits: self.config.limits,
            version: server.version.as_deref(),
            era: server.era,
            headers: match &self.config.kind {
                SourceKind::Http { headers, .. } => Some(headers),
                _ => None,
            },
            effect: self.config.effect,
        };
        let overrides = &self.overrides;
        let (mut tools, mut unavailable) =
            describe::describe(origin, &listed.tools.items, overrides);
        let own = methods::describe(origin, methods::declared(server), overrides);
        tools.extend(own.0);
        unavailable.extend(own.1);
        let before = self.offer();
        let shop = Shop {
            wire_names: self.config.wire_names,
            limits: self.config.limits,
            server,
            announced: listed.announced,
            before: &before.besides,
        };
        let (besides, notes) = offers::offer(shop, &listed.shelves);
        self.complain(&unavailable, &notes);
        Offer::new(tools, unavailable).with(besides, notes)
    }

    fn complain(&self, unavailable: &[UnavailableTool], notes: &[String]) {
        for left_out in unavailable {
            let UnavailableTool {
                source,
                tool,
                reason,
            } = left_out;
            tracing::warn!(source, tool, reason, "a tool is unavailable");
        }
        for note in notes {
            tracing::warn!(source = self.config.name, note, "not all is offered");
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

    pub(crate) fn enter(
        &self,
        health: SourceHealth,
        detail: Option<String>,
        session: Option<&Arc<Session>>,
    ) {
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

impl Supply for Source {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn status(&self) -> SourceStatus {
        let phase = self.phase.borrow().clone();
        let offer = self.offer();
        let up = phase.health == SourceHealth::Up;
        let open = self.breaker.open_in_words().filter(|_| up);
        SourceStatus {
            name: self.config.name.clone(),
            kind: self.config.kind.word().to_owned(),
            health: if open.is_some() {
                SourceHealth::Down
            } else {
                phase.health
            },
            detail: open.or(phase.detail).or_else(|| offer.in_words()),
            tools: offer.listed(),
            facts: SourceFacts {
                auth: Some(self.config.auth().to_owned()),
                ..SourceFacts::default()
            },
        }
    }

    fn standing(&self) -> Standing {
        let silent = self.offer().is_empty();
        match self.phase.borrow().health {
            SourceHealth::Starting if silent => Standing::Starting,
            SourceHealth::Down if silent => Standing::Down,
            SourceHealth::Starting | SourceHealth::Up | SourceHealth::Down => Standing::Known,
        }
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut phase = self.phase.subscribe();
            // The sender lives as long as `self`, so waiting cannot fail.
            let _ = phase.wait_for(Phase::is_settled).await;
        })
    }

    fn disable(&self, reason: String) {
        self.enter(SourceHealth::Down, Some(reason), None);
    }

    fn refresh(&self) {
        self.news.changed.notify_one();
    }

    fn send(&self, errand: Errand) -> BoxFuture<'_, Answer> {
        Box::pin(self.carried(errand))
    }

    fn follow(&self, uri: &str, told: ResourceSink) -> Option<Following> {
        let offer = self.offer();
        let resources = offer.besides.capabilities.get("resources")?;
        let tells = resources.get("subscribe") == Some(&true.into());
        tells.then(|| self.news.follow(uri, told)).flatten()
    }

    fn supervise(
        self: Arc<Self>,
        stop: CancellationToken,
        on_offer: OnOffer,
    ) -> BoxFuture<'static, ()> {
        Box::pin(self.keep(stop, on_offer))
    }
}

pub(crate) fn with_observations(reason: String, link: &dyn Link) -> String {
    match link.observations() {
        seen if seen.is_empty() || reason.contains(&seen) => reason,
        seen => format!("{reason}; {seen}"),
    }
}

/// The pause before the next try: none after the first failure, then doubling, with up to a
/// quarter taken off so that many gates do not come back together.
pub(crate) fn backoff(failures: u32, chance: u8) -> Duration {
    if failures <= 1 {
        return Duration::default();
    }
    let first = BACKOFF_FIRST.as_millis();
    let full = first << (failures - 2).min(16);
    let full = full.min(BACKOFF_LAST.as_millis());
    let millis = full - full / 4 * i64::from(chance) / 255;
    Duration::from_millis(u32::try_from(millis).unwrap_or(u32::MAX))
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
