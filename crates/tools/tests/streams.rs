//! Streams of legacy servers that break off before the answer, and sessions that expire.
//!
//! A stream that can be taken up again is, by listening alone: the call is on its way once and
//! never sent again. What cannot be taken up is a lost answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;
#[path = "common/web.rs"]
mod web;

use common::{World, source};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use toolgate_gate::port::Tools;
use toolgate_model::{Duration, SourceHealth};
use toolgate_tools::SourceKind;
use web::{Asked, Given, Web};

/// Everything but the call and what follows it, as a server of one era answers it.
fn common_part(era: &str, asked: &Asked) -> Option<Given> {
    let capabilities = json!({"tools": {}, "resources": {"subscribe": true}});
    match (era, asked.http_method.as_str(), asked.method()) {
        (_, "DELETE", _) => Some(Given::empty(200)),
        ("modern", _, "server/discover") => {
            Some(asked.result(
                &json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}),
            ))
        }
        ("legacy", _, "initialize") => Some(
            asked
                .result(&json!({"protocolVersion": "2025-11-25", "capabilities": capabilities}))
                .with("Mcp-Session-Id", "s1"),
        ),
        (_, _, "server/discover") => Some(Given::empty(400)),
        (_, _, "notifications/initialized" | "notifications/cancelled") => Some(Given::empty(202)),
        (_, _, "tools/list") => Some(asked.result(&json!({"tools": [{"name": "t"}]}))),
        (_, _, "resources/list") => Some(asked.result(&json!({"resources": []}))),
        (_, _, "resources/templates/list") => Some(asked.result(&json!({"resourceTemplates": []}))),
        // The stream of the server's own notifications.
        (_, "GET", _) if asked.header("last-event-id").is_empty() => Some(Given::Hang(vec![])),
        _ => None,
    }
}

/// These lines as a stream of events, which then ends.
fn stream(lines: &str) -> Given {
    let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    Given::Bytes(format!("{head}{lines}").into_bytes())
}

fn event(id: &str, data: &str) -> String {
    format!("id: {id}\ndata: {data}\n\n")
}

async fn up(web: &Web) -> World {
    let kind = SourceKind::Http {
        url: web.url.clone(),
        bearer: None,
        headers: BTreeMap::new(),
    };
    let world = World::start(vec![source("h", kind)]);
    world.settled().await;
    assert_eq!(world.health("h"), SourceHealth::Up, "{}", world.detail("h"));
    world
}

/// Calls the tool while time passes whenever somebody waits for a little of it.
async fn call(world: &World) -> String {
    let call = world.call("h.t", json!({}));
    let passing = async {
        loop {
            world.pass(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        answer = call => answer,
        never = passing => never,
    }
}

/// The GETs that take up a stream: after which event.
fn taken_up(web: &Web) -> Vec<String> {
    let all = web.asked();
    let ids = all
        .iter()
        .filter(|asked| asked.http_method == "GET")
        .map(|asked| asked.header("last-event-id").to_owned());
    ids.filter(|id| !id.is_empty()).collect()
}

type Later = fn(&Asked, &Value) -> Given;

#[tokio::test]
async fn a_stream_that_ends_before_its_answer_is_taken_up_where_it_broke() {
    let cases: Vec<(&str, &str, &str, Later, Expect)> = vec![
        (
            "a server that has its clients ask again",
            "legacy",
            "id: 1\nretry: 20\ndata:\n\n",
            |asked, id| match asked.header("last-event-id") {
                "1" => stream("id: 2\ndata:\n\n"),
                _ => stream(&format!(
                    "id: 9\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"n\":1}}}}\n\n"
                )),
            },
            expect![[r#"answered failed=false {"n":1} after ["1", "2"]"#]],
        ),
        (
            "a stream that breaks in the middle of an event",
            "legacy",
            "id: 1\ndata:\n\nid: 2\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"res",
            |_, id| {
                stream(&format!(
                    "data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n\n"
                ))
            },
            expect![[r#"answered failed=false {} after ["1"]"#]],
        ),
        (
            "a server that is away",
            "legacy",
            "id: 1\ndata:\n\n",
            |_, _| Given::empty(503),
            expect![[r#"lost Disconnected: HTTP 503 after ["1", "1", "1", "1", "1"]"#]],
        ),
        (
            "a server that begins streams and never goes on",
            "legacy",
            "id: 1\ndata:\n\n",
            |_, _| stream(""),
            expect![[
                r#"lost Disconnected: its stream ended without an answer after ["1", "1", "1", "1", "1"]"#
            ]],
        ),
        (
            "a server that knows of no taking up",
            "legacy",
            "id: 1\ndata:\n\n",
            |_, _| Given::empty(405),
            expect![[
                r#"lost Disconnected: its stream ended without an answer, and HTTP 405 says that it cannot be taken up again after ["1"]"#
            ]],
        ),
        (
            "a server that has forgotten the session",
            "legacy",
            "id: 1\ndata:\n\n",
            |_, _| Given::empty(404),
            expect![[
                r#"lost Disconnected: its stream ended without an answer, and HTTP 404 says that it cannot be taken up again after ["1"]"#
            ]],
        ),
        (
            "events without ids",
            "legacy",
            ": nothing\n\n",
            |_, _| Given::empty(500),
            expect!["lost Disconnected: its stream ended without an answer after []"],
        ),
        (
            "the modern era",
            "modern",
            "id: 1\ndata:\n\n",
            |_, _| Given::empty(500),
            expect!["lost Disconnected: its stream ended without an answer after []"],
        ),
    ];
    for (name, era, first, later, expected) in cases {
        let called = Arc::new(Mutex::new(Value::Null));
        let web = Web::serve(move |asked| {
            if let Some(given) = common_part(era, asked) {
                return given;
            }
            if asked.method() == "tools/call" {
                *called.lock().unwrap() = asked.body["id"].clone();
                return stream(first);
            }
            later(asked, &called.lock().unwrap())
        })
        .await;
        let world = up(&web).await;
        let became = call(&world).await;
        expected.assert_eq(&format!("{became} after {:?}", taken_up(&web)));
        assert_eq!(web.count("tools/call"), 1, "{name}: a call is sent once");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn updates_of_a_legacy_server_reach_their_followers_over_its_own_stream() {
    let web = Web::serve(|asked| match (asked.http_method.as_str(), asked.method()) {
        ("GET", _) if asked.header("last-event-id").is_empty() => stream(&event("u1", "")),
        ("GET", _) => Given::Hang(vec![
            json!({"jsonrpc": "2.0", "method": "notifications/resources/updated",
                "params": {"uri": "a:1"}})
            .to_string(),
        ]),
        (_, "resources/subscribe") => asked.result(&json!({})),
        _ => common_part("legacy", asked).unwrap_or_else(|| Given::empty(500)),
    })
    .await;
    let world = up(&web).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let sink = Arc::new(move |params: toolgate_model::json::Raw| {
        seen.lock().unwrap().push(params.get().to_owned());
    });
    let _following = world.sources.follow("h", "a:1", sink).unwrap();
    world.until(|| web.count("resources/subscribe") == 1).await;
    // The stream broke once; what came since is asked for by the last event's id.
    world.pass(Duration::from_secs(1)).await;
    world.until(|| !told.lock().unwrap().is_empty()).await;
    assert_eq!(told.lock().unwrap().first().unwrap(), r#"{"uri":"a:1"}"#);
    assert_eq!(taken_up(&web), ["u1"]);
    world.sources.shutdown().await;
}
