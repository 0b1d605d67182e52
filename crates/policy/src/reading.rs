//! Typed reading of a tree: one function a kind of value, every mistake reported in its place.
//!
//! `report.globs(&item)` takes `"prod"` and `["prod", "staging"]` alike, and complains about
//! `[]`, `7` and `[7]` each with line and column. Readers go on after a mistake, so that one
//! load shows all of them.
//!
//! Must not know: which keys a policy has, what they mean.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use toolgate_model::{Duration, Glob};

use crate::diagnostics::{
    BAD_DURATION, BAD_NAME, BAD_PATTERN, DUPLICATE_KEY, EMPTY_LIST, OUT_OF_RANGE, UNKNOWN_KEY,
    UNKNOWN_VALUE, WRONG_TYPE,
};
use crate::limits;
use crate::source::{Complaint, Report, shown};
use crate::tree::{Json, Kind};

/// A value in the document and the JSON pointer to it.
#[derive(Clone, Debug)]
pub(crate) struct Item<'t> {
    pub(crate) json: &'t Json,
    pub(crate) path: String,
}

/// Something read, and where it stood.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) at: Range<usize>,
    pub(crate) path: String,
}

impl<'t> Item<'t> {
    pub(crate) fn root(json: &'t Json) -> Self {
        Self {
            json,
            path: String::new(),
        }
    }

    /// The elements of a list; of anything else, none.
    pub(crate) fn elements(&self) -> Vec<Item<'t>> {
        let Kind::List(items) = &self.json.kind else {
            return Vec::new();
        };
        let element = |(place, json)| Item {
            json,
            path: format!("{}/{place}", self.path),
        };
        items.iter().enumerate().map(element).collect()
    }

    pub(crate) fn placed<T>(&self, value: T) -> Placed<T> {
        Placed {
            value,
            at: self.json.at.clone(),
            path: self.path.clone(),
        }
    }
}

impl<T> Placed<T> {
    /// The key at the end of the path.
    pub(crate) fn key(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

impl Report<'_> {
    /// A complaint about one item.
    pub(crate) fn complain(&mut self, item: &Item<'_>, complaint: Complaint) {
        self.push(complaint.at(&item.json.at, &item.path));
    }

    pub(crate) fn wrong_type(&mut self, item: &Item<'_>, wanted: &str) {
        let key = item.path.rsplit('/').next().unwrap_or_default();
        let place = if key.is_empty() { "a policy" } else { key };
        let message = format!("`{place}` takes {wanted}, not {}", item.json.describe());
        self.complain(item, Complaint::new(WRONG_TYPE, message));
    }

    /// The members of an object whose keys are among `keys`. Others, and keys that stand twice,
    /// are reported.
    pub(crate) fn members<'t>(
        &mut self,
        item: &Item<'t>,
        keys: &[&'static str],
    ) -> Option<Vec<(&'static str, Item<'t>)>> {
        let Kind::Object(members) = &item.json.kind else {
            self.wrong_type(item, "an object");
            return None;
        };
        let mut seen: Vec<(&'static str, Item<'t>)> = Vec::new();
        let mut places: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
        for member in members {
            let path = format!("{}/{}", item.path, pointer_step(&member.key));
            if let Some(first) = places.get(member.key.as_str()).copied() {
                let message = format!("the key `{}` stands twice", shown(&member.key));
                let complaint = Complaint::new(DUPLICATE_KEY, message)
                    .at(&member.key_at, &path)
                    .see(first, "first here")
                    .help("remove one of the two");
                self.push(complaint);
                continue;
            }
            places.insert(&member.key, &member.key_at);
            let Some(key) = keys.iter().find(|key| **key == member.key) else {
                let message = format!("`{}` is not a key here", shown(&member.key));
                let complaint = Complaint::new(UNKNOWN_KEY, message)
                    .at(&member.key_at, &path)
                    .suggest(&member.key, keys);
                self.push(complaint);
                continue;
            };
            let json = &member.value;
            seen.push((key, Item { json, path }));
        }
        Some(seen)
    }

    /// The members of an object whose keys are the author's own. Keys that stand twice are
    /// reported.
    pub(crate) fn entries<'t>(&mut self, item: &Item<'t>) -> Option<Vec<(String, Item<'t>)>> {
        let Kind::Object(members) = &item.json.kind else {
            self.wrong_type(item, "an object");
            return None;
        };
        if members.len() > limits::LIST_MAX {
            let (count, max) = (members.len(), limits::LIST_MAX);
            let message = format!("{count} entries are more than the {max} allowed");
            self.complain(item, Complaint::new(OUT_OF_RANGE, message));
            return None;
        }
        let mut entries: Vec<(String, Item<'t>)> = Vec::new();
        for member in members {
            let path = format!("{}/{}", item.path, pointer_step(&member.key));
            if entries.iter().any(|(key, _)| *key == member.key) {
                let message = format!("the key `{}` stands twice", shown(&member.key));
                let complaint = Complaint::new(DUPLICATE_KEY, message).at(&member.key_at, &path);
                self.push(complaint.help("remove one of the two"));
                return None;
            }
            let json = &member.value;
            entries.push((member.key.clone(), Item { json, path }));
        }
        Some(entries)
    }

    pub(crate) fn text(&mut self, item: &Item<'_>) -> Option<Placed<String>> {
        match &item.json.kind {
            Kind::Text(text) => Some(item.placed(text.clone())),
            _ => {
                self.wrong_type(item, "a text");
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, item: &Item<'_>) -> Option<bool> {
        match &item.json.kind {
            Kind::Bool(value) => Some(*value),
            _ => {
                self.wrong_type(item, "true or false");
                None
            }
        }
    }

    /// A name that stands in records: bounded, and nothing in it that cannot be seen.
    pub(crate) fn name(&mut self, item: &Item<'_>) -> Option<Placed<String>> {
        let name = self.text(item)?;
        match name_problem(&name.value) {
            None => Some(name),
            Some(problem) => {
                let message = format!("the name `{}` {problem}", shown(&name.value));
                self.complain(item, Complaint::new(BAD_NAME, message));
                None
            }
        }
    }

    pub(crate) fn integer(&mut self, item: &Item<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let Kind::Number(text) = &item.json.kind else {
            self.wrong_type(item, "a whole number");
            return None;
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            let message = format!(
                "`{}` is not a whole number from {low} to {high}",
                shown(text)
            );
            self.complain(item, Complaint::new(OUT_OF_RANGE, message));
        }
        number
    }

    /// One of a few words, in any letter case.
    pub(crate) fn word<T: Copy>(
        &mut self,
        item: &Item<'_>,
        words: &[(T, &'static str)],
    ) -> Option<T> {
        let text = self.text(item)?;
        let hit = words
            .iter()
            .find(|(_, word)| word.eq_ignore_ascii_case(&text.value));
        if hit.is_none() {
            let names: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
            let message = format!(
                "`{}` is not a value of `{}`",
                shown(&text.value),
                text.key()
            );
            let complaint = Complaint::new(UNKNOWN_VALUE, message).suggest(&text.value, &names);
            self.complain(item, complaint);
        }
        hit.map(|(value, _)| *value)
    }

    /// One value or a list of them, read one by one.
    pub(crate) fn each<T>(
        &mut self,
        item: &Item<'_>,
        mut read: impl FnMut(&mut Self, &Item<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = match &item.json.kind {
            Kind::List(_) => item.elements(),
            _ => vec![item.clone()],
        };
        let key = item.path.rsplit('/').next().unwrap_or_default();
        if items.is_empty() {
            let message = format!("`{key}` is an empty list, which matches nothing");
            let complaint = Complaint::new(EMPTY_LIST, message).help("leave the key out");
            self.complain(item, complaint);
            return None;
        }
        if items.len() > limits::LIST_MAX {
            let (count, max) = (items.len(), limits::LIST_MAX);
            let message = format!("`{key}` has {count} entries, more than the {max} allowed");
            self.complain(item, Complaint::new(OUT_OF_RANGE, message));
            return None;
        }
        let read: Vec<Option<T>> = items.iter().map(|item| read(self, item)).collect();
        read.into_iter().collect()
    }

    pub(crate) fn texts(&mut self, item: &Item<'_>) -> Option<Vec<Placed<String>>> {
        self.each(item, Self::text)
    }

    pub(crate) fn glob(&mut self, item: &Item<'_>) -> Option<Placed<Glob>> {
        let text = self.text(item)?;
        if let Some(problem) = pattern_problem(&text.value) {
            let message = format!("the pattern `{}` {problem}", shown(&text.value));
            self.complain(item, Complaint::new(BAD_PATTERN, message));
            return None;
        }
        Some(item.placed(Glob::new(text.value)))
    }

    pub(crate) fn globs(&mut self, item: &Item<'_>) -> Option<Vec<Placed<Glob>>> {
        self.each(item, Self::glob)
    }

    pub(crate) fn duration(&mut self, item: &Item<'_>) -> Option<Duration> {
        let text = self.text(item)?;
        match text.value.parse() {
            Ok(duration) => Some(duration),
            Err(error) => {
                let error: toolgate_model::TimeError = error;
                self.complain(item, Complaint::new(BAD_DURATION, error.to_string()));
                None
            }
        }
    }
}

/// Why a text cannot be a name.
pub(crate) fn name_problem(name: &str) -> Option<&'static str> {
    let chars = name.chars().count();
    let invisible =
        |c: char| c.is_control() || toolgate_model::searchable(&c.to_string()).is_empty();
    if name.trim().is_empty() {
        Some("is empty")
    } else if chars > limits::NAME_CHARS_MAX {
        Some("has more than 128 characters")
    } else if name.chars().any(invisible) {
        Some("has an invisible character in it")
    } else {
        None
    }
}

/// Why a text cannot be a pattern.
pub(crate) fn pattern_problem(pattern: &str) -> Option<&'static str> {
    if pattern.is_empty() {
        Some("is empty")
    } else if pattern.len() > limits::PATTERN_BYTES_MAX {
        Some("has more than 1024 bytes")
    } else {
        None
    }
}

fn pointer_step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
