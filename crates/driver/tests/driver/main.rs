//! The driver in a small world of its own: calls, calls in doubt, and what is read live about them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod activation;
mod calls;
mod doubt;
mod evidence;
mod history;
mod hosted;
mod incidents;
mod integrity;
mod peer;
mod sanitize;
mod stood_still;
mod thaw;
mod unconfirmed;
mod users;
mod world;
