//! A group: what waits together is written together, in one transaction.
//!
//! Every job keeps its own outcome beside whoever waits for it, and nobody is told before the
//! transaction is on the disk. Not even a refusal: it may rest on what a neighbour of the same
//! group has just written.
//!
//! Must not know: threads, queues, how long anything waited.

use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;
use toolgate_gate::port::{CommitError, Committed, Unavailable};
use toolgate_model::{KeyId, Timestamp};

use crate::log::{Log, Notary};
use crate::sqlite::commit::{self, Head, Prepared};
use crate::sqlite::outbox::{self, Note};

/// One thing to write, its outcome, and whoever waits for it.
pub(super) enum Job {
    Commit(Box<Prepared>, Reply<Result<Committed, CommitError>>),
    Touch(Vec<(KeyId, Timestamp)>, Reply<Result<(), Unavailable>>),
    Note(Box<Note>, Reply<Result<(), Unavailable>>),
    Checkpoint(Reply<Result<String, Unavailable>>),
    /// Nothing comes after this one.
    Close,
}

/// An outcome, kept back until it is durable.
pub(super) struct Reply<T> {
    outcome: Option<T>,
    answer: oneshot::Sender<T>,
}

/// The connection that writes, and what is on the disk as far as it knows.
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) head: Head,
    /// The newest checkpoint that is kept.
    pub(super) newest: Option<Signed>,
    /// A checkpoint that is signed, and kept with the next group.
    pub(super) pending: Option<Signed>,
    pub(super) notary: Arc<Notary>,
}

/// A signed note over the log at this size.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) size: u64,
    pub(super) note: String,
}

/// Why a group is lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Signing(#[from] Unavailable),
}

impl<T> Reply<T> {
    pub(super) const fn to(answer: oneshot::Sender<T>) -> Self {
        Self {
            outcome: None,
            answer,
        }
    }

    fn deliver(self) {
        if let Some(outcome) = self.outcome {
            // Whoever waited may have gone; what is written stays written.
            let _ = self.answer.send(outcome);
        }
    }
}

impl Job {
    /// Tells whoever waits; only after the transaction.
    pub(super) fn deliver(self) {
        match self {
            Self::Commit(_, reply) => reply.deliver(),
            Self::Touch(_, reply) => reply.deliver(),
            Self::Note(_, reply) => reply.deliver(),
            Self::Checkpoint(reply) => reply.deliver(),
            Self::Close => {}
        }
    }

    /// Whether the log must be signed as this job finds it. An empty one is signed for whoever
    /// asks, and not because the store is closed.
    fn wants_signature(&self, log: &Log) -> bool {
        match self {
            Self::Checkpoint(_) => true,
            Self::Close => log.size() > 0,
            Self::Commit(..) | Self::Touch(..) | Self::Note(..) => false,
        }
    }
}

impl Desk {
    /// Writes a group and the pending note in one transaction. After an error nobody knows what is
    /// on the disk, and the desk must not be used again.
    pub(super) fn write(&mut self, jobs: &mut [Job], now: Timestamp) -> Result<(), Lost> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut head = self.head.clone();
        for job in jobs.iter_mut() {
            perform(&transaction, job, &mut head, now)?;
        }
        if head != self.head {
            commit::save(&transaction, &head)?;
        }
        let mut newest = self.newest.clone();
        if let Some(pending) = self.pending.take() {
            keep(&transaction, &pending, now)?;
            newest = Some(pending);
        }
        let wanted = jobs.iter().any(|job| job.wants_signature(&head.log));
        if wanted && !covers(newest.as_ref(), &head.log) {
            let signed = Signed::over(&head.log, &self.notary)?;
            keep(&transaction, &signed, now)?;
            newest = Some(signed);
        }
        transaction.commit()?;
        show(newest.as_ref(), jobs);
        self.newest = newest;
        self.head = head;
        Ok(())
    }

    /// Signs the log as it is on the disk, to be kept with the next group.
    pub(super) fn sign(&mut self) -> Result<(), Lost> {
        self.pending = Some(Signed::over(&self.head.log, &self.notary)?);
        Ok(())
    }

    /// Whether every record is under a checkpoint, be it one that is still to be kept.
    pub(super) fn is_signed(&self) -> bool {
        let newest = self.pending.as_ref().or(self.newest.as_ref());
        self.head.log.size() == 0 || covers(newest, &self.head.log)
    }
}

impl Signed {
    fn over(log: &Log, notary: &Notary) -> Result<Self, Unavailable> {
        Ok(Self {
            size: log.size(),
            note: notary.sign(log)?,
        })
    }
}

fn covers(newest: Option<&Signed>, log: &Log) -> bool {
    newest.is_some_and(|signed| signed.size == log.size())
}

fn perform(
    connection: &Connection,
    job: &mut Job,
    head: &mut Head,
    now: Timestamp,
) -> rusqlite::Result<()> {
    match job {
        Job::Commit(prepared, reply) => {
            reply.outcome = Some(commit::apply(connection, head, prepared, now)?);
        }
        Job::Touch(used, reply) => {
            commit::touch(connection, used)?;
            reply.outcome = Some(Ok(()));
        }
        Job::Note(note, reply) => {
            outbox::note(connection, note)?;
            reply.outcome = Some(Ok(()));
        }
        Job::Checkpoint(_) | Job::Close => {}
    }
    Ok(())
}

fn keep(connection: &Connection, signed: &Signed, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO checkpoints (size, note, at) VALUES (?1, ?2, ?3)")?
        .execute(params![
            signed.size.cast_signed(),
            signed.note,
            now.as_millis()
        ])
        .map(drop)
}

/// Gives whoever asked for a checkpoint the newest one.
fn show(newest: Option<&Signed>, jobs: &mut [Job]) {
    for job in jobs {
        if let (Job::Checkpoint(reply), Some(signed)) = (job, newest) {
            reply.outcome = Some(Ok(signed.note.clone()));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use tokio::sync::oneshot::{self, error::TryRecvError};
    use toolgate_gate::port::{Commit, CommitError, Committed};
    use toolgate_record::Checkpoint;

    use super::{Desk, Job, Reply};
    use crate::conformance::fixture::{START, appending, entry, executing, insertion, signer};
    use crate::log::Notary;
    use crate::sqlite::commit::{Head, Prepared};
    use crate::sqlite::schema;

    type Answer = oneshot::Receiver<Result<Committed, CommitError>>;

    /// A desk on a new database in this directory.
    pub(in crate::sqlite) fn desk(dir: &Path) -> Desk {
        let path = dir.join("toolgate.db");
        std::fs::File::create(&path).unwrap();
        Desk {
            connection: schema::open_writer(&path, START).unwrap(),
            head: Head::default(),
            newest: None,
            pending: None,
            notary: Arc::new(Notary::new(signer().unwrap())),
        }
    }

    pub(in crate::sqlite) fn job(commit: Commit) -> (Job, Answer) {
        let (answer, answered) = oneshot::channel();
        let prepared = Box::new(Prepared::new(commit).unwrap());
        (Job::Commit(prepared, Reply::to(answer)), answered)
    }

    #[test]
    fn a_refused_commit_refuses_only_itself_and_nobody_is_told_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = desk(dir.path());
        let one = |number, record| Commit {
            entries: vec![entry(record, "invocation.admitted")],
            ..insertion(&executing(number).unwrap())
        };
        // The second is refused because of the first, of the same group.
        let (mut jobs, mut answers): (Vec<_>, Vec<_>) = [one(1, 1), one(1, 2), one(2, 3)]
            .into_iter()
            .map(job)
            .unzip();
        desk.write(&mut jobs, START).unwrap();
        for answer in &mut answers {
            assert_eq!(
                answer.try_recv().unwrap_err(),
                TryRecvError::Empty,
                "told too early"
            );
        }
        jobs.into_iter().for_each(Job::deliver);
        let mut told = answers
            .into_iter()
            .map(|mut answer| answer.try_recv().unwrap());
        let mut next = || told.next().unwrap();
        assert_eq!(next().unwrap().records[0].index, 0);
        assert_eq!(next().unwrap_err(), CommitError::NoSuchInvocation);
        assert_eq!(next().unwrap().records[0].index, 1);
        assert_eq!(desk.head.log.size(), 2);
    }

    #[test]
    fn a_group_that_is_lost_leaves_the_head_and_answers_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = desk(dir.path());
        desk.connection.execute_batch("DROP TABLE records").unwrap();
        let (first, mut answer) = job(appending(vec![entry(1, "key.created")]));
        let mut jobs = vec![first];
        assert!(desk.write(&mut jobs, START).is_err());
        assert_eq!(desk.head, Head::default());
        assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Empty);
        drop(jobs);
        assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Closed);
    }

    #[test]
    fn a_checkpoint_asked_for_covers_its_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = desk(dir.path());
        let (answer, mut answered) = oneshot::channel();
        let (before, _) = job(appending(vec![entry(1, "key.created")]));
        let (after, _) = job(appending(vec![entry(2, "key.created")]));
        let mut jobs = vec![before, Job::Checkpoint(Reply::to(answer)), after];
        desk.write(&mut jobs, START).unwrap();
        jobs.into_iter().for_each(Job::deliver);
        let note = answered.try_recv().unwrap().unwrap();
        let signer = signer().unwrap();
        assert_eq!(Checkpoint::open(&note, signer.verifier()).unwrap().size, 2);
        assert!(desk.is_signed());
    }
}
