//! `aws_tags`: the tags of what a call is about, by key.
//!
//! `{"team": "payments", "stage": "prod*"}`: every tag named has to be there and to fit. Tags are read
//! as an object or as AWS writes them, `[{"Key": "team", "Value": "payments"}]`. A tool that has no tags
//! is not meant; a tag that could be there and is not is unknown.

use serde_json::{Value, json};
use toolgate_model::Glob;

use crate::call::Call;
use crate::checker::Checker;
use crate::diagnostics::EMPTY_LIST;
use crate::limits;
use crate::path::Path;
use crate::patterns::matches_any;
use crate::reading::Item;
use crate::ruling::Fault;
use crate::source::Complaint;
use crate::term::Term;
use crate::test::{Key, Test};
use crate::value::{Answer, Datum, Got};

pub(super) const KEY: Key = Key {
    name: "aws_tags",
    doc: "tags by key, each with a glob over its value; all have to fit",
    schema,
    read,
};

#[derive(Debug)]
struct Tags {
    term: Term,
    /// Key and what its value has to fit.
    wanted: Vec<(String, Glob)>,
}

fn schema() -> Value {
    json!({
        "type": "object", "minProperties": 1, "maxProperties": limits::LIST_MAX,
        "additionalProperties": {
            "type": "string", "minLength": 1, "maxLength": limits::PATTERN_BYTES_MAX,
        },
    })
}

fn read(checker: &mut Checker<'_, '_>, item: &Item<'_>) -> Option<Box<dyn Test>> {
    let entries = checker.report.entries(item)?;
    if entries.is_empty() {
        let complaint = Complaint::new(EMPTY_LIST, "`aws_tags` names no tag");
        checker
            .report
            .complain(item, complaint.help("leave the key out"));
        return None;
    }
    let globs: Vec<Option<(String, Glob)>> = entries
        .into_iter()
        .map(|(key, item)| Some((key, checker.report.glob(&item)?.value)))
        .collect();
    let term = checker.mapped(Path::parse("tags")?);
    let wanted = globs.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Box::new(Tags { term, wanted }))
}

impl Test for Tags {
    fn answer<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Answer, Fault> {
        let tags = match self.term.value(call)? {
            Got::Value(Datum::Json(tags)) => tags,
            Got::Impossible => return Ok(Answer::IMPOSSIBLE),
            Got::Value(_) => {
                self.term.note(call);
                return Ok(Answer::UNKNOWN);
            }
            Got::Missing | Got::Unknown => return Ok(Answer::UNKNOWN),
        };
        let mut answer = Answer::TRUE;
        for (key, glob) in &self.wanted {
            let one = match tag(tags, key) {
                Some(text) => matches_any(std::slice::from_ref(glob), text, call)?,
                None => {
                    call.note_unknown(&format!("tags.{key}"));
                    Answer::UNKNOWN
                }
            };
            answer = answer.and(one);
        }
        Ok(answer)
    }
}

/// The value of one tag; none where it is not there, stands twice or is no text.
fn tag<'v>(tags: &'v Value, key: &str) -> Option<&'v str> {
    let named = |entry: &&'v Value| entry.get("Key").and_then(Value::as_str) == Some(key);
    match tags {
        Value::Object(tags) => tags.get(key)?.as_str(),
        Value::Array(entries) => {
            let mut found = entries.iter().filter(named);
            let first = found.next()?;
            found
                .next()
                .is_none()
                .then(|| first.get("Value")?.as_str())?
        }
        _ => None,
    }
}
