//! The store of one process: the world's real store, with faults in between.
//!
//! All processes share one `MemoryStore`. Each operation may take a moment, so that others come in
//! between; it may be refused, or done and denied; and the process may die just before a commit is
//! durable or just after. Whatever became durable is shown to the judge in the same instant.
//!
//! Must not know: what is stored.

use std::sync::Arc;

use toolgate_execution::{Grounds, Invocation, State, Status};
use toolgate_gate::incident::{Incident, IncidentFilter};
use toolgate_gate::port::{
    BoxFuture, ClaimKey, Commit, CommitError, Committed, InvocationFilter, PolicyDraft,
    RecordFilter, Store, Stored, Unavailable,
};
use toolgate_model::{
    AgentId, ApprovalId, Digest, InvocationId, KeyId, RecordId, TenantId, Timestamp,
};
use toolgate_record::Record;

use crate::bug::Bug;
use crate::executor::Process;
use crate::faults::Fault;
use crate::world::World;

/// What one process sees of the store.
pub(crate) struct NodeStore {
    pub(crate) world: Arc<World>,
    pub(crate) process: Process,
    pub(crate) node: usize,
}

fn unavailable() -> Unavailable {
    Unavailable {
        part: "store",
        detail: "the simulation said no".to_owned(),
    }
}

impl NodeStore {
    /// A moment in which others may run.
    async fn moment(&self) {
        let dice = self.world.faults.dice();
        let millis = if self.world.faults.strikes(Fault::StoreSlow) {
            dice.between(500, 4_000)
        } else {
            dice.between(0, 3)
        };
        self.world.time.rest(millis).await;
    }

    async fn read<T>(
        &self,
        operation: BoxFuture<'_, Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        self.moment().await;
        if self.world.faults.strikes(Fault::StoreUnread) {
            return Err(unavailable());
        }
        operation.await
    }

    /// The process is gone; this never returns.
    async fn die(&self) -> ! {
        self.world.crash(self.process, self.node);
        loop {
            std::future::pending::<()>().await;
        }
    }

    async fn write(&self, commit: Commit) -> Result<Committed, CommitError> {
        self.moment().await;
        let faults = &self.world.faults;
        if faults.strikes(Fault::StoreRefused) {
            return Err(unavailable().into());
        }
        if faults.strikes(Fault::CrashBefore) {
            self.die().await;
        }
        if let Some(promised) = self.promise(&commit) {
            return Ok(promised);
        }
        let commit = self.weaken(commit);
        let shown = commit.clone();
        let committed = self.world.store.commit(commit).await?;
        // Nothing runs between the two: the judge sees writes in the order in which they are made.
        self.world.committed((self.node, self.process), &shown);
        if faults.strikes(Fault::CrashAfter) {
            self.die().await;
        }
        self.moment().await;
        if faults.strikes(Fault::StoreDenied) {
            return Err(unavailable().into());
        }
        Ok(committed)
    }
}

/// The bugs that a store commits on purpose.
impl NodeStore {
    /// What is acknowledged before it is written, or instead of it.
    fn promise(&self, commit: &Commit) -> Option<Committed> {
        let status = commit
            .invocation
            .as_ref()
            .map(|write| write.next.status())?;
        let early = self.world.bug == Bug::CommitAfterDispatch && status == Status::Executing;
        let never = self.world.bug == Bug::ForgottenOutcome && status == Status::Succeeded;
        if early {
            let (world, by, commit) = (
                self.world.clone(),
                (self.node, self.process),
                commit.clone(),
            );
            let late = async move {
                world.time.rest(30).await;
                if world.store.commit(commit.clone()).await.is_ok() {
                    world.committed(by, &commit);
                }
            };
            self.world
                .executor
                .spawn(self.process, "late write", Box::pin(late));
        }
        (early || never).then(|| Committed {
            epoch: commit.epoch.unwrap_or_default(),
            records: Vec::new(),
        })
    }

    /// A commit that is no longer held to the epoch it was decided at.
    fn weaken(&self, mut commit: Commit) -> Commit {
        let state = commit.invocation.as_ref().map(|write| &write.next.state);
        let thawed = matches!(
            state,
            Some(State::Executing {
                grounds: Grounds::Approved { .. },
                ..
            })
        );
        match self.world.bug {
            Bug::CheckBeforeThawOnly if thawed => commit.epoch = None,
            Bug::KeysForgotten => commit.claim = None,
            _ => {}
        }
        commit
    }
}

impl Store for NodeStore {
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(self.write(commit))
    }

    fn configuration(&self) -> BoxFuture<'_, Result<Stored, Unavailable>> {
        Box::pin(self.read(self.world.store.configuration()))
    }

    fn invocation<'s>(
        &'s self,
        id: &'s InvocationId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(self.read(self.world.store.invocation(id)))
    }

    fn by_approval<'s>(
        &'s self,
        id: &'s ApprovalId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(self.read(self.world.store.by_approval(id)))
    }

    fn claimed<'s>(
        &'s self,
        key: &'s ClaimKey,
    ) -> BoxFuture<'s, Result<Option<(InvocationId, Digest)>, Unavailable>> {
        Box::pin(self.read(self.world.store.claimed(key)))
    }

    fn by_fingerprint<'s>(
        &'s self,
        key: (&'s TenantId, &'s AgentId, &'s Digest),
        statuses: &'s [Status],
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(self.read(self.world.store.by_fingerprint(key, statuses)))
    }

    fn invocations(
        &self,
        filter: InvocationFilter,
    ) -> BoxFuture<'_, Result<Vec<Invocation>, Unavailable>> {
        Box::pin(self.read(self.world.store.invocations(filter)))
    }

    fn unfinished<'s>(
        &'s self,
        after: Option<&'s InvocationId>,
        limit: usize,
    ) -> BoxFuture<'s, Result<Vec<Invocation>, Unavailable>> {
        Box::pin(self.read(self.world.store.unfinished(after, limit)))
    }

    fn records(&self, filter: RecordFilter) -> BoxFuture<'_, Result<Vec<Record>, Unavailable>> {
        Box::pin(self.read(self.world.store.records(filter)))
    }

    fn record<'s>(
        &'s self,
        id: &'s RecordId,
    ) -> BoxFuture<'s, Result<Option<Record>, Unavailable>> {
        Box::pin(self.read(self.world.store.record(id)))
    }

    fn drafts<'s>(
        &'s self,
        name: Option<&'s str>,
    ) -> BoxFuture<'s, Result<Vec<PolicyDraft>, Unavailable>> {
        Box::pin(self.read(self.world.store.drafts(name)))
    }

    fn incidents(
        &self,
        filter: IncidentFilter,
    ) -> BoxFuture<'_, Result<Vec<Incident>, Unavailable>> {
        Box::pin(self.read(self.world.store.incidents(filter)))
    }

    fn touch(&self, used: Vec<(KeyId, Timestamp)>) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(self.read(self.world.store.touch(used)))
    }

    fn last_used(&self) -> BoxFuture<'_, Result<Vec<(KeyId, Timestamp)>, Unavailable>> {
        Box::pin(self.read(self.world.store.last_used()))
    }

    fn checkpoint(&self) -> BoxFuture<'_, Result<String, Unavailable>> {
        Box::pin(self.read(self.world.store.checkpoint()))
    }

    fn checkpoints(&self, from_size: u64) -> BoxFuture<'_, Result<Vec<String>, Unavailable>> {
        Box::pin(self.read(self.world.store.checkpoints(from_size)))
    }

    fn verifier_key(&self) -> String {
        self.world.store.verifier_key()
    }
}
