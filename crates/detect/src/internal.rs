//! Wording by which a text calls itself internal or confidential.
//!
//! `INTERNAL ONLY — draft`, `Do not share outside the team`, `Classification: RESTRICTED` mark the
//! text; `// for internal use only` on a function, `answers are kept strictly confidential` and
//! `available under NDA` speak of something else.
//!
//! Must not know: what the text is about.

use std::ops::Range;

use toolgate_model::DataClass::Internal;

use crate::bytes::{slice, word_ends, word_starts};
use crate::page::Page;

/// How wording marks the text that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// Wherever it stands.
    Anywhere,
    /// With whom not, or nothing, behind it: `do not share outside`, `DO NOT FORWARD.`
    Forbids,
    /// As a heading, a label in capitals, or in front of a dash.
    Heading,
    /// As a heading or in capitals, but not on a line of comments in a program.
    Label,
    /// With a level behind it: `classification: internal`.
    Level,
}

/// Wordings in lower case.
#[rustfmt::skip]
pub(crate) const WORDINGS: &[(Wording, &[&str])] = &[
    (Wording::Anywhere, &[
        "not for external distribution", "not for public distribution", "not for distribution", "not for external release", "not for public release", "not for circulation", "not for onward distribution",
        "not for redistribution", "not for publication", "not for further distribution", "proprietary and confidential", "confidential and proprietary", "contains confidential information",
        "contains proprietary information", "this document is confidential", "this document is strictly confidential", "this email is confidential", "this message is confidential", "this is confidential",
        "this report is confidential", "this information is confidential", "the contents of this email are confidential", "contents are confidential", "attorney-client privileged", "attorney client privileged",
        "privileged and confidential", "privileged & confidential", "commercial in confidence", "commercial-in-confidence", "company confidential:", "streng vertraulich", "nur für den internen gebrauch",
        "nur zur internen verwendung", "usage interne uniquement", "solo uso interno", "solo para uso interno", "embargoed until", "eyes only", "internal eyes only", "need-to-know basis only", "internal memo:",
        "not to be shared outside", "must not be shared outside", "should not be shared outside", "may not be disclosed", "not be disclosed to third parties", "keep this internal", "keep this confidential", "keep this between us",
        "strictly internal", "for your eyes only",
    ]),
    (Wording::Forbids, &["do not share", "don't share", "do not distribute", "do not forward", "do not circulate", "do not disclose", "do not copy or distribute", "do not duplicate or distribute", "do not redistribute", "please do not share", "not to be shared"]),
    (Wording::Heading, &["confidential", "strictly confidential", "highly confidential", "company confidential", "vertraulich", "restricted", "tlp:amber", "tlp:red", "tlp: amber", "tlp: red", "tlp:amber+strict", "top secret", "trade secret"]),
    (Wording::Label, &["internal only", "internal use only", "for internal use only", "for internal use", "internal use"]),
    (Wording::Level, &["classification:", "classification level:", "data classification:", "sensitivity:", "classification\": \"", "sensitivity label:", "security level:", "klassifizierung:", "x-classification:", "confidentiality:"]),
];

/// Levels that a classification names.
const LEVELS: &[&str] = &[
    "internal",
    "confidential",
    "restricted",
    "secret",
    "strictly",
    "highly",
    "top secret",
    "vertraulich",
    "intern",
];

/// Judges whether wording marks the text.
pub(crate) fn read(page: &mut Page<'_>, hit: &Range<usize>, wording: Wording) {
    let bytes = page.bytes;
    if !word_starts(bytes, hit.start) || wording != Wording::Level && !word_ends(bytes, hit.end) {
        return;
    }
    let marks = match wording {
        Wording::Anywhere => true,
        Wording::Forbids => forbids(bytes, hit),
        Wording::Heading => is_heading(bytes, hit) && !is_quoted(bytes, hit),
        Wording::Label => is_label(bytes, hit),
        Wording::Level => LEVELS
            .iter()
            .any(|level| behind(bytes, hit.end, 24).starts_with(level.as_bytes())),
    };
    if marks {
        let end = hit.end + if wording == Wording::Level { 1 } else { 0 };
        page.add(
            Internal,
            "INTERNAL_MARKING",
            hit.start..line_end(bytes, end),
            if wording == Wording::Heading {
                0.6
            } else {
                0.75
            },
        );
    }
}

/// What follows, without markup and in lower case.
fn behind(bytes: &[u8], from: usize, length: usize) -> Vec<u8> {
    let text = slice(bytes, from, from + length).to_ascii_lowercase();
    let skipped = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'*' | b'_' | b'"' | b'\'' | b'`' | b':'))
        .count();
    slice(&text, skipped, text.len()).to_vec()
}

fn forbids(bytes: &[u8], hit: &Range<usize>) -> bool {
    const WITH_WHOM: &[&str] = &[
        "outside",
        "external",
        "beyond",
        "further",
        "without",
        "publicly",
        "with anyone",
        "with third",
        "with any third",
        "with non",
        "with clients",
        "with customers",
        "with the public",
        "or forward",
        "or distribute",
        "or copy",
        "this document",
        "this email",
        "this message",
        "this file",
        "this report",
        "this memo",
        "to anyone",
        "to third",
        "or disclose",
        "it outside",
        "this outside",
        "this with",
        "yet",
        "until",
        "or reproduce",
        "or duplicate",
        "before the announcement",
    ];
    let next = slice(bytes, hit.end, hit.end + 1).first().copied();
    let ends = next.is_none_or(|byte| {
        matches!(
            byte,
            b'.' | b'!' | b'\n' | b')' | b']' | b';' | b'*' | b'-' | b',' | b'"'
        )
    });
    let rest = behind(bytes, hit.end, 40);
    ends || WITH_WHOM
        .iter()
        .any(|word| rest.starts_with(word.as_bytes()))
        || is_shouted(bytes, hit)
}

fn is_shouted(bytes: &[u8], hit: &Range<usize>) -> bool {
    !slice(bytes, hit.start, hit.end)
        .iter()
        .any(u8::is_ascii_lowercase)
}

/// The bytes of the line before the place.
fn line_before(bytes: &[u8], at: usize) -> &[u8] {
    let from = at.saturating_sub(160);
    let line = slice(bytes, from, at);
    let start = line
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |place| place + 1);
    slice(line, start, line.len())
}

/// Whether only markup stands before it on its line.
fn begins_line(bytes: &[u8], at: usize) -> bool {
    line_before(bytes, at)
        .iter()
        .all(|byte| !byte.is_ascii_alphanumeric())
}

/// Whether it is a heading: at the start of a line, or in brackets and capitals, and not the
/// beginning of a sentence about something.
fn is_heading(bytes: &[u8], hit: &Range<usize>) -> bool {
    let rest = slice(bytes, hit.end, hit.end + 8);
    let dash = rest.strip_prefix(b" ").is_some_and(|rest| {
        rest.starts_with(b"-")
            || rest.starts_with("—".as_bytes())
            || rest.starts_with("–".as_bytes())
            || rest.starts_with(b"|")
    });
    let closes = rest.is_empty()
        || matches!(
            rest.first(),
            Some(b'\n' | b')' | b']' | b'*' | b':' | b'.' | b'!' | b',')
        );
    let shouted = is_shouted(bytes, hit);
    let before = line_before(bytes, hit.start);
    let opens = before.iter().rev().find(|byte| **byte != b' ');
    let labelled = opens.is_none_or(|byte| {
        matches!(byte, b'(' | b'[' | b'|' | b'-' | b'*' | b'>' | b'#') || *byte >= 0x80
    });
    let title = slice(bytes, hit.start, hit.end)
        .first()
        .is_some_and(u8::is_ascii_uppercase);
    begins_line(bytes, hit.start) && title && (dash || closes)
        || shouted && (labelled || dash || begins_line(bytes, hit.start))
        || labelled && title && dash
}

/// Whether quotes around it say that it is spoken of.
fn is_quoted(bytes: &[u8], hit: &Range<usize>) -> bool {
    let quotes = line_before(bytes, hit.start)
        .iter()
        .filter(|byte| matches!(byte, b'"' | b'`'))
        .count();
    quotes % 2 == 1 && !begins_line(bytes, hit.start)
}

/// Whether it labels the text and not a line of a program or a thing that is spoken of.
fn is_label(bytes: &[u8], hit: &Range<usize>) -> bool {
    let before = line_before(bytes, hit.start);
    let trimmed: &[u8] = before.trim_ascii_start();
    let comment = trimmed.starts_with(b"//")
        || trimmed.starts_with(b"--")
        || trimmed.starts_with(b"#'")
        || trimmed.starts_with(b"/*")
        || trimmed.starts_with(b"* ")
        || trimmed.starts_with(b"///")
        || trimmed.starts_with(b"%");
    let shouted = is_shouted(bytes, hit);
    let rest = behind(bytes, hit.end, 24);
    let within = rest.starts_with(b"within");
    let last = slice(bytes, hit.end, hit.end + 2);
    let ends = last.is_empty()
        || matches!(
            last.first(),
            Some(b'\n' | b'*' | b'.' | b'!' | b')' | b']' | b':' | b'-')
        )
        || last == b" -"
        || last.starts_with(b" \xe2");
    let title = slice(bytes, hit.start, hit.end)
        .first()
        .is_some_and(u8::is_ascii_uppercase);
    !comment && (shouted || within || begins_line(bytes, hit.start) && ends && title)
}

/// To the end of the line, so that what is said to be internal is not left standing beside the
/// mark. LIMIT: 400 bytes.
fn line_end(bytes: &[u8], from: usize) -> usize {
    let rest = slice(bytes, from, from + 400);
    from + rest
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(rest.len())
}
