//! A legacy client is asked on the stream of its call, and answers in its session.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Stream;
use crate::desk::Step;
use crate::talking::{TASKS, Talker, filled_in, form, heard, planned};
use crate::world::World;

/// Opens a session of a client that can do this.
pub(crate) async fn session(world: &World, capabilities: Value) -> String {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let sending = world.send("POST").body(&body.to_string());
    let answer = sending.await_answer().await;
    answer.headers["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// The messages of a stream until it ends or this many came.
async fn messages(stream: &mut Stream, most: usize) -> Vec<Value> {
    let mut seen = Vec::new();
    while seen.len() < most {
        let next = stream.next().await;
        if next.is_empty() {
            break;
        }
        let data = next.lines().filter_map(|line| line.strip_prefix("data: "));
        let message = |data: &str| serde_json::from_str::<Value>(data).unwrap();
        seen.extend(data.filter(|data| !data.is_empty()).map(message));
    }
    seen
}

pub(crate) async fn post(world: &World, session: &str, body: Value) -> u16 {
    let sending = world.legacy(session, "", json!({})).body(&body.to_string());
    sending.await_answer().await.status
}

fn call() -> Value {
    json!({"name": "desk__plan", "arguments": {}})
}

#[tokio::test(start_paused = true)]
async fn a_question_is_a_request_on_the_stream_and_its_answer_a_post() {
    let mut round = form("who");
    round["model"] =
        json!({"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}});
    let world = planned(&[Step::Ask(round.clone())]).await;
    let session = session(&world, json!({"elicitation": {}, "sampling": {}})).await;
    let mut stream = world
        .legacy(&session, "tools/call", call())
        .await_stream()
        .await;
    let asked = messages(&mut stream, 2).await;
    assert_eq!(asked[0]["method"], "elicitation/create");
    assert_eq!(asked[0]["params"], round["who"]["params"]);
    assert_eq!(asked[1]["method"], "sampling/createMessage");
    assert_eq!(asked[1]["params"], round["model"]["params"]);
    let answer = |asked: &Value, said: &str, value: Value| json!({"jsonrpc": "2.0", "id": asked["id"], said: value});
    // Answers to nothing that was asked are taken and ignored.
    for odd in [json!(99), json!("1"), Value::Null] {
        let odd = json!({"jsonrpc": "2.0", "id": odd, "result": {"from": "nobody"}});
        assert_eq!(post(&world, &session, odd).await, 202);
    }
    let refused = answer(
        &asked[1],
        "error",
        json!({"code": -1, "message": "no model"}),
    );
    assert_eq!(post(&world, &session, refused).await, 202);
    let filled = answer(&asked[0], "result", filled_in("Ana"));
    assert_eq!(post(&world, &session, filled).await, 202);
    let ended = messages(&mut stream, 9).await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["result"]["content"][0]["text"], "all done");
    assert_eq!(
        heard(&world)[1..],
        [
            r#"who: {"action":"accept","content":{"name":"Ana"}}"#,
            r#"model: error {"code":-1,"message":"no model"}"#,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_in_its_own_session_only() {
    let world = planned(&[Step::Ask(form("who"))]).await;
    let mine = session(&world, json!({"elicitation": {}})).await;
    let other = session(&world, json!({"elicitation": {}})).await;
    let mut stream = world
        .legacy(&mine, "tools/call", call())
        .await_stream()
        .await;
    let asked = messages(&mut stream, 1).await;
    let answer = json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": filled_in("Eve")});
    assert_eq!(post(&world, &other, answer.clone()).await, 202);
    let stranger = world.another_agent("other_agent", &["desk.*"]).await;
    let stolen = world
        .legacy(&mine, "", json!({}))
        .token(&stranger)
        .body(&answer.to_string());
    assert_eq!(stolen.await_answer().await.status, 404);
    let without = world.send("POST").body(&answer.to_string());
    assert_eq!(without.await_answer().await.status, 400);
    assert_eq!(heard(&world).len(), 1);
    assert_eq!(post(&world, &mine, answer).await, 202);
    assert_eq!(
        messages(&mut stream, 9).await[0]["result"]["content"][0]["text"],
        "all done"
    );
}

#[tokio::test(start_paused = true)]
async fn who_did_not_declare_it_or_hears_no_stream_is_not_asked() {
    let world = planned(&[Step::Ask(form("who"))]).await;
    let roots = session(&world, json!({"roots": {"listChanged": true}})).await;
    let answer = world
        .legacy(&roots, "tools/call", call())
        .await_answer()
        .await;
    assert!(
        answer
            .text()
            .contains("did not declare that it can answer `elicitation/create`")
    );
    let mut again = call();
    again["_meta"] = json!({"dev.toolgate/allow-duplicate": true});
    let able = session(&world, json!({"elicitation": {}})).await;
    let deaf = world
        .legacy(&able, "tools/call", again)
        .header("accept", "application/json");
    assert_eq!(deaf.await_answer().await.text(), "nobody is there");
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_ends_and_is_taken_back() {
    let world = planned(&[Step::Ask(form("who"))]).await;
    let session = session(&world, json!({"elicitation": {}})).await;
    let mut stream = world
        .legacy(&session, "tools/call", call())
        .await_stream()
        .await;
    let asked = messages(&mut stream, 1).await;
    let rest = messages(&mut stream, 9).await;
    assert_eq!(rest[0]["method"], "notifications/cancelled");
    assert_eq!(rest[0]["params"]["requestId"], asked[0]["id"]);
    assert_eq!(rest[1]["result"]["isError"], true);
    assert_eq!(
        heard(&world)[1],
        "unanswered: the client did not answer in time"
    );
    let late = json!({"jsonrpc": "2.0", "id": asked[0]["id"], "result": filled_in("Ana")});
    assert_eq!(post(&world, &session, late).await, 202);
}

#[tokio::test(start_paused = true)]
async fn cancelling_or_ending_the_session_ends_the_question() {
    for deletes in [false, true] {
        let world = planned(&[Step::Ask(form("who"))]).await;
        let session = session(&world, json!({"elicitation": {}})).await;
        let mut stream = world
            .legacy(&session, "tools/call", call())
            .await_stream()
            .await;
        messages(&mut stream, 1).await;
        if deletes {
            let ended = world.send("DELETE").header("mcp-session-id", &session);
            assert_eq!(ended.await_answer().await.status, 204);
        } else {
            let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
            assert_eq!(post(&world, &session, cancel).await, 202);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(heard(&world)[1], "unanswered: the client is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_hears_log_messages_of_the_level_that_it_set_or_of_what_servers_say_unasked() {
    let world = planned(&[Step::Log(json!({"level": "warning", "data": "x"}))]).await;
    let session = session(&world, json!({})).await;
    let line = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","data":"x"}}"#;
    for (level, told) in [(None, "info"), (Some("error"), "error")] {
        world.desk.heard.lock().unwrap().clear();
        if let Some(level) = level {
            let wanted = world.legacy(&session, "logging/setLevel", json!({"level": level}));
            assert_eq!(wanted.await_answer().await.status, 200);
        }
        let mut call = call();
        call["_meta"] = json!({"dev.toolgate/allow-duplicate": true});
        let answer = world
            .legacy(&session, "tools/call", call)
            .await_answer()
            .await;
        // How severe a line must be is for the one who passes it on to see to; here it is told which.
        assert!(answer.body.contains(line), "{}", answer.body);
        assert_eq!(answer.text(), "all done");
        let heard = heard(&world);
        assert!(
            heard[0].contains(&format!(r#""level":"{told}""#)),
            "{heard:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_who_shows_pages_hears_that_one_is_done_and_of_nothing_else() {
    let done = json!({"elicitationId": "e1"});
    let plan = [
        Step::Tell("notifications/elicitation/complete", done.clone()),
        Step::Tell("notifications/tools/list_changed", json!({})),
        Step::Tell("notifications/odd", json!({})),
    ];
    let line = r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e1"}}"#;
    for (capabilities, hears) in [
        (json!({"elicitation": {"url": {}}}), true),
        (json!({"elicitation": {"form": {}}}), false),
        (json!({"elicitation": {}}), false),
        (json!({}), false),
    ] {
        let world = planned(&plan).await;
        let session = session(&world, capabilities.clone()).await;
        let answer = world
            .legacy(&session, "tools/call", call())
            .await_answer()
            .await;
        assert_eq!(answer.body.contains(line), hears, "{capabilities}");
        assert!(!answer.body.contains("changed") && !answer.body.contains("odd"));
        let modern = Talker::new(&world, capabilities);
        let params = json!({"name": "desk__plan", "arguments": {"amount": 2}});
        let modern = modern.send("tools/call", params).await_answer().await;
        assert!(!modern.body.contains("notifications/"), "{}", modern.body);
    }
}

#[tokio::test(start_paused = true)]
async fn no_server_hears_of_tasks_from_a_client_that_cannot_follow_one() {
    let world = planned(&[]).await;
    let able = json!({"roots": {}, "extensions": {TASKS: {}, "com.acme/x": {}}});
    let session = session(&world, able).await;
    world
        .legacy(&session, "tools/call", call())
        .await_answer()
        .await;
    assert!(
        heard(&world)[0]
            .starts_with(r#"{"capabilities":{"roots":{},"extensions":{"com.acme/x":{}}},"#)
    );
}
