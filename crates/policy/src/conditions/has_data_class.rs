//! `has_data_class`: data of one of these classes stands in the arguments.
//!
//! `["PII", "SECRETS"]`; on a result rule, in what the tool returned. Arguments with more text than
//! the detector scans at once make it unknown.

use serde_json::json;
use toolgate_model::{DataClass, DataClasses};

use crate::call::Call;
use crate::checker::Checker;
use crate::reading::Item;
use crate::ruling::Fault;
use crate::test::{Key, Test};
use crate::value::Answer;

pub(super) const KEY: Key = Key {
    name: "has_data_class",
    doc: "data of one of these classes (`SECRETS`, `PII`, `PHI`, `INTERNAL`) stands in the arguments",
    schema: || json!({"$ref": "#/$defs/data_classes"}),
    read: |checker, item| {
        let wanted = classes(checker, item)?;
        checker.classes.extend(&wanted);
        checker.needs.data = true;
        Some(Box::new(Carries(wanted)))
    },
};

#[derive(Debug)]
struct Carries(DataClasses);

impl Test for Carries {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        Ok(match call.scan()? {
            Some(scan) => Answer::known(!scan.classes().is_disjoint(&self.0)),
            None => {
                call.note_unknown("data_class");
                Answer::UNKNOWN
            }
        })
    }

    fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Option<String>, Fault> {
        Ok(call.scan()?.map(|scan| shown(&scan.classes())))
    }
}

/// The classes that a list names.
pub(super) fn classes(checker: &mut Checker<'_, '_>, item: &Item<'_>) -> Option<DataClasses> {
    let classes = checker
        .report
        .each(item, |report, item| report.word(item, DataClass::ALL))?;
    Some(classes.into_iter().collect())
}

/// The classes as an explanation shows them.
pub(super) fn shown(classes: &DataClasses) -> String {
    let words: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
    words.join(", ")
}
