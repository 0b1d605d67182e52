//! What a request says in its body and its query, read strictly.
//!
//! The body is text until [`toolgate_model::json::parse`] has read it: duplicate keys, lone
//! surrogates, depth, inexact numbers and size are refused before anything looks at a value. Then
//! it becomes a type that knows its fields, and a field that is not known is refused with the
//! nearest name, because a typo in a security call must not pass.
//!
//! Wrong content types and missing fields are 400, never axum's 415 and 422.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures_util::future::{Either, select};
use http_body_util::LengthLimitError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toolgate_model::json::{self, Numbers};
use toolgate_model::{Duration, nearest};
use utoipa::ToSchema;

use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// How long a body may take to arrive.
// LIMIT: thirty seconds for at most a mebibyte; slower senders only hold connections open.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// A body that must be there.
pub(crate) struct Given<T>(pub(crate) T);

/// A body that may be left out.
pub(crate) struct Maybe<T>(pub(crate) T);

/// The query of the address.
pub(crate) struct Asked<T>(pub(crate) T);

/// A body with no fields: `{}`, or none at all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl<T: DeserializeOwned> FromRequest<Api> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        says_json(&parts.headers)?;
        let bytes = read(api, &parts.headers, body).await?;
        typed(&bytes, api).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Api> for Maybe<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(api, &parts.headers, body).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        says_json(&parts.headers)?;
        typed(&bytes, api).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequestParts<Api> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => {
                let text = rejection.body_text();
                let told = text.strip_prefix("Failed to deserialize query string: ");
                Err(bad_query(told.unwrap_or(&text)))
            }
        }
    }
}

/// A strictly parsed JSON value in a query parameter or header.
pub(crate) fn json_text(name: &str, text: &str, api: &Api) -> Result<Value, Problem> {
    json::parse(text.as_bytes(), limits(api), Numbers::Exact)
        .map_err(|error| Problem::parameter(name, error))
}

/// Refuses a text that is longer than a field of its kind may be.
pub(crate) fn bounded(pointer: &str, text: Option<&str>, bytes_max: usize) -> Result<(), Problem> {
    match text.map_or(0, str::len) {
        bytes if bytes > bytes_max => {
            let detail = format!("a text of {bytes} bytes, more than the {bytes_max} allowed");
            Err(Problem::field(pointer, detail))
        }
        _ => Ok(()),
    }
}

/// Refuses a query parameter that is longer than one of its kind may be.
pub(crate) fn bounded_parameter(
    name: &str,
    text: Option<&str>,
    bytes_max: usize,
) -> Result<(), Problem> {
    match text.map_or(0, str::len) {
        bytes if bytes > bytes_max => {
            let detail = format!("a text of {bytes} bytes, more than the {bytes_max} allowed");
            Err(Problem::parameter(name, detail))
        }
        _ => Ok(()),
    }
}

fn limits(api: &Api) -> json::Limits {
    json::Limits {
        bytes_max: api.limits.body_bytes_max,
        depth_max: api.limits.depth_max,
        string_bytes_max: api.limits.string_bytes_max,
    }
}

fn says_json(headers: &HeaderMap) -> Result<(), Problem> {
    let said = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = said
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let json = media.eq_ignore_ascii_case("application/json");
    match said {
        Some(_) if json => Ok(()),
        Some(_) => {
            let detail = format!("the content type is `{media}`, not `application/json`");
            Err(Problem::new(Kind::WrongContentType, detail))
        }
        None => Err(Problem::new(
            Kind::WrongContentType,
            "there is no `Content-Type` header",
        )),
    }
}

async fn read(api: &Api, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let max = api.limits.body_bytes_max;
    let too_large = || {
        Problem::new(
            Kind::BodyTooLarge,
            format!("the body has more than the {max} bytes allowed"),
        )
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    // Whoever says that they will send too much is answered before they do.
    if declared
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|bytes| bytes > max as u64)
    {
        return Err(too_large());
    }
    let until = api.driver.now().plus(BODY_TIME_MAX);
    let alarm = api.driver.clock().sleep_until(until);
    match select(Box::pin(to_bytes(body, max)), alarm).await {
        Either::Left((Ok(bytes), _)) => Ok(bytes),
        Either::Left((Err(error), _)) if is_too_large(&error) => Err(too_large()),
        Either::Left((Err(error), _)) => Err(Problem::new(
            Kind::BodyUnreadable,
            format!("the body broke off: {error}"),
        )),
        Either::Right(_) => {
            let detail = format!("the body did not arrive within {BODY_TIME_MAX}");
            Err(Problem::new(Kind::BodyTooSlow, detail))
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<LengthLimitError>())
}

fn typed<T: DeserializeOwned>(bytes: &[u8], api: &Api) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(Kind::InvalidBody, "the body is empty"));
    }
    fields(json::parse(bytes, limits(api), Numbers::Exact)?)
}

/// Reads the fields of an object, and refuses those that are not known.
pub(crate) fn fields<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    // Serde would take a list for the fields in their order, which no schema says.
    if !value.is_object() {
        return Err(Problem::field("", "the body is not a JSON object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        bad_field(&pointer, &error.into_inner().to_string())
    })
}

fn bad_field(pointer: &str, message: &str) -> Problem {
    match unknown(message) {
        Some((name, help)) => {
            let detail = format!("there is no field `{name}` here");
            Problem::new(Kind::UnknownField, detail).fault(pointer, help)
        }
        None => Problem::field(pointer, message),
    }
}

fn bad_query(told: &str) -> Problem {
    let (name, message) = told.split_once(": ").unwrap_or(("", told));
    match unknown(message) {
        Some((name, help)) => {
            let help = help.map_or_else(String::new, |help| format!(": {help}"));
            Problem::new(
                Kind::UnknownParameter,
                format!("there is no parameter `{name}`{help}"),
            )
        }
        None => Problem::parameter(name, message),
    }
}

/// The unknown name in serde's message, and what was probably meant: of "unknown field `toool`,
/// expected one of `tool`, `version`" the first backticked word is the one and the rest are known.
fn unknown(message: &str) -> Option<(&str, Option<String>)> {
    let mut words = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let name = words.next()?;
    // What a caller wrote may have backticks too; a name that serde knows is a plain word.
    let plain = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let words = words.filter(|word| !word.is_empty()).filter(plain);
    let help = nearest(name, words).map(|word| format!("did you mean `{word}`"));
    Some((name, help))
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}
