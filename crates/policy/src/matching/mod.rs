//! The registry of `match` keys: sorted, one entry a key.
//!
//! `match` says which tools and places a rule is about; every key given has to fit, and within a
//! key one entry has to. Keys that read the same kind of thing share a file.
//!
//! Must not know: expressions, precedence.

mod descriptor;
mod operations;
mod places;
pub(crate) mod tool;

use crate::test::Key;

/// Every key of `match`, sorted.
pub const MATCH_KEYS: &[Key] = &[
    places::BRANCH,
    places::CHANNEL,
    places::HOST,
    operations::KEY,
    places::ORG,
    places::PATH,
    places::RECIPIENT,
    places::REPO,
    places::RESOURCES,
    descriptor::RISK,
    tool::TOOL_NAME,
    tool::TOOLS,
    descriptor::VERBS,
];
