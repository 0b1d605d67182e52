//! One view while it is being read: the words that were met, and what was found so far.
//!
//! `ssn` at byte 3 is a mention; the number at byte 8 asks whether there is one near. Finders read
//! the page and add to it; whether a finding counts is decided when the page is turned.
//!
//! Must not know: what finders look for.

use std::borrow::Cow;
use std::ops::Range;

use toolgate_model::DataClass;

use crate::words::Word;

/// Something found on a page, in bytes of its view.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raw {
    pub(crate) class: DataClass,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) at: Range<usize>,
    pub(crate) confidence: f32,
}

/// A word that says what is near it.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    pub(crate) word: Word,
    pub(crate) at: Range<usize>,
}

/// A view while it is being read.
#[derive(Debug)]
pub(crate) struct Page<'v> {
    /// What is read.
    pub(crate) bytes: &'v [u8],
    /// Ordered by where they end.
    pub(crate) mentions: Vec<Mention>,
    pub(crate) found: Vec<Raw>,
    pub(crate) signs: Vec<&'static str>,
}

impl<'v> Page<'v> {
    pub(crate) fn new(bytes: &'v [u8]) -> Self {
        Self {
            bytes,
            mentions: Vec::new(),
            found: Vec::new(),
            signs: Vec::new(),
        }
    }

    /// Adds a finding.
    pub(crate) fn add(
        &mut self,
        class: DataClass,
        kind: &'static str,
        at: Range<usize>,
        confidence: f32,
    ) {
        let kind = Cow::Borrowed(kind);
        self.found.push(Raw {
            class,
            kind,
            at,
            confidence,
        });
    }

    /// Notes a sign that the text speaks to the model.
    pub(crate) fn note(&mut self, sign: &'static str) {
        if !self.signs.contains(&sign) {
            self.signs.push(sign);
        }
    }

    /// Whether the last finding of this kind covers the place; what lies in it is not looked at
    /// again.
    pub(crate) fn covers(&self, at: usize) -> bool {
        self.found
            .iter()
            .rev()
            .take(COVERING_MAX)
            .any(|found| found.at.contains(&at))
    }

    /// Whether the word stands at most `distance` bytes before `at`.
    pub(crate) fn is_before(&self, word: Word, at: usize, distance: usize) -> bool {
        let upto = self
            .mentions
            .partition_point(|mention| mention.at.end <= at);
        self.mentions
            .iter()
            .take(upto)
            .rev()
            .take_while(|mention| at - mention.at.end <= distance)
            .any(|mention| mention.word == word)
    }

    /// Whether the word begins at most `distance` bytes after `at`.
    pub(crate) fn is_after(&self, word: Word, at: usize, distance: usize) -> bool {
        let from = self
            .mentions
            .partition_point(|mention| mention.at.end <= at);
        self.mentions
            .iter()
            .skip(from)
            .take_while(|mention| mention.at.end <= at.saturating_add(distance + WORD_BYTES_MAX))
            .any(|mention| {
                mention.word == word && mention.at.start >= at && mention.at.start - at <= distance
            })
    }

    /// Whether the word stands within `distance` bytes of the range, on either side.
    pub(crate) fn is_near(&self, word: Word, at: &Range<usize>, distance: usize) -> bool {
        self.is_before(word, at.start, distance) || self.is_after(word, at.end, distance)
    }
}

/// Findings that are asked whether they cover a place. LIMIT: an unlimited number would make a
/// text of findings cost its square; what lies behind is not near.
const COVERING_MAX: usize = 8;

/// Bytes of the longest mention.
const WORD_BYTES_MAX: usize = 32;
