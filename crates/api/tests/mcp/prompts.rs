//! Prompts: listed under the gate's names, got like any call, refused with an error.

use expect_test::expect;
use serde_json::{Value, json};

use crate::shelf::{self, crm, listed, wiki};
use crate::world::World;

async fn get(world: &World, params: Value) -> crate::client::Answer {
    world.modern("prompts/get", params).await_answer().await
}

#[tokio::test(start_paused = true)]
async fn prompts_are_listed_as_they_were_written_but_for_their_names() {
    let world = shelf::world(vec![("crm", crm()), ("wiki", wiki())]).await;
    let modern = world.modern("prompts/list", json!({})).await_answer().await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"prompts":[{"zeta":1,"name":"crm__greet","arguments":[{"name":"who","required":true}]},{"name":"crm__ask_first-bcf20725"}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#]].assert_eq(&modern.show());
    let session = world.session("2025-11-25").await;
    let legacy = world.legacy(&session, "prompts/list", json!({}));
    let legacy = legacy.await_answer().await.json();
    assert_eq!(
        legacy["result"]["prompts"],
        modern.json()["result"]["prompts"]
    );
    assert!(legacy["result"].get("ttlMs").is_none());
    // What stands for a method is no tool.
    let tools = world.modern("tools/list", json!({})).await_answer().await;
    assert!(!tools.body.contains("prompts/get"));
    let called = world.call("crm__prompts/get", json!({"name": "greet"}));
    let called = called.await_answer().await.json();
    assert_eq!(called["error"]["message"], "Unknown tool: crm__prompts/get");
}

#[tokio::test(start_paused = true)]
async fn a_source_with_bare_names_keeps_them() {
    let bare = toolgate_model::Offer {
        bare: true,
        ..crm()
    };
    let world = shelf::world(vec![("crm", bare)]).await;
    let list = world.modern("prompts/list", json!({})).await_answer().await;
    assert_eq!(
        listed(&list.json(), "prompts", "name"),
        ["greet", "ask first"]
    );
    *world.desk.odd.lock().unwrap() = r#"{"messages":[]}"#.to_owned();
    get(&world, json!({"name": "greet"})).await.show();
    assert_eq!(world.desk.reached.lock().unwrap()[0].0, "prompts/get");
    let resources = world
        .modern("resources/list", json!({}))
        .await_answer()
        .await;
    assert_eq!(
        listed(&resources.json(), "resources", "uri")[0],
        "file:///a.txt"
    );
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_got_by_its_servers_name_with_all_that_came_along() {
    let world = shelf::world(vec![("crm", crm())]).await;
    let messages =
        r#""zeta":1e2, "messages":[{"role":"user","content":{"type":"hologram","n":1.50}}]"#;
    *world.desk.odd.lock().unwrap() = format!("{{{messages}}}");
    let params = r#"{"vendor":{"b":1,"a":2.50},"name":"crm__greet","arguments":{"who":"ana"},"_meta":{"dev.toolgate/env":"prod"}}"#;
    let params: Value = serde_json::from_str(params).unwrap();
    let answer = get(&world, params.clone()).await;
    assert!(answer.body.contains(messages), "{}", answer.body);
    assert_eq!(answer.envelope()["capability_id"], "crm.prompts/get");
    let session = world.session("2025-11-25").await;
    let legacy = world
        .legacy(&session, "prompts/get", params)
        .await_answer()
        .await;
    assert!(legacy.body.contains(messages) && !legacy.body.contains("resultType"));
    for (method, arguments, _) in world.desk.reached.lock().unwrap().iter() {
        assert_eq!(method, "prompts/get");
        // The server's own name, in the place where the client's stood; nothing of `_meta`.
        expect![[r#"{"vendor":{"b":1,"a":2.50},"name":"greet","arguments":{"who":"ana"}}"#]]
            .assert_eq(&arguments.to_string());
    }
    assert_eq!(world.records("invocation.succeeded").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_is_told_like_what_is_not_there_and_recorded_as_what_it_is() {
    let world = shelf::world(vec![("crm", crm())]).await;
    shelf::grant(&world, &["crm.prompts/get"], &["prompt:ask first"]).await;
    let list = world.modern("prompts/list", json!({})).await_answer().await;
    assert_eq!(listed(&list.json(), "prompts", "name").len(), 1);
    let told = |name: &'static str| {
        let world = &world;
        async move {
            let error = get(world, json!({"name": name})).await.json()["error"].clone();
            (error["code"].clone(), error["message"].clone())
        }
    };
    assert_eq!(
        told("crm__greet").await,
        (json!(-32_602), json!("Unknown prompt: crm__greet"))
    );
    assert_eq!(
        told("crm__none").await,
        (json!(-32_602), json!("Unknown prompt: crm__none"))
    );
    // Now nothing of it may be known at all.
    shelf::grant(&world, &["desk.*"], &[]).await;
    assert_eq!(told("crm__greet").await.1, "Unknown prompt: crm__greet");
    expect![[r#"
        invocation.denied crm.prompts/get resource_not_granted
        invocation.denied unknown.promptsgetcrm__none-12d7b21bc6faec7b8fb4b53ffd433750a44900cc32d4efd216f7d6f2e0b6cb2f tool_not_found
        invocation.denied crm.prompts/get not_granted"#]].assert_eq(&world.records("invocation.denied").await.join("\n"));
    assert!(world.desk.reached.lock().unwrap().is_empty());
    let list = world.modern("prompts/list", json!({})).await_answer().await;
    assert_eq!(
        (list.status, &list.json()["error"]["code"]),
        (404, &json!(-32_601))
    );
    let session = world.session("2025-11-25").await;
    let list = world
        .legacy(&session, "prompts/list", json!({}))
        .await_answer()
        .await;
    assert_eq!(list.json()["result"], json!({"prompts": []}));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_approval_is_an_error_that_says_what_to_do_and_is_got_once_approved() {
    let world = shelf::world(vec![("crm", crm())]).await;
    *world.desk.odd.lock().unwrap() = r#"{"messages":[]}"#.to_owned();
    let ask = || get(&world, json!({"name": "crm__ask_first-bcf20725"}));
    let pending = ask().await.json()["error"].clone();
    assert_eq!(pending["code"], 202);
    let words = pending["message"].as_str().unwrap();
    assert!(words.starts_with("Approval required by shelf/asked: Somebody looks at that one first. This call was not executed yet.\n"), "{words}");
    let outcome = &pending["data"]["dev.toolgate/outcome"];
    assert_eq!(outcome["status"], "pending_approval");
    let approval = outcome["denial"]["details"]["approval_id"]
        .as_str()
        .unwrap();
    world
        .decide(approval, toolgate_execution::Choice::Approve)
        .await;
    let waited = world.call("toolgate_await", json!({"id": approval}));
    let waited = waited.await_answer().await;
    // What is no result of a tool is told as text.
    assert_eq!(waited.text(), r#"{"messages":[]}"#);
    assert_eq!(waited.json()["result"]["isError"], false);
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}
