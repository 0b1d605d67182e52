//! Stores behind the gate's port: memory and SQLite.
//!
//! [`MemoryStore`] forgets at the end of the process; [`SqliteStore`] answers a commit only once it
//! is on the disk. Both pass one suite, [`conformance`], and so must every further one and every
//! wrapper such as [`faulty::FaultyStore`]. [`keys`] keeps the key that signs the log, and
//! [`audit`] opens a copy of a store for whoever wants to check it.
//!
//! Must not know: rules, what the steps of an invocation mean, tools, transports.

mod facts;
mod failure;
mod guard;
mod log;

mod memory;
mod sqlite;

pub mod audit;
pub mod conformance;
pub mod faulty;
pub mod keys;

pub use memory::MemoryStore;
pub use sqlite::{OpenError, Options, SqliteStore};
