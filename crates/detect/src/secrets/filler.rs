//! What stands where a secret would stand: placeholders, references, prose.
//!
//! `password=${DB_PASSWORD}`, `token: <your token>`, `api_key=xxxxxxxx` give nothing away.
//!
//! Must not know: formats of tokens.

use crate::bytes::{contains, count, entropy, longest_stair};

/// Words that a made-up value contains.
const MADE_UP: &[&[u8]] = &[
    b"example",
    b"placeholder",
    b"changeme",
    b"change_me",
    b"change-me",
    b"change_this",
    b"your_",
    b"your-",
    b"yourpass",
    b"yourtoken",
    b"yourkey",
    b"insert",
    b"replace",
    b"redacted",
    b"dummy",
    b"sample",
    b"xxxx",
    b"****",
    b"....",
    b"todo",
    b"fixme",
    b"not-a-real",
    b"notreal",
    b"fake",
    b"<password",
    b"_here",
    b"-here",
];

/// Values that are words of a form or a language.
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "string",
    "text",
    "number",
    "integer",
    "boolean",
    "object",
    "array",
    "null",
    "none",
    "nil",
    "undefined",
    "true",
    "false",
    "required",
    "optional",
    "hidden",
    "default",
    "empty",
    "unknown",
    "username",
    "user",
    "admin:password",
    "value",
    "key",
    "bearer",
    "basic",
    "digest",
    "yes",
    "no",
    "enabled",
    "disabled",
    "invalid",
    "expired",
    "missing",
    "incorrect",
    "test",
    "pass",
    "username:password",
    "user:password",
    "user:pass",
    "test:test",
    "private",
    "public",
    "oauth",
    "oauth2",
    "jwt",
    "env",
    "file",
    "prompt",
    "plaintext",
    "encrypted",
    "hashed",
    "self",
    "this",
    "input",
    "output",
    "username:token",
    "type",
    "name",
    "token_type",
    "access_token",
    "refresh_token",
    "id_token",
    "authorization_code",
    "client_credentials",
    "reset",
    "forgot",
    "confirm",
    "current",
    "strong",
    "weak",
];

/// Whether a token is filler: a made-up word in it, one character over and over, or a staircase
/// such as `1234567890abcdef`.
pub(crate) fn is_filler(value: &[u8]) -> bool {
    MADE_UP.iter().any(|word| contains(value, word))
        || longest_stair(value, 0) >= STAIR_MIN.min(value.len().max(2))
        || is_stair(value)
        || (value.len() >= 16 && entropy(value) < 2.0)
}

/// Whether half of it goes up in steps.
fn is_stair(value: &[u8]) -> bool {
    let stair = longest_stair(value, 1);
    stair >= STAIR_MIN && stair * 2 >= value.len()
}

/// Bytes of a staircase that nobody rolls by chance. LIMIT: nine in a row has odds of one in 10^12.
const STAIR_MIN: usize = 9;

/// Whether a value stands for another: a variable, a template, a call, a path in a program.
pub(crate) fn is_reference(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or_default();
    contains(value, b"${")
        || contains(value, b"{{")
        || contains(value, b"$(")
        || contains(value, b"()")
        || contains(value, b"%(")
        || contains(value, b"process.env")
        || contains(value, b"getenv")
        || contains(value, b"environ")
        || contains(value, b"secrets.")
        || (first == b'$' && is_variable(value.get(1..).unwrap_or_default()))
        || (first == b'<' && value.ends_with(b">"))
        || (first == b'%' && value.len() < 40 && (value.ends_with(b"%") || value.len() <= 3))
        || (first == b'[' && value.ends_with(b"]"))
        || (first == b'#' && value.get(1) == Some(&b'{'))
}

fn is_variable(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        || name.len() < 40
            && name.first().is_some_and(u8::is_ascii_lowercase)
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
}

/// Whether a value is a plain word that forms and programs use.
pub(crate) fn is_word_of_forms(value: &[u8]) -> bool {
    WORDS
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a value looks like a name in a program: words joined by dots, dashes or underscores.
pub(crate) fn is_named(value: &[u8]) -> bool {
    let digits = count(value, u8::is_ascii_digit);
    let joints = count(value, |byte| {
        matches!(byte, b'.' | b'_' | b'-' | b'/' | b':')
    });
    let shape = value.split(|byte| matches!(byte, b'.' | b'_' | b'-' | b'/' | b':'));
    let words = shape.clone().filter(|part| is_wordlike(part)).count();
    digits == 0 && joints == 0 && value.iter().all(u8::is_ascii_alphabetic) && !is_mixed(value)
        || joints > 0 && words * 2 > shape.count() && digits * 4 < value.len()
}

/// Letters alone, and capitals only at the start or throughout.
fn is_wordlike(part: &[u8]) -> bool {
    let tail = part.get(1..).unwrap_or_default();
    (2..=20).contains(&part.len())
        && part.iter().all(u8::is_ascii_alphabetic)
        && (tail.iter().all(u8::is_ascii_lowercase) || part.iter().all(u8::is_ascii_uppercase))
}

/// Whether capitals and small letters change places as they do in random text, not as in a name
/// made of words.
fn is_mixed(value: &[u8]) -> bool {
    let capitals = count(value, u8::is_ascii_uppercase);
    let changes = value
        .windows(2)
        .filter(|pair| {
            pair.first().is_some_and(u8::is_ascii_lowercase)
                != pair.last().is_some_and(u8::is_ascii_lowercase)
        })
        .count();
    value.len() >= 16 && capitals * 5 > value.len() && changes * 3 > value.len()
}

/// Whether it looks drawn at random: letters and digits mixed, or many letters in both cases, and
/// no filler.
pub(crate) fn is_random(value: &[u8]) -> bool {
    let letters = count(value, u8::is_ascii_alphabetic);
    let digits = count(value, u8::is_ascii_digit);
    let odds = if value.len() >= 24 { 3.0 } else { 2.7 };
    letters > 0
        && (digits >= 2 || is_mixed(value) || digits == 1 && value.len() >= 20)
        && entropy(value) >= odds
        && !is_filler(value)
        && !is_reference(value)
        && !is_named(value)
}

#[cfg(test)]
mod tests {
    use super::{is_filler, is_random, is_reference};

    #[test]
    fn filler_is_known() {
        for value in [
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxxxxxx",
            "1234567890abcdef",
            "aaaaaaaaaaaaaaaa",
            "k9Zq1bXaaaaaaaaaaT4v7",
        ] {
            assert!(is_filler(value.as_bytes()), "{value}");
        }
        for value in [
            "${TOKEN}",
            "$TOKEN",
            "<your token>",
            "{{ .Values.x }}",
            "getToken()",
        ] {
            assert!(is_reference(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn names_are_not_random_and_tokens_are() {
        for value in [
            "aws_db_instance.default.password",
            "ReactNativeCameraKit",
            "my-namespace-prod-2",
            "getMasterUserPassword",
        ] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
        for value in [
            "ij1mut5oe606wlrf5z4u8u31264z3gag",
            "vkmz9ktJiinWyPqkyZlxGRBoat1QbmdmdQyvGxPuXDW",
            "ozg7Mn3BiGOm81jwqs51Z5",
        ] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
    }
}
