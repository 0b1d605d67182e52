//! Who may come in at all: the right host, an origin that belongs here, an agent's token.
//!
//! `Host` and `Origin` keep a web page that the agent's owner has open from talking to the gate in
//! their name (DNS rebinding). 401 is about the token alone: what an agent may not do is answered
//! as data, never by a status, since clients take those for the end of their session.
//!
//! Must not know: messages, sessions.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::json;
use toolgate_driver::Driver;
use toolgate_gate::Caller;
use toolgate_model::{Code, Denial, Identity};

use super::limits::HEADER_BYTES_MAX;
use super::message::{RpcError, shown};
use super::reply::refusal;
use crate::Api;

/// Checks everything about a request but its body.
pub(super) async fn admit(api: &Api, headers: &HeaderMap) -> Result<Identity, Box<Response>> {
    check_size(headers)
        .and_then(|()| check_host(api, headers))
        .and_then(|()| check_origin(api, headers))
        .map_err(|error| Box::new(refusal(&error.to_nobody())))?;
    let token = bearer(headers);
    let identified = identify(&api.driver, token).await;
    identified.map_err(|denial| Box::new(challenge(token, &denial)))
}

/// The agent that a token authenticates. A person's token calls no tool.
pub(super) async fn identify(driver: &Driver, token: Option<&str>) -> Result<Identity, Denial> {
    match driver.authenticate(token).await? {
        Caller::Agent(identity) => Ok(identity),
        Caller::Person { operator, .. } => {
            let message = format!(
                "the token belongs to `{}`, a person, and people's tokens invoke no tool: use an agent's",
                operator.id
            );
            Err(Denial::new(Code::Unauthenticated, message))
        }
    }
}

/// The denial of step 1 as an error.
pub(super) fn unauthenticated(denial: &Denial) -> RpcError {
    RpcError::refused(401, denial.message.clone()).with(json!({"code": denial.code}))
}

/// A 401 with a challenge. It names no metadata, since there is no authorization server to find:
/// clients start registering themselves wherever they are pointed.
fn challenge(token: Option<&str>, denial: &Denial) -> Response {
    let mut response = refusal(&unauthenticated(denial).to_nobody());
    let words = match token {
        None => r#"Bearer realm="toolgate""#,
        Some(_) => r#"Bearer realm="toolgate", error="invalid_token""#,
    };
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(words));
    response
}

/// The bearer token. Two headers are two opinions about who calls, so they are none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn check_size(headers: &HeaderMap) -> Result<(), RpcError> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes <= HEADER_BYTES_MAX {
        return Ok(());
    }
    let message =
        format!("the headers have {bytes} bytes, more than the {HEADER_BYTES_MAX} allowed");
    Err(RpcError::refused(431, message))
}

fn check_host(api: &Api, headers: &HeaderMap) -> Result<(), RpcError> {
    let host = host(headers).unwrap_or_default();
    let name = host_name(&host);
    let known = is_loopback(name)
        || api
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
    if known {
        return Ok(());
    }
    let message = format!(
        "this gate is not reached as `{}`: add the host to its configuration",
        shown(&host)
    );
    Err(RpcError::refused(403, message))
}

fn check_origin(api: &Api, headers: &HeaderMap) -> Result<(), RpcError> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return Ok(());
    };
    let text = origin.to_str().unwrap_or_default();
    let own = text.split_once("://").is_some_and(|(scheme, host)| {
        is_web(scheme) && Some(host) == self::host(headers).as_deref()
    });
    let known = own || api.origins.iter().any(|known| known == text);
    if known && origins.next().is_none() {
        return Ok(());
    }
    let message = format!(
        "pages of `{}` may not talk to this gate: add the origin to its configuration",
        shown(text)
    );
    Err(RpcError::refused(403, message))
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

/// What the one `Host` header says, in lower case.
fn host(headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(only), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    Some(only.to_str().ok()?.to_ascii_lowercase())
}

/// The host without its port.
fn host_name(host: &str) -> &str {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.split_once(']').map_or("", |(name, _)| name);
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{bearer, host_name, is_loopback};
    use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

    #[test]
    fn loopback_names_are_known_and_lookalikes_are_not() {
        for host in [
            "localhost",
            "localhost:8787",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8787",
        ] {
            assert!(is_loopback(host_name(host)), "{host}");
        }
        for host in [
            "",
            "localhost.evil.com",
            "127.0.0.1.evil.com:80",
            "evil.com",
            "10.0.0.1",
            "[::2]:1",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(host_name(host)), "{host}");
        }
    }

    #[test]
    fn one_bearer_header_is_a_token_and_two_are_none() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read(&["Bearer tg_a"]).as_deref(), Some("tg_a"));
        assert_eq!(read(&["bearer tg_a"]).as_deref(), Some("tg_a"));
        assert_eq!(read(&["Basic tg_a"]), None);
        assert_eq!(read(&["Bearer tg_a", "Bearer tg_b"]), None);
        assert_eq!(read(&[]), None);
    }
}
