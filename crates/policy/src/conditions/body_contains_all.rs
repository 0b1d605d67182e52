//! `body_contains_all`: all of these texts stand in the arguments, wherever.
//!
//! `["deal #", "confidential"]` holds for `{"title": "Deal #4", "text": "strictly confidential"}`.

use serde_json::json;

use super::body_contains_any::needles;
use crate::call::Call;
use crate::needles::NeedleId;
use crate::ruling::Fault;
use crate::test::{Key, Test};
use crate::value::Answer;

pub(super) const KEY: Key = Key {
    name: "body_contains_all",
    doc: "all of these texts stand in the arguments, in any letter case",
    schema: || json!({"$ref": "#/$defs/texts"}),
    read: |checker, item| Some(Box::new(AllOf(needles(checker, item)?))),
};

#[derive(Debug)]
struct AllOf(Vec<NeedleId>);

impl Test for AllOf {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        let mut answer = Answer::TRUE;
        for needle in &self.0 {
            answer = answer.and(call.body_contains(*needle)?);
        }
        Ok(answer)
    }
}
