//! The gate's own tools.

use expect_test::expect;
use serde_json::{Value, json};
use toolgate_execution::Choice;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn whoami_says_who_and_how_far() {
    let world = World::new().await;
    let answer = world
        .call("toolgate_whoami", json!({}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"agent\":\"billing_agent\",\"owner\":\"ana@acme.com\",\"tenant\":\"default\",\"role\":\"agent\",\"runtime\":null,\"project\":null,\"profile\":{\"mode\":\"scoped\",\"grants\":[{\"tools\":[\"desk.*\"],\"resources\":[],\"actions\":[],\"envs\":[],\"workflows\":[],\"max_risk\":null}]},\"key\":{\"id\":\"key_1\",\"expires_at\":\"2026-09-14T15:14:22.000Z\",\"scope\":{\"tools\":[],\"actions\":[],\"envs\":[],\"agents\":[],\"workflows\":[],\"resources\":[]}},\"tools\":[\"desk__away\",\"desk__fail\",\"desk__lookup\",\"desk__lose\",\"desk__odd\",\"desk__refund\",\"desk__slow\"],\"policy_version\":\"sha256:1\"}"}],"structuredContent":{"agent":"billing_agent","owner":"ana@acme.com","tenant":"default","role":"agent","runtime":null,"project":null,"profile":{"mode":"scoped","grants":[{"tools":["desk.*"],"resources":[],"actions":[],"envs":[],"workflows":[],"max_risk":null}]},"key":{"id":"key_1","expires_at":"2026-09-14T15:14:22.000Z","scope":{"tools":[],"actions":[],"envs":[],"agents":[],"workflows":[],"resources":[]}},"tools":["desk__away","desk__fail","desk__lookup","desk__lose","desk__odd","desk__refund","desk__slow"],"policy_version":"sha256:1"},"isError":false,"resultType":"complete"}}"#]].assert_eq(&answer.show());
    let wrong = world
        .call("toolgate_whoami", json!({"x": 1}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"The arguments do not fit: unknown field `x`, there are no fields."}],"isError":true}}"#]].assert_eq(&wrong.show());
}

#[tokio::test(start_paused = true)]
async fn simulate_decides_and_leaves_no_trace() {
    let world = World::new().await;
    let before = world.records("").await.len();
    let mut seen = String::new();
    for (tool, amount) in [
        ("desk__refund", 1),
        ("desk__refund", 640),
        ("desk__refund", 20_000),
        ("vault__open", 1),
        ("nope", 1),
    ] {
        let arguments = json!({"tool": tool, "arguments": {"amount": amount}});
        let answer = world
            .call("toolgate_simulate", arguments)
            .await_answer()
            .await
            .json();
        let summary = &answer["result"]["structuredContent"]["summary"];
        let summary = if summary.is_null() {
            &answer["result"]["content"][0]["text"]
        } else {
            summary
        };
        seen.push_str(&format!("{tool} {amount}: {summary}\n"));
    }
    expect![[r#"
        desk__refund 1: "This call would run."
        desk__refund 640: "This call would need approval, by refunds/big: a refund above 500."
        desk__refund 20000: "This call would be denied by refunds/closed: Refunds above 10000 are closed."
        vault__open 1: "Unknown tool: vault__open"
        nope 1: "Unknown tool: nope"
    "#]].assert_eq(&seen);
    assert_eq!(world.records("").await.len(), before);
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn await_gives_the_answer_that_the_call_would_have_got() {
    let world = World::new().await;
    let pending = world
        .call("desk__refund", json!({"amount": 640}))
        .await_answer()
        .await
        .envelope();
    let approval = pending["denial"]["details"]["approval_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let waiting = world
        .call("toolgate_await", json!({"id": approval, "wait_ms": 10}))
        .await_answer()
        .await;
    assert_eq!(waiting.envelope()["status"], "pending_approval");
    let waited = world
        .call("toolgate_await", json!({"id": approval}))
        .await_answer();
    let approve = async {
        tokio::time::sleep(std::time::Duration::from_secs(7)).await;
        world.decide(&approval, Choice::Approve).await;
    };
    let (waited, ()) = tokio::join!(waited, approve);
    assert_eq!(
        waited.json()["result"]["structuredContent"],
        json!({"amount": 640})
    );
    assert_eq!(waited.envelope()["status"], "succeeded");
    let by_invocation = json!({"id": pending["invocation_id"]});
    let again = world
        .call("toolgate_await", by_invocation.clone())
        .await_answer()
        .await;
    assert_eq!(
        again.json()["result"]["structuredContent"],
        json!({"amount": 640})
    );
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
    // Not for other agents, and not once the tool is out of reach.
    let other = world.another_agent("other_agent", &["*"]).await;
    let stranger = world
        .call("toolgate_await", by_invocation.clone())
        .token(&other)
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"There is no call `inv_1` of yours."}],"isError":true}}"#]].assert_eq(&stranger.show());
    world.regrant(&["desk.lookup"]).await;
    let late = world
        .call("toolgate_await", by_invocation)
        .await_answer()
        .await;
    assert_eq!(late.show(), stranger.show());
}

#[tokio::test(start_paused = true)]
async fn await_says_what_does_not_fit() {
    let world = World::new().await;
    let mut seen = String::new();
    for arguments in [
        json!({}),
        json!({"id": "apr_1"}),
        json!({"id": "apr_00000000000000000000000000000000"}),
        json!({"id": "inv_00000000000000000000000000000000", "wait_ms": 999_999}),
        json!({"id": "inv_00000000000000000000000000000000", "wait_ms": -1}),
    ] {
        let answer = world.call("toolgate_await", arguments).await_answer().await;
        assert_eq!(answer.json()["result"]["isError"], Value::Bool(true));
        seen.push_str(&answer.text());
        seen.push('\n');
    }
    expect![[r#"
        The arguments do not fit: missing field `id`.
        `apr_1` is neither an approval (apr_...) nor an invocation (inv_...).
        There is no call `apr_1` of yours.
        `wait_ms` may be at most 120000, and 999999 is more.
        The arguments do not fit: invalid number.
    "#]]
    .assert_eq(&seen);
}
