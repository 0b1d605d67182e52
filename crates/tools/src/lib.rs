//! Tools behind the gate's port: MCP servers over stdio and streamable HTTP, many at once.
//!
//! A [`SourceConfig`] says where a server is, [`Sources`] keeps each of them connected, describes
//! its tools in the gate's words ([`toolgate_model::Descriptor`]), and sends a dispatched call
//! exactly once. What comes back travels on as raw JSON. One server that is down, slow or broken
//! costs its own tools and no others.
//!
//! Must not know: who may call what, stores, faces, or how the gate decides.

mod config;
mod describe;
mod era;
mod exchange;
mod http;
mod lexicon;
mod lines;
mod message;
mod mirror;
mod ports;
mod risk;
mod session;
mod source;
mod sources;
mod sse;
mod stdio;
mod switchboard;
mod verdict;

pub use config::{
    Overrides, Secret, SourceConfig, SourceKind, SourceLimits, SourceProblem, ToolOverride,
    WireNames, source_problems,
};
pub use describe::Unavailable;
pub use ports::Ports;
pub use sources::{OnChange, Sources};
pub use stdio::INHERITED_VARIABLES;
