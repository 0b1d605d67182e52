//! What an operator may choose about the MCP face.
//!
//! Everything has a default that weakens nothing; `Presence::Transparent` is for those who put
//! the gate in front of exactly one server and want its list and nothing else.
//!
//! Must not know: configuration files.

use tokio_util::sync::CancellationToken;
use toolgate_model::Duration;

/// How the MCP face behaves.
#[derive(Clone, Debug)]
pub struct McpOptions {
    /// Whether the gate's own tools are listed beside the granted ones.
    pub presence: Presence,
    /// How long a call that needs approval is held before it is answered as pending. Short by
    /// default: some clients give up after five seconds.
    pub hold: Duration,
    /// How many entries a page of a list has at most. Large by default: some clients read the
    /// first page only.
    pub page_size: usize,
    /// Whether a client that can show links is sent to the page of an approval. Off by default: the
    /// page is the approvers', and the requester's own consent decides nothing.
    pub links: Links,
    /// Ends every open change stream when it is cancelled: the gate is being stopped.
    pub closing: CancellationToken,
}

/// Whether the gate shows itself in the list of tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// `toolgate_whoami`, `toolgate_await` and `toolgate_simulate` are offered.
    #[default]
    Visible,
    /// Only granted tools are.
    Transparent,
}

/// Whether a call that waits for approval is answered with a link, where the client takes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// Never.
    #[default]
    Off,
    /// Where the client declared that it shows them.
    On,
}

impl Default for McpOptions {
    fn default() -> Self {
        Self {
            presence: Presence::default(),
            hold: Duration::from_secs(2),
            page_size: 500,
            links: Links::default(),
            closing: CancellationToken::new(),
        }
    }
}
