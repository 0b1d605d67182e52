//! Numbers of persons and firms, country by country: by check digit where there is one, otherwise
//! only behind a word that names them.
//!
//! `010516B903X` is a Finnish personal identity code by its form and its check letter; `A3456781` is
//! a passport only near the word.
//!
//! Must not know: phones, cards, accounts (`numbers`, `iban`).

use std::ops::Range;

use toolgate_model::DataClass::Pii;

use super::checks::{digits_of, luhn, verhoeff, weighted};
use crate::bytes::{count, slice};
use crate::page::Page;
use crate::words::Word;

/// Bytes between a number and the word that names it.
const WORD_DISTANCE: usize = 48;
/// A form with a check digit, or a form that nothing else has.
const PROVEN: f32 = 0.6;
/// A form that a word near it makes likely.
const NAMED: f32 = 0.65;

/// One kind of number, over its letters and digits without spaces and dashes, in upper case.
struct Identifier {
    kind: &'static str,
    /// `A` a letter, `9` a digit, `X` either, anything else itself.
    forms: &'static [&'static str],
    check: fn(&[u8]) -> bool,
    /// The words that name it.
    words: &'static [Word],
    /// Whether form and check suffice without a word.
    proven: bool,
}

const ID: &[Word] = &[Word::NationalId];
const TAX: &[Word] = &[Word::TaxId, Word::NationalId];
const PASSPORT: &[Word] = &[Word::Passport];
const LICENCE: &[Word] = &[Word::Licence];
const BANK: &[Word] = &[Word::Bank];

fn any(_: &[u8]) -> bool {
    true
}

const fn proven(
    kind: &'static str,
    forms: &'static [&'static str],
    check: fn(&[u8]) -> bool,
    words: &'static [Word],
) -> Identifier {
    Identifier {
        kind,
        forms,
        check,
        words,
        proven: true,
    }
}

const fn named(
    kind: &'static str,
    forms: &'static [&'static str],
    check: fn(&[u8]) -> bool,
    words: &'static [Word],
) -> Identifier {
    Identifier {
        kind,
        forms,
        check,
        words,
        proven: false,
    }
}

#[rustfmt::skip]
const IDENTIFIERS: &[Identifier] = &[
    proven("IT_FISCAL_CODE", &["AAAAAA99A99A999A"], italian, TAX),
    proven("ES_NIF", &["99999999A", "A9999999A"], spanish, ID),
    proven("FI_PERSONAL_IDENTITY_CODE", &["999999A999X", "999999+999X"], finnish, ID),
    proven("SG_NRIC_FIN", &["A9999999A"], singaporean, ID),
    proven("IN_PAN", &["AAAAA9999A"], |text| matches!(text.get(3), Some(b'P' | b'C' | b'H' | b'F' | b'A' | b'T' | b'B' | b'L' | b'J' | b'G')), TAX),
    proven("IN_GSTIN", &["99AAAAA9999AXZX"], any, TAX),
    proven("UK_NINO", &["AA999999A"], british, ID),
    proven("UK_DRIVING_LICENCE", &["AAAAA999999AXXAA", "AAAA9999999AXXAA", "AAA99999999AXXAA"], any, LICENCE),
    proven("US_MBI", &["9AX9AX9AA99"], any, ID),
    proven("CN_RESIDENT_ID", &["99999999999999999X"], chinese, ID),
    proven("MX_CURP", &["AAAA999999AAAAAAX9"], any, ID),
    proven("SG_UEN", &["A99AA9999A"], |text| matches!(text.first(), Some(b'T' | b'S' | b'R')), TAX),
    proven("DE_SOCIAL_SECURITY", &["99999999A999"], any, ID),
    named("US_ITIN", &["999999999"], |text| text.first() == Some(&b'9'), TAX),
    named("KR_RRN", &["9999999999999"], |text| matches!(text.get(6), Some(b'1'..=b'8')) && dated(text), ID),
    named("SE_PERSONNUMMER", &["9999999999", "999999999999"], |text| luhn(&digits_of(text.get(text.len() - 10..).unwrap_or_default())), ID),
    named("PL_PESEL", &["99999999999"], |text| (10 - weighted(&digits_of(text), &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == last(text), ID),
    named("ZA_ID_NUMBER", &["9999999999999"], |text| luhn(&digits_of(text)) && dated(text), ID),
    named("IN_AADHAAR", &["999999999999"], |text| verhoeff(&digits_of(text)), ID),
    named("UK_NHS", &["9999999999"], |text| weighted(&digits_of(text), &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11), ID),
    named("TR_NATIONAL_ID", &["99999999999"], turkish, ID),
    named("TH_TNIN", &["9999999999999"], |text| (11 - weighted(&digits_of(text), &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == last(text), ID),
    named("BR_CPF", &["99999999999"], brazilian, ID),
    named("CA_SIN", &["999999999"], |text| luhn(&digits_of(text)), ID),
    named("AU_TFN", &["999999999"], |text| weighted(&digits_of(text), &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11), TAX),
    named("AU_ABN", &["99999999999"], |text| (weighted(&digits_of(text), &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) + 890) % 89 == 10, TAX),
    named("NL_BSN", &["999999999"], |text| weighted(digits_of(text).get(..8).unwrap_or_default(), &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 == last(text), ID),
    named("FR_NIR", &["999999999999999"], french, ID),
    named("DE_TAX_ID", &["99999999999"], any, TAX),
    named("DE_TAX_NUMBER", &["9999999999", "9999999999999"], any, TAX),
    named("PH_TIN", &["999999999", "999999999999"], any, TAX),
    named("VAT_NUMBER", &["AA999999999", "AA99999999", "AA9999999999", "AA99999999999", "AA999999999999", "99999999999"], any, TAX),
    named("IN_VOTER", &["AAA9999999"], any, ID),
    named("HEALTH_INSURANCE", &["A999999999"], any, ID),
    named("PASSPORT", &["A99999999", "A9999999", "AA9999999", "AAA999999", "999999999", "AX9X9999X", "X9999999X"], |text| count(text, u8::is_ascii_digit) >= 5, PASSPORT),
    named("DRIVER_LICENCE", &["A9999999", "A99999999", "A999999999999", "99999999", "999999999", "9999999999", "A9A999A99A", "X9999999X9X", "999999999999", "AA99999999X"], any, LICENCE),
    named("ABA_ROUTING_NUMBER", &["999999999"], |text| weighted(&digits_of(text), &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10), BANK),
    named("BANK_ACCOUNT", &["99999999", "9999999999", "99999999999", "999999999999"], any, BANK),
];

/// Bytes of the shortest identifier.
const ID_BYTES_MIN: usize = 8;
/// Bytes of the longest identifier with its joints.
pub(crate) const ID_BYTES_MAX: usize = 24;

/// Looks at one run of letters and digits that has a digit; `joined` is the run with what is joined
/// to it by single spaces and dashes.
pub(crate) fn read(page: &mut Page<'_>, run: &Range<usize>) {
    let plain = slice(page.bytes, run.start, run.end);
    let likely = (ID_BYTES_MIN..=ID_BYTES_MAX).contains(&plain.len())
        && count(plain, u8::is_ascii_digit) >= 4;
    if !likely || page.covers(run.start) {
        return;
    }
    let text: Vec<u8> = plain
        .iter()
        .filter(|byte| !matches!(byte, b'-' | b' ' | b'/' | b'.' | b'_'))
        .map(u8::to_ascii_uppercase)
        .collect();
    let near = |words: &[Word]| {
        words
            .iter()
            .any(|word| page.is_near(*word, run, WORD_DISTANCE))
    };
    let found = IDENTIFIERS.iter().find(|identifier| {
        identifier
            .forms
            .iter()
            .any(|form| has_form(&text, form.as_bytes()))
            && (identifier.check)(&text)
            && (identifier.proven || near(identifier.words))
    });
    let Some(identifier) = found else { return };
    let confidence = if near(identifier.words) {
        NAMED + 0.2
    } else {
        PROVEN
    };
    page.add(
        Pii,
        identifier.kind,
        run.clone(),
        confidence.min(if identifier.proven { 0.9 } else { NAMED }),
    );
}

fn has_form(text: &[u8], form: &[u8]) -> bool {
    text.len() == form.len()
        && text.iter().zip(form).all(|(byte, form)| match form {
            b'A' => byte.is_ascii_uppercase(),
            b'9' => byte.is_ascii_digit(),
            b'X' => byte.is_ascii_alphanumeric(),
            other => byte == other,
        })
}

fn last(text: &[u8]) -> u32 {
    text.last()
        .map_or(10, |byte| u32::from(byte.saturating_sub(b'0')))
}

fn number(text: &[u8]) -> u64 {
    digits_of(text)
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(*digit))
}

/// Six digits that are a date: year, month, day.
fn dated(text: &[u8]) -> bool {
    let part = |from: usize| number(text.get(from..from + 2).unwrap_or_default());
    (1..=12).contains(&part(2)) && (1..=31).contains(&part(4))
}

fn letter_of(alphabet: &[u8], place: u64) -> Option<u8> {
    alphabet.get(usize::try_from(place).ok()?).copied()
}

fn spanish(text: &[u8]) -> bool {
    let head = match text.first() {
        Some(b'X') => 0,
        Some(b'Y') => 1,
        Some(b'Z') => 2,
        Some(first) if first.is_ascii_digit() => u64::from(first - b'0'),
        _ => return false,
    };
    let value = head * 10_u64.pow(7) + number(text.get(1..8).unwrap_or_default());
    letter_of(b"TRWAGMYFPDXBNJZSQVHLCKE", value % 23) == text.last().copied()
}

fn finnish(text: &[u8]) -> bool {
    let digits: Vec<u8> = text
        .iter()
        .take(6)
        .chain(text.iter().skip(7).take(3))
        .copied()
        .collect();
    let part = |from: usize| number(text.get(from..from + 2).unwrap_or_default());
    (1..=31).contains(&part(0))
        && (1..=12).contains(&part(2))
        && letter_of(b"0123456789ABCDEFHJKLMNPRSTUVWXY", number(&digits) % 31)
            == text.last().copied()
}

fn singaporean(text: &[u8]) -> bool {
    let sum = u64::from(weighted(&digits_of(text), &[2, 7, 6, 5, 4, 3, 2]));
    let letter = match text.first() {
        Some(b'S') => letter_of(b"JZIHGFEDCBA", sum % 11),
        Some(b'T') => letter_of(b"JZIHGFEDCBA", (sum + 4) % 11),
        Some(b'F') => letter_of(b"XWUTRQPNMLK", sum % 11),
        Some(b'G') => letter_of(b"XWUTRQPNMLK", (sum + 4) % 11),
        Some(b'M') => letter_of(b"KLJNPQRTUWX", 10 - (sum + 3) % 11),
        _ => None,
    };
    letter.is_some() && letter == text.last().copied()
}

fn british(text: &[u8]) -> bool {
    let [a, b, .., last] = text else { return false };
    let barred = |byte: &u8| matches!(byte, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
    !barred(a)
        && !barred(b)
        && *b != b'O'
        && matches!(last, b'A'..=b'D')
        && !matches!(
            (a, b),
            (b'B', b'G')
                | (b'G', b'B')
                | (b'N', b'K')
                | (b'K', b'N')
                | (b'T', b'N')
                | (b'N', b'T')
                | (b'Z', b'Z')
        )
}

fn italian(text: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let value = |byte: &u8| {
        usize::from(if byte.is_ascii_digit() {
            byte - b'0'
        } else {
            byte.saturating_sub(b'A')
        })
    };
    let sum: u32 = text
        .iter()
        .take(15)
        .enumerate()
        .map(|(place, byte)| match place % 2 {
            0 => ODD.get(value(byte)).copied().unwrap_or_default(),
            _ => u32::try_from(value(byte)).unwrap_or_default(),
        })
        .sum();
    text.last().map(|byte| u32::from(byte.saturating_sub(b'A'))) == Some(sum % 26)
}

fn chinese(text: &[u8]) -> bool {
    let sum = weighted(
        &digits_of(text.get(..17).unwrap_or_default()),
        &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2],
    );
    letter_of(b"10X98765432", u64::from(sum % 11)) == text.last().copied()
        && matches!(number(text.get(6..8).unwrap_or_default()), 18..=20)
}

fn turkish(text: &[u8]) -> bool {
    let digits = digits_of(text);
    let odd: u32 = digits
        .iter()
        .step_by(2)
        .take(5)
        .map(|digit| u32::from(*digit))
        .sum();
    let even: u32 = digits
        .iter()
        .skip(1)
        .step_by(2)
        .take(4)
        .map(|digit| u32::from(*digit))
        .sum();
    let total: u32 = digits.iter().take(10).map(|digit| u32::from(*digit)).sum();
    digits.first() != Some(&0)
        && (odd * 7 + 100 - even) % 10 == digits.get(9).map_or(99, |digit| u32::from(*digit))
        && total % 10 == last(text)
}

/// The last two digits are what the others lack to a multiple of 97.
fn french(text: &[u8]) -> bool {
    let (head, key) = (
        text.get(..13).unwrap_or_default(),
        text.get(13..).unwrap_or_default(),
    );
    matches!(text.first(), Some(b'1' | b'2')) && number(head) % 97 + number(key) == 97
}

fn brazilian(text: &[u8]) -> bool {
    let digits = digits_of(text);
    let check = |weights: &[u32]| match weighted(&digits, weights) * 10 % 11 {
        10 => 0,
        other => other,
    };
    let same = digits.iter().all(|digit| Some(digit) == digits.first());
    !same
        && digits.get(9).map(|digit| u32::from(*digit))
            == Some(check(&[10, 9, 8, 7, 6, 5, 4, 3, 2]))
        && check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == last(text)
}

/// Every kind that is told apart here.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    IDENTIFIERS.iter().map(|identifier| identifier.kind)
}
