//! The two eras of MCP, as a client must speak them. Pure.
//!
//! *Modern* (2026-07-28): no handshake; every request carries version, capabilities and client
//! info in its `_meta`. *Legacy* (2025-11-25 and older): `initialize` first. A probe with
//! `server/discover` tells which one a server speaks: only a clear answer counts as modern, since
//! old servers answer the unknown method in every imaginable way.
//!
//! Must not know: processes, sockets, time.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolgate_model::json::Raw;

use crate::declared::Declared;
use crate::exchange::Exchange;
use crate::message::{RpcError, raw};

/// The modern revision.
pub(crate) const MODERN: &str = "2026-07-28";

/// What a legacy server is offered.
pub(crate) const LEGACY_NEWEST: &str = "2025-11-25";

/// The legacy revisions whose tools work alike.
const LEGACY: [&str; 4] = [LEGACY_NEWEST, "2025-06-18", "2025-03-26", "2024-11-05"];

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";
const LEVEL_KEY: &str = "io.modelcontextprotocol/logLevel";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// Without a handshake.
    Modern,
    /// After `initialize`, at this revision.
    Legacy(&'static str),
}

impl Era {
    /// The revision, as the HTTP header names it.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::Modern => MODERN,
            Self::Legacy(version) => version,
        }
    }

    /// Parameters with what the era wants in their `_meta`.
    pub(crate) fn params(self, mut params: Map<String, Value>) -> Raw {
        if self == Self::Modern {
            let meta = params
                .entry("_meta")
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(meta) = meta {
                self.stamp(meta, &Declared::default());
            }
        }
        raw(&params)
    }

    /// Adds what the era wants to a `_meta`, over whatever a caller may have put there: what the
    /// client behind this very request declared, and nothing else.
    pub(crate) fn stamp(self, meta: &mut Map<String, Value>, declared: &Declared) {
        if self == Self::Modern {
            let capabilities = declared.capabilities().clone();
            meta.insert(VERSION_KEY.to_owned(), MODERN.into());
            meta.insert(CAPABILITIES_KEY.to_owned(), capabilities.into());
            meta.insert(CLIENT_KEY.to_owned(), client_info());
            if let Some(level) = declared.level() {
                meta.insert(LEVEL_KEY.to_owned(), level.name().into());
            }
        }
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// How it is spoken to.
    pub(crate) era: Era,
    /// Its version, where it gives one.
    pub(crate) version: Option<String>,
    /// What it declared that it can do.
    pub(crate) capabilities: Map<String, Value>,
    /// What it tells models about itself.
    pub(crate) instructions: Option<String>,
}

impl Server {
    /// A server that has not said anything yet, to be spoken to in this era.
    pub(crate) fn unknown(era: Era) -> Self {
        Self {
            era,
            version: None,
            capabilities: Map::new(),
            instructions: None,
        }
    }

    /// Whether it declared this capability at all.
    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities
            .get(capability)
            .is_some_and(Value::is_object)
    }

    /// Whether it declared this of a capability: `resources`, `subscribe`.
    pub(crate) fn states(&self, capability: &str, what: &str) -> bool {
        let stated = self.capabilities.get(capability);
        stated.and_then(|stated| stated.get(what)) == Some(&Value::Bool(true))
    }
}

/// What a probe showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// It speaks the modern era.
    Modern(Server),
    /// It refused the version that the probe was sent in, and names that very version as one that it
    /// speaks: the probe is to be sent once more.
    Again,
    /// Whatever it is, `initialize` is worth a try.
    Legacy,
    /// Neither is worth a try now; why.
    Failed(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discovered {
    supported_versions: Vec<String>,
    #[serde(default)]
    capabilities: Map<String, Value>,
    #[serde(default)]
    instructions: Value,
    #[serde(rename = "_meta", default)]
    meta: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    protocol_version: String,
    #[serde(default)]
    capabilities: Map<String, Value>,
    #[serde(default)]
    instructions: Value,
    #[serde(default)]
    server_info: Value,
}

/// Reads the answer to `server/discover`.
pub(crate) fn probed(exchange: &Exchange) -> Probed {
    match exchange {
        Exchange::Result(result) => match serde_json::from_str::<Discovered>(result.get()) {
            Ok(found) if found.supported_versions.iter().any(|v| v == MODERN) => {
                Probed::Modern(Server {
                    era: Era::Modern,
                    version: version(found.meta.get(SERVER_KEY)),
                    capabilities: found.capabilities,
                    instructions: found.instructions.as_str().map(str::to_owned),
                })
            }
            Ok(_) | Err(_) => Probed::Legacy,
        },
        Exchange::Error { error, .. } => refused(error),
        Exchange::Status {
            status: status @ (401 | 403),
            ..
        } => Probed::Failed(format!(
            "it refused the gate's credential with HTTP {status}"
        )),
        Exchange::Status { .. } | Exchange::Malformed(_) => Probed::Legacy,
        Exchange::NotSent(why) | Exchange::Broken(why) => Probed::Failed(why.clone()),
    }
}

/// What a probe showed that was answered by an error: a server that knows the code for a version
/// that it does not speak says with it which ones it does.
fn refused(error: &RpcError) -> Probed {
    let Some(named) = supported(error) else {
        return Probed::Legacy;
    };
    if named.iter().any(|version| version == MODERN) {
        return Probed::Again;
    }
    if named
        .iter()
        .any(|version| LEGACY.contains(&version.as_str()))
    {
        return Probed::Legacy;
    }
    let shown: Vec<_> = named.iter().take(5).map(String::as_str).collect();
    Probed::Failed(format!(
        "it speaks only MCP {}, and the gate {MODERN} and {}",
        crate::message::excerpt(&shown.join(", "), 100),
        LEGACY.join(", ")
    ))
}

fn supported(error: &RpcError) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Supported {
        supported: Vec<String>,
    }
    if error.code != RpcError::UNSUPPORTED_VERSION {
        return None;
    }
    let named: Supported = serde_json::from_str(error.data.as_ref()?.get()).ok()?;
    Some(named.supported)
}

/// Whether the answer to `initialize` shows that the server turned out to be a modern one: a slow
/// starter may have taken the probe, whose answer came too late.
pub(crate) fn is_modern_after_all(exchange: &Exchange) -> bool {
    matches!(exchange, Exchange::Error { error, .. } if error.code == RpcError::UNSUPPORTED_VERSION)
}

/// The parameters of `initialize`, which fix for a whole session what its client can do.
pub(crate) fn initialize_params(declared: &Declared) -> Raw {
    raw(&json!({
        "protocolVersion": LEGACY_NEWEST,
        "capabilities": declared.capabilities(),
        "clientInfo": client_info(),
    }))
}

/// Reads the answer to `initialize`.
///
/// # Errors
/// Why the server cannot be used.
pub(crate) fn initialized(exchange: &Exchange) -> Result<Server, String> {
    let result = match exchange {
        Exchange::Result(result) => result,
        Exchange::Status {
            status: status @ (401 | 403),
            ..
        } => {
            return Err(format!(
                "it refused the gate's credential with HTTP {status}"
            ));
        }
        Exchange::NotSent(why) | Exchange::Broken(why) => return Err(why.clone()),
        other => {
            return Err(format!(
                "it did not answer `initialize`: {}",
                other.in_words()
            ));
        }
    };
    let found: Initialized = serde_json::from_str(result.get())
        .map_err(|error| format!("its answer to `initialize` cannot be read: {error}"))?;
    let agreed = LEGACY
        .iter()
        .find(|known| **known == found.protocol_version);
    let agreed = agreed.ok_or_else(|| {
        let offered = crate::message::excerpt(&found.protocol_version, 40);
        format!("it speaks MCP `{offered}`, which the gate does not")
    })?;
    Ok(Server {
        era: Era::Legacy(agreed),
        version: version(Some(&found.server_info)),
        capabilities: found.capabilities,
        instructions: found.instructions.as_str().map(str::to_owned),
    })
}

/// Whether a key of `_meta` is reserved to the protocol: its prefix's second label says so.
pub(crate) fn is_protocols_own(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let second = prefix.split('.').nth(1).unwrap_or_default();
    matches!(second, "modelcontextprotocol" | "mcp")
}

fn version(info: Option<&Value>) -> Option<String> {
    Some(info?.get("version")?.as_str()?.to_owned())
}

fn client_info() -> Value {
    json!({"name": "toolgate", "version": env!("CARGO_PKG_VERSION")})
}

#[cfg(test)]
mod tests {
    use super::{Era, initialized, is_protocols_own, probed};
    use crate::exchange::Exchange;
    use crate::message::{Inbound, read};
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn exchange(reply: &str) -> Exchange {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,{reply}}}"#);
        match read(text.as_bytes()).remove(0) {
            Inbound::Reply { reply, .. } => reply.into(),
            other => panic!("{other:?}"),
        }
    }

    fn status(status: u16) -> Exchange {
        let body = String::new();
        Exchange::Status { status, body }
    }

    #[test]
    fn only_a_clear_answer_is_modern() {
        let check = |exchange: Exchange, expected: Expect| {
            expected.assert_eq(&format!("{:?}", probed(&exchange)));
        };
        check(
            exchange(
                r#""result":{"supportedVersions":["2030-01-01","2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"_meta":{"io.modelcontextprotocol/serverInfo":{"version":"1.2"}}}"#,
            ),
            expect![[
                r#"Modern(Server { era: Modern, version: Some("1.2"), capabilities: {"tools": Object {"listChanged": Bool(true)}}, instructions: None })"#
            ]],
        );
        check(
            exchange(r#""result":{"supportedVersions":["2026-07-28"],"capabilities":{}}"#),
            expect![
                "Modern(Server { era: Modern, version: None, capabilities: {}, instructions: None })"
            ],
        );
        check(
            exchange(r#""result":{"supportedVersions":["2025-11-25"]}"#),
            expect!["Legacy"],
        );
        check(exchange(r#""result":{}"#), expect!["Legacy"]);
        check(exchange(r#""result":[]"#), expect!["Legacy"]);
        check(
            exchange(r#""error":{"code":-32601,"message":"no"}"#),
            expect!["Legacy"],
        );
        check(
            exchange(r#""error":{"code":-32602,"message":"no session"}"#),
            expect!["Legacy"],
        );
        check(
            exchange(
                r#""error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}"#,
            ),
            expect!["Legacy"],
        );
        check(
            exchange(
                r#""error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25","2026-07-28"]}}"#,
            ),
            expect!["Again"],
        );
        check(
            exchange(
                r#""error":{"code":-32601,"message":"no","data":{"supported":["2026-07-28"]}}"#,
            ),
            expect!["Legacy"],
        );
        check(
            exchange(
                r#""error":{"code":-32022,"message":"no","data":{"supported":["2031-01-01"]}}"#,
            ),
            expect![[
                r#"Failed("it speaks only MCP 2031-01-01, and the gate 2026-07-28 and 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05")"#
            ]],
        );
        check(
            exchange(r#""error":{"code":-32022,"message":"no"}"#),
            expect!["Legacy"],
        );
        for legacy in [400, 404, 405, 406, 415, 500] {
            check(status(legacy), expect![["Legacy"]]);
        }
        check(
            status(401),
            expect![[r#"Failed("it refused the gate's credential with HTTP 401")"#]],
        );
        check(
            Exchange::NotSent("connection refused".to_owned()),
            expect![[r#"Failed("connection refused")"#]],
        );
    }

    #[test]
    fn a_legacy_server_agrees_on_a_revision_that_is_known() {
        let check = |reply: &str, expected: Expect| {
            expected.assert_eq(&format!("{:?}", initialized(&exchange(reply))));
        };
        check(
            r#""result":{"protocolVersion":"2025-03-26","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"version":"1"}}"#,
            expect![[
                r#"Ok(Server { era: Legacy("2025-03-26"), version: Some("1"), capabilities: {"tools": Object {"listChanged": Bool(true)}}, instructions: None })"#
            ]],
        );
        check(
            r#""result":{"protocolVersion":"2024-11-05"}"#,
            expect![[
                r#"Ok(Server { era: Legacy("2024-11-05"), version: None, capabilities: {}, instructions: None })"#
            ]],
        );
        check(
            r#""result":{"protocolVersion":"2099-01-01"}"#,
            expect![[r#"Err("it speaks MCP `2099-01-01`, which the gate does not")"#]],
        );
        check(
            r#""result":{}"#,
            expect![[
                r#"Err("its answer to `initialize` cannot be read: missing field `protocolVersion` at line 1 column 2")"#
            ]],
        );
        check(
            r#""error":{"code":-32600,"message":"go away"}"#,
            expect![[r#"Err("it did not answer `initialize`: error -32600: go away")"#]],
        );
    }

    #[test]
    fn every_modern_request_carries_its_envelope() {
        let params = Era::Modern.params(json!({"cursor": "x"}).as_object().unwrap().clone());
        expect![[r#"{"cursor":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"toolgate","version":"0.1.0"}}}"#]].assert_eq(params.get());
        let legacy = Era::Legacy("2025-11-25").params(serde_json::Map::new());
        assert_eq!(legacy.get(), "{}");
    }

    #[test]
    fn a_prefix_belongs_to_the_protocol_by_its_second_label() {
        for own in [
            "io.modelcontextprotocol/x",
            "com.mcp.tools/x",
            "io.modelcontextprotocol.y/x",
        ] {
            assert!(is_protocols_own(own), "{own}");
        }
        for free in [
            "traceparent",
            "dev.toolgate/x",
            "mcp/x",
            "com.example.mcp/x",
            "io.modelcontextprotocol",
        ] {
            assert!(!is_protocols_own(free), "{free}");
        }
    }
}
