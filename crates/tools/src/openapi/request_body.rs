//! The body of a request, in the one media type that the tool's schema was made for. Pure.
//!
//! ```text
//! json       {"name":"Ana","tags":["a"]}            numbers as the caller wrote them
//! form       name=Ana&card%5Bnumber%5D=4242         nested the way the description says
//! multipart  a part a member; files from {"base64": "…", "name": "a.pdf", "type": "application/pdf"}
//! ```
//! Must not know: paths, queries, headers but its own type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use toolgate_model::Digest;

use super::operation::{BodyShape, Encoding, Media, MediaKind, Member, RequestBody, Style};
use super::request::{about, missing};
use super::request_style::{self as style, Manner, Pairs};

/// LIMIT: a call has 1 MiB of arguments; escaping makes at most three of each byte, and the names
/// of deep members are written once for each leaf.
const BODY_BYTES_MAX: usize = 8 << 20;

/// A media type and the bytes.
pub(super) type Written = (String, Vec<u8>);

/// The body that these arguments make; none where there is nothing to send.
///
/// # Errors
/// One sentence that names the argument that cannot be sent.
pub(super) fn written(body: &RequestBody, arguments: &Value) -> Result<Option<Written>, String> {
    let written = match &body.shape {
        BodyShape::Whole(argument) => match argument.of(arguments) {
            Some(value) => Some(whole(&body.media, value).map_err(|why| about(argument, &why))?),
            None if body.required => return Err(missing(argument)),
            None => None,
        },
        BodyShape::Members(members) => {
            let given: Vec<(&Member, &Value)> = members
                .iter()
                .filter_map(|member| Some((member, member.argument.of(arguments)?)))
                .collect();
            match given.is_empty() && !body.required {
                true => None,
                false => Some(of_members(&body.media, &given)?),
            }
        }
    };
    match written {
        Some((_, bytes)) if bytes.len() > BODY_BYTES_MAX => Err(too_long()),
        written => Ok(written),
    }
}

fn too_long() -> String {
    format!("its body is longer than {BODY_BYTES_MAX} bytes")
}

/// A body that is one argument.
fn whole(media: &Media, value: &Value) -> Result<Written, String> {
    let named = |fallback: &str| named(media, fallback);
    match media.kind {
        MediaKind::Json => Ok((named("application/json"), value.to_string().into_bytes())),
        MediaKind::Text => {
            let text = style::plain(value)?.into_owned().into_bytes();
            Ok((named("text/plain"), text))
        }
        MediaKind::Binary => {
            let file = File::read(value)?;
            let own = file.media_type.filter(|_| media.name.contains('*'));
            let media_type = own.unwrap_or_else(|| named("application/octet-stream"));
            Ok((media_type, file.bytes))
        }
        MediaKind::Form | MediaKind::Multipart => match value {
            Value::Object(members) => open_form(media, members),
            _ => Err("it is no object".to_owned()),
        },
    }
}

/// The type that the body is sent as: a range such as `*/*` names none.
fn named(media: &Media, fallback: &str) -> String {
    match media.name.contains('*') {
        true => fallback.to_owned(),
        false => media.name.clone(),
    }
}

/// A body whose members the caller names.
fn open_form(media: &Media, members: &Map<String, Value>) -> Result<Written, String> {
    let mut parts = Vec::new();
    let mut pairs = Pairs::new("&", BODY_BYTES_MAX, []);
    for (name, value) in members {
        style::member_name(name)?;
        let inside = |why: String| format!("its member `{name}`: {why}");
        let encoding = media.encoding.get(name);
        match media.kind {
            MediaKind::Multipart => {
                let is_file = value.get("base64").is_some();
                parts_of(&mut parts, (name, is_file), value, encoding).map_err(inside)?;
            }
            _ => pair_of(&mut pairs, name, value, encoding).map_err(inside)?,
        }
    }
    match media.kind {
        MediaKind::Multipart => multipart(&media.name, &parts),
        _ => Ok((media.name.clone(), form_text(pairs))),
    }
}

fn of_members(media: &Media, given: &[(&Member, &Value)]) -> Result<Written, String> {
    match media.kind {
        MediaKind::Form => {
            let taken = given.iter().map(|(member, _)| member.name.clone());
            let mut pairs = Pairs::new("&", BODY_BYTES_MAX, taken);
            for (member, value) in given {
                let encoding = media.encoding.get(&member.name);
                pair_of(&mut pairs, &member.name, value, encoding)
                    .map_err(|why| about(&member.argument, &why))?;
            }
            Ok((media.name.clone(), form_text(pairs)))
        }
        MediaKind::Multipart => {
            let mut parts = Vec::new();
            for (member, value) in given {
                let encoding = media.encoding.get(&member.name);
                parts_of(&mut parts, (&member.name, member.blob), value, encoding)
                    .map_err(|why| about(&member.argument, &why))?;
            }
            multipart(&media.name, &parts)
        }
        MediaKind::Json | MediaKind::Text | MediaKind::Binary => {
            let member =
                |(member, value): &(&Member, &Value)| (member.name.clone(), (*value).clone());
            let object: Map<String, Value> = given.iter().map(member).collect();
            whole(media, &Value::Object(object))
        }
    }
}

fn form_text(pairs: Pairs) -> Vec<u8> {
    pairs.finish().unwrap_or_default().into_bytes()
}

/// One member of a form. Where the description does not say how, a list repeats its name, and what
/// is deeper travels as JSON.
fn pair_of(
    pairs: &mut Pairs,
    name: &str,
    value: &Value,
    encoding: Option<&Encoding>,
) -> Result<(), String> {
    if let Some((encoding, style)) = encoding.and_then(|it| Some((it, it.style?))) {
        let manner = Manner {
            style,
            explode: encoding.explode.unwrap_or(style == Style::Form),
            // What is reserved in a URL separates the members of a form.
            allow_reserved: false,
        };
        return pairs.add(name, value, manner);
    }
    let own = style::escaped(name);
    match value {
        Value::Array(items) if items.is_empty() => {
            Err("it is empty, which has no form there: leave it out".to_owned())
        }
        Value::Array(items) => items.iter().try_for_each(|item| {
            let text = document(item)?;
            pairs.push(&own, &style::escaped(&text))
        }),
        one => pairs.push(&own, &style::escaped(&document(one)?)),
    }
}

/// A plain value as it is, a deeper one as JSON.
fn document(value: &Value) -> Result<String, String> {
    match value {
        Value::Array(_) | Value::Object(_) => Ok(value.to_string()),
        plain => Ok(style::plain(plain)?.into_owned()),
    }
}

/// A part of a multipart body.
#[derive(Debug)]
struct Part {
    name: String,
    file: Option<String>,
    media_type: Option<String>,
    bytes: Vec<u8>,
}

fn parts_of(
    parts: &mut Vec<Part>,
    (name, is_file): (&str, bool),
    value: &Value,
    encoding: Option<&Encoding>,
) -> Result<(), String> {
    if let Some(encoding) = encoding.filter(|it| it.style.is_some() && !is_file) {
        return styled_parts(parts, name, value, encoding);
    }
    let stated = encoding.and_then(|it| it.content_type.clone());
    let stated = stated.filter(|kind| !kind.contains(['*', ',']));
    match value {
        Value::Array(items) if items.is_empty() => {
            Err("it is empty, which has no form there: leave it out".to_owned())
        }
        Value::Array(items) => {
            for item in items {
                parts.push(part(name, is_file, item, stated.clone())?);
            }
            Ok(())
        }
        one => {
            parts.push(part(name, is_file, one, stated)?);
            Ok(())
        }
    }
}

/// A member that is written by a style, as in a form (OpenAPI 3.1, 4.8.15): the same pairs, and
/// nothing of them escaped.
fn styled_parts(
    parts: &mut Vec<Part>,
    name: &str,
    value: &Value,
    encoding: &Encoding,
) -> Result<(), String> {
    let mut pairs = Pairs::new("&", BODY_BYTES_MAX, []);
    pair_of(&mut pairs, name, value, Some(encoding))?;
    let text = pairs.finish().unwrap_or_default();
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parts.push(Part {
            name: quoted(&plain(name)),
            file: None,
            media_type: None,
            bytes: plain(value).into_bytes(),
        });
    }
    Ok(())
}

fn part(name: &str, is_file: bool, value: &Value, stated: Option<String>) -> Result<Part, String> {
    let name = quoted(name);
    if is_file {
        let file = File::read(value)?;
        let fallback = || Some("application/octet-stream".to_owned());
        return Ok(Part {
            file: Some(quoted(file.name.as_deref().unwrap_or("file"))),
            media_type: file.media_type.or(stated).or_else(fallback),
            bytes: file.bytes,
            name,
        });
    }
    let deep = value.is_array() || value.is_object();
    let json = || deep.then(|| "application/json".to_owned());
    Ok(Part {
        file: None,
        media_type: stated.or_else(json),
        bytes: document(value)?.into_bytes(),
        name,
    })
}

/// A name inside quotes, as browsers write it (WHATWG HTML, multipart/form-data).
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn multipart(media_type: &str, parts: &[Part]) -> Result<Written, String> {
    let size: usize = parts.iter().map(|part| part.bytes.len()).sum();
    if size > BODY_BYTES_MAX {
        return Err(too_long());
    }
    let boundary = boundary(parts);
    let mut bytes = Vec::new();
    for part in parts {
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            part.name
        );
        if let Some(file) = &part.file {
            head.push_str(&format!("; filename=\"{file}\""));
        }
        if let Some(media_type) = &part.media_type {
            head.push_str(&format!("\r\nContent-Type: {media_type}"));
        }
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&part.bytes);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("{media_type}; boundary={boundary}"), bytes))
}

/// INVARIANT: it stands in none of the parts. It is a digest of all of them: to write a part that
/// holds it, one would have to know the digest of a text that holds that digest.
fn boundary(parts: &[Part]) -> String {
    let mut all = Vec::new();
    for part in parts {
        all.extend_from_slice(Digest::of(&part.bytes).to_string().as_bytes());
        all.extend_from_slice(part.name.as_bytes());
    }
    let digest = Digest::of(&all).to_string();
    let hex: String = digest.chars().filter(char::is_ascii_hexdigit).collect();
    format!(
        "toolgate-{}",
        hex.get(hex.len().saturating_sub(40)..).unwrap_or(&hex)
    )
}

/// A file as an argument carries it.
struct File {
    bytes: Vec<u8>,
    name: Option<String>,
    media_type: Option<String>,
}

impl File {
    /// Reads `{"base64": "…", "name": "…", "type": "…"}`.
    fn read(value: &Value) -> Result<Self, String> {
        const FORM: &str =
            "it is no file: write {\"base64\": \"…\", \"name\": \"…\", \"type\": \"…\"}";
        let Value::Object(members) = value else {
            return Err(FORM.to_owned());
        };
        let text = |key: &str| match members.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("its `{key}` is no text")),
        };
        if members
            .keys()
            .any(|key| !matches!(key.as_str(), "base64" | "name" | "type"))
        {
            return Err(FORM.to_owned());
        }
        let base64 = text("base64")?.ok_or_else(|| FORM.to_owned())?;
        let bytes = STANDARD
            .decode(base64)
            .map_err(|error| format!("its `base64` cannot be read: {error}"))?;
        Ok(Self {
            bytes,
            name: text("name")?,
            media_type: text("type")?.map(media_type).transpose()?,
        })
    }
}

/// A media type that is one, and no header besides.
fn media_type(text: String) -> Result<String, String> {
    let token = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(plain)
    };
    match text.split_once('/') {
        Some((family, rest)) if token(family) && token(rest) => Ok(text),
        _ => Err(format!(
            "its `type` `{text}` is no media type such as `application/pdf`"
        )),
    }
}
