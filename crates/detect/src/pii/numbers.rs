//! Numbers that name a person: phones, payment cards, social security numbers.
//!
//! `(415) 555-0132` is read as groups of 3, 3 and 4 digits with what stands between them. Cards
//! prove themselves by issuer and check digit, phones by how they are written or by a word before
//! them; nine digits are a social security number only in its own form or behind its name.
//!
//! Must not know: letters and digits mixed (`ids`), addresses of machines (`ip`).

use std::ops::Range;

use toolgate_model::DataClass::Pii;

use super::checks::luhn;
use crate::bytes::{at, before, is_word, run, slice};
use crate::page::Page;
use crate::words::Word;

/// Groups of one number. LIMIT: what has more is a table.
const GROUPS_MAX: usize = 16;
/// Digits of one number.
pub(crate) const DIGITS_MAX: usize = 64;
/// Bytes between a number and the word that says what it is.
const WORD_DISTANCE: usize = 40;
/// The same for words that are used of much else.
const TALK_DISTANCE: usize = 12;

/// A number as it is written.
#[derive(Debug)]
struct Number {
    groups: Vec<Group>,
    plus: bool,
}

#[derive(Clone, Debug)]
struct Group {
    at: Range<usize>,
    digits: Vec<u8>,
    /// What stands between it and the group before.
    joint: Joint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    None,
    Space,
    Dash,
    Dot,
    /// A parenthesis, with or without a space.
    Paren,
    Slash,
}

/// Reads the number that begins at `start`, reports what it is, and says where it ends.
pub(crate) fn read(page: &mut Page<'_>, start: usize) -> usize {
    if !is_long(page.bytes, start) {
        return start + 1;
    }
    let number = number_at(page.bytes, start);
    let Some(end) = number.groups.last().map(|group| group.at.end) else {
        return start + 1;
    };
    let mut from = 0;
    while from < number.groups.len() {
        let taken = card(page, &number, from)
            .or_else(|| ssn(page, &number, from))
            .or_else(|| phone(page, &number, from));
        from += taken.unwrap_or(1);
    }
    end
}

/// Whether there are enough digits for anything. Most numbers are versions and counts.
fn is_long(bytes: &[u8], start: usize) -> bool {
    let (mut digits, mut others) = (0, 0);
    for byte in slice(bytes, start, start + 24) {
        match byte {
            b'0'..=b'9' => (digits, others) = (digits + 1, 0),
            b' ' | b'-' | b'.' | b'/' | b'(' | b')' if others < 3 => others += 1,
            _ => break,
        }
    }
    digits >= DIGITS_MIN
}

/// Digits of the shortest number that means a person.
const DIGITS_MIN: usize = 6;

fn number_at(bytes: &[u8], start: usize) -> Number {
    let plus = matches!(before(bytes, start), Some(b'+')) || at(bytes, start) == Some(b'+');
    let (mut place, mut joint, mut total) = (start, Joint::None, 0);
    let mut groups = Vec::new();
    if matches!(at(bytes, place), Some(b'+')) {
        place += 1;
    }
    while groups.len() < GROUPS_MAX && total < DIGITS_MAX {
        let digits = run(bytes, place, DIGITS_MAX, |byte| byte.is_ascii_digit());
        if digits == 0 {
            break;
        }
        total += digits;
        groups.push(Group {
            at: place..place + digits,
            digits: super::checks::digits_of(slice(bytes, place, place + digits)),
            joint,
        });
        let Some((length, next)) = joint_at(bytes, place + digits) else {
            break;
        };
        (place, joint) = (place + digits + length, next);
    }
    Number { groups, plus }
}

/// What joins two groups, with its length.
fn joint_at(bytes: &[u8], place: usize) -> Option<(usize, Joint)> {
    let digit = |offset: usize| at(bytes, place + offset).is_some_and(|byte| byte.is_ascii_digit());
    match (at(bytes, place)?, at(bytes, place + 1)?) {
        (b' ', _) if digit(1) => Some((1, Joint::Space)),
        (b'-', _) if digit(1) => Some((1, Joint::Dash)),
        (b'.', _) if digit(1) => Some((1, Joint::Dot)),
        (b'/', _) if digit(1) => Some((1, Joint::Slash)),
        (b')' | b'(', _) if digit(1) => Some((1, Joint::Paren)),
        (b')', b' ' | b'-') | (b' ', b'(') if digit(2) => Some((2, Joint::Paren)),
        (b' ', b'-') if digit(3) && at(bytes, place + 2) == Some(b' ') => Some((3, Joint::Dash)),
        _ => None,
    }
}

/// Whether no letter, digit or sign makes the range a part of something else.
fn stands_alone(bytes: &[u8], range: &Range<usize>) -> bool {
    let left = before(bytes, range.start);
    let right = at(bytes, range.end);
    let decimal =
        right == Some(b'.') && at(bytes, range.end + 1).is_some_and(|byte| byte.is_ascii_digit());
    !left.is_some_and(|byte| is_word(byte) || matches!(byte, b'$' | b'.'))
        && !right.is_some_and(is_word)
        && !decimal
}

fn digits_in(groups: &[Group]) -> Vec<u8> {
    groups
        .iter()
        .flat_map(|group| &group.digits)
        .copied()
        .collect()
}

fn span(groups: &[Group]) -> Range<usize> {
    let start = groups.first().map_or(0, |group| group.at.start);
    start..groups.last().map_or(start, |group| group.at.end)
}

/// A payment card from group `from` on; how many groups it took.
fn card(page: &mut Page<'_>, number: &Number, from: usize) -> Option<usize> {
    for count in (1..=5.min(number.groups.len() - from)).rev() {
        let groups = number.groups.get(from..from + count)?;
        let digits = digits_in(groups);
        let at = span(groups);
        if !(12..=19).contains(&digits.len())
            || number.plus
            || !is_card_grouping(groups)
            || !luhn(&digits)
            || !stands_alone(page.bytes, &at)
        {
            continue;
        }
        let named = page.is_near(Word::Card, &at, WORD_DISTANCE);
        let confidence = match issuer(&digits) {
            Some(_) if named => 0.95,
            None if named && digits.len() >= 13 && matches!(digits.first(), Some(2..=6)) => 0.7,
            // Ids of messages and users have as many digits, and one in ten passes the check.
            _ if digits.len() > 16 => continue,
            Some(Issuer::Common) => 0.8,
            Some(Issuer::Rare) if count > 1 || digits.len() >= 14 => 0.6,
            _ => continue,
        };
        page.add(Pii, "CREDIT_CARD", at, confidence);
        return Some(count);
    }
    None
}

/// Whether the groups are how cards are printed: one, or of four but for the last, or 4-6-5.
fn is_card_grouping(groups: &[Group]) -> bool {
    let lengths: Vec<usize> = groups.iter().map(|group| group.digits.len()).collect();
    let joints_fit = groups
        .iter()
        .skip(1)
        .all(|group| matches!(group.joint, Joint::Space | Joint::Dash));
    let fours = lengths.iter().rev().skip(1).all(|length| *length == 4)
        && lengths.last().is_some_and(|last| *last <= 4);
    joints_fit && (lengths.len() == 1 || fours || matches!(lengths.as_slice(), [4, 6, 4 | 5]))
}

/// How common an issuer's range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Issuer {
    Common,
    Rare,
}

/// Whose range the number is in, by its first digits and its length (ISO/IEC 7812).
fn issuer(digits: &[u8]) -> Option<Issuer> {
    let head = |length: usize| {
        digits
            .iter()
            .take(length)
            .fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit))
    };
    let (two, three, four, six, length) = (head(2), head(3), head(4), head(6), digits.len());
    match length {
        15 if matches!(two, 34 | 37) => Some(Issuer::Common),
        14 if matches!(two, 36 | 38 | 39) || matches!(three, 300..=305) => Some(Issuer::Common),
        13 | 16 | 18 | 19 if digits.first() == Some(&4) => Some(if length == 16 {
            Issuer::Common
        } else {
            Issuer::Rare
        }),
        16 if matches!(two, 51..=55) || matches!(four, 2221..=2720) => Some(Issuer::Common),
        16..=19 if four == 6011 || matches!(three, 644..=649) || two == 65 || two == 62 => {
            Some(Issuer::Common)
        }
        16..=19
            if matches!(four, 3528..=3589)
                || matches!(two, 60 | 81 | 82)
                || (508_500..=508_999).contains(&six) =>
        {
            Some(Issuer::Common)
        }
        16 if matches!(four, 2200..=2204) || matches!(two, 36 | 38 | 39 | 30) => Some(Issuer::Rare),
        15 if matches!(four, 1800 | 2131)
            || digits.first() == Some(&1)
            || matches!(four, 2014 | 2149) =>
        {
            Some(Issuer::Rare)
        }
        12..=19 if matches!(two, 50 | 56..=58 | 63 | 67 | 68 | 69) => Some(Issuer::Rare),
        _ => None,
    }
}

/// A social security number from group `from` on.
fn ssn(page: &mut Page<'_>, number: &Number, from: usize) -> Option<usize> {
    let rest = number.groups.get(from..)?;
    let count = match rest {
        [a, b, c, ..]
            if (a.digits.len(), b.digits.len(), c.digits.len()) == (3, 2, 4)
                && b.joint == c.joint
                && matches!(b.joint, Joint::Dash | Joint::Space | Joint::Dot) =>
        {
            3
        }
        [a, b, ..]
            if (a.digits.len(), b.digits.len()) == (3, 6)
                || (a.digits.len(), b.digits.len()) == (5, 4) =>
        {
            2
        }
        [a, ..] if a.digits.len() == 9 => 1,
        _ => return None,
    };
    let groups = rest.get(..count)?;
    let (digits, at) = (digits_in(groups), span(groups));
    let next = rest.get(count).map(|group| group.joint);
    let goes_on = next.is_some_and(|joint| joint != Joint::Space);
    if number.plus || goes_on || !is_ssn(&digits) || !stands_alone(page.bytes, &at) {
        return None;
    }
    let named = page.is_near(Word::Ssn, &at, WORD_DISTANCE);
    let confidence = match groups.get(1).map(|group| group.joint) {
        _ if named => 0.95,
        Some(Joint::Dash) if count == 3 => 0.75,
        Some(Joint::Space | Joint::Dot) if count == 3 => 0.55,
        _ => return None,
    };
    page.add(Pii, "US_SSN", at, confidence);
    Some(count)
}

/// Areas 000, 666 and 900 up, group 00 and serial 0000 are never given out.
fn is_ssn(digits: &[u8]) -> bool {
    let value = |from: usize, to: usize| {
        digits.get(from..to).map(|part| {
            part.iter()
                .fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit))
        })
    };
    let same = digits.iter().all(|digit| Some(digit) == digits.first());
    let advertised = matches!(
        digits,
        [0, 7, 8, 0, 5, 1, 1, 2, 0]
            | [2, 1, 9, 0, 9, 9, 9, 9, 9]
            | [1, 2, 3, 4, 5, 6, 7, 8, 9]
            | [9, 8, 7, 6, 5, 4, 3, 2, _]
    );
    digits.len() == 9
        && !same
        && !advertised
        && !matches!(value(0, 3), Some(0 | 666 | 900..))
        && value(3, 5) != Some(0)
        && value(5, 9) != Some(0)
}

/// A phone number from group `from` on, the longest that holds.
fn phone(page: &mut Page<'_>, number: &Number, from: usize) -> Option<usize> {
    let longest = 6.min(number.groups.len() - from);
    (1..=longest).rev().find(|count| {
        let groups = number.groups.get(from..from + count).unwrap_or_default();
        phone_of(page, groups, number.plus && from == 0)
    })
}

fn phone_of(page: &mut Page<'_>, groups: &[Group], plus: bool) -> bool {
    let bytes = page.bytes;
    let mut at = span(groups);
    let open = before(bytes, at.start) == Some(b'(');
    let signed = before(bytes, at.start - usize::from(open)) == Some(b'+')
        || before(bytes, at.start) == Some(b'+');
    at.start -= usize::from(open) + usize::from(signed && plus);
    let extension = extension(bytes, at.end);
    let whole = at.start..at.end + extension;
    if !stands_alone(bytes, &whole) {
        return false;
    }
    let Some(confidence) = phone_confidence(page, groups, plus, &whole) else {
        return false;
    };
    page.add(Pii, "PHONE_NUMBER", whole, confidence);
    true
}

/// Bytes of `x123` or ` ext. 123`.
fn extension(bytes: &[u8], place: usize) -> usize {
    let rest = slice(bytes, place, place + 16).to_ascii_lowercase();
    let word = [
        &b"x"[..],
        b" x",
        b" ext. ",
        b" ext ",
        b"ext.",
        b" extension ",
    ]
    .into_iter()
    .filter(|word| rest.starts_with(word))
    .map(<[u8]>::len)
    .max();
    word.map_or(0, |word| {
        match run(bytes, place + word, 6, |byte| byte.is_ascii_digit()) {
            0 => 0,
            digits => word + digits,
        }
    })
}

fn phone_confidence(
    page: &Page<'_>,
    groups: &[Group],
    plus: bool,
    whole: &Range<usize>,
) -> Option<f32> {
    let digits = digits_in(groups);
    let named = page.is_before(Word::Phone, whole.start, WORD_DISTANCE)
        || page.is_after(Word::Phone, whole.end, 3);
    let talked = page.is_before(Word::Talk, whole.start, TALK_DISTANCE)
        || page.is_after(Word::Talk, whole.end, 2);
    let dotted = groups
        .iter()
        .any(|group| matches!(group.joint, Joint::Dot | Joint::Slash));
    if plus {
        let enough = groups.len() > 1 || digits.len() >= 10 || named || talked;
        let least = if named || talked || groups.len() > 2 {
            7
        } else {
            8
        };
        return (enough && (least..=15).contains(&digits.len()) && digits.first() != Some(&0))
            .then_some(0.9);
    }
    if digits.iter().all(|digit| Some(digit) == digits.first()) || is_date(groups) {
        return None;
    }
    if is_american(groups) {
        return Some(if named || talked { 0.9 } else { 0.7 });
    }
    let grouped = groups.len() > 1 && groups.iter().all(|group| group.digits.len() >= 2);
    let uniform = groups
        .windows(3)
        .all(|three| matches!(three, [_, a, b] if a.joint == b.joint || a.joint == Joint::Paren));
    let (national, foreign) = (digits.first() == Some(&0), digits.starts_with(&[0, 0]));
    match digits.len() {
        10..=17 if foreign && grouped && !dotted => Some(0.7),
        7..=12 if named && groups.len() <= 5 && !(dotted && groups.len() > 4) => Some(0.75),
        6..=12 if (named || talked) && grouped && groups.len() <= 5 && (!dotted || named) => {
            Some(0.65)
        }
        9..=11
            if national
                && grouped
                && uniform
                && !dotted
                && groups.len() <= 5
                && digits.get(1) != Some(&0) =>
        {
            Some(0.55)
        }
        _ => None,
    }
}

/// 3-3-4 with an area code that exists, or with 1 before it.
fn is_american(groups: &[Group]) -> bool {
    let lengths: Vec<usize> = groups.iter().map(|group| group.digits.len()).collect();
    let area = match lengths.as_slice() {
        [3, 3, 4] => groups.first(),
        [1, 3, 3, 4] if groups.first().is_some_and(|group| group.digits == [1]) => groups.get(1),
        _ => None,
    };
    let spaced = groups
        .iter()
        .filter(|group| group.joint == Joint::Space)
        .count();
    area.is_some_and(|group| matches!(group.digits.first(), Some(2..=9))) && spaced < 2
}

/// A year with a month and a day.
fn is_date(groups: &[Group]) -> bool {
    let year = |group: &Group| {
        group.digits.len() == 4 && matches!(group.digits.as_slice(), [1, 9, ..] | [2, 0, ..])
    };
    let small = |group: &Group| group.digits.len() <= 2;
    match groups {
        [a, b, c, ..] => year(a) && small(b) && small(c) || small(a) && small(b) && year(c),
        [a, b] => year(a) && small(b) || year(a) && year(b),
        _ => false,
    }
}
