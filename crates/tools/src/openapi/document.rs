//! A description of an HTTP API, read leniently: OpenAPI 3.0, 3.1 and Swagger 2.0, in JSON or YAML.
//!
//! ```text
//! text → value → for each path and method: template, parameters, body, schema → Entry, or Skipped
//! ```
//! Descriptions in the wild break their own rules, so only what a call needs has to be right. An
//! operation of which something is missing is skipped with the reason, and costs no other one.
//! Nothing outside of the text is ever looked at.
//!
//! Must not know: tools, ratings, how the API is reached.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use toolgate_model::json::{self, Limits, Numbers};

use super::entry::{self, Entry};
use super::operation::{Place, Scheme};
use super::pattern::Patterns;
use super::reference::References;
use super::schema::Schemas;
use super::yaml;

/// Bounds on one description.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of its text.
    pub(crate) bytes_max: usize,
    /// Operations in it; further ones are skipped.
    pub(crate) operations_max: usize,
    /// Bytes of the input schema of one tool; a larger one is told in outline.
    pub(crate) schema_bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            // LIMIT: the largest measured has 13 MB, spaces included.
            bytes_max: 32 << 20,
            // LIMIT: the largest measured has 1,223.
            operations_max: 10_000,
            // LIMIT: what a model can use; 99 in 100 operations measured need less than half of it.
            schema_bytes_max: 32 << 10,
        }
    }
}

/// LIMIT: levels of a description; those that were written without references have 60.
const DEPTH_MAX: usize = 120;

/// Which words a description uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V30,
    /// OpenAPI 3.1 and later, whose schemas are JSON Schema 2020-12.
    V31,
}

/// A description.
pub(crate) struct Document {
    /// Where it says the API is: nobody's permission to speak to it.
    pub(crate) servers: Vec<String>,
    /// What its security schemes ask for.
    pub(crate) schemes: BTreeMap<String, Scheme>,
    /// The version that it gives of the API.
    pub(crate) version: Option<String>,
    /// What can be called.
    pub(super) entries: Vec<Entry>,
    /// What cannot, and why.
    pub(super) skipped: Vec<Skipped>,
}

/// An operation that cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    /// `GET /pets`
    pub(super) key: String,
    /// Why.
    pub(super) reason: String,
}

/// The methods that a description may have on a path, as it writes them.
const METHODS: [&str; 9] = [
    "delete", "get", "head", "options", "patch", "post", "put", "query", "trace",
];

impl Document {
    /// Reads a description.
    ///
    /// # Errors
    /// Why the text is none, and where.
    pub(crate) fn read(text: &[u8], bounds: Bounds) -> Result<Self, String> {
        let root = value(text, bounds)?;
        let dialect = dialect(&root)?;
        let references = References::of(&root);
        let schemes = schemes(references, &root);
        let reading = Reading {
            root: &root,
            dialect,
            references,
            schemes: &schemes,
            schemas: Schemas {
                references,
                patterns: Patterns::default(),
                bytes_max: bounds.schema_bytes_max,
            },
        };
        let (entries, skipped) = reading.operations(bounds.operations_max);
        let version = root.pointer("/info/version").and_then(text_of);
        Ok(Self {
            servers: servers(dialect, &root),
            version,
            entries,
            skipped,
            schemes,
        })
    }

    /// How many operations it has, those that cannot be called among them.
    pub(crate) fn operations(&self) -> usize {
        self.entries.len() + self.skipped.len()
    }
}

/// A description while its operations are read.
pub(super) struct Reading<'d> {
    pub(super) root: &'d Value,
    pub(super) dialect: Dialect,
    pub(super) references: References<'d>,
    pub(super) schemes: &'d BTreeMap<String, Scheme>,
    pub(super) schemas: Schemas<'d>,
}

impl<'d> Reading<'d> {
    fn operations(&self, operations_max: usize) -> (Vec<Entry>, Vec<Skipped>) {
        let (mut entries, mut skipped) = (Vec::new(), Vec::new());
        let paths = self.root.get("paths").and_then(Value::as_object);
        let own = |path: &&String| !path.starts_with("x-");
        for (path, item) in sorted(paths).into_iter().filter(|(path, _)| own(path)) {
            for (method, operation) in self.of_path(path, item, &mut skipped) {
                let key = format!("{} {}", method.to_ascii_uppercase(), shown(path));
                if entries.len() + skipped.len() >= operations_max {
                    let reason = format!(
                        "it and what follows is beyond the {operations_max} operations allowed"
                    );
                    skipped.push(Skipped { key, reason });
                    return (entries, skipped);
                }
                match entry::read(self, (method, path), (item, operation)) {
                    Ok(entry) => entries.push(entry),
                    Err(reason) => skipped.push(Skipped { key, reason }),
                }
            }
        }
        (entries, skipped)
    }

    /// The operations on one path.
    fn of_path(
        &self,
        path: &str,
        item: &'d Value,
        skipped: &mut Vec<Skipped>,
    ) -> Vec<(&'static str, &'d Value)> {
        match self.references.resolve(item) {
            Ok(Value::Object(members)) => {
                let named = METHODS.iter().filter_map(|method| {
                    let operation = members.get(*method)?;
                    Some((*method, operation))
                });
                named.collect()
            }
            Ok(_) => Vec::new(),
            Err(reason) => {
                let key = shown(path);
                skipped.push(Skipped { key, reason });
                Vec::new()
            }
        }
    }
}

/// In an order that does not hang on how the text is arranged.
fn sorted(members: Option<&Map<String, Value>>) -> Vec<(&String, &Value)> {
    let mut all: Vec<_> = members.into_iter().flatten().collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

/// LIMIT: bytes of a path that are shown.
const SHOWN_BYTES_MAX: usize = 120;

fn shown(path: &str) -> String {
    super::text::line(path, SHOWN_BYTES_MAX)
}

/// The value that the text is. What begins like JSON is JSON.
fn value(text: &[u8], bounds: Bounds) -> Result<Value, String> {
    let limits = Limits {
        bytes_max: bounds.bytes_max,
        depth_max: DEPTH_MAX,
        string_bytes_max: bounds.bytes_max,
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        return json::parse(text, limits, Numbers::Relay).map_err(|error| error.to_string());
    }
    let text = std::str::from_utf8(text).map_err(|error| format!("it is no UTF-8: {error}"))?;
    yaml::parse(text, limits)
}

fn dialect(root: &Value) -> Result<Dialect, String> {
    let said = |key: &str| root.get(key).and_then(text_of);
    let is =
        |version: &str, start: &str| version == start || version.starts_with(&format!("{start}."));
    match (said("openapi"), said("swagger")) {
        (Some(version), _) if is(&version, "3.0") => Ok(Dialect::V30),
        (Some(version), _) if is(&version, "3.1") || is(&version, "3.2") => Ok(Dialect::V31),
        (None, Some(version)) if is(&version, "2") => Ok(Dialect::V2),
        _ => Err(
            "it is no description of an API: it begins with neither `openapi: 3.0` or `3.1` nor \
             `swagger: 2.0`"
                .to_owned(),
        ),
    }
}

/// A version, which YAML takes for a number where nobody quotes it.
fn text_of(version: &Value) -> Option<String> {
    match version {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn schemes(references: References<'_>, root: &Value) -> BTreeMap<String, Scheme> {
    let places = ["/components/securitySchemes", "/securityDefinitions"];
    let all = places
        .into_iter()
        .filter_map(|place| root.pointer(place)?.as_object());
    let mut found = BTreeMap::new();
    for (name, scheme) in all.flatten() {
        let scheme = references
            .resolve(scheme)
            .map_or(Scheme::Other, self::scheme);
        found.insert(name.clone(), scheme);
    }
    found
}

fn scheme(scheme: &Value) -> Scheme {
    let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
    let place = Place::parse(text("in")).filter(|place| *place != Place::Path);
    match (text("type"), text("scheme").to_ascii_lowercase().as_str()) {
        ("http", "bearer") | ("oauth2" | "openIdConnect", _) => Scheme::Bearer,
        ("http", "basic") | ("basic", _) => Scheme::Basic,
        ("apiKey", _) => place.map_or(Scheme::Other, |place| Scheme::ApiKey {
            place,
            name: text("name").to_owned(),
        }),
        _ => Scheme::Other,
    }
}

fn servers(dialect: Dialect, root: &Value) -> Vec<String> {
    if dialect != Dialect::V2 {
        let servers = root.get("servers").and_then(Value::as_array);
        return servers.into_iter().flatten().filter_map(server).collect();
    }
    let text = |key: &str| root.get(key).and_then(Value::as_str);
    let Some(host) = text("host") else {
        return Vec::new();
    };
    let listed = root.get("schemes").and_then(Value::as_array);
    let mut schemes: Vec<&str> = listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    schemes.sort_by_key(|scheme| *scheme != "https");
    let schemes = if schemes.is_empty() {
        vec!["https"]
    } else {
        schemes
    };
    let base = text("basePath").unwrap_or_default();
    schemes
        .iter()
        .map(|scheme| format!("{scheme}://{host}{base}"))
        .collect()
}

/// The address of one server, its variables as they are where nobody says otherwise.
pub(super) fn server(server: &Value) -> Option<String> {
    let mut url = server.get("url")?.as_str()?.to_owned();
    let variables = server.get("variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let usual = variable.get("default").and_then(Value::as_str)?;
        url = url.replace(&format!("{{{name}}}"), usual);
    }
    (!url.contains('{')).then_some(url)
}
