//! `is_external_principal`: a recipient, workspace or host is outside the tenant's own domains.
//!
//! `true` or `false`. It waits for the tenant's own domains, so a rule with it is refused in this version.

use serde_json::json;

use crate::test::Key;

pub(super) const KEY: Key = Key {
    name: "is_external_principal",
    doc: "a recipient, workspace or host is outside the tenant's own domains (not available yet)",
    schema: || json!({"type": "boolean"}),
    read: |checker, item| {
        checker.report.flag(item)?;
        checker.not_yet(item, "the tenant's own domains");
        None
    },
};
