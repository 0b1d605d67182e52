//! `agent_ids` and `agent_runtime_types`: who calls, by name and by what runs it.
//!
//! `{"agent_ids": ["billing_*"], "agent_runtime_types": ["langgraph"]}`. Both are what was
//! authenticated or registered, never the caller's word.

use serde_json::json;

use super::tool::over;
use crate::test::Key;

pub(super) const AGENT_IDS: Key = Key {
    name: "agent_ids",
    doc: "the authenticated agent: names or globs",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: |checker, item| {
        let globs = checker.report.globs(item)?;
        over("agent_id", globs)
    },
};

pub(super) const AGENT_RUNTIME_TYPES: Key = Key {
    name: "agent_runtime_types",
    doc: "what runs the agent, as registered: names or globs",
    schema: || json!({"$ref": "#/$defs/patterns"}),
    read: |checker, item| {
        let globs = checker.report.globs(item)?;
        over("runtime", globs)
    },
};
