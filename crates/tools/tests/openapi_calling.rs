//! Calls of described APIs over real connections: what arrives, what an answer means, and where
//! nothing goes.
//!
//! A small server of the test answers as it is told to; every expectation is written from
//! 3-execution, 1 and 2.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;
#[path = "common/web.rs"]
mod web;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{World, shown, source, travel};
use serde_json::{Value, json};
use toolgate_gate::permit::Travel;
use toolgate_gate::port::{Answer, BoxFuture, Tools};
use toolgate_gate::trust::{Authorization, Behalf, Grants};
use toolgate_model::{
    Checks, Duration, Effect, EffectCheck, KeyPlace, SourceHealth, ToolId, body_in,
};
use toolgate_tools::{
    ApiAuth, OpenApiConfig, Overrides, Secret, SourceConfig, SourceKind, ToolOverride,
};
use web::{Asked, Given, Web};

const TOKEN: &str = "token-of-the-gate";

/// A description and the folder that it lies in, for as long as a test lasts.
struct Described {
    _folder: tempfile::TempDir,
    config: OpenApiConfig,
}

fn document(more: Value) -> Value {
    let answer = json!({"200": {"description": "It"}});
    let id = json!([{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}]);
    let key = json!([{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}]);
    let body = json!({"content": {"application/json": {"schema": {
        "type": "object", "properties": {"amount": {"type": "number"}}}}}});
    let mut document = json!({
        "openapi": "3.1.0", "info": {"title": "Shop", "version": "1"},
        "paths": {
            "/things/{id}": {
                "get": {"operationId": "thing", "parameters": id, "responses": answer},
            },
            "/payments": {
                "post": {"operationId": "pay", "parameters": key, "requestBody": body, "responses": answer},
            },
        },
    });
    for (name, value) in more.as_object().unwrap() {
        document[name.as_str()] = value.clone();
    }
    document
}

fn described(url: &str, document: &Value) -> Described {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("api.json");
    std::fs::write(&file, document.to_string()).unwrap();
    Described {
        _folder: folder,
        config: OpenApiConfig {
            file,
            base_url: Some(url.replace("/mcp", "/v1")),
            auth: vec![ApiAuth::Bearer(Secret::new(TOKEN))],
            ..OpenApiConfig::default()
        },
    }
}

fn kind(described: &Described) -> SourceConfig {
    source(
        "shop",
        SourceKind::OpenApi(Box::new(described.config.clone())),
    )
}

async fn up(config: SourceConfig, overrides: Overrides) -> World {
    let world = World::start_with(vec![config], overrides);
    world.settled().await;
    world
}

/// A gate in front of a server that answers so.
async fn behind(
    given: impl Fn(&Asked) -> Given + Send + Sync + 'static,
) -> (Web, World, Described) {
    let web = Web::serve(given).await;
    let described = described(&web.url, &document(json!({})));
    let world = up(kind(&described), Overrides::new()).await;
    (web, world, described)
}

async fn call(world: &World, tool: &str, arguments: Value) -> Answer {
    let dispatch = world.dispatch(tool, arguments, travel());
    world.sources.call(dispatch).await
}

fn data(answer: &Answer) -> Value {
    match answer {
        Answer::Answered { result, .. } => {
            body_in(&serde_json::from_str(result.get()).unwrap()).unwrap()
        }
        other => panic!("{}", shown(other)),
    }
}

#[tokio::test]
async fn a_call_arrives_once_with_the_gates_credential() {
    let (web, world, _kept) = behind(|_| Given::json(200, r#"{"id":"re_1"}"#)).await;
    let answer = call(&world, "shop.thing", json!({"id": "a/b c"})).await;
    assert_eq!(data(&answer), json!({"id": "re_1"}));
    let answer = call(
        &world,
        "shop.pay",
        json!({"amount": 1.50, "Idempotency-Key": "mine"}),
    )
    .await;
    assert_eq!(data(&answer), json!({"id": "re_1"}));
    let asked = web.asked();
    let lines: Vec<String> = asked
        .iter()
        .map(|one| format!("{} {} {}", one.http_method, one.target, one.body))
        .collect();
    assert_eq!(
        lines,
        [
            "GET /v1/things/a%2Fb%20c null",
            r#"POST /v1/payments {"amount":1.5}"#
        ]
    );
    for one in &asked {
        assert_eq!(one.header("authorization"), format!("Bearer {TOKEN}"));
    }
    assert_eq!(asked[1].header("idempotency-key"), "mine");
    assert_eq!(asked[1].header("content-type"), "application/json");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn the_downstream_key_travels_where_the_operator_says() {
    let web = Web::serve(|_| Given::json(200, "{}")).await;
    let described = described(&web.url, &document(json!({})));
    let effect = EffectCheck {
        idempotency: Some(KeyPlace::Header("Idempotency-Key".to_owned())),
        ..EffectCheck::default()
    };
    let stated = ToolOverride {
        checks: Checks {
            effect: Some(effect),
            ..Checks::default()
        },
        ..ToolOverride::default()
    };
    let id: ToolId = "shop.pay".parse().unwrap();
    let world = up(kind(&described), Overrides::from([(id, stated)])).await;
    let dispatch = world.dispatch("shop.pay", json!({"amount": 1}), travel());
    let key = dispatch.idempotency_key().to_owned();
    world.sources.call(dispatch).await;
    assert_eq!(web.asked()[0].header("idempotency-key"), key);
    // Nobody is asked for what the gate sends itself, and nobody can send it instead.
    let own = json!({"Idempotency-Key": "mine"});
    let denial = common::denial(&world.sources.catalogue(), "shop.pay", own).unwrap();
    assert!(
        denial.message.contains("Idempotency-Key"),
        "{}",
        denial.message
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_status_that_says_nothing_is_a_lost_answer() {
    for (status, expected) in [
        (201, "answered failed=false"),
        (404, "answered failed=true"),
        (422, "answered failed=true"),
        (409, "lost Ambiguous"),
        (429, "lost Ambiguous"),
        (503, "lost Ambiguous"),
        (302, "lost Ambiguous"),
    ] {
        let (web, world, _kept) = behind(move |_| {
            Given::json(status, r#"{"why":"so"}"#).with("location", "https://evil.example/")
        })
        .await;
        let said = shown(&call(&world, "shop.pay", json!({"amount": 1})).await);
        assert!(said.starts_with(expected), "{status}: {said}");
        assert_eq!(web.asked().len(), 1, "{status}");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_lost_and_a_closed_door_proves_that_nothing_was_sent() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\":";
    for bytes in ["", half] {
        let (web, world, _kept) = behind(move |_| Given::Bytes(bytes.as_bytes().to_vec())).await;
        let said = shown(&call(&world, "shop.pay", json!({"amount": 1})).await);
        assert!(said.starts_with("lost Disconnected"), "{said}");
        assert_eq!(web.asked().len(), 1);
        world.sources.shutdown().await;
    }
    let (mut web, world, _kept) = behind(|_| Given::empty(200)).await;
    web.stop().await;
    let said = shown(&call(&world, "shop.pay", json!({"amount": 1})).await);
    assert!(said.starts_with("refused upstream_unavailable"), "{said}");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn what_is_not_answered_in_time_is_lost_and_not_sent_again() {
    let (web, world, _kept) = behind(|_| Given::Hang(vec![])).await;
    let second = Travel {
        timeout: Duration::from_secs(1),
        ..travel()
    };
    let dispatch = world.dispatch("shop.pay", json!({"amount": 1}), second);
    let (answer, ()) = tokio::join!(world.sources.call(dispatch), async {
        world.until(|| web.asked().len() == 1).await;
        world.pass(Duration::from_secs(1)).await;
    });
    assert_eq!(shown(&answer), "lost Timeout: no answer in time");
    assert_eq!(web.asked().len(), 1);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_read_is_led_at_home_and_a_write_nowhere() {
    let (web, world, _kept) = behind(|asked| match asked.target.as_str() {
        "/v1/things/1" => Given::empty(302).with("location", "/v1/things/2"),
        "/v1/things/2" => Given::json(200, r#"{"id":2}"#),
        "/v1/things/up" => Given::empty(302).with("location", "/admin"),
        "/v1/things/out" => Given::empty(302).with("location", "http://localhost:1/v1/things/2"),
        "/v1/things/round" => Given::empty(302).with("location", "/v1/things/round"),
        _ => Given::empty(307).with("location", "/v1/things/2"),
    })
    .await;
    let thing = |id: &str| call(&world, "shop.thing", json!({"id": id}));
    assert_eq!(data(&thing("1").await), json!({"id": 2}));
    for (away, hops) in [("up", 1), ("out", 1), ("round", 4)] {
        let before = web.asked().len();
        let said = shown(&thing(away).await);
        assert!(said.starts_with("refused tool_error"), "{away}: {said}");
        assert_eq!(web.asked().len() - before, hops, "{away}");
    }
    let before = web.asked().len();
    let said = shown(&call(&world, "shop.pay", json!({"amount": 1})).await);
    assert!(said.starts_with("refused tool_error"), "{said}");
    assert_eq!(web.asked().len() - before, 1);
    world.sources.shutdown().await;
}

/// Grants a new token each time the last one was refused, but not more than so many.
#[derive(Debug)]
struct Turns {
    refused: AtomicUsize,
    last: usize,
}

impl Turns {
    fn up_to(last: usize) -> Arc<Self> {
        let refused = AtomicUsize::default();
        Arc::new(Self { refused, last })
    }
}

impl Grants for Turns {
    fn authorization<'a>(
        &'a self,
        _behalf: Option<&'a Behalf>,
    ) -> BoxFuture<'a, Result<Authorization, String>> {
        let turn = self.refused.load(Ordering::SeqCst).min(self.last);
        let authorization = Authorization::new(format!("Bearer granted-{turn}"));
        Box::pin(std::future::ready(Ok(authorization)))
    }

    fn is_personal(&self) -> bool {
        false
    }

    fn refused(&self, _used: &Authorization) {
        self.refused.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_granted_token_that_is_turned_away_is_replaced_once() {
    // Whoever grants the same token again grants nothing that is worth another try.
    for (taken, last, expected) in [("granted-1", 9, 2), ("none", 9, 2), ("none", 0, 1)] {
        let web = Web::serve(
            move |asked| match asked.header("authorization").contains(taken) {
                true => Given::json(200, r#"{"echo":"granted-1"}"#),
                false => Given::empty(401),
            },
        )
        .await;
        let mut described = described(&web.url, &document(json!({})));
        described.config.auth.clear();
        let config = SourceConfig {
            grants: Some(Turns::up_to(last)),
            ..kind(&described)
        };
        let world = up(config, Overrides::new()).await;
        let answer = call(&world, "shop.pay", json!({"amount": 1})).await;
        assert_eq!(web.asked().len(), expected, "{taken} {last}");
        match taken {
            "none" => assert!(shown(&answer).starts_with("answered failed=true")),
            _ => assert_eq!(data(&answer), json!({"echo": "[withheld]"})),
        }
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_name_that_leads_inwards_is_not_spoken_to() {
    for (allowed, expected) in [(false, "refused upstream_unavailable"), (true, "answered")] {
        let web = Web::serve(|_| Given::json(200, "{}")).await;
        let named = web.url.replace("127.0.0.1", "localhost");
        let mut described = described(&named, &document(json!({})));
        described.config.private_addresses = allowed;
        let world = up(kind(&described), Overrides::new()).await;
        let said = shown(&call(&world, "shop.pay", json!({"amount": 1})).await);
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(web.asked().len(), usize::from(allowed));
        assert_eq!(said.contains("`private_addresses`"), !allowed, "{said}");
        world.sources.shutdown().await;
    }
}

/// The tools of a source at `base` whose description names two hosts.
async fn offered(base: &str) -> (Vec<String>, String) {
    let servers = json!({
        "servers": [{"url": "https://api.acme.com/v1"}],
        "paths": {
            "/a": {"get": {"operationId": "a", "responses": {}}},
            "/b": {"servers": [{"url": "https://uploads.acme.com"}],
                   "get": {"operationId": "b", "responses": {}}},
        },
    });
    let mut described = described("http://127.0.0.1:1/mcp", &document(servers));
    described.config.base_url = Some(base.to_owned());
    let world = up(kind(&described), Overrides::new()).await;
    let catalogue = world.sources.catalogue();
    let names = catalogue.iter().map(|tool| tool.id.to_string()).collect();
    world.sources.shutdown().await;
    (names, world.detail("shop"))
}

#[tokio::test]
async fn an_operation_is_offered_where_it_is() {
    let (names, detail) = offered("https://api.acme.com/v1").await;
    assert_eq!(names, ["shop.a"], "{detail}");
    let (names, _) = offered("https://uploads.acme.com").await;
    assert_eq!(names, ["shop.b"]);
    // A gateway in between has all of it, as far as anybody can tell.
    let (names, _) = offered("https://gateway.example").await;
    assert_eq!(names, ["shop.a", "shop.b"]);
}

#[tokio::test]
async fn only_the_operators_place_is_called_whatever_the_description_says() {
    let web = Web::serve(|_| Given::json(200, "{}")).await;
    let elsewhere = json!({"servers": [{"url": "https://evil.example"}]});
    let described = described(&web.url, &document(elsewhere));
    let world = up(kind(&described), Overrides::new()).await;
    call(&world, "shop.thing", json!({"id": "1"})).await;
    assert_eq!(web.asked()[0].target, "/v1/things/1");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_description_is_read_again_when_it_changes() {
    let (_web, mut world, kept) = behind(|_| Given::json(200, "{}")).await;
    assert_eq!(world.changes.recv().await.unwrap().len(), 2);
    std::fs::write(&kept.config.file, "{").unwrap();
    world.pass(Duration::from_secs(2)).await;
    world
        .until(|| world.detail("shop").contains("cannot be used"))
        .await;
    assert_eq!(world.health("shop"), SourceHealth::Up);
    assert_eq!(world.sources.catalogue().iter().count(), 2);
    let one = json!({"paths": {"/a": {"get": {"operationId": "a", "responses": {}}}}});
    std::fs::write(&kept.config.file, document(one).to_string()).unwrap();
    assert!(world.sources.refresh("shop"));
    world
        .until(|| world.sources.catalogue().iter().count() == 1)
        .await;
    assert_eq!(world.detail("shop"), "");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_description_that_cannot_be_used_says_why() {
    let broken = |change: fn(&mut OpenApiConfig)| async move {
        let mut described = described("http://127.0.0.1:1/mcp", &document(json!({})));
        change(&mut described.config);
        let world = up(kind(&described), Overrides::new()).await;
        assert_eq!(world.health("shop"), SourceHealth::Down);
        let detail = world.detail("shop");
        world.sources.shutdown().await;
        detail
    };
    let why = broken(|config| config.file.set_extension("gone").then_some(()).unwrap()).await;
    assert!(why.contains("cannot be used"), "{why}");
    let why = broken(|config| config.base_url = None).await;
    assert!(why.contains("`base_url`"), "{why}");
    let why = broken(|config| config.base_url = Some("http://169.254.169.254/".to_owned())).await;
    assert!(why.contains("no API is on"), "{why}");
    let why = broken(|config| {
        let auth = ApiAuth::Bearer(Secret::new("x"));
        config.schemes.insert("Admn".to_owned(), auth);
    })
    .await;
    assert!(why.contains("`Admn`"), "{why}");
}

#[tokio::test]
async fn a_read_that_failed_is_an_answer_where_the_operator_says_that_it_leaves_no_trace() {
    let web = Web::serve(|_| Given::json(503, r#"{"why":"busy"}"#)).await;
    let described = described(&web.url, &document(json!({})));
    let config = SourceConfig {
        effect: Effect::None,
        ..kind(&described)
    };
    let world = up(config, Overrides::new()).await;
    let answer = call(&world, "shop.thing", json!({"id": "1"})).await;
    assert!(shown(&answer).starts_with("answered failed=true"));
    assert_eq!(data(&answer), json!({"why": "busy"}));
    world.sources.shutdown().await;
}
