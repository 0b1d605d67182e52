//! One session: what rules see of it, and the words that were heard in it.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;
use toolgate_model::{Origin, Timestamp};
use toolgate_policy::Session;

use super::event::{Event, Read, Standing};
use super::words::Words;

/// Bytes of words that are kept of one session.
// LIMIT: 4 MiB, some forty long documents; what is dropped makes `source` unknown where nothing
// that is left answers.
const WORDS_BYTES_MAX: usize = 4 << 20;

/// Tools and resources that are kept of one session, each.
// LIMIT: ten thousand; with more, `session.*` is unknown.
const NAMES_MAX: usize = 10_000;

/// One session.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    pub(super) facts: Session,
    pub(super) seen_at: Timestamp,
    overflowed: bool,
    words: VecDeque<(Origin, Words)>,
    bytes: usize,
    forgot: bool,
}

impl Remembered {
    /// A call that is new to it.
    pub(super) fn begin(&mut self, event: &Event) {
        self.seen_at = self.seen_at.max(event.at);
        self.facts.calls += 1;
        match event.standing {
            Standing::Refused => self.facts.denials += 1,
            Standing::Taken | Standing::Failed => self.touch(event),
            Standing::Withdrawn => {}
        }
        if let Some(words) = &event.user_words {
            self.hear(Origin::User, words.clone());
        }
    }

    /// The same call, which ended otherwise.
    pub(super) fn amend(&mut self, before: Standing, event: &Event) {
        match (before, event.standing) {
            (Standing::Refused, Standing::Refused) => {}
            (_, Standing::Refused) => self.facts.denials += 1,
            (_, Standing::Taken | Standing::Failed) => self.touch(event),
            (_, Standing::Withdrawn) => {}
        }
    }

    /// What came back.
    pub(super) fn read(&mut self, read: &Read) {
        self.facts.data_class.extend(read.classes.iter().copied());
        self.facts.signals.extend(read.signals.iter().cloned());
        self.facts.external_content |= read.external;
        self.overflowed |= read.unread;
        for (origin, words) in [
            (Origin::Result, &read.own),
            (Origin::External, &read.foreign),
        ] {
            if let Some(words) = words {
                self.hear(origin, words.clone());
            }
        }
    }

    /// What rules see; nothing where it is more than is kept.
    pub(super) fn facts(&self) -> Option<&Session> {
        (!self.overflowed).then_some(&self.facts)
    }

    /// Where a text or a number was seen.
    pub(super) fn origins(&self, leaf: &Value) -> BTreeSet<Origin> {
        let stands = |(origin, words): &&(Origin, Words)| match origin {
            // What makes a value one of the tenant's own must not be met by chance.
            Origin::Result => words.hold_apart(leaf),
            Origin::User | Origin::External | Origin::None => words.hold(leaf),
        };
        let heard = self.words.iter().filter(stands);
        heard.map(|(origin, _)| *origin).collect()
    }

    /// Whether words were dropped, so that a value that stands nowhere may have stood there.
    pub(super) const fn has_forgotten(&self) -> bool {
        self.forgot
    }

    fn touch(&mut self, event: &Event) {
        self.facts.tools.insert(event.tool.as_str().to_owned());
        self.facts.resources.extend(event.resource.clone());
        let full = |names: &BTreeSet<String>| names.len() > NAMES_MAX;
        self.overflowed |= full(&self.facts.tools) || full(&self.facts.resources);
    }

    fn hear(&mut self, origin: Origin, words: Words) {
        if words.is_empty() {
            return;
        }
        self.bytes += words.len();
        self.words.push_back((origin, words));
        while self.bytes > WORDS_BYTES_MAX {
            let Some((_, dropped)) = self.words.pop_front() else {
                return;
            };
            self.bytes -= dropped.len();
            self.forgot = true;
        }
    }
}
