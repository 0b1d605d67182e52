//! The data directory: made private, and held by one process at a time.
//!
//! A second gate on the same directory would write a second history, so the directory is locked
//! for as long as the store is open. The lock dies with the process: after a kill, "the old one
//! is dead" is a fact and not a guess.
//!
//! Must not know: SQL, what lies in the files.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::sqlite::OpenError;

/// The name of the database in its directory.
pub(crate) const DATABASE: &str = "toolgate.db";

/// The name of the file that is locked for as long as the directory is held.
pub(crate) const LOCK: &str = "toolgate.lock";

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory where it is missing, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Directory {
            dir: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let lock = private_file(&path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse {
                    dir: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // SQLite gives its own files the mode of the database, which holds arguments and results.
        private_file(&path.join(DATABASE)).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

/// Opens a file that only its owner may read, making it where it is missing.
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{DATABASE, Directory};
    use crate::sqlite::OpenError;

    #[test]
    fn one_holder_at_a_time_and_the_next_once_it_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let held = Directory::take(&data).unwrap();
        let second = Directory::take(&data).unwrap_err();
        assert!(matches!(&second, OpenError::InUse { dir } if *dir == data));
        assert!(second.to_string().contains(data.to_str().unwrap()));
        drop(held);
        Directory::take(&data).unwrap();
    }

    #[test]
    fn what_it_makes_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let _held = Directory::take(&data).unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join(DATABASE)), 0o600);
    }
}
