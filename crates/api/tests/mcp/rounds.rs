//! A modern client is asked by an answer, and goes on by calling again.

use std::time::Duration;

use serde_json::{Value, json};
use toolgate_api::mcp::{Links, McpOptions};
use toolgate_execution::Choice;

use crate::client::soon;
use crate::desk::{Step, tools_and_plan};
use crate::talking::{TASKS, Talker, filled_in, form, heard, planned, set_plan};
use crate::world::World;

fn asks_who() -> Vec<Step> {
    vec![Step::Ask(form("who"))]
}

fn elicits(world: &World) -> Talker<'_> {
    Talker::new(world, json!({"elicitation": {}}))
}

fn is_refused(answer: &Value) -> bool {
    answer["error"]["code"] == -32_602 && answer.get("result").is_none()
}

#[tokio::test(start_paused = true)]
async fn what_a_server_asks_reaches_the_client_and_its_answer_the_server() {
    let world = planned(&[Step::Ask(form("who")), Step::Ask(form("why"))]).await;
    let client = elicits(&world);
    let first = client.plan(json!({})).await;
    let asked = &first["result"];
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"], form("who"));
    assert!(asked["_meta"]["dev.toolgate/invocation-id"].is_string());
    assert_eq!(asked.as_object().unwrap().len(), 4, "{asked}");
    let state = asked["requestState"].as_str().unwrap();
    assert!(state.len() == 64 && state.bytes().all(|b| b.is_ascii_hexdigit()));
    let second = client
        .answer(&first, json!({"who": filled_in("Ana"), "else": {}}))
        .await;
    assert_eq!(second["result"]["inputRequests"], form("why"));
    assert_ne!(second["result"]["requestState"], asked["requestState"]);
    let last = client
        .answer(&second, json!({"why": {"action": "decline"}}))
        .await;
    assert_eq!(last["result"]["content"][0]["text"], "all done");
    assert_eq!(last["result"]["resultType"], "complete");
    // One call, one decision, one record, and nothing that was not asked went through.
    assert_eq!(
        heard(&world)[1..],
        [
            r#"who: {"action":"accept","content":{"name":"Ana"}}"#,
            r#"why: {"action":"decline"}"#
        ]
    );
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
    assert_eq!(
        world.records("invocation.").await,
        ["invocation.admitted desk.plan ", "invocation.succeeded  "]
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_is_told_of_what_the_client_declared_and_of_nothing_else() {
    let world = planned(&[]).await;
    for (capabilities, meta, told) in [
        (json!({}), json!({}), None),
        (json!({"experimental": {"x": {}}}), json!({}), None),
        (
            json!({"sampling": {}, "odd": 1}),
            json!({}),
            Some(r#"{"capabilities":{"sampling":{},"odd":1},"level":null,"given":{"k":{"n":1}}}"#),
        ),
        (
            json!({}),
            json!({"io.modelcontextprotocol/logLevel": "warning"}),
            Some(r#"{"capabilities":{},"level":"warning","given":{"k":{"n":1}}}"#),
        ),
    ] {
        world.desk.heard.lock().unwrap().clear();
        let mut meta = meta;
        meta["dev.toolgate/allow-duplicate"] = json!(true);
        let client = Talker::new(&world, capabilities);
        let params = json!({"_meta": meta, "inputResponses": {"k": {"n": 1}}});
        client.plan(params).await;
        assert_eq!(heard(&world).first().map(String::as_str), told);
    }
}

#[tokio::test(start_paused = true)]
async fn who_did_not_declare_it_is_not_asked() {
    let world = planned(&asks_who()).await;
    let client = Talker::new(&world, json!({"sampling": {}, "elicitation": {"url": {}}}));
    let answer = client.plan(json!({})).await;
    assert_eq!(answer["result"]["isError"], true);
    let words = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        words.contains("the client did not declare that it can answer `elicitation/create`"),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_is_good_once() {
    let world = planned(&asks_who()).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    let answers = json!({"who": filled_in("Ana")});
    let done = client.answer(&asked, answers.clone()).await;
    assert_eq!(done["result"]["content"][0]["text"], "all done");
    let again = client.answer(&asked, answers).await;
    assert!(is_refused(&again), "{again}");
    assert_eq!(heard(&world).len(), 2);
}

/// A call that asked who, and has ended without an answer to that.
async fn ended_meanwhile(world: &World, client: &Talker<'_>) -> Value {
    let first = client.plan(json!({})).await;
    assert_eq!(first["result"]["inputRequests"], form("who"));
    world.desk.release.notify_one();
    soon(async {
        while world.records("invocation.").await.len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    first
}

#[tokio::test(start_paused = true)]
async fn what_came_of_a_call_is_told_to_who_still_reaches_its_tool() {
    let world = planned(&[Step::AskAside(form("who"))]).await;
    let client = elicits(&world);
    let first = ended_meanwhile(&world, &client).await;
    world.regrant(&["desk.lookup"]).await;
    let late = client
        .answer(&first, json!({"who": filled_in("Ana")}))
        .await;
    assert!(is_refused(&late), "{late}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_wait_for_an_answer_loses_nobody_its_own() {
    let world = planned(&[Step::AskAside(form("who"))]).await;
    let client = elicits(&world);
    let first = ended_meanwhile(&world, &client).await;
    let answers = json!({"who": filled_in("Ana")});
    let last = client.answer(&first, answers.clone()).await;
    assert_eq!(last["result"]["content"][0]["text"], "all done", "{last}");
    assert_eq!(last["result"]["resultType"], "complete");
    assert!(is_refused(&client.answer(&first, answers).await), "once");
}

#[tokio::test(start_paused = true)]
async fn a_state_is_good_for_nobody_else_and_for_no_other_call() {
    let world = planned(&asks_who()).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    let state = asked["result"]["requestState"].as_str().unwrap().to_owned();
    let answers = json!({"who": filled_in("Eve")});
    let retry = |change: Value| {
        let mut params = json!({
            "name": "desk__plan", "arguments": {"amount": 1},
            "inputResponses": answers, "requestState": state,
        });
        for (key, value) in change.as_object().unwrap() {
            params[key] = value.clone();
        }
        params
    };
    let stranger = Talker {
        token: world.another_agent("other_agent", &["desk.*"]).await,
        ..elicits(&world)
    };
    let stolen = stranger.ask("tools/call", retry(json!({}))).await;
    assert!(is_refused(&stolen), "{stolen}");
    let turned = state.chars().rev().collect::<String>();
    for other in [
        json!({"arguments": {"amount": 2}}),
        json!({"arguments": {}}),
        json!({"name": "desk__lookup"}),
        json!({"_meta": {"dev.toolgate/env": "prod"}}),
        json!({"_meta": {"dev.toolgate/workflow": "w"}}),
        json!({"requestState": turned}),
        json!({"requestState": ""}),
        json!({"requestState": format!("{state}-TAMPERED")}),
        json!({"requestState": 7}),
        json!({"inputResponses": null}),
        json!({"inputResponses": []}),
    ] {
        let refused = client.ask("tools/call", retry(other.clone())).await;
        assert!(is_refused(&refused), "{other}: {refused}");
    }
    // None of that used it up, and none of it reached the server.
    assert_eq!(heard(&world).len(), 1);
    let done = client.ask("tools/call", retry(json!({}))).await;
    assert_eq!(done["result"]["content"][0]["text"], "all done");
}

#[tokio::test(start_paused = true)]
async fn a_state_expires_and_its_server_is_told() {
    let world = planned(&asks_who()).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    tokio::time::sleep(Duration::from_secs(15 * 60 + 1)).await;
    let late = client
        .answer(&asked, json!({"who": filled_in("Ana")}))
        .await;
    assert!(is_refused(&late), "{late}");
    assert_eq!(
        heard(&world)[1],
        "unanswered: the client did not answer in time"
    );
    assert_eq!(
        world.records("invocation.").await,
        ["invocation.admitted desk.plan ", "invocation.failed  "]
    );
}

#[tokio::test(start_paused = true)]
async fn the_call_is_judged_anew_before_an_answer_is_let_through() {
    let world = planned(&asks_who()).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    let closed = json!({"name": "refunds", "rules": [
        {"rule_id": "shut", "match": {"tools": ["desk.plan"]}, "effect": "deny", "reason": "Closed."}]});
    world.publish(&closed.to_string()).await;
    let denied = client
        .answer(&asked, json!({"who": filled_in("Ana")}))
        .await;
    let words = denied["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        words.starts_with("Denied by refunds/shut: Closed. This call was not executed."),
        "{words}"
    );
    assert_eq!(denied["result"]["isError"], true);
    let id = &denied["result"]["_meta"]["dev.toolgate/invocation-id"];
    assert_eq!(*id, asked["result"]["_meta"]["dev.toolgate/invocation-id"]);
    // The server heard no answer, only that there will be none.
    assert_eq!(
        heard(&world)[1..],
        ["unanswered: the call is not allowed any more: Closed."]
    );
    let again = client
        .answer(&asked, json!({"who": filled_in("Ana")}))
        .await;
    assert!(is_refused(&again), "the state is used up");
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_tool_is_told_that_there_is_none() {
    let world = planned(&asks_who()).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    world.regrant(&["desk.lookup"]).await;
    let lost = client
        .answer(&asked, json!({"who": filled_in("Ana")}))
        .await;
    assert!(is_refused(&lost), "{lost}");
    assert_eq!(lost["error"]["message"], "Unknown tool: desk__plan");
    assert!(heard(&world)[1].starts_with("unanswered: the call is not allowed any more"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_without_the_answer_is_asked_again_and_one_with_a_part_is_passed_on() {
    let mut both = form("who");
    both["why"] = form("why")["why"].clone();
    let world = planned(&[Step::Ask(both.clone())]).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    let again = client
        .answer(&asked, json!({"wrong_key": filled_in("Ana")}))
        .await;
    assert_eq!(again["result"]["inputRequests"], both);
    assert_ne!(
        again["result"]["requestState"],
        asked["result"]["requestState"]
    );
    assert_eq!(heard(&world).len(), 1);
    assert!(
        is_refused(&client.answer(&asked, json!({})).await),
        "only the newest state counts"
    );
    let done = client.answer(&again, json!({"why": 7})).await;
    assert_eq!(done["result"]["content"][0]["text"], "all done");
    assert_eq!(heard(&world)[1..], ["why: 7"]);
}

#[tokio::test(start_paused = true)]
async fn leaving_gives_a_call_up_but_not_one_that_waits_for_its_retry() {
    let world = planned(&[Step::Ask(form("who")), Step::Wait]).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    // The connection of the first request is long gone.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let state = asked["result"]["requestState"].clone();
    let params = json!({"name": "desk__plan", "arguments": {"amount": 1}, "_meta": {"progressToken": 1},
        "inputResponses": {"who": filled_in("Ana")}, "requestState": state});
    let going_on = client.send("tools/call", params).await_stream();
    let (answer, ()) = tokio::join!(
        async { tokio::time::timeout(Duration::from_secs(1), going_on).await },
        world.desk.arrival()
    );
    assert!(answer.is_err(), "it runs, and its client left");
    tokio::time::sleep(Duration::from_secs(1)).await;
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
async fn the_same_call_again_is_asked_the_same_and_the_older_state_is_used_up() {
    let world = planned(&asks_who()).await;
    let client = elicits(&world);
    let asked = client.plan(json!({})).await;
    let joined = client.plan(json!({})).await;
    assert_eq!(joined["result"]["inputRequests"], form("who"));
    let answers = json!({"who": filled_in("Ana")});
    assert!(is_refused(&client.answer(&asked, answers.clone()).await));
    let done = client.answer(&joined, answers).await;
    assert_eq!(done["result"]["content"][0]["text"], "all done");
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_asked_and_joins_is_told_that_it_still_runs() {
    let world = planned(&asks_who()).await;
    let asked = elicits(&world).plan(json!({})).await;
    let mute = Talker::new(&world, json!({}));
    let joined = mute.plan(json!({})).await;
    let words = joined["result"]["content"][0]["text"].as_str().unwrap();
    assert!(words.starts_with("Still running"), "{words}");
    let done = elicits(&world)
        .answer(&asked, json!({"who": filled_in("Ana")}))
        .await;
    assert_eq!(done["result"]["content"][0]["text"], "all done");
}

#[tokio::test(start_paused = true)]
async fn another_credential_of_the_same_agent_is_not_asked_either() {
    let world = planned(&asks_who()).await;
    elicits(&world).plan(json!({})).await;
    let other = Talker {
        token: world.another_key().await,
        ..elicits(&world)
    };
    let joined = other.plan(json!({})).await;
    let words = joined["result"]["content"][0]["text"].as_str().unwrap();
    assert!(words.starts_with("Still running"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_credential_has_room_for_so_many_rounds() {
    let world = planned(&asks_who()).await;
    let client = elicits(&world);
    let mut parked = Vec::new();
    for amount in 0..64 {
        let asked = client.plan(json!({"arguments": {"amount": amount}})).await;
        assert_eq!(asked["result"]["resultType"], "input_required", "{amount}");
        parked.push(asked["result"]["requestState"].clone());
    }
    let crowded = client.plan(json!({"arguments": {"amount": 64}})).await;
    let words = crowded["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        words.contains("too many calls of this client wait for its answers"),
        "{words}"
    );
    let other = Talker {
        token: world.another_agent("other_agent", &["desk.*"]).await,
        ..elicits(&world)
    };
    assert_eq!(
        other.plan(json!({})).await["result"]["resultType"],
        "input_required"
    );
    let retry = json!({"arguments": {"amount": 0}, "requestState": parked[0],
        "inputResponses": {"who": filled_in("Ana")}});
    assert_eq!(
        client.plan(retry).await["result"]["content"][0]["text"],
        "all done"
    );
    let room = client.plan(json!({"arguments": {"amount": 65}})).await;
    assert_eq!(room["result"]["resultType"], "input_required");
}

#[tokio::test(start_paused = true)]
async fn log_messages_come_before_the_answer_to_whoever_wants_them() {
    let line = json!({"level": "info", "data": {"n": 1}, "odd": [1]});
    let world = planned(&[Step::Log(line)]).await;
    for (level, heard) in [(None, 0), (Some("info"), 1)] {
        let mut meta = json!({"dev.toolgate/allow-duplicate": true});
        if let Some(level) = level {
            meta["io.modelcontextprotocol/logLevel"] = level.into();
        }
        let client = elicits(&world);
        let params = json!({"name": "desk__plan", "arguments": {}, "_meta": meta});
        let answer = client.send("tools/call", params).await_answer().await;
        let line = r#"data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"n":1},"odd":[1]}}"#;
        assert_eq!(answer.body.matches(line).count(), heard, "{}", answer.body);
        assert_eq!(answer.json()["result"]["content"][0]["text"], "all done");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_people_approved_has_nobody_to_ask() {
    let world = planned(&asks_who()).await;
    let frozen = json!({"name": "refunds", "rules": [
        {"rule_id": "ask", "match": {"tools": ["desk.plan"]}, "effect": "require_approval"}]});
    world.publish(&frozen.to_string()).await;
    let client = elicits(&world);
    let pending = client.plan(json!({})).await;
    let outcome = &pending["result"]["_meta"]["dev.toolgate/outcome"];
    let approval = outcome["denial"]["details"]["approval_id"]
        .as_str()
        .unwrap();
    world.decide(approval, Choice::Approve).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let done = client.plan(json!({})).await;
    assert_eq!(done["result"]["content"][0]["text"], "nobody is there");
}

#[tokio::test(start_paused = true)]
async fn the_gate_going_down_leaves_no_server_waiting() {
    let closing = tokio_util::sync::CancellationToken::new();
    let options = McpOptions {
        closing: closing.clone(),
        ..McpOptions::default()
    };
    let world = World::with(options).await;
    world.set_tools(tools_and_plan());
    set_plan(&world, &asks_who());
    elicits(&world).plan(json!({})).await;
    closing.cancel();
    soon(async {
        while heard(&world).len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(heard(&world)[1], "unanswered: the client is gone");
}

async fn linking(links: Links) -> World {
    let options = McpOptions {
        links,
        ..McpOptions::default()
    };
    World::with(options).await
}

const REFUND: &str = "desk__refund";

#[tokio::test(start_paused = true)]
async fn a_link_leads_to_the_approval_and_what_the_client_says_of_it_decides_nothing() {
    let world = linking(Links::On).await;
    let client = Talker::new(&world, json!({"elicitation": {"url": {}}}));
    for (amount, action) in [(640, "accept"), (641, "decline"), (642, "cancel")] {
        let call = json!({"name": REFUND, "arguments": {"amount": amount}});
        let asked = client.ask("tools/call", call.clone()).await;
        let params = &asked["result"]["inputRequests"]["approval"]["params"];
        assert_eq!(params["mode"], "url", "{asked}");
        let url = params["url"].as_str().unwrap();
        let approval = url
            .strip_prefix("http://127.0.0.1:8787/approvals/")
            .unwrap();
        assert!(approval.starts_with("apr_") && !approval.contains(['?', '#', '/']));
        let mut retry = call.clone();
        retry["requestState"] = asked["result"]["requestState"].clone();
        retry["inputResponses"] = json!({"approval": {"action": action}});
        let pending = client.ask("tools/call", retry.clone()).await;
        let words = pending["result"]["content"][0]["text"].as_str().unwrap();
        assert!(words.starts_with("Approval required"), "{words}");
        assert!(is_refused(&client.ask("tools/call", retry).await));
        assert!(world.desk.reached.lock().unwrap().is_empty());
        world.decide(approval, Choice::Deny).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_was_made_meanwhile_is_what_the_retry_gets() {
    let world = linking(Links::On).await;
    let client = Talker::new(&world, json!({"elicitation": {"url": {}}}));
    let call = json!({"name": REFUND, "arguments": {"amount": 640}});
    let asked = client.ask("tools/call", call.clone()).await;
    let url = &asked["result"]["inputRequests"]["approval"]["params"]["url"];
    let approval = url.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    world.decide(&approval, Choice::Approve).await;
    let mut retry = call;
    retry["requestState"] = asked["result"]["requestState"].clone();
    retry["inputResponses"] = json!({"approval": {"action": "cancel"}});
    let done = client.ask("tools/call", retry).await;
    assert_eq!(
        done["result"]["structuredContent"],
        json!({"amount": 640}),
        "{done}"
    );
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_link_expires_too() {
    let world = linking(Links::On).await;
    let client = Talker::new(&world, json!({"elicitation": {"url": {}}}));
    let mut call = json!({"name": REFUND, "arguments": {"amount": 640}});
    let asked = client.ask("tools/call", call.clone()).await;
    tokio::time::sleep(Duration::from_secs(15 * 60 + 1)).await;
    call["requestState"] = asked["result"]["requestState"].clone();
    assert!(is_refused(&client.ask("tools/call", call).await));
}

#[tokio::test(start_paused = true)]
async fn a_link_is_for_clients_that_show_links_and_take_no_tasks() {
    for (links, capabilities, kind) in [
        (Links::Off, json!({"elicitation": {"url": {}}}), "complete"),
        (Links::On, json!({"elicitation": {}}), "complete"),
        (Links::On, json!({}), "complete"),
        (
            Links::On,
            json!({"elicitation": {"url": {}}, "extensions": {TASKS: {}}}),
            "task",
        ),
        (
            Links::On,
            json!({"elicitation": {"url": {}}}),
            "input_required",
        ),
    ] {
        let world = linking(links).await;
        let client = Talker::new(&world, capabilities.clone());
        let call = json!({"name": REFUND, "arguments": {"amount": 640}});
        let answer = client.ask("tools/call", call).await;
        assert_eq!(answer["result"]["resultType"], kind, "{capabilities}");
    }
}
