//! Addresses of machines, which are personal data where they are a person's.
//!
//! `86.121.97.248` counts. A private address counts less, and a version number, an unspecified or
//! a loopback address only where a word says that it is an address.
//!
//! Must not know: networks.

use std::net::{Ipv4Addr, Ipv6Addr};

use toolgate_model::DataClass::Pii;

use crate::bytes::{at, before, is_word, run, slice};
use crate::page::Page;
use crate::words::Word;

const WORD_DISTANCE: usize = 24;

/// Reads a dotted address that begins at `start`.
pub(crate) fn read_v4(page: &mut Page<'_>, start: usize) {
    let bytes = page.bytes;
    let length = run(bytes, start, 16, |byte| {
        byte.is_ascii_digit() || byte == b'.'
    });
    let text = slice(bytes, start, start + length);
    let text = text.strip_suffix(b".").unwrap_or(text);
    let end = start + text.len();
    let Some(address) = parsed::<Ipv4Addr>(text) else {
        return;
    };
    if before(bytes, start).is_some_and(|byte| is_word(byte) || matches!(byte, b'.' | b'-' | b':'))
        && !is_mapped(bytes, start)
        || at(bytes, end).is_some_and(|byte| is_word(byte) || byte == b'-')
    {
        return;
    }
    let named = page.is_before(Word::Ip, start, WORD_DISTANCE);
    let version = page.is_before(Word::Version, start, 10);
    let (octets, network) = (address.octets(), at(bytes, end) == Some(b'/'));
    let small = octets.iter().all(|octet| *octet < 20) && !network;
    let confidence = match address {
        _ if named => 0.8,
        _ if version || small && octets.first() != Some(&10) => return,
        address if address.is_loopback() || address.is_unspecified() && !network => 0.3,
        address if address.is_private() || address.is_link_local() => 0.55,
        _ => 0.7,
    };
    page.add(Pii, "IP_ADDRESS", start..end, confidence);
}

fn is_mapped(bytes: &[u8], start: usize) -> bool {
    before(bytes, start) == Some(b'[') || before(bytes, start) == Some(b'@')
}

/// Reads an address with colons around the colon at `place`; says where it ends.
pub(crate) fn read_v6(page: &mut Page<'_>, place: usize) -> usize {
    let bytes = page.bytes;
    let hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
    let back = crate::bytes::run_back(bytes, place, 5, hex);
    let start = place - back;
    let length = run(bytes, start, 46, |byte| hex(byte) || byte == b'.');
    let text = slice(bytes, start, start + length);
    let text = text.strip_suffix(b".").unwrap_or(text);
    let text = match text.ends_with(b"::") {
        true => text,
        false => text.strip_suffix(b":").unwrap_or(text),
    };
    let end = start + text.len();
    if crate::bytes::count(text, |byte| *byte == b':') < 2
        || before(bytes, start).is_some_and(|byte| is_word(byte) || byte == b':' || byte == b'.')
        || at(bytes, end).is_some_and(|byte| is_word(byte) || byte == b':')
    {
        return start + length.max(1);
    }
    let Some(address) = parsed::<Ipv6Addr>(text) else {
        return start + length.max(1);
    };
    let named = page.is_before(Word::Ip, start, WORD_DISTANCE);
    let digits = text.iter().any(u8::is_ascii_digit);
    let parts = text
        .split(|byte| *byte == b':')
        .filter(|part| !part.is_empty());
    let (many, long) = (
        parts.clone().count() >= 3,
        parts.clone().any(|part| part.len() >= 3),
    );
    let network = at(bytes, end) == Some(b'/');
    let confidence = match address {
        _ if named => 0.8,
        address if !network && (address.is_loopback() || address.is_unspecified()) => 0.3,
        address if address.is_loopback() || address.is_unspecified() => 0.5,
        _ if digits && (many || long) => 0.7,
        _ => 0.3,
    };
    page.add(Pii, "IP_ADDRESS", start..end, confidence);
    end.max(place + 1)
}

fn parsed<A: std::str::FromStr>(text: &[u8]) -> Option<A> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
