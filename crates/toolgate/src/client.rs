//! What people paste into an MCP client.
//!
//! Must not know: any particular client beyond the form that most of them read.

use serde_json::json;

use crate::shell::pretty;

/// The configuration of an MCP client that reaches this gate with this token.
pub(crate) fn mcp_client(url: &str, token: &str) -> String {
    let url = format!("{}/mcp", url.trim_end_matches('/'));
    pretty(&json!({"mcpServers": {"toolgate": {
        "type": "http", "url": url, "headers": {"Authorization": format!("Bearer {token}")},
    }}}))
}
