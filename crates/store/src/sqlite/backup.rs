//! A copy of the whole store while the gate goes on.
//!
//! `VACUUM INTO` reads at one moment and writes a compact file, so the copy is one that some
//! commit left behind, never a mixture. It is put in place under its name only when it is whole
//! and on the disk.
//!
//! Must not know: what is in it, or where the signing key is.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use toolgate_gate::port::Unavailable;

use crate::failure::unavailable;

/// Writes the copy to `to`, which must not exist.
pub(super) fn write(connection: &Connection, to: &Path) -> Result<(), Unavailable> {
    let failed = |cause: &dyn std::fmt::Display| {
        unavailable(format!(
            "the backup `{}` is not written: {cause}",
            to.display()
        ))
    };
    if to.exists() {
        return Err(failed(&"it exists already, so name another file"));
    }
    let part = part_of(to);
    let made = fill(connection, &part)
        .and_then(|()| place(&part, to).map_err(|error| Box::new(error) as Box<_>));
    made.map_err(|error: Box<dyn std::error::Error>| {
        // What is left over is of no use to anybody; that it stays is no second failure.
        let _ = std::fs::remove_file(&part);
        failed(&error)
    })
}

fn fill(connection: &Connection, part: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // An empty file of our own making is one that only we may read.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)?;
    let name = part.to_str().ok_or("its path is not UTF-8")?;
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

fn place(part: &Path, to: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    std::fs::rename(part, to)?;
    let parent = to.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn part_of(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
