//! Dates of birth: a date behind a word that says so.
//!
//! `DOB: 04/07/1978` is one, `released on 2026-08-18` is none.
//!
//! Must not know: calendars.

use toolgate_model::DataClass::Pii;

use crate::bytes::{at, before, is_word, run, slice};
use crate::page::Page;
use crate::words::Word;

const WORD_DISTANCE: usize = 24;

/// Reads a date that begins at `start` with a digit.
pub(crate) fn read(page: &mut Page<'_>, start: usize) {
    let bytes = page.bytes;
    if before(bytes, start).is_some_and(is_word)
        || !page.is_before(Word::Birth, start, WORD_DISTANCE)
    {
        return;
    }
    let length = run(bytes, start, 10, |byte| {
        byte.is_ascii_digit() || matches!(byte, b'/' | b'-' | b'.')
    });
    let text = slice(bytes, start, start + length);
    let parts: Vec<usize> = text
        .split(|byte| !byte.is_ascii_digit())
        .map(<[u8]>::len)
        .collect();
    let numeric = matches!(parts.as_slice(), [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 2 | 4]);
    let end = match numeric {
        true => start + length,
        false => match worded(bytes, start) {
            Some(end) => end,
            None => return,
        },
    };
    if !at(bytes, end).is_some_and(is_word) {
        page.add(Pii, "DATE_OF_BIRTH", start..end, 0.7);
    }
}

/// `4 July 1978`, `4th of July, 1978`.
fn worded(bytes: &[u8], start: usize) -> Option<usize> {
    const MONTHS: &[&[u8]] = &[
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let text = slice(bytes, start, start + 32).to_ascii_lowercase();
    let month = MONTHS
        .iter()
        .filter_map(|month| memchr::memmem::find(&text, month))
        .min()
        .filter(|at| *at <= 8)?;
    let letters = run(&text, month, 10, |byte| byte.is_ascii_alphabetic());
    let gap = run(&text, month + letters, 3, |byte| {
        matches!(byte, b' ' | b',' | b'-')
    });
    let year = run(&text, month + letters + gap, 5, |byte| {
        byte.is_ascii_digit()
    });
    (year == 4).then_some(start + month + letters + gap + year)
}
