//! The store in memory: for tests, the simulator, and a gate that may forget.
//!
//! One lock around one [`World`]. It keeps nothing over a restart and signs only when it is asked
//! to, so that a seeded run makes the same log again. It is also what the SQLite store is compared
//! with on random sequences of operations.
//!
//! Must not know: SQL, files, threads of its own.

use std::sync::{Arc, Mutex, MutexGuard};

use toolgate_execution::{Invocation, Status};
use toolgate_gate::incident::{Incident, IncidentFilter};
use toolgate_gate::outbox::{Delivery, DeliveryFilter, Outbox, Standing};
use toolgate_gate::port::{
    BoxFuture, ClaimKey, Clock, Commit, CommitError, Committed, InvocationFilter, PolicyDraft,
    RecordFilter, Store, Stored, Unavailable,
};
use toolgate_model::{
    AgentId, ApprovalId, Digest, InvocationId, KeyId, RecordId, TenantId, Timestamp,
};
use toolgate_record::{Record, Signer};

use crate::failure::unavailable;
use crate::log::Notary;
use outbox::Book;
use world::World;

mod outbox;
mod world;

/// A store that lives as long as the process.
pub struct MemoryStore {
    world: Mutex<World>,
    book: Mutex<Book>,
    notary: Notary,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store. Its log is signed by `signer` and called by that key's name.
    pub fn new(signer: Signer, clock: Arc<dyn Clock>) -> Self {
        Self {
            world: Mutex::new(World::default()),
            book: Mutex::default(),
            notary: Notary::new(signer),
            clock,
        }
    }

    /// The world, unless a panic left it half written: then nothing is known of it any more.
    fn world(&self) -> Result<MutexGuard<'_, World>, Unavailable> {
        self.world
            .lock()
            .map_err(|_| unavailable("the store in memory was left half written: restart"))
    }

    fn book(&self) -> Result<MutexGuard<'_, Book>, Unavailable> {
        self.book
            .lock()
            .map_err(|_| unavailable("the outbox in memory was left half written: restart"))
    }
}

impl Store for MemoryStore {
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move { self.world()?.commit(commit, self.clock.now()) })
    }

    fn configuration(&self) -> BoxFuture<'_, Result<Stored, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.configuration()) })
    }

    fn invocation<'s>(
        &'s self,
        id: &'s InvocationId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(async move { self.world()?.invocation(id) })
    }

    fn by_approval<'s>(
        &'s self,
        id: &'s ApprovalId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(async move { self.world()?.by_approval(id) })
    }

    fn claimed<'s>(
        &'s self,
        key: &'s ClaimKey,
    ) -> BoxFuture<'s, Result<Option<(InvocationId, Digest)>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.claimed(key, self.clock.now())) })
    }

    fn by_fingerprint<'s>(
        &'s self,
        key: (&'s TenantId, &'s AgentId, &'s Digest),
        statuses: &'s [Status],
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        Box::pin(async move { self.world()?.by_fingerprint(key, statuses) })
    }

    fn invocations(
        &self,
        filter: InvocationFilter,
    ) -> BoxFuture<'_, Result<Vec<Invocation>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.invocations(&filter)) })
    }

    fn unfinished<'s>(
        &'s self,
        after: Option<&'s InvocationId>,
        limit: usize,
    ) -> BoxFuture<'s, Result<Vec<Invocation>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.unfinished(after, limit)) })
    }

    fn records(&self, filter: RecordFilter) -> BoxFuture<'_, Result<Vec<Record>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.records(&filter)) })
    }

    fn record<'s>(
        &'s self,
        id: &'s RecordId,
    ) -> BoxFuture<'s, Result<Option<Record>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.record(id)) })
    }

    fn drafts<'s>(
        &'s self,
        name: Option<&'s str>,
    ) -> BoxFuture<'s, Result<Vec<PolicyDraft>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.drafts(name)) })
    }

    fn incidents(
        &self,
        filter: IncidentFilter,
    ) -> BoxFuture<'_, Result<Vec<Incident>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.incidents(&filter)) })
    }

    fn touch(&self, used: Vec<(KeyId, Timestamp)>) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            self.world()?.touch(used);
            Ok(())
        })
    }

    fn last_used(&self) -> BoxFuture<'_, Result<Vec<(KeyId, Timestamp)>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.last_used()) })
    }

    fn checkpoint(&self) -> BoxFuture<'_, Result<String, Unavailable>> {
        Box::pin(async move { self.world()?.checkpoint(&self.notary) })
    }

    fn checkpoints(&self, from_size: u64) -> BoxFuture<'_, Result<Vec<String>, Unavailable>> {
        Box::pin(async move { Ok(self.world()?.checkpoints(from_size)) })
    }

    fn verifier_key(&self) -> String {
        self.notary.verifier_key()
    }
}

impl Outbox for MemoryStore {
    fn standings(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>> {
        Box::pin(async move { Ok(self.book()?.standings()) })
    }

    fn note(
        &self,
        standing: Option<Standing>,
        delivery: Option<Delivery>,
    ) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            self.book()?.note(standing, delivery);
            Ok(())
        })
    }

    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Unavailable>> {
        Box::pin(async move { Ok(self.book()?.deliveries(&filter)) })
    }
}
