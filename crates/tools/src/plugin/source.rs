//! One plugin, asked now and then how it is, and called once a call.
//!
//! Its health is read every few seconds, and what it can do when it comes up, when it says that that
//! changed, and every few minutes. A plugin that does not answer is down at once, says since when it
//! was not heard of, and keeps its actions: they are known, and refused before anything is sent.
//!
//! Must not know: other sources, how anything is signed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use toolgate_execution::LossCause;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Duration, SourceFacts, SourceHealth, SourceStatus, Timestamp, ToolId};

use super::wire::{Said, Step, Trouble, Wire};
use super::wording::{self, Wording};
use super::{PluginConfig, actions, said};
use crate::config::{Overrides, SourceConfig};
use crate::errand::Errand;
use crate::ports::Ports;
use crate::source::backoff;
use crate::supply::{Offer, OnOffer, Stand, Supply};
use crate::verdict;
use crate::verify::Standing;

/// How often a plugin is asked how it is.
// LIMIT: fifteen seconds: one small request, and nobody waits longer for the truth.
const HEALTH_EVERY: Duration = Duration::from_secs(15);
/// How long it may take to say so.
const HEALTH_WAIT: Duration = Duration::from_secs(5);
/// How often what it can do is read unasked.
const DISCOVER_EVERY: Duration = Duration::from_secs(300);
/// LIMIT: one that was not heard of for so long is not called up, whatever it said last.
const STALE_AFTER: Duration = Duration::from_secs(45);
/// LIMIT: calls of one plugin that are under way at once.
const CALLS_MAX: usize = 256;

/// A plugin.
pub(crate) struct PluginSource {
    config: SourceConfig,
    own: PluginConfig,
    overrides: Overrides,
    ports: Ports,
    wire: Result<Wire, String>,
    stand: Stand,
    heard: Mutex<Heard>,
    calls: Semaphore,
    /// Raised when it is to be asked at once.
    wanted: Notify,
    /// Whether what it can do is to be read then, too.
    outdated: AtomicBool,
}

/// What is known of it since it was last heard of.
#[derive(Default)]
struct Heard {
    at: Option<Timestamp>,
    claims: BTreeMap<String, String>,
    /// When it last said what it can do, and under which revision.
    discovered: Option<(Timestamp, Option<String>)>,
}

/// Until when a call may last, and how its caller gives up.
type Patience = (Timestamp, BoxFuture<'static, ()>);

impl PluginSource {
    pub(crate) fn new(
        config: SourceConfig,
        own: PluginConfig,
        overrides: &Overrides,
        ports: Ports,
    ) -> Self {
        let mine = |(id, _): &(&ToolId, _)| id.source() == config.name;
        let overrides = overrides.iter().filter(mine);
        let bytes_max = config.limits.message_bytes_max;
        Self {
            overrides: overrides.map(|(id, o)| (id.clone(), o.clone())).collect(),
            wire: Wire::new((&own.url, own.secret.expose()), &ports, bytes_max),
            config,
            own,
            ports,
            stand: Stand::default(),
            heard: Mutex::default(),
            calls: Semaphore::new(CALLS_MAX),
            wanted: Notify::new(),
            outdated: AtomicBool::new(false),
        }
    }

    /// Asks one thing within the time that there is.
    async fn ask(
        &self,
        step: Step,
        asked: Option<&Value>,
        wait: Duration,
    ) -> Result<Said, Trouble> {
        let wire = self
            .wire
            .as_ref()
            .map_err(|why| Trouble::NotSent(why.clone()))?;
        let headers = HeaderMap::new();
        let answer = self.ports.within(wait, wire.ask(step, asked, &headers));
        answer.await.unwrap_or_else(|| {
            let what = step.word();
            Err(Trouble::Broken(format!(
                "it did not answer `{what}` within {wait}"
            )))
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeping it known.
impl PluginSource {
    /// Asks how it is, for as long as the gate runs.
    async fn keep(self: Arc<Self>, stop: CancellationToken, on_offer: OnOffer) {
        let mut failures = 0u32;
        while !stop.is_cancelled() {
            let round = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                round = self.round(&on_offer) => round,
            };
            let pause = match round {
                Ok(()) => {
                    failures = 0;
                    HEALTH_EVERY
                }
                Err(why) => {
                    failures = failures.saturating_add(1);
                    self.mourn(why, &on_offer);
                    backoff(failures, self.chance()).min(HEALTH_EVERY)
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.wanted.notified() => {}
                () = self.ports.sleep(pause) => {}
            }
        }
        self.disable("the gate is stopping".to_owned());
    }

    /// Asks how it is, and what it can do where that may have changed.
    async fn round(&self, on_offer: &OnOffer) -> Result<(), String> {
        let asked_for = self.outdated.swap(false, Ordering::SeqCst);
        let health = self.ask(Step::Health, None, HEALTH_WAIT).await;
        let health = read(health, said::health)?;
        if let Some(why) = health.down {
            return Err(why);
        }
        let now = self.ports.clock.now();
        let due = match &self.lock().discovered {
            None => true,
            Some((at, revision)) => {
                asked_for || *revision != health.revision || now.since(*at) >= DISCOVER_EVERY
            }
        };
        if due {
            self.discover(health.revision, on_offer).await?;
        }
        self.lock().at = Some(self.ports.clock.now());
        self.stand.enter(SourceHealth::Up, health.detail);
        Ok(())
    }

    async fn discover(&self, revision: Option<String>, on_offer: &OnOffer) -> Result<(), String> {
        let asked = wording::discovery(&self.config.name);
        let wait = self.config.limits.start_timeout;
        let answer = self.ask(Step::Discover, Some(&asked), wait).await;
        let found = read(answer, said::discovered)?;
        let listed = (found.actions.as_slice(), found.version.as_deref());
        let (tools, unavailable) = actions::describe(&self.config, listed, &self.overrides);
        for one in &unavailable {
            tracing::warn!(
                source = self.config.name,
                action = one.tool,
                reason = one.reason,
                "an action is unavailable"
            );
        }
        {
            let mut heard = self.lock();
            heard.claims = found.claims.into_iter().collect();
            heard.discovered = Some((self.ports.clock.now(), revision));
        }
        self.stand.take(Offer::new(tools, unavailable), on_offer);
        Ok(())
    }

    /// Notes that it is down, and since when.
    fn mourn(&self, why: String, on_offer: &OnOffer) {
        tracing::warn!(source = self.config.name, reason = why, "a plugin is down");
        let detail = match self.lock().at {
            Some(at) => format!("{why}; it was last heard of at {at}"),
            None => why,
        };
        self.stand.enter(SourceHealth::Down, Some(detail));
        // Whoever waits for its actions, to look with them, waits in vain.
        on_offer();
    }

    /// A random byte; without any, all gates come back at the same moment, which is no fault.
    fn chance(&self) -> u8 {
        let mut byte = [0];
        let _ = self.ports.entropy.fill(&mut byte);
        byte[0]
    }
}

/// Reads a signed answer that says that it is one.
fn read<T>(
    answer: Result<Said, Trouble>,
    reading: fn(&Said) -> Result<T, String>,
) -> Result<T, String> {
    match answer {
        Ok(said) if said.status == 200 => reading(&said),
        Ok(said) => Err(format!("it answered with HTTP {}", said.status)),
        Err(trouble) => Err(trouble.in_words().to_owned()),
    }
}

/// Calling it.
impl PluginSource {
    async fn carried(&self, mut errand: Errand) -> Answer {
        let deadline = self.ports.clock.now().plus(errand.timeout());
        let offer = self.offer();
        let Some(tool) = offer.tool(errand.tool()) else {
            return verdict::unavailable("the action is not offered any more");
        };
        let Ok(_turn) = self.calls.try_acquire() else {
            return verdict::unavailable(&format!("{CALLS_MAX} calls are under way already"));
        };
        let status = self.status();
        if status.health != SourceHealth::Up {
            let why = status.detail.unwrap_or_else(|| "it is down".to_owned());
            return verdict::unavailable(&why);
        }
        let cancelled = errand.take_cancelled();
        let wording = Wording::of(tool, &errand);
        drop(errand);
        let answer = self.run(wording, (deadline, cancelled)).await;
        if !matches!(answer, Answer::Answered { .. }) {
            // Whether it is still there is worth knowing now.
            self.wanted.notify_one();
        }
        answer
    }

    /// Asks whether it would, where that is asked, and has it done, once.
    async fn run(&self, wording: Wording, (deadline, cancelled): Patience) -> Answer {
        if let Some(asked) = &wording.authorize {
            let answer = self.ask(Step::Authorize, Some(asked), self.left(deadline));
            if let Err(answer) = said::authorized(answer.await) {
                return answer;
            }
        }
        let wire = match &self.wire {
            Ok(wire) => wire,
            Err(why) => return verdict::unavailable(why),
        };
        let what = wording.step.word();
        tokio::select! {
            biased;
            answer = wire.ask(wording.step, Some(&wording.body), &wording.headers) => {
                match wording.step {
                    Step::Reflect => said::reflected(answer),
                    _ => said::executed(answer),
                }
            }
            () = self.ports.clock.sleep_until(deadline) => {
                verdict::lost(LossCause::Timeout, format!("it did not answer `{what}` in time"))
            }
            () = cancelled => verdict::lost(LossCause::Cancelled, "the caller gave up".to_owned()),
        }
    }

    fn left(&self, deadline: Timestamp) -> Duration {
        deadline.since(self.ports.clock.now())
    }
}

impl Supply for PluginSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn offer(&self) -> Arc<Offer> {
        self.stand.offer()
    }

    fn status(&self) -> SourceStatus {
        let status = self
            .stand
            .status(&self.config.name, self.config.kind.word());
        let heard = self.lock();
        let (mut health, mut detail) = (status.health, status.detail);
        let now = self.ports.clock.now();
        let stale = heard.at.filter(|at| now.since(*at) > STALE_AFTER);
        if let (SourceHealth::Up, Some(at)) = (health, stale) {
            health = SourceHealth::Down;
            detail = Some(format!("it was last heard of at {at}"));
        }
        SourceStatus {
            health,
            detail,
            facts: SourceFacts {
                owner: self.own.owner.clone(),
                auth: Some("hmac".to_owned()),
                heard_at: heard.at,
                claims: heard.claims.clone(),
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
        self.outdated.store(true, Ordering::SeqCst);
        self.wanted.notify_one();
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
