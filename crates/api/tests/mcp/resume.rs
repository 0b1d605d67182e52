//! A legacy stream that broke is gone on with: nothing is missed, nothing is said twice.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Stream;
use crate::desk::Step;
use crate::questions::{post, session};
use crate::talking::{filled_in, form, heard, planned};
use crate::world::World;

/// One event, as it was written.
#[derive(Debug, PartialEq)]
struct Seen {
    id: String,
    retry: bool,
    data: String,
}

/// The events of a stream until it ends or this many came; comments say nothing.
async fn events(stream: &mut Stream, most: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    while seen.len() < most {
        let next = stream.next().await;
        if next.is_empty() {
            break;
        }
        let field = |name: &str| next.lines().find_map(|line| line.strip_prefix(name));
        if let Some(data) = field("data: ") {
            seen.push(Seen {
                id: field("id: ").unwrap_or_default().to_owned(),
                retry: field("retry: ").is_some(),
                data: data.to_owned(),
            });
        }
    }
    seen
}

fn data(seen: &[Seen]) -> Vec<Value> {
    let messages = seen.iter().filter(|seen| !seen.data.is_empty());
    messages
        .map(|seen| serde_json::from_str(&seen.data).unwrap())
        .collect()
}

async fn slow(world: &World, session: &str, id: u64) -> Stream {
    let params =
        json!({"name": "desk__slow", "arguments": {"amount": id}, "_meta": {"progressToken": id}});
    let body = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
    let sending = world.legacy(session, "", json!({})).body(&body.to_string());
    let (stream, ()) = tokio::join!(sending.await_stream(), world.desk.arrival());
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    stream
}

async fn resume(world: &World, session: &str, last: &str) -> Stream {
    let sending = world
        .send("GET")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", session)
        .header("last-event-id", last);
    sending.await_stream().await
}

#[tokio::test(start_paused = true)]
async fn what_came_after_the_last_event_is_told_and_no_more() {
    let world = World::new().await;
    let session = session(&world, json!({})).await;
    let mut first = slow(&world, &session, 1).await;
    let begun = events(&mut first, 2).await;
    assert_eq!((begun[0].retry, begun[0].data.as_str()), (true, ""));
    assert_eq!(data(&begun)[0]["params"]["progress"], 1);
    drop(first);
    let second = slow(&world, &session, 2).await;
    drop(second);
    // Both calls end while nobody listens.
    for _ in 0..2 {
        world.desk.release.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let missed = events(&mut resume(&world, &session, &begun[1].id).await, 9).await;
    let told = data(&missed);
    assert_eq!(told.len(), 2, "{missed:?}");
    assert_eq!(told[0]["params"]["progress"], 2);
    assert_eq!(
        (&told[1]["id"], &told[1]["result"]["content"][0]["text"]),
        (&json!(1), &json!("late"))
    );
    // From its beginning it is told whole, as often as somebody comes back.
    for _ in 0..2 {
        let whole = events(&mut resume(&world, &session, &begun[0].id).await, 9).await;
        assert_eq!(data(&whole).len(), 3);
    }
    let after = resume(&world, &session, &missed[1].id).await;
    assert_eq!(after.status, 200);
    assert!(events(&mut { after }, 9).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_where_it_was_taken_up_and_the_older_reader_ends() {
    let world = World::new().await;
    let session = session(&world, json!({})).await;
    let mut first = slow(&world, &session, 1).await;
    let begun = events(&mut first, 3).await;
    let mut second = resume(&world, &session, &begun[2].id).await;
    assert!(events(&mut first, 9).await.is_empty());
    world.desk.release.notify_one();
    let rest = events(&mut second, 9).await;
    assert_eq!(data(&rest)[0]["result"]["content"][0]["text"], "late");
    assert_eq!(rest.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_of_its_session_and_credential_alone() {
    let world = World::new().await;
    let mine = session(&world, json!({})).await;
    let other = session(&world, json!({})).await;
    let mut stream = slow(&world, &mine, 1).await;
    let id = events(&mut stream, 1).await.remove(0).id;
    drop(stream);
    let stolen = resume(&world, &other, &id).await;
    assert_eq!(stolen.status, 400);
    let stranger = world.another_agent("other_agent", &["desk.*"]).await;
    let sending = world
        .send("GET")
        .token(&stranger)
        .header("accept", "text/event-stream");
    let sending = sending
        .header("mcp-session-id", &mine)
        .header("last-event-id", &id);
    assert_eq!(sending.await_answer().await.status, 404);
    for odd in ["7-0", "1-99", "nonsense", "1"] {
        assert_eq!(resume(&world, &mine, odd).await.status, 400, "{odd}");
    }
    world.desk.release.notify_one();
    let rest = events(&mut resume(&world, &mine, &id).await, 9).await;
    assert_eq!(data(&rest).len(), 3);
    let ended = world.send("DELETE").header("mcp-session-id", &mine);
    assert_eq!(ended.await_answer().await.status, 204);
    assert_eq!(resume(&world, &mine, &id).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_was_missed_is_asked_again_and_answered() {
    let world = planned(&[Step::Ask(form("who"))]).await;
    let session = session(&world, json!({"elicitation": {}})).await;
    let call = json!({"name": "desk__plan", "arguments": {}});
    let mut stream = world
        .legacy(&session, "tools/call", call)
        .await_stream()
        .await;
    let begun = events(&mut stream, 1).await;
    drop(stream);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut again = resume(&world, &session, &begun[0].id).await;
    let asked = data(&events(&mut again, 1).await).remove(0);
    assert_eq!(asked["method"], "elicitation/create");
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": filled_in("Ana")});
    assert_eq!(post(&world, &session, answer).await, 202);
    let rest = data(&events(&mut again, 9).await);
    assert_eq!(rest[0]["result"]["content"][0]["text"], "all done");
    assert_eq!(heard(&world).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn changes_that_came_while_nobody_listened_are_told_afterwards() {
    let world = World::new().await;
    let session = session(&world, json!({})).await;
    let get = || {
        world
            .send("GET")
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &session)
    };
    let mut stream = get().await_stream().await;
    let begun = events(&mut stream, 1).await;
    drop(stream);
    world.regrant(&["desk.lookup"]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let missed = events(&mut resume(&world, &session, &begun[0].id).await, 1).await;
    assert_eq!(
        data(&missed)[0]["method"],
        "notifications/tools/list_changed"
    );
    // A new stream begins anew, and the one before it ends.
    let mut old = resume(&world, &session, &missed[0].id).await;
    let mut fresh = get().await_stream().await;
    assert_ne!(events(&mut fresh, 1).await[0].id, begun[0].id);
    assert!(events(&mut old, 9).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_names_streams_first_gets_one() {
    let world = World::new().await;
    let session = session(&world, json!({})).await;
    let (json, stream) = ("application/json", "text/event-stream");
    for (accept, kind) in [
        (format!("{json}, {stream}"), json),
        (format!("{stream}, {json}"), stream),
        (format!("{stream};q=1, {json}"), stream),
        (format!("{json};q=1, {stream}"), json),
        ("*/*".to_owned(), json),
        (json.to_owned(), json),
    ] {
        let sending = world
            .legacy(&session, "tools/list", json!({}))
            .header("accept", &accept);
        assert_eq!(
            sending.await_answer().await.headers["content-type"],
            kind,
            "legacy, {accept}"
        );
        let sending = world
            .modern("tools/list", json!({}))
            .header("accept", &accept);
        assert_eq!(
            sending.await_answer().await.headers["content-type"],
            kind,
            "modern, {accept}"
        );
    }
    // An error keeps its status all the same.
    let unknown = world
        .modern("nope", json!({}))
        .header("accept", &format!("{stream}, {json}"));
    assert_eq!(unknown.await_answer().await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn older_revisions_know_of_no_beginning() {
    let world = World::new().await;
    let session = world.session("2025-06-18").await;
    let mut stream = slow(&world, &session, 1).await;
    world.desk.release.notify_one();
    let seen = events(&mut stream, 9).await;
    assert_eq!(data(&seen).len(), seen.len());
    assert!(seen.iter().all(|seen| !seen.id.is_empty() && !seen.retry));
}
