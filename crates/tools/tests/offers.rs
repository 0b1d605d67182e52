//! What sources offer besides tools, against a real process of either era.
//!
//! Prompts, resources and templates reach the catalogue as written; reading them is a tool like
//! any other; who follows a resource is told of each update, over reconnects too. The server is
//! `tests/common/library_server.rs`; time is in the test's hands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;

use common::{World, source};
use expect_test::expect;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use toolgate_gate::port::{Following, Tools};
use toolgate_model::{Duration, Effect, Offer, Risk, SourceHealth, Verb};
use toolgate_tools::{EraChoice, Overrides, SourceConfig, SourceKind, ToolOverride, WireNames};

/// Both eras must behave alike.
const ERAS: [&str; 2] = ["modern", "legacy"];

fn library(words: &[&str]) -> SourceConfig {
    let mut command = vec![env!("CARGO_BIN_EXE_library-server").to_owned()];
    command.extend(words.iter().map(|word| (*word).to_owned()));
    let kind = SourceKind::Stdio {
        command,
        env: BTreeMap::new(),
        cwd: None,
    };
    source("l", kind)
}

async fn up(config: SourceConfig) -> World {
    up_with(config, Overrides::new()).await
}

async fn up_with(config: SourceConfig, overrides: Overrides) -> World {
    let world = World::start_with(vec![config], overrides);
    world.settled().await;
    assert_eq!(world.health("l"), SourceHealth::Up, "{}", world.detail("l"));
    world
}

fn offer(world: &World) -> Arc<Offer> {
    let catalogue = world.sources.catalogue();
    Arc::clone(catalogue.offers().get("l").unwrap())
}

/// How often each message came in at the server, by method and what it is about.
async fn heard(world: &World, method: &str) -> Vec<Value> {
    let answer = world.call("l.seen", json!({})).await;
    let text = answer.strip_prefix("answered failed=false ").unwrap();
    let seen: Value = serde_json::from_str(text).unwrap();
    let all = seen["seen"].as_array().unwrap().iter();
    all.filter(|message| message["method"] == method)
        .map(|message| message["params"].clone())
        .collect()
}

type Told = Arc<Mutex<Vec<String>>>;

fn follow(world: &World, uri: &str) -> (Following, Told) {
    let told = Told::default();
    let seen = Arc::clone(&told);
    let sink = Arc::new(move |params: toolgate_model::json::Raw| {
        let params: Value = serde_json::from_str(params.get()).unwrap();
        seen.lock()
            .unwrap()
            .push(params["uri"].as_str().unwrap().to_owned());
    });
    (world.sources.follow("l", uri, sink).unwrap(), told)
}

/// Updates a resource until its follower hears of it: it is subscribed at some moment.
async fn touch_until_told(world: &World, uri: &str, told: &Told) {
    let before = told.lock().unwrap().len();
    while told.lock().unwrap().len() == before {
        world.call("l.touch", json!({"uri": uri})).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_server_offers_is_in_the_catalogue_as_it_wrote_it() {
    for era in ERAS {
        let world = up(library(&[era])).await;
        let offer = offer(&world);
        let names = |items: &[Value], key: &str| -> Vec<String> {
            let text = |item: &Value| item[key].as_str().unwrap().to_owned();
            items.iter().map(text).collect()
        };
        assert_eq!(
            names(&offer.prompts, "name"),
            ["greet", "part"],
            "both pages"
        );
        assert_eq!(
            offer.resources,
            [json!({"uri": "book:1", "name": "one", "size": 1})]
        );
        assert_eq!(names(&offer.templates, "uriTemplate"), ["shelf:{n}"]);
        assert_eq!(offer.instructions.as_deref(), Some("Whisper."));
        assert_eq!(offer.capabilities["resources"]["subscribe"], true);
        assert!(!offer.bare);
        let detail = world.detail("l");
        assert!(
            detail.starts_with("1 tool is unavailable: `resources/read`: its name"),
            "{detail}"
        );
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn the_methods_are_tools_that_only_read() {
    let stated = ToolOverride {
        risk: Some(Risk::High),
        ..ToolOverride::default()
    };
    let named = ToolOverride {
        wire_name: Some("complete".to_owned()),
        ..ToolOverride::default()
    };
    let overrides = Overrides::from([
        ("l.prompts/get".parse().unwrap(), stated),
        ("l.completion/complete".parse().unwrap(), named),
    ]);
    let world = up_with(library(&["modern"]), overrides).await;
    let catalogue = world.sources.catalogue();
    let lines: Vec<String> = catalogue
        .iter()
        .filter(|tool| tool.id.operation().contains('/'))
        .map(|tool| {
            let resource = tool.resource.as_ref().map(|template| template.as_str());
            format!(
                "{} {} {} {} {:?} {:?}: {}",
                tool.id,
                tool.wire_name,
                tool.verb,
                tool.risk,
                tool.effect,
                resource,
                tool.risk_reason
            )
        })
        .collect();
    expect![[r#"
        l.prompts/get l__prompts/get READ high None Some("prompt:{args.name}"): the operator says so
        l.resources/read l__resources/read READ low None Some("{args.uri}"): a method of MCP that only reads"#]]
    .assert_eq(&lines.join("\n"));
    let unavailable = world.sources.unavailable();
    let reasons: Vec<_> = unavailable.iter().map(|one| one.reason.as_str()).collect();
    expect!["it is a method of MCP and listed as no tool; leave `wire_name` out"]
        .assert_eq(reasons.last().unwrap());
    assert_eq!(
        world.sources.sources()[0].tools,
        6,
        "the methods are not among its tools"
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_server_that_declares_tools_only_is_asked_for_nothing_else() {
    for era in ERAS {
        let world = up(library(&[era, "plain"])).await;
        let methods = ["prompts/list", "resources/list", "resources/templates/list"];
        for method in methods {
            assert!(heard(&world, method).await.is_empty(), "{method}");
        }
        let catalogue = world.sources.catalogue();
        assert!(
            catalogue
                .iter()
                .all(|tool| !tool.id.operation().contains('/'))
        );
        assert!(
            world
                .sources
                .follow("l", "book:1", Arc::new(|_| {}))
                .is_none()
        );
        assert!(
            world
                .sources
                .follow("nobody", "book:1", Arc::new(|_| {}))
                .is_none()
        );
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_list_that_fails_costs_itself_alone() {
    let world = up(library(&["legacy", "broken"])).await;
    let offer = offer(&world);
    assert!(offer.prompts.is_empty());
    assert_eq!(offer.resources.len(), 1);
    let read = world
        .call("l.resources/read", json!({"uri": "book:1"}))
        .await;
    assert!(read.contains("once upon a time"), "{read}");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn an_announced_change_is_published_whatever_came_of_it() {
    for era in ERAS {
        let mut world = up(library(&[era])).await;
        while era == "modern" && heard(&world, "subscriptions/listen").await.is_empty() {}
        let before = offer(&world).announced;
        world.call("l.grow", json!({})).await;
        world.until(|| offer(&world).resources.len() == 2).await;
        world.pass(Duration::from_millis(500)).await;
        world.call("l.announce", json!({})).await;
        world
            .until(|| offer(&world).announced.prompts == before.prompts + 1)
            .await;
        assert_eq!(offer(&world).announced.resources, before.resources + 1);
        assert_eq!(offer(&world).announced.tools, before.tools);
        assert!(world.changes.recv().await.is_some());
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn every_follower_is_told_until_it_leaves() {
    for era in ERAS {
        let world = up(library(&[era])).await;
        let (first, of_first) = follow(&world, "book:1");
        touch_until_told(&world, "book:1", &of_first).await;
        let (_second, of_second) = follow(&world, "book:1");
        let (_other, of_other) = follow(&world, "book:2");
        touch_until_told(&world, "book:2", &of_other).await;
        touch_until_told(&world, "book:1", &of_second).await;
        drop(first);
        let heard_by_first = of_first.lock().unwrap().len();
        touch_until_told(&world, "book:1", &of_second).await;
        assert_eq!(of_first.lock().unwrap().len(), heard_by_first, "{era}");
        let all_of = |told: &Told, uri: &str| told.lock().unwrap().iter().all(|seen| seen == uri);
        assert!(
            all_of(&of_second, "book:1") && all_of(&of_other, "book:2"),
            "{era}"
        );
        if era == "legacy" {
            let subscribed = heard(&world, "resources/subscribe").await;
            assert_eq!(
                subscribed,
                [json!({"uri": "book:1"}), json!({"uri": "book:2"})]
            );
        }
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn the_last_follower_ends_the_subscription() {
    for (era, method) in [
        ("legacy", "resources/unsubscribe"),
        ("modern", "notifications/cancelled"),
    ] {
        let world = up(library(&[era])).await;
        let (one, told) = follow(&world, "book:1");
        let (two, _) = follow(&world, "book:1");
        touch_until_told(&world, "book:1", &told).await;
        drop(one);
        let (other, of_other) = follow(&world, "book:2");
        touch_until_told(&world, "book:2", &of_other).await;
        drop((two, other));
        while heard(&world, method).await.is_empty() {}
        let count = told.lock().unwrap().len();
        world.call("l.touch", json!({"uri": "book:1"})).await;
        assert_eq!(told.lock().unwrap().len(), count);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_followed_is_followed_over_a_reconnect() {
    for era in ERAS {
        let world = up(library(&[era])).await;
        let (_following, told) = follow(&world, "book:1");
        touch_until_told(&world, "book:1", &told).await;
        let before = told.lock().unwrap().len();
        // The server stands still until the gate gives its connection up and starts it anew.
        restart(&world).await;
        // What was missed in between nobody knows: whoever follows reads again.
        world.until(|| told.lock().unwrap().len() > before).await;
        touch_until_told(&world, "book:1", &told).await;
        world.sources.shutdown().await;
    }
}

/// Has the server stand still and its calls time out, until its process is another one.
async fn restart(world: &World) {
    world.lose("l.stall", 1).await;
    world.lose("l.hang", 4).await;
    // It is asked three times in vain, with longer pauses between; then it is asked to leave.
    for seconds in [5, 5, 5, 10, 5, 2] {
        world.pass(Duration::from_secs(seconds)).await;
    }
    world.until(|| world.health("l") == SourceHealth::Up).await;
}

#[tokio::test]
async fn a_subscription_that_is_refused_is_not_asked_for_again() {
    let world = up(library(&["legacy", "deaf"])).await;
    let (_following, told) = follow(&world, "book:1");
    while heard(&world, "resources/subscribe").await.is_empty() {}
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(10));
        heard(&world, "resources/subscribe").await;
    }
    assert_eq!(heard(&world, "resources/subscribe").await.len(), 1);
    assert!(told.lock().unwrap().is_empty());
    world.sources.shutdown().await;
}

#[tokio::test]
async fn an_era_that_is_stated_is_the_only_one_tried() {
    let at = |server: &str, era| SourceConfig {
        era,
        ..library(&[server])
    };
    let (auto, modern, legacy) = (EraChoice::Auto, EraChoice::Modern, EraChoice::Legacy);
    for (server, era, probes, handshakes) in [
        ("modern", auto, 1, 0),
        ("modern", modern, 1, 0),
        ("legacy", auto, 1, 1),
        ("legacy", legacy, 0, 1),
    ] {
        let world = up(at(server, era)).await;
        assert_eq!(heard(&world, "server/discover").await.len(), probes);
        assert_eq!(heard(&world, "initialize").await.len(), handshakes);
        world.sources.shutdown().await;
    }
    for (server, era, expected) in [
        (
            "legacy",
            modern,
            expect!["it does not speak MCP 2026-07-28, the only era allowed by `era`"],
        ),
        (
            "modern",
            legacy,
            expect!["it did not answer `initialize`: error -32601: no such method"],
        ),
    ] {
        let world = World::start(vec![at(server, era)]);
        world.settled().await;
        assert_eq!(world.health("l"), SourceHealth::Down);
        expected.assert_eq(&world.detail("l"));
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_source_whose_tools_only_read_says_so_once() {
    let config = SourceConfig {
        effect: Effect::None,
        wire_names: WireNames::Bare,
        ..library(&["modern"])
    };
    let stated = ToolOverride {
        effect: Some(Effect::Some),
        verb: Some(Verb::Write),
        ..ToolOverride::default()
    };
    let overrides = Overrides::from([("l.grow".parse().unwrap(), stated)]);
    let world = up_with(config, overrides).await;
    let catalogue = world.sources.catalogue();
    let effect = |id: &str| catalogue.get(&id.parse().unwrap()).unwrap().effect;
    assert_eq!(effect("l.seen"), Effect::None);
    assert_eq!(effect("l.grow"), Effect::Some);
    assert!(offer(&world).bare);
    assert!(catalogue.by_wire_name("resources/read").is_some());
    world.sources.shutdown().await;
}
