//! The demo: a gate, a refund desk in a process of its own, and an agent that tries everything.
//!
//! [`world`] is the desk with its agents and policies, which `serve --demo` has too; [`desk`] is
//! its process; [`cast`] are the people and the agent, over real HTTP and MCP; [`story`] is what
//! happens step by step; [`balance`] holds the desk's own ledger against the gate's record.
//!
//! Must not know: any command.

pub(crate) mod world;

mod author;
mod balance;
mod cast;
mod data;
mod desk;
mod doubt;
mod drift;
mod steps;
mod story;

pub(crate) use balance::Balance;
pub(crate) use desk::DeskProcess;
pub(crate) use story::{Told, tell};
