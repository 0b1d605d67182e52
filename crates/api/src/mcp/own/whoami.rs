//! `toolgate_whoami`: who the caller is to the gate, and how far its credential reaches.
//!
//! Must not know: anything about other agents.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{arguments, structured};
use crate::mcp::face::{Asked, Face};
use crate::mcp::list::listed;

pub(super) const DESCRIPTION: &str = "Says which agent you are to Toolgate, what your credential \
is limited to and when it expires, and which tools you can reach.";

/// It takes none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) fn input_schema() -> Value {
    json!({"type": "object", "properties": {}, "additionalProperties": false})
}

pub(super) fn run(face: &Face, asked: &Asked, given: Value) -> Result<String, String> {
    let Nothing {} = arguments(given)?;
    let (agent, key) = (&asked.identity.agent, &asked.identity.credential);
    let (configuration, now) = (face.api.driver.configuration(), face.api.driver.now());
    let tools = listed(&configuration, &asked.identity, face.options.presence, now);
    let names: Vec<&str> = tools.iter().map(|tool| tool.wire_name.as_str()).collect();
    let version = configuration
        .policies
        .as_ref()
        .map(|set| set.version().to_string());
    let answer = json!({
        "agent": agent.id,
        "owner": agent.owner,
        "tenant": agent.tenant,
        "role": agent.role,
        "runtime": agent.runtime,
        "project": agent.project,
        "profile": agent.profile,
        "key": {"id": key.id, "expires_at": key.expires_at, "scope": key.scope},
        "tools": names,
        "policy_version": version,
    });
    Ok(structured(&answer, asked))
}
