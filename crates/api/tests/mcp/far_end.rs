//! An odd server at the far end, over HTTP and a real client of it: what it says and what it is told
//! goes both ways byte for byte, in both eras, but for the keys that are the gate's.
//!
//! Numbers keep their digits; only an exponent is written with its sign (`1e2` is `1e+2`) where a
//! definition or an argument was read on the way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use toolgate_api::mcp::McpOptions;
use toolgate_gate::port::BoxFuture;
use toolgate_model::{Duration, Effect, Risk, Verb};
use toolgate_tools::{
    EraChoice, Overrides, Ports, SourceConfig, SourceKind, Sources, ToolOverride,
};

use crate::world::{Counter, Runtime, World, clock};

/// What the server answers each method, byte for byte.
const ANSWERS: [(&str, &str); 8] = [
    (
        "tools/list",
        r#"{"tools":[{"zeta":{"b":1,"a":[2.50,123456789012345678901234567890]},"name":"odd","title":"Ödd","execution":{"x":1},"inputSchema":{"type":"object","properties":{"q":{"x-vendor":true}},"$schema":"http://json-schema.org/draft-07/schema#"},"outputSchema":{"type":"array"},"annotations":{"vendorHint":[null]},"_meta":{"vendor/x":{"y":0.10}}}],"ttlMs":5,"cacheScope":"public"}"#,
    ),
    (
        "prompts/list",
        r#"{"prompts":[{"zeta":1.50,"name":"greet","arguments":[{"name":"who","vendor":null}]}],"ttlMs":5,"cacheScope":"public"}"#,
    ),
    (
        "resources/list",
        r#"{"resources":[{"size":1.50,"uri":"odd:///a","name":"A","annotations":{"vendor":[0.10]}}],"ttlMs":5,"cacheScope":"public"}"#,
    ),
    (
        "resources/templates/list",
        r#"{"resourceTemplates":[{"vendor":1.50,"uriTemplate":"odd:///{path}","name":"all"}],"ttlMs":5,"cacheScope":"public"}"#,
    ),
    (
        "tools/call",
        r#"{"zeta":1e2,"content":[{"type":"hologram","vendor":{"b":1,"a":2},"n":123456789012345678901234567890.10}], "structuredContent":[1,2.50,null,{"k":9007199254740993}],"isError":false,"alpha":0}"#,
    ),
    (
        "prompts/get",
        r#"{"zeta":1E2,"messages":[{"role":"user","content":{"type":"hologram","n":1.50}}], "description":"\u00e4\ud83d\ude00","alpha":null}"#,
    ),
    (
        "resources/read",
        r#"{"zeta":1E2,"contents":[{"uri":"odd:///a","blob":"eA==","vendor":{"n":0.10}}], "alpha":null}"#,
    ),
    (
        "completion/complete",
        r#"{"zeta":1E2,"completion":{"values":["a"],"total":1.0,"vendor":[]}, "alpha":null}"#,
    ),
];

/// What a client says, byte for byte: the method, the parameters, and what of them the server must
/// hear.
const ASKED: [(&str, &str, &str); 5] = [
    (
        "tools/call",
        r#"{"name":"odd__odd","arguments":{"z":2.50,"q":"\u00e4","a":[null,{"b":1,"a":2}]}}"#,
        r#""arguments":{"z":2.50,"q":"ä","a":[null,{"b":1,"a":2}]}"#,
    ),
    (
        "prompts/get",
        r#"{"vendor":{"b":1,"a":2.50},"name":"odd__greet","arguments":{"who":"ana"}}"#,
        r#"{"vendor":{"b":1,"a":2.50},"name":"greet","arguments":{"who":"ana"}"#,
    ),
    (
        "resources/read",
        r#"{"vendor":[1.50],"uri":"toolgate://odd/odd:///a"}"#,
        r#"{"vendor":[1.50],"uri":"odd:///a""#,
    ),
    (
        "completion/complete",
        r#"{"ref":{"x":1.50,"type":"ref/prompt","name":"odd__greet"},"argument":{"name":"who","value":"","v":0.10},"context":{"arguments":{}}}"#,
        r#"{"ref":{"x":1.50,"type":"ref/prompt","name":"greet"},"argument":{"name":"who","value":"","v":0.10},"context":{"arguments":{}}"#,
    ),
    (
        "completion/complete",
        r#"{"ref":{"type":"ref/resource","uri":"toolgate://odd/odd:///{path}"},"argument":{"name":"path","value":"a"}}"#,
        r#"{"ref":{"type":"ref/resource","uri":"odd:///{path}"},"argument":{"name":"path","value":"a"}"#,
    ),
];

/// What a client says beside it, to whoever understands it.
const BESIDE: &str = r#"{"vendor/x":{"b":1.50,"a":[null]}}"#;

/// What a server heard, as it came.
type Heard = Arc<Mutex<Vec<String>>>;

async fn serve(State((era, heard)): State<(EraChoice, Heard)>, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    heard.lock().unwrap().push(body);
    let Some(id) = message.get("id") else {
        return StatusCode::ACCEPTED.into_response();
    };
    let method = message["method"].as_str().unwrap();
    let offered = json!({"tools": {}, "prompts": {}, "resources": {}, "completions": {}});
    let known = ANSWERS.iter().find(|(known, _)| *known == method);
    let result = match (era, method) {
        (EraChoice::Modern, "server/discover") => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"],
            "capabilities": offered, "ttlMs": 0, "cacheScope": "private",
        })
        .to_string(),
        (EraChoice::Legacy, "initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": offered,
            "serverInfo": {"name": "odd", "version": "1"},
        })
        .to_string(),
        _ => match known {
            Some((_, answer)) if era == EraChoice::Modern => {
                answer.replacen('{', r#"{"resultType":"complete","#, 1)
            }
            Some((_, answer)) => (*answer).to_owned(),
            None => {
                let error = r#"{"code":-32601,"message":"no"}"#;
                let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
                return (StatusCode::NOT_FOUND, json_type(), text).into_response();
            }
        },
    };
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    (json_type(), text).into_response()
}

fn json_type() -> [(&'static str, &'static str); 1] {
    [("content-type", "application/json")]
}

/// Starts the server; it stops with the test.
async fn odd(era: EraChoice) -> (SocketAddr, Heard) {
    let heard = Heard::default();
    let app = Router::new().route("/mcp", post(serve));
    let app = app.with_state((era, heard.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async move { axum::serve(listener, app).await.unwrap() };
    toolgate_gate::port::Tasks::spawn(&Runtime, "odd", Box::pin(serving) as BoxFuture<'_, ()>);
    (address, heard)
}

/// A gate in front of it.
async fn gate(era: EraChoice, address: SocketAddr) -> World {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kind = SourceKind::Http {
        url: format!("http://{address}/mcp"),
        bearer: None,
        headers: BTreeMap::new(),
    };
    let config = SourceConfig {
        era,
        ..SourceConfig::new("odd", kind)
    };
    let low = ToolOverride {
        risk: Some(Risk::Low),
        verb: Some(Verb::Read),
        effect: Some(Effect::None),
        ..ToolOverride::default()
    };
    let overrides = Overrides::from([("odd.odd".parse().unwrap(), low)]);
    let ports = Ports {
        clock: Arc::new(clock()),
        tasks: Arc::new(Runtime),
        entropy: Arc::new(Counter::default()),
        environment: Arc::default(),
    };
    let sources = Sources::start(vec![config], &overrides, ports, Arc::new(|_| {}));
    sources.settled(Duration::from_secs(60)).await;
    let world = World::before(McpOptions::default(), sources).await;
    world.regrant(&["odd.*"]).await;
    world
}

/// The listed fields under the names that clients know, in the order of `ANSWERS`.
fn renamed(text: &str) -> String {
    text.replace(r#""name":"odd""#, r#""name":"odd__odd""#)
        .replace(r#""name":"greet""#, r#""name":"odd__greet""#)
        .replace(r#":"odd:///"#, r#":"toolgate://odd/odd:///"#)
        .replace(r#","ttlMs":5,"cacheScope":"public"}"#, "")
}

#[tokio::test]
async fn nothing_is_lost_on_the_way_through() {
    for era in [EraChoice::Modern, EraChoice::Legacy] {
        let (address, heard) = odd(era).await;
        let world = gate(era, address).await;
        let session = world.session("2025-11-25").await;
        for (method, answer) in &ANSWERS[..4] {
            // `{"tools":[` and one entry, whatever the gate lists behind it.
            let entry = renamed(answer);
            let entry = entry.trim_end_matches(']');
            let modern = world.modern(method, json!({})).await_answer().await;
            let legacy = world
                .legacy(&session, method, json!({}))
                .await_answer()
                .await;
            for listed in [modern, legacy] {
                assert!(
                    listed.body.contains(entry),
                    "{era:?} {method}: {}",
                    listed.body
                );
            }
        }
        for (method, params, told) in ASKED {
            let answer = ANSWERS
                .iter()
                .find(|(known, _)| *known == method)
                .unwrap()
                .1;
            let answer = answer.strip_prefix('{').unwrap();
            let mut params: Value = serde_json::from_str(params).unwrap();
            params["_meta"] = serde_json::from_str(BESIDE).unwrap();
            heard.lock().unwrap().clear();
            let modern = world.modern(method, params.clone()).await_answer().await;
            let legacy = world.legacy(&session, method, params).await_answer().await;
            for got in [modern, legacy] {
                assert!(got.body.contains(answer), "{era:?} {method}: {}", got.body);
            }
            let heard = heard.lock().unwrap().clone();
            let calls: Vec<_> = heard.iter().filter(|body| body.contains(method)).collect();
            assert_eq!(calls.len(), 2, "{era:?} {method}: {heard:?}");
            for call in calls {
                assert!(call.contains(told), "{era:?} {method}: {call}");
                assert!(call.contains(&BESIDE[1..BESIDE.len() - 1]), "{call}");
            }
        }
    }
}
