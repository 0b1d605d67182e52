//! The registry of `match` keys: sorted, one entry a key.
//!
//! `match` says which tools and places a rule is about; every key given has to fit, and within a
//! key one entry has to. Keys that read the same kind of thing share a file.
//!
//! Must not know: expressions, precedence.

mod agents;
mod descriptor;
mod operations;
mod places;
mod tags;
pub(crate) mod tool;
mod urls;

use crate::test::Key;

/// Every key of `match`, sorted.
pub const MATCH_KEYS: &[Key] = &[
    places::ACCOUNT,
    agents::AGENT_IDS,
    agents::AGENT_RUNTIME_TYPES,
    tags::KEY,
    places::BRANCH,
    places::CHANNEL,
    places::HOST,
    descriptor::METHODS,
    operations::KEY,
    places::ORG,
    places::PATH,
    places::PRINCIPAL,
    places::RECIPIENT,
    places::REGION,
    places::REPO,
    places::RESOURCES,
    descriptor::RISK,
    tool::TOOL_NAME,
    tool::TOOL_NAMES,
    tool::TOOLS,
    urls::KEY,
    descriptor::VERBS,
];
