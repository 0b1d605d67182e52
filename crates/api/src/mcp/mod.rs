//! The MCP face of the gate: streamable HTTP at `/mcp`, and stdio.
//!
//! An agent's client lists tools and calls them as if the gate were their server. Both eras of the
//! protocol are spoken on one endpoint: 2026-07-28, where each request stands by itself, and
//! 2025-03-26 to 2025-11-25 with their sessions. A definition and an answer travel as they were
//! written; a denial is an answer too, in words a model can follow ([`render`]) and with the
//! outcome envelope in `_meta["dev.toolgate/outcome"]`.
//!
//! Must not know: stores, upstream transports, configuration files, how anything is decided.

mod limits;
mod options;

mod era;
mod message;

mod attention;
mod client;
mod in_flight;
mod load;
mod resume;
mod session;
mod work;

mod naming;
mod paging;

mod changes;
mod list;
mod listen;
mod offers;
mod updates;

mod follow;
mod followed_tasks;

mod call;
mod conversations;
mod face;
mod meta;
mod methods;
mod own;
mod peer;
mod relay;
mod render;
mod rounds;
mod tasks;

mod entrance;
mod headers;
mod http;
mod param_headers;
mod reply;

mod lines;
mod stdio;

pub use http::router;
pub use options::{Links, McpOptions, Presence};
pub use stdio::serve_stdio;
