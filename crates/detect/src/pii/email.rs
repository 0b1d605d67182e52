//! Addresses of mail.
//!
//! `ana@acme.com` is one; `git@github.com:acme/desk`, `noreply@acme.com`, `icon@2x.png` and
//! `actions/checkout@v4.1` are none.
//!
//! Must not know: whose domain it is.

use std::ops::Range;

use toolgate_model::DataClass::Pii;

use crate::bytes::{at, before, run, run_back, slice};
use crate::page::Page;

/// Bytes before and after the `@` (RFC 5321, 4.5.3.1).
const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 255;

/// Users that are programs.
const PROGRAMS: &[&str] = &[
    "git",
    "noreply",
    "no-reply",
    "donotreply",
    "do-not-reply",
    "mailer-daemon",
    "notifications",
];

/// Endings of files, which are no countries.
const FILE_ENDINGS: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "json", "html", "yaml", "yml",
    "toml", "lock", "txt", "jar", "gz",
];

/// Reads the address around an `@`.
pub(crate) fn read(page: &mut Page<'_>, hit: &Range<usize>) {
    let bytes = page.bytes;
    let local = run_back(bytes, hit.start, LOCAL_BYTES_MAX + 1, is_local);
    let skipped = run(bytes, hit.start - local, local, |byte| {
        matches!(byte, b'.' | b'-' | b'+' | b'\'')
    });
    let start = hit.start - local + skipped;
    let (local, user) = (
        local - skipped,
        slice(bytes, hit.start - (local - skipped), hit.start),
    );
    let length = run(bytes, hit.end, DOMAIN_BYTES_MAX, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') || byte >= 0x80
    });
    let domain = slice(bytes, hit.end, hit.end + length);
    let tail = domain
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'.' | b'-'))
        .count();
    let domain = slice(domain, 0, length - tail);
    let end = hit.end + domain.len();
    let remote = at(bytes, end) == Some(b':')
        && !at(bytes, end + 1)
            .is_none_or(|byte| byte.is_ascii_whitespace() || byte.is_ascii_digit());
    if local == 0
        || local > LOCAL_BYTES_MAX
        || !is_domain(domain)
        || remote
        || is_program(user)
        || page.covers(hit.start)
    {
        return;
    }
    // `user:password@host` is told by the URL that it stands in.
    let password = before(bytes, start) == Some(b':')
        && slice(bytes, start.saturating_sub(80), start)
            .windows(3)
            .any(|part| part == b"://");
    if !password {
        page.add(Pii, "EMAIL", start..end, 0.95);
    }
}

/// Of what RFC 5322 allows, what people use: the others join addresses to what stands before them.
const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'\'')
}

fn is_program(user: &[u8]) -> bool {
    PROGRAMS
        .iter()
        .any(|name| user.eq_ignore_ascii_case(name.as_bytes()))
}

/// Labels of letters, digits and dashes, the last one a plausible top level.
fn is_domain(domain: &[u8]) -> bool {
    let labels: Vec<&[u8]> = domain.split(|byte| *byte == b'.').collect();
    let Some((top, others)) = labels.split_last() else {
        return false;
    };
    let plain = top
        .iter()
        .all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
        || top.to_ascii_lowercase().starts_with(b"xn--");
    let file = FILE_ENDINGS
        .iter()
        .any(|ending| top.eq_ignore_ascii_case(ending.as_bytes()));
    !others.is_empty()
        && (2..=24).contains(&top.len())
        && plain
        && !file
        && labels
            .iter()
            .all(|label| !label.is_empty() && label.len() <= 63 && !label.starts_with(b"-"))
}
