//! Listeners hear that their own list has changed, once, and of nothing else.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use toolgate_api::mcp::McpOptions;
use toolgate_model::{Risk, Verb};

use crate::desk::{tool, tools};
use crate::world::World;

/// What a stream of a session begins with: its id, and when to come back to it.
const BEGINNING: &str = "id: 1-0\nretry: 1000\ndata: \n\n";

#[tokio::test(start_paused = true)]
async fn a_subscription_is_acknowledged_first_and_hears_of_changes() {
    let world = World::new().await;
    let params = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true}});
    let mut stream = world
        .modern("subscriptions/listen", params)
        .await_stream()
        .await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    expect![[r#"
        event: message
        data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":{"toolsListChanged":true,"promptsListChanged":true}}}

    "#]].assert_eq(&stream.next().await);
    // A burst is one message.
    world.regrant(&["desk.lookup"]).await;
    world.regrant(&["desk.lookup", "desk.refund"]).await;
    expect![[r#"
        event: message
        data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}

    "#]].assert_eq(&stream.next().await);
    // What changes for others, or back again, is no news.
    world.another_agent("other_agent", &["*"]).await;
    world.regrant(&["*"]).await;
    world.regrant(&["desk.lookup", "desk.refund"]).await;
    assert_eq!(stream.next().await, ":\n\n");
    let mut more = tools();
    more.push(tool("desk.refund2", Verb::Write, Risk::Low));
    world.set_tools(more.clone());
    assert_eq!(stream.next().await, ":\n\n");
    // A definition that changes does.
    more[0].definition["description"] = "Something else.".into();
    world.set_tools(more);
    assert!(
        stream
            .next()
            .await
            .contains("notifications/tools/list_changed")
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_its_credential() {
    let world = World::new().await;
    let params = json!({"notifications": {"toolsListChanged": true}});
    let mut stream = world
        .modern("subscriptions/listen", params)
        .await_stream()
        .await;
    stream.next().await;
    world.revoke().await;
    expect![[r#"
        event: message
        data: {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}

    "#]].assert_eq(&stream.next().await);
    assert_eq!(stream.next().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_stops_ends_its_streams_with_an_answer() {
    let options = McpOptions::default();
    let closing = options.closing.clone();
    let world = World::with(options).await;
    let session = world.session("2025-11-25").await;
    let params = json!({"notifications": {}});
    let mut modern = world
        .modern("subscriptions/listen", params)
        .await_stream()
        .await;
    let mut legacy = world
        .send("GET")
        .header("mcp-session-id", &session)
        .await_stream()
        .await;
    assert!(modern.next().await.contains(r#""notifications":{}"#));
    closing.cancel();
    assert!(modern.next().await.contains(r#""resultType":"complete""#));
    assert_eq!(modern.next().await, "");
    assert_eq!(legacy.next().await, BEGINNING);
    assert_eq!(legacy.next().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_legacy_session_has_one_stream_of_changes() {
    let world = World::new().await;
    let session = world.session("2025-11-25").await;
    let open = || world.send("GET").header("mcp-session-id", &session);
    assert_eq!(
        open()
            .header("accept", "application/json")
            .await_answer()
            .await
            .status,
        406
    );
    assert_eq!(
        open()
            .header("mcp-session-id", "mcp_no")
            .await_answer()
            .await
            .status,
        404
    );
    let mut first = open().await_stream().await;
    assert_eq!(first.next().await, BEGINNING);
    let mut second = open().await_stream().await;
    assert_eq!(first.next().await, "", "the second one takes its place");
    assert!(second.next().await.starts_with("id: 2-0\n"));
    world.regrant(&["desk.lookup"]).await;
    expect![[r#"
        id: 2-1
        event: message
        data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}

    "#]]
    .assert_eq(&second.next().await);
    let ended = world
        .send("DELETE")
        .header("mcp-session-id", &session)
        .await_answer()
        .await;
    assert_eq!(ended.status, 204);
    assert_eq!(second.next().await, "");
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_keeps_its_session() {
    let world = World::new().await;
    let session = world.session("2025-11-25").await;
    let stream = world
        .send("GET")
        .header("mcp-session-id", &session)
        .await_stream()
        .await;
    tokio::time::sleep(Duration::from_secs(40 * 60)).await;
    assert_eq!(
        world
            .legacy(&session, "ping", json!({}))
            .await_answer()
            .await
            .status,
        200
    );
    drop(stream);
    tokio::time::sleep(Duration::from_secs(40 * 60)).await;
    assert_eq!(
        world
            .legacy(&session, "ping", json!({}))
            .await_answer()
            .await
            .status,
        404
    );
}
