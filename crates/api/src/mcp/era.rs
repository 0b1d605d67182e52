//! The two eras of MCP, as a server tells them apart. Pure.
//!
//! *Modern* (2026-07-28): every request carries its version and its client's abilities in `_meta`
//! and is served as it stands. *Legacy* (2025-11-25 and older): `initialize` first, and a session
//! after it. A request belongs to the modern era as soon as anything about it says so; then it
//! must say all of it.
//!
//! Must not know: transports, sessions, tools.

use serde_json::{Map, Value};

use super::message::{Request, RpcError};

/// The modern revision.
pub(super) const MODERN: &str = "2026-07-28";

/// The legacy revisions, newest first. Older clients are offered the newest.
pub(super) const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", BATCHING];

/// The one revision in which several messages may come in one array.
pub(super) const BATCHING: &str = "2025-03-26";

pub(super) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
pub(super) const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";
pub(super) const LOG_LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";
pub(super) const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// How a request is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// As it stands.
    Modern,
    /// Within a session, at this revision.
    Legacy(&'static str),
}

impl Era {
    /// The HTTP status of an answer to a method that does not exist.
    pub(super) const fn unknown_method_status(self) -> u16 {
        match self {
            Self::Modern => 404,
            Self::Legacy(_) => 200,
        }
    }

    /// The HTTP status of a server's own error that is passed on.
    pub(super) const fn error_status(self, code: i64) -> u16 {
        match (self, code) {
            (Self::Modern, -32_602 | -32_021) => 400,
            (Self::Modern, -32_601) => 404,
            (Self::Modern | Self::Legacy(_), _) => 200,
        }
    }
}

/// Whether anything about the request says that it is a modern one. `version_header` is the HTTP
/// header, where there is one.
pub(super) fn is_modern(request: &Request, version_header: Option<&str>) -> bool {
    let meta = request.params.get("_meta");
    let says = |key: &str| meta.is_some_and(|meta| meta.get(key).is_some());
    if says(VERSION_KEY) || says(CAPABILITIES_KEY) {
        return true;
    }
    match request.method.as_str() {
        "initialize" => false,
        "server/discover" | "subscriptions/listen" => true,
        _ => version_header == Some(MODERN),
    }
}

/// Checks that a modern request says all that one must say, in a version that is spoken.
/// `agree` compares it with what else the transport knows, before the version is judged: a client
/// that contradicts itself is told so first.
pub(super) fn check_modern(
    params: &Map<String, Value>,
    agree: impl FnOnce(&Value) -> Result<(), RpcError>,
) -> Result<(), RpcError> {
    let Some(Value::Object(meta)) = params.get("_meta") else {
        return Err(missing("_meta"));
    };
    let version = meta.get(VERSION_KEY).ok_or_else(|| missing(VERSION_KEY))?;
    let capabilities = meta
        .get(CAPABILITIES_KEY)
        .ok_or_else(|| missing(CAPABILITIES_KEY))?;
    agree(version)?;
    if !capabilities.is_object() {
        return Err(RpcError::invalid_meta(format!(
            "`{CAPABILITIES_KEY}` must be an object"
        )));
    }
    match version.as_str() {
        Some(MODERN) => Ok(()),
        // What `initialize` opens is another matter: a client that could use it knows of it.
        Some(other) => Err(RpcError::unsupported_version(other, &[MODERN])),
        None => Err(RpcError::invalid_meta(format!(
            "`{VERSION_KEY}` must be a string"
        ))),
    }
}

/// The revision that a session is held in, given what the client asks for.
pub(super) fn negotiate(params: &Map<String, Value>) -> Result<&'static str, RpcError> {
    let Some(asked) = params.get("protocolVersion").and_then(Value::as_str) else {
        let message = "`protocolVersion` of `initialize` must be a string";
        return Err(RpcError::invalid_params(message));
    };
    Ok(LEGACY
        .into_iter()
        .find(|known| *known == asked)
        .unwrap_or(LEGACY[0]))
}

fn missing(key: &str) -> RpcError {
    let message = format!("`params._meta` of a modern request must carry `{key}`");
    let message = if key == "_meta" {
        format!(
            "a modern request must carry `params._meta` with `{VERSION_KEY}` and `{CAPABILITIES_KEY}`"
        )
    } else {
        message
    };
    RpcError::invalid_meta(message)
}

#[cfg(test)]
mod tests {
    use super::{check_modern, is_modern, negotiate};
    use crate::mcp::message::Request;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn request(method: &str, params: Value) -> Request {
        let Value::Object(params) = params else {
            panic!("params are an object")
        };
        Request {
            id: 1.into(),
            method: method.to_owned(),
            params,
        }
    }

    fn check(params: Value, expected: Expect) {
        let checked = check_modern(&request("tools/list", params).params, |_| Ok(()));
        expected.assert_eq(&match checked {
            Ok(()) => "fine".to_owned(),
            Err(error) => format!("{} {} {}", error.status, error.code, error.message),
        });
    }

    #[test]
    fn a_modern_request_says_its_version_and_abilities() {
        let meta = |version: Value, abilities: Value| {
            json!({"_meta": {
                "io.modelcontextprotocol/protocolVersion": version,
                "io.modelcontextprotocol/clientCapabilities": abilities,
            }})
        };
        check(meta(json!("2026-07-28"), json!({})), expect!["fine"]);
        check(
            json!({}),
            expect![
                "400 -32602 a modern request must carry `params._meta` with `io.modelcontextprotocol/protocolVersion` and `io.modelcontextprotocol/clientCapabilities`"
            ],
        );
        check(
            json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
            expect![
                "400 -32602 `params._meta` of a modern request must carry `io.modelcontextprotocol/clientCapabilities`"
            ],
        );
        check(
            meta(json!("1900-01-01"), json!({})),
            expect!["400 -32022 protocol version `1900-01-01` is not spoken here"],
        );
        check(
            meta(json!(7), json!({})),
            expect!["400 -32602 `io.modelcontextprotocol/protocolVersion` must be a string"],
        );
        check(
            meta(json!("2026-07-28"), json!([])),
            expect!["400 -32602 `io.modelcontextprotocol/clientCapabilities` must be an object"],
        );
    }

    #[test]
    fn the_era_is_read_from_body_and_header() {
        let plain = request("tools/list", json!({}));
        assert!(!is_modern(&plain, None));
        assert!(!is_modern(&plain, Some("2025-06-18")));
        assert!(is_modern(&plain, Some("2026-07-28")));
        assert!(!is_modern(&plain, Some("nonsense")));
        assert!(is_modern(&request("server/discover", json!({})), None));
        assert!(!is_modern(
            &request("initialize", json!({})),
            Some("2026-07-28")
        ));
        let half = json!({"_meta": {"io.modelcontextprotocol/clientCapabilities": {}}});
        assert!(is_modern(&request("tools/list", half), Some("2025-06-18")));
    }

    #[test]
    fn a_session_is_held_in_a_known_version() {
        let agreed = |asked: Value| {
            let asked = request("initialize", json!({"protocolVersion": asked}));
            negotiate(&asked.params).map_err(|error| error.message)
        };
        assert_eq!(agreed(json!("2025-06-18")), Ok("2025-06-18"));
        assert_eq!(agreed(json!("2025-03-26")), Ok("2025-03-26"));
        assert_eq!(agreed(json!("2024-11-05")), Ok("2025-11-25"));
        assert_eq!(agreed(json!("2026-07-28")), Ok("2025-11-25"));
        assert!(agreed(json!(null)).is_err());
    }
}
