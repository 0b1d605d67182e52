//! Where the log stands, and the step from an entry to a record with its place in it.
//!
//! A store keeps one [`Log`] and moves a copy of it along while a commit is being written; only
//! when the commit is durable does the copy take its place. The [`Notary`] signs what stands.
//!
//! Must not know: where records are kept, when something is signed.

use toolgate_gate::port::{CommitError, RecordFilter, Unavailable};
use toolgate_model::{Digest, InvocationId, RecordId, TenantId, Timestamp};
use toolgate_record::{Checkpoint, Entry, Frontier, Record, Signer};

use crate::failure::unavailable;

/// The head of the log: its size, and the roots of its whole subtrees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    frontier: Frontier,
}

/// A record with what it is found by.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) record: Record,
    pub(crate) id: RecordId,
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    pub(crate) tenant: TenantId,
    pub(crate) invocation: Option<InvocationId>,
}

/// Signs checkpoints of one log. The log is called what its key is called, always.
pub(crate) struct Notary {
    signer: Signer,
}

impl Log {
    pub(crate) const fn new(frontier: Frontier) -> Self {
        Self { frontier }
    }

    /// Gives the entries the next places, in order; or takes none of them where one cannot be
    /// a record.
    pub(crate) fn extend(&mut self, entries: &[Entry]) -> Result<Vec<Row>, CommitError> {
        let mut longer = self.frontier.clone();
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            let record = entry.seal(longer.size()).map_err(|error| {
                unavailable(format!(
                    "the record `{}` cannot be written: {error}",
                    entry.id
                ))
            })?;
            longer.append(record.leaf);
            rows.push(Row::new(record, entry));
        }
        self.frontier = longer;
        Ok(rows)
    }

    pub(crate) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Digest {
        self.frontier.root()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.frontier.to_bytes()
    }
}

impl Row {
    fn new(record: Record, entry: &Entry) -> Self {
        Self {
            record,
            id: entry.id.clone(),
            at: entry.at,
            kind: entry.kind.clone(),
            tenant: entry.tenant.clone(),
            invocation: entry.invocation.clone(),
        }
    }

    /// Whether it is one of those asked for.
    pub(crate) fn fits(&self, filter: &RecordFilter) -> bool {
        let prefix = filter.kind_prefix.as_deref().unwrap_or_default();
        self.record.index >= filter.from
            && filter.tenant.as_ref().is_none_or(|it| *it == self.tenant)
            && (filter.invocation.is_none() || filter.invocation == self.invocation)
            && self.kind.starts_with(prefix)
    }
}

impl Notary {
    pub(crate) const fn new(signer: Signer) -> Self {
        Self { signer }
    }

    /// The name of the log.
    pub(crate) fn origin(&self) -> &str {
        self.signer.verifier().name()
    }

    /// The text of the key that its signatures are checked with.
    pub(crate) fn verifier_key(&self) -> String {
        self.signer.verifier().to_string()
    }

    /// The signed note over the log as it stands.
    pub(crate) fn sign(&self, log: &Log) -> Result<String, Unavailable> {
        Checkpoint::of(self.origin(), &log.frontier)
            .sign(&self.signer)
            .map_err(|error| unavailable(format!("the log cannot be signed: {error}")))
    }
}
