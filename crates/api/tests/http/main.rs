//! The HTTP API from outside: requests and what is answered, through the real driver and store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod contract;
mod world;

mod access;
mod agents;
mod approvals;
mod bad_input;
mod description;
mod front;
mod invocations;
mod policies;
mod records;
