//! A mail as it is sent (RFC 5322): whom it goes to and what it says.
//!
//! Gmail takes the whole mail as one base64url text. Every address of `To`, `Cc` and `Bcc` is a
//! recipient, also in a group or behind a display name that looks like another address. What is no
//! plain address stays as it is written, so that nobody takes it for one of the own. Parts are
//! undone (quoted-printable, base64); what cannot be is kept as it came.
//!
//! Must not know: services.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;

/// LIMIT: recipients that one mail may have, as Gmail has it.
const RECIPIENTS_MAX: usize = 2_000;
/// LIMIT: levels of parts within parts.
const DEPTH_MAX: usize = 8;

/// Fields that name whom a mail goes to.
const ADDRESSED: [&str; 6] = ["to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"];

/// A mail that was read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mail {
    /// Everybody it goes to.
    pub(super) recipients: Vec<String>,
    /// Its fields and texts, to be judged.
    pub(super) arguments: Map<String, Value>,
}

/// Reads base64url of a whole mail.
///
/// # Errors
/// A [`Refusal`] where it is none.
pub(super) fn decode(raw: &str) -> Result<Mail, Refusal> {
    let told = |what: &str| Refusal::at("raw", what);
    let plain: String = raw
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && *c != '=')
        .collect();
    let padded = format!("{plain}{}", "=".repeat((4 - plain.len() % 4) % 4));
    let engine = if plain.contains(['+', '/']) {
        STANDARD
    } else {
        URL_SAFE
    };
    let bytes = engine.decode(padded).map_err(|_| told("is no base64url"))?;
    let text = String::from_utf8(bytes).map_err(|_| told("is a mail that is not UTF-8"))?;
    read(&text)
}

/// Reads a mail.
///
/// # Errors
/// A [`Refusal`] where its head is none, or names the same thing twice.
pub(super) fn read(text: &str) -> Result<Mail, Refusal> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
    let fields = fields(head)?;
    let mut mail = Mail::default();
    for name in ADDRESSED {
        let all = of(&fields, name);
        if all.len() > 1 {
            return Err(Refusal::twice(name));
        }
        let addresses: Vec<String> = all.iter().flat_map(|value| addresses(value)).collect();
        if !addresses.is_empty() {
            mail.arguments
                .insert(name.replace('-', "_"), json!(addresses));
        }
        mail.recipients.extend(addresses);
    }
    if mail.recipients.len() > RECIPIENTS_MAX {
        return Err(Refusal::at(
            "raw",
            "has more recipients than a mail may have",
        ));
    }
    for name in ["from", "reply-to", "subject"] {
        let said: Vec<String> = of(&fields, name).into_iter().map(words).collect();
        if !said.is_empty() {
            mail.arguments
                .insert(name.replace('-', "_"), Value::from(said.join(", ")));
        }
    }
    let mut texts = Vec::new();
    parts(&fields, body, &mut texts, DEPTH_MAX)?;
    mail.arguments
        .insert("text".to_owned(), Value::from(texts.join("\n")));
    Ok(mail)
}

type Fields = Vec<(String, String)>;

fn fields(head: &str) -> Result<Fields, Refusal> {
    let mut fields: Fields = Vec::new();
    for line in head.split('\n') {
        if line.contains('\r') || line.contains('\0') {
            return Err(Refusal::at("raw", "has a head with loose line ends"));
        }
        match (
            line.starts_with([' ', '\t']),
            fields.last_mut(),
            line.split_once(':'),
        ) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, _, Some((name, value))) => {
                fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            _ => {
                return Err(Refusal::at(
                    "raw",
                    "is no mail: its head has a line that is no field",
                ));
            }
        }
    }
    Ok(fields)
}

fn of<'f>(fields: &'f Fields, name: &str) -> Vec<&'f str> {
    let named = fields.iter().filter(|(known, _)| known == name);
    named.map(|(_, value)| value.as_str()).collect()
}

/// The addresses of a field: what stands in angle brackets, else the whole.
fn addresses(value: &str) -> Vec<String> {
    pieces(value)
        .into_iter()
        .map(|piece| {
            // A group is `name: a@x.com, b@x.com;`, its end is cut off with the last one.
            let piece = piece.trim().trim_end_matches(';').trim();
            let piece = piece
                .rsplit_once(": ")
                .map_or(piece, |(_, inner)| inner.trim());
            match piece
                .rsplit_once('<')
                .and_then(|(_, inner)| inner.strip_suffix('>'))
            {
                Some(address) => address.trim().to_owned(),
                None => piece.to_owned(),
            }
        })
        .filter(|address| !address.is_empty())
        .collect()
}

/// Cut at commas and semicolons that stand in no quotes and no brackets.
fn pieces(value: &str) -> Vec<String> {
    let (mut all, mut piece) = (Vec::new(), String::new());
    let (mut quoted, mut escaped, mut depth) = (false, false, 0usize);
    for c in value.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '<' | '(' if !quoted => depth += 1,
            '>' | ')' if !quoted => depth = depth.saturating_sub(1),
            ',' | ';' if !quoted && depth == 0 => {
                all.push(std::mem::take(&mut piece));
                continue;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        piece.push(c);
    }
    all.push(piece);
    all
}

/// Undoes encoded words (RFC 2047): `=?utf-8?q?caf=C3=A9?=`.
fn words(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("=?") {
        let mut parts = after.splitn(3, '?');
        let (set, kind) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let Some((inner, tail)) = parts.next().and_then(|tail| tail.split_once("?=")) else {
            break;
        };
        let decoded = match kind.to_ascii_lowercase().as_str() {
            _ if !["utf-8", "us-ascii"].contains(&set.to_ascii_lowercase().as_str()) => None,
            "b" => STANDARD
                .decode(inner)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok()),
            "q" => Some(quoted_printable(&inner.replace('_', " "))),
            _ => None,
        };
        // Blanks between two encoded words are none of the text.
        if !before.trim().is_empty() || text.is_empty() {
            text.push_str(before);
        }
        text.push_str(decoded.as_deref().unwrap_or(inner));
        rest = tail;
    }
    text.push_str(rest);
    text
}

fn parts(
    fields: &Fields,
    body: &str,
    texts: &mut Vec<String>,
    depth: usize,
) -> Result<(), Refusal> {
    let kind = of(fields, "content-type")
        .first()
        .copied()
        .unwrap_or("text/plain");
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        let encoding = of(fields, "content-transfer-encoding")
            .first()
            .copied()
            .unwrap_or_default();
        texts.extend(name_of(fields));
        texts.push(undone(body, encoding));
        return Ok(());
    }
    let boundary = kind.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"'))
    });
    let told = |what: &str| Refusal::at("raw", what);
    let boundary = boundary
        .filter(|text| !text.is_empty())
        .ok_or_else(|| told("has parts without a boundary"))?;
    if depth == 0 {
        return Err(told("has parts nested too deeply"));
    }
    let text = format!("\n{body}");
    let (inner, _) = text
        .split_once(&format!("\n--{boundary}--"))
        .unwrap_or((text.as_str(), ""));
    for piece in inner.split(&format!("\n--{boundary}\n")).skip(1) {
        let (head, body) = match piece.strip_prefix('\n') {
            Some(body) => ("", body),
            None => piece.split_once("\n\n").unwrap_or((piece, "")),
        };
        let inner = if head.is_empty() {
            Fields::new()
        } else {
            self::fields(head)?
        };
        parts(&inner, body, texts, depth - 1)?;
    }
    Ok(())
}

/// The name of a file that is attached.
fn name_of(fields: &Fields) -> Option<String> {
    let disposition = of(fields, "content-disposition").first().copied()?;
    let (_, name) = disposition.split_once("filename=")?;
    Some(name.trim().trim_matches('"').to_owned())
}

fn undone(body: &str, encoding: &str) -> String {
    match encoding.to_ascii_lowercase().as_str() {
        "base64" => {
            let joined: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let text = STANDARD
                .decode(joined)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            text.unwrap_or_else(|| body.to_owned())
        }
        "quoted-printable" => quoted_printable(&body.replace("=\n", "")),
        _ => body.to_owned(),
    }
}

fn quoted_printable(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let pair = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let escaped = pair
            .filter(|_| *byte == b'=')
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decode, read};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    fn recipients(head: &str) -> Vec<String> {
        read(&format!("{head}\n\nhi")).unwrap().recipients
    }

    #[test]
    fn everybody_that_it_goes_to_is_a_recipient() {
        for (head, expected) in [
            ("To: ana@acme.com", vec!["ana@acme.com"]),
            (
                "To: Ana <ana@acme.com>, \"b@acme.com, x\" <b@evil.com>",
                vec!["ana@acme.com", "b@evil.com"],
            ),
            (
                "To: ana@acme.com\nCC: c@x.com\nbcc:\n  d@x.com,\n  e@x.com",
                vec!["ana@acme.com", "c@x.com", "d@x.com", "e@x.com"],
            ),
            ("To: team: a@x.com, b@x.com;", vec!["a@x.com", "b@x.com"]),
            ("To: a@acme.com@evil.com", vec!["a@acme.com@evil.com"]),
            (
                "To: ana@acme.com (b@evil.com, c)",
                vec!["ana@acme.com (b@evil.com, c)"],
            ),
            ("Subject: nobody", vec![]),
        ] {
            assert_eq!(recipients(head), expected, "{head}");
        }
        assert!(read("To: a@x.com\nTo: b@x.com\n\nhi").is_err());
        assert!(read("no field\n\nhi").is_err());
    }

    #[test]
    fn what_it_says_is_undone() {
        let mail = "To: a@x.com\r\nSubject: =?utf-8?q?deal_=23?= =?utf-8?b?NDI=?=\r\n\
            Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\ninternal=20on=\r\nly\r\n--b\r\n\
            Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"x.txt\"\r\n\r\n\
            c2VjcmV0\r\n--b--\r\n";
        let raw = URL_SAFE_NO_PAD.encode(mail);
        let read = decode(&raw).unwrap();
        assert_eq!(read.arguments["subject"], "deal #42");
        assert_eq!(read.arguments["text"], "internal only\nx.txt\nsecret");
        assert_eq!(read.arguments["to"], json!(["a@x.com"]));
        assert!(decode("%%%").is_err());
        assert!(decode(&URL_SAFE_NO_PAD.encode([0xff, 0xfe])).is_err());
    }
}
