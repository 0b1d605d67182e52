//! The conversations with one source: everybody's, and those that are somebody's own.
//!
//! A legacy server is told once, at the start of a session, what its client can do. So a call whose
//! client can fill in forms goes through a session of its own principal, opened when it is first
//! needed and closed when it idles. All calls without such a client share the first one. With
//! `isolation = "principal"` every principal has its own session, over stdio its own process.
//!
//! INVARIANT: a conversation whose server may ask its client something belongs to one principal.
//!
//! Must not know: what a call says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Duration, Timestamp};

use crate::breaker::Breaker;
use crate::caller::Principal;
use crate::config::{EraChoice, Isolation, SourceConfig};
use crate::declared::Declared;
use crate::dial::dial;
use crate::era::Era;
use crate::errand::Errand;
use crate::exchange::Exchange;
use crate::follow::News;
use crate::guard::Guard;
use crate::ports::Ports;
use crate::session::{Opening, Session, Terms};

/// LIMIT: conversations beside everybody's; over stdio each is a process.
const BRANCHES_MAX: usize = 16;
/// How long one is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// How long until one that is in use all the time is looked at again.
const AGAIN: Duration = Duration::from_secs(30);

/// How long until a broken stream of what the server says is opened again.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// Whose conversation it is, how the server is spoken to, and what it was told of the client.
type Key = (Principal, Voice, String);

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Voice {
    /// As in everybody's conversation.
    Own,
    /// In the legacy era though it speaks the modern one too, for a client that is asked in the
    /// middle of its requests: many such servers ask in no other way.
    Midway,
}

/// All conversations with one source but the first.
pub(crate) struct Pool {
    config: SourceConfig,
    ports: Ports,
    news: Arc<News>,
    branches: Mutex<BTreeMap<Key, Arc<Branch>>>,
    /// The first conversation of a server that turned out to speak the modern era only.
    modern_only: Mutex<Weak<Session>>,
    stop: CancellationToken,
    running: TaskTracker,
}

/// One conversation of one principal.
struct Branch {
    session: OnceCell<Arc<Session>>,
    /// Its own circuit: one principal's process that stands still is nobody else's trouble.
    breaker: Breaker,
    users: AtomicUsize,
    /// When it was last used, in milliseconds.
    used: AtomicI64,
    closed: CancellationToken,
    /// Whether somebody sees to its end.
    kept: AtomicBool,
}

/// A conversation that is not closed for idling while this is held.
pub(crate) struct Held {
    pub(crate) session: Arc<Session>,
    turn: Turn,
}

impl Held {
    /// Takes note of what became of a call.
    pub(crate) fn note(&self, answer: &Answer) {
        self.turn.branch.breaker.note(answer);
    }
}

/// Why there is no conversation.
enum Unopened {
    /// It could not be opened; why, in words.
    Failed(String),
    /// It was not waited for any longer.
    GivenUp(&'static str),
}

/// A conversation that an errand needs.
pub(crate) struct Needed {
    key: Key,
    first: Arc<Session>,
    declared: Declared,
}

/// That somebody uses a branch.
struct Turn {
    branch: Arc<Branch>,
    ports: Ports,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = self.ports.clock.now().as_millis();
        self.branch.used.store(now, Ordering::Release);
        self.branch.users.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Branch {
    fn is_used(&self) -> bool {
        self.users.load(Ordering::Acquire) > 0
    }

    fn idle_until(&self) -> Timestamp {
        Timestamp::from_millis(self.used.load(Ordering::Acquire)).plus(IDLE_MAX)
    }

    fn is_over(&self) -> bool {
        let ended = self.session.get().is_some_and(|it| it.link.is_ended());
        ended || self.closed.is_cancelled()
    }
}

impl Pool {
    pub(crate) fn new(config: &SourceConfig, ports: &Ports, news: &Arc<News>) -> Arc<Self> {
        Arc::new(Self {
            config: config.clone(),
            ports: ports.clone(),
            news: Arc::clone(news),
            branches: Mutex::default(),
            modern_only: Mutex::default(),
            stop: CancellationToken::new(),
            running: TaskTracker::new(),
        })
    }

    /// The conversation of its own that an errand needs; none where the first one will do.
    pub(crate) fn needed(&self, first: &Arc<Session>, errand: &Errand) -> Option<Needed> {
        let own = self.config.isolation == Isolation::Principal;
        let (voice, declared) = self.voice(first, errand);
        let needs = own || voice == Voice::Midway || !declared.capabilities().is_empty();
        let principal = errand.principal().filter(|_| needs)?;
        let text = Value::Object(declared.capabilities().clone()).to_string();
        Some(Needed {
            key: (principal, voice, text),
            first: Arc::clone(first),
            declared,
        })
    }

    /// Such a conversation, opened where need be; none where the first one has to do after all.
    ///
    /// # Errors
    /// Why there is none, in words; nothing of the errand was sent.
    pub(crate) async fn pick(
        self: &Arc<Self>,
        needed: Needed,
        (deadline, cancelled): (Timestamp, &mut BoxFuture<'static, ()>),
    ) -> Result<Option<Held>, String> {
        let why = match self.opened(&needed, (deadline, cancelled)).await {
            Ok(held) => return Ok(Some(held)),
            Err(Unopened::Failed(why)) if needed.key.1 == Voice::Midway => why,
            Err(Unopened::Failed(why)) => return Err(why),
            Err(Unopened::GivenUp(why)) => return Err(why.to_owned()),
        };
        tracing::debug!(
            source = self.config.name,
            why,
            "it speaks the modern era only"
        );
        *self
            .modern_only
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&needed.first);
        if self.config.isolation != Isolation::Principal {
            return Ok(None);
        }
        let own = Needed {
            key: (needed.key.0, Voice::Own, "{}".to_owned()),
            declared: Declared::default(),
            ..needed
        };
        match self.opened(&own, (deadline, cancelled)).await {
            Ok(held) => Ok(Some(held)),
            Err(Unopened::Failed(why)) => Err(why),
            Err(Unopened::GivenUp(why)) => Err(why.to_owned()),
        }
    }

    async fn opened(
        self: &Arc<Self>,
        needed: &Needed,
        (deadline, cancelled): (Timestamp, &mut BoxFuture<'static, ()>),
    ) -> Result<Held, Unopened> {
        let turn = self.turn(&needed.key).map_err(Unopened::Failed)?;
        turn.branch.breaker.admit().map_err(Unopened::Failed)?;
        let opened = {
            let opening = turn.branch.session.get_or_try_init(|| self.open(needed));
            tokio::select! {
                biased;
                opened = opening => opened.cloned().map_err(Unopened::Failed),
                () = cancelled => Err(Unopened::GivenUp("the caller gave up")),
                () = self.ports.clock.sleep_until(deadline) => {
                    Err(Unopened::GivenUp("it was not ready in time"))
                }
            }
        };
        match opened {
            Ok(session) => {
                self.keep(&needed.key, &turn.branch);
                Ok(Held { session, turn })
            }
            Err(why) => {
                self.forget_unopened(&needed.key, turn);
                Err(why)
            }
        }
    }

    /// Closes all of them and waits until they are.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// How the server is to be spoken to for this errand, and what it is to be told at the start
    /// of the conversation.
    fn voice(&self, first: &Arc<Session>, errand: &Errand) -> (Voice, Declared) {
        let Some(peer) = errand.peer() else {
            return (Voice::Own, Declared::default());
        };
        let declared = Declared::of(peer.as_ref(), self.config.client).for_legacy();
        let can = !declared.capabilities().is_empty();
        match first.server.era {
            Era::Legacy(_) => (Voice::Own, declared),
            Era::Modern if can && peer.is_asked_midway() && self.may_be_legacy(first) => {
                (Voice::Midway, declared)
            }
            // A modern server is told with each request.
            Era::Modern => (Voice::Own, Declared::default()),
        }
    }

    /// Whether a server that speaks the modern era may speak the other one too: it was not told to
    /// be one of a single era, and has not shown it since it was last connected to.
    fn may_be_legacy(&self, first: &Arc<Session>) -> bool {
        let modern = self
            .modern_only
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let shown = modern.upgrade().is_some_and(|it| Arc::ptr_eq(&it, first));
        self.config.era == EraChoice::Auto && !shown
    }

    /// Takes a turn at a branch, made where there is none. Where there is no room, the one that
    /// idled longest is closed.
    fn turn(&self, key: &Key) -> Result<Turn, String> {
        if self.stop.is_cancelled() {
            return Err("the gate is stopping".to_owned());
        }
        let mut branches = self.lock();
        branches.retain(|_, branch| !branch.is_over());
        if !branches.contains_key(key) && branches.len() >= BRANCHES_MAX {
            let idle = branches.iter().filter(|(_, branch)| !branch.is_used());
            let oldest = idle.min_by_key(|(_, branch)| branch.idle_until());
            let oldest = oldest.map(|(key, _)| key.clone()).ok_or_else(|| {
                format!("{BRANCHES_MAX} agents have conversations with it under way already")
            })?;
            if let Some(branch) = branches.remove(&oldest) {
                branch.closed.cancel();
            }
        }
        let now = self.ports.clock.now().as_millis();
        let branch = branches.entry(key.clone()).or_insert_with(|| {
            Arc::new(Branch {
                session: OnceCell::new(),
                breaker: Breaker::new(Arc::clone(&self.ports.clock)),
                users: AtomicUsize::new(0),
                used: AtomicI64::new(now),
                closed: CancellationToken::new(),
                kept: AtomicBool::new(false),
            })
        });
        branch.users.fetch_add(1, Ordering::AcqRel);
        Ok(Turn {
            branch: Arc::clone(branch),
            ports: self.ports.clone(),
        })
    }

    async fn open(&self, needed: &Needed) -> Result<Arc<Session>, String> {
        let (principal, voice, _) = &needed.key;
        let behalf = principal.behalf();
        let personal = self
            .config
            .grants
            .as_ref()
            .is_some_and(|it| it.is_personal());
        // INVARIANT: what is to be done as a person is never done as the gate instead.
        if personal && behalf.is_none() {
            return Err("it is called for a person, and the caller's token names none".to_owned());
        }
        let link = dial(&self.config, &self.ports, &self.news, behalf)?;
        let opening = match (voice, needed.first.server.era) {
            (Voice::Midway, _) | (_, Era::Legacy(_)) => Opening::OnlyHandshake,
            // A process that starts slowly misses the probe, and shows at the handshake what it is.
            (Voice::Own, Era::Modern) => Opening::Probe,
        };
        let terms = Terms {
            declared: needed.declared.clone(),
            ..Terms::of(&self.config)
        };
        let limit = self.config.limits.start_timeout;
        let open = Session::open(Arc::clone(&link), opening, &self.ports, terms);
        let why = match self.ports.within(limit, open).await {
            Some(Ok(session)) => return Ok(Arc::new(session)),
            Some(Err(error)) => error.reason,
            None => format!("it was not ready within {limit}"),
        };
        link.close().await;
        Err(why)
    }

    /// Has a branch closed once it ends, idles, or is closed. A second time changes nothing.
    fn keep(self: &Arc<Self>, key: &Key, branch: &Arc<Branch>) {
        let Some(session) = branch.session.get().map(Arc::clone) else {
            return;
        };
        if branch.kept.swap(true, Ordering::AcqRel) {
            return;
        }
        let pool = Arc::downgrade(self);
        let (key, branch) = (key.clone(), Arc::clone(branch));
        let (ports, stop) = (self.ports.clone(), self.stop.clone());
        let source = self.config.name.clone();
        let work = self.running.track_future(async move {
            let guard = Guard {
                session: &session,
                breaker: &branch.breaker,
                ports: &ports,
                source: &source,
            };
            tokio::select! {
                () = tend(&pool, &key, &branch, (&session, &ports, &stop)) => {}
                () = hear(&session, &ports) => {}
                _ = guard.watch(|| branch.is_used()) => branch.closed.cancel(),
            }
            session.link.close().await;
        });
        self.ports.tasks.spawn("mcp conversation", Box::pin(work));
    }

    /// Takes a branch out that idles, unless somebody has just begun to use it again.
    fn retire(&self, key: &Key, branch: &Arc<Branch>) -> bool {
        let mut branches = self.lock();
        if branch.is_used() || self.ports.clock.now() < branch.idle_until() {
            return false;
        }
        if branches
            .get(key)
            .is_some_and(|held| Arc::ptr_eq(held, branch))
        {
            branches.remove(key);
        }
        true
    }

    /// A branch that could not be opened leaves its place to others.
    fn forget_unopened(&self, key: &Key, turn: Turn) {
        let branch = Arc::clone(&turn.branch);
        drop(turn);
        let mut branches = self.lock();
        let unopened = branch.session.get().is_none() && !branch.is_used();
        let same = branches
            .get(key)
            .is_some_and(|held| Arc::ptr_eq(held, &branch));
        if unopened && same {
            branches.remove(key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Arc<Branch>>> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens, for ever, to what a legacy server says besides its answers: some ask their questions
/// there and nowhere else.
async fn hear(session: &Session, ports: &Ports) {
    if session.server.era == Era::Modern {
        return std::future::pending().await;
    }
    loop {
        let heard = session.listen(Value::Null).1.await;
        if let Exchange::Error { .. } | Exchange::Status { .. } | Exchange::Malformed(_) = heard {
            break;
        }
        ports.sleep(LISTEN_AGAIN).await;
    }
    std::future::pending().await
}

/// Resolves once a branch is to be closed.
async fn tend(
    pool: &Weak<Pool>,
    key: &Key,
    branch: &Arc<Branch>,
    (session, ports, stop): (&Session, &Ports, &CancellationToken),
) {
    loop {
        // Looked at again at the earliest when it could have idled for long enough.
        let next = branch.idle_until().max(ports.clock.now().plus(AGAIN));
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = branch.closed.cancelled() => return,
            _ = session.link.ended() => return,
            () = ports.clock.sleep_until(next) => {}
        }
        match pool.upgrade() {
            Some(pool) if pool.retire(key, branch) => return,
            Some(_) => {}
            None => return,
        }
    }
}
