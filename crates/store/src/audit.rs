//! A store as evidence: opened to be checked, changed by nothing.
//!
//! `toolgate audit verify --data COPY` reads a data directory, a copy of one, or a backup, and
//! hands every record and checkpoint to the offline verifier, which names the place of whatever
//! was changed. The gate may be running on it: then what is checked is what stood at one moment.
//!
//! Must not know: how a record is verified, what records mean.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};
use toolgate_model::Digest;
use toolgate_record::{Record, Report, Verification, Verifier};

use crate::sqlite::directory::{DATABASE, LOCK};

/// A store that is read and never written.
pub struct Evidence {
    path: PathBuf,
    connection: Connection,
    // While it is checked, no gate may start on it; where one runs already, it holds the lock.
    _lock: Option<File>,
}

/// Why there is nothing to check.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no store.
    #[error("`{}` is no store: name a data directory, a copy of one, or a backup", path.display())]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file, or its write-ahead log, cannot be read.
    #[error(
        "`{}` cannot be read as a store: {source}: \
         copy it with its `-wal` file to a directory of your own and check that", path.display()
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl Evidence {
    /// Opens the store in a data directory, or in a file.
    ///
    /// # Errors
    /// [`AuditError`] where there is none, or it cannot be read.
    pub fn open(at: &Path) -> Result<Self, AuditError> {
        let path = if at.is_dir() {
            at.join(DATABASE)
        } else {
            at.to_owned()
        };
        if !path.is_file() {
            return Err(AuditError::NoStore { path });
        }
        let holder = Holder::of(&path);
        let connection = match holder {
            // Nothing but the file itself: read it as it lies, and leave no file beside it.
            Holder::Nobody(_) if !has_log(&path) => open_immutable(&path),
            Holder::Nobody(_) | Holder::Somebody => open_shared(&path),
        };
        let connection = connection
            .and_then(|connection| begin(&connection).map(|()| connection))
            .map_err(|source| AuditError::Unreadable {
                path: path.clone(),
                source,
            })?;
        let lock = match holder {
            Holder::Nobody(lock) => lock,
            Holder::Somebody => None,
        };
        Ok(Self {
            path,
            connection,
            _lock: lock,
        })
    }

    /// Checks the whole log against its checkpoints and this key.
    ///
    /// # Errors
    /// [`AuditError::Unreadable`] where SQLite can no longer read the file. Everything else that is
    /// wrong stands in the report.
    pub fn verify(&self, verifier: &Verifier) -> Result<Report, AuditError> {
        let mut verification = Verification::new(verifier);
        self.checkpoints(|note| verification.checkpoint(note))?;
        self.records(|record| verification.record(&record))?;
        Ok(verification.finish())
    }

    /// Hands over every checkpoint, oldest first.
    ///
    /// # Errors
    /// [`AuditError::Unreadable`] where SQLite can no longer read the file.
    pub fn checkpoints(&self, mut each: impl FnMut(&str)) -> Result<(), AuditError> {
        self.walk("SELECT note FROM checkpoints ORDER BY size", |row| {
            each(&String::from_utf8_lossy(bytes(row, 0)));
        })
    }

    /// Hands over every record, in the order of the index under which it is stored.
    ///
    /// # Errors
    /// [`AuditError::Unreadable`] where SQLite can no longer read the file.
    pub fn records(&self, mut each: impl FnMut(Record)) -> Result<(), AuditError> {
        self.walk("SELECT bytes, leaf, idx FROM records ORDER BY idx", |row| {
            // A leaf of another length is no hash of anything, and no hash is all zeros.
            let leaf = bytes(row, 1).try_into().unwrap_or([0; 32]);
            each(Record {
                index: row.get(2).map(i64::cast_unsigned).unwrap_or(u64::MAX),
                bytes: bytes(row, 0).to_vec(),
                leaf: Digest::from_bytes(leaf),
            });
        })
    }

    fn walk(&self, sql: &str, mut each: impl FnMut(&Row<'_>)) -> Result<(), AuditError> {
        let unreadable = |source| AuditError::Unreadable {
            path: self.path.clone(),
            source,
        };
        let mut statement = self.connection.prepare(sql).map_err(unreadable)?;
        let mut rows = statement.query([]).map_err(unreadable)?;
        while let Some(row) = rows.next().map_err(unreadable)? {
            each(row);
        }
        Ok(())
    }
}

/// Who else is at the store.
enum Holder {
    /// Nobody, and nobody can be for as long as this is held.
    Nobody(Option<File>),
    /// A gate.
    Somebody,
}

impl Holder {
    fn of(path: &Path) -> Self {
        let Ok(lock) = File::open(path.with_file_name(LOCK)) else {
            return Self::Nobody(None);
        };
        match lock.try_lock_shared() {
            Ok(()) => Self::Nobody(Some(lock)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Self::Somebody,
        }
    }
}

/// Whether commits may lie in a write-ahead log beside the file.
fn has_log(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    Path::new(&name).metadata().is_ok_and(|file| file.len() > 0)
}

fn open_shared(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{}?immutable=1", uri_path(path));
    Connection::open_with_flags(uri, flags)
}

/// One read transaction for all that follows: otherwise a checkpoint could be newer than the
/// records that were read before it, and a sound log would look truncated.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0; BEGIN")?;
    // The transaction begins with its first read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// The path with everything percent-encoded that means something in a URI.
fn uri_path(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let encoded = path.as_os_str().as_encoded_bytes().iter();
    encoded
        .map(|byte| match plain(*byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// The bytes of a text or blob; none where an altered schema let something else in.
fn bytes<'r>(row: &'r Row<'_>, column: usize) -> &'r [u8] {
    row.get_ref(column)
        .ok()
        .and_then(|value| value.as_bytes().ok())
        .unwrap_or_default()
}
