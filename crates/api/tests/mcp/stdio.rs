//! The same face over two byte streams.

use expect_test::expect;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use toolgate_api::mcp::{McpOptions, serve_stdio};

use crate::client::soon;
use crate::desk::Step;
use crate::talking::{filled_in, form, heard, planned};
use crate::world::{World, with_meta};

/// A client at the other end of the pipe.
struct Pipe<'w> {
    world: &'w World,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl<'w> Pipe<'w> {
    fn open(world: &'w World) -> Self {
        Self::with(world, McpOptions::default())
    }

    #[expect(clippy::disallowed_methods, reason = "the tests' own place for tasks")]
    fn with(world: &'w World, options: McpOptions) -> Self {
        let (client, server) = tokio::io::duplex(1 << 16);
        let (reader, writer) = tokio::io::split(server);
        let face = (world.api.clone(), options);
        let served = tokio::spawn(serve_stdio(face, world.agent.clone(), reader, writer));
        let (reader, writer) = tokio::io::split(client);
        Self {
            world,
            lines: BufReader::new(reader).lines(),
            writer,
            served,
        }
    }

    async fn line(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
    }

    async fn send(&mut self, id: u64, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.line(&message.to_string()).await;
    }

    async fn tell(&mut self, method: &str, params: Value) {
        self.line(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string())
            .await;
    }

    async fn next(&mut self) -> String {
        let line = soon(self.lines.next_line())
            .await
            .unwrap()
            .unwrap_or_default();
        self.world.redact(&line)
    }

    async fn initialize(&mut self, version: &str) -> String {
        self.send(
            0,
            "initialize",
            json!({"protocolVersion": version, "capabilities": {}}),
        )
        .await;
        let answer = self.next().await;
        self.tell("notifications/initialized", json!({})).await;
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn both_eras_share_the_pipe() {
    let world = World::new().await;
    let mut pipe = Pipe::open(&world);
    pipe.send(1, "tools/list", json!({})).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"begin with `initialize`, or send `_meta` of a modern request"}}"#]].assert_eq(&pipe.next().await);
    pipe.send(2, "server/discover", with_meta(json!({}))).await;
    assert!(
        pipe.next()
            .await
            .contains(r#""supportedVersions":["2026-07-28"]"#)
    );
    let call = json!({"name": "desk__refund", "arguments": {"amount": 20_000}});
    pipe.send(3, "tools/call", with_meta(call.clone())).await;
    assert!(pipe.next().await.contains("Denied by refunds/closed"));
    expect![[r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"toolgate","title":"Toolgate","version":"0.1.0"},"instructions":"These tools are reached through Toolgate, which decides each call. A result that begins with `Denied by` means that the call was not executed: do not repeat it unchanged. `Approval required` means that a person decides: call toolgate_await with the id it names. `Unknown effect` means that nobody can know yet whether the call took effect: never repeat it by yourself. toolgate_whoami says who you are here, and toolgate_simulate what a call would get."}}"#]].assert_eq(&pipe.initialize("2025-06-18").await);
    pipe.send(4, "tools/call", call).await;
    assert!(pipe.next().await.contains("Denied by refunds/closed"));
    pipe.send(5, "nope", json!({})).await;
    expect![[
        r#"{"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"there is no method `nope`"}}"#
    ]]
    .assert_eq(&pipe.next().await);
}

#[tokio::test(start_paused = true)]
async fn garbage_is_answered_and_the_next_line_is_read() {
    let world = World::new().await;
    let mut pipe = Pipe::open(&world);
    let mut seen = String::new();
    for line in [
        "hello",
        "{",
        "[]",
        r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#,
        "\u{feff}{}",
    ] {
        pipe.line(line).await;
        seen.push_str(&pipe.next().await);
        seen.push('\n');
    }
    let (long, world_max) = ("x".repeat(3 << 20), 1 << 20);
    assert!(long.len() > world_max);
    let writing = pipe.writer.write_all(long.as_bytes());
    writing.await.unwrap();
    pipe.line("").await;
    seen.push_str(&pipe.next().await);
    expect![[r#"
        {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: expected value at line 1, column 1"}}
        {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: EOF while parsing an object at line 1, column 1"}}
        {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"several messages in one array exist in version 2025-03-26 only, 1 to 32 of them: send one at a time"}}
        {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: the key `id` stands twice at line 1, column 28"}}
        {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: expected value at line 1, column 1"}}
        {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the line has more than the 1048576 bytes allowed"}}"#]].assert_eq(&seen);
    pipe.writer.write_all(b"\xff\xfe\n\n  \n").await.unwrap();
    assert!(pipe.next().await.contains("-32700"));
    pipe.send(9, "ping", json!({})).await;
    assert_eq!(pipe.next().await, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#);
}

#[tokio::test(start_paused = true)]
async fn requests_run_beside_each_other_and_are_cancelled_by_name() {
    let world = World::new().await;
    let mut pipe = Pipe::open(&world);
    pipe.initialize("2025-11-25").await;
    let slow = json!({"name": "desk__slow", "arguments": {}, "_meta": {"progressToken": "p"}});
    pipe.send(1, "tools/call", slow).await;
    assert!(
        pipe.next()
            .await
            .contains(r#""progressToken":"p","progress":1"#)
    );
    assert!(pipe.next().await.contains(r#""progress":2"#));
    pipe.send(2, "ping", json!({})).await;
    assert_eq!(pipe.next().await, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    pipe.send(1, "ping", json!({})).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"the `id` belongs to a request that has not been answered yet"}}"#]].assert_eq(&pipe.next().await);
    pipe.tell("notifications/cancelled", json!({"requestId": 1}))
        .await;
    // Nothing more is said of it; what it left is on the record.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    pipe.send(3, "ping", json!({})).await;
    assert_eq!(pipe.next().await, r#"{"jsonrpc":"2.0","id":3,"result":{}}"#);
    expect![[r#"
        [
            "invocation.admitted desk.slow ",
            "invocation.unknown_effect  ",
            "invocation.needs_operator  ",
        ]
    "#]]
    .assert_debug_eq(&world.records("invocation.").await);
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_in_both_eras() {
    let world = World::new().await;
    let mut pipe = Pipe::open(&world);
    pipe.initialize("2025-11-25").await;
    let wanted = json!({"notifications": {"toolsListChanged": true}});
    pipe.send(7, "subscriptions/listen", with_meta(wanted))
        .await;
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"toolsListChanged":true}}}"#]].assert_eq(&pipe.next().await);
    world.regrant(&["desk.lookup"]).await;
    let mut told = [pipe.next().await, pipe.next().await];
    told.sort();
    expect![[r#"
        [
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7}}}",
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{}}",
        ]
    "#]].assert_debug_eq(&told);
    pipe.tell("notifications/cancelled", json!({"requestId": 7}))
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    world.regrant(&["desk.refund"]).await;
    expect![[r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}"#]]
        .assert_eq(&pipe.next().await);
    pipe.send(8, "ping", json!({})).await;
    assert_eq!(pipe.next().await, r#"{"jsonrpc":"2.0","id":8,"result":{}}"#);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_binds_on_the_next_message() {
    let world = World::new().await;
    let mut pipe = Pipe::open(&world);
    pipe.initialize("2025-11-25").await;
    world.revoke().await;
    pipe.send(1, "tools/list", json!({})).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"error":{"code":401,"message":"credential `key_1` was revoked at 2026-06-16T15:14:22.000Z","data":{"code":"credential_revoked"}}}"#]].assert_eq(&pipe.next().await);
}

#[tokio::test(start_paused = true)]
async fn closing_the_input_ends_the_connection_once_answers_are_out() {
    let world = World::new().await;
    let hold = toolgate_model::Duration::from_secs(60);
    let mut pipe = Pipe::with(
        &world,
        McpOptions {
            hold,
            ..McpOptions::default()
        },
    );
    pipe.initialize("2025-11-25").await;
    pipe.send(
        1,
        "tools/call",
        json!({"name": "desk__slow", "arguments": {}}),
    )
    .await;
    pipe.send(
        2,
        "tools/call",
        json!({"name": "desk__refund", "arguments": {"amount": 640}}),
    )
    .await;
    world.desk.arrival().await;
    pipe.writer.shutdown().await.unwrap();
    // What waits for people is answered at once, what runs may come to its end.
    assert!(
        pipe.next()
            .await
            .contains("Approval required by refunds/big")
    );
    world.desk.release.notify_one();
    assert!(pipe.next().await.contains(r#""text":"late""#));
    assert_eq!(pipe.next().await, "");
    pipe.served.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_its_connection_is_given_up() {
    let world = World::new().await;
    let mut pipe = Pipe::open(&world);
    pipe.initialize("2025-11-25").await;
    pipe.send(
        1,
        "tools/call",
        json!({"name": "desk__slow", "arguments": {}}),
    )
    .await;
    world.desk.arrival().await;
    pipe.writer.shutdown().await.unwrap();
    assert_eq!(pipe.next().await, "");
    pipe.served.await.unwrap().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    expect![[r#"
        [
            "invocation.admitted desk.slow ",
            "invocation.unknown_effect  ",
            "invocation.needs_operator  ",
        ]
    "#]]
    .assert_debug_eq(&world.records("invocation.").await);
}

#[tokio::test(start_paused = true)]
async fn batches_come_back_in_one_array() {
    let world = World::new().await;
    let mut pipe = Pipe::open(&world);
    let batch =
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"nope"}]"#;
    pipe.initialize("2025-06-18").await;
    pipe.line(batch).await;
    expect![[r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"several messages in one array exist in version 2025-03-26 only, 1 to 32 of them: send one at a time"}}"#]].assert_eq(&pipe.next().await);
    pipe.initialize("2025-03-26").await;
    pipe.line(batch).await;
    expect![[r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"there is no method `nope`"}}]"#]].assert_eq(&pipe.next().await);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_asked_on_the_pipe_in_both_eras() {
    let world = planned(&[Step::Ask(form("who"))]).await;
    let mut pipe = Pipe::open(&world);
    let able = json!({"elicitation": {}});
    let begin = json!({"protocolVersion": "2025-11-25", "capabilities": able});
    pipe.send(0, "initialize", begin).await;
    pipe.next().await;
    let call = |amount| json!({"name": "desk__plan", "arguments": {"amount": amount}});
    pipe.send(1, "tools/call", call(1)).await;
    let asked: Value = serde_json::from_str(&pipe.next().await).unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    assert_eq!(asked["params"], form("who")["who"]["params"]);
    for id in [json!(99), asked["id"].clone()] {
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": filled_in("Ana")});
        pipe.line(&answer.to_string()).await;
    }
    assert!(pipe.next().await.contains("all done"));
    let modern = |mut params: Value| {
        params = with_meta(params);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = able.clone();
        params
    };
    pipe.send(2, "tools/call", modern(call(2))).await;
    let asked: Value = serde_json::from_str(&pipe.next().await).unwrap();
    assert_eq!(asked["result"]["inputRequests"], form("who"));
    let mut retry = call(2);
    retry["inputResponses"] = json!({"who": filled_in("Bo")});
    retry["requestState"] = asked["result"]["requestState"].clone();
    pipe.send(3, "tools/call", modern(retry)).await;
    assert!(pipe.next().await.contains("all done"));
    let told = heard(&world);
    assert!(
        told[1].contains("Ana") && told[3].contains("Bo"),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_round_ends_with_the_connection_that_could_have_answered_it() {
    let world = planned(&[Step::Ask(form("who"))]).await;
    let mut pipe = Pipe::open(&world);
    let mut params = with_meta(json!({"name": "desk__plan", "arguments": {}}));
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
    pipe.send(1, "tools/call", params).await;
    assert!(pipe.next().await.contains("input_required"));
    pipe.writer.shutdown().await.unwrap();
    assert_eq!(pipe.next().await, "");
    pipe.served.await.unwrap().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(heard(&world)[1], "unanswered: the client is gone");
}

#[tokio::test(start_paused = true)]
async fn updates_of_resources_come_on_the_pipe() {
    let world = crate::shelf::world(vec![("crm", crate::shelf::crm())]).await;
    let mut pipe = Pipe::open(&world);
    pipe.initialize("2025-11-25").await;
    let followed = json!({"uri": "file:///a.txt"});
    pipe.send(1, "resources/subscribe", followed.clone()).await;
    let done = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert_eq!(pipe.next().await, done);
    for uri in ["file:///a.txt", "file:///a.txt/part"] {
        let said = json!({"uri": uri}).to_string();
        world.desk.update("crm file:///a.txt", &said);
    }
    // Under the name that was asked for, and a part of it under its own.
    for uri in ["file:///a.txt", "toolgate://crm/file:///a.txt/part"] {
        let told = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
        assert_eq!(pipe.next().await, told.to_string());
    }
    pipe.send(1, "resources/unsubscribe", followed).await;
    assert_eq!(pipe.next().await, done);
    assert!(world.desk.followers.lock().unwrap().is_empty());
}
