//! OAuth 2.1 on both sides of the gate.
//!
//! [`ResourceServer`] takes bearer tokens that issuers signed for this gate, beside the gate's own
//! keys, and says which agent they are. [`Granted`] gets the gate's own tokens for the servers
//! behind it: client credentials, or an exchange of the user's token. The two share one client,
//! which goes nowhere but where the operator pointed it.
//!
//! Must not know: MCP, calls, decisions, stores, configuration files.

mod fetch;
mod keys;
mod token;

mod agents;
mod claims;
mod issuer;
mod server;

mod granted;
mod grants;
mod subjects;

pub use agents::AgentTable;
pub use fetch::{Fetcher, check_url};
pub use granted::Granted;
pub use grants::{GrantKind, GrantSpec, TokenPlace};
pub use issuer::IssuerSpec;
pub use server::{ResourceServer, ServerSpec};
pub use subjects::Subjects;
pub use toolgate_model::AddressReach as Reach;
