//! The body of a request, read as its receiver reads it.
//!
//! A JSON object gives its members, a form its fields, a multipart body its text parts; anything
//! else is one text. A body that its content type calls one thing and that reads as another is
//! refused: services that ignore the content type would see what was not judged.
//!
//! Must not know: which services there are, what the fields mean.

use serde_json::{Map, Value};
use toolgate_model::json::{Limits, Numbers, parse};

use super::headers::Headers;
use super::multipart::{self, Part};
use super::pairs::Pairs;
use super::refusal::Refusal;

/// What a service takes for a body whatever the content type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// What the content type says.
    AsTyped,
    /// JSON, with any content type.
    Json,
    /// A form, with any content type.
    Form,
}

/// A body that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// None.
    Nothing,
    /// JSON of any kind.
    Json(Value),
    /// Names and values.
    Form(Pairs),
    /// Parts, each under a name; with the boundary between them.
    Multipart(Vec<Part>, String),
    /// Anything else: its content type and its text.
    Text(String),
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// A [`Refusal`] where it does not read as what it must be, or reads as two things.
    pub(super) fn read(body: &Value, headers: &Headers, speaks: Speaks) -> Result<Self, Refusal> {
        let typed = Typed::read(headers.get("content-type"))?;
        match body {
            Value::Null => Ok(Self::Nothing),
            Value::String(text) if text.is_empty() => Ok(Self::Nothing),
            Value::String(text) => Self::written(text, &typed, speaks),
            value => Self::given(value, &typed, speaks),
        }
    }

    fn written(text: &str, typed: &Typed, speaks: Speaks) -> Result<Self, Refusal> {
        let (media, uploads) = (typed.media.as_str(), typed.is_upload());
        match speaks {
            _ if typed.is_multipart() => {
                let boundary = typed.boundary.as_deref();
                let parts = multipart::read(text, boundary)?;
                let boundary = boundary.unwrap_or_default().to_owned();
                Ok(Self::Multipart(parts, boundary))
            }
            Speaks::Json if !uploads => json(text).map(Self::Json),
            Speaks::Form if !uploads && !typed.is_json() => form(text),
            _ if typed.is_json() => json(text).map(Self::Json),
            _ if media == FORM => form(text),
            Speaks::AsTyped if media.is_empty() => {
                let what = "is a text without a `Content-Type` that says how to read it";
                Err(Refusal::at("body", what))
            }
            _ if is_json(text) => {
                let what = format!("reads as JSON, but its content type is `{media}`");
                Err(Refusal::at("body", what))
            }
            _ => Ok(Self::Text(text.to_owned())),
        }
    }

    /// A body that came as JSON and is written as what the content type says.
    fn given(value: &Value, typed: &Typed, speaks: Speaks) -> Result<Self, Refusal> {
        let form = typed.media == FORM || speaks == Speaks::Form && typed.media.is_empty();
        match value {
            Value::Object(fields) if form => fields_of(fields),
            _ if typed.media.is_empty() || typed.is_json() || speaks == Speaks::Json => {
                Ok(Self::Json(value.clone()))
            }
            _ => {
                let what = format!("is JSON, but its content type is `{}`", typed.media);
                Err(Refusal::at("body", what))
            }
        }
    }

    /// The parameters in it. What has no names is `body`.
    ///
    /// # Errors
    /// A [`Refusal`] that names a field with two values.
    pub(super) fn fields(&self) -> Result<Map<String, Value>, Refusal> {
        match self {
            Self::Nothing => Ok(Map::new()),
            Self::Json(Value::Object(members)) => Ok(members.clone()),
            Self::Json(other) => Ok(Map::from_iter([("body".to_owned(), other.clone())])),
            Self::Form(pairs) => pairs.object(&[]),
            Self::Multipart(parts, _) => multipart::fields(parts),
            Self::Text(text) => Ok(Map::from_iter([("body".to_owned(), Value::from(&**text))])),
        }
    }

    /// The body written again from what was read.
    pub(super) fn rebuilt(&self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            // A JSON text would be taken for a raw body, so it is written out.
            Self::Json(text @ Value::String(_)) => Value::from(text.to_string()),
            Self::Json(value) => value.clone(),
            Self::Form(pairs) => Value::from(pairs.text()),
            Self::Multipart(parts, boundary) => Value::from(multipart::text(parts, boundary)),
            Self::Text(text) => Value::from(text.as_str()),
        }
    }

    /// The fields of a form, each name with its value; nothing for any other body.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        match self {
            Self::Form(pairs) => pairs.iter().map(own).collect(),
            Self::Nothing | Self::Json(_) | Self::Multipart(..) | Self::Text(_) => Vec::new(),
        }
    }

    /// Whether it has a field of such a name.
    pub(super) fn has(&self, named: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Form(pairs) => pairs.iter().any(|(name, _)| named(name)),
            Self::Multipart(parts, _) => parts.iter().any(|part| named(&part.name)),
            Self::Json(Value::Object(members)) => members.keys().any(|name| named(name)),
            Self::Nothing | Self::Json(_) | Self::Text(_) => false,
        }
    }

    /// Takes out fields of these names and tells which were there.
    pub(super) fn withhold(&mut self, names: &[&str]) -> Vec<String> {
        match self {
            Self::Form(pairs) => pairs.withhold(names),
            Self::Json(Value::Object(members)) => {
                let listed = |name: &&str| members.contains_key(*name);
                let found: Vec<&str> = names.iter().copied().filter(|name| listed(name)).collect();
                members.retain(|name, _| !found.contains(&name.as_str()));
                found.into_iter().map(str::to_owned).collect()
            }
            Self::Multipart(parts, _) => {
                let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(parts)
                    .into_iter()
                    .partition(|part| names.contains(&part.name.as_str()));
                *parts = kept;
                taken.into_iter().map(|part| part.name).collect()
            }
            Self::Nothing | Self::Json(_) | Self::Text(_) => Vec::new(),
        }
    }

    /// The content type that it is sent with instead of the given one.
    pub(super) fn content_type(&self, given: &str) -> Option<String> {
        match self {
            Self::Nothing | Self::Text(_) => None,
            Self::Json(_) if given.to_ascii_lowercase().contains("json") => None,
            Self::Json(_) => Some("application/json".to_owned()),
            Self::Form(_) => Some(FORM.to_owned()),
            Self::Multipart(_, boundary) => {
                let media = given.split(';').next().unwrap_or_default().trim();
                Some(format!("{media}; boundary={boundary}"))
            }
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A content type.
struct Typed {
    media: String,
    boundary: Option<String>,
}

impl Typed {
    fn read(header: Option<&str>) -> Result<Self, Refusal> {
        let mut parts = header.unwrap_or_default().split(';');
        let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut boundary = None;
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "charset" if !value.eq_ignore_ascii_case("utf-8") => {
                    let what = "names a character set other than UTF-8";
                    return Err(Refusal::at("header content-type", what));
                }
                "boundary" if boundary.is_none() => boundary = Some(value.to_owned()),
                "boundary" => return Err(Refusal::twice("boundary")),
                _ => {}
            }
        }
        Ok(Self { media, boundary })
    }

    fn is_json(&self) -> bool {
        let media = self.media.as_str();
        media == "application/json"
            || media.starts_with("application/x-amz-json-")
            || media.starts_with("application/") && media.ends_with("+json")
    }

    fn is_multipart(&self) -> bool {
        self.media.starts_with("multipart/")
    }

    /// Whether the body is a file and not parameters, also for a service that speaks one thing.
    fn is_upload(&self) -> bool {
        let media = self.media.as_str();
        let kinds = ["image/", "audio/", "video/", "message/", "font/"];
        kinds.iter().any(|kind| media.starts_with(kind))
            || [
                "application/octet-stream",
                "application/zip",
                "application/gzip",
            ]
            .contains(&media)
    }
}

fn json(text: &str) -> Result<Value, Refusal> {
    parse(text.as_bytes(), Limits::CALL, Numbers::Exact)
        .map_err(|error| Refusal::at("body", format!("does not read as JSON: {error}")))
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && json(text).is_ok()
}

fn form(text: &str) -> Result<Body, Refusal> {
    if text.trim_start().starts_with(['{', '[', '<']) {
        return Err(Refusal::at(
            "body",
            "is no form: name its real content type",
        ));
    }
    Pairs::read(text, "body").map(Body::Form)
}

/// Members as fields of a form: plain values, and lists of them under `name[]`.
fn fields_of(members: &Map<String, Value>) -> Result<Body, Refusal> {
    let mut pairs = Vec::new();
    for (name, value) in members {
        flatten(name.clone(), value, &mut pairs, FORM_DEPTH_MAX)?;
    }
    Pairs::of(pairs, "body").map(Body::Form)
}

/// LIMIT: levels of members in a form: the deepest of a known service has five.
const FORM_DEPTH_MAX: usize = 8;

fn flatten(
    name: String,
    value: &Value,
    pairs: &mut Vec<(String, String)>,
    depth: usize,
) -> Result<(), Refusal> {
    if depth == 0 {
        return Err(Refusal::at("body", "is nested deeper than a form can be"));
    }
    match value {
        Value::Null => pairs.push((name, String::new())),
        Value::Bool(truth) => pairs.push((name, truth.to_string())),
        Value::Number(number) => pairs.push((name, number.to_string())),
        Value::String(text) => pairs.push((name, text.clone())),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(format!("{name}[{at}]"), item, pairs, depth - 1)?;
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                flatten(format!("{name}[{key}]"), member, pairs, depth - 1)?;
            }
        }
    }
    Ok(())
}
