//! `volume_burst`: the agent calls far more often than it usually does.
//!
//! `true` or `false`. It waits for the history of calls, so a rule with it is refused in this version.

use serde_json::json;

use crate::test::Key;

pub(super) const KEY: Key = Key {
    name: "volume_burst",
    doc: "the agent calls far more often than it usually does (not available yet)",
    schema: || json!({"type": "boolean"}),
    read: |checker, item| {
        checker.report.flag(item)?;
        checker.not_yet(item, "the history of calls");
        None
    },
};
