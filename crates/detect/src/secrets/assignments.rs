//! Key words with a value near them: `password=…`, `"api_key": "…"`, `deepgram TOKEN …`.
//!
//! The name says how much the value must look like a secret: what is called a password is one
//! unless it is clearly something else, what is called a key must look random, and what merely
//! follows the word `token` must look random without doubt.
//!
//! Must not know: formats of tokens.

use std::ops::Range;

use toolgate_model::DataClass;

use super::filler::{is_filler, is_named, is_random, is_reference, is_word_of_forms};
use super::names::{ABOUT, HARMLESS, Strength};
use crate::bytes::{
    at, before, contains, count, entropy, is_hex, is_name, is_uuid, is_word, run, run_back, slice,
    word_starts,
};
use crate::page::Page;

/// Bytes of a name before and after its key word. LIMIT: names in programs are shorter.
const NAME_BYTES_MAX: usize = 40;
/// Bytes of a value that are looked at. LIMIT: they show what it is; the rest belongs to it.
const VALUE_BYTES_MAX: usize = 256;
/// Bytes of a value that is found. LIMIT: a key in base64 with all that belongs to it.
const WHOLE_BYTES_MAX: usize = 64 << 10;
/// Bytes between a name and its value.
const GAP_BYTES_MAX: usize = 12;
/// Spaces among them, as tables have.
const SPACES_MAX: usize = 40;

/// How name and value are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    /// `:`, `=`, `=>`, or a flag and its value.
    Assigned,
    /// Inside a call: `env('NAME', 'value')`.
    Listed,
    /// Only white space, or `is`.
    Beside,
}

#[derive(Debug)]
struct Value {
    at: Range<usize>,
    joint: Joint,
    quote: Option<u8>,
    /// No space on either side of the joint, as in a shell or an environment file.
    tight: bool,
}

/// Looks for the value that a key word speaks of.
pub(crate) fn read(page: &mut Page<'_>, hit: &Range<usize>, strength: Strength) {
    let bytes = page.bytes;
    // `pass=` is found with its joint, which is not part of the name.
    let joint = run_back(bytes, hit.end, hit.len(), |byte| !is_word(byte));
    let hit = &(hit.start..hit.end - joint);
    // `compass=` is no password.
    let cut = slice(bytes, hit.start, hit.start + 5).to_ascii_lowercase();
    if cut.starts_with(b"pass")
        && !cut.ends_with(b"w")
        && !cut.ends_with(b"p")
        && !word_starts(bytes, hit.start)
    {
        return;
    }
    let name = name_around(bytes, hit);
    let written = slice(bytes, name.start, name.end);
    if HARMLESS
        .iter()
        .any(|part| contains(slice(bytes, name.start, name.end + 1), part))
    {
        return;
    }
    let strength = raised(strength, written);
    if let Some(value) = glued(bytes, hit, &name) {
        let text = slice(bytes, value.start, value.end);
        if is_opaque(text, Joint::Beside, strength) {
            page.add(DataClass::Secrets, "OPAQUE_TOKEN", value, 0.7);
            return;
        }
    }
    if is_about(written, hit.end - name.start) {
        return;
    }
    if let Some(value) = value_after(bytes, name.end) {
        judge(page, &name, strength, value);
    }
}

fn judge(page: &mut Page<'_>, name: &Range<usize>, strength: Strength, value: Value) {
    let bytes = page.bytes;
    let text = slice(bytes, value.at.start, value.at.end);
    let connection =
        at(bytes, value.at.end) == Some(b';') && before(bytes, name.start) == Some(b';');
    if is_reference(text) || is_word_of_forms(text) && !connection || page.covers(value.at.start) {
        return;
    }
    let shouted = slice(bytes, name.start, name.end)
        .iter()
        .all(|byte| !byte.is_ascii_lowercase());
    let flag = slice(bytes, name.start.saturating_sub(2), name.start) == b"--";
    let assigned = value.joint == Joint::Assigned
        || flag
        || value.quote.is_some() && value.joint == Joint::Listed;
    let is_password = strength == Strength::Password
        && assigned
        && is_passwordlike(text, &value, shouted && value.tight || flag || connection);
    let is_secret = strength >= Strength::Strong && assigned && is_phrase(text, &value);
    if is_password {
        page.add(DataClass::Secrets, "PASSWORD", whole(bytes, value), 0.8);
    } else if is_opaque(
        text,
        if flag { Joint::Assigned } else { value.joint },
        strength,
    ) || is_secret
    {
        page.add(
            DataClass::Secrets,
            "OPAQUE_TOKEN",
            whole(bytes, value),
            0.75,
        );
    }
}

/// The whole name that a key word stands in.
fn name_around(bytes: &[u8], hit: &Range<usize>) -> Range<usize> {
    let left = run_back(bytes, hit.start, NAME_BYTES_MAX, |byte| {
        is_name(byte) || byte == b'.'
    });
    let right = run(bytes, hit.end, NAME_BYTES_MAX, is_name);
    hit.start - left..hit.end + right
}

/// A weak word is strong in company: `access_key`, `private_token`, `license_key`.
fn raised(strength: Strength, name: &[u8]) -> Strength {
    const COMPANY: &[&[u8]] = &[
        b"api",
        b"access",
        b"secret",
        b"private",
        b"auth",
        b"license",
        b"licence",
        b"sign",
        b"encrypt",
        b"master",
        b"shared",
        b"client",
        b"service",
        b"account",
        b"storage",
        b"preshared",
        b"psk",
        b"user",
        b"app",
        b"admin",
        b"token",
    ];
    let in_company = COMPANY.iter().filter(|word| contains(name, word)).count();
    let shouted = [&b"ACCESS"[..], b"PRIVATE"]
        .iter()
        .any(|word| name.ends_with(word));
    match strength {
        Strength::Weak if shouted => Strength::Strong,
        Strength::Weak if in_company >= 1 && contains(name, b"key") || in_company >= 2 => {
            Strength::Strong
        }
        other => other,
    }
}

/// The last word of a name, behind its key word, says that the value is about a secret.
fn is_about(name: &[u8], behind: usize) -> bool {
    let tail = name.get(behind..).unwrap_or_default();
    let last = tail
        .rsplit(|byte| matches!(byte, b'_' | b'-' | b'.'))
        .next()
        .unwrap_or_default();
    let camel = last
        .iter()
        .rposition(u8::is_ascii_uppercase)
        .filter(|at| *at > 0 || last.get(1).is_some_and(u8::is_ascii_lowercase))
        .and_then(|at| last.get(at..))
        .unwrap_or(last);
    !tail.is_empty()
        && ABOUT.iter().any(|word| {
            last.eq_ignore_ascii_case(word.as_bytes())
                || camel.eq_ignore_ascii_case(word.as_bytes())
        })
}

/// A value that is written on to its name: `datadog-secrettoken-0024…`, `SECRETkey-abc1…`.
fn glued(bytes: &[u8], hit: &Range<usize>, name: &Range<usize>) -> Option<Range<usize>> {
    let mut from = hit.end;
    for word in [&b"token"[..], b"key", b"tok"] {
        let joint = usize::from(matches!(at(bytes, from), Some(b'-' | b'_')));
        if slice(bytes, from + joint, from + joint + word.len()).eq_ignore_ascii_case(word) {
            from += joint + word.len();
        }
    }
    let joint = matches!(at(bytes, from), Some(b'-' | b'_'));
    let end = from + run(bytes, from, VALUE_BYTES_MAX, is_name);
    let from = from + usize::from(joint);
    (joint && end >= name.end && end - from >= 14).then_some(from..end)
}

/// What stands after a name, over quotes, brackets, a joint and spaces.
fn value_after(bytes: &[u8], name_end: usize) -> Option<Value> {
    let (mut place, mut joint, mut lines) = (name_end, None, 0);
    let (mut quote, mut spaces) = (None, 0);
    while place - name_end <= GAP_BYTES_MAX + spaces {
        match at(bytes, place)? {
            b':' | b'=' | b'>' | b'~' | b'?' => {
                (joint, quote) = (Some(Joint::Assigned), None);
            }
            b',' if joint.is_none() => (joint, quote) = (Some(Joint::Listed), None),
            mark @ (b'"' | b'\'' | b'`') => quote = Some(mark),
            b' ' | b'\t' if spaces < SPACES_MAX => spaces += 1,
            b'\n' | b'\r' => lines += 1,
            b'\\' | b']' | b')' | b'(' | b'[' | b'}' | b'@' | b'*' => {}
            b'<' if joint.is_some() => return None,
            b'i' if slice(bytes, place, place + 3) == b"is " && spaces > 0 && joint.is_none() => {
                (place, joint) = (place + 1, Some(Joint::Listed));
            }
            // `Unseal Key 2: …`
            digit
                if digit.is_ascii_digit()
                    && spaces > 0
                    && joint.is_none()
                    && at(bytes, place + 1) == Some(b':') => {}
            _ => break,
        }
        place += 1;
    }
    if place == name_end || lines > 4 {
        return None;
    }
    let end = value_end(bytes, place, quote, VALUE_BYTES_MAX);
    let at = trimmed(bytes, place..end);
    (at.len() >= 4).then_some(Value {
        at,
        joint: joint.unwrap_or(Joint::Beside),
        quote,
        tight: spaces + lines == 0,
    })
}

fn value_end(bytes: &[u8], from: usize, quote: Option<u8>, max: usize) -> usize {
    let ends = |byte: u8| match quote {
        Some(quote) => byte == quote || byte == b'\n',
        None => {
            byte.is_ascii_whitespace()
                || matches!(
                    byte,
                    b'"' | b'\''
                        | b'`'
                        | b'<'
                        | b'>'
                        | b','
                        | b';'
                        | b'&'
                        | b')'
                        | b']'
                        | b'}'
                        | b'|'
                )
        }
    };
    from + run(bytes, from, max, |byte| !ends(byte))
}

/// All of a value of which the beginning was looked at: nothing of it may be left.
fn whole(bytes: &[u8], value: Value) -> Range<usize> {
    match value.at.len() + 8 < VALUE_BYTES_MAX {
        true => value.at,
        false => {
            let end = value_end(bytes, value.at.start, value.quote, WHOLE_BYTES_MAX);
            trimmed(bytes, value.at.start..end)
        }
    }
}

fn trimmed(bytes: &[u8], value: Range<usize>) -> Range<usize> {
    let text = slice(bytes, value.start, value.end);
    let tail = text
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'.' | b',' | b';' | b':' | b'\\' | b' '))
        .count();
    value.start..value.end - tail
}

/// Whether what is called a password may be one.
fn is_passwordlike(text: &[u8], value: &Value, shell: bool) -> bool {
    let letters = count(text, u8::is_ascii_alphabetic);
    let spaces = count(text, |byte| *byte == b' ');
    let odd = text.len() - letters - spaces;
    if text.len() < 5 || text.len() > 128 || is_filler(text) || is_prose(text, spaces, odd) {
        return false;
    }
    if value.quote.is_some() || shell {
        return spaces == 0 || odd > 2;
    }
    // Not quoted: in a program it would be a variable.
    let code =
        contains(text, b"(") || contains(text, b"[") || text.contains(&b'.') && is_named(text);
    !code && odd > 0 && !is_named(text) && entropy(text) > 2.0
}

fn is_prose(text: &[u8], spaces: usize, odd: usize) -> bool {
    spaces > 3 || spaces > 0 && odd < 2 || text.starts_with(b"/") || text.starts_with(b"http")
}

/// A quoted secret that is no random token: `development#product`.
fn is_phrase(text: &[u8], value: &Value) -> bool {
    let odd = count(text, |byte| {
        byte.is_ascii_punctuation() && !matches!(byte, b'.' | b'_' | b'-' | b'/' | b':')
    });
    let spaces = count(text, |byte| *byte == b' ');
    value.quote.is_some()
        && value.joint == Joint::Assigned
        && (10..=128).contains(&text.len())
        && spaces == 0
        && odd > 0
        && !is_filler(text)
        && !contains(text, b"(")
        && !contains(text, b"<")
        && !contains(text, b"%s")
        && entropy(text) > 2.8
}

/// Whether a value looks so random that it can only be a token, given what it stands beside.
fn is_opaque(text: &[u8], joint: Joint, strength: Strength) -> bool {
    let least = match (joint, strength) {
        (Joint::Assigned, Strength::Weak) => 16,
        (Joint::Assigned, _) => 10,
        (Joint::Listed | Joint::Beside, _) => 16,
    };
    let strange = text.iter().any(|byte| {
        byte.is_ascii_whitespace() || *byte >= 0x80 || matches!(byte, b'"' | b'(' | b'{' | b'\\')
    });
    let pair = text
        .trim_ascii_end()
        .strip_suffix(b"==")
        .or(text.strip_suffix(b"="))
        .unwrap_or(text)
        .contains(&b'=');
    // A key of a store or a file is a path: base64 has signs beside its slashes, or no words.
    let place = strength == Strength::Weak
        && text.contains(&b'/')
        && !text.contains(&b'+')
        && !text.ends_with(b"=");
    if place || text.len() < least || strange || pair || contains(text, b"://") || is_path(text) {
        return false;
    }
    if is_uuid(text) {
        return strength >= Strength::Strong;
    }
    if is_hex(text) && joint == Joint::Beside && strength == Strength::Weak {
        // What follows `key` may be a digest; 32 digits are as often a key.
        return text.len() == 32 && is_random(text);
    }
    is_random(text) && !is_digest(text)
}

fn is_digest(text: &[u8]) -> bool {
    [
        &b"sha256:"[..],
        b"sha256-",
        b"sha512-",
        b"sha384-",
        b"sha1-",
        b"sha1:",
        b"md5:",
        b"md5-",
    ]
    .iter()
    .any(|name| text.starts_with(name))
}

/// Whether slashes make it a path rather than base64.
fn is_path(text: &[u8]) -> bool {
    let parts = text.split(|byte| *byte == b'/').count();
    let words = text
        .split(|byte| *byte == b'/')
        .filter(|part| {
            part.len() > 1
                && part.len() < 16
                && part
                    .iter()
                    .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'.'))
        })
        .count();
    text.starts_with(b"/") || text.starts_with(b"./") || parts > 2 && words * 2 >= parts
}

/// Names of services, with a random value straight behind: `deepgram: …`, `wandb-…`.
pub(crate) fn read_service(page: &mut Page<'_>, hit: &Range<usize>) {
    let bytes = page.bytes;
    if before(bytes, hit.start).is_some_and(is_word)
        || at(bytes, hit.end).is_some_and(|byte| byte.is_ascii_alphanumeric())
    {
        return;
    }
    let gap = run(bytes, hit.end, 5, |byte| {
        matches!(byte, b' ' | b':' | b'=' | b'-' | b'_' | b'"' | b'\'' | b'>')
    });
    let from = hit.end + gap;
    let end = from
        + run(bytes, from, VALUE_BYTES_MAX, |byte| {
            is_name(byte) || matches!(byte, b'.' | b'|')
        });
    let value = trimmed(bytes, from..end);
    let text = slice(bytes, value.start, value.end);
    let assigned = slice(bytes, hit.end, from)
        .iter()
        .any(|byte| matches!(byte, b':' | b'='));
    let digest =
        is_hex(text) && (text.len() == 40 || text.len() == 64) || is_uuid(text) && !assigned;
    if gap > 0
        && text.len() >= 20
        && !digest
        && !is_path(text)
        && is_random(text)
        && !page.covers(value.start)
    {
        page.add(DataClass::Secrets, "OPAQUE_TOKEN", value, 0.6);
    }
}
