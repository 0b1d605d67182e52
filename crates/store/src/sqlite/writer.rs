//! The one thread that writes, and its queue.
//!
//! Commits wait in the queue. The thread takes all that wait, up to [`GROUP_MAX`], writes them as
//! one group, and answers every caller only once that is on the disk: 256 callers share a flush
//! that one of them would have paid alone, and a caller alone waits for nobody. The log is signed
//! between two groups, when everybody has been answered.
//!
//! An error of the disk or of SQLite leaves it unknown what was kept. Then all callers of the group
//! are told so, the thread ends, and every later commit is refused: only opening the store again
//! shows what is there. Nothing is ever tried twice on the same connection.
//!
//! Must not know: what a commit means, or who waits for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, oneshot};
use toolgate_gate::port::{Clock, Commit, CommitError, Committed, Unavailable};
use toolgate_model::{Duration, KeyId, Timestamp};

use crate::failure::unavailable;
use crate::sqlite::OpenError;
use crate::sqlite::commit::Prepared;
use crate::sqlite::group::{Desk, Job, Lost, Reply};
use crate::sqlite::outbox::Note;

/// Commits in one transaction.
// LIMIT: measured; beyond it the flush is no longer what costs.
const GROUP_MAX: usize = 1_024;

/// Commits that wait to be written; whoever comes later waits before it may join them.
// LIMIT: four groups, a fraction of a second of work. Refusing instead would turn an outcome that
// only has to wait into one that nobody knows.
const JOBS_WAITING_MAX: usize = 4 * GROUP_MAX;

/// How long records may stand unsigned.
// LIMIT: ten signatures a second cost a thousandth of the thread's time, and an auditor is never
// more than this behind.
const SIGNING_INTERVAL: Duration = Duration::from_millis(100);

/// The queue to the writing thread.
pub(super) struct Writer {
    jobs: Sender<Job>,
    room: Semaphore,
    poison: Arc<OnceLock<String>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(desk: Desk, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (jobs, inbox) = channel();
        let poison = Arc::new(OnceLock::new());
        let scribe = Scribe {
            desk,
            clock,
            inbox,
            poison: Arc::clone(&poison),
            unsigned_since: None,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || scribe.run())
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Self {
            jobs,
            room: Semaphore::new(JOBS_WAITING_MAX),
            poison,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let prepared = Box::new(Prepared::new(commit)?);
        self.ask(|reply| Job::Commit(prepared, reply)).await?
    }

    pub(super) async fn touch(&self, used: Vec<(KeyId, Timestamp)>) -> Result<(), Unavailable> {
        self.ask(|reply| Job::Touch(used, reply)).await?
    }

    pub(super) async fn note(&self, note: Note) -> Result<(), Unavailable> {
        let note = Box::new(note);
        self.ask(|reply| Job::Note(note, reply)).await?
    }

    pub(super) async fn checkpoint(&self) -> Result<String, Unavailable> {
        self.ask(Job::Checkpoint).await?
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Unavailable> {
        let _room = self.room.acquire().await.map_err(|_| self.gone())?;
        let (answer, answered) = oneshot::channel();
        let job = job(Reply::to(answer));
        self.jobs.send(job).map_err(|_| self.gone())?;
        answered.await.map_err(|_| self.gone())
    }

    /// Why the thread does not answer.
    fn gone(&self) -> Unavailable {
        match self.poison.get() {
            Some(cause) => unavailable(format!(
                "the store is poisoned: a write failed, what it kept is unknown, and nothing \
                 further is written: {cause}: repair the disk or make room, then restart"
            )),
            None => unavailable("the store is closed"),
        }
    }

    /// Ends the thread after what is waiting; its connection is closed when this returns.
    pub(super) fn close(&self) {
        // A thread that has ended by itself takes no more jobs, and needs none.
        let _ = self.jobs.send(Job::Close);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writing thread of the store ended in a panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the thread owns.
struct Scribe {
    desk: Desk,
    clock: Arc<dyn Clock>,
    inbox: Receiver<Job>,
    poison: Arc<OnceLock<String>>,
    /// Since when there are records that no checkpoint covers.
    unsigned_since: Option<Timestamp>,
}

impl Scribe {
    fn run(mut self) {
        self.unsigned_since = (!self.desk.is_signed()).then(|| self.clock.now());
        while let Ok(Then::GoOn) = self.turn() {}
    }

    /// One group: gathered, written, answered. Then the log is signed, if it is time.
    fn turn(&mut self) -> Result<Then, Lost> {
        let mut group = self.gather();
        // INVARIANT: the cause is known before the group is dropped, and dropping it is what tells
        // its callers.
        self.write(&mut group)
            .inspect_err(|lost| self.give_up(lost))?;
        let then = match group.last() {
            Some(Job::Close) => Then::End,
            Some(_) | None => Then::GoOn,
        };
        let waited_in_vain = group.is_empty();
        group.into_iter().for_each(Job::deliver);
        self.sign(waited_in_vain)
            .inspect_err(|lost| self.give_up(lost))?;
        Ok(then)
    }

    /// What waits now, or what comes first; nothing where it is time to sign or to keep a note.
    fn gather(&self) -> Vec<Job> {
        let first = match self.patience() {
            Some(patience) => self.inbox.recv_timeout(patience),
            None => self
                .inbox
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        let mut group = match first {
            Ok(job) => vec![job],
            Err(RecvTimeoutError::Timeout) => return Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return vec![Job::Close],
        };
        while group.len() < GROUP_MAX
            && !matches!(group.last(), Some(Job::Close))
            && let Ok(job) = self.inbox.try_recv()
        {
            group.push(job);
        }
        group
    }

    fn patience(&self) -> Option<std::time::Duration> {
        if self.desk.pending.is_some() {
            return Some(std::time::Duration::ZERO);
        }
        let waited = self.clock.now().since(self.unsigned_since?);
        let interval = SIGNING_INTERVAL.to_std();
        Some(interval.saturating_sub(waited.to_std()))
    }

    fn write(&mut self, group: &mut [Job]) -> Result<(), Lost> {
        if group.is_empty() && self.desk.pending.is_none() {
            return Ok(());
        }
        self.desk.write(group, self.clock.now())
    }

    /// Signs where records have stood unsigned for the interval: by the clock, or because nothing
    /// came for that long. A clock that was set back starts the interval anew.
    fn sign(&mut self, waited_in_vain: bool) -> Result<(), Lost> {
        if self.desk.is_signed() {
            self.unsigned_since = None;
            return Ok(());
        }
        let now = self.clock.now();
        let since = self.unsigned_since.unwrap_or(now).min(now);
        let due = waited_in_vain || now.since(since) >= SIGNING_INTERVAL;
        if due {
            self.desk.sign()?;
        }
        self.unsigned_since = (!due).then_some(since);
        Ok(())
    }

    fn give_up(&self, lost: &Lost) {
        tracing::error!(error = %lost, "a write of the store failed: it is poisoned");
        let _ = self.poison.set(lost.to_string());
    }
}

/// What follows a group.
enum Then {
    GoOn,
    End,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use toolgate_gate::port::Clock;

    use super::{GROUP_MAX, Job, Scribe};
    use crate::conformance::HandClock;
    use crate::conformance::fixture::{after, appending, entry};
    use crate::sqlite::group::tests::{desk, job};

    /// What the thread would own, without the thread.
    fn scribe(dir: &std::path::Path) -> (Scribe, Arc<HandClock>, Sender<Job>) {
        let clock = Arc::new(HandClock::default());
        let (jobs, inbox) = channel();
        let scribe = Scribe {
            desk: desk(dir),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            inbox,
            poison: Arc::default(),
            unsigned_since: None,
        };
        (scribe, clock, jobs)
    }

    /// One record, and then the question whether it is time to sign.
    fn record(scribe: &mut Scribe, number: u32) {
        let (record, _) = job(appending(vec![entry(number, "key.created")]));
        scribe.write(&mut [record]).unwrap();
        scribe.sign(false).unwrap();
    }

    #[test]
    fn records_stand_unsigned_for_the_interval_and_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let (mut scribe, clock, _jobs) = scribe(dir.path());
        assert_eq!(
            scribe.patience(),
            None,
            "an empty log waits for whatever comes"
        );
        record(&mut scribe, 1);
        assert_eq!(scribe.patience(), Some(Duration::from_millis(100)));
        clock.set(after(60));
        record(&mut scribe, 2);
        assert_eq!(scribe.patience(), Some(Duration::from_millis(40)));
        clock.set(after(99));
        scribe.sign(false).unwrap();
        assert!(!scribe.desk.is_signed());
        clock.set(after(100));
        scribe.sign(false).unwrap();
        assert!(scribe.desk.is_signed());
        // It is kept at once where nothing else comes.
        assert_eq!(scribe.patience(), Some(Duration::ZERO));
        scribe.write(&mut []).unwrap();
        assert_eq!(scribe.desk.newest.as_ref().unwrap().size, 2);
        assert_eq!(scribe.patience(), None);
    }

    #[test]
    fn nothing_to_do_for_the_interval_is_time_to_sign_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let (mut scribe, clock, _jobs) = scribe(dir.path());
        record(&mut scribe, 1);
        clock.set(after(0));
        scribe.sign(true).unwrap();
        assert!(scribe.desk.is_signed());
    }

    #[test]
    fn a_clock_set_back_starts_the_interval_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (mut scribe, clock, _jobs) = scribe(dir.path());
        clock.set(after(3_600_000));
        record(&mut scribe, 1);
        clock.set(after(0));
        record(&mut scribe, 2);
        assert!(!scribe.desk.is_signed());
        clock.set(after(100));
        record(&mut scribe, 3);
        assert!(scribe.desk.is_signed());
    }

    #[test]
    fn a_group_is_what_waits_up_to_the_limit_and_ends_with_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (scribe, _, jobs) = scribe(dir.path());
        for _ in 0..=GROUP_MAX {
            jobs.send(Job::Close).unwrap();
        }
        assert_eq!(scribe.gather().len(), 1, "nothing follows the end");
        let (scribe, _, jobs) = self::scribe(tempfile::tempdir().unwrap().path());
        for number in 0..=u32::try_from(GROUP_MAX).unwrap() {
            jobs.send(job(appending(vec![entry(number, "key.created")])).0)
                .unwrap();
        }
        assert_eq!(scribe.gather().len(), GROUP_MAX);
        assert_eq!(scribe.gather().len(), 1);
        drop(jobs);
        assert!(
            matches!(scribe.gather().as_slice(), [Job::Close]),
            "nobody can come any more"
        );
    }
}
