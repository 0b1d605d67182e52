//! Which host a request names and which web page it comes from.
//!
//! A gate on a developer's machine listens on loopback, where every page in their browser can
//! reach it. The browser sends the name that the page used in `Host` and the page's own place in
//! `Origin`; both must be the gate's, or ones that the operator listed.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// Refuses a request that names another host; yields the `Host` header.
pub(crate) fn check<'h>(headers: &'h HeaderMap, api: &Api) -> Result<&'h str, Problem> {
    let mut all = headers.get_all(header::HOST).iter();
    let named = match (all.next(), all.next()) {
        (Some(only), None) => only
            .to_str()
            .map_err(|_| Problem::header("Host", "not text"))?,
        _ => return Err(Problem::header("Host", "there must be exactly one")),
    };
    let name = without_port(named);
    let own = without_port(authority(&api.public_url));
    let listed = api
        .hosts
        .iter()
        .any(|host| host.eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(named));
    if is_loopback(name) || listed || own.eq_ignore_ascii_case(name) {
        return Ok(named);
    }
    Err(Problem::new(
        Kind::UnknownHost,
        format!("`{named}` is not a name of this gate"),
    ))
}

/// Refuses a browser's page from elsewhere. Yields the origin where it is another one that the
/// operator listed, so that the answer may be read there.
pub(crate) fn check_origin(
    headers: &HeaderMap,
    named: &str,
    api: &Api,
) -> Result<Option<HeaderValue>, Problem> {
    let Some(value) = headers.get(header::ORIGIN) else {
        return Ok(None);
    };
    let origin = value.to_str().unwrap_or_default();
    let place = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    if place.is_some_and(|place| place.eq_ignore_ascii_case(named))
        || origin == own(&api.public_url)
    {
        return Ok(None);
    }
    if api.origins.iter().any(|listed| listed == origin) {
        return Ok(Some(value.clone()));
    }
    let detail = format!("`{origin}` is neither the gate's own origin nor a listed one");
    Err(Problem::new(Kind::OriginRefused, detail))
}

/// `http://gate.acme.com:80/x` → `gate.acme.com:80`.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// `https://gate.acme.com/x` → `https://gate.acme.com`.
fn own(url: &str) -> &str {
    let end = url.find(authority(url)).unwrap_or(0) + authority(url).len();
    url.get(..end).unwrap_or_default()
}

/// `localhost:8787` → `localhost`, `[::1]:8787` → `[::1]`.
fn without_port(named: &str) -> &str {
    match (named.rfind(':'), named.rfind(']')) {
        (Some(colon), Some(bracket)) if colon < bracket => named,
        (Some(colon), _) => named.get(..colon).unwrap_or_default(),
        (None, _) => named,
    }
}

fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{authority, is_loopback, own, without_port};

    #[test]
    fn names_are_read_without_their_port() {
        for (named, name) in [
            ("localhost:8787", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:8787", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(without_port(named), name);
            assert!(is_loopback(name), "{name}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn the_public_url_has_an_authority_and_an_origin() {
        assert_eq!(
            authority("https://gate.acme.com:444/base"),
            "gate.acme.com:444"
        );
        assert_eq!(
            own("https://gate.acme.com:444/base"),
            "https://gate.acme.com:444"
        );
        assert_eq!(own("http://127.0.0.1:8787"), "http://127.0.0.1:8787");
    }
}
