//! A store that fails on purpose, around any other one: for tests of what comes after.
//!
//! Every operation of the port is counted. A test runs once without a fault, reads how many
//! operations there were, and then runs again for each of them with a fault there: the store says
//! no before or after it has done the thing, dies at that point, or keeps everybody waiting.
//!
//! Must not know: which store is inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use toolgate_execution::{Invocation, Status};
use toolgate_gate::incident::{Incident, IncidentFilter};
use toolgate_gate::port::{
    BoxFuture, ClaimKey, Commit, CommitError, Committed, InvocationFilter, PolicyDraft,
    RecordFilter, Store, Stored, Unavailable,
};
use toolgate_model::{
    AgentId, ApprovalId, Digest, InvocationId, KeyId, RecordId, TenantId, Timestamp,
};
use toolgate_record::Record;

use crate::failure::unavailable;

/// What goes wrong, and at which operation, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// This one is refused and was not done.
    Before(u64),
    /// This one is done, and whoever asked is told that it failed.
    After(u64),
    /// This one and all later ones are refused and were not done.
    DeadBefore(u64),
    /// This one is done; it and all later ones are answered as failed.
    DeadAfter(u64),
    /// This one waits until it is released, before it is done.
    Held(u64),
}

/// A store with one fault.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    fault: Fault,
    operations: AtomicU64,
    gate: Semaphore,
}

/// What happens to one operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Refused,
    DoneAndDenied,
    Held,
}

impl Fault {
    const fn fate(self, operation: u64) -> Fate {
        match self {
            Self::Before(at) if operation == at => Fate::Refused,
            Self::After(at) if operation == at => Fate::DoneAndDenied,
            Self::DeadBefore(at) if operation >= at => Fate::Refused,
            Self::DeadAfter(at) if operation > at => Fate::Refused,
            Self::DeadAfter(at) if operation == at => Fate::DoneAndDenied,
            Self::Held(at) if operation == at => Fate::Held,
            Self::None
            | Self::Before(_)
            | Self::After(_)
            | Self::DeadBefore(_)
            | Self::DeadAfter(_)
            | Self::Held(_) => Fate::Done,
        }
    }
}

impl FaultyStore {
    /// `inner` with this fault.
    pub fn new(inner: Arc<dyn Store>, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            operations: AtomicU64::new(0),
            gate: Semaphore::new(0),
        }
    }

    /// How many operations were asked for so far.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::SeqCst)
    }

    /// Lets the held operation go on, now or when it comes.
    pub fn release(&self) {
        self.gate.add_permits(1);
    }

    async fn through<T, E: From<Unavailable>>(
        &self,
        operation: BoxFuture<'_, Result<T, E>>,
    ) -> Result<T, E> {
        let number = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        let denied = || unavailable(format!("operation {number} was made to fail"));
        match self.fault.fate(number) {
            Fate::Done => operation.await,
            Fate::Refused => Err(denied().into()),
            Fate::DoneAndDenied => {
                // Whether it worked or not, nobody hears of it.
                let _ = operation.await;
                Err(denied().into())
            }
            Fate::Held => {
                let permit = self.gate.acquire().await.map_err(|_| denied())?;
                permit.forget();
                operation.await
            }
        }
    }
}

impl Store for FaultyStore {
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(self.through(self.inner.commit(commit)))
    }

    fn configuration(&self) -> BoxFuture<'_, Result<Stored, Unavailable>> {
        Box::pin(self.through(self.inner.configuration()))
    }

    fn invocation<'s>(
        &'s self,
        id: &'s InvocationId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(self.through(self.inner.invocation(id)))
    }

    fn by_approval<'s>(
        &'s self,
        id: &'s ApprovalId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(self.through(self.inner.by_approval(id)))
    }

    fn claimed<'s>(
        &'s self,
        key: &'s ClaimKey,
    ) -> BoxFuture<'s, Result<Option<(InvocationId, Digest)>, Unavailable>> {
        Box::pin(self.through(self.inner.claimed(key)))
    }

    fn by_fingerprint<'s>(
        &'s self,
        key: (&'s TenantId, &'s AgentId, &'s Digest),
        statuses: &'s [Status],
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(self.through(self.inner.by_fingerprint(key, statuses)))
    }

    fn invocations(
        &self,
        filter: InvocationFilter,
    ) -> BoxFuture<'_, Result<Vec<Invocation>, Unavailable>> {
        Box::pin(self.through(self.inner.invocations(filter)))
    }

    fn unfinished<'s>(
        &'s self,
        after: Option<&'s InvocationId>,
        limit: usize,
    ) -> BoxFuture<'s, Result<Vec<Invocation>, Unavailable>> {
        Box::pin(self.through(self.inner.unfinished(after, limit)))
    }

    fn records(&self, filter: RecordFilter) -> BoxFuture<'_, Result<Vec<Record>, Unavailable>> {
        Box::pin(self.through(self.inner.records(filter)))
    }

    fn record<'s>(
        &'s self,
        id: &'s RecordId,
    ) -> BoxFuture<'s, Result<Option<Record>, Unavailable>> {
        Box::pin(self.through(self.inner.record(id)))
    }

    fn drafts<'s>(
        &'s self,
        name: Option<&'s str>,
    ) -> BoxFuture<'s, Result<Vec<PolicyDraft>, Unavailable>> {
        Box::pin(self.through(self.inner.drafts(name)))
    }

    fn incidents(
        &self,
        filter: IncidentFilter,
    ) -> BoxFuture<'_, Result<Vec<Incident>, Unavailable>> {
        Box::pin(self.through(self.inner.incidents(filter)))
    }

    fn touch(&self, used: Vec<(KeyId, Timestamp)>) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(self.through(self.inner.touch(used)))
    }

    fn last_used(&self) -> BoxFuture<'_, Result<Vec<(KeyId, Timestamp)>, Unavailable>> {
        Box::pin(self.through(self.inner.last_used()))
    }

    fn checkpoint(&self) -> BoxFuture<'_, Result<String, Unavailable>> {
        Box::pin(self.through(self.inner.checkpoint()))
    }

    fn checkpoints(&self, from_size: u64) -> BoxFuture<'_, Result<Vec<String>, Unavailable>> {
        Box::pin(self.through(self.inner.checkpoints(from_size)))
    }

    fn verifier_key(&self) -> String {
        self.inner.verifier_key()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use expect_test::{Expect, expect};
    use toolgate_gate::port::{RecordFilter, Store as _};

    use super::{Fault, FaultyStore};
    use crate::MemoryStore;
    use crate::conformance::HandClock;
    use crate::conformance::fixture::{appending, entry, signer};

    fn faulty(fault: Fault) -> FaultyStore {
        let clock = Arc::new(HandClock::default());
        let inner = MemoryStore::new(signer().unwrap(), clock);
        FaultyStore::new(Arc::new(inner), fault)
    }

    /// Four commits, then what is on the record: who was told what, and what was done.
    async fn check(fault: Fault, expected: Expect) {
        let store = faulty(fault);
        let mut told = String::new();
        for number in 1..=4 {
            let commit = appending(vec![entry(number, "key.created")]);
            told.push(if store.commit(commit).await.is_ok() {
                '+'
            } else {
                '-'
            });
        }
        assert_eq!(store.operations(), 4);
        let filter = RecordFilter {
            limit: 9,
            ..RecordFilter::default()
        };
        let done = store.inner.records(filter).await.unwrap().len();
        expected.assert_eq(&format!("{told} {done}"));
    }

    #[tokio::test]
    async fn each_fault_is_met_where_it_is_put() {
        check(Fault::None, expect!["++++ 4"]).await;
        check(Fault::Before(2), expect!["+-++ 3"]).await;
        check(Fault::After(2), expect!["+-++ 4"]).await;
        check(Fault::DeadBefore(2), expect!["+--- 1"]).await;
        check(Fault::DeadAfter(2), expect!["+--- 2"]).await;
        check(Fault::Before(5), expect!["++++ 4"]).await;
    }

    #[test]
    fn what_is_held_goes_on_when_it_is_released() {
        let store = faulty(Fault::Held(1));
        let mut held = store.configuration();
        let mut context = Context::from_waker(Waker::noop());
        assert!(held.as_mut().poll(&mut context).is_pending());
        assert!(held.as_mut().poll(&mut context).is_pending());
        store.release();
        assert!(matches!(
            held.as_mut().poll(&mut context),
            Poll::Ready(Ok(_))
        ));
        let mut next = store.configuration();
        assert!(
            next.as_mut().poll(&mut context).is_ready(),
            "only one is held"
        );
    }
}
