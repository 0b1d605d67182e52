//! `session_has_data_class`: data of one of these classes was read in this session.
//!
//! `["PHI"]` on a rule about e-mail is "no mail once health data was read". Where nobody remembers
//! the session it is unknown.

use serde_json::json;
use toolgate_model::DataClasses;

use super::has_data_class::{classes, shown};
use crate::call::Call;
use crate::ruling::Fault;
use crate::test::{Key, Test};
use crate::value::Answer;

pub(super) const KEY: Key = Key {
    name: "session_has_data_class",
    doc: "data of one of these classes was read in this session",
    schema: || json!({"$ref": "#/$defs/data_classes"}),
    read: |checker, item| {
        checker.needs.history = true;
        Some(Box::new(HasRead(classes(checker, item)?)))
    },
};

#[derive(Debug)]
struct HasRead(DataClasses);

/// What was read so far.
fn read<'c>(call: &Call<'_, 'c>) -> Option<&'c DataClasses> {
    let session = call.facts?.history?.session()?;
    Some(&session.data_class)
}

impl Test for HasRead {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        Ok(match read(call) {
            Some(read) => Answer::known(!read.is_disjoint(&self.0)),
            None => {
                call.note_unknown("session.data_class");
                Answer::UNKNOWN
            }
        })
    }

    fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Option<String>, Fault> {
        Ok(read(call).map(shown))
    }
}
