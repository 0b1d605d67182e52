//! The store on SQLite: one file in one directory, for one gate.
//!
//! One thread writes, in groups ([`writer`]); a few read, each on its own connection ([`readers`]).
//! A commit is answered when it has reached the disk: write-ahead log, synchronous FULL, and a
//! lock on the directory so that nobody else writes beside us.
//!
//! Must not know: what an invocation means, who calls, transports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};
use toolgate_execution::{Invocation, Status};
use toolgate_gate::incident::{Incident, IncidentFilter};
use toolgate_gate::outbox::{Delivery, DeliveryFilter, Outbox, Standing};
use toolgate_gate::port::{
    BoxFuture, ClaimKey, Clock, Commit, CommitError, Committed, InvocationFilter, PolicyDraft,
    RecordFilter, Store, Stored, Unavailable,
};
use toolgate_model::{
    AgentId, ApprovalId, Digest, Epoch, InvocationId, KeyId, RecordId, TenantId, Timestamp,
};
use toolgate_record::{Frontier, Record, Signer};

use crate::log::{Log, Notary};
use commit::Head;
use directory::Directory;
use group::{Desk, Signed};
use readers::Readers;
use writer::Writer;

mod backup;
mod commit;
pub(crate) mod directory;
mod group;
mod incidents;
mod outbox;
mod read;
mod readers;
mod schema;
mod text;
mod writer;

/// What a store is opened with.
pub struct Options {
    /// The data directory; made where it is missing.
    pub dir: PathBuf,
    /// Signs the log, which is called by this key's name.
    pub signer: Signer,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be made or opened.
    #[error(
        "the data directory `{}` cannot be used: {source}: \
         let the gate's own user own it, or name another one", dir.display()
    )]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process holds the directory.
    #[error(
        "the data directory `{}` is in use by another process: \
         stop that one, or name another directory", dir.display()
    )]
    InUse {
        /// Which.
        dir: PathBuf,
    },
    /// The SQLite library is one that can lose data.
    #[error(
        "the SQLite library is version {version}, and below 3.51.3 it can corrupt its log: \
         build with the bundled one"
    )]
    LibraryTooOld {
        /// Its version.
        version: String,
    },
    /// The file is another program's.
    #[error(
        "`{}` is a database of another program: name another data directory", path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The file system cannot keep what it is given.
    #[error(
        "`{}` cannot be written durably (journal mode `{journal}`): \
         put the data directory on a local file system", path.display()
    )]
    NotDurable {
        /// Which file.
        path: PathBuf,
        /// The journal mode that SQLite fell back to.
        journal: String,
    },
    /// A newer build has written it.
    #[error(
        "`{}` has schema {found}, and this build knows schemas up to {known}: \
         run the newer build, or restore a backup from before it", path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema of this build.
        known: u32,
    },
    /// It came to its schema by other steps.
    #[error(
        "`{}` was made with another text of migration {number} (`{name}`): \
         run the build that made it, or restore a backup", path.display()
    )]
    Diverged {
        /// Which file.
        path: PathBuf,
        /// The step.
        number: u32,
        /// Its name.
        name: &'static str,
    },
    /// The head of the log and the records do not fit each other.
    #[error(
        "the log in `{}` is damaged: {detail}: keep a copy, have `toolgate audit verify` name the \
         place, and restore a backup", path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// SQLite refuses.
    #[error("`{}` cannot be opened: {source}", path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
    /// The system gives no thread.
    #[error("a thread of the store cannot be started: {source}: raise the limit of threads")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
}

/// A store in a data directory, held until it is closed.
pub struct SqliteStore {
    // Dropped in this order: the readers first, so that the writer is the last to close the file
    // and folds its log into it, and the lock on the directory last of all.
    readers: Readers,
    writer: Writer,
    notary: Arc<Notary>,
    clock: Arc<dyn Clock>,
    _directory: Directory,
}

impl SqliteStore {
    /// Opens the store in a directory, and makes it where there is none.
    ///
    /// # Errors
    /// [`OpenError`] where the directory is in use or cannot be used, the file is another
    /// program's or a newer build's, or the log does not fit its own head.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let Options { dir, signer, clock } = options;
        let directory = Directory::take(&dir)?;
        let path = directory.database();
        let notary = Arc::new(Notary::new(signer));
        let connection = schema::open_writer(&path, clock.now())?;
        let head = head(&connection, &path)?;
        let newest = newest(&connection).map_err(schema::sqlite_failed(&path))?;
        let desk = Desk {
            connection,
            head,
            newest,
            pending: None,
            notary: Arc::clone(&notary),
        };
        let writer = Writer::start(desk, Arc::clone(&clock))?;
        Ok(Self {
            readers: Readers::start(&path)?,
            writer,
            notary,
            clock,
            _directory: directory,
        })
    }

    /// Writes a copy of the store, as it is at one moment, to a file that does not exist yet. The
    /// gate goes on meanwhile. The signing key is not in it.
    ///
    /// # Errors
    /// [`Unavailable`] where the file exists or cannot be written.
    pub async fn backup(&self, to: &Path) -> Result<(), Unavailable> {
        let to = to.to_owned();
        self.readers
            .run(move |connection| Ok(backup::write(connection, &to)))
            .await?
    }

    /// Ends the store after what is waiting: the log is signed, and the data is in one file. Later
    /// commits are refused. Dropping the store does the same.
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}

/// Where the store stands, if its records stand there too.
fn head(connection: &Connection, path: &Path) -> Result<Head, OpenError> {
    let failed = schema::sqlite_failed(path);
    let damaged = |detail: String| OpenError::Damaged {
        path: path.to_owned(),
        detail,
    };
    let kept: Option<(i64, Vec<u8>)> = connection
        .query_row("SELECT epoch, frontier FROM head", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
        .map_err(&failed)?;
    let head = match kept {
        Some((epoch, frontier)) => Head {
            epoch: Epoch(epoch.cast_unsigned()),
            log: Frontier::from_bytes(&frontier)
                .map(Log::new)
                .map_err(|error| damaged(error.to_string()))?,
        },
        None => {
            commit::save(connection, &Head::default()).map_err(&failed)?;
            Head::default()
        }
    };
    // The whole log is the auditor's to check. Here, that the next record gets the next place.
    let next: i64 = connection
        .query_row("SELECT coalesce(max(idx) + 1, 0) FROM records", [], |row| {
            row.get(0)
        })
        .map_err(&failed)?;
    if next.cast_unsigned() != head.log.size() {
        let size = head.log.size();
        return Err(damaged(format!(
            "its head counts {size} records, and the next one would be number {next}"
        )));
    }
    Ok(head)
}

fn newest(connection: &Connection) -> rusqlite::Result<Option<Signed>> {
    connection
        .query_row(
            "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1",
            [],
            |row| {
                Ok(Signed {
                    size: row.get::<_, i64>(0)?.cast_unsigned(),
                    note: row.get(1)?,
                })
            },
        )
        .optional()
}

impl Store for SqliteStore {
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(self.writer.commit(commit))
    }

    fn configuration(&self) -> BoxFuture<'_, Result<Stored, Unavailable>> {
        Box::pin(self.readers.run(read::configuration))
    }

    fn invocation<'s>(
        &'s self,
        id: &'s InvocationId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        let id = id.clone();
        Box::pin(async move {
            let read = move |connection: &Connection| read::invocation(connection, &id);
            self.readers.run(read).await?
        })
    }

    fn by_approval<'s>(
        &'s self,
        id: &'s ApprovalId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        let id = id.clone();
        Box::pin(async move {
            let read = move |connection: &Connection| read::by_approval(connection, &id);
            self.readers.run(read).await?
        })
    }

    fn claimed<'s>(
        &'s self,
        key: &'s ClaimKey,
    ) -> BoxFuture<'s, Result<Option<(InvocationId, Digest)>, Unavailable>> {
        let (key, now) = (key.clone(), self.clock.now());
        Box::pin(
            self.readers
                .run(move |connection| read::claimed(connection, &key, now)),
        )
    }

    fn by_fingerprint<'s>(
        &'s self,
        (tenant, agent, fingerprint): (&'s TenantId, &'s AgentId, &'s Digest),
        statuses: &'s [Status],
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>> {
        let (tenant, agent, fingerprint) = (tenant.clone(), agent.clone(), *fingerprint);
        let statuses = statuses.to_vec();
        Box::pin(async move {
            let read = move |connection: &Connection| {
                read::by_fingerprint(connection, (&tenant, &agent, &fingerprint), &statuses)
            };
            self.readers.run(read).await?
        })
    }

    fn invocations(
        &self,
        filter: InvocationFilter,
    ) -> BoxFuture<'_, Result<Vec<Invocation>, Unavailable>> {
        Box::pin(
            self.readers
                .run(move |connection| read::invocations(connection, &filter)),
        )
    }

    fn unfinished<'s>(
        &'s self,
        after: Option<&'s InvocationId>,
        limit: usize,
    ) -> BoxFuture<'s, Result<Vec<Invocation>, Unavailable>> {
        let after = after.cloned();
        Box::pin(
            self.readers
                .run(move |connection| read::unfinished(connection, after.as_ref(), limit)),
        )
    }

    fn records(&self, filter: RecordFilter) -> BoxFuture<'_, Result<Vec<Record>, Unavailable>> {
        Box::pin(
            self.readers
                .run(move |connection| read::records(connection, &filter)),
        )
    }

    fn record<'s>(
        &'s self,
        id: &'s RecordId,
    ) -> BoxFuture<'s, Result<Option<Record>, Unavailable>> {
        let id = id.clone();
        Box::pin(
            self.readers
                .run(move |connection| read::record(connection, &id)),
        )
    }

    fn drafts<'s>(
        &'s self,
        name: Option<&'s str>,
    ) -> BoxFuture<'s, Result<Vec<PolicyDraft>, Unavailable>> {
        let name = name.map(str::to_owned);
        Box::pin(
            self.readers
                .run(move |connection| read::drafts(connection, name.as_deref())),
        )
    }

    fn incidents(
        &self,
        filter: IncidentFilter,
    ) -> BoxFuture<'_, Result<Vec<Incident>, Unavailable>> {
        Box::pin(
            self.readers
                .run(move |connection| incidents::list(connection, &filter)),
        )
    }

    fn touch(&self, used: Vec<(KeyId, Timestamp)>) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(self.writer.touch(used))
    }

    fn last_used(&self) -> BoxFuture<'_, Result<Vec<(KeyId, Timestamp)>, Unavailable>> {
        Box::pin(self.readers.run(read::last_used))
    }

    fn checkpoint(&self) -> BoxFuture<'_, Result<String, Unavailable>> {
        Box::pin(self.writer.checkpoint())
    }

    fn checkpoints(&self, from_size: u64) -> BoxFuture<'_, Result<Vec<String>, Unavailable>> {
        Box::pin(
            self.readers
                .run(move |connection| read::checkpoints(connection, from_size)),
        )
    }

    fn verifier_key(&self) -> String {
        self.notary.verifier_key()
    }
}

impl Outbox for SqliteStore {
    fn standings(&self) -> BoxFuture<'_, Result<Vec<Standing>, Unavailable>> {
        Box::pin(self.readers.run(outbox::standings))
    }

    fn note(
        &self,
        standing: Option<Standing>,
        delivery: Option<Delivery>,
    ) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(self.writer.note((standing, delivery)))
    }

    fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> BoxFuture<'_, Result<Vec<Delivery>, Unavailable>> {
        Box::pin(
            self.readers
                .run(move |connection| outbox::deliveries(connection, &filter)),
        )
    }
}
