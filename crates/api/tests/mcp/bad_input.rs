//! Bad input: each kind has its own error, and the gate goes on.

use expect_test::expect;
use serde_json::json;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn each_kind_of_bad_message_has_its_own_error_and_the_gate_goes_on() {
    let world = World::new().await;
    let call = |arguments: &str| {
        let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"desk__lookup","arguments":{arguments},"_meta":{meta}}}}}"#
        )
    };
    let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    let long = format!(r#"{{"customer":"{}"}}"#, "x".repeat((256 << 10) + 1));
    let huge = " ".repeat(10 << 20);
    let bodies = [
        ("no JSON", "hello".to_owned()),
        ("nothing", String::new()),
        ("half", call("{").chars().take(150).collect()),
        ("10 MiB", huge),
        ("depth 10000", call(&deep)),
        ("a key twice", call(r#"{"amount":1,"amount":900}"#)),
        ("a lone surrogate", call(r#"{"customer":"\ud800"}"#)),
        ("NaN", call(r#"{"amount":NaN}"#)),
        (
            "a number beyond exact range",
            call(r#"{"amount":9007199254740993}"#),
        ),
        ("a long string", call(&long)),
        ("a byte order mark", format!("\u{feff}{}", call("{}"))),
        ("arguments that are a list", call("[1]")),
        ("a batch", format!("[{}]", call("{}"))),
        (
            "no version of JSON-RPC",
            r#"{"id":1,"method":"tools/list"}"#.to_owned(),
        ),
        (
            "an id that is null",
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#.to_owned(),
        ),
        (
            "an answer",
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(),
        ),
    ];
    let mut seen = String::new();
    for (what, body) in bodies {
        let answer = world
            .call("desk__lookup", json!({}))
            .body(&body)
            .await_answer()
            .await;
        seen.push_str(&format!("{what}: {}\n", answer.show()));
        let good = world
            .call("desk__lookup", json!({"customer": "c"}))
            .await_answer()
            .await;
        assert_eq!(good.status, 200, "after {what}");
    }
    expect![[r#"
        no JSON: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: expected value at line 1, column 1"}}
        nothing: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: EOF while parsing a value at line 1, column 0"}}
        half: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: key must be a string at line 1, column 92"}}
        10 MiB: 413 {"jsonrpc":"2.0","id":null,"error":{"code":413,"message":"the message has more than the 1048576 bytes allowed"}}
        depth 10000: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: nesting deeper than 64 levels at line 1, column 401"}}
        a key twice: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: the key `amount` stands twice at line 1, column 110"}}
        a lone surrogate: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: unexpected end of hex escape at line 1, column 110"}}
        NaN: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: expected value at line 1, column 101"}}
        a number beyond exact range: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: the number `9007199254740993` is outside exact range at line 1, column 116"}}
        a long string: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: a string of 262145 bytes, more than the 262144 allowed at line 1, column 262249"}}
        a byte order mark: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not acceptable JSON: expected value at line 1, column 1"}}
        arguments that are a list: 200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`arguments` must be an object"}}
        a batch: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"several messages in one array exist in version 2025-03-26 only: send one at a time"}}
        no version of JSON-RPC: 400 {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"`jsonrpc` must be `2.0`"}}
        an id that is null: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"`id` must be a string or a whole number"}}
        an answer: 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"clients send requests and notifications, and never answers"}}
    "#]].assert_eq(&seen);
}

#[tokio::test(start_paused = true)]
async fn parameters_of_a_call_are_checked_one_by_one() {
    let world = World::new().await;
    let mut seen = String::new();
    for params in [
        json!({}),
        json!({"name": 7}),
        json!({"name": "desk__lookup", "arguments": "x"}),
        json!({"name": "desk__lookup", "_meta": {"dev.toolgate/env": 1}}),
        json!({"name": "desk__lookup", "_meta": {"dev.toolgate/idempotency_key": "k"}}),
        json!({"name": "desk__lookup", "_meta": {"traceparent": {}}}),
        json!({"name": "desk__lookup", "_meta": {"dev.toolgate/session": "s".repeat(300)}}),
    ] {
        let answer = world.modern("tools/call", params).await_answer().await;
        seen.push_str(&answer.bare());
        seen.push('\n');
    }
    expect![[r#"
        200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`name` must name a tool"}}
        200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`name` must name a tool"}}
        200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`arguments` must be an object"}}
        200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`_meta[\"dev.toolgate/env\"]` must be a text that is not empty"}}
        200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`_meta` has no key `dev.toolgate/idempotency_key`: did you mean `dev.toolgate/idempotency-key`"}}
        200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`_meta.traceparent` must be a text of at most 8192 bytes"}}
        200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Denied by invalid_arguments: `session_id` has 300 bytes, more than the 256 allowed. This call was not executed.\nInvocation inv_1. Do not repeat it unchanged."}],"isError":true}}
    "#]].assert_eq(&seen);
    let absent = world.modern(
        "tools/call",
        json!({"name": "desk__lookup", "arguments": null}),
    );
    assert_eq!(
        absent.await_answer().await.json()["result"]["structuredContent"],
        json!({})
    );
}

#[tokio::test(start_paused = true)]
async fn headers_are_bounded_and_of_the_right_kind() {
    let world = World::new().await;
    let list = || world.modern("tools/list", json!({}));
    let mut seen = String::new();
    for sending in [
        list().header("content-type", "text/plain"),
        list().header("content-type", ""),
        list().header("accept", "text/html"),
        list().header("x-long", &"x".repeat(17 << 10)),
    ] {
        seen.push_str(&sending.await_answer().await.show());
        seen.push('\n');
    }
    expect![[r#"
        415 {"jsonrpc":"2.0","id":null,"error":{"code":415,"message":"a message is sent as `application/json`"}}
        415 {"jsonrpc":"2.0","id":null,"error":{"code":415,"message":"a message is sent as `application/json`"}}
        406 {"jsonrpc":"2.0","id":null,"error":{"code":406,"message":"the client must accept `application/json` and `text/event-stream`"}}
        431 {"jsonrpc":"2.0","id":null,"error":{"code":431,"message":"the headers have 17671 bytes, more than the 16384 allowed"}}
    "#]].assert_eq(&seen);
    for accept in ["application/json", "*/*", "", "application/*;q=0.5"] {
        let answer = list().header("accept", accept).await_answer().await;
        assert_eq!(
            answer.headers["content-type"], "application/json",
            "{accept}"
        );
    }
    let stream = list()
        .header("accept", "text/event-stream")
        .await_answer()
        .await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.json()["id"], 1);
    assert_eq!(world.send("PUT").await_answer().await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_not_waited_for() {
    let world = World::new().await;
    let dripping = world
        .modern("tools/list", json!({}))
        .dripping()
        .await_answer()
        .await;
    expect![[r#"408 {"jsonrpc":"2.0","id":null,"error":{"code":408,"message":"the message did not arrive within 30s"}}"#]].assert_eq(&dripping.show());
}
