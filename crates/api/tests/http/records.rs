//! The record, read: entries, checkpoints, the whole log, and the live stream.

use axum::http::StatusCode;
use expect_test::expect;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use toolgate_model::Duration;
use toolgate_record::{Checkpoint, Verifier, leaf_hash, verify_bundle};

use crate::world::World;

async fn verifier(world: &World) -> Verifier {
    let known = world.get("/.well-known/toolgate").await.value();
    Verifier::parse(known["verifier_key"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_record_is_shown_as_the_bytes_that_its_leaf_is_made_of() {
    let world = World::new().await;
    let envelope = world.call("vault.open", json!({})).await;
    let path = format!(
        "/v1/records/{}",
        envelope["evidence_ids"][0].as_str().unwrap()
    );
    let record = world.get(&path).token(world.person("viewer")).await.value();
    let text = record["text"].as_str().unwrap();
    assert_eq!(record["leaf"], json!(leaf_hash(text.as_bytes())));
    let entry: Value = serde_json::from_str(text).unwrap();
    assert_eq!(entry["kind"], "invocation.denied");
    assert_eq!(entry["index"], record["index"]);
    assert_eq!(record["invocation"], envelope["invocation_id"]);
    for token in [&world.stranger] {
        let answer = world.get(&path).token(token).await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()));
    }
    let agent = world.get(&path).token(&world.agent).await;
    assert_eq!(agent.problem(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn records_are_filtered_and_paged() {
    let world = World::new().await;
    let denied = world.call("vault.open", json!({})).await;
    world.call("desk.lookup", json!({})).await;
    let list = async |query: &str| {
        let path = format!("/v1/records{query}");
        world.get(&path).token(world.person("viewer")).await.value()
    };
    let invocation = denied["invocation_id"].as_str().unwrap();
    for (query, kinds) in [
        (
            format!("?invocation={invocation}"),
            vec!["invocation.denied"],
        ),
        ("?kind=policy.".to_owned(), vec!["policy.activated"]),
        (
            "?kind=invocation.&newest=true&limit=2".to_owned(),
            vec!["invocation.admitted", "invocation.succeeded"],
        ),
    ] {
        let page = list(&query).await;
        let found: Vec<_> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["kind"].clone())
            .collect();
        assert_eq!(json!(found), json!(kinds), "{query}");
    }
    let all = list("?limit=200").await["items"]
        .as_array()
        .unwrap()
        .clone();
    let (mut seen, mut path) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = list(&path).await;
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("?limit=3&from={next}");
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_checkpoint_signs_the_log_as_it_stands() {
    let world = World::new().await;
    let viewer = world.person("viewer");
    let first = world.post("/v1/checkpoints").token(viewer).await.value();
    world.call("desk.lookup", json!({})).await;
    let second = world.post("/v1/checkpoints").token(viewer).await.value();
    let again = world.post("/v1/checkpoints").token(viewer).await.value();
    assert_eq!(second, again, "nothing new, nothing signed");
    assert_eq!(
        second["size"].as_u64().unwrap(),
        first["size"].as_u64().unwrap() + 2
    );
    let verifier = verifier(&world).await;
    let opened = Checkpoint::open(second["note"].as_str().unwrap(), &verifier).unwrap();
    assert_eq!(json!(opened.root), second["root"]);
    let page = world
        .get("/v1/checkpoints?limit=1")
        .token(viewer)
        .await
        .value();
    assert_eq!(page["items"], json!([first]));
    let path = format!(
        "/v1/checkpoints?from_size={}",
        page["next"].as_str().unwrap()
    );
    let rest = world.get(&path).token(viewer).await.value();
    assert_eq!(rest, json!({"items": [second], "next": null}));
}

#[tokio::test]
async fn the_exported_log_verifies_offline() {
    let world = World::new().await;
    // More than one page of the transfer.
    for _ in 0..300 {
        world.call("desk.lookup", json!({})).await;
    }
    let bundle = world.get("/v1/export").token(world.person("viewer")).await;
    assert_eq!(bundle.status, StatusCode::OK);
    assert_eq!(bundle.header("content-type"), Some("application/x-ndjson"));
    let verifier = verifier(&world).await;
    let report = verify_bundle(&bundle.body, &verifier);
    assert!(report.is_sound(), "{report:?}");
    let lines = bundle.body.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines > 600, "{lines} lines");
    let flipped = String::from_utf8(bundle.body)
        .unwrap()
        .replacen("desk.lookup", "desk.l00kup", 1);
    assert!(
        !verify_bundle(flipped.as_bytes(), &verifier).is_sound(),
        "the verifier can fail"
    );
}

#[tokio::test]
async fn the_stream_tells_what_is_new_and_goes_on_where_it_stopped() {
    let world = World::new().await;
    let viewer = world.person("viewer");
    let response = world.get("/v1/events").token(viewer).open().await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    world.call("vault.open", json!({})).await;
    let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let event = String::from_utf8(frame.to_vec()).unwrap();
    let lines: Vec<_> = event.lines().collect();
    assert_eq!(lines[1], "event: invocation.denied");
    let index: u64 = lines[0].strip_prefix("id: ").unwrap().parse().unwrap();
    let data: Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((data["index"].as_u64(), lines.len()), (Some(index), 4));

    let sending = world.get("/v1/events").token(viewer);
    let back = sending
        .header("last-event-id", &(index - 1).to_string())
        .open()
        .await;
    let again = back
        .into_body()
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    assert_eq!(again, frame);
    let odd = world
        .get("/v1/events")
        .token(viewer)
        .header("last-event-id", "x")
        .await;
    assert_eq!(odd.problem(), (400, "invalid_header".to_owned()));
}

#[tokio::test]
async fn a_quiet_stream_is_kept_open_and_ends_with_its_credential() {
    let world = World::new().await;
    let token = world.person("viewer").to_owned();
    let mut body = world
        .get("/v1/events")
        .token(&token)
        .open()
        .await
        .into_body();
    let passing = async {
        loop {
            tokio::task::yield_now().await;
            world.clock.advance(Duration::from_millis(500));
        }
    };
    let frame = tokio::select! {
        frame = body.frame() => frame.unwrap().unwrap().into_data().unwrap(),
        () = passing => unreachable!(),
    };
    assert_eq!(frame, ": nothing new\n\n");
    let key = format!("key_{}", token.split('_').nth(1).unwrap());
    let path = format!("/v1/keys/{key}/revoke");
    assert_eq!(
        world.post(&path).token(world.person("owner")).await.status,
        StatusCode::OK
    );
    world.clock.advance(Duration::from_millis(500));
    assert!(
        body.frame().await.is_none(),
        "a revoked credential ends its streams"
    );
}

#[tokio::test]
async fn streams_are_counted() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(
            world
                .get("/v1/events")
                .token(world.person("viewer"))
                .open()
                .await,
        );
    }
    let refused = world.get("/v1/events").token(world.person("viewer")).await;
    assert_eq!(refused.problem(), (429, "too_many_streams".to_owned()));
    open.pop();
    let response = world
        .get("/v1/events")
        .token(world.person("viewer"))
        .open()
        .await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_needs_no_token_tells_little() {
    let world = World::new().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            world.get(path).await.value(),
            json!({"status": "ok"}),
            "{path}"
        );
    }
    expect![[r#"
        200
        {
          "name": "toolgate",
          "version": "0.1.0",
          "endpoints": {
            "api": "http://127.0.0.1:8787/v1",
            "openapi": "http://127.0.0.1:8787/v1/openapi.json",
            "mcp": "http://127.0.0.1:8787/mcp"
          },
          "verifier_key": "toolgate.test/log+aaeeeda1+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
        }
    "#]]
    .assert_eq(&world.get("/.well-known/toolgate").await.show());
    expect![[r#"
        200
        {
          "code": "snapshot_changed",
          "status": 409,
          "title": "The decision names another digest than the frozen one",
          "help": "look at the approval again and decide on its present digest"
        }
    "#]]
    .assert_eq(&world.get("/problems/snapshot_changed").await.show());
    let none = world.get("/problems/nothing").await;
    assert_eq!(none.problem(), (404, "not_found".to_owned()));
}
