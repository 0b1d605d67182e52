//! Calls that their server made tasks of: shown under the gate's own id, asked and answered bit by
//! bit, cancelled as an intent.

use std::time::Duration;

use serde_json::{Value, json};
use toolgate_model::Effect;

use crate::desk::{Step, tools_and_plan};
use crate::talking::{TASKS, Talker, filled_in, form, heard, planned};
use crate::world::World;

fn takes_tasks(world: &World) -> Talker<'_> {
    Talker::new(world, json!({"elicitation": {}, "extensions": {TASKS: {}}}))
}

fn working() -> Step {
    Step::Task(json!({
        "taskId": "theirs", "status": "working", "statusMessage": "half\nway",
        "ttlMs": 5, "pollIntervalMs": 7,
    }))
}

async fn get(client: &Talker<'_>, id: &Value) -> Value {
    client.ask("tasks/get", json!({"taskId": id})).await["result"].clone()
}

/// The task once it has this status, which it must have soon.
async fn reaching(client: &Talker<'_>, id: &Value, status: &str) -> Value {
    let mut seen = Value::Null;
    for _ in 0..100 {
        seen = get(client, id).await;
        if seen["status"] == status {
            return seen;
        }
        assert_eq!(seen["status"], "working", "{seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is not {status}: {seen}");
}

async fn update(client: &Talker<'_>, id: &Value, answers: Value) -> Value {
    let params = json!({"taskId": id, "inputResponses": answers});
    client.ask("tasks/update", params).await
}

#[tokio::test(start_paused = true)]
async fn a_task_of_the_server_is_one_of_the_gate() {
    let world = planned(&[working(), Step::Wait]).await;
    let client = takes_tasks(&world);
    let task = client.plan(json!({})).await["result"].clone();
    assert_eq!(
        (&task["resultType"], &task["status"]),
        (&json!("task"), &json!("working"))
    );
    assert_eq!(
        (&task["statusMessage"], &task["pollIntervalMs"]),
        (&json!("halfway"), &json!(100))
    );
    assert_eq!(task["ttlMs"], Value::Null);
    assert!(task["taskId"].as_str().unwrap().starts_with("inv_"));
    for absent in ["result", "error", "inputRequests", "requestState"] {
        assert_eq!(task.get(absent), None);
    }
    assert!(
        !task.to_string().contains("theirs"),
        "the server's own id stays in the gate"
    );
    // Its client is long gone: nothing is cancelled.
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(get(&client, &task["taskId"]).await["status"], "working");
    world.desk.release.notify_one();
    let done = reaching(&client, &task["taskId"], "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "all done");
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_task_asks_is_answered_bit_by_bit() {
    let mut both = form("a");
    both["b"] = form("b")["b"].clone();
    let world = planned(&[working(), Step::AskBitByBit(both.clone())]).await;
    let client = takes_tasks(&world);
    let task = client.plan(json!({})).await["result"]["taskId"].clone();
    let asked = reaching(&client, &task, "input_required").await;
    assert_eq!(
        (&asked["inputRequests"], &asked["resultType"]),
        (&both, &json!("complete"))
    );
    for answers in [json!({}), json!({"unknown-key": {"ignored": true}})] {
        let acknowledged = update(&client, &task, answers).await;
        assert_eq!(acknowledged["result"], json!({"resultType": "complete"}));
        assert_eq!(get(&client, &task).await["inputRequests"], both);
    }
    update(&client, &task, json!({"a": filled_in("Ana")})).await;
    let left = get(&client, &task).await;
    assert_eq!(
        (&left["status"], &left["inputRequests"]),
        (&json!("input_required"), &form("b"))
    );
    // A second answer to what was answered is none.
    update(
        &client,
        &task,
        json!({"a": filled_in("Eve"), "b": filled_in("Bo")}),
    )
    .await;
    let done = reaching(&client, &task, "completed").await;
    assert_eq!(done.get("inputRequests"), None);
    assert_eq!(
        heard(&world)[1..],
        [
            r#"a: {"action":"accept","content":{"name":"Ana"}}"#,
            r#"b: {"action":"accept","content":{"name":"Bo"}}"#,
        ]
    );
    let none = client.ask("tasks/update", json!({"taskId": task})).await;
    assert_eq!(none["error"]["code"], -32_602);
}

#[tokio::test(start_paused = true)]
async fn rounds_come_first_and_leave_no_trace_in_the_task() {
    let world = planned(&[Step::Ask(form("who")), working(), Step::Wait]).await;
    let client = takes_tasks(&world);
    let asked = client.plan(json!({})).await;
    assert_eq!(asked["result"]["resultType"], "input_required");
    assert_eq!(asked["result"].get("taskId"), None);
    let task = client
        .answer(&asked, json!({"who": filled_in("Ana")}))
        .await;
    assert_eq!(task["result"]["resultType"], "task");
    assert_eq!(task["result"].get("requestState"), None);
    world.desk.release.notify_one();
    reaching(&client, &task["result"]["taskId"], "completed").await;
}

#[tokio::test(start_paused = true)]
async fn failed_is_for_errors_of_the_protocol() {
    let error = r#"{"code":-32603,"message":"broken","data":{"z":1,"a":[2]}}"#;
    let world = planned(&[working(), Step::Wait, Step::Fail(error)]).await;
    let client = takes_tasks(&world);
    let task = client.plan(json!({})).await["result"]["taskId"].clone();
    world.desk.release.notify_one();
    let failed = reaching(&client, &task, "failed").await;
    assert_eq!(failed["error"]["code"], -32_603);
    assert_eq!(failed["error"]["message"], "broken");
    assert_eq!(
        (&failed["error"]["data"]["z"], failed.get("result")),
        (&json!(1), None)
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_is_an_intent_and_the_record_says_what_came_of_it() {
    let world = planned(&[working(), Step::Wait]).await;
    let client = takes_tasks(&world);
    let task = client.plan(json!({})).await["result"]["taskId"].clone();
    for _ in 0..2 {
        let acknowledged = client.ask("tasks/cancel", json!({"taskId": task})).await;
        assert_eq!(acknowledged["result"], json!({"resultType": "complete"}));
        reaching(&client, &task, "cancelled").await;
    }
    assert_eq!(
        world.records("invocation.").await,
        [
            "invocation.admitted desk.plan ",
            "invocation.unknown_effect  ",
            "invocation.needs_operator  ",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_that_only_reads_is_over() {
    let world = planned(&[working(), Step::Wait]).await;
    let mut tools = tools_and_plan();
    tools.iter_mut().for_each(|tool| tool.effect = Effect::None);
    world.set_tools(tools);
    let client = takes_tasks(&world);
    let task = client.plan(json!({})).await["result"]["taskId"].clone();
    client.ask("tasks/cancel", json!({"taskId": task})).await;
    let seen = reaching(&client, &task, "cancelled").await;
    assert_eq!((seen.get("result"), seen.get("error")), (None, None));
    assert_eq!(
        world.records("invocation.").await,
        ["invocation.admitted desk.plan ", "invocation.failed  "]
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_task_is_let_through_only_while_the_call_is_allowed() {
    let world = planned(&[working(), Step::AskBitByBit(form("a"))]).await;
    let client = takes_tasks(&world);
    let task = client.plan(json!({})).await["result"]["taskId"].clone();
    reaching(&client, &task, "input_required").await;
    let closed = json!({"name": "refunds", "rules": [
        {"rule_id": "shut", "match": {"tools": ["desk.plan"]}, "effect": "deny", "reason": "Closed."}]});
    world.publish(&closed.to_string()).await;
    update(&client, &task, json!({"a": filled_in("Ana")})).await;
    let ended = reaching(&client, &task, "completed").await;
    assert_eq!(ended["result"]["isError"], true);
    assert_eq!(
        heard(&world)[1..],
        ["unanswered: the call is not allowed any more: Closed."]
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_the_task_of_another() {
    let world = planned(&[working(), Step::AskBitByBit(form("a"))]).await;
    let client = takes_tasks(&world);
    let task = client.plan(json!({})).await["result"]["taskId"].clone();
    let stranger = Talker {
        token: world.another_agent("other_agent", &["*"]).await,
        ..takes_tasks(&world)
    };
    reaching(&client, &task, "input_required").await;
    let eve = update(&stranger, &task, json!({"a": filled_in("Eve")})).await;
    assert_eq!(eve["error"]["code"], -32_602);
    let eve = stranger.ask("tasks/cancel", json!({"taskId": task})).await;
    assert_eq!(eve["error"]["code"], -32_602);
    assert_eq!(get(&client, &task).await["status"], "input_required");
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_tasks_waits_for_the_answer_and_no_server_hears_of_tasks() {
    let world = planned(&[working(), Step::Ask(form("who"))]).await;
    let client = Talker::new(&world, json!({"elicitation": {}}));
    let asked = client.plan(json!({})).await;
    assert_eq!(asked["result"]["resultType"], "input_required");
    let done = client
        .answer(&asked, json!({"who": filled_in("Ana")}))
        .await;
    assert_eq!(done["result"]["content"][0]["text"], "all done");
}
