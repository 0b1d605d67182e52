//! The circuit of a source whose server gives no answers, and what it costs: its own calls, which
//! are refused at once, and nobody else's.
//!
//! Time is in the test's hands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;
#[path = "common/web.rs"]
mod web;

use common::{World, source, travel};
use expect_test::expect;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use toolgate_gate::port::{Answer, Tools};
use toolgate_model::{Duration, SourceHealth};
use toolgate_tools::{Isolation, SourceConfig, SourceKind};
use web::{Asked, Given, Web};

const PROBE: Duration = Duration::from_secs(5);

fn at(web: &Web) -> SourceConfig {
    let kind = SourceKind::Http {
        url: web.url.clone(),
        bearer: None,
        headers: BTreeMap::new(),
    };
    source("h", kind)
}

fn modern(asked: &Asked) -> Given {
    match asked.method() {
        "server/discover" => asked.result(&json!({
            "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
        })),
        "tools/list" => asked.result(&json!({"tools": [{"name": "good"}, {"name": "slow"}]})),
        _ if asked.header("mcp-name") == "slow" => Given::Hang(vec![]),
        _ => asked.result(&json!({"content": []})),
    }
}

/// A server that answers nothing any more once the switch is set.
async fn fragile() -> (Web, Arc<AtomicBool>) {
    let silent = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&silent);
    let web = Web::serve(move |asked| match switch.load(Ordering::SeqCst) {
        true => Given::Hang(vec![]),
        false => modern(asked),
    });
    (web.await, silent)
}

async fn up(config: SourceConfig) -> World {
    let world = World::start(vec![config]);
    world.settled().await;
    assert_eq!(world.health("h"), SourceHealth::Up, "{}", world.detail("h"));
    world
}

#[tokio::test]
async fn a_tool_that_is_slow_costs_the_others_of_its_server_nothing() {
    let (web, _) = fragile().await;
    let world = up(at(&web)).await;
    world.lose("h.slow", 12).await;
    assert_eq!(world.health("h"), SourceHealth::Up, "{}", world.detail("h"));
    let good = world.call("h.good", json!({})).await;
    assert!(good.starts_with("answered"), "{good}");
    // It was asked whether it answers, by protocol and with no tool.
    assert!(web.count("server/discover") > 1);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_silent_server_is_not_called_until_it_answers() {
    let (web, silent) = fragile().await;
    let world = up(at(&web)).await;
    silent.store(true, Ordering::SeqCst);
    world.lose("h.good", 5).await;
    let sent = web.count("tools/call");
    world.pass(PROBE).await;
    world
        .until(|| world.health("h") == SourceHealth::Down)
        .await;
    let refused = world.call("h.good", json!({})).await;
    expect!["refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: its circuit is open, since it does not answer (no answer within 5s); it is asked again in 5s"].assert_eq(&refused);
    assert!(
        refused.ends_with(&world.detail("h")),
        "{}",
        world.detail("h")
    );
    assert_eq!(web.count("tools/call"), sent, "nothing was sent");
    silent.store(false, Ordering::SeqCst);
    world.pass(PROBE).await;
    world.until(|| world.health("h") == SourceHealth::Up).await;
    let good = world.call("h.good", json!({})).await;
    assert!(good.starts_with("answered"), "{good}");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_server_that_stays_silent_is_connected_to_anew() {
    let (web, silent) = fragile().await;
    let world = up(at(&web)).await;
    silent.store(true, Ordering::SeqCst);
    world.lose("h.good", 5).await;
    for seconds in [5, 5, 5, 10, 5] {
        world.pass(Duration::from_secs(seconds)).await;
    }
    // Three times it was asked in vain: another connection is the better hope.
    world
        .until(|| world.health("h") == SourceHealth::Starting)
        .await;
    expect!["it does not answer: no answer within 5s"].assert_eq(&world.detail("h"));
    let refused = world.call("h.good", json!({})).await;
    assert!(refused.contains("its circuit is open"), "{refused}");
    silent.store(false, Ordering::SeqCst);
    // The probe of the new connection went out while the server was silent still.
    world.pass(Duration::from_secs(10)).await;
    world
        .until(|| world.health("h") == SourceHealth::Down)
        .await;
    world.pass(Duration::from_secs(1)).await;
    world.until(|| world.health("h") == SourceHealth::Up).await;
    let good = world.call("h.good", json!({})).await;
    assert!(good.starts_with("answered"), "{good}");
    world.sources.shutdown().await;
}

/// What the server has seen that serves this agent.
async fn seen_for(world: &World, agent: &str) -> Vec<Value> {
    loop {
        let call = world.dispatch_of(agent, "h.seen", json!({}), travel());
        if let Answer::Answered { result, .. } = world.sources.call(call).await {
            let result: Value = serde_json::from_str(result.get()).unwrap();
            return result["seen"].as_array().unwrap().clone();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_principals_process_that_stands_still_is_replaced_alone() {
    let command = [env!("CARGO_BIN_EXE_library-server"), "legacy"];
    let kind = SourceKind::Stdio {
        command: command.map(str::to_owned).to_vec(),
        env: BTreeMap::new(),
        cwd: None,
    };
    let world = up(SourceConfig {
        isolation: Isolation::Principal,
        ..source("h", kind)
    })
    .await;
    assert_eq!(seen_for(&world, "bo").await.len(), 3);
    // Its process is up before the clock is moved: starting one takes real time.
    assert_eq!(seen_for(&world, "ana").await.len(), 3);
    world.lose_of("ana", "h.stall", 1).await;
    world.lose_of("ana", "h.hang", 4).await;
    // Another's answers show that the source as a whole is well.
    assert_eq!(seen_for(&world, "bo").await.len(), 4);
    for seconds in [5, 5, 5, 10, 5, 2] {
        world.pass(Duration::from_secs(seconds)).await;
    }
    assert_eq!(seen_for(&world, "ana").await.len(), 3, "another process");
    assert_eq!(seen_for(&world, "bo").await.len(), 5, "the same process");
    assert_eq!(world.health("h"), SourceHealth::Up);
    world.sources.shutdown().await;
}
