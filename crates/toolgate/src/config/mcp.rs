//! `[mcp]`: the face that MCP clients see.
//!
//! ```toml
//! [mcp]
//! anonymous = "local"        # whoever on this machine comes without a token is this agent
//! ```
//!
//! Must not know: MCP.

use std::net::SocketAddr;

use toolgate_model::{AgentId, Duration};

use super::reader::{Problem, Section};
use super::{Config, Reading};

/// How the MCP face behaves.
#[derive(Clone, Debug)]
pub(crate) struct McpSettings {
    /// How long a call that needs approval waits before it is answered as pending.
    pub(crate) hold: Option<Duration>,
    /// Whether the gate's own tools are listed.
    pub(crate) own_tools: OwnTools,
    /// How many entries a page of a list has at most.
    pub(crate) page_size: Option<u32>,
    /// Whether a client that can show a link is sent to the page of the approval.
    pub(crate) links: bool,
    /// The agent that whoever comes without a token is taken for.
    pub(crate) anonymous: Option<AgentId>,
    /// Where clients connect.
    pub(crate) entrance: Entrance,
}

/// Where MCP clients connect. A gate has one entrance, because one of them hears of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// At `/mcp`.
    Http,
    /// On the standard streams of this process.
    Streams,
}

/// Whether the gate's own tools are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnTools {
    /// They are.
    Shown,
    /// Only the upstreams' tools are.
    Hidden,
}

impl Reading<'_, '_> {
    pub(super) fn mcp(&mut self, root: &mut Section) -> McpSettings {
        let mut section = self.reader.table(root, "mcp");
        let hold = self.reader.optional(&mut section, "hold");
        let shown: bool = self.reader.value(&mut section, "own_tools", true);
        let page_size = self.reader.optional(&mut section, "page_size");
        let links = self.reader.value(&mut section, "links", false);
        let anonymous = self.reader.optional(&mut section, "anonymous");
        self.reader.finish(section);
        let own_tools = if shown {
            OwnTools::Shown
        } else {
            OwnTools::Hidden
        };
        McpSettings {
            hold,
            own_tools,
            page_size,
            links,
            anonymous,
            entrance: Entrance::Http,
        }
    }

    /// Nobody comes in without a token from anywhere but this machine. A proxy in front would
    /// bring everybody in from loopback, so a gate with a name to the outside has no such agent.
    pub(super) fn check_anonymous(&mut self, config: &Config) {
        if config.mcp.anonymous.is_none() {
            return;
        }
        let outside = if !config.listen.ip().is_loopback() {
            format!("the gate listens on `{}`", config.listen)
        } else if let Some(host) = config.hosts.iter().find(|host| !names_loopback(host)) {
            format!("`hosts` names `{host}`")
        } else if let Some(url) = config.public_url.as_ref().filter(|url| is_outside(url)) {
            format!("`public_url` is `{url}`")
        } else {
            return;
        };
        let path = "mcp.anonymous";
        let origin = self.reader.origin_of(path);
        let message = format!("`{path}` lets everybody in, and {outside}");
        let help = "listen on loopback only, or give the agent a key: `toolgate key create AGENT`";
        let place = (path, &origin);
        self.reader.complain(
            Problem::Contradiction,
            place,
            message,
            Some(help.to_owned()),
        );
    }
}

fn is_outside(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    !names_loopback(authority.split('/').next().unwrap_or_default())
}

/// `localhost`, `127.0.0.1`, `[::1]`, with a port or without one.
fn names_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port));
    host.parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| bare.parse())
        .is_ok_and(|ip| ip.is_loopback())
        || name.map_or(host, |(name, _)| name) == "localhost"
}
