//! International bank account numbers (ISO 13616): country, length and remainder must fit.
//!
//! `GB29 NWBK 6016 1331 9268 19`, with or without spaces, in any letter case.
//!
//! Must not know: banks.

use toolgate_model::DataClass::Pii;

use super::checks::mod97;
use crate::bytes::{at, before, slice};
use crate::page::Page;

/// Countries with the length of their numbers (the SWIFT registry).
#[rustfmt::skip]
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22), (b"BH", 22), (b"BI", 27), (b"BR", 29), (b"BY", 28),
    (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24), (b"DE", 22), (b"DJ", 27), (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18),
    (b"FK", 18), (b"FO", 18), (b"FR", 27), (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HN", 28), (b"HR", 21), (b"HU", 28),
    (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20),
    (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MN", 20), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28),
    (b"NL", 18), (b"NO", 15), (b"OM", 23), (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SO", 23), (b"ST", 25), (b"SV", 28), (b"TL", 23), (b"TN", 24), (b"TR", 26),
    (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20), (b"YE", 30),
];

/// Reads a number that begins at `start` with two letters and two digits.
pub(crate) fn read(page: &mut Page<'_>, start: usize) {
    let bytes = page.bytes;
    let head = slice(bytes, start, start + 4).to_ascii_uppercase();
    let [a, b, c, d] = head.as_slice() else {
        return;
    };
    if !(c.is_ascii_digit() && d.is_ascii_digit())
        || before(bytes, start).is_some_and(|byte| byte.is_ascii_alphanumeric())
    {
        return;
    }
    let Some((_, length)) = LENGTHS.iter().find(|(country, _)| *country == &[*a, *b]) else {
        return;
    };
    let Some((text, end)) = collected(bytes, start, *length) else {
        return;
    };
    let rotated = text.iter().skip(4).chain(text.iter().take(4)).copied();
    if !at(bytes, end).is_some_and(|byte| byte.is_ascii_alphanumeric()) && mod97(rotated) == Some(1)
    {
        page.add(Pii, "IBAN", start..end, 0.95);
    }
}

/// So many letters and digits, with a single space or dash between groups, and where they end.
fn collected(bytes: &[u8], start: usize, length: usize) -> Option<(Vec<u8>, usize)> {
    let mut text = Vec::with_capacity(length);
    let mut place = start;
    let mut joined = true;
    while text.len() < length {
        match at(bytes, place)? {
            byte if byte.is_ascii_alphanumeric() => {
                text.push(byte);
                joined = false;
            }
            b' ' | b'-' if !joined => joined = true,
            _ => return None,
        }
        place += 1;
    }
    Some((text, place))
}
