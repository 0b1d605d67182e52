//! Connections as this store needs them, and the schema's way forward.
//!
//! `migrations/sqlite/0001_first.sql` and so on are compiled in and applied in order, each in one
//! transaction with a row that keeps its checksum. Forward only: a store that a newer build wrote,
//! or whose steps were other ones than ours, is refused rather than guessed at.
//!
//! Must not know: what the tables mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use toolgate_model::{Digest, Timestamp};

use crate::sqlite::OpenError;

/// The oldest SQLite whose write-ahead log is not known to lose data when two connections meet.
const VERSION_MIN: i32 = 3_051_003;

/// Marks the file as ours: `tgat` in ASCII.
const APPLICATION_ID: i32 = 0x7467_6174;

/// How long a reader waits where the file is briefly held, at opening and closing.
// LIMIT: readers never wait for the writer, so this is met only around recovery.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// Prepared statements that one connection keeps.
// LIMIT: about 40 fixed texts, and 2^5 shapes of the list of invocations.
const STATEMENTS_MAX: usize = 96;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        sql: include_str!("../../migrations/sqlite/0001_first.sql"),
    },
    Migration {
        number: 2,
        name: "deliveries",
        sql: include_str!("../../migrations/sqlite/0002_deliveries.sql"),
    },
    Migration {
        number: 3,
        name: "review",
        sql: include_str!("../../migrations/sqlite/0003_review.sql"),
    },
];

/// Opens the one connection that writes, and brings the schema up to this build's.
pub(super) fn open_writer(path: &Path, now: Timestamp) -> Result<Connection, OpenError> {
    let version = rusqlite::version_number();
    if version < VERSION_MIN {
        return Err(OpenError::LibraryTooOld {
            version: rusqlite::version().to_owned(),
        });
    }
    let failed = sqlite_failed(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
    refuse_foreign(&connection, path)?;
    // Nobody else may write, so waiting for somebody else would only hide that somebody does.
    connection.busy_timeout(Duration::ZERO).map_err(&failed)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 1000;
             PRAGMA journal_size_limit = 67108864;
             PRAGMA mmap_size = 0;
             PRAGMA cell_size_check = ON;
             PRAGMA trusted_schema = OFF;",
        )
        .map_err(&failed)?;
    confirm_durable(&connection, path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    migrate(&mut connection, path, MIGRATIONS, now)?;
    // What a crash left in the write-ahead log, and the schema itself, go into the file: a copy of
    // the file alone is then a store, if an older one.
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(&failed)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let failed = sqlite_failed(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
    connection.busy_timeout(READER_PATIENCE).map_err(&failed)?;
    connection
        .execute_batch("PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF;")
        .map_err(&failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// A file of some other program is left alone.
fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = sqlite_failed(path);
    let id: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(&failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(&failed)?;
    if id != APPLICATION_ID && tables > 0 {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// INVARIANT: an answered commit survives a loss of power. That rests on these two settings, which
/// SQLite changes silently where it cannot have them (on a file system without shared memory).
fn confirm_durable(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = sqlite_failed(path);
    let journal: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(&failed)?;
    let synchronous: i64 = connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(&failed)?;
    if journal == "wal" && synchronous == 2 {
        return Ok(());
    }
    Err(OpenError::NotDurable {
        path: path.to_owned(),
        journal,
    })
}

fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<(), OpenError> {
    let failed = sqlite_failed(path);
    // In one transaction, so that a crash leaves either nothing or a database that is ours.
    connection
        .execute_batch(&format!(
            "BEGIN IMMEDIATE;
             PRAGMA application_id = {APPLICATION_ID};
             CREATE TABLE IF NOT EXISTS migrations (
                number     INTEGER PRIMARY KEY,
                name       TEXT    NOT NULL,
                checksum   BLOB    NOT NULL,
                applied_at INTEGER NOT NULL
             ) STRICT;
             COMMIT;"
        ))
        .map_err(&failed)?;
    let applied = applied(connection).map_err(&failed)?;
    refuse_unknown(&applied, path, migrations)?;
    for migration in migrations.iter().skip(applied.len()) {
        apply(connection, migration, now).map_err(&failed)?;
    }
    Ok(())
}

/// The steps taken so far, in order: number and checksum.
fn applied(connection: &Connection) -> rusqlite::Result<Vec<(u32, [u8; 32])>> {
    connection
        .prepare("SELECT number, checksum FROM migrations ORDER BY number")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn refuse_unknown(
    applied: &[(u32, [u8; 32])],
    path: &Path,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    let known = migrations.last().map_or(0, |last| last.number);
    let found = applied.last().map_or(0, |(number, _)| *number);
    if found > known {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    for ((number, checksum), migration) in applied.iter().zip(migrations) {
        let ours = Digest::of(migration.sql.as_bytes());
        if *number != migration.number || checksum != ours.as_bytes() {
            return Err(OpenError::Diverged {
                path: path.to_owned(),
                number: *number,
                name: migration.name,
            });
        }
    }
    Ok(())
}

fn apply(
    connection: &mut Connection,
    migration: &Migration,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    step.execute_batch(migration.sql)?;
    step.execute(
        "INSERT INTO migrations (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
        (
            migration.number,
            migration.name,
            Digest::of(migration.sql.as_bytes()).as_bytes(),
            now.as_millis(),
        ),
    )?;
    step.commit()
}

/// Names the file that an error of SQLite is about.
pub(super) fn sqlite_failed(path: &Path) -> impl Fn(rusqlite::Error) -> OpenError {
    let path: PathBuf = path.to_owned();
    move |source| OpenError::Sqlite {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use rusqlite::Connection;
    use toolgate_model::Timestamp;

    use super::{MIGRATIONS, Migration, migrate, refuse_foreign};

    const NOW: Timestamp = Timestamp::from_millis(1_000);
    const ONE: Migration = Migration {
        number: 1,
        name: "one",
        sql: "CREATE TABLE one (a INTEGER) STRICT;",
    };
    const TWO: Migration = Migration {
        number: 2,
        name: "two",
        sql: "ALTER TABLE one ADD COLUMN b INTEGER;",
    };

    /// Takes the first steps, then opens with the second ones.
    fn check(first: &[Migration], second: &[Migration], expected: Expect) {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = std::path::Path::new("data/toolgate.db");
        migrate(&mut connection, path, first, NOW).unwrap();
        let shown = match migrate(&mut connection, path, second, NOW) {
            Ok(()) => {
                let mut rows = connection
                    .prepare("SELECT number || ' ' || name FROM migrations ORDER BY number")
                    .unwrap();
                let steps = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
                steps.map(Result::unwrap).collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn steps_are_taken_once_and_in_order() {
        check(&[], &[ONE, TWO], expect!["1 one, 2 two"]);
        check(&[ONE], &[ONE, TWO], expect!["1 one, 2 two"]);
        check(&[ONE, TWO], &[ONE, TWO], expect!["1 one, 2 two"]);
    }

    #[test]
    fn another_history_is_refused() {
        check(
            &[ONE, TWO],
            &[ONE],
            expect![
                "`data/toolgate.db` has schema 2, and this build knows schemas up to 1: run the newer build, or restore a backup from before it"
            ],
        );
        let other = Migration {
            sql: "CREATE TABLE one (a TEXT) STRICT;",
            ..ONE
        };
        check(
            &[ONE],
            &[other],
            expect![
                "`data/toolgate.db` was made with another text of migration 1 (`one`): run the build that made it, or restore a backup"
            ],
        );
    }

    #[test]
    fn a_step_that_fails_leaves_nothing() {
        let broken = Migration {
            sql: "CREATE TABLE half (a INTEGER) STRICT; CREATE TABLE half (a INTEGER) STRICT;",
            ..TWO
        };
        let mut connection = Connection::open_in_memory().unwrap();
        let path = std::path::Path::new("toolgate.db");
        assert!(migrate(&mut connection, path, &[ONE, broken], NOW).is_err());
        assert!(connection.prepare("SELECT a FROM one").is_ok());
        assert!(connection.prepare("SELECT a FROM half").is_err());
        migrate(&mut connection, path, &[ONE, TWO], NOW).unwrap();
    }

    #[test]
    fn versions_from_before_the_stamps_can_still_be_rolled_back_to() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = std::path::Path::new("toolgate.db");
        migrate(&mut connection, path, &MIGRATIONS[..2], NOW).unwrap();
        let insert = "INSERT INTO policy_drafts
            (name, number, digest, text, author, message, created_at, active)
            VALUES (?1, ?2, x'00', '', 'ana@acme.com', '', 7, ?3)";
        for row in [("a", 1, 0), ("a", 2, 1), ("a", 3, 0), ("b", 1, 0)] {
            connection.execute(insert, row).unwrap();
        }
        migrate(&mut connection, path, MIGRATIONS, NOW).unwrap();
        let mut rows = connection
            .prepare("SELECT name || number FROM policy_drafts WHERE activated_by = 'gate'")
            .unwrap();
        let stamped = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let stamped: Vec<_> = stamped.map(Result::unwrap).collect();
        assert_eq!(stamped, ["a1", "a2"]);
    }

    #[test]
    fn a_database_of_another_program_is_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        let path = std::path::Path::new("toolgate.db");
        refuse_foreign(&connection, path).unwrap();
        connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
        let refusal = refuse_foreign(&connection, path).unwrap_err().to_string();
        assert!(refusal.contains("another program"), "{refusal}");
    }

    #[test]
    fn the_steps_are_numbered_from_one() {
        let numbers = MIGRATIONS.iter().map(|migration| migration.number);
        assert!(numbers.eq(1..=u32::try_from(MIGRATIONS.len()).unwrap()));
    }
}
