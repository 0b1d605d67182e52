//! `new_resource`: this agent touches this resource for the first time.
//!
//! `true` or `false`. It waits for the history of calls, so a rule with it is refused in this version.

use serde_json::json;

use crate::test::Key;

pub(super) const KEY: Key = Key {
    name: "new_resource",
    doc: "this agent touches this resource for the first time (not available yet)",
    schema: || json!({"type": "boolean"}),
    read: |checker, item| {
        checker.report.flag(item)?;
        checker.not_yet(item, "the history of calls");
        None
    },
};
