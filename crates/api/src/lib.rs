//! Faces of the gate: the HTTP API, AuthZEN and MCP.
//!
//! A face turns a request into a [`toolgate_model::Call`] or a question, hands it to the driver,
//! and turns what comes back into the one envelope ([`envelope`]). It decides nothing.
//!
//! A request passes [`router`]'s front (size, Host, Origin), its token, and the strict reading of
//! its body, in this order; one resource is one file. Must not know: stores, tool protocols
//! towards upstreams, configuration files.

mod doubt;
mod envelope;
mod standing;
mod state;

mod deliveries;
mod diagnostic;
mod front;
mod host;
mod kinds;
mod problem;

mod admission;
mod auth;
mod body;
mod call;
mod conditional;
mod named;
mod raw;
mod reach;
mod reply;

mod activations;
mod agents;
mod approvals;
mod evaluate;
mod events;
mod export;
mod health;
mod host_tools;
mod hosted;
mod incidents;
mod invocations;
mod keys;
mod policies;
mod receipts;
mod records;
mod resource;
mod reviews;
mod tools;
mod trials;
mod users;

mod authzen;

mod openapi;
mod serve;

pub mod mcp;

pub use admission::Admission;
pub use envelope::envelope;
pub use openapi::openapi;
pub use receipts::LogLeaves;
pub use serve::router;
pub use state::{Api, Limits};
