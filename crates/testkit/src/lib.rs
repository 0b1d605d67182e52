//! Test kit: a small real refund desk, and what tests need to drive real processes.
//!
//! The [`desk`] is a separate process with money in it: it refunds charges, sends messages and
//! closes accounts, keeps its own durable ledger, and can be told to misbehave in every way that
//! a downstream can. Tests compare its ledger with the gate's record. The [`proxy`] stands in front
//! of any tool server and loses its answers. The rest are tools for tests from outside: ports,
//! processes, waiting on a condition, raw HTTP, lines of JSON.
//!
//! Must not know: the gate. The desk has never heard of policies, approvals or invocations.

pub mod desk;
pub mod differential;
pub mod proxy;
pub mod reference;

mod jsonl;
mod port;
mod process;
mod raw_http;
mod wait;

pub use jsonl::{LinesError, read_lines};
pub use port::free_port;
pub use process::Process;
pub use raw_http::{RawConnection, RawResponse, exchange};
pub use wait::{Overdue, wait_until};
