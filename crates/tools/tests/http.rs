//! Sources over streamable HTTP, against a server whose every answer the test decides.
//!
//! What matters is how far a call got: only what provably did not run is refused, all else is
//! lost, and nothing is ever sent twice.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;
#[path = "common/web.rs"]
mod web;

use common::{World, shown, source, travel, travel_with_progress};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;
use toolgate_gate::permit::Travel;
use toolgate_gate::port::Tools;
use toolgate_model::{Duration, SourceHealth};
use toolgate_tools::{Secret, SourceConfig, SourceKind};
use web::{Asked, Given, Web};

fn at(web: &Web) -> SourceConfig {
    source(
        "h",
        SourceKind::Http {
            url: web.url.clone(),
            bearer: Some(Secret::new("tok")),
            headers: BTreeMap::from([("X-Team".to_owned(), Secret::new("blue"))]),
        },
    )
}

async fn up(web: &Web) -> World {
    let world = World::start(vec![at(web)]);
    world.settled().await;
    assert_eq!(world.health("h"), SourceHealth::Up, "{}", world.detail("h"));
    world
}

/// Everything but calls, as a modern server answers it.
fn modern(asked: &Asked) -> Option<Given> {
    match asked.method() {
        "server/discover" => Some(asked.result(&json!({
            "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
        }))),
        "tools/list" => Some(asked.result(&tools())),
        _ => None,
    }
}

/// Everything but calls, as a legacy server with sessions answers it.
fn legacy(asked: &Asked, session: &str) -> Option<Given> {
    match (asked.http_method.as_str(), asked.method()) {
        ("DELETE", _) => Some(Given::empty(200)),
        ("GET", _) => Some(Given::empty(405)),
        (_, "server/discover") => Some(Given::json(
            400,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"}}"#,
        )),
        (_, "initialize") => {
            let result = json!({"protocolVersion": "2025-06-18", "capabilities": {"tools":
                {"listChanged": true}}, "serverInfo": {"name": "l", "version": "3.0"}});
            Some(asked.result(&result).with("Mcp-Session-Id", session))
        }
        (_, "notifications/initialized" | "notifications/cancelled") => Some(Given::empty(202)),
        (_, "tools/list") if asked.header("mcp-session-id") != session => Some(Given::empty(404)),
        (_, "tools/list") => Some(asked.result(&tools())),
        _ => None,
    }
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
    }});
    json!({"tools": [{"name": "do.it", "inputSchema": schema}]})
}

#[tokio::test]
async fn a_modern_call_carries_its_headers() {
    let web = Web::serve(|asked| modern(asked).unwrap_or_else(|| asked.result(&json!({})))).await;
    let world = up(&web).await;
    let answer = world.call("h.do.it", json!({"region": "eu"})).await;
    assert_eq!(answer, "answered failed=false {}");
    let call = web.asked().pop().unwrap();
    let shown: Vec<String> = call
        .headers
        .iter()
        .filter(|(name, _)| *name != "host" && *name != "content-length")
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    expect![[r#"
        accept: application/json, text/event-stream
        authorization: Bearer tok
        content-type: application/json
        mcp-method: tools/call
        mcp-name: do.it
        mcp-param-region: eu
        mcp-protocol-version: 2026-07-28
        x-team: blue"#]]
    .assert_eq(&shown.join("\n"));
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_legacy_session_is_opened_used_and_closed() {
    let web =
        Web::serve(|asked| legacy(asked, "s1").unwrap_or_else(|| asked.result(&json!({})))).await;
    let world = up(&web).await;
    assert_eq!(
        world.call("h.do.it", json!({})).await,
        "answered failed=false {}"
    );
    world
        .until(|| web.asked().iter().any(|asked| asked.http_method == "GET"))
        .await;
    world.sources.shutdown().await;
    let mut lines: Vec<String> = web
        .asked()
        .iter()
        .map(|asked| {
            let (session, version) = (
                asked.header("mcp-session-id"),
                asked.header("mcp-protocol-version"),
            );
            format!(
                "{} {} [{session}] [{version}]",
                asked.http_method,
                asked.method()
            )
        })
        .collect();
    // The stream of notifications is opened beside everything else.
    lines.sort_by_key(|line| line.starts_with("GET"));
    expect![[r#"
        POST server/discover [] [2026-07-28]
        POST initialize [] []
        POST notifications/initialized [s1] [2025-06-18]
        POST tools/list [s1] [2025-06-18]
        POST tools/call [s1] [2025-06-18]
        DELETE  [s1] [2025-06-18]
        GET  [s1] [2025-06-18]"#]]
    .assert_eq(&lines.join("\n"));
}

type Handler = fn(&Asked) -> Given;

#[tokio::test]
async fn how_far_a_call_got_decides_what_became_of_it() {
    let cases: Vec<(&str, Handler, Expect)> = vec![
        (
            "a result",
            |asked| asked.result(&json!({"n": 1})),
            expect![[r#"answered failed=false {"n":1}"#]],
        ),
        (
            "a stream",
            |asked| {
                let id = &asked.body["id"];
                Given::Events(vec![
                    r#"{"jsonrpc":"2.0","id":4040,"result":{"for":"nobody"}}"#.to_owned(),
                    "garbage".to_owned(),
                    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"b":1e2,"a":0}}}}"#),
                ])
            },
            expect![[r#"answered failed=false {"b":1e2,"a":0}"#]],
        ),
        (
            "a stream that ends early",
            |_| Given::Events(vec![]),
            expect!["lost Disconnected: its stream ended without an answer"],
        ),
        (
            "a connection that ends",
            |_| Given::Bytes(vec![]),
            expect![
                "lost Disconnected: client error (SendRequest): connection closed before message completed"
            ],
        ),
        (
            "half an answer",
            |_| {
                Given::Bytes(
            b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"jsonrpc\"".to_vec()
        )
            },
            expect![
                "lost Disconnected: error reading a body from connection: end of file before message length reached"
            ],
        ),
        (
            "no HTTP at all",
            |_| Given::Bytes(b"220 smtp ready\r\n".to_vec()),
            expect!["lost Disconnected: client error (SendRequest): invalid HTTP version parsed"],
        ),
        (
            "another's answer",
            |_| Given::json(200, r#"{"jsonrpc":"2.0","id":4040,"result":{}}"#),
            expect![[
                r#"lost Ambiguous: invalid_result: its answer breaks the protocol: `{"jsonrpc":"2.0","id":4040,"result":{}}` is no answer to the request"#
            ]],
        ),
        (
            "a page",
            |_| {
                Given::Answer(
                    200,
                    vec![("content-type".into(), "text/html".into())],
                    "<p>hi".into(),
                )
            },
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: its content type is `text/html`"
            ],
        ),
        (
            "nothing",
            |_| Given::empty(202),
            expect!["lost Ambiguous: it answered with HTTP 202"],
        ),
        (
            "too much",
            |_| Given::json(200, &format!(r#"{{"x":"{}"}}"#, "y".repeat(300_000))),
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: its answer is longer than the 262144 bytes allowed"
            ],
        ),
        (
            "an endless event",
            |_| Given::Events(vec!["y".repeat(300_000)]),
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: its stream is longer than allowed"
            ],
        ),
        (
            "a redirect",
            |_| Given::empty(307).with("location", "http://127.0.0.1:1/elsewhere"),
            expect![
                "lost Ambiguous: it answered with HTTP 307: it redirects to `http://127.0.0.1:1/elsewhere`, which is not followed; use that as the URL"
            ],
        ),
        (
            "bad request",
            |asked| {
                let id = &asked.body["id"];
                Given::json(
                    400,
                    &format!(
                        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"no"}}}}"#
                    ),
                )
            },
            expect!["refused tool_error: the tool's server refused the call: no"],
        ),
        (
            "forbidden",
            |_| Given::Answer(403, vec![], "go away".into()),
            expect!["refused tool_error: the tool's server refused the call: HTTP 403: go away"],
        ),
        (
            "not found",
            |_| Given::empty(404),
            expect!["refused tool_error: the tool's server refused the call: HTTP 404"],
        ),
        (
            "conflict",
            |_| Given::empty(409),
            expect!["lost Ambiguous: it answered with HTTP 409"],
        ),
        (
            "too many",
            |_| Given::empty(429),
            expect!["lost Ambiguous: it answered with HTTP 429"],
        ),
        (
            "broken",
            |_| Given::empty(500),
            expect!["lost Ambiguous: it answered with HTTP 500"],
        ),
        (
            "away",
            |_| Given::empty(503),
            expect!["lost Ambiguous: it answered with HTTP 503"],
        ),
    ];
    for (name, given, expected) in cases {
        let web = Web::serve(move |asked| modern(asked).unwrap_or_else(|| given(asked))).await;
        let world = up(&web).await;
        let answer = world.call("h.do.it", json!({})).await;
        expected.assert_eq(&answer);
        assert_eq!(web.count("tools/call"), 1, "{name}: a call is sent once");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_sent_nothing() {
    let mut web = Web::serve(|asked| modern(asked).unwrap()).await;
    let world = up(&web).await;
    web.stop().await;
    let refused = world.call("h.do.it", json!({})).await;
    assert!(
        refused.starts_with("refused upstream_unavailable: the tool's server cannot be reached"),
        "{refused}"
    );
    world
        .until(|| world.health("h") == SourceHealth::Down)
        .await;
    assert_eq!(world.sources.catalogue().len(), 1, "its tools stay known");
}

#[tokio::test]
async fn an_expired_session_is_opened_anew_and_the_call_is_not_repeated() {
    let sessions = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sessions);
    let web = Web::serve(move |asked| {
        if asked.method() == "initialize" {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        let session = format!("s{}", counter.load(Ordering::SeqCst));
        legacy(asked, &session).unwrap_or_else(|| {
            if asked.header("mcp-session-id") == "s1" {
                return Given::json(
                    404,
                    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#,
                );
            }
            asked.result(&json!({}))
        })
    })
    .await;
    let world = up(&web).await;
    let expired = world.call("h.do.it", json!({})).await;
    expect!["refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: its session has expired"].assert_eq(&expired);
    assert_eq!(
        world.call("h.do.it", json!({})).await,
        "answered failed=false {}"
    );
    assert_eq!(sessions.load(Ordering::SeqCst), 2);
    assert_eq!(web.count("tools/call"), 2, "one call each");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_modern_call_is_cancelled_by_leaving() {
    let web = Web::serve(|asked| {
        modern(asked).unwrap_or_else(|| {
            let token = &asked.body["params"]["_meta"]["progressToken"];
            Given::Hang(vec![format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
            )])
        })
    })
    .await;
    let world = up(&web).await;
    let (travel, mut progress) = travel_with_progress();
    let (give_up, cancelled) = oneshot::channel::<()>();
    let travel = Travel {
        cancelled: Box::pin(async move {
            let _ = cancelled.await;
        }),
        ..travel
    };
    let call = world
        .sources
        .call(world.dispatch("h.do.it", json!({}), travel));
    let (answer, ()) = tokio::join!(call, async {
        progress.recv().await.unwrap();
        give_up.send(()).unwrap();
    });
    assert_eq!(shown(&answer), "lost Cancelled: the caller gave up (1m)");
    world.until(|| web.left() == 1).await;
    assert_eq!(web.count("notifications/cancelled"), 0);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_legacy_call_is_cancelled_by_saying_so() {
    let web = Web::serve(|asked| legacy(asked, "s1").unwrap_or_else(|| Given::Hang(vec![]))).await;
    let world = up(&web).await;
    let call = world
        .sources
        .call(world.dispatch("h.do.it", json!({}), travel()));
    let (answer, ()) = tokio::join!(call, async {
        world.until(|| web.count("tools/call") == 1).await;
        world.clock.advance(Duration::from_secs(60));
    });
    assert_eq!(shown(&answer), "lost Timeout: no answer in time (1m)");
    world
        .until(|| web.count("notifications/cancelled") == 1)
        .await;
    let asked = web.asked();
    let find = |method: &str| asked.iter().find(|asked| asked.method() == method).unwrap();
    let (call, told) = (find("tools/call"), find("notifications/cancelled"));
    assert_eq!(told.body["params"]["requestId"], call.body["id"]);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn changes_are_heard_on_the_streams_of_both_eras() {
    for era in ["modern", "legacy"] {
        let lists = Arc::new(AtomicUsize::new(0));
        let web = Web::serve(move |asked| {
            let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
            match (asked.http_method.as_str(), asked.method()) {
                ("GET", _) | (_, "subscriptions/listen") => Given::Hang(vec![changed.to_owned()]),
                (_, "tools/list") => {
                    let count = lists.fetch_add(1, Ordering::SeqCst);
                    let names = ["one", "two"].iter().take(count + 1);
                    let all: Vec<Value> = names.map(|name| json!({"name": name})).collect();
                    asked.result(&json!({"tools": all}))
                }
                (_, "server/discover") if era == "modern" => asked.result(&json!({
                    "supportedVersions": ["2026-07-28"],
                    "capabilities": {"tools": {"listChanged": true}},
                })),
                _ => legacy(asked, "s1").unwrap_or_else(|| Given::empty(500)),
            }
        })
        .await;
        let mut world = up(&web).await;
        assert_eq!(world.changes.recv().await.unwrap(), ["h__one"]);
        assert_eq!(world.changes.recv().await.unwrap(), ["h__one", "h__two"]);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn what_cannot_be_used_says_why() {
    let refused = Web::serve(|_| Given::empty(401)).await;
    let moved = Web::serve(|_| Given::empty(308).with("location", "/elsewhere")).await;
    let page = Web::serve(|_| {
        Given::Answer(
            200,
            vec![("content-type".into(), "text/html".into())],
            "<p>".into(),
        )
    })
    .await;
    for (web, expected) in [
        (
            &refused,
            expect!["Down: it refused the gate's credential with HTTP 401"],
        ),
        (
            &moved,
            expect![
                "Down: it did not answer `initialize`: HTTP 308: it redirects to `/elsewhere`, which is not followed; use that as the URL"
            ],
        ),
        (
            &page,
            expect!["Down: it did not answer `initialize`: its content type is `text/html`"],
        ),
    ] {
        let world = World::start(vec![at(web)]);
        world.settled().await;
        let told = format!("{:?}: {}", world.health("h"), world.detail("h"));
        expected.assert_eq(&told);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_server_may_ask_and_is_answered_that_nothing_is_served() {
    let web = Web::serve(|asked| {
        legacy(asked, "s1").unwrap_or_else(|| match asked.method() {
            "tools/call" => Given::Events(vec![
                r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#
                    .to_owned(),
                format!(
                    r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#,
                    asked.body["id"]
                ),
            ]),
            _ => Given::empty(202),
        })
    })
    .await;
    let world = up(&web).await;
    assert_eq!(
        world.call("h.do.it", json!({})).await,
        "answered failed=false {}"
    );
    let answered = || {
        web.asked()
            .into_iter()
            .find(|asked| asked.body["id"] == "q")
    };
    world.until(|| answered().is_some()).await;
    assert_eq!(answered().unwrap().body["error"]["code"], -32601);
    world.sources.shutdown().await;
}
