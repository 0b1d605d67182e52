//! A server of tools for the comparison: small, fast, both eras of MCP over HTTP.
//!
//! `bench-upstream 50 100` serves fifty servers of a hundred tools each, at `/s00/mcp` to
//! `/s49/mcp` of one port of this machine, which it prints as `{"port": 41234}`. Every tool says
//! back the number that it was given, so that who asks can tell an answer from another one's.
//! It ends with its standard input.
//!
//! Must not know: who asks, what is measured.

use std::io::Read as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// The revisions that are spoken: one that stands by itself, and one with a handshake.
const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// The list of tools, as text: the same for every server.
struct Fixture {
    servers: usize,
    modern_list: String,
    legacy_list: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sizes = std::env::args().skip(1).map(|text| text.parse());
    let servers: usize = sizes.next().unwrap_or(Ok(1))?;
    let tools: usize = sizes.next().unwrap_or(Ok(10))?;
    let fixture = Arc::new(Fixture::of(servers, tools));
    let app = Router::new()
        .route("/{server}/mcp", post(answer))
        .with_state(fixture);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", json!({"port": listener.local_addr()?.port()}));
    std::thread::spawn(|| {
        let _ended = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

impl Fixture {
    fn of(servers: usize, tools: usize) -> Self {
        let tools: Vec<Value> = (0..tools).map(tool).collect();
        let modern = json!({
            "resultType": "complete", "ttlMs": 60_000, "cacheScope": "public", "tools": tools,
        });
        Self {
            servers,
            modern_list: modern.to_string(),
            legacy_list: json!({"tools": tools}).to_string(),
        }
    }

    fn knows(&self, server: &str) -> bool {
        let number = server.strip_prefix('s').and_then(|text| text.parse().ok());
        number.is_some_and(|number: usize| number < self.servers)
    }
}

/// A definition of the size that real ones have: about a kilobyte.
fn tool(number: usize) -> Value {
    let field = |what: &str| json!({"type": "string", "description": format!("The {what} of the record that is meant, as an earlier answer spelled it.")});
    json!({
        "name": format!("tool_{number:03}"),
        "title": format!("Tool {number}"),
        "description": format!(
            "Reads record {number} of the register and says what stands there. Use it when the \
             number of the record is known; search for it otherwise. What comes back is text, one \
             line a field, in the order of the register. Nothing is changed by reading."
        ),
        "inputSchema": {
            "type": "object",
            "properties": {
                "n": {"type": "integer", "minimum": 0, "description": "A number that is said back."},
                "customer": field("customer"),
                "region": {"type": "string", "enum": ["north", "east", "south", "west"]},
                "status": field("status"),
                "note": field("note"),
                "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
            },
            "required": ["n"],
            "additionalProperties": false,
        },
        "annotations": {"readOnlyHint": true, "idempotentHint": true, "openWorldHint": false},
    })
}

async fn answer(
    State(fixture): State<Arc<Fixture>>,
    Path(server): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !fixture.knows(&server) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(id) = message.get("id") else {
        return StatusCode::ACCEPTED.into_response();
    };
    let modern = headers
        .get("mcp-protocol-version")
        .is_some_and(|said| said == MODERN);
    let (status, member) = fixture.serve(&message, modern);
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#);
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, text).into_response()
}

impl Fixture {
    /// The status of an answer, and its `result` or `error` as the member of an object.
    fn serve(&self, message: &Value, modern: bool) -> (StatusCode, String) {
        let result = match message["method"].as_str().unwrap_or_default() {
            "tools/call" => called(&message["params"]["arguments"]["n"], modern),
            "tools/list" if modern => self.modern_list.clone(),
            "tools/list" => self.legacy_list.clone(),
            "initialize" => json!({
                "protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": me(),
            })
            .to_string(),
            "server/discover" => json!({
                "resultType": "complete", "supportedVersions": [MODERN],
                "capabilities": {"tools": {}}, "ttlMs": 60_000, "cacheScope": "public",
                "_meta": {"io.modelcontextprotocol/serverInfo": me()},
            })
            .to_string(),
            "ping" => "{}".to_owned(),
            other => {
                let error = json!({"code": -32601, "message": format!("no method `{other}`")});
                let status = if modern {
                    StatusCode::NOT_FOUND
                } else {
                    StatusCode::OK
                };
                return (status, format!(r#""error":{error}"#));
            }
        };
        (StatusCode::OK, format!(r#""result":{result}"#))
    }
}

fn called(number: &Value, modern: bool) -> String {
    let lines = "customer: cust_123\nregion: north\nstatus: open\nnote: paid in full on the 3rd";
    let content = json!([{"type": "text", "text": format!("said {number} back\n{lines}")}]);
    match modern {
        true => json!({"resultType": "complete", "content": content, "isError": false}).to_string(),
        false => json!({"content": content, "isError": false}).to_string(),
    }
}

fn me() -> Value {
    json!({"name": "bench-upstream", "version": "1"})
}
