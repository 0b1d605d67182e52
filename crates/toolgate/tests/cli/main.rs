//! The program from outside: its output, its exit codes, and a gate that is really started.
//!
//! `offline` needs no gate, `author` is what somebody does who writes policies, `serving` starts one with a refund desk behind it, `streams` speaks MCP
//! over standard streams, `people` is about those around a gate, `descriptors` about what is stated
//! of its tools, `story` is the demo. Waiting is always for something, never for a while.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops"
)]

mod kit;

mod author;
mod descriptors;
mod detect;
mod offline;
mod people;
mod serving;
mod story;
mod streams;
