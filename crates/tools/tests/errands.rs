//! What travels with an attempt and what with a look: the downstream key, and the mark of a probe.
//!
//! Every expectation is written from 3-execution, 2 and 4: the gate's own key, the same for every
//! attempt, the way the descriptor says; a look is a read that leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;
#[path = "common/web.rs"]
mod web;

use std::collections::BTreeMap;

use common::{World, faulty, shown, source, travel};
use serde_json::{Value, json};
use toolgate_gate::Look;
use toolgate_gate::permit::Travel;
use toolgate_gate::port::Tools;
use toolgate_model::{
    Checks, Duration, Effect, EffectCheck, EffectLook, Filling, KeyPlace, Probe, Template, ToolId,
};
use toolgate_tools::{Overrides, SourceConfig, SourceKind, ToolOverride};
use web::{Asked, Given, Web};

fn at(web: &Web) -> SourceConfig {
    source(
        "h",
        SourceKind::Http {
            url: web.url.clone(),
            bearer: None,
            headers: BTreeMap::new(),
        },
    )
}

/// A modern server with a tool that reads and one that does something.
fn server(asked: &Asked) -> Given {
    let schema = json!({"type": "object", "required": ["n", "key"], "properties": {
        "n": {"type": "number"}, "key": {"type": "string", "x-mcp-header": "Key"},
    }});
    match asked.method() {
        "server/discover" => asked.result(&json!({
            "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
        })),
        "tools/list" => asked.result(&json!({"tools": [
            {"name": "read"}, {"name": "pay", "inputSchema": schema},
        ]})),
        _ => asked.result(&json!({"structuredContent": {"n": 1.5}})),
    }
}

fn keyed(place: KeyPlace) -> ToolOverride {
    let effect = EffectCheck {
        idempotency: Some(place),
        ..EffectCheck::default()
    };
    ToolOverride {
        checks: Checks {
            effect: Some(effect),
            ..Checks::default()
        },
        ..ToolOverride::default()
    }
}

fn id(tool: &str) -> ToolId {
    tool.parse().unwrap()
}

fn reading() -> Overrides {
    let read = ToolOverride {
        effect: Some(Effect::None),
        timeout: Some(Duration::from_secs(3)),
        ..ToolOverride::default()
    };
    Overrides::from([(id("h.read"), read)])
}

async fn up(configs: Vec<SourceConfig>, overrides: Overrides) -> World {
    let world = World::start_with(configs, overrides);
    world.settled().await;
    world
}

fn look(world: &World, arguments: Value) -> Look {
    let probe = Probe {
        tool: id("h.read"),
        arguments: Template::parse(arguments).unwrap(),
    };
    let filling = Filling {
        args: &json!({"charge": "ch_1", "amount": 1.5}),
        trigger: None,
        invocation: Some("inv_1"),
    };
    Look::of(&world.sources.catalogue(), &probe, &filling).unwrap()
}

#[tokio::test]
async fn a_look_takes_the_way_of_a_call_and_leaves_nothing_to_know_it_again_by() {
    let web = Web::serve(server).await;
    let world = up(vec![at(&web)], reading()).await;
    let arguments = json!({"id": "{args.charge}", "amount": "{args.amount}"});
    let answer = world.sources.look(look(&world, arguments)).await;
    assert_eq!(
        shown(&answer),
        r#"answered failed=false {"structuredContent":{"n":1.5}}"#
    );
    let asked = web.asked().pop().unwrap();
    let params = &asked.body["params"];
    assert_eq!(params["name"], "read");
    assert_eq!(
        params["arguments"].to_string(),
        r#"{"id":"ch_1","amount":1.5}"#
    );
    let mut own: Vec<&String> = params["_meta"].as_object().unwrap().keys().collect();
    own.retain(|key| key.starts_with("dev.toolgate/"));
    assert_eq!(own, ["dev.toolgate/probe"]);
    assert_eq!(params["_meta"]["dev.toolgate/probe"], true);
    assert!(!asked.body.to_string().contains("inv_"), "{}", asked.body);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_look_ends_with_its_own_timeout_and_is_not_made_again() {
    let web = Web::serve(|asked| match asked.method() {
        "tools/call" => Given::Hang(vec![]),
        _ => server(asked),
    })
    .await;
    let world = up(vec![at(&web)], reading()).await;
    let seen = world.sources.look(look(&world, json!({})));
    let (answer, ()) = tokio::join!(seen, async {
        world.until(|| web.count("tools/call") == 1).await;
        world.clock.advance(Duration::from_secs(3));
        // Were it to wait longer than its own timeout, this would end it all the same.
        world.clock.advance(Duration::from_secs(600));
    });
    assert_eq!(shown(&answer), "lost Timeout: no answer in time (3s)");
    assert_eq!(web.count("tools/call"), 1);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_look_at_a_source_that_is_not_there_is_refused() {
    let web = Web::serve(server).await;
    let world = up(vec![at(&web)], reading()).await;
    let look = look(&world, json!({}));
    world.sources.shutdown().await;
    let answer = shown(&world.sources.look(look).await);
    assert!(
        answer.starts_with("refused upstream_unavailable"),
        "{answer}"
    );
}

/// What a call of `h.pay` with the key in this place looks like downstream.
async fn paid(place: KeyPlace, meta: &Value) -> Asked {
    let web = Web::serve(server).await;
    let world = up(
        vec![at(&web)],
        Overrides::from([(id("h.pay"), keyed(place))]),
    )
    .await;
    let travel = Travel {
        meta: meta.as_object().unwrap().clone(),
        ..travel()
    };
    // `key` is required by the server's schema; for an argument the gate fills it in.
    let asks = world
        .sources
        .catalogue()
        .get(&id("h.pay"))
        .unwrap()
        .input_schema["required"]
        .clone();
    let arguments = match asks.as_array().unwrap().len() {
        1 => json!({"n": 5.0}),
        _ => json!({"n": 5.0, "key": "callers"}),
    };
    let dispatch = world.dispatch("h.pay", arguments, travel);
    let key = dispatch.idempotency_key().to_owned();
    let answer = shown(&world.sources.call(dispatch).await);
    assert!(answer.starts_with("answered"), "{answer}");
    world.sources.shutdown().await;
    let mut asked = web.asked();
    asked.retain(|asked| asked.method() == "tools/call");
    assert_eq!(asked.len(), 1);
    let mut asked = asked.remove(0);
    let body = asked.body.to_string().replace(&key, "KEY");
    asked.body = serde_json::from_str(&body).unwrap();
    for value in asked.headers.values_mut() {
        *value = value.replace(&key, "KEY");
    }
    asked
}

#[tokio::test]
async fn the_key_goes_where_the_descriptor_says() {
    let header = paid(KeyPlace::Header("Idempotency-Key".to_owned()), &json!({})).await;
    assert_eq!(header.header("idempotency-key"), "KEY");
    assert_eq!(header.body["params"]["arguments"]["key"], "callers");

    let argument = paid(KeyPlace::Argument("key".to_owned()), &json!({})).await;
    let sent = argument.body["params"]["arguments"].to_string();
    assert_eq!(sent, r#"{"n":5.0,"key":"KEY"}"#);
    assert_eq!(argument.header("mcp-param-key"), "KEY");
    assert_eq!(argument.header("idempotency-key"), "");

    let callers = json!({"com.example/key": "callers", "dev.toolgate/idempotency-key": "callers"});
    let meta = paid(KeyPlace::Meta("com.example/key".to_owned()), &callers).await;
    let sent = &meta.body["params"]["_meta"];
    assert_eq!(sent["com.example/key"], "KEY");
    assert_eq!(sent["dev.toolgate/idempotency-key"], "KEY");
    assert_eq!(meta.body["params"]["arguments"]["key"], "callers");
}

#[tokio::test]
async fn a_tool_over_stdio_cannot_take_its_key_in_a_header() {
    let place = KeyPlace::Header("Idempotency-Key".to_owned());
    let world = up(
        vec![faulty("s", &[])],
        Overrides::from([(id("s.echo"), keyed(place))]),
    )
    .await;
    assert!(world.sources.catalogue().get(&id("s.echo")).is_none());
    let unavailable = world.sources.unavailable();
    let reason = &unavailable
        .iter()
        .find(|one| one.tool == "echo")
        .unwrap()
        .reason;
    assert_eq!(
        reason,
        "its `effect.idempotency` cannot be used: a source over stdio carries no header \
         `Idempotency-Key`; use `argument` or `meta`"
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn no_caller_fills_in_the_gates_own_argument() {
    let web = Web::serve(server).await;
    let place = KeyPlace::Argument("key".to_owned());
    let world = up(
        vec![at(&web)],
        Overrides::from([(id("h.pay"), keyed(place))]),
    )
    .await;
    for (arguments, denied) in [
        (json!({"n": 5, "key": "callers"}), true),
        (json!({"n": 5, "key": null}), true),
        (json!({"n": 5}), false),
    ] {
        let denial = common::denial(&world.sources.catalogue(), "h.pay", arguments.clone());
        assert_eq!(denial.is_some(), denied, "{arguments}");
        let code = denial.map(|denial| denial.code.to_string());
        assert!(code.is_none_or(|code| code == "invalid_arguments"));
    }
    world.sources.shutdown().await;
}

/// `h.pay` is looked for with `probe`.
fn looked_for(probe: &str, arguments: Value) -> Overrides {
    let look = EffectLook {
        probe: Probe {
            tool: id(probe),
            arguments: Template::parse(arguments).unwrap(),
        },
        landed: "result.n == 1".to_owned(),
    };
    let effect = EffectCheck {
        look: Some(look),
        ..EffectCheck::default()
    };
    let pay = ToolOverride {
        checks: Checks {
            effect: Some(effect),
            ..Checks::default()
        },
        ..ToolOverride::default()
    };
    let mut overrides = reading();
    overrides.insert(id("h.pay"), pay);
    overrides
}

#[tokio::test]
async fn a_tool_whose_probe_does_not_fit_stays_listed_and_is_not_called() {
    let web = Web::serve(server).await;
    for (probe, arguments, expected) in [
        ("h.read", json!({"n": "{args.n}"}), None),
        (
            "h.read",
            json!({"n": "{args.m}"}),
            Some("has no argument `m`"),
        ),
        ("h.raed", json!({}), Some("did you mean `h.read`?")),
        (
            "h.pay",
            json!({"n": 1, "key": "x"}),
            Some("may leave a trace"),
        ),
        ("crm.get", json!({}), Some("no source is called `crm`")),
    ] {
        let world = up(vec![at(&web)], looked_for(probe, arguments)).await;
        let catalogue = world.sources.catalogue();
        assert!(catalogue.get(&id("h.pay")).is_some());
        assert_eq!(
            catalogue.faults(&id("h.pay")).is_empty(),
            expected.is_none()
        );
        let denial = common::denial(&catalogue, "h.pay", json!({"n": 1, "key": "x"}));
        let told = denial.map(|denial| format!("{}: {}", denial.code, denial.message));
        match expected {
            None => assert_eq!(told, None),
            Some(expected) => {
                let told = told.unwrap();
                assert!(
                    told.starts_with("gate_unavailable: `h.pay` is unavailable"),
                    "{told}"
                );
                assert!(told.contains(expected), "{told}");
                let detail = world.detail("h");
                assert!(
                    detail.starts_with("1 tool cannot be called: `h.pay`"),
                    "{detail}"
                );
                assert!(detail.contains(expected), "{detail}");
            }
        }
        // Others are none the worse for it.
        assert_eq!(common::denial(&catalogue, "h.read", json!({})), None);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_probe_of_a_source_that_is_down_keeps_its_tool_from_being_called() {
    let web = Web::serve(server).await;
    let gone = source(
        "crm",
        SourceKind::Http {
            url: "http://127.0.0.1:1/mcp".to_owned(),
            bearer: None,
            headers: BTreeMap::new(),
        },
    );
    let world = up(vec![at(&web), gone], looked_for("crm.get", json!({}))).await;
    let faulty = || !world.sources.catalogue().faults(&id("h.pay")).is_empty();
    world.until(faulty).await;
    let faults = world.sources.catalogue().faults(&id("h.pay")).join("; ");
    assert!(faults.contains("the source `crm` is down"), "{faults}");
    world.sources.shutdown().await;
}
