//! What this node remembers of earlier calls, for the rules that ask.
//!
//! ```text
//! decide and reserve, under one lock → commit → remember what became of it
//! ```
//!
//! A call that passed is in the ledger before anything else is decided, so limits hold exactly on
//! one node however many calls come at once; where its admission comes to nothing the reservation
//! is dropped. The store is the truth: a start reads the ledger back from it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use toolgate_execution::{Invocation, Proposal, Transition};
use toolgate_gate::history::{Event, Ledger, LedgerLimits, Read};
use toolgate_gate::permit::Clearance;
use toolgate_gate::port::{InvocationFilter, Unavailable};
use toolgate_gate::{
    Configuration, Judged, Question, decide, inspect, measures, session_of, words,
};
use toolgate_model::{Authors, Code, Denial, Duration, Identity, InvocationId, Timestamp, Verdict};

use crate::driver::Driver;
use crate::proposal::conflicting;

/// Invocations that are read back at once.
const PAGE: usize = 500;

/// Memory of earlier calls, shared by all tasks of a node.
pub(crate) type Memory = RwLock<Ledger>;

/// Whether the history is what the rules in force ask for.
#[must_use]
pub(crate) enum HistoryNow {
    Good,
    Outdated,
}

/// A place that a call has in the ledger before it is durable; given back unless it is kept.
pub(crate) struct Reservation {
    driver: Arc<Driver>,
    id: Option<InvocationId>,
}

impl Reservation {
    /// The call is durable, or may be.
    pub(crate) fn keep(mut self) {
        self.id = None;
    }
}

/// A call as decided, with its place in the history.
pub(crate) struct Decided {
    pub(crate) judged: Judged,
    pub(crate) clearance: Option<Clearance>,
    pub(crate) proposal: Proposal,
    pub(crate) reservation: Reservation,
}

impl Decided {
    /// The call's idempotency key belongs to another one.
    pub(crate) fn conflict(&mut self, denial: Denial) {
        self.judged.decision = conflicting(self.judged.decision.clone(), denial);
        self.proposal.decision = self.judged.decision.clone();
        self.clearance = None;
    }

    pub(crate) fn is_conflict(&self) -> bool {
        let denial = self.judged.decision.denial.as_ref();
        denial.is_some_and(|denial| denial.code == Code::IdempotencyConflict)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            write(&self.driver.memory).drop_call(id);
        }
    }
}

impl Driver {
    /// Asks `about` with what is remembered of earlier calls.
    pub fn with_history<T>(&self, about: impl FnOnce(&Ledger) -> T) -> T {
        about(&read(&self.memory))
    }

    /// Decides a call and, where it may go on, reserves its place in the history in the same
    /// breath. `proposed` makes of the decision what would be remembered.
    pub(crate) fn decide_reserving(
        self: &Arc<Self>,
        configuration: &Configuration,
        identity: &Identity,
        (question, id, now): (Question<'_>, &InvocationId, Timestamp),
        proposed: impl FnOnce(&Judged) -> Proposal,
    ) -> Decided {
        let mut reservation = Reservation {
            driver: self.clone(),
            id: None,
        };
        let limited = configuration
            .policies
            .as_ref()
            .is_some_and(|set| set.reads_history());
        if !limited {
            let ledger = read(&self.memory);
            let (judged, clearance) =
                decide(configuration, identity, question.knowing(&ledger), now);
            let proposal = proposed(&judged);
            return Decided {
                judged,
                clearance,
                proposal,
                reservation,
            };
        }
        let mut ledger = write(&self.memory);
        let (judged, clearance) = decide(configuration, identity, question.knowing(&ledger), now);
        let proposal = proposed(&judged);
        if judged.decision.verdict != Verdict::Deny {
            let invocation = Invocation::propose(id.clone(), proposal.clone(), now);
            ledger.take(event(configuration, &invocation), now);
            reservation.id = Some(id.clone());
        }
        Decided {
            judged,
            clearance,
            proposal,
            reservation,
        }
    }

    /// Judges what came back, before it is durable and before anybody sees it.
    pub(crate) fn inspect(&self, transition: &mut Transition) -> Option<Read> {
        let answer = transition.next.uninspected()?;
        let configuration = self.configuration();
        let ledger = read(&self.memory);
        let inspected = inspect(
            &configuration,
            &transition.next,
            (answer, Some(&ledger)),
            self.now(),
        );
        drop(ledger);
        if let Some(event) = transition.events.last_mut() {
            let found = serde_json::to_value(&inspected.inspection).unwrap_or_default();
            event.data.insert("inspection".to_owned(), found);
            let notices = serde_json::to_value(&inspected.inspection.notices).unwrap_or_default();
            event.data.insert("notices".to_owned(), notices);
        }
        transition.next = transition
            .next
            .clone()
            .inspected(inspected.inspection, inspected.result);
        Some(inspected.read)
    }

    /// Remembers an invocation as it is now stored, and what was read by it.
    pub(crate) fn remember(&self, invocation: &Invocation, read: Option<Read>) {
        let event = event(&self.configuration(), invocation);
        let mut ledger = write(&self.memory);
        ledger.take(event, self.now());
        if let Some(read) = read {
            ledger.note_read(&invocation.id, read);
        }
    }

    /// Reads the history back from the store: as far as rules ask, and no more than is kept.
    ///
    /// # Errors
    /// [`Unavailable`] where the store cannot be read.
    pub(crate) async fn recall(&self) -> Result<(), Unavailable> {
        let (configuration, now) = (self.configuration(), self.now());
        let limits = limits(&configuration);
        let mut since = Timestamp::from_millis(now.as_millis() - limits.span.as_millis());
        let (mut found, mut last): (Vec<(Event, Read)>, Option<InvocationId>) = (Vec::new(), None);
        loop {
            let filter = InvocationFilter {
                before: last.take(),
                limit: PAGE,
                ..InvocationFilter::default()
            };
            let page = self.ports.store.invocations(filter).await?;
            let recent = page
                .iter()
                .take_while(|invocation| invocation.created_at >= since);
            let before = found.len();
            found.extend(recent.map(|invocation| recalled(&configuration, invocation)));
            let is_last = page.len() < PAGE || found.len() < before + page.len();
            let is_full = found.len() >= limits.calls_max;
            if let (true, false, Some((oldest, _))) = (is_full, is_last, found.last()) {
                since = oldest.at.plus(Duration::from_millis(1));
            }
            if is_last || is_full {
                break;
            }
            last = page.last().map(|oldest| oldest.id.clone());
        }
        write(&self.memory).take_back(found.into_iter().rev(), (limits, since));
        Ok(())
    }

    /// Says whether rules or tools changed so that the history is not what they ask for and is to be
    /// read back. Until then sums are unknown, and windows reach no further than they did.
    pub(crate) fn outdate_history(
        &self,
        before: &Configuration,
        after: &Configuration,
    ) -> HistoryNow {
        let version = |of: &Configuration| of.policies.as_ref().map(|set| set.version());
        let sums = after
            .policies
            .as_ref()
            .is_some_and(|set| !set.sum_subjects().is_empty());
        let changed =
            version(before) != version(after) || !Arc::ptr_eq(&before.catalogue, &after.catalogue);
        let mut ledger = write(&self.memory);
        let longer = limits(after).span > ledger.limits().span;
        if !(longer || (sums && changed)) {
            return HistoryNow::Good;
        }
        if sums {
            ledger.outdate();
        }
        HistoryNow::Outdated
    }

    /// Has the history read back in a task of its own.
    pub(crate) fn spawn_recall(&self) {
        let Some(driver) = self.me.upgrade() else {
            return;
        };
        let work = async move {
            if let Err(error) = driver.recall().await {
                // Strict until the next change: what sums add up stays unknown.
                tracing::error!(%error, "the history could not be read back");
            }
        };
        self.ports.tasks.spawn("recall", Box::pin(work));
    }
}

/// An empty ledger that reaches as far back as the rules in force ask.
pub(crate) fn fresh(configuration: &Configuration) -> Ledger {
    Ledger::new(limits(configuration))
}

fn limits(configuration: &Configuration) -> LedgerLimits {
    let mut limits = configuration.settings.history;
    let asked = configuration.policies.as_ref().map(|set| set.window_max());
    limits.span = limits.span.max(asked.unwrap_or_default());
    limits
}

/// A call as it is remembered, with the words that were read by it.
fn recalled(configuration: &Configuration, invocation: &Invocation) -> (Event, Read) {
    let mut event = event(configuration, invocation);
    let mut read = std::mem::take(&mut event.read);
    let answer = invocation
        .settlement()
        .and_then(|settlement| settlement.result.as_deref());
    if let (Some(answer), Some(_)) = (answer, read.at) {
        let tool = configuration.catalogue.get(&invocation.proposal.tool);
        let authors = tool.map_or(&Authors::Anyone, |tool| &tool.authors);
        (read.own, read.foreign) = words(answer, authors);
    }
    (event, read)
}

fn event(configuration: &Configuration, invocation: &Invocation) -> Event {
    let proposal = &invocation.proposal;
    Event::of(
        invocation,
        session_of(proposal),
        measures(configuration, proposal),
    )
}

fn read(memory: &Memory) -> RwLockReadGuard<'_, Ledger> {
    memory.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(memory: &Memory) -> RwLockWriteGuard<'_, Ledger> {
    memory.write().unwrap_or_else(PoisonError::into_inner)
}
