//! The request that a call is: an operation and its judged arguments, put together. Pure.
//!
//! ```text
//! GET /customers/{id}/orders + {"id": "a/b", "limit": 5}  →  GET /customers/a%2Fb/orders?limit=5
//! ```
//! INVARIANT: every argument is sent in the place that the description gives it, or nothing is sent
//! and the refusal names it. No argument takes the place of a credential, of the downstream key or
//! of what the transport itself says.
//!
//! Must not know: where the API is, what credentials there are, how anything is sent.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use toolgate_model::KeyPlace;

use super::guard::URL_BYTES_MAX;
use super::operation::{Argument, BodyShape, Group, Operation, Parameter, Place, Style};
use super::request_body;
use super::request_style::{self as style, Manner, Pairs};

/// A request as it can be sent, without credentials.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) method: Method,
    /// Escaped, from its first `/`.
    pub(crate) path: String,
    /// Escaped.
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
}

/// What no argument may stand in place of.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// In lower case.
    pub(crate) headers: BTreeSet<String>,
    pub(crate) query: BTreeSet<String>,
}

/// LIMIT: servers take 8 KiB of headers in all, as a rule.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// Headers that say how a message travels, or that have a server take it for another one. The
/// reading of a description leaves them out; here is where nothing can bring them back.
const FORBIDDEN_HEADERS: [&str; 19] = [
    "accept",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Puts a request together. `key` is the downstream key and where the operator wants it.
///
/// # Errors
/// One sentence that names the argument that cannot be sent.
pub(crate) fn prepare(
    operation: &Operation,
    arguments: &Value,
    own: &Own,
    key: Option<(&KeyPlace, &str)>,
) -> Result<Prepared, String> {
    nothing_unknown(operation, arguments)?;
    let form = Form {
        operation,
        arguments,
        own,
        key: match key {
            Some((KeyPlace::Header(name), _)) => Some(name),
            _ => None,
        },
    };
    let mut headers = form.headers()?;
    if let Some((KeyPlace::Header(name), text)) = key {
        let (name, value) = header(name, text)?;
        headers.insert(name, value);
    }
    let body = match &operation.body {
        None => None,
        Some(body) => request_body::written(body, arguments)?,
    };
    if let Some((media_type, _)) = &body {
        headers.insert(CONTENT_TYPE, header("content-type", media_type)?.1);
    }
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, */*;q=0.5"),
    );
    Ok(Prepared {
        method: Method::from_bytes(operation.method.as_bytes())
            .map_err(|_| format!("`{}` is no method", operation.method))?,
        path: form.path()?,
        query: form.pairs(Place::Query, "&")?,
        headers,
        body: body.map(|(_, bytes)| bytes),
    })
}

/// One argument in words, for a refusal.
pub(super) fn about(argument: &Argument, why: &str) -> String {
    format!("the argument `{}` cannot be sent: {why}", shown(argument))
}

/// A required argument that is not there.
pub(super) fn missing(argument: &Argument) -> String {
    format!("the argument `{}` is missing", shown(argument))
}

fn shown(argument: &Argument) -> String {
    match argument.group {
        Some(group) => format!("{}.{}", group.as_str(), argument.name),
        None => argument.name.clone(),
    }
}

/// An operation with the arguments of one call.
struct Form<'c> {
    operation: &'c Operation,
    arguments: &'c Value,
    own: &'c Own,
    /// The header that the downstream key travels in.
    key: Option<&'c String>,
}

impl<'c> Form<'c> {
    /// The parameters of one place that are given, and their values.
    fn given(&self, place: Place) -> Result<Vec<(&'c Parameter, &'c Value)>, String> {
        let all = self.operation.parameters.iter();
        let mut given = Vec::new();
        for parameter in all.filter(|one| one.place == place) {
            match parameter.argument.of(self.arguments) {
                Some(value) => given.push((parameter, value)),
                None if parameter.required && !self.is_keys(parameter) => {
                    return Err(missing(&parameter.argument));
                }
                None => {}
            }
        }
        Ok(given)
    }

    /// Whether the downstream key travels in its place.
    fn is_keys(&self, parameter: &Parameter) -> bool {
        let same = |key: &&String| key.eq_ignore_ascii_case(&parameter.name);
        parameter.place == Place::Header && self.key.filter(same).is_some()
    }

    fn path(&self) -> Result<String, String> {
        let mut given = Vec::new();
        for (parameter, value) in self.given(Place::Path)? {
            let refused = |why: String| about(&parameter.argument, &why);
            let text = match as_content(parameter, value) {
                Some(text) => style::in_path(&parameter.name, &text.into(), SIMPLE),
                None => {
                    style::in_path(&parameter.name, value, (parameter.style, parameter.explode))
                }
            };
            given.push((parameter.name.as_str(), text.map_err(refused)?));
        }
        filled(&self.operation.path, &given)
    }

    /// The query, or the cookies.
    fn pairs(&self, place: Place, separator: &'static str) -> Result<Option<String>, String> {
        let all = self.operation.parameters.iter();
        let declared = all.filter(|one| one.place == place);
        let taken = declared.map(|one| one.name.clone());
        let taken = taken.chain(self.own.query.iter().cloned());
        let mut pairs = Pairs::new(separator, URL_BYTES_MAX, taken);
        for (parameter, value) in self.given(place)? {
            let refused = |why: String| about(&parameter.argument, &why);
            if place == Place::Query && self.own.query.contains(&parameter.name) {
                return Err(refused(
                    "its place is that of the gate's own credential".to_owned(),
                ));
            }
            let manner = Manner {
                style: parameter.style,
                explode: parameter.explode,
                allow_reserved: parameter.allow_reserved && place == Place::Query,
            };
            let added = match as_content(parameter, value) {
                Some(text) => pairs.push(&style::escaped(&parameter.name), &style::escaped(&text)),
                None => pairs.add(&parameter.name, value, manner),
            };
            added.map_err(refused)?;
        }
        Ok(pairs.finish())
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (parameter, value) in self.given(Place::Header)? {
            let refused = |why: String| about(&parameter.argument, &why);
            let text = match as_content(parameter, value) {
                Some(text) => text,
                None => style::in_header(value, parameter.explode).map_err(refused)?,
            };
            let (name, value) = header(&parameter.name, &text).map_err(refused)?;
            if self.is_keys(parameter) {
                let why = "the gate sends the downstream key in its place".to_owned();
                return Err(refused(why));
            }
            if self.own.headers.contains(name.as_str())
                || FORBIDDEN_HEADERS.contains(&name.as_str())
            {
                return Err(refused(format!("the header `{name}` is the gate's own")));
            }
            headers.insert(name, value);
        }
        if let Some(cookies) = self.pairs(Place::Cookie, "; ")? {
            if self.own.headers.contains(COOKIE.as_str()) {
                return Err("its cookies are the gate's own: leave them out".to_owned());
            }
            headers.insert(COOKIE, header("cookie", &cookies)?.1);
        }
        Ok(headers)
    }
}

/// A document in a path has no parts of its own.
const SIMPLE: (Style, bool) = (Style::Simple, false);

/// The text of a parameter that is described as a document of its own.
fn as_content(parameter: &Parameter, value: &Value) -> Option<String> {
    let media_type = parameter.content.as_ref()?;
    match (value, media_type.contains("json")) {
        (Value::String(text), false) => Some(text.clone()),
        _ => Some(value.to_string()),
    }
}

fn header(name: &str, text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let known: HeaderName = name
        .parse()
        .map_err(|_| format!("`{name}` is not the name of a header"))?;
    if text.len() > HEADER_BYTES_MAX {
        return Err(format!(
            "it is longer than the {HEADER_BYTES_MAX} bytes of a header"
        ));
    }
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    match HeaderValue::from_str(text) {
        Ok(value) if plain && text.trim() == text => Ok((known, value)),
        _ => Err("it has characters that no header can carry".to_owned()),
    }
}

/// The path with its parameters filled in.
fn filled(template: &str, given: &[(&str, String)]) -> Result<String, String> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            return Err(format!("its path `{template}` has an open brace"));
        };
        let Some((_, text)) = given.iter().find(|(known, _)| *known == name) else {
            return Err(format!(
                "its path `{template}` has no parameter for `{name}`"
            ));
        };
        path.push_str(&literal_part(literal));
        path.push_str(text);
        rest = tail;
    }
    path.push_str(&literal_part(rest));
    Ok(path)
}

/// What a description writes into a path stands there as it is, but for what no URL has.
fn literal_part(text: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const NO_PATH: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    utf8_percent_encode(text, NO_PATH).to_string()
}

/// Refuses arguments that no part of the operation takes: dropping them in silence would send
/// something else than what was judged.
fn nothing_unknown(operation: &Operation, arguments: &Value) -> Result<(), String> {
    let members = match arguments {
        Value::Object(members) => members,
        Value::Null => return Ok(()),
        _ => return Err("the arguments are no object".to_owned()),
    };
    let known = declared(operation);
    let is_known = |group: Option<&str>, name: &str| {
        let fits = |one: &&Argument| one.group.map(Group::as_str) == group && one.name == name;
        known.iter().any(fits)
    };
    let unknown = |shown: String| Err(format!("the operation has no argument `{shown}`"));
    for (name, value) in members {
        if is_known(None, name) {
            continue;
        }
        let is_group = known
            .iter()
            .any(|one| one.group.is_some_and(|it| it.as_str() == name));
        let inside = value.as_object().filter(|_| is_group);
        let Some(inside) = inside else {
            return unknown(name.clone());
        };
        if let Some(key) = inside.keys().find(|key| !is_known(Some(name), key)) {
            return unknown(format!("{name}.{key}"));
        }
    }
    Ok(())
}

fn declared(operation: &Operation) -> Vec<&Argument> {
    let parameters = operation.parameters.iter().map(|one| &one.argument);
    let body: Vec<&Argument> = match operation.body.as_ref().map(|body| &body.shape) {
        None => Vec::new(),
        Some(BodyShape::Whole(argument)) => vec![argument],
        Some(BodyShape::Members(members)) => {
            members.iter().map(|member| &member.argument).collect()
        }
    };
    parameters.chain(body).collect()
}
