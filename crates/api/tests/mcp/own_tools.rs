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

#[tokio::test(start_paused = true)]
async fn request_approval_asks_once_and_runs_only_what_was_approved() {
    let world = World::new().await;
    let ask = json!({
        "tool": "desk__refund", "arguments": {"amount": 640},
        "justification": "the customer asked twice",
    });
    let answer = world
        .call("toolgate_request_approval", ask.clone())
        .await_answer()
        .await;
    let asked = answer.json()["result"]["structuredContent"].clone();
    assert_eq!(asked["status"], "pending_approval");
    let approval = asked["approval_id"].as_str().unwrap().to_owned();
    let url = asked["url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/approvals/{approval}")), "{url}");
    assert!(asked["digest"].as_str().unwrap().starts_with("sha256:"));
    // The same call again joins, whether it is asked for or made.
    let again = world.call("toolgate_request_approval", ask).await_answer();
    let again = again.await.json()["result"]["structuredContent"].clone();
    assert_eq!(again, asked);
    let made = world
        .call("desk__refund", json!({"amount": 640}))
        .await_answer()
        .await
        .envelope();
    assert_eq!(made["denial"]["details"]["approval_id"], approval);
    assert_eq!(world.records("approval.requested").await.len(), 1);
    assert!(world.desk.reached.lock().unwrap().is_empty());
    world.decide(&approval, Choice::Approve).await;
    let run = world
        .call("toolgate_await", json!({"id": approval}))
        .await_answer()
        .await;
    assert_eq!(
        run.json()["result"]["structuredContent"],
        json!({"amount": 640})
    );
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn request_approval_runs_nothing_that_needs_nobody_and_denies_what_is_denied() {
    let world = World::new().await;
    let before = world.records("").await.len();
    let ask = async |tool: &str, amount: u32| {
        let arguments = json!({"tool": tool, "arguments": {"amount": amount}});
        let asked = world.call("toolgate_request_approval", arguments);
        asked.await_answer().await
    };
    let needless = ask("desk__refund", 1).await.json();
    let needless = &needless["result"]["structuredContent"];
    assert_eq!(needless["status"], "not_needed");
    assert_eq!(world.records("").await.len(), before, "nothing is recorded");
    let denied = ask("desk__refund", 20_000).await;
    assert_eq!(denied.envelope()["status"], "denied");
    for hidden in ["vault__open", "nope"] {
        let unknown = ask(hidden, 1).await;
        assert_eq!(unknown.text(), format!("Unknown tool: {hidden}"));
    }
    let long = json!({"tool": "desk__refund", "justification": "x".repeat(5_000)});
    let long = world.call("toolgate_request_approval", long).await_answer();
    assert!(long.await.text().contains("5000 bytes"));
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_receipt_proves_a_call_to_its_own_agent_alone() {
    let world = World::new().await;
    let called = world.call("desk__refund", json!({"amount": 1}));
    let called = called.await_answer().await.envelope();
    let id = called["invocation_id"].clone();
    let ask = |id: &Value| world.call("toolgate_receipt", json!({"id": id}));
    let receipt = ask(&id).await_answer().await.json()["result"]["structuredContent"].clone();
    let receipt = toolgate_record::Receipt::parse(receipt.to_string().as_bytes()).unwrap();
    let key = world.driver.store().verifier_key();
    let key = toolgate_record::Verifier::parse(&key).unwrap();
    receipt.verify(&key).unwrap();
    let text = receipt.to_value().to_string();
    assert!(text.contains(id.as_str().unwrap()) && text.contains("invocation.succeeded"));
    let other = world.another_agent("other_agent", &["desk.*"]).await;
    let foreign = ask(&id).token(&other).await_answer().await;
    assert_eq!(foreign.text(), "There is no call `inv_1` of yours.");
    let nonsense = ask(&json!("x")).await_answer().await.json();
    assert_eq!(nonsense["result"]["isError"], true);
}
