//! Transcripts of the MCP face: a real driver on the store in memory, tools that do as they are
//! told, and time that passes by itself when nothing else happens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod client;
mod desk;
mod shelf;
mod talking;
mod world;

mod admission;
mod bad_input;
mod changes;
mod completion;
mod entrance;
mod far_end;
mod fidelity;
mod integrity;
mod legacy;
mod modern;
mod outcomes;
mod own_tools;
mod prompts;
mod questions;
mod resources;
mod resume;
mod rounds;
mod server_tasks;
mod stdio;
mod subscriptions;
mod tasks;
