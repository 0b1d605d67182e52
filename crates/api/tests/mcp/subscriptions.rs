//! Being told of prompts, resources, updates and tasks, by who may hear of them alone.

use expect_test::expect;
use serde_json::{Value, json};
use toolgate_model::{Announced, Offer};

use crate::client::Stream;
use crate::shelf::{self, crm, wiki};
use crate::world::World;

async fn listen(world: &World, notifications: Value) -> Stream {
    let params = json!({"notifications": notifications});
    let sending = world.modern("subscriptions/listen", params);
    sending.await_stream().await
}

/// The next notification: its method and parameters.
async fn next(stream: &mut Stream) -> String {
    let mut event = stream.next().await;
    if event.contains("\nretry: ") {
        // The beginning of a session's stream.
        event = stream.next().await;
    }
    let Some(text) = event.lines().find_map(|line| line.strip_prefix("data: ")) else {
        return event;
    };
    let message: Value = serde_json::from_str(text).unwrap();
    format!(
        "{} {}",
        message["method"].as_str().unwrap_or("answer"),
        message["params"]
    )
}

const QUIET: &str = ":\n\n";

/// What is told next, within so much quiet that it would have come.
async fn heard(stream: &mut Stream) -> String {
    for _ in 0..4 {
        let told = next(stream).await;
        if told != QUIET {
            return told;
        }
    }
    panic!("nothing is told")
}

#[tokio::test(start_paused = true)]
async fn each_list_is_told_of_by_itself() {
    let world = shelf::world(vec![("crm", crm())]).await;
    let all = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true, "other": true});
    let mut every = listen(&world, all).await;
    let mut prompts = listen(
        &world,
        json!({"promptsListChanged": true, "toolsListChanged": false}),
    )
    .await;
    assert!(next(&mut every).await.contains(r#""notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true}"#));
    assert!(
        next(&mut prompts)
            .await
            .contains(r#""notifications":{"promptsListChanged":true}"#)
    );
    let mut changed = crm();
    changed.templates.clear();
    shelf::put(&world, vec![("crm", changed.clone())]);
    assert!(
        next(&mut every)
            .await
            .starts_with("notifications/resources/list_changed")
    );
    assert_eq!(prompts.next().await, QUIET);
    // A server that says so is believed, though the list looks the same.
    changed.announced = Announced {
        prompts: 1,
        ..Announced::default()
    };
    shelf::put(&world, vec![("crm", changed.clone())]);
    for stream in [&mut every, &mut prompts] {
        let told = heard(stream).await;
        assert!(
            told.contains("notifications/prompts/list_changed"),
            "{told}"
        );
        assert!(
            told.contains(r#""io.modelcontextprotocol/subscriptionId":1"#),
            "{told}"
        );
    }
    // Of a source that the listener does not see nothing is heard.
    shelf::put(&world, vec![("crm", changed.clone()), ("hidden", crm())]);
    assert_eq!(every.next().await, QUIET);
    let louder = Offer {
        announced: Announced {
            prompts: 9,
            tools: 9,
            resources: 9,
        },
        ..crm()
    };
    shelf::put(&world, vec![("crm", changed), ("hidden", louder)]);
    assert_eq!(every.next().await, QUIET);
}

#[tokio::test(start_paused = true)]
async fn updates_are_told_under_the_uri_that_was_asked_for() {
    let world = shelf::world(vec![("crm", crm()), ("wiki", wiki()), ("mute", wiki())]).await;
    let uris = json!([
        "toolgate://crm/file:///a.txt",
        "toolgate://crm/file:///closed.txt",
        "toolgate://none/x:",
        "toolgate://mute/wiki:///home",
    ]);
    let mut stream = listen(&world, json!({"resourceSubscriptions": uris})).await;
    expect![[r#"notifications/subscriptions/acknowledged {"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":{"resourceSubscriptions":["toolgate://crm/file:///a.txt"]}}"#]].assert_eq(&next(&mut stream).await);
    world.desk.update("crm file:///a.txt", r#"{"uri":"file:///a.txt","v":1.50,"_meta":{"io.modelcontextprotocol/subscriptionId":"theirs","dev.toolgate/x":1,"w":0}}"#);
    expect![[r#"notifications/resources/updated {"uri":"toolgate://crm/file:///a.txt","v":1.50,"_meta":{"w":0,"io.modelcontextprotocol/subscriptionId":1}}"#]].assert_eq(&next(&mut stream).await);
    // What is not granted any more goes silent.
    world.regrant(&["desk.*"]).await;
    world
        .desk
        .update("crm file:///a.txt", r#"{"uri":"file:///a.txt"}"#);
    assert_eq!(stream.next().await, QUIET);
    drop(stream);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(
        world.desk.followers.lock().unwrap().is_empty(),
        "left with the listener"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_subscribes_and_hears_on_its_stream_until_it_unsubscribes() {
    let world = shelf::world(vec![("crm", crm()), ("mute", wiki())]).await;
    let session = world.session("2025-11-25").await;
    let ask = |method: &'static str, uri: &'static str| {
        let sending = world.legacy(&session, method, json!({"uri": uri}));
        async move { sending.await_answer().await.json() }
    };
    let uri = "toolgate://crm/file:///a.txt";
    assert_eq!(ask("resources/subscribe", uri).await["result"], json!({}));
    // Nobody listens yet: it waits, and once is enough.
    for _ in 0..3 {
        world
            .desk
            .update("crm file:///a.txt", r#"{"uri":"file:///a.txt"}"#);
    }
    let mut stream = world
        .send("GET")
        .header("mcp-session-id", &session)
        .await_stream()
        .await;
    assert_eq!(
        next(&mut stream).await,
        format!(r#"notifications/resources/updated {{"uri":"{uri}"}}"#)
    );
    assert_eq!(stream.next().await, QUIET);
    assert_eq!(ask("resources/unsubscribe", uri).await["result"], json!({}));
    assert!(world.desk.followers.lock().unwrap().is_empty());
    let closed = ask("resources/subscribe", "file:///closed.txt").await;
    assert_eq!(closed["error"]["code"], 403, "{closed}");
    let none = ask("resources/subscribe", "toolgate://none/a:").await;
    assert_eq!(none["error"]["code"], -32_602, "{none}");
    let mute = ask("resources/subscribe", "toolgate://mute/wiki:///home").await;
    expect!["the source `mute` does not tell of updates"]
        .assert_eq(mute["error"]["message"].as_str().unwrap());
    ask("resources/subscribe", uri).await;
    drop(stream);
    world
        .send("DELETE")
        .header("mcp-session-id", &session)
        .await_answer()
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(
        world.desk.followers.lock().unwrap().is_empty(),
        "left with the session"
    );
}

#[tokio::test(start_paused = true)]
async fn the_modern_era_has_no_subscribe() {
    let world = shelf::world(vec![("crm", crm())]).await;
    for method in [
        "resources/subscribe",
        "resources/unsubscribe",
        "logging/setLevel",
        "ping",
    ] {
        let answer = world.modern(method, json!({"uri": "file:///a.txt", "level": "info"}));
        let answer = answer.await_answer().await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (404, &json!(-32_601)),
            "{method}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_level_is_one_of_eight() {
    let world = shelf::world(vec![("crm", crm())]).await;
    let session = world.session("2025-11-25").await;
    for (level, fine) in [("debug", true), ("emergency", true), ("loud", false)] {
        let sending = world.legacy(&session, "logging/setLevel", json!({"level": level}));
        let answer = sending.await_answer().await.json();
        assert_eq!(answer.get("result") == Some(&json!({})), fine, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_introduced_is_who_is_seen() {
    let world = shelf::world(vec![("crm", crm()), ("wiki", wiki())]).await;
    let discovered = || async {
        let answer = world
            .modern("server/discover", json!({}))
            .await_answer()
            .await;
        answer.json()["result"].clone()
    };
    let result = discovered().await;
    expect![[r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#]].assert_eq(&result["capabilities"].to_string());
    let words = result["instructions"].as_str().unwrap();
    // Whatever a server says of itself is marked as its own, line by line.
    let from = "\n\nFrom crm:\n> Ask the CRM nicely.\n> From wiki:\n> Ask nobody.";
    assert!(words.ends_with(from), "{words}");
    world.regrant(&["wiki.*"]).await;
    let result = discovered().await;
    expect![[r#"{"tools":{"listChanged":true},"resources":{"subscribe":false,"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#]].assert_eq(&result["capabilities"].to_string());
    assert!(!result.to_string().contains("CRM"));
    // A session is introduced the same way.
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let begun = world
        .send("POST")
        .body(&body.to_string())
        .await_answer()
        .await
        .json();
    expect![[
        r#"{"tools":{"listChanged":true},"resources":{"subscribe":false,"listChanged":true}}"#
    ]]
    .assert_eq(&begun["result"]["capabilities"].to_string());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_told_of_to_its_own_agent_until_it_ends() {
    let world = World::new().await;
    let declared = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let modern = |method: &str, params: Value| {
        let mut params = crate::world::with_meta(params);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = declared.clone();
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        world.modern(method, params.clone()).body(&body.to_string())
    };
    let call = json!({"name": "desk__refund", "arguments": {"amount": 640}});
    let task = modern("tools/call", call).await_answer().await.json()["result"].clone();
    let id = task["taskId"].as_str().unwrap();
    let follow = || json!({"notifications": {"taskIds": [id, "inv_none"]}});
    let mut stream = modern("subscriptions/listen", follow())
        .await_stream()
        .await;
    assert!(
        next(&mut stream)
            .await
            .contains(r#""notifications":{"taskIds":["inv_1"]}"#)
    );
    let told = next(&mut stream).await;
    assert!(
        told.starts_with(r#"notifications/tasks {"taskId":"inv_1","status":"working""#),
        "{told}"
    );
    assert!(
        told.ends_with(r#""_meta":{"io.modelcontextprotocol/subscriptionId":1}}"#),
        "{told}"
    );
    let waiting = world
        .driver
        .invocation(&caller(&world).await, &id.parse().unwrap())
        .await
        .unwrap();
    let approval = waiting.state.frozen().unwrap().approval.to_string();
    world
        .decide(&approval, toolgate_execution::Choice::Approve)
        .await;
    let mut ended = heard(&mut stream).await;
    for _ in 0..4 {
        if ended.contains(r#""status":"working""#) {
            ended = heard(&mut stream).await;
        }
    }
    assert!(
        ended.starts_with(r#"notifications/tasks {"taskId":"inv_1","status":"completed""#),
        "{ended}"
    );
    assert!(
        ended.contains(r#""result":{"resultType":"complete""#),
        "{ended}"
    );
    assert_eq!(stream.next().await, QUIET, "what has ended is told of once");
    // Nobody else hears of it.
    let other = world.another_agent("other_agent", &["desk.*"]).await;
    let mut foreign = modern("subscriptions/listen", follow())
        .token(&other)
        .await_stream()
        .await;
    assert!(next(&mut foreign).await.contains(r#""notifications":{}"#));
}

async fn caller(world: &World) -> toolgate_gate::Caller {
    world.driver.authenticate(Some(&world.agent)).await.unwrap()
}
