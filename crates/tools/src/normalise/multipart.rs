//! Bodies of several parts: forms with files, and metadata beside an upload.
//!
//! `multipart/form-data` names its parts, `multipart/related` (uploads to Google Drive) does not:
//! its JSON part gives the parameters. A part is text; one that names a file is judged by its name
//! and its text. Parts whose headers could hide their content are refused.
//!
//! Must not know: which services there are.

use serde_json::{Map, Value};
use toolgate_model::json::{Limits, Numbers, parse};

use super::refusal::Refusal;

/// LIMIT: as many parts as a form with files may have.
const PARTS_MAX: usize = 100;

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The name of the field; empty where the parts have none.
    pub(super) name: String,
    /// The name of the file.
    pub(super) filename: Option<String>,
    /// Its content type.
    pub(super) media: Option<String>,
    /// What it says.
    pub(super) text: String,
}

/// Takes the parts out of a body.
///
/// # Errors
/// A [`Refusal`] where the boundary is missing or the parts cannot be told from each other.
pub(super) fn read(text: &str, boundary: Option<&str>) -> Result<Vec<Part>, Refusal> {
    let told = |what: &str| Refusal::at("body", what);
    let plain = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=?".contains(c);
    let boundary = boundary
        .filter(|text| (1..=70).contains(&text.len()) && text.chars().all(plain))
        .ok_or_else(|| told("has parts, but its content type names no plain boundary"))?;
    let text = text.replace("\r\n", "\n");
    let opening = format!("--{boundary}\n");
    let rest = text
        .strip_prefix(&opening)
        .ok_or_else(|| told("does not begin with its boundary"))?;
    let (inner, end) = rest
        .rsplit_once(&format!("\n--{boundary}--"))
        .ok_or_else(|| told("does not end with its boundary"))?;
    if !end.trim().is_empty() {
        return Err(told("has more after its last part"));
    }
    let pieces: Vec<&str> = inner.split(&format!("\n{opening}")).collect();
    if pieces.len() > PARTS_MAX {
        return Err(told("has more parts than are allowed"));
    }
    // A boundary with spaces behind it is one to some readers.
    if pieces
        .iter()
        .any(|piece| piece.contains(&format!("--{boundary}")))
    {
        return Err(told("has its boundary inside a part"));
    }
    pieces.into_iter().map(part).collect()
}

/// The parts as parameters: texts by name, and the members of a JSON part that has no name.
///
/// # Errors
/// A [`Refusal`] that names what is given twice, differently.
pub(super) fn fields(parts: &[Part]) -> Result<Map<String, Value>, Refusal> {
    let mut fields = Map::new();
    for part in parts {
        let json = part
            .media
            .as_deref()
            .is_some_and(|media| media.starts_with("application/json"));
        if part.name.is_empty() && json {
            let value =
                parse(part.text.as_bytes(), Limits::CALL, Numbers::Exact).map_err(|error| {
                    Refusal::at("body", format!("has a part that is no JSON: {error}"))
                })?;
            for (name, value) in value.as_object().cloned().unwrap_or_default() {
                put(&mut fields, &name, value)?;
            }
            continue;
        }
        let name = if part.name.is_empty() {
            "content"
        } else {
            part.name.as_str()
        };
        put(&mut fields, name, Value::from(part.text.as_str()))?;
        if let Some(file) = &part.filename {
            put(&mut fields, "filename", Value::from(file.as_str()))?;
        }
    }
    Ok(fields)
}

/// The body written again.
pub(super) fn text(parts: &[Part], boundary: &str) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(&format!("--{boundary}\r\n"));
        if !part.name.is_empty() {
            text.push_str(&format!(
                "Content-Disposition: form-data; name=\"{}\"",
                part.name
            ));
            if let Some(file) = &part.filename {
                text.push_str(&format!("; filename=\"{file}\""));
            }
            text.push_str("\r\n");
        }
        if let Some(media) = &part.media {
            text.push_str(&format!("Content-Type: {media}\r\n"));
        }
        text.push_str(&format!("\r\n{}\r\n", part.text));
    }
    text.push_str(&format!("--{boundary}--\r\n"));
    text
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Refusal> {
    match fields.get(name) {
        Some(known) if *known != value => Err(Refusal::twice(name)),
        _ => {
            fields.insert(name.to_owned(), value);
            Ok(())
        }
    }
}

fn part(piece: &str) -> Result<Part, Refusal> {
    let told = |what: &str| Refusal::at("body", what);
    // A part without headers begins with the empty line itself.
    let (head, text) = match piece.strip_prefix('\n') {
        Some(text) => ("", text),
        None => piece
            .split_once("\n\n")
            .ok_or_else(|| told("has a part without headers"))?,
    };
    let mut part = Part {
        name: String::new(),
        filename: None,
        media: None,
        text: text.to_owned(),
    };
    for line in head.split('\n') {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" if part.name.is_empty() => {
                part.name = quoted(value, "name")?.unwrap_or_default();
                part.filename = quoted(value, "filename")?;
            }
            "content-type" if part.media.is_none() => part.media = Some(media(value)?),
            "content-length" | "mime-version" | "" => {}
            _ => return Err(told("has a part with a header that could hide its content")),
        }
    }
    Ok(part)
}

fn media(value: &str) -> Result<String, Refusal> {
    let value = value.trim().to_ascii_lowercase();
    match value.split_once("charset=") {
        Some((_, set)) if set.trim_matches('"') != "utf-8" => Err(Refusal::at(
            "body",
            "has a part in a character set other than UTF-8",
        )),
        _ => Ok(value),
    }
}

/// `name="…"` of a disposition; one that is written in another way is refused.
fn quoted(value: &str, name: &str) -> Result<Option<String>, Refusal> {
    let told = || Refusal::at("body", "has a part whose name can be read in two ways");
    let mut found = None;
    for piece in value.split(';').skip(1) {
        let (key, text) = piece.split_once('=').ok_or_else(told)?;
        let key = key.trim().to_ascii_lowercase();
        let inner = text
            .trim()
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        let inner = inner
            .filter(|inner| !inner.contains(['"', '\\']))
            .ok_or_else(told)?;
        match key.as_str() {
            "name" | "filename" => {}
            _ => return Err(told()),
        }
        if key == name && found.replace(inner.to_owned()).is_some() {
            return Err(told());
        }
    }
    Ok(found)
}
