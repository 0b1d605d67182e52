//! Who may come in.

use expect_test::{Expect, expect};
use serde_json::json;
use toolgate_api::mcp::{McpOptions, router};

use crate::client::Sending;
use crate::world::World;

async fn check(sending: Sending<'_>, expected: Expect) {
    let answer = sending.await_answer().await;
    let challenge = answer
        .headers
        .get("www-authenticate")
        .map(|value| value.to_str().unwrap());
    expected.assert_eq(&format!("{} {:?}", answer.show(), challenge));
}

#[tokio::test(start_paused = true)]
async fn the_token_alone_is_answered_by_401() {
    let world = World::new().await;
    let list = || world.modern("tools/list", json!({}));
    check(list().header("authorization", ""), expect![[r#"401 {"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"the credential is missing or not known","data":{"code":"unauthenticated"}}} Some("Bearer realm=\"toolgate\"")"#]]).await;
    check(list().token("tg_nonsense"), expect![[r#"401 {"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"the credential is missing or not known","data":{"code":"unauthenticated"}}} Some("Bearer realm=\"toolgate\", error=\"invalid_token\"")"#]]).await;
    check(list().token(&world.person), expect![[r#"401 {"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"the token belongs to `ana@acme.com`, a person, and people's tokens invoke no tool: use an agent's","data":{"code":"unauthenticated"}}} Some("Bearer realm=\"toolgate\", error=\"invalid_token\"")"#]]).await;
    let other = world.agent.replace("tg_", "tg_0");
    check(list().token(&other), expect![[r#"401 {"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"the credential is missing or not known","data":{"code":"unauthenticated"}}} Some("Bearer realm=\"toolgate\", error=\"invalid_token\"")"#]]).await;
    check(list(), expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"desk__lookup","description":"Does lookup.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__refund","description":"Does refund.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__fail","description":"Does fail.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__away","description":"Does away.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__lose","description":"Does lose.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__slow","description":"Does slow.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__odd","description":"Does odd.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"toolgate_await","description":"Waits until a call that needed approval or was still running has ended, and returns its result. Give the approval id (apr_...) or invocation id (inv_...) that the call's answer named. Calling it again is harmless.","inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"apr_... or inv_..., as the call's answer named it."},"wait_ms":{"type":"integer","minimum":0,"description":"How long to wait, in milliseconds; 20000 if left out."}},"required":["id"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},{"name":"toolgate_receipt","description":"Returns the receipt of one of your calls: what was decided and what became of it, signed so that anybody can verify it offline with `toolgate receipt`. Give the invocation id (inv_...) or approval id (apr_...) that the call's answer named.","inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"inv_... or apr_..., as the call's answer named it."}},"required":["id"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},{"name":"toolgate_request_approval","description":"Asks people to approve a call of a tool, without waiting. Returns the approval id, the digest and the link where they decide. Once approved, the call runs exactly once with these arguments: do not make it again, but call toolgate_await with the approval id to get its result. Asking for the same call twice asks nobody twice.","inputSchema":{"type":"object","properties":{"tool":{"type":"string","description":"The tool's name, as it is listed."},"arguments":{"type":"object","description":"The arguments that it is called with, exactly."},"justification":{"type":"string","description":"Why, in your own words. Approvers see it marked as unverified."},"env":{"type":"string","description":"The environment, if the credential fixes none."},"workflow":{"type":"string","description":"The workflow, if the credential fixes none."}},"required":["tool"],"additionalProperties":false},"annotations":{"readOnlyHint":false,"openWorldHint":false}},{"name":"toolgate_simulate","description":"Says what Toolgate would decide about a call of a tool, without making it: whether it would run, need a person's approval, or be denied, and why.","inputSchema":{"type":"object","properties":{"tool":{"type":"string","description":"The tool's name, as it is listed."},"arguments":{"type":"object","description":"The arguments that it is called with, exactly."},"justification":{"type":"string","description":"Why, in your own words. Approvers see it marked as unverified."},"env":{"type":"string","description":"The environment, if the credential fixes none."},"workflow":{"type":"string","description":"The workflow, if the credential fixes none."}},"required":["tool"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},{"name":"toolgate_whoami","description":"Says which agent you are to Toolgate, what your credential is limited to and when it expires, and which tools you can reach.","inputSchema":{"type":"object","properties":{},"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}} None"#]]).await;
    world.revoke().await;
    check(list(), expect![[r#"401 {"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"credential `key_1` was revoked at 2026-06-16T15:14:22.000Z","data":{"code":"credential_revoked"}}} Some("Bearer realm=\"toolgate\", error=\"invalid_token\"")"#]]).await;
    check(world.send("GET"), expect![[r#"401 {"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"credential `key_1` was revoked at 2026-06-16T15:14:22.000Z","data":{"code":"credential_revoked"}}} Some("Bearer realm=\"toolgate\", error=\"invalid_token\"")"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn pages_and_names_from_elsewhere_stay_outside() {
    let world = World::new().await;
    let list = || world.modern("tools/list", json!({}));
    for (name, value, status) in [
        ("host", "localhost:1", 200),
        ("host", "[::1]:8787", 200),
        ("host", "gate.acme.com", 200),
        ("host", "evil.com", 403),
        ("host", "127.0.0.1.evil.com", 403),
        ("host", "", 403),
        ("origin", "http://127.0.0.1:8787", 200),
        ("origin", "https://app.acme.com", 200),
        ("origin", "http://evil.com", 403),
        ("origin", "http://127.0.0.1:9999", 403),
        ("origin", "null", 403),
    ] {
        let answer = list().header(name, value).await_answer().await;
        assert_eq!(answer.status, status, "{name}: {value}");
        if status == 403 {
            assert_eq!(answer.json()["error"]["code"], 403);
        }
    }
    // Also where no body is sent, and before any token is looked at.
    let get = world
        .send("GET")
        .header("origin", "http://evil.com")
        .header("authorization", "");
    check(get, expect![[r#"403 {"jsonrpc":"2.0","id":null,"error":{"code":403,"message":"`http://evil.com` is neither the gate's own origin nor a listed one"}} None"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_granted_is_never_a_status() {
    let world = World::new().await;
    let bare = world.another_agent("bare_agent", &[]).await;
    let listed = world
        .modern("tools/list", json!({}))
        .token(&bare)
        .await_answer()
        .await
        .json();
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(
        tools
            .iter()
            .all(|tool| tool["name"].as_str().unwrap().starts_with("toolgate_"))
    );
    let called = world
        .call("desk__lookup", json!({}))
        .token(&bare)
        .await_answer()
        .await;
    assert_eq!(called.status, 200);
    assert_eq!(
        called.json()["error"]["message"],
        "Unknown tool: desk__lookup"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_without_a_token_is_the_agent_that_was_named_for_it() {
    let mut world = World::new().await;
    let agent = "billing_agent".parse().unwrap();
    world.key = world.driver.stand_in(&agent, "anonymous").await.unwrap();
    world.api.admission.anonymous = Some(world.key.clone());
    world.router = router(world.api.clone(), McpOptions::default());
    let list = || world.modern("tools/list", json!({}));
    let answer = list().header("authorization", "").await_answer().await;
    assert_eq!(answer.status, 200);
    let named = answer.json()["result"]["tools"].to_string();
    assert!(named.contains("desk__refund"), "{named}");
    // Whoever tries a token that does not hold is nobody, and so is a person.
    for token in ["tg_nonsense", "", world.person.as_str()] {
        assert_eq!(
            list().token(token).await_answer().await.status,
            401,
            "{token}"
        );
    }
    let basic = list().header("authorization", "Basic YTpi");
    assert_eq!(basic.await_answer().await.status, 401);
    // A page that somebody on this machine looks at stays outside.
    let page = list()
        .header("authorization", "")
        .header("origin", "http://evil.com");
    assert_eq!(page.await_answer().await.status, 403);
    // The way in ends with its credential, or its agent.
    world.revoke().await;
    // Asking for it again, as a restart does, does not bring it back.
    let again = world.driver.stand_in(&agent, "anonymous").await.unwrap();
    assert_eq!(again, world.key);
    let denied = list().header("authorization", "");
    check(denied, expect![[r#"401 {"jsonrpc":"2.0","id":null,"error":{"code":401,"message":"credential `key_1` was revoked at 2026-06-16T15:14:22.000Z","data":{"code":"credential_revoked"}}} Some("Bearer realm=\"toolgate\"")"#]]).await;
}
