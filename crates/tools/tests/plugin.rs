//! Plugins, against a server whose every answer the test decides.
//!
//! What matters is that nothing counts which is not signed for this very request, that a call is
//! authorized and then executed once, and that health is told as it is. Attacks from between and
//! real plugin processes are in `tests/e2e/plugins.py`.

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
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use common::{World, shown, source, travel};
use expect_test::expect;
use serde_json::{Value, json};
use toolgate_gate::permit::Travel;
use toolgate_gate::port::Tools as _;
use toolgate_model::{Duration, SourceHealth, SourceStatus};
use toolgate_signature::{Seal, SigningSecrets};
use toolgate_tools::{PluginConfig, Secret, SourceConfig, SourceKind};
use web::{Asked, Given, Web};

fn secret() -> String {
    "whsec_".to_owned() + &"A".repeat(32)
}

fn at(web: &Web) -> SourceConfig {
    let plugin = PluginConfig {
        url: web.url.replace("/mcp", "/below/"),
        secret: Secret::new(secret()),
        owner: Some("ana@acme.com".to_owned()),
    };
    source("refunds", SourceKind::Plugin(Box::new(plugin)))
}

/// The answer of somebody who knows this secret, at this time.
fn signed_by(secret: &str, timestamp: i64, asked: &Asked, answer: &Value) -> Given {
    let (id, body) = (asked.header("webhook-id"), answer.to_string());
    let secrets = SigningSecrets::parse(secret).unwrap();
    Given::json(200, &body)
        .with("webhook-id", id)
        .with("webhook-timestamp", &timestamp.to_string())
        .with(
            "webhook-signature",
            &secrets.sign(id, timestamp, body.as_bytes()),
        )
}

fn signed(asked: &Asked, answer: &Value) -> Given {
    let timestamp = asked.header("webhook-timestamp").parse().unwrap();
    signed_by(&secret(), timestamp, asked, answer)
}

/// What is asked: the last word of `type`, which a request for health has none of.
fn step(asked: &Asked) -> &str {
    let kind = asked.body["type"].as_str().unwrap_or("action.health");
    kind.trim_start_matches("action.")
}

fn discovered(ids: &[&str]) -> Value {
    let action = |id: &&str| json!({"id": id, "resource": "charge:{args.charge}"});
    let actions: Vec<Value> = ids.iter().map(action).collect();
    json!({"provider": "stripe", "actions": actions})
}

/// A plugin that does everything well.
fn well(asked: &Asked) -> Given {
    let answer = match step(asked) {
        "health" => json!({"status": "ok"}),
        "discover" => discovered(&["issue"]),
        "authorize" => json!({"allowed": true}),
        "execute" => json!({"success": true, "message": "done"}),
        _ => json!({"found": true}),
    };
    signed(asked, &answer)
}

fn status(world: &World) -> SourceStatus {
    world.sources.sources().remove(0)
}

async fn up(web: &Web) -> World {
    let world = World::start(vec![at(web)]);
    world.settled().await;
    assert_eq!(
        status(&world).health,
        SourceHealth::Up,
        "{}",
        world.detail("refunds")
    );
    world
}

fn steps(web: &Web) -> Vec<String> {
    web.asked()
        .iter()
        .map(|asked| step(asked).to_owned())
        .collect()
}

#[tokio::test]
async fn a_call_is_authorized_and_executed_once_and_both_are_signed() {
    let web = Web::serve(well).await;
    let world = up(&web).await;
    let answer = world
        .call("refunds.issue", json!({"charge": "ch_1", "n": 1}))
        .await;
    expect![[r#"answered failed=false {"structuredContent":{"success":true,"message":"done"},"content":[{"type":"text","text":"{\"success\":true,\"message\":\"done\"}"}],"isError":false,"_meta":{"dev.toolgate/body":{"kind":"plugin","status":200,"claims":[],"form":"json"}}}"#]].assert_eq(&answer);
    assert_eq!(steps(&web), ["health", "discover", "authorize", "execute"]);
    let secrets = SigningSecrets::parse(&secret()).unwrap();
    for asked in web.asked() {
        let body = match asked.body {
            Value::Null => String::new(),
            ref body => body.to_string(),
        };
        let seal = Seal {
            id: asked.header("webhook-id"),
            timestamp: asked.header("webhook-timestamp"),
            signature: asked.header("webhook-signature"),
        };
        assert_eq!(
            secrets.verify(seal, body.as_bytes(), 0),
            Ok(()),
            "{asked:?}"
        );
    }
    let mut last = web.asked().pop().unwrap().body;
    let named = last["invocation_id"].as_str().unwrap().to_owned();
    assert_eq!(last["idempotency_key"], named);
    for key in ["invocation_id", "idempotency_key"] {
        last[key] = "inv_…".into();
    }
    expect![[r#"{"type":"action.execute","action":"issue","arguments":{"charge":"ch_1","n":1},"context":{"source":"refunds","tenant":"default","agent":"tester","resource":"charge:ch_1"},"invocation_id":"inv_…","idempotency_key":"inv_…","attempt":1}"#]].assert_eq(&last.to_string());
    world.sources.shutdown().await;
}

#[tokio::test]
async fn what_is_known_of_a_plugin_is_told_from_what_it_claims() {
    let web = Web::serve(well).await;
    let world = up(&web).await;
    let facts = status(&world).facts;
    assert_eq!(facts.owner.as_deref(), Some("ana@acme.com"));
    assert_eq!(facts.auth.as_deref(), Some("hmac"));
    assert_eq!(
        facts.claims.into_iter().collect::<Vec<_>>(),
        [("provider".to_owned(), "stripe".to_owned())]
    );
    // The look that stands beside the action is none of its tools.
    assert_eq!(status(&world).tools, 1);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_is_not_signed_for_this_request_now_leaves_the_effect_unknown() {
    let other = "whsec_".to_owned() + &"B".repeat(32);
    let tricks: [fn(&Asked, &str) -> Given; 5] = [
        |_, _| Given::json(200, r#"{"success": true}"#),
        |asked, other| signed_by(other, 0, asked, &json!({"success": true})),
        |asked, _| signed_by(&secret(), -61, asked, &json!({"success": true})),
        |asked, _| signed_by(&secret(), 61, asked, &json!({"success": true})),
        |asked, _| signed(asked, &asked.body),
    ];
    let turn = Arc::new(AtomicUsize::new(0));
    let web = Web::serve({
        let turn = Arc::clone(&turn);
        move |asked| match step(asked) {
            "execute" => tricks[turn.load(Ordering::SeqCst)](asked, &other),
            _ => well(asked),
        }
    })
    .await;
    let world = up(&web).await;
    let mut lines = Vec::new();
    for number in 0..tricks.len() {
        turn.store(number, Ordering::SeqCst);
        lines.push(world.call("refunds.issue", json!({})).await);
    }
    expect![[r#"
        lost Ambiguous: HTTP 200, and its answer is not signed; is the secret the same on both sides?
        lost Ambiguous: HTTP 200, and its answer is signed with another secret than the one configured here
        lost Ambiguous: HTTP 200, and its `webhook-timestamp` is more than 60 seconds away from now
        lost Ambiguous: HTTP 200, and its `webhook-timestamp` is more than 60 seconds away from now
        lost Ambiguous: HTTP 200, and what came back is the request"#]].assert_eq(&lines.join("\n"));
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_lost_and_one_that_is_not_authorized_in_time_never_ran() {
    for (hangs, expected) in [
        (
            "execute",
            expect!["lost Timeout: it did not answer `execute` in time"],
        ),
        (
            "authorize",
            expect![
                "refused upstream_unavailable: the plugin did not authorize the call, and nothing was executed: it did not answer `authorize` within 2s"
            ],
        ),
    ] {
        let web = Web::serve(move |asked| match step(asked) {
            found if found == hangs => Given::Hang(Vec::new()),
            _ => well(asked),
        })
        .await;
        let world = up(&web).await;
        let travel = Travel {
            timeout: Duration::from_secs(2),
            ..travel()
        };
        let call = world.dispatch("refunds.issue", json!({}), travel);
        let call = world.sources.call(call);
        let late = async {
            world
                .until(|| steps(&web).iter().any(|step| step == hangs))
                .await;
            world.pass(Duration::from_secs(2)).await;
        };
        let (answer, ()) = tokio::join!(call, late);
        expected.assert_eq(&shown(&answer));
        assert_eq!(steps(&web).iter().filter(|step| *step == hangs).count(), 1);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_plugin_that_does_not_answer_is_down_keeps_its_actions_and_says_since_when() {
    let (silent, hung) = (Arc::new(Mutex::new(false)), Arc::new(AtomicUsize::new(0)));
    let web = Web::serve({
        let (silent, hung) = (Arc::clone(&silent), Arc::clone(&hung));
        move |asked| {
            if !*silent.lock().unwrap() {
                return well(asked);
            }
            hung.fetch_add(1, Ordering::SeqCst);
            Given::Hang(Vec::new())
        }
    })
    .await;
    let world = up(&web).await;
    *silent.lock().unwrap() = true;
    // The next question about its health, and the time that it has for it.
    world.pass(Duration::from_secs(15)).await;
    world.until(|| steps(&web).len() == 3).await;
    world.pass(Duration::from_secs(5)).await;
    world
        .until(|| status(&world).health == SourceHealth::Down)
        .await;
    expect![
        "it did not answer `health` within 5s; it was last heard of at 1970-01-01T00:00:00.000Z"
    ]
    .assert_eq(&world.detail("refunds"));
    assert!(
        world
            .sources
            .catalogue()
            .get(&"refunds.issue".parse().unwrap())
            .is_some()
    );
    let before = steps(&web).len();
    let answer = world.call("refunds.issue", json!({})).await;
    expect!["refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: it did not answer `health` within 5s; it was last heard of at 1970-01-01T00:00:00.000Z"].assert_eq(&answer);
    assert!(!steps(&web)[before..].iter().any(|step| step != "health"));
    // It was asked again at once. Once that has had its time too, it is asked a little later.
    world.until(|| hung.load(Ordering::SeqCst) == 2).await;
    *silent.lock().unwrap() = false;
    world.pass(Duration::from_secs(5)).await;
    world.pass(Duration::from_secs(1)).await;
    world
        .until(|| status(&world).health == SourceHealth::Up)
        .await;
    world.sources.shutdown().await;
}

#[tokio::test]
async fn another_revision_has_its_actions_read_again() {
    let revision = Arc::new(AtomicI64::new(1));
    let web = Web::serve({
        let revision = Arc::clone(&revision);
        move |asked| {
            let now = revision.load(Ordering::SeqCst);
            let all = ["issue", "close", "reopen"];
            match step(asked) {
                "health" => signed(asked, &json!({"status": "ok", "revision": now.to_string()})),
                "discover" => signed(asked, &discovered(&all[..usize::try_from(now).unwrap()])),
                _ => well(asked),
            }
        }
    })
    .await;
    let world = up(&web).await;
    assert_eq!(status(&world).tools, 1);
    revision.store(2, Ordering::SeqCst);
    world.pass(Duration::from_secs(15)).await;
    world.until(|| status(&world).tools == 2).await;
    // Asked for, it is asked at once: time stands still.
    revision.store(3, Ordering::SeqCst);
    assert!(world.sources.refresh("refunds") && !world.sources.refresh("nobody"));
    world.until(|| status(&world).tools == 3).await;
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_plugin_that_says_that_it_is_down_or_that_cannot_be_understood_is_down() {
    let answers = [
        json!({"status": "down", "detail": "the ledger is away"}),
        json!({"status": "fine"}),
        json!([]),
    ];
    let mut lines = Vec::new();
    for answer in answers {
        let web = Web::serve(move |asked| signed(asked, &answer)).await;
        let world = World::start(vec![at(&web)]);
        world.settled().await;
        lines.push(format!(
            "{:?}: {}",
            status(&world).health,
            world.detail("refunds")
        ));
        world.sources.shutdown().await;
    }
    let wrong = PluginConfig {
        url: "http://127.0.0.1:9".to_owned(),
        secret: Secret::new("hunter2"),
        owner: None,
    };
    let world = World::start(vec![source("refunds", SourceKind::Plugin(Box::new(wrong)))]);
    world.settled().await;
    lines.push(world.detail("refunds"));
    world.sources.shutdown().await;
    expect![[r#"
        Down: it says of itself that it is down: the ledger is away
        Down: its `status` `fine` is none of `ok`, `degraded`, `down`
        Down: its answer is no object
        a secret does not begin with `whsec_`: make one with `openssl rand -base64 32`"#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn one_that_was_not_heard_of_for_long_is_not_called_up() {
    let web = Web::serve(well).await;
    let world = up(&web).await;
    // The gate's process stood still: nobody has asked yet, and nothing is known.
    world.clock.advance(Duration::from_secs(46));
    expect!["it was last heard of at 1970-01-01T00:00:00.000Z"].assert_eq(&world.detail("refunds"));
    assert_eq!(status(&world).health, SourceHealth::Down);
    world
        .until(|| status(&world).health == SourceHealth::Up)
        .await;
    world.sources.shutdown().await;
}
