//! The ledger: calls by whom they count for, in order of time, and no more of them than it may hold.
//!
//! Taking a call into it and asking it are both short; whoever shares it between tasks holds one
//! lock for "decide, then take", and that makes limits exact on one node.
//!
//! INVARIANT: what was dropped for want of room makes every window that reaches back to it unknown,
//! never smaller.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use toolgate_model::{AgentId, DataClass, Duration, InvocationId, TenantId, Timestamp, ToolId};
use toolgate_policy::HistoryScope;

use super::event::{Event, Read, SessionKey};
use super::session::Remembered;
use super::view::{Asker, View};

/// What a ledger may hold.
#[derive(Clone, Copy, Debug)]
pub struct LedgerLimits {
    /// Calls.
    pub calls_max: usize,
    /// How long a call is remembered; windows that reach further back are unknown.
    pub span: Duration,
    /// After how long without a call a session is forgotten.
    pub session_idle: Duration,
    /// Sessions.
    pub sessions_max: usize,
}

impl Default for LedgerLimits {
    // LIMIT: 200,000 calls, a few hundred bytes each. A day is what most limits speak of; a rule that asks
    // for more has the span made longer. A session that rested a day is another one.
    fn default() -> Self {
        Self {
            calls_max: 200_000,
            span: Duration::from_secs(86_400),
            session_idle: Duration::from_secs(86_400),
            sessions_max: 20_000,
        }
    }
}

/// Pairs of agent and resource that are remembered.
// LIMIT: a million; from then on an old pair can look new, which is strict.
const TOUCHES_MAX: usize = 1_000_000;

/// Length of one bucket of an agent's baseline, and how many make it.
pub(super) const BUCKET_MILLIS: i64 = 5 * 60 * 1_000;
const BUCKETS: i64 = 288;

/// Whom a call counts for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum CountedFor {
    Agent(TenantId, AgentId),
    Tool(TenantId, ToolId),
    Resource(TenantId, String),
    Tenant(TenantId),
    User(TenantId, AgentId),
    Session(SessionKey),
}

/// Earlier calls.
#[derive(Debug, Default)]
pub struct Ledger {
    limits: LedgerLimits,
    events: HashMap<u64, Event>,
    ages: BTreeSet<(Timestamp, u64)>,
    numbers: HashMap<InvocationId, u64>,
    next: u64,
    counted: HashMap<CountedFor, VecDeque<u64>>,
    reads: HashMap<(CountedFor, DataClass), Timestamp>,
    sessions: HashMap<SessionKey, Remembered>,
    touched: HashSet<(TenantId, AgentId, String)>,
    /// Calls by five minutes, of the last day.
    rhythm: HashMap<(TenantId, AgentId), BTreeMap<i64, u32>>,
    /// Nothing before this instant is known.
    known_from: Option<Timestamp>,
    /// Whether what sums add up was measured under rules and tools that are not in force any more.
    is_outdated: bool,
}

impl Ledger {
    /// An empty ledger that knows everything since ever: there was nothing.
    pub fn new(limits: LedgerLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Says that nothing before this instant is known.
    pub fn know_from(&mut self, at: Timestamp) {
        self.known_from = Some(self.known_from.map_or(at, |known| known.max(at)));
    }

    /// What it may hold.
    pub const fn limits(&self) -> LedgerLimits {
        self.limits
    }

    /// Says that rules or tools changed: what sums add up is unknown until calls are taken back.
    pub const fn outdate(&mut self) {
        self.is_outdated = true;
    }

    /// Takes back what a store holds: `calls`, oldest first, are all that there were since `since`.
    /// Calls that it has stay as they are, but for what sums add up, which is measured anew.
    pub fn take_back(
        &mut self,
        calls: impl IntoIterator<Item = (Event, Read)>,
        (limits, since): (LedgerLimits, Timestamp),
    ) {
        for (event, read) in calls {
            let number = self.numbers.get(&event.invocation).copied();
            if let Some(known) = number.and_then(|number| self.events.get_mut(&number)) {
                known.measures = event.measures;
                continue;
            }
            let invocation = event.invocation.clone();
            self.add(event);
            if read.at.is_some() {
                self.note_read(&invocation, read);
            }
        }
        self.limits = limits;
        self.known_from = Some(since);
        self.is_outdated = false;
    }

    /// Whether sums are made of what is in force.
    pub(super) const fn is_measured(&self) -> bool {
        !self.is_outdated
    }

    /// How many calls it holds.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Takes a call in, or what became of one that it has. `now` is for forgetting.
    pub fn take(&mut self, event: Event, now: Timestamp) {
        match self.numbers.get(&event.invocation).copied() {
            Some(number) => self.amend(number, event),
            None => self.add(event),
        }
        self.forget(now);
    }

    /// Takes a call out that never came to be: its admission was refused.
    pub fn drop_call(&mut self, invocation: &InvocationId) {
        if let Some(number) = self.numbers.remove(invocation) {
            self.remove(number);
        }
    }

    /// What came back from a call, words included.
    pub fn note_read(&mut self, invocation: &InvocationId, read: Read) {
        let number = self.numbers.get(invocation).copied();
        let Some(event) = number.and_then(|number| self.events.get_mut(&number)) else {
            return;
        };
        event.read = Read {
            own: None,
            foreign: None,
            ..read.clone()
        };
        let keys = counted_for(event);
        let session = event.session.clone();
        self.remember_read(&keys, &read);
        self.sessions.entry(session).or_default().read(&read);
    }

    /// The history as this caller's rules see it.
    pub fn view<'l>(&'l self, asker: Asker<'l>) -> View<'l> {
        View::new(self, asker)
    }

    fn add(&mut self, event: Event) {
        let number = self.next;
        self.next += 1;
        let session = self.sessions.entry(event.session.clone()).or_default();
        session.begin(&event);
        session.read(&event.read);
        let keys = counted_for(&event);
        self.remember_read(&keys, &event.read);
        self.note_rhythm(&event);
        self.note_touch(&event);
        for key in keys {
            let queue = self.counted.entry(key).or_default();
            // Calls come nearly in order: a node's own do, and a start reads them so.
            let later = queue.iter().rev().take_while(|other| {
                self.events
                    .get(other)
                    .is_some_and(|other| other.at > event.at)
            });
            let place = queue.len() - later.count();
            queue.insert(place, number);
        }
        self.numbers.insert(event.invocation.clone(), number);
        self.ages.insert((event.at, number));
        self.events.insert(number, event);
    }

    fn amend(&mut self, number: u64, event: Event) {
        let Some(known) = self.events.get_mut(&number) else {
            return;
        };
        let before = known.standing;
        known.standing = event.standing;
        if let Some(session) = self.sessions.get_mut(&known.session) {
            session.amend(before, &event);
        }
        self.note_touch(&event);
        if event.read.at.is_some() {
            let keys = counted_for(&event);
            self.remember_read(&keys, &event.read);
            let session = self.sessions.entry(event.session.clone()).or_default();
            session.read(&event.read);
        }
    }

    fn remember_read(&mut self, keys: &[CountedFor], read: &Read) {
        let Some(at) = read.at else {
            return;
        };
        for class in &read.classes {
            for key in keys {
                let latest = self.reads.entry((key.clone(), *class)).or_insert(at);
                *latest = (*latest).max(at);
            }
        }
    }

    fn note_touch(&mut self, event: &Event) {
        let taken = matches!(
            event.standing,
            super::Standing::Taken | super::Standing::Failed
        );
        if let Some(resource) = event.resource.clone().filter(|_| taken)
            && self.touched.len() < TOUCHES_MAX
        {
            let pair = (event.tenant.clone(), event.agent.clone(), resource);
            self.touched.insert(pair);
        }
    }

    fn note_rhythm(&mut self, event: &Event) {
        let agent = (event.tenant.clone(), event.agent.clone());
        let buckets = self.rhythm.entry(agent).or_default();
        let bucket = event.at.as_millis().div_euclid(BUCKET_MILLIS);
        *buckets.entry(bucket).or_default() += 1;
        while let Some(oldest) = buckets.first_entry() {
            if *oldest.key() >= bucket - BUCKETS {
                break;
            }
            oldest.remove();
        }
    }

    /// Lets go of what is older than the span, and of what is too much.
    fn forget(&mut self, now: Timestamp) {
        let horizon = now.as_millis() - self.limits.span.as_millis();
        while let Some((number, at)) = self.oldest() {
            let surplus = self.events.len() > self.limits.calls_max;
            if !surplus && at.as_millis() >= horizon {
                break;
            }
            self.know_from(at.plus(Duration::from_millis(1)));
            self.remove(number);
        }
        self.forget_sessions(now);
    }

    fn oldest(&self) -> Option<(u64, Timestamp)> {
        let (at, number) = self.ages.first()?;
        Some((*number, *at))
    }

    fn forget_sessions(&mut self, now: Timestamp) {
        if self.sessions.len() <= self.limits.sessions_max {
            return;
        }
        let idle = now.as_millis() - self.limits.session_idle.as_millis();
        self.sessions
            .retain(|_, session| session.seen_at.as_millis() >= idle);
        self.reads.retain(|_, at| at.as_millis() >= idle);
    }

    fn remove(&mut self, number: u64) {
        let Some(event) = self.events.remove(&number) else {
            return;
        };
        self.numbers.remove(&event.invocation);
        self.ages.remove(&(event.at, number));
        for key in counted_for(&event) {
            let Some(queue) = self.counted.get_mut(&key) else {
                continue;
            };
            if let Some(place) = queue.iter().position(|other| *other == number) {
                queue.remove(place);
            }
            if queue.is_empty() {
                self.counted.remove(&key);
            }
        }
    }

    pub(super) fn calls(&self, of: &CountedFor) -> impl DoubleEndedIterator<Item = &Event> {
        let numbers = self.counted.get(of).into_iter().flatten();
        numbers.filter_map(|number| self.events.get(number))
    }

    /// Whether everything since this instant is known.
    pub(super) fn knows(&self, since: Timestamp) -> bool {
        self.known_from.is_none_or(|known| since >= known)
    }

    pub(super) fn last_read(&self, of: CountedFor, class: DataClass) -> Option<Timestamp> {
        self.reads.get(&(of, class)).copied()
    }

    pub(super) fn session(&self, key: &SessionKey, now: Timestamp) -> Option<&Remembered> {
        let idle = self.limits.session_idle.as_millis();
        let fresh = |session: &&Remembered| now.as_millis() - session.seen_at.as_millis() <= idle;
        self.sessions.get(key).filter(fresh)
    }

    pub(super) fn has_touched(&self, tenant: &TenantId, agent: &AgentId, resource: &str) -> bool {
        // One short allocation a question that few rules ask.
        let pair = (tenant.clone(), agent.clone(), resource.to_owned());
        self.touched.contains(&pair)
    }

    pub(super) fn rhythm(&self, tenant: &TenantId, agent: &AgentId) -> Option<&BTreeMap<i64, u32>> {
        self.rhythm.get(&(tenant.clone(), agent.clone()))
    }
}

fn counted_for(event: &Event) -> Vec<CountedFor> {
    let tenant = || event.tenant.clone();
    let mut keys = vec![
        CountedFor::Agent(tenant(), event.agent.clone()),
        CountedFor::Tool(tenant(), event.tool.clone()),
        CountedFor::Tenant(tenant()),
        CountedFor::Session(event.session.clone()),
    ];
    keys.extend(
        event
            .resource
            .clone()
            .map(|resource| CountedFor::Resource(tenant(), resource)),
    );
    keys.extend(
        event
            .user
            .clone()
            .map(|user| CountedFor::User(tenant(), user)),
    );
    keys
}

impl CountedFor {
    /// Whom the asking call counts for in this scope; nothing where it has no such thing.
    pub(super) fn of(scope: HistoryScope, asker: &Asker<'_>) -> Option<Self> {
        let tenant = || asker.tenant.clone();
        Some(match scope {
            HistoryScope::Agent => Self::Agent(tenant(), asker.agent.clone()),
            HistoryScope::Tool => Self::Tool(tenant(), asker.tool.clone()),
            HistoryScope::Resource => Self::Resource(tenant(), asker.resource?.to_owned()),
            HistoryScope::Tenant => Self::Tenant(tenant()),
            HistoryScope::Session => Self::Session(asker.session.clone()),
            HistoryScope::User => Self::User(tenant(), asker.user?.clone()),
        })
    }
}
