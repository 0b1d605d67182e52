//! Approval pauses as tasks: for clients that declare them, and for no others.

use serde_json::{Value, json};
use toolgate_execution::Choice;

use crate::client::Sending;
use crate::world::World;

const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// A request of a client that takes tasks.
fn declaring<'w>(world: &'w World, method: &str, mut params: Value) -> Sending<'w> {
    let capabilities = json!({"extensions": {EXTENSION: {}}});
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    params["_meta"] = meta;
    let name = params["name"].as_str().or(params["taskId"].as_str());
    let name = name.unwrap_or_default().to_owned();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    world
        .send("POST")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .header("mcp-name", &name)
        .body(&body.to_string())
}

async fn ask(world: &World, method: &str, params: Value) -> Value {
    declaring(world, method, params).await_answer().await.json()
}

async fn refund(world: &World) -> Value {
    let call = json!({"name": "desk__refund", "arguments": {"amount": 640}});
    ask(world, "tools/call", call).await["result"].clone()
}

async fn get(world: &World, id: &Value) -> Value {
    ask(world, "tasks/get", json!({"taskId": id})).await["result"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_a_task_at_once_and_ends_with_the_tools_own_answer() {
    let world = World::new().await;
    let task = refund(&world).await;
    assert_eq!(task["resultType"], "task");
    assert_eq!(
        (&task["status"], &task["ttlMs"], &task["pollIntervalMs"]),
        (&json!("working"), &Value::Null, &json!(5_000))
    );
    assert_eq!((task.get("result"), task.get("content")), (None, None));
    let words = task["statusMessage"].as_str().unwrap();
    let approval = words.split(' ').nth(3).unwrap().to_owned();
    assert!(
        words.starts_with("waiting for approval apr_") && words.contains(" until "),
        "{words}"
    );
    // The same call joins: it is the same task.
    assert_eq!(refund(&world).await["taskId"], task["taskId"]);
    let mut seen = get(&world, &task["taskId"]).await;
    assert_eq!(seen["resultType"], "complete");
    assert_eq!(seen["status"], "working");
    world.decide(&approval, Choice::Approve).await;
    for _ in 0..100 {
        seen = get(&world, &task["taskId"]).await;
        if seen["status"] != "working" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(seen["status"], "completed", "{seen}");
    assert_eq!(seen["result"]["structuredContent"], json!({"amount": 640}));
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_task_is_completed_with_the_denial() {
    let world = World::new().await;
    let task = refund(&world).await;
    let words = task["statusMessage"].as_str().unwrap();
    let approval = words.split(' ').nth(3).unwrap().to_owned();
    world.decide(&approval, Choice::Deny).await;
    let seen = get(&world, &task["taskId"]).await;
    assert_eq!(seen["status"], "completed");
    assert_eq!(seen["result"]["isError"], true);
    let outcome = &seen["result"]["_meta"]["dev.toolgate/outcome"];
    assert_eq!(outcome["denial"]["code"], "approval_rejected");
}

#[tokio::test(start_paused = true)]
async fn a_task_is_withdrawn_while_it_waits_and_an_update_changes_nothing() {
    let world = World::new().await;
    let id = refund(&world).await["taskId"].clone();
    let update = json!({"taskId": id, "inputResponses": {"x": {"action": "accept"}}});
    let updated = ask(&world, "tasks/update", update).await;
    assert_eq!(updated["result"], json!({"resultType": "complete"}));
    assert_eq!(get(&world, &id).await["status"], "working");
    for _ in 0..2 {
        let cancelled = ask(&world, "tasks/cancel", json!({"taskId": id})).await;
        assert_eq!(cancelled["result"], json!({"resultType": "complete"}));
        assert_eq!(get(&world, &id).await["status"], "cancelled");
    }
    assert!(world.desk.reached.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_need_not_wait_is_answered_as_ever() {
    let world = World::new().await;
    for (amount, is_error) in [(1, false), (20_000, true)] {
        let call = json!({"name": "desk__refund", "arguments": {"amount": amount}});
        let answer = ask(&world, "tools/call", call).await["result"].clone();
        assert_eq!(answer["resultType"], "complete");
        assert_eq!(answer["isError"].as_bool().unwrap_or(false), is_error);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_declare_tasks_gets_none() {
    let world = World::new().await;
    let pending = world
        .call("desk__refund", json!({"amount": 640}))
        .await_answer()
        .await;
    assert_eq!(pending.json()["result"]["resultType"], "complete");
    let id = pending.envelope()["invocation_id"].clone();
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let undeclared = world
            .modern(method, json!({"taskId": id}))
            .header("mcp-name", id.as_str().unwrap())
            .await_answer()
            .await
            .json();
        assert_eq!(undeclared["error"]["code"], -32_021, "{method}");
        assert_eq!(
            undeclared["error"]["data"]["requiredCapabilities"],
            json!({"extensions": {EXTENSION: {}}})
        );
    }
    let params = json!({"notifications": {"taskIds": [id]}});
    let listening = world.modern("subscriptions/listen", params);
    let listening = listening.await_answer().await.json();
    assert_eq!(listening["error"]["code"], -32_021);
    let session = world.session("2025-11-25").await;
    let older = world.legacy(&session, "tasks/get", json!({"taskId": id}));
    assert_eq!(older.await_answer().await.json()["error"]["code"], -32_601);
}

#[tokio::test(start_paused = true)]
async fn nobody_finds_the_task_of_another() {
    let world = World::new().await;
    let id = refund(&world).await["taskId"].clone();
    let other = world.another_agent("other_agent", &["*"]).await;
    let ask_as = async |token: &str, id: &Value| {
        let asked = declaring(&world, "tasks/get", json!({"taskId": id}));
        asked.token(token).await_answer().await.json()
    };
    let stranger = ask_as(&other, &id).await;
    assert_eq!(stranger["error"]["code"], -32_602);
    for odd in [
        json!("inv_00000000000000000000000000000000"),
        json!("apr_1"),
        json!("x"),
    ] {
        let missing = ask(&world, "tasks/get", json!({"taskId": odd})).await;
        assert_eq!(missing["error"]["code"], -32_602, "{odd}");
    }
    // Not even its own agent, once the tool is out of reach.
    world.regrant(&["desk.lookup"]).await;
    let late = ask(&world, "tasks/get", json!({"taskId": id})).await;
    assert_eq!(late["error"], stranger["error"]);
}
