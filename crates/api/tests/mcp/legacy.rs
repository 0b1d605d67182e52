//! 2025-03-26 to 2025-11-25: a session, and everything within it.

use expect_test::expect;
use serde_json::json;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_session_begins_is_used_and_ends() {
    let world = World::new().await;
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params});
    let opened = world
        .send("POST")
        .body(&body.to_string())
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":"a","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"toolgate","title":"Toolgate","version":"0.1.0"},"instructions":"These tools are reached through Toolgate, which decides each call. A result that begins with `Denied by` means that the call was not executed: do not repeat it unchanged. `Approval required` means that a person decides: call toolgate_await with the id it names. `Unknown effect` means that nobody can know yet whether the call took effect: never repeat it by yourself. toolgate_whoami says who you are here, and toolgate_simulate what a call would get."}}"#]].assert_eq(&opened.show());
    let session = opened.headers["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(session.len() > 60 && session.bytes().all(|b| b.is_ascii_graphic()));
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let ready = world
        .legacy(&session, "", json!({}))
        .body(&ready.to_string())
        .await_answer()
        .await;
    assert_eq!((ready.status, ready.body.as_str()), (202, ""));
    let ping = world
        .legacy(&session, "ping", json!({}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{}}"#]].assert_eq(&ping.show());
    let listed = world
        .legacy(&session, "tools/list", json!({}))
        .await_answer()
        .await
        .json();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 12);
    assert_eq!(
        listed["result"].as_object().unwrap().len(),
        1,
        "legacy lists say nothing of caches"
    );
    let call = json!({"name": "desk__lookup", "arguments": {"customer": "c"}});
    let called = world
        .legacy(&session, "tools/call", call)
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}],"structuredContent":{"customer":"c"}}}"#]].assert_eq(&called.bare());
    let ended = world
        .send("DELETE")
        .header("mcp-session-id", &session)
        .await_answer()
        .await;
    assert_eq!(ended.status, 204);
    let gone = world
        .legacy(&session, "ping", json!({}))
        .await_answer()
        .await;
    expect![[r#"404 {"jsonrpc":"2.0","id":1,"error":{"code":404,"message":"there is no such session: begin with `initialize`"}}"#]].assert_eq(&gone.show());
}

#[tokio::test(start_paused = true)]
async fn versions_are_agreed_on_and_checked() {
    let world = World::new().await;
    let mut agreed = Vec::new();
    for asked in [
        "2024-11-05",
        "2025-03-26",
        "2025-06-18",
        "2025-11-25",
        "2030-01-01",
    ] {
        let params = json!({"protocolVersion": asked, "capabilities": {}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
        let answer = world
            .send("POST")
            .body(&body.to_string())
            .await_answer()
            .await
            .json();
        agreed.push(format!(
            "{asked} {}",
            answer["result"]["protocolVersion"].as_str().unwrap()
        ));
    }
    expect![[r#"
        [
            "2024-11-05 2025-11-25",
            "2025-03-26 2025-03-26",
            "2025-06-18 2025-06-18",
            "2025-11-25 2025-11-25",
            "2030-01-01 2025-11-25",
        ]
    "#]]
    .assert_debug_eq(&agreed);
    let session = world.session("2025-06-18").await;
    let send = |version| {
        world
            .legacy(&session, "ping", json!({}))
            .header("mcp-protocol-version", version)
    };
    assert_eq!(send("").await_answer().await.status, 200);
    assert_eq!(send("2025-06-18").await_answer().await.status, 200);
    expect![[r#"400 {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `1999-01-01` is not spoken here","data":{"supported":["2025-11-25","2025-06-18","2025-03-26"],"requested":"1999-01-01"}}}"#]].assert_eq(&send("1999-01-01").await_answer().await.show());
    // A header of the modern era wants all of the modern era.
    assert_eq!(
        send("2026-07-28").await_answer().await.json()["error"]["code"],
        -32602
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_is_of_its_credential_alone() {
    let world = World::new().await;
    let session = world.session("2025-11-25").await;
    let stranger = world.another_agent("other_agent", &["desk.*"]).await;
    let stolen = world
        .legacy(&session, "tools/list", json!({}))
        .token(&stranger)
        .await_answer()
        .await;
    assert_eq!(stolen.status, 404);
    let ended = world
        .send("DELETE")
        .header("mcp-session-id", &session)
        .token(&stranger)
        .await_answer()
        .await;
    assert_eq!(ended.status, 404);
    assert_eq!(
        world
            .legacy(&session, "ping", json!({}))
            .await_answer()
            .await
            .status,
        200
    );
    let without = world
        .legacy("", "tools/list", json!({}))
        .await_answer()
        .await;
    expect![[r#"400 {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"`Mcp-Session-Id` is missing: begin with `initialize`, or send `_meta` of a modern request"}}"#]].assert_eq(&without.show());
}

#[tokio::test(start_paused = true)]
async fn a_silent_session_is_forgotten() {
    let world = World::new().await;
    let session = world.session("2025-11-25").await;
    tokio::time::sleep(std::time::Duration::from_secs(29 * 60)).await;
    assert_eq!(
        world
            .legacy(&session, "ping", json!({}))
            .await_answer()
            .await
            .status,
        200
    );
    tokio::time::sleep(std::time::Duration::from_secs(31 * 60)).await;
    assert_eq!(
        world
            .legacy(&session, "ping", json!({}))
            .await_answer()
            .await
            .status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn going_away_means_nothing_and_cancelling_is_said() {
    let world = World::new().await;
    let session = world.session("2025-11-25").await;
    let call = json!({"name": "desk__slow", "arguments": {}, "_meta": {"progressToken": 1}});
    let calling = world
        .legacy(&session, "tools/call", call.clone())
        .await_stream();
    let (stream, ()) = tokio::join!(calling, world.desk.arrival());
    drop(stream);
    world.desk.release.notify_one();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    expect![[r#"
        [
            "invocation.admitted desk.slow ",
            "invocation.succeeded  ",
        ]
    "#]]
    .assert_debug_eq(&world.records("invocation.").await);
    let mut meant = call;
    meant["_meta"]["dev.toolgate/allow-duplicate"] = json!(true);
    let calling = world.legacy(&session, "tools/call", meant).await_stream();
    let (mut stream, ()) = tokio::join!(calling, world.desk.arrival());
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1, "reason": "no"}});
    let said = world
        .legacy(&session, "", json!({}))
        .body(&cancel.to_string())
        .await_answer()
        .await;
    assert_eq!(said.status, 202);
    let mut rest = String::new();
    loop {
        let next = stream.next().await;
        if next.is_empty() {
            break;
        }
        rest.push_str(&next);
    }
    assert!(
        rest.contains("progress") && !rest.contains("result"),
        "{rest}"
    );
    expect![[r#"
        [
            "invocation.admitted desk.slow ",
            "invocation.succeeded  ",
            "invocation.admitted desk.slow ",
            "invocation.unknown_effect  ",
            "invocation.needs_operator  ",
        ]
    "#]]
    .assert_debug_eq(&world.records("invocation.").await);
}

#[tokio::test(start_paused = true)]
async fn an_id_under_way_is_not_taken_twice() {
    let world = World::new().await;
    let session = world.session("2025-11-25").await;
    let slow = json!({"name": "desk__slow", "arguments": {}});
    let first = world.legacy(&session, "tools/call", slow).await_answer();
    let second = async {
        world.desk.arrival().await;
        let second = world
            .legacy(&session, "ping", json!({}))
            .await_answer()
            .await;
        world.desk.release.notify_one();
        second
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.text(), "late");
    expect![[r#"400 {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"the `id` belongs to a request that has not been answered yet"}}"#]].assert_eq(&second.show());
    assert_eq!(
        world
            .legacy(&session, "ping", json!({}))
            .await_answer()
            .await
            .status,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn batches_exist_in_one_version_only() {
    let world = World::new().await;
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "desk__lookup", "arguments": {"customer": "c"}}},
        {"jsonrpc": "2.0", "id": 3, "method": "nope"},
        7,
    ])
    .to_string();
    let old = world.session("2025-03-26").await;
    let send = |session: &str, version: &str, body: &str| {
        world
            .legacy(session, "", json!({}))
            .header("mcp-protocol-version", version)
            .body(body)
    };
    let answered = send(&old, "", &batch).await_answer().await;
    let answers = answered.json();
    let ids: Vec<_> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["id"].to_string())
        .collect();
    assert_eq!(ids, ["1", "2", "3", "null"]);
    assert_eq!(answers[1]["result"]["isError"], json!(null));
    assert_eq!(
        send(
            &old,
            "",
            r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#
        )
        .await_answer()
        .await
        .status,
        202
    );
    let new = world.session("2025-06-18").await;
    let refused = send(&new, "", &batch).await_answer().await;
    expect![[r#"400 {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"several messages in one array exist in version 2025-03-26 only: send one at a time"}}"#]].assert_eq(&refused.show());
    assert_eq!(send(&old, "", "[]").await_answer().await.status, 400);
    assert_eq!(
        send("", "", &batch).await_answer().await.show(),
        refused.show()
    );
}
