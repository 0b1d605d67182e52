//! The HTTP API from outside: requests and what is answered, through the real driver and store.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod contract;
mod desk;
mod sending;
mod world;

mod access;
mod afterwards;
mod agents;
mod approvals;
mod authzen;
mod bad_input;
mod deliveries;
mod description;
mod doubt;
mod duties;
mod faults;
mod front;
mod hosted;
mod incidents;
mod invocations;
mod keys;
mod policies;
mod raw;
mod records;
mod reviews;
mod trials;
mod users;
