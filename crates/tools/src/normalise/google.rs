//! What Google's services share: hosts, credentials in the query, and requests of many parts.
//!
//! `https://www.googleapis.com/drive/v3/files` and `https://drive.googleapis.com/drive/v3/files` are
//! the same. `POST …/batch/drive/v3` carries other requests in its body; it is judged as what it is,
//! a `batch` of high risk, and never as harmless because its own path is.
//!
//! Must not know: what a service's operations are.

use serde_json::{Map, Value};
use toolgate_model::{Risk, Verb};

use super::address::Address;
use super::operation::{Operation, Places, Understood};
use super::refusal::Refusal;
use super::service::Asked;

/// Query fields that are credentials.
pub(super) const SECRETS: &[&str] = &["access_token", "key", "oauth_token", "quotaUser"];

/// Whether the address is one of `service`'s: on its own host, or under its name on the host that
/// all share.
pub(super) fn is_of(address: &Address, service: &str) -> bool {
    let named = |part: &&String| part.eq_ignore_ascii_case(service);
    let shared = [
        "www.googleapis.com",
        "content.googleapis.com",
        "googleapis.com",
    ];
    address.host == format!("{service}.googleapis.com")
        || shared.contains(&address.host.as_str())
            && address.segments.iter().take(2).any(|part| named(&part))
}

/// A request that carries others.
pub(super) fn batch(asked: &Asked<'_>) -> Result<Option<Understood>, Refusal> {
    let first = asked.address.segments.first();
    if !first.is_some_and(|part| part.eq_ignore_ascii_case("batch")) {
        return Ok(None);
    }
    let mut places = Places::default();
    for place in ["recipient", "external"] {
        places.open(place);
    }
    Ok(Some(Understood {
        operation: Operation::named("batch", "batch").rated(Verb::Write, Risk::High),
        arguments: asked.parameters(&[])?,
        places,
    }))
}

/// The text that an argument is.
pub(super) fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}
