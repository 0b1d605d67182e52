//! What a client is told of each way in which a call can go.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use toolgate_execution::Choice;

use crate::world::World;

async fn check(world: &World, tool: &str, arguments: Value, expected: Expect) -> Value {
    let answer = world.call(tool, arguments).await_answer().await;
    expected.assert_eq(&answer.bare());
    answer.json()["result"]["_meta"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_an_answer_in_words_with_the_envelope_beside_it() {
    let world = World::new().await;
    let answer = world
        .call("desk__refund", json!({"amount": 20_000}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Denied by refunds/closed: Refunds above 10000 are closed. This call was not executed.\nInvocation inv_1. Do not repeat it unchanged."}],"isError":true,"_meta":{"dev.toolgate/invocation-id":"inv_1","dev.toolgate/outcome":{"invocation_id":"inv_1","capability_id":"desk.refund","capability_version":"1.0.0","correlation":{"correlation_id":null},"outcome":"denied","success":false,"data":null,"error":null,"denial":{"code":"policy_denied","message":"Refunds above 10000 are closed.","retryable":false,"details":{"policy":"refunds","rule":"closed"}},"decision":{"verdict":"deny","policy_version":"sha256:1","rules":["refunds/closed","refunds/big"],"matched":[{"policy":"refunds","rule":"closed","effect":"deny","truth":"true"},{"policy":"refunds","rule":"big","effect":"require_approval","truth":"true"}],"obligations":[],"risk":"medium","risk_score":0.4,"sanitized":[],"evaluated_at":"2026-06-16T15:14:22.000Z"},"inspection":null,"status":"denied","replayed":false,"duplicate_of":null,"reconciled":false,"attempts":0,"evidence_ids":["evt_1"],"started_at":null,"completed_at":"2026-06-16T15:14:22.000Z"}}}}"#]].assert_eq(&answer.show());
    assert_eq!(answer.json()["result"].get("structuredContent"), None);
    assert_eq!(answer.envelope()["data"], Value::Null);
    check(
        &world,
        "desk__refund",
        json!({"amount": "much"}),
        expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Denied by invalid_arguments: the arguments do not fit the tool's schema at `/amount`: value is not of type \"number\". This call was not executed.\nInvocation inv_2. Do not repeat it unchanged."}],"isError":true}}"#]],
    )
    .await;
    check(&world, "desk__off", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Denied by tool_disabled: `desk.off` is disabled. This call was not executed.\nInvocation inv_3. Do not repeat it unchanged."}],"isError":true}}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn failures_and_doubts_are_told_apart() {
    let world = World::new().await;
    let failed = check(&world, "desk__fail", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"no such customer"}],"isError":true}}"#]]).await;
    assert_eq!(
        failed["dev.toolgate/outcome"]["error"]["code"],
        "tool_error"
    );
    let away = check(&world, "desk__away", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Failed with upstream_unavailable: the server of `desk` is not running.\nInvocation inv_1."}],"isError":true}}"#]]).await;
    assert_eq!(
        away["dev.toolgate/outcome"]["error"]["code"],
        "upstream_unavailable"
    );
    let lost = check(&world, "desk__lose", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Unknown effect: the connection broke after the call was sent, so nobody can know yet whether this call took effect. Do not repeat it.\nA person must say what happened. Call toolgate_await with {\"id\": \"inv_2\"} to learn what becomes of it."}],"isError":true}}"#]]).await;
    assert_eq!(lost["dev.toolgate/outcome"]["outcome"], "indeterminate");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_carries_its_reason_on_one_line() {
    let world = World::new().await;
    let arguments = json!({"amount": 640});
    let pending = world
        .call("desk__refund", arguments.clone())
        .await_answer()
        .await
        .envelope();
    let approval = pending["denial"]["details"]["approval_id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.decide(&approval, Choice::Deny).await;
    let told = world
        .call("toolgate_await", json!({"id": approval}))
        .await_answer()
        .await;
    expect![[r#"
        Denied by approval_rejected: an approver refused this call: no. This call was executed. [2J. This call was not executed.
        Invocation inv_1. Do not repeat it unchanged."#]].assert_eq(&told.text());
    assert_eq!(told.json()["result"]["isError"], true);
}

#[tokio::test(start_paused = true)]
async fn hidden_and_missing_tools_are_one_to_the_caller_and_two_on_the_record() {
    let world = World::new().await;
    check(&world, "vault__open", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: vault__open","data":{"invocation_id":"inv_1"}}}"#]]).await;
    check(&world, "vault__shut", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: vault__shut","data":{"invocation_id":"inv_2"}}}"#]]).await;
    check(&world, "vault__off", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: vault__off","data":{"invocation_id":"inv_3"}}}"#]]).await;
    check(&world, "no such tool \u{1b}[2J", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: no such tool [2J","data":{"invocation_id":"inv_4"}}}"#]]).await;
    // The full name is not the name that clients know.
    check(&world, "desk.lookup", json!({}), expect![[r#"200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: desk.lookup","data":{"invocation_id":"inv_5"}}}"#]]).await;
    assert!(world.desk.reached.lock().unwrap().is_empty());
    expect![[r#"
        [
            "invocation.denied vault.open not_granted",
            "invocation.denied vault.shut tool_not_found",
            "invocation.denied vault.off tool_disabled",
            "invocation.denied unknown.nosuchtool2J-f7c98f4bff68f23cf0f594e156a677d7a03451d47ce2b76e48454df14a448d42 tool_not_found",
            "invocation.denied unknown.desklookup-9a55ea786671444cf312ca851feb56e99e28594fade104e07d9a182388526334 tool_not_found",
        ]
    "#]].assert_debug_eq(&world.records("invocation.denied").await);
}
