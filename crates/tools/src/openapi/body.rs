//! The body of one operation: in which form it is sent, and which arguments make it.
//!
//! Of several forms the one is taken that says most in few words: JSON, a form, parts, a text, bytes.
//! A plain object gives an argument for each member; anything else is the one argument `body`.
//!
//! Must not know: parameters, how a body is written on the wire.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::keyword;
use super::operation::{Encoding, Media, MediaKind, Style};
use super::parameters;
use super::reference::References;
use super::schema::Kind;

/// LIMIT: parts of an `allOf` that are taken as one object, and how deep they stand.
const PARTS_MAX: usize = 64;
const PARTS_DEPTH_MAX: usize = 8;

/// A body as the description declares it.
#[derive(Clone, Debug)]
pub(super) struct DeclaredBody<'d> {
    pub(super) required: bool,
    pub(super) media: Media,
    pub(super) shape: Shape<'d>,
    pub(super) description: &'d str,
}

/// What a body is.
#[derive(Clone, Debug)]
pub(super) enum Shape<'d> {
    /// One value.
    Whole(Kind<'d>),
    /// An object of these.
    Members(Vec<Part<'d>>),
}

/// One member.
#[derive(Clone, Debug)]
pub(super) struct Part<'d> {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) kind: Kind<'d>,
    pub(super) description: &'d str,
}

/// Reads `requestBody`, as OpenAPI 3 has it.
///
/// # Errors
/// Why the operation cannot be called.
pub(super) fn read<'d>(
    references: References<'d>,
    body: &'d Value,
) -> Result<Option<DeclaredBody<'d>>, String> {
    let body = references.resolve(body)?;
    let Some(content) = body.get("content").and_then(Value::as_object) else {
        return Ok(None);
    };
    let preferred = content.iter().min_by_key(|(name, _)| preference(name));
    let Some((name, media)) = preferred else {
        return Ok(None);
    };
    let kind = kind(name);
    let schema = media.get("schema");
    Ok(Some(DeclaredBody {
        required: body.get("required").and_then(Value::as_bool) == Some(true),
        shape: shape(references, kind, schema)?,
        media: Media {
            name: concrete(name, kind),
            kind,
            encoding: encodings(media),
        },
        description: words(body),
    }))
}

/// Makes a body of what Swagger 2.0 calls parameters.
///
/// # Errors
/// Why the operation cannot be called.
pub(super) fn read_v2<'d>(
    references: References<'d>,
    (body, form): (Option<&'d Value>, &[&'d Value]),
    consumes: &[&str],
) -> Result<Option<DeclaredBody<'d>>, String> {
    if let Some(body) = body {
        let json = "application/json";
        let name = consumes.iter().min_by_key(|name| preference(name));
        let name = name.copied().unwrap_or(json);
        let kind = match kind(name) {
            MediaKind::Form | MediaKind::Multipart => MediaKind::Json,
            kind => kind,
        };
        let schema = body.get("schema");
        return Ok(Some(DeclaredBody {
            required: is_required(body),
            shape: shape(references, kind, schema)?,
            media: media(concrete(name, kind), kind),
            description: words(body),
        }));
    }
    if form.is_empty() {
        return Ok(None);
    }
    let is_file = |field: &Value| field.get("type").and_then(Value::as_str) == Some("file");
    let parts = consumes
        .iter()
        .any(|name| kind(name) == MediaKind::Multipart);
    let fields: Result<Vec<Part<'d>>, String> = form.iter().map(|field| part_v2(field)).collect();
    let fields = fields?;
    let (name, kind) = match parts || form.iter().any(|field| is_file(field)) {
        true => ("multipart/form-data", MediaKind::Multipart),
        false => ("application/x-www-form-urlencoded", MediaKind::Form),
    };
    Ok(Some(DeclaredBody {
        required: fields.iter().any(|field| field.required),
        media: media(name.to_owned(), kind),
        shape: Shape::Members(allowed(fields)),
        description: "",
    }))
}

fn part_v2(field: &Value) -> Result<Part<'_>, String> {
    let name = field.get("name").and_then(Value::as_str);
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| "a field of its form has no name".to_owned())?;
    let file = field.get("type").and_then(Value::as_str) == Some("file");
    Ok(Part {
        name: name.to_owned(),
        required: is_required(field),
        kind: if file {
            Kind::File
        } else {
            Kind::Of(Some(field))
        },
        description: words(field),
    })
}

fn shape<'d>(
    references: References<'d>,
    kind: MediaKind,
    schema: Option<&'d Value>,
) -> Result<Shape<'d>, String> {
    let whole = match kind {
        MediaKind::Json | MediaKind::Form | MediaKind::Multipart => Kind::Of(schema),
        MediaKind::Text => Kind::Text,
        MediaKind::Binary => Kind::File,
    };
    let Some(schema) = schema.filter(|_| matches!(whole, Kind::Of(_))) else {
        return Ok(Shape::Whole(whole));
    };
    let mut object = Object::default();
    if !object.take(references, schema, 0)? || object.properties.is_empty() && object.open {
        return Ok(Shape::Whole(whole));
    }
    let (properties, required) = (object.properties, object.required);
    let mut parts = Vec::new();
    for (name, schema) in properties {
        let resolved = references.resolve(schema)?;
        if keyword::is_read_only(schema) || keyword::is_read_only(resolved) {
            continue;
        }
        let blob = (kind == MediaKind::Multipart).then(|| blob(references, resolved));
        parts.push(Part {
            required: required.contains(name.as_str()),
            kind: blob.flatten().unwrap_or(Kind::Of(Some(schema))),
            description: words(schema),
            name: name.clone(),
        });
    }
    Ok(Shape::Members(allowed(parts)))
}

/// A plain object, put together from the parts of an `allOf`.
#[derive(Default)]
struct Object<'d> {
    properties: Vec<(&'d String, &'d Value)>,
    required: BTreeSet<&'d str>,
    open: bool,
    parts: usize,
}

impl<'d> Object<'d> {
    /// Takes in a part; whether it is one of a plain object.
    fn take(
        &mut self,
        references: References<'d>,
        schema: &'d Value,
        depth: usize,
    ) -> Result<bool, String> {
        self.parts += 1;
        let schema = references.resolve(schema)?;
        let Some(members) = schema.as_object() else {
            return Ok(false);
        };
        if self.parts > PARTS_MAX || depth > PARTS_DEPTH_MAX || !is_plain(members) {
            return Ok(false);
        }
        if let Some(Value::Object(properties)) = members.get("properties") {
            for (name, schema) in properties {
                // What two parts say of one member holds together; here only one of them would.
                if self.properties.iter().any(|(known, _)| *known == name) {
                    return Ok(false);
                }
                self.properties.push((name, schema));
            }
        }
        let required = members.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        self.required.extend(required);
        self.open |= members.get("properties").is_none();
        let parts = members.get("allOf").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            if !self.take(references, part, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a schema says nothing but which members an object has.
fn is_plain(members: &Map<String, Value>) -> bool {
    const FURTHER: [&str; 12] = [
        "$dynamicRef",
        "anyOf",
        "const",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "enum",
        "if",
        "minProperties",
        "not",
        "oneOf",
        "patternProperties",
    ];
    let object = match members.get("type") {
        None => true,
        Some(Value::String(kind)) => kind == "object",
        Some(_) => false,
    };
    let closed = match members.get("additionalProperties") {
        None | Some(Value::Bool(false)) => true,
        // `{}` is what generators write where nothing is meant.
        Some(Value::Object(anything)) => anything.is_empty(),
        Some(_) => false,
    };
    let nullable = members.get("nullable").and_then(Value::as_bool) == Some(true);
    object && closed && !nullable && !FURTHER.iter().any(|keyword| members.contains_key(*keyword))
}

/// What a part is that is bytes, or a list of such.
fn blob<'d>(references: References<'d>, schema: &'d Value) -> Option<Kind<'d>> {
    let is = |schema: &Value| {
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let format = matches!(text("format"), Some("binary" | "byte" | "base64"));
        let encoded = text("contentEncoding").is_some() || text("contentMediaType").is_some();
        let kind = text("type");
        kind == Some("file") || format && kind.is_none_or(|kind| kind == "string") || encoded
    };
    if is(schema) {
        return Some(Kind::File);
    }
    let items = references.resolve(schema.get("items")?).ok()?;
    is(items).then_some(Kind::Files)
}

fn allowed(mut parts: Vec<Part<'_>>) -> Vec<Part<'_>> {
    parts.retain(|part| !parameters::overrides_method(&part.name));
    parts
}

fn encodings(media: &Value) -> BTreeMap<String, Encoding> {
    let all = media.get("encoding").and_then(Value::as_object);
    let one = |(name, said): (&String, &Value)| {
        let text = |key: &str| said.get(key).and_then(Value::as_str);
        let flag = |key: &str| said.get(key).and_then(Value::as_bool);
        let encoding = Encoding {
            content_type: text("contentType").map(str::to_owned),
            style: text("style").and_then(Style::parse),
            explode: flag("explode"),
            allow_reserved: flag("allowReserved") == Some(true),
        };
        (name.clone(), encoding)
    };
    all.into_iter().flatten().map(one).collect()
}

fn media(name: String, kind: MediaKind) -> Media {
    Media {
        name,
        kind,
        encoding: BTreeMap::new(),
    }
}

/// How a media type is written.
fn kind(name: &str) -> MediaKind {
    let plain = name
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match plain.as_str() {
        "application/json" | "text/json" | "*/*" | "application/*" => MediaKind::Json,
        "application/x-www-form-urlencoded" => MediaKind::Form,
        "multipart/form-data" => MediaKind::Multipart,
        "application/xml" | "application/yaml" | "application/graphql" => MediaKind::Text,
        _ if plain.ends_with("+json") => MediaKind::Json,
        _ if plain.ends_with("+xml") || plain.ends_with("+yaml") => MediaKind::Text,
        _ if plain.starts_with("text/") => MediaKind::Text,
        _ => MediaKind::Binary,
    }
}

/// The order in which media types are preferred; it does not hang on the order they stand in.
fn preference(name: &str) -> (MediaKind, bool, String) {
    let plain = name.split(';').next().unwrap_or_default().trim();
    (kind(name), plain != "application/json", name.to_owned())
}

/// A media type that a request can carry, where the description has a range of them.
fn concrete(name: &str, kind: MediaKind) -> String {
    match (name.contains('*'), kind) {
        (false, _) => name.to_owned(),
        (true, MediaKind::Json) => "application/json".to_owned(),
        (true, MediaKind::Text) => "text/plain".to_owned(),
        (true, _) => "application/octet-stream".to_owned(),
    }
}

fn is_required(value: &Value) -> bool {
    value.get("required").and_then(Value::as_bool) == Some(true)
}

fn words(value: &Value) -> &str {
    value
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
}
