//! Calls that their caller runs: what the lease and the report look like, and what is refused.

use expect_test::expect;
use serde_json::{Value, json};

use crate::world::World;

async fn leased(world: &World) -> Value {
    let body = json!({"tool": "desk.refund", "mode": "host", "allow_duplicate": true,
        "arguments": {"amount": 5, "customer": "cust_1"}});
    let answer = world
        .post("/v1/invocations")
        .token(&world.agent)
        .json(body)
        .await;
    answer.value()
}

async fn said(world: &World, token: &str, envelope: &Value, report: Value) -> (u16, Value) {
    let id = envelope["invocation_id"].as_str().unwrap();
    let path = format!("/v1/invocations/{id}/outcome");
    let answer = world.post(&path).token(token).json(report).await;
    (answer.status.as_u16(), answer.value())
}

#[tokio::test]
async fn a_lease_comes_with_the_arguments_and_a_report_with_what_is_left_of_it() {
    let world = World::new().await;
    let envelope = leased(&world).await;
    let shown = json!({
        "status": envelope["status"], "outcome": envelope["outcome"], "lease": envelope["lease"],
        "arguments": envelope["arguments"], "attempts": envelope["attempts"],
        "completed_at": envelope["completed_at"],
    });
    expect![[r#"{"status":"executing","outcome":"indeterminate","lease":{"attempt":1,"expires_at":"2026-06-16T15:14:47.000Z"},"arguments":{"amount":5,"customer":"cust_1"},"attempts":1,"completed_at":null}"#]]
    .assert_eq(&shown.to_string());
    let report = json!({"attempt": 1, "status": "succeeded", "data": {"refund": "re_1"}});
    let (status, ended) = said(&world, &world.agent, &envelope, report).await;
    let shown = json!([status, ended["status"], ended["data"], ended["replayed"]]);
    assert_eq!(shown, json!([200, "succeeded", {"refund": "re_1"}, false]));
    assert_eq!((ended.get("lease"), ended.get("arguments")), (None, None));
}

#[tokio::test]
async fn every_kind_of_data_comes_back_as_it_was_reported() {
    let world = World::new().await;
    for data in [json!(null), json!("text"), json!([1, {"a": 2}]), json!(7.5)] {
        let envelope = leased(&world).await;
        let report = json!({"attempt": 1, "status": "succeeded", "data": data});
        let (status, ended) = said(&world, &world.agent, &envelope, report).await;
        assert_eq!((status, &ended["data"]), (200, &data));
    }
}

#[tokio::test]
async fn a_report_that_means_nothing_is_refused_at_its_place() {
    let world = World::new().await;
    let envelope = leased(&world).await;
    let failed = |error: Value| json!({"attempt": 1, "status": "failed", "error": error});
    for (report, pointer) in [
        (json!({"status": "succeeded"}), "/attempt"),
        (json!({"attempt": 1}), "/status"),
        (json!({"attempt": 1, "status": "done"}), "/status"),
        (
            json!({"attempt": 1, "status": "failed", "data": 1}),
            "/error",
        ),
        (failed(json!({})), "/error/message"),
        (
            failed(json!({"code": "policy_denied", "message": "x"})),
            "/error/code",
        ),
        (
            failed(json!({"message": "x".repeat(5_000)})),
            "/error/message",
        ),
        (
            json!({"attempt": 1, "status": "unknown", "data": 1}),
            "/data",
        ),
        (
            json!({"attempt": 1, "status": "succeeded", "error": {"message": "x"}}),
            "/error",
        ),
        (
            json!({"attempt": 1, "status": "succeeded", "result": 1}),
            "/result",
        ),
    ] {
        let (status, problem) = said(&world, &world.agent, &envelope, report.clone()).await;
        assert_eq!(status, 400, "{report} {problem}");
        let found = problem["errors"][0]["pointer"].as_str().unwrap();
        // What is missing is missing from the whole.
        assert!(
            found == pointer || pointer.starts_with(found),
            "{report} {problem}"
        );
    }
    let report = json!({"attempt": 1, "status": "failed", "error": {"message": "closed"}});
    let (_, ended) = said(&world, &world.agent, &envelope, report).await;
    assert_eq!(ended["error"]["code"], "tool_error");
}

#[tokio::test]
async fn a_lease_is_its_agents_alone() {
    let world = World::new().await;
    let envelope = leased(&world).await;
    let report = || json!({"attempt": 1, "status": "succeeded", "data": 1});
    for (token, expected) in [
        (world.other_agent.as_str(), (404, "not_found")),
        (world.person("approver"), (403, "person_may_not_invoke")),
        ("tg_x", (401, "unauthenticated")),
    ] {
        let (status, problem) = said(&world, token, &envelope, report()).await;
        assert_eq!((status, problem["code"].as_str().unwrap()), expected);
        let id = envelope["invocation_id"].as_str().unwrap();
        let path = format!("/v1/invocations/{id}/lease");
        let answer = world.post(&path).token(token).await;
        assert_eq!(answer.status.as_u16(), expected.0);
    }
    let run = world.call("desk.refund", json!({"amount": 6})).await;
    let (status, problem) = said(&world, &world.agent, &run, report()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_state")));
    let (status, _) = said(&world, &world.agent, &envelope, report()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_record_says_whose_word_an_outcome_is() {
    let world = World::new().await;
    let envelope = leased(&world).await;
    let report = json!({"attempt": 1, "status": "succeeded", "data": 1});
    said(&world, &world.agent, &envelope, report).await;
    let id = envelope["invocation_id"].as_str().unwrap();
    let path = format!("/v1/records?invocation={id}");
    let answer = world.get(&path).token(world.person("owner")).await;
    let records = answer.value();
    let texts = records["items"].as_array().unwrap().iter();
    let entries: Vec<Value> = texts
        .map(|record| serde_json::from_str(record["text"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(entries[0]["data"]["call"]["mode"], "host");
    assert_eq!(entries[1]["kind"], "invocation.succeeded");
    assert_eq!(entries[1]["data"]["late"], false);
    assert_eq!(entries[1]["actor"]["id"], "billing_agent");
}
