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
}

/// Hears of needles; an error ends the pass.
pub(crate) type OnNeedle<'n, E> = &'n mut dyn FnMut(usize) -> Result<(), E>;

impl Reading<'_> {
    /// Reads a view, and what it reads undone.
    ///
    /// # Errors
    /// What `on_needle` gives.
    pub(crate) fn read<E>(&self, view: &View<'_>, on_needle: OnNeedle<'_, E>) -> Result<Gathered, E> {
        let mut gathered = self.read_plain(view, on_needle)?;
        self.read_undone(view, DEPTH_MAX, &mut gathered);
        Ok(gathered)
    }

    fn read_plain<E>(&self, view: &View<'_>, on_needle: OnNeedle<'_, E>) -> Result<Gathered, E> {
        let mut page = Page::new(view.bytes(), view.start());
        let mut own = Vec::new();
        for hit in self.automaton.find_overlapping_iter(page.bytes) {
            let at = hit.start()..hit.end();
            match self.triggers.get(hit.pattern().as_usize()) {
                Some(Trigger::Needle(needle)) if at.start >= page.start => on_needle(*needle)?,
                Some(Trigger::Own(rule)) => own.push((*rule, at)),
                Some(trigger) => self.follow(&mut page, at, *trigger),
                None => {}
            }
        }
        runs(&mut page);
        phi::said(&mut page);
        Ok(Gathered {
            found: page.found,
            signs: page.signs,
            own,
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
            Trigger::At => email::read(page, &at),
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
            let news = below.found.into_iter().filter(|found| inner.is_changed(&found.at));
            let back = news.filter_map(|found| Some(Raw { at: inner.source(&found.at)?, ..found }));
            gathered.found.extend(back);
            gathered.signs.extend(below.signs);
        }
        for blob in blobs(view.bytes()) {
            let Some(text) = base64_text(slice(view.bytes(), blob.start, blob.end)) else {
                continue;
            };
            let below = self.read_below(&View::new(&text, None), depth);
            let whole = below.found.into_iter().map(|found| Raw { at: blob.clone(), ..found });
            gathered.found.extend(whole);
            // A file name is no order; what is encoded and speaks to the model is.
            gathered.signs.extend(below.signs.into_iter().filter(|sign| *sign != TOOL_POISONING));
        }
    }

    fn read_below(&self, view: &View<'_>, depth: usize) -> Gathered {
        let heard: Result<Gathered, std::convert::Infallible> = self.read_plain(view, &mut |_| Ok(()));
        let Ok(mut gathered) = heard;
        self.read_undone(view, depth, &mut gathered);
        gathered
    }
}

fn mention(page: &mut Page<'_>, at: Range<usize>, word: Word) {
    let plural = usize::from(slice(page.bytes, at.end, at.end + 1) == b"s");
    let whole = word_starts(page.bytes, at.start) && (word_ends(page.bytes, at.end) || word_ends(page.bytes, at.end + plural));
    if whole && page.mentions.len() < MENTIONS_MAX {
        page.mentions.push(Mention { word, at });
    }
}

/// What a byte can be part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Other,
    Letter,
    Digit,
    Colon,
}

const KINDS: [Kind; 256] = kinds();

#[expect(clippy::indexing_slicing, reason = "a constant, built and bounds-checked by the compiler")]
const fn kinds() -> [Kind; 256] {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => Kind::Digit,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' => Kind::Letter,
            b':' => Kind::Colon,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
}

/// Walks over all runs of letters, digits, `-` and `_`, and over all numbers.
fn runs(page: &mut Page<'_>) {
    let bytes = page.bytes;
    let (mut start, mut digits) = (0, false);
    let (mut number_end, mut colon_end) = (0, 0);
    let mut before = Kind::Other;
    for (place, byte) in bytes.iter().enumerate() {
        let kind = KINDS.get(usize::from(*byte)).copied().unwrap_or(Kind::Other);
        match kind {
            Kind::Letter | Kind::Digit if matches!(before, Kind::Other | Kind::Colon) => (start, digits) = (place, kind == Kind::Digit),
            Kind::Digit => digits = true,
            Kind::Other | Kind::Colon if matches!(before, Kind::Letter | Kind::Digit) => run_ended(page, start..place, digits),
            _ => {}
        }
        if kind == Kind::Digit && before != Kind::Digit && place >= number_end {
            number_end = number_begins(page, place);
        }
        if kind == Kind::Colon && place >= colon_end && is_v6_joint(bytes, place) {
            colon_end = ip::read_v6(page, place);
        }
        before = kind;
    }
    if matches!(before, Kind::Letter | Kind::Digit) {
        run_ended(page, start..bytes.len(), digits);
    }
}

/// Whether a colon stands between hexadecimal digits or beside another colon.
fn is_v6_joint(bytes: &[u8], place: usize) -> bool {
    let next = bytes.get(place + 1);
    let last = place.checked_sub(1).and_then(|at| bytes.get(at));
    next.is_some_and(|next| *next == b':' || next.is_ascii_hexdigit() && last.is_some_and(u8::is_ascii_hexdigit))
}

/// A number begins here; says up to where it has been read.
fn number_begins(page: &mut Page<'_>, place: usize) -> usize {
    let bytes = page.bytes;
    if place > 0 && bytes.get(place - 1).is_some_and(|byte| is_word(*byte)) {
        return place + 1;
    }
    let length = crate::bytes::run(bytes, place, numbers::DIGITS_MAX, |byte| byte.is_ascii_digit());
    match bytes.get(place + length) {
        Some(b'.') if length <= 3 => ip::read_v4(page, place),
        Some(b':') if length >= 8 => runs::telegram(page, &(place..place + length)),
        _ => {}
    }
    birth::read(page, place);
    numbers::read(page, place)
}

fn run_ended(page: &mut Page<'_>, run: Range<usize>, digits: bool) {
    if digits && run.len() >= 4 {
        iban::read(page, run.start);
        ids::read(page, &run);
        phi::read(page, &run);
    }
    if run.len() >= runs::RUN_BYTES_MIN {
        runs::read(page, &run);
    }
}

/// Runs of the alphabets of base64 that are long enough to hold something.
fn blobs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let is_blob = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let mut place = 0;
    std::iter::from_fn(move || {
        while place < bytes.len() {
            let start = place + bytes.get(place..)?.iter().position(is_blob)?;
            let rest = bytes.get(start..)?;
            let length = rest.iter().position(|byte| !is_blob(byte)).unwrap_or(rest.len());
            let padding = rest.iter().skip(length).take(2).take_while(|byte| **byte == b'=').count();
            place = start + length + padding;
            if (BLOB_BYTES_MIN..=BLOB_BYTES_MAX).contains(&length) {
                return Some(start..place);
            }
            place = place.max(start + 1);
        }
        None
    })
}
