//! The demo: a gate, a refund desk in a process of its own, and an agent that tries everything.
//!
//! [`world`] is the desk with its agents and policies, which `serve --demo` has too; [`story`] is
//! what happens step by step, over real HTTP and MCP; [`balance`] holds the desk's own ledger
//! against the gate's record at the end.
//!
//! Must not know: any command.

pub(crate) mod world;
