//! One pass over one view: hits of the automaton, runs of letters and digits, and what both lead
//! to; then what the view reads when its disguise is taken off.
//!
//! Must not know: JSON, what a tenant allows.

use std::ops::Range;

use aho_corasick::AhoCorasick;

use crate::bytes::{is_word, slice, word_ends, word_starts};
use crate::decode::{BLOB_BYTES_MAX, BLOB_BYTES_MIN, base64_text, unescaped};
use crate::finding::TOOL_POISONING;
use crate::page::{Mention, Page, Raw};
use crate::pii::{birth, email, iban, ids, ip, numbers};
use crate::secrets::{CompiledFormat, assignments, places, runs};
use crate::signals::CompiledPhrase;
use crate::triggers::Trigger;
use crate::view::View;
use crate::words::Word;
use crate::{internal, phi};

/// How often a disguise is taken off what came out of a disguise. LIMIT: once for base64 of a text
/// that has escapes; more is an archive.
const DEPTH_MAX: usize = 2;
/// Mentions that one view keeps. LIMIT: keeps a text of nothing but such words linear in memory.
const MENTIONS_MAX: usize = 65_536;

/// What a pass needs beside the text.
pub(crate) struct Reading<'d> {
    pub(crate) automaton: &'d AhoCorasick,
    pub(crate) triggers: &'d [Trigger],
    pub(crate) formats: &'d [CompiledFormat],
    pub(crate) phrases: &'d [CompiledPhrase],
}

/// What a pass over a view gave.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) found: Vec<Raw>,
    pub(crate) signs: Vec<&'static str>,
    /// Places of the words of tenants' patterns.
    pub(crate) own: Vec<(usize, Range<usize>)>,
    /// What may be base64.
    blobs: Vec<Range<usize>>,
}

/// Hears of needles; an error ends the pass.
pub(crate) type OnNeedle<'n, E> = &'n mut dyn FnMut(usize) -> Result<(), E>;

impl Reading<'_> {
    /// Reads a view, and what it reads undone.
    ///
    /// # Errors
    /// What `on_needle` gives.
    pub(crate) fn read<E>(
        &self,
        view: &View<'_>,
        on_needle: OnNeedle<'_, E>,
    ) -> Result<Gathered, E> {
        let mut gathered = self.read_plain(view, on_needle)?;
        self.read_undone(view, DEPTH_MAX, &mut gathered);
        Ok(gathered)
    }

    fn read_plain<E>(&self, view: &View<'_>, on_needle: OnNeedle<'_, E>) -> Result<Gathered, E> {
        let mut page = Page::new(view.bytes());
        let mut own = Vec::new();
        for hit in self.automaton.find_overlapping_iter(page.bytes) {
            let at = hit.start()..hit.end();
            match self.triggers.get(hit.pattern().as_usize()) {
                Some(Trigger::Needle(needle))
                    if at.start >= view.start() && at.end <= view.end() =>
                {
                    on_needle(*needle)?
                }
                Some(Trigger::Own(rule)) => own.push((*rule, at)),
                Some(trigger) => self.follow(&mut page, at, *trigger),
                None => {}
            }
        }
        let blobs = runs(&mut page);
        phi::said(&mut page);
        Ok(Gathered {
            found: page.found,
            signs: page.signs,
            own,
            blobs,
        })
    }

    fn follow(&self, page: &mut Page<'_>, at: Range<usize>, trigger: Trigger) {
        match trigger {
            Trigger::Format(place) => {
                if let Some(format) = self.formats.get(place) {
                    format.read(page, &at);
                }
            }
            Trigger::KeyWord(strength) => assignments::read(page, &at, strength),
            Trigger::Service => assignments::read_service(page, &at),
            Trigger::Place(place) => places::read(page, &at, place),
            Trigger::At => {
                places::url(page, &at);
                email::read(page, &at);
            }
            Trigger::Word(word) => mention(page, at, word),
            Trigger::Wording(wording) => internal::read(page, &at, wording),
            Trigger::Phrase(place) => {
                if let Some(phrase) = self.phrases.get(place) {
                    phrase.read(page, &at);
                }
            }
            Trigger::Fhir => phi::fhir(page, &at),
            Trigger::Own(_) | Trigger::Needle(_) => {}
        }
    }

    /// What the view reads when escapes and base64 in it are undone; findings lead back to it.
    fn read_undone(&self, view: &View<'_>, depth: usize, gathered: &mut Gathered) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        if let Some(inner) = unescaped(view.text()) {
            let below = self.read_below(&inner, depth);
            let news = below
                .found
                .into_iter()
                .filter(|found| inner.is_changed(&found.at));
            let back = news.filter_map(|found| {
                Some(Raw {
                    at: inner.source(&found.at)?,
                    ..found
                })
            });
            gathered.found.extend(back);
            gathered.signs.extend(below.signs);
        }
        for blob in std::mem::take(&mut gathered.blobs) {
            let Some(text) = base64_text(slice(view.bytes(), blob.start, blob.end)) else {
                continue;
            };
            let below = self.read_below(&View::new(&text, None), depth);
            let whole = below.found.into_iter().map(|found| Raw {
                at: blob.clone(),
                ..found
            });
            gathered.found.extend(whole);
            // A file name is no order; what is encoded and speaks to the model is.
            gathered.signs.extend(
                below
                    .signs
                    .into_iter()
                    .filter(|sign| *sign != TOOL_POISONING),
            );
        }
    }

    fn read_below(&self, view: &View<'_>, depth: usize) -> Gathered {
        let heard: Result<Gathered, std::convert::Infallible> =
            self.read_plain(view, &mut |_| Ok(()));
        let Ok(mut gathered) = heard;
        self.read_undone(view, depth, &mut gathered);
        gathered
    }
}

fn mention(page: &mut Page<'_>, at: Range<usize>, word: Word) {
    let plural = usize::from(slice(page.bytes, at.end, at.end + 1) == b"s");
    let whole = word_starts(page.bytes, at.start)
        && (word_ends(page.bytes, at.end) || word_ends(page.bytes, at.end + plural));
    let named = word == Word::Talk && matches!(page.bytes.get(at.end), Some(b'_' | b'-'));
    if whole && !named && page.mentions.len() < MENTIONS_MAX {
        page.mentions.push(Mention { word, at });
    }
}

/// A letter, `_` or `-`.
const LETTER: u8 = 1;
const DIGIT: u8 = 2;
/// What base64 and paths have beside letters and digits.
const JOINT: u8 = 4;
const COLON: u8 = 8;
/// What a run consists of.
const RUN: u8 = LETTER | DIGIT;
const BLOB: u8 = RUN | JOINT;

const KINDS: [u8; 256] = kinds();

#[expect(
    clippy::indexing_slicing,
    reason = "a constant, built and bounds-checked by the compiler"
)]
const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' => LETTER,
            b'+' | b'/' => JOINT,
            b':' => COLON,
            _ => 0,
        };
        byte += 1;
    }
    kinds
}

fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Where something that was read ends, so that nothing is read twice.
#[derive(Debug, Default)]
struct Ends {
    number: usize,
    colon: usize,
    blob: usize,
}

/// Walks over all runs of letters, digits, `-` and `_`, and over all numbers; gives the blobs that
/// may be base64.
fn runs(page: &mut Page<'_>) -> Vec<Range<usize>> {
    let bytes = page.bytes;
    let (mut place, mut ends, mut blobs) = (0, Ends::default(), Vec::new());
    while let Some(rest) = bytes.get(place..).filter(|rest| !rest.is_empty()) {
        let gap = rest
            .iter()
            .take_while(|byte| kind(**byte) & (RUN | COLON) == 0)
            .count();
        let mut seen = 0;
        let length = rest
            .iter()
            .skip(gap)
            .take_while(|byte| {
                let kind = kind(**byte);
                seen |= kind;
                kind & RUN != 0
            })
            .count();
        let run = place + gap..place + gap + length;
        place = match run.is_empty() {
            true => colon(page, run.end, &mut ends),
            false => {
                blobs.extend(blob(bytes, &run, &mut ends));
                read_run(page, &run, (seen & DIGIT != 0, &mut ends));
                run.end
            }
        };
    }
    blobs
}

/// An address with colons, if this colon is in one; gives the place behind the colon.
fn colon(page: &mut Page<'_>, place: usize, ends: &mut Ends) -> usize {
    if place >= ends.colon && is_v6_joint(page.bytes, place) {
        ends.colon = ip::read_v6(page, place);
    }
    place + 1
}

/// Whether a colon stands between hexadecimal digits or beside another colon.
fn is_v6_joint(bytes: &[u8], place: usize) -> bool {
    let next = bytes.get(place + 1);
    let last = place.checked_sub(1).and_then(|at| bytes.get(at));
    next.is_some_and(|next| {
        *next == b':' || next.is_ascii_hexdigit() && last.is_some_and(u8::is_ascii_hexdigit)
    })
}

/// The blob that begins with this run, if it is long enough to hold something.
fn blob(bytes: &[u8], run: &Range<usize>, ends: &mut Ends) -> Option<Range<usize>> {
    let joined = bytes.get(run.end).is_some_and(|byte| kind(*byte) == JOINT);
    if run.start < ends.blob || !joined && run.len() < BLOB_BYTES_MIN {
        return None;
    }
    let rest = bytes.get(run.end..)?;
    let length = rest
        .iter()
        .take_while(|byte| kind(**byte) & BLOB != 0)
        .count();
    let padding = rest
        .iter()
        .skip(length)
        .take(2)
        .take_while(|byte| **byte == b'=')
        .count();
    ends.blob = run.end + length + padding;
    let blob = run.start..ends.blob;
    (BLOB_BYTES_MIN..=BLOB_BYTES_MAX)
        .contains(&blob.len())
        .then_some(blob)
}

fn read_run(page: &mut Page<'_>, run: &Range<usize>, (digits, ends): (bool, &mut Ends)) {
    if digits {
        read_numbers(page, run, ends);
        if run.len() >= 4 {
            iban::read(page, run.start);
            ids::read(page, run);
            phi::read(page, run);
        }
    }
    if run.len() >= runs::RUN_BYTES_MIN {
        runs::read(page, run);
    }
}

/// Every number of a run that begins with no letter before it.
fn read_numbers(page: &mut Page<'_>, run: &Range<usize>, ends: &mut Ends) {
    let bytes = page.bytes;
    let mut place = run.start;
    while place < run.end {
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let letters =
            crate::bytes::run(bytes, place, run.end - place, |byte| !byte.is_ascii_digit());
        place += letters;
        let alone = !place
            .checked_sub(1)
            .and_then(|at| bytes.get(at))
            .is_some_and(|byte| is_word(*byte));
        if digit(place) && alone && place >= ends.number {
            ends.number = number_begins(page, place);
        }
        place += crate::bytes::run(bytes, place, run.end - place, |byte| byte.is_ascii_digit());
    }
}

/// A number begins here; says up to where it has been read.
fn number_begins(page: &mut Page<'_>, place: usize) -> usize {
    let bytes = page.bytes;
    let length = crate::bytes::run(bytes, place, numbers::DIGITS_MAX, |byte| {
        byte.is_ascii_digit()
    });
    match bytes.get(place + length) {
        Some(b'.') if length <= 3 => ip::read_v4(page, place),
        Some(b':') if length >= 8 => runs::telegram(page, &(place..place + length)),
        _ => {}
    }
    birth::read(page, place);
    numbers::read(page, place)
}
