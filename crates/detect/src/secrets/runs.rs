//! Tokens that no literal gives away: their alphabet and length do.
//!
//! `AC` and 32 hexadecimal digits is a Twilio account, 32 of them and `-us18` a Mailchimp key.
//!
//! Must not know: key words.

use std::ops::Range;

use toolgate_model::DataClass::Secrets;

use super::filler::{is_filler, is_random};
use crate::bytes::{at, before, contains, count, is_hex, is_name, is_word, run, run_back, slice};
use crate::page::Page;

/// The shortest run that any of these shapes has.
pub(crate) const RUN_BYTES_MIN: usize = 18;

/// Looks at one run of letters, digits, `-` and `_`.
pub(crate) fn read(page: &mut Page<'_>, run: &Range<usize>) {
    let text = slice(page.bytes, run.start, run.end);
    let found = twilio(text)
        .or_else(|| mailchimp(text))
        .or_else(|| mailgun(text))
        .or_else(|| new_relic(text))
        .or_else(|| nuget(text))
        .or_else(|| maxmind(text))
        .or_else(|| truenas(text));
    if let Some(kind) = found.filter(|_| !is_filler(text)) {
        page.add(Secrets, kind, run.clone(), 0.85);
        return;
    }
    azure_devops(page, run);
    discord(page, run);
    facebook(page, run);
}

fn twilio(text: &[u8]) -> Option<&'static str> {
    let (head, tail) = text.split_at_checked(2)?;
    (text.len() == 34 && matches!(head, b"AC" | b"SK") && is_hex(tail)).then_some("TWILIO_KEY")
}

fn mailchimp(text: &[u8]) -> Option<&'static str> {
    let (head, tail) = text.split_at_checked(32)?;
    let region = tail.strip_prefix(b"-us")?;
    (is_hex(head)
        && (1..=2).contains(&region.len())
        && region.iter().all(u8::is_ascii_digit)
        && head.iter().all(|byte| !byte.is_ascii_uppercase()))
    .then_some("MAILCHIMP_KEY")
}

fn mailgun(text: &[u8]) -> Option<&'static str> {
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'-').collect();
    let [key, one, two] = parts.as_slice() else {
        return None;
    };
    (key.len() == 32
        && one.len() == 8
        && two.len() == 8
        && [key, one, two].iter().all(|part| is_hex(part)))
    .then_some("MAILGUN_KEY")
}

fn new_relic(text: &[u8]) -> Option<&'static str> {
    let head = text
        .strip_suffix(b"NRAL")
        .or_else(|| text.strip_suffix(b"FFFFNRAL"))?;
    (matches!(head.len(), 32 | 36) && is_hex(head)).then_some("NEW_RELIC_KEY")
}

/// 46 letters and digits that begin like all keys of nuget.org.
fn nuget(text: &[u8]) -> Option<&'static str> {
    let lower = text
        .iter()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (text.len() == 46 && text.starts_with(b"oy2") && lower).then_some("NUGET_KEY")
}

fn maxmind(text: &[u8]) -> Option<&'static str> {
    (text.len() == 40 && text.ends_with(b"_mmk")).then_some("MAXMIND_KEY")
}

/// A number of one or two digits, a dash and 64 letters and digits.
fn truenas(text: &[u8]) -> Option<&'static str> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let (number, key) = (slice(text, 0, dash), slice(text, dash + 1, text.len()));
    let fits =
        matches!(number.len(), 1 | 2) && number.iter().all(u8::is_ascii_digit) && key.len() == 64;
    (fits && !is_hex(key) && key.iter().all(u8::is_ascii_alphanumeric)).then_some("TRUENAS_KEY")
}

/// 52 small letters and digits of base32.
fn azure_devops(page: &mut Page<'_>, run: &Range<usize>) {
    let text = slice(page.bytes, run.start, run.end);
    let base32 = |byte: &u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(byte);
    if text.len() == 52
        && text.iter().all(base32)
        && is_random(text)
        && count(text, u8::is_ascii_digit) >= 4
    {
        page.add(Secrets, "AZURE_DEVOPS_TOKEN", run.clone(), 0.7);
    }
}

/// Three runs joined by dots: an id in base64, a time, a signature.
fn discord(page: &mut Page<'_>, first: &Range<usize>) {
    let bytes = page.bytes;
    let head = slice(bytes, first.start, first.end);
    if !(22..=30).contains(&head.len())
        || !matches!(head.first(), Some(b'M' | b'N' | b'O' | b'A'))
        || !head.iter().any(u8::is_ascii_digit)
    {
        return;
    }
    let second = run(bytes, first.end + 1, 8, is_name);
    let third_at = first.end + 2 + second;
    let third = run(bytes, third_at, 40, is_name);
    let joined = at(bytes, first.end) == Some(b'.') && at(bytes, third_at - 1) == Some(b'.');
    if joined && second == 6 && (27..=38).contains(&third) {
        page.add(
            Secrets,
            "DISCORD_TOKEN",
            first.start..third_at + third,
            0.85,
        );
    }
}

/// An application's number, a bar and 27 characters.
fn facebook(page: &mut Page<'_>, run: &Range<usize>) {
    let bytes = page.bytes;
    let text = slice(bytes, run.start, run.end);
    let digits = run_back(bytes, run.start.saturating_sub(1), 17, |byte| {
        byte.is_ascii_digit()
    });
    if (26..=28).contains(&text.len())
        && before(bytes, run.start) == Some(b'|')
        && (14..=16).contains(&digits)
    {
        page.add(
            Secrets,
            "FACEBOOK_TOKEN",
            run.start - 1 - digits..run.end,
            0.85,
        );
    }
}

/// A bot's number, a colon and 35 characters that begin with `AA`.
pub(crate) fn telegram(page: &mut Page<'_>, number: &Range<usize>) {
    let bytes = page.bytes;
    let length = run(bytes, number.end + 1, 40, is_name);
    let tail = slice(bytes, number.end + 1, number.end + 1 + length);
    let alone = !before(bytes, number.start).is_some_and(is_word);
    if alone
        && (33..=36).contains(&length)
        && tail.starts_with(b"AA")
        && (8..=10).contains(&number.len())
        && !contains(tail, b"xxxx")
    {
        page.add(
            Secrets,
            "TELEGRAM_TOKEN",
            number.start..number.end + 1 + length,
            0.9,
        );
    }
}
