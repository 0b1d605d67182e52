//! `has_data_class`: data of these classes stands in the arguments.
//!
//! `["PII", "SECRETS"]`. What finds them is not in this version, so a rule with it is refused.

use serde_json::json;

use crate::test::Key;

const CLASSES: [(&str, &str); 4] = [
    ("SECRETS", "SECRETS"),
    ("PII", "PII"),
    ("PHI", "PHI"),
    ("INTERNAL", "INTERNAL"),
];

pub(super) const KEY: Key = Key {
    name: "has_data_class",
    doc: "one of these data classes was found in the arguments (not available yet)",
    schema: || json!({"$ref": "#/$defs/texts"}),
    read: |checker, item| {
        checker
            .report
            .each(item, |report, item| report.word(item, &CLASSES))?;
        checker.not_yet(item, "the data-class detector");
        None
    },
};
