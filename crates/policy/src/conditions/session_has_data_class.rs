//! `session_has_data_class`: data of these classes was read in this session.
//!
//! `["PHI"]`. Sessions are not remembered in this version, so a rule with it is refused.

use serde_json::json;

use crate::test::Key;

const CLASSES: [(&str, &str); 4] = [
    ("SECRETS", "SECRETS"),
    ("PII", "PII"),
    ("PHI", "PHI"),
    ("INTERNAL", "INTERNAL"),
];

pub(super) const KEY: Key = Key {
    name: "session_has_data_class",
    doc: "data of one of these classes was read in this session (not available yet)",
    schema: || json!({"$ref": "#/$defs/texts"}),
    read: |checker, item| {
        checker
            .report
            .each(item, |report, item| report.word(item, &CLASSES))?;
        checker.not_yet(item, "the history of sessions");
        None
    },
};
