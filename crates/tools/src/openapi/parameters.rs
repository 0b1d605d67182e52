//! The parameters of one operation, those of its path among them.
//!
//! ```json
//! {"name": "expand", "in": "query", "style": "form", "explode": false, "schema": {"type": "array"}}
//! ```
//! A parameter of the operation replaces one of its path with the same name and place. What only the
//! gate or the transport may set is no parameter: credentials, `Host`, lengths, and whatever makes a
//! server take one method or address for another.
//!
//! Must not know: arguments, bodies but that Swagger 2.0 calls them parameters.

use serde_json::Value;

use super::document::Dialect;
use super::operation::{Place, Scheme, Style};
use super::path::Template;
use super::reference::References;

/// LIMIT: parameters of one operation; the most measured are 44.
const PARAMETERS_MAX: usize = 500;
/// LIMIT: bytes of a name.
const NAME_BYTES_MAX: usize = 256;

/// Headers that no argument may set.
const FORBIDDEN_HEADERS: [&str; 30] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Parameters by which some servers take one method for another.
const METHOD_PARAMETERS: [&str; 3] = ["_method", "x-http-method-override", "x-method-override"];

/// A parameter as the description declares it.
#[derive(Clone, Debug)]
pub(super) struct Declared<'d> {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) required: bool,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) allow_reserved: bool,
    pub(super) content: Option<String>,
    /// What its value is; none where the description does not say.
    pub(super) schema: Option<&'d Value>,
    pub(super) description: &'d str,
}

/// All that stands under `parameters`.
#[derive(Debug, Default)]
pub(super) struct Parameters<'d> {
    pub(super) declared: Vec<Declared<'d>>,
    /// Swagger 2.0: the body, and the fields of a form.
    pub(super) body: Option<&'d Value>,
    pub(super) form: Vec<&'d Value>,
}

/// What reading needs to know besides.
#[derive(Clone, Copy)]
pub(super) struct Setting<'s, 'd> {
    pub(super) dialect: Dialect,
    pub(super) references: References<'d>,
    /// The schemes that the operation may be called with: what they name is the gate's own.
    pub(super) schemes: &'s [&'s Scheme],
}

/// Reads the lists of a path and of an operation on it.
///
/// # Errors
/// Which of them is wrong, and how.
pub(super) fn read<'d>(
    setting: Setting<'_, 'd>,
    template: &Template,
    lists: [Option<&'d Value>; 2],
) -> Result<Parameters<'d>, String> {
    let mut found = Parameters::default();
    for item in items(lists)? {
        let item = setting.references.resolve(item)?;
        match item.get("in").and_then(Value::as_str) {
            Some("body") if setting.dialect == Dialect::V2 => found.body = Some(item),
            Some("formData") if setting.dialect == Dialect::V2 => {
                let other = |known: &&Value| known.get("name") != item.get("name");
                found.form.retain(other);
                found.form.push(item);
            }
            _ => {
                let one = declared(setting.dialect, item)?;
                let same =
                    |known: &Declared<'_>| (&known.name, known.place) == (&one.name, one.place);
                found.declared.retain(|known| !same(known));
                found.declared.push(one);
            }
        }
    }
    found.declared.retain(|one| !is_forbidden(setting, one));
    of_template(template, &mut found.declared);
    Ok(found)
}

fn items(lists: [Option<&Value>; 2]) -> Result<Vec<&Value>, String> {
    let mut all = Vec::new();
    for list in lists.into_iter().flatten() {
        let list = list
            .as_array()
            .ok_or_else(|| "its `parameters` are no list".to_owned())?;
        all.extend(list);
    }
    let count = all.len();
    (count <= PARAMETERS_MAX)
        .then_some(all)
        .ok_or_else(|| format!("it has {count} parameters, more than the {PARAMETERS_MAX} allowed"))
}

fn declared(dialect: Dialect, item: &Value) -> Result<Declared<'_>, String> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let flag = |key: &str| item.get(key).and_then(Value::as_bool);
    let name = text("name").ok_or_else(|| "one of its parameters has no name".to_owned())?;
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || super::text::line(name, NAME_BYTES_MAX) != name
    {
        return Err(
            "the name of one of its parameters is empty, too long or has something invisible in it"
                .to_owned(),
        );
    }
    let place = text("in").and_then(Place::parse);
    let place = place.ok_or_else(|| format!("its parameter `{name}` has no place in a request"))?;
    if place == Place::Header && reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(format!("its parameter `{name}` is no name of a header"));
    }
    let (style, explode) = style(dialect, item, place)
        .ok_or_else(|| format!("its parameter `{name}` is written in no way that its place has"))?;
    let content = item.get("content").and_then(Value::as_object);
    let content = content.and_then(|content| content.iter().min_by_key(|(name, _)| *name));
    Ok(Declared {
        place,
        required: place == Place::Path || flag("required") == Some(true),
        style,
        explode,
        allow_reserved: place == Place::Query && flag("allowReserved") == Some(true),
        schema: match (dialect, content) {
            (Dialect::V2, _) => Some(item),
            (_, Some((_, media))) => media.get("schema"),
            (_, None) => item.get("schema"),
        },
        content: content.map(|(name, _)| name.clone()),
        description: text("description").unwrap_or_default(),
        name: name.to_owned(),
    })
}

/// How it is written; none where that is not what its place knows.
fn style(dialect: Dialect, item: &Value, place: Place) -> Option<(Style, bool)> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let (usual, known): (Style, &[Style]) = match place {
        Place::Path => (Style::Simple, &[Style::Simple, Style::Label, Style::Matrix]),
        Place::Query => (
            Style::Form,
            &[
                Style::Form,
                Style::SpaceDelimited,
                Style::PipeDelimited,
                Style::DeepObject,
            ],
        ),
        Place::Header => (Style::Simple, &[Style::Simple]),
        Place::Cookie => (Style::Form, &[Style::Form]),
    };
    if dialect == Dialect::V2 {
        return match text("collectionFormat") {
            None | Some("csv") => Some((usual, false)),
            Some("multi") if place == Place::Query => Some((Style::Form, true)),
            Some("ssv") if place == Place::Query => Some((Style::SpaceDelimited, false)),
            Some("pipes") if place == Place::Query => Some((Style::PipeDelimited, false)),
            Some(_) => None,
        };
    }
    let style = match text("style") {
        Some(style) => Style::parse(style)?,
        None => usual,
    };
    let explode = item.get("explode").and_then(Value::as_bool);
    known
        .contains(&style)
        .then(|| (style, explode.unwrap_or(style == Style::Form)))
}

fn is_forbidden(setting: Setting<'_, '_>, one: &Declared<'_>) -> bool {
    let lower = one.name.to_ascii_lowercase();
    let named = setting.schemes.iter().any(|scheme| match scheme {
        Scheme::ApiKey { place, name } => {
            *place == one.place && name.eq_ignore_ascii_case(&one.name)
        }
        Scheme::Bearer | Scheme::Basic | Scheme::Other => false,
    });
    let listed = match one.place {
        Place::Header => FORBIDDEN_HEADERS.contains(&lower.as_str()),
        Place::Query => METHOD_PARAMETERS.contains(&lower.as_str()),
        Place::Path | Place::Cookie => false,
    };
    named || listed
}

/// Whether a member of a form is one that makes servers take one method for another.
pub(super) fn overrides_method(name: &str) -> bool {
    METHOD_PARAMETERS.contains(&name.to_ascii_lowercase().as_str())
}

/// What the template names is a parameter, declared or not; what it does not name has no place.
fn of_template(template: &Template, declared: &mut Vec<Declared<'_>>) {
    let named = |name: &String| template.parameters().any(|known| known == name);
    declared.retain(|one| one.place != Place::Path || named(&one.name));
    for name in template.parameters() {
        let known = |one: &Declared<'_>| one.place == Place::Path && one.name == *name;
        if !declared.iter().any(known) {
            declared.push(Declared {
                name: name.clone(),
                place: Place::Path,
                required: true,
                style: Style::Simple,
                explode: false,
                allow_reserved: false,
                content: None,
                schema: None,
                description: "",
            });
        }
    }
}
