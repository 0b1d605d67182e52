//! Questions about runs of bytes: where words begin and end, how random a text looks.
//!
//! `word_starts(b"clientIp", 6)` holds: a capital begins a word inside a name.
//!
//! Must not know: data classes.

/// The byte before `at`.
pub(crate) fn before(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at.checked_sub(1)?).copied()
}

/// The byte at `at`.
pub(crate) fn at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The bytes of a range, none where it is out of bounds.
pub(crate) fn slice(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to.min(bytes.len())).unwrap_or_default()
}

/// Whether a byte is a letter, a digit or an underscore.
pub(crate) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a byte can stand in a name of a program or a token.
pub(crate) const fn is_name(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

/// Whether a word begins here: after no letter or digit, or as a capital after a small letter.
pub(crate) fn word_starts(bytes: &[u8], at: usize) -> bool {
    match (before(bytes, at), bytes.get(at)) {
        (None, _) => true,
        (Some(before), Some(first)) => {
            !before.is_ascii_alphanumeric() && before < 0x80
                || first.is_ascii_uppercase() && before.is_ascii_lowercase()
        }
        (Some(_), None) => true,
    }
}

/// Whether a word ends here: before no letter, or before a capital after a small letter.
pub(crate) fn word_ends(bytes: &[u8], end: usize) -> bool {
    match (before(bytes, end), bytes.get(end)) {
        (_, None) => true,
        (Some(last), Some(next)) => {
            !next.is_ascii_alphabetic() && *next < 0x80
                || next.is_ascii_uppercase() && last.is_ascii_lowercase()
        }
        (None, Some(_)) => true,
    }
}

/// How many bytes from `from` on fit, at most `max`.
pub(crate) fn run(bytes: &[u8], from: usize, max: usize, fits: impl Fn(u8) -> bool) -> usize {
    slice(bytes, from, from.saturating_add(max))
        .iter()
        .take_while(|byte| fits(**byte))
        .count()
}

/// How many bytes before `end` fit, at most `max`.
pub(crate) fn run_back(bytes: &[u8], end: usize, max: usize, fits: impl Fn(u8) -> bool) -> usize {
    slice(bytes, end.saturating_sub(max), end)
        .iter()
        .rev()
        .take_while(|byte| fits(**byte))
        .count()
}

/// Shannon entropy in bits a byte.
pub(crate) fn entropy(text: &[u8]) -> f32 {
    let mut counts = [0_u32; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = text.len().max(1) as f32;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = *count as f32 / total;
            -share * share.log2()
        })
        .sum()
}

/// How many bytes fit.
pub(crate) fn count(text: &[u8], fits: impl Fn(&u8) -> bool) -> usize {
    text.iter().filter(|byte| fits(byte)).count()
}

/// Whether `text` contains `part`, which is in lower case, in any letter case.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1))
        .any(|window| window.eq_ignore_ascii_case(part))
}

/// The length of the longest stretch in which each byte is the one before it plus `step`; digits
/// go on from 9 to 0 and to a.
pub(crate) fn longest_stair(text: &[u8], step: i16) -> usize {
    let (mut longest, mut now) = (1, 1);
    for pair in text.windows(2) {
        let (Some(a), Some(b)) = (pair.first(), pair.last()) else {
            continue;
        };
        let wraps = step == 1 && matches!((a, b), (b'9', b'0' | b'a' | b'A') | (b'0', b'a' | b'A'));
        let goes_on =
            wraps || i16::from(b.to_ascii_lowercase()) - i16::from(a.to_ascii_lowercase()) == step;
        now = if goes_on { now + 1 } else { 1 };
        longest = longest.max(now);
    }
    longest
}

/// Whether it is written like a UUID.
pub(crate) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether it is hexadecimal throughout, in one letter case.
pub(crate) fn is_hex(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit)
        && !(text.iter().any(u8::is_ascii_uppercase) && text.iter().any(u8::is_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::{entropy, is_uuid, longest_stair, word_ends, word_starts};

    #[test]
    fn words_begin_and_end_at_capitals_too() {
        assert!(word_starts(b"clientIp", 6) && !word_starts(b"script", 3));
        assert!(word_ends(b"phoneNumber", 5) && !word_ends(b"phonetic", 5));
        assert!(word_starts(b"client_ip", 7) && word_ends(b"ip_x", 2));
    }

    #[test]
    fn stairs_and_entropy() {
        assert_eq!(longest_stair(b"x1234567890abcy", 1), 13);
        assert_eq!(longest_stair(b"fedcba", -1), 6);
        assert_eq!(longest_stair(b"xxxx", 0), 4);
        assert!(entropy(b"aaaa") < 0.01 && (entropy(b"abcd") - 2.0).abs() < 0.01);
        assert!(is_uuid(b"123e4567-e89b-12d3-a456-426614174000"));
    }
}
