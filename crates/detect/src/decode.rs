//! What a text reads when its disguise is taken off: percent-encoding, HTML entities, the escapes
//! of JSON, base64.
//!
//! `ana%40acme.com` reads `ana@acme.com`, and what is found there leads back to the bytes that were
//! sent. A base64 blob is one thing: whatever is found in it, the blob is what is replaced.
//!
//! Must not know: what is searched for.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::view::{Builder, View};

/// Bytes of one base64 blob that is decoded. LIMIT: a key with its certificate has a fifth.
pub(crate) const BLOB_BYTES_MAX: usize = 64 << 10;
/// Bytes of the shortest blob that is decoded: 12 bytes of text.
pub(crate) const BLOB_BYTES_MIN: usize = 16;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The text that a base64 blob holds; none where it holds no text.
pub(crate) fn base64_text(blob: &[u8]) -> Option<String> {
    if blob.len() > BLOB_BYTES_MAX {
        return None;
    }
    let engine = match blob.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        true => &URL_SAFE,
        false => &STANDARD,
    };
    // Most runs of letters are words. Their first bytes show it.
    let head = blob.get(..16.min(blob.len() & !3))?;
    if !engine.decode(head).is_ok_and(|bytes| is_texty(&bytes)) {
        return None;
    }
    let text = String::from_utf8(engine.decode(blob).ok()?).ok()?;
    is_texty(text.as_bytes()).then_some(text)
}

/// Whether bytes are text: no control characters but white space, and mostly ASCII.
fn is_texty(bytes: &[u8]) -> bool {
    let odd = bytes.iter().filter(|byte| **byte >= 0x80).count();
    !bytes.is_empty()
        && odd * 3 <= bytes.len()
        && bytes
            .iter()
            .all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
}

/// The text with its escapes undone, one level; none where it has none that hide anything.
pub(crate) fn unescaped(text: &str) -> Option<View<'static>> {
    let bytes = text.as_bytes();
    let mut builder = Builder::default();
    let (mut copied, mut undone) = (0, 0);
    let mut from = 0;
    while let Some(found) = memchr::memchr3(b'%', b'&', b'\\', bytes.get(from..)?) {
        let place = from + found;
        let Some((length, reads)) = escape(bytes.get(place..)?) else {
            from = place + 1;
            continue;
        };
        builder.copy(copied, text.get(copied..place)?);
        builder.replace(place, reads.encode_utf8(&mut [0; 4]));
        (copied, from) = (place + length, place + length);
        undone += 1;
    }
    if undone == 0 {
        return None;
    }
    builder.copy(copied, text.get(copied..)?);
    Some(builder.finish(text.len()))
}

/// The length of an escape and what it reads.
fn escape(bytes: &[u8]) -> Option<(usize, char)> {
    match bytes.first()? {
        b'%' => hex(bytes.get(1..3)?).and_then(ascii).map(|c| (3, c)),
        b'\\' => backslash(bytes),
        _ => entity(bytes),
    }
}

fn backslash(bytes: &[u8]) -> Option<(usize, char)> {
    match bytes.get(1)? {
        b'u' => {
            let unit = hex(bytes.get(2..6)?)?;
            char::from_u32(unit).map(|c| (6, c))
        }
        b'x' => hex(bytes.get(2..4)?).and_then(ascii).map(|c| (4, c)),
        b'n' => Some((2, '\n')),
        b'r' => Some((2, '\r')),
        b't' => Some((2, '\t')),
        other @ (b'"' | b'/' | b'\'' | b'\\') => Some((2, char::from(*other))),
        _ => None,
    }
}

/// Named characters that matter to what is searched for.
const ENTITIES: &[(&str, char)] = &[
    ("amp", '&'),
    ("apos", '\''),
    ("colon", ':'),
    ("commat", '@'),
    ("dash", '-'),
    ("equals", '='),
    ("gt", '>'),
    ("hyphen", '-'),
    ("lowbar", '_'),
    ("lt", '<'),
    ("nbsp", ' '),
    ("num", '#'),
    ("period", '.'),
    ("plus", '+'),
    ("quot", '"'),
    ("shy", '\u{ad}'),
    ("sol", '/'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
];

/// Bytes of the longest entity.
const ENTITY_BYTES_MAX: usize = 12;

fn entity(bytes: &[u8]) -> Option<(usize, char)> {
    let body = bytes.get(1..ENTITY_BYTES_MAX.min(bytes.len()))?;
    let end = body.iter().position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(body.get(..end)?).ok()?;
    let reads = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => char::from_u32(u32::from_str_radix(digits, 16).ok()?)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
        None => ENTITIES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((end + 2, reads))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| plain)
}

fn ascii(code: u32) -> Option<char> {
    char::from_u32(code).filter(char::is_ascii)
}

#[cfg(test)]
mod tests {
    use super::{base64_text, unescaped};

    #[test]
    fn escapes_are_undone_and_lead_back() {
        let view = unescaped("to=ana%40acme&#46;com\\u0021").unwrap();
        assert_eq!(view.text(), "to=ana@acme.com!");
        assert_eq!(view.source(&(3..15)), Some(3..21));
        assert_eq!(view.source(&(15..16)), Some(21..27));
        assert!(unescaped("100 % of R&D \\o/ ").is_none());
    }

    #[test]
    fn base64_holds_text_or_nothing() {
        assert_eq!(base64_text(b"YW5hQGFjbWUuY29t").unwrap(), "ana@acme.com");
        assert_eq!(base64_text(b"internationalisation"), None);
    }
}
