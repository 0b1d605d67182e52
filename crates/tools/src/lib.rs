//! Tools behind the gate's port: MCP servers over stdio and streamable HTTP, HTTP APIs by their
//! descriptions, plugins over signed HTTP, and programs that run their tools themselves; many at once.
//!
//! A [`SourceConfig`] says where a source is, [`Sources`] keeps each of them connected, describes
//! its tools in the gate's words ([`toolgate_model::Descriptor`]), and sends a dispatched call
//! exactly once. What comes back travels on as raw JSON. One server that is down, slow or broken
//! costs its own tools and no others.
//!
//! Requests that agents send to services themselves are recognised as uses of tools as well
//! ([`recognise`]).
//!
//! Must not know: who may call what, stores, faces, or how the gate decides.

mod config;
mod ports;
mod raw;

mod breaker;
mod guard;
mod source;
mod sources;
mod subscribe;
mod supply;
mod tend;

mod host;
mod openapi;
mod plugin;

mod errand;
mod key_place;
mod patience;
mod pool;
mod rounds;
mod session;
mod task;
mod verdict;
mod wording;

mod caller;
mod declared;
mod dial;
mod exchange;
mod follow;
mod http;
mod lines;
mod message;
mod sse;
mod stdio;
mod switchboard;

mod describe;
mod era;
mod lexicon;
mod marks;
mod methods;
mod mirror;
mod names;
mod normalise;
mod offers;
mod pages;
mod risk;
mod room;
mod verify;

pub use config::{
    ClientScope, EraChoice, Isolation, Overrides, Secret, SourceConfig, SourceKind, SourceLimits,
    SourceProblem, ToolOverride, WireNames, source_problems,
};
pub use describe::UnavailableTool;
pub use host::HostConfig;
pub use key_place::key_place_problem;
pub use normalise::recognise;
pub use openapi::{ApiAuth, ApiTools, Bases, OpenApiConfig};
pub use plugin::PluginConfig;
pub use ports::Ports;
pub use raw::RawConfig;
pub use sources::{OnChange, Sources};
pub use stdio::INHERITED_VARIABLES;
