//! What the modern era wants of a client over HTTP, against a server whose every answer the test
//! decides.
//!
//! How the era is found out where a server refuses at first, and which tools a client must leave
//! out: those whose arguments are marked as headers in a way that no header could follow.

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
use std::sync::atomic::{AtomicUsize, Ordering};
use toolgate_model::SourceHealth;
use toolgate_tools::SourceKind;
use web::{Asked, Given, Web};

async fn settled(web: &Web) -> World {
    let kind = SourceKind::Http {
        url: web.url.clone(),
        bearer: None,
        headers: BTreeMap::new(),
    };
    let world = World::start(vec![source("h", kind)]);
    world.settled().await;
    world
}

fn initialized(asked: &Asked) -> Given {
    asked.result(&json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}))
}

fn refused(asked: &Asked, supported: &[&str]) -> Given {
    let data = json!({"supported": supported, "requested": "2026-07-28"});
    let error = json!({"code": -32022, "message": "unsupported version", "data": data});
    let answer = json!({"jsonrpc": "2.0", "id": asked.body["id"], "error": error});
    Given::json(400, &answer.to_string())
}

/// What a server is asked that refuses this many requests, naming what it speaks, and answers all
/// others of both eras.
async fn check(refusals: usize, supported: &'static [&'static str], expected: Expect) {
    let count = AtomicUsize::new(0);
    let web = Web::serve(move |asked| match asked.method() {
        _ if count.fetch_add(1, Ordering::SeqCst) < refusals => refused(asked, supported),
        "server/discover" => asked.result(&json!({
            "supportedVersions": ["2026-07-28"], "capabilities": {},
        })),
        "initialize" => initialized(asked),
        "tools/list" => asked.result(&json!({"tools": []})),
        _ => Given::empty(202),
    })
    .await;
    let world = settled(&web).await;
    let asked = web.asked();
    let mut lines: Vec<&str> = asked
        .iter()
        .filter(|asked| asked.http_method == "POST")
        .map(Asked::method)
        .collect();
    let health = format!("{:?}: {}", world.health("h"), world.detail("h"));
    lines.push(health.trim_end_matches(": "));
    expected.assert_eq(&lines.join("\n"));
    world.sources.shutdown().await;
}

#[tokio::test]
async fn one_that_refuses_the_version_it_speaks_is_asked_once_more() {
    check(
        0,
        &[],
        expect![[r#"
        server/discover
        tools/list
        Up"#]],
    )
    .await;
    check(
        1,
        &["2026-07-28"],
        expect![[r#"
        server/discover
        server/discover
        tools/list
        Up"#]],
    )
    .await;
    check(
        1,
        &["2025-11-25", "2026-07-28"],
        expect![[r#"
        server/discover
        server/discover
        tools/list
        Up"#]],
    )
    .await;
    // One that names only the older era, or refuses again, is asked for that.
    check(
        1,
        &["2025-11-25"],
        expect![[r#"
        server/discover
        initialize
        notifications/initialized
        tools/list
        Up"#]],
    )
    .await;
    check(
        2,
        &["2026-07-28", "2025-11-25"],
        expect![[r#"
        server/discover
        server/discover
        initialize
        notifications/initialized
        tools/list
        Up"#]],
    )
    .await;
    // The refusal of `initialize` says it too, and nobody is asked for ever.
    check(
        3,
        &["2026-07-28"],
        expect![[r#"
        server/discover
        server/discover
        initialize
        server/discover
        tools/list
        Up"#]],
    )
    .await;
    check(
        usize::MAX,
        &["2026-07-28"],
        expect![[r#"
        server/discover
        server/discover
        initialize
        server/discover
        server/discover
        Down: it answers neither era of MCP"#]],
    )
    .await;
}

#[tokio::test]
async fn a_tool_with_a_mark_that_no_header_can_follow_is_left_out_alone() {
    for (era, expected) in [
        (
            "modern",
            expect![[r#"
        h__unmarked h__valid
        - first: its argument `a` has an `x-mcp-header`, which needs the `type` `string`, `integer` or `boolean`
        - spaced: the `x-mcp-header` `A B` of its argument `a` is not 1 to 64 of the characters that a header's name may have
        - twice: two of its arguments have the `x-mcp-header` `A`, in whichever case; give each its own
        - listed: an `x-mcp-header` stands under `items` of its `inputSchema`; only `properties` may lead to one"#]],
        ),
        (
            "legacy",
            expect!["h__first h__listed h__spaced h__twice h__unmarked h__valid"],
        ),
    ] {
        let web = Web::serve(move |asked| match asked.method() {
            "server/discover" if era == "modern" => asked.result(&json!({
                "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            })),
            "server/discover" => Given::empty(400),
            "initialize" => initialized(asked),
            "tools/list" => asked.result(&marked()),
            _ => Given::empty(202),
        })
        .await;
        let mut world = settled(&web).await;
        assert_eq!(world.health("h"), SourceHealth::Up, "{era}");
        let offered = world.changes.recv().await.unwrap().join(" ");
        let unavailable = world.sources.unavailable();
        let reasons = unavailable
            .iter()
            .map(|one| format!("- {}: {}", one.tool, one.reason));
        let lines: Vec<String> = std::iter::once(offered).chain(reasons).collect();
        expected.assert_eq(&lines.join("\n"));
        world.sources.shutdown().await;
    }
}

fn marked() -> Value {
    let mark = |name: &str| json!({"type": "string", "x-mcp-header": name});
    json!({"tools": [
        tool("first", json!({"a": {"type": "number", "x-mcp-header": "A"}})),
        tool("valid", json!({"a": mark("A"), "b": mark("B")})),
        tool("spaced", json!({"a": mark("A B")})),
        tool("twice", json!({"a": mark("A"), "b": mark("a")})),
        tool("listed", json!({"a": {"type": "array", "items": mark("A")}})),
        tool("unmarked", json!({})),
    ]})
}

fn tool(name: &str, properties: Value) -> Value {
    json!({"name": name, "inputSchema": {"type": "object", "properties": properties}})
}
