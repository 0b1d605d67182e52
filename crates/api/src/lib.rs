//! Faces of the gate: the HTTP API and MCP.
//!
//! A face turns a request into a [`toolgate_model::Call`] or a question, hands it to the driver,
//! and turns what comes back into the one envelope ([`envelope`]). It decides nothing.
//!
//! Must not know: stores, tool protocols towards upstreams, configuration files.

mod envelope;
mod state;

pub use envelope::envelope;
pub use state::{Api, Limits};
