//! Raw HTTP requests in place of a tool and its arguments: judged, recorded, never sent.

use expect_test::expect;
use serde_json::{Value, json};

use crate::world::World;

fn post(text: &str) -> Value {
    json!({
        "method": "POST", "url": "https://SLACK.com/api/chat.postMessage?",
        "headers": {"Authorization": "Bearer x", "content-type": "application/json"},
        "body": {"channel": "C1", "text": text},
    })
}

/// What an agent that reaches these tools is answered.
async fn asked(tools: &str, body: Value) -> Value {
    let world = World::new().await;
    let token = world.hire("raw_agent", tools).await;
    let sending = world.post("/v1/invocations").token(&token).json(body);
    sending.await.value()
}

#[tokio::test]
async fn a_request_is_judged_as_the_tool_that_it_is_a_use_of() {
    let answer = asked("slack.*", json!({"http": post("hi"), "mode": "decide"})).await;
    assert_eq!(answer["capability_id"], "slack.post_message");
    assert_eq!(answer["decision"]["verdict"], "allow");
    assert_eq!(answer["decision"]["risk"], "medium");
    assert_eq!(answer["evidence_ids"].as_array().unwrap().len(), 1);
    // What may be sent is the canonical form, without the caller's credentials.
    assert_eq!(
        answer["request"],
        json!({
            "method": "POST", "url": "https://slack.com/api/chat.postMessage",
            "headers": {"content-type": "application/json"},
            "body": {"channel": "C1", "text": "hi"},
            "withheld": ["header authorization"],
        })
    );
}

#[tokio::test]
async fn who_does_not_reach_the_tool_may_not_send_the_request() {
    let answer = asked("desk.*", json!({"http": post("hi"), "mode": "decide"})).await;
    assert_eq!(answer["denial"]["code"], "not_granted");
    assert_eq!(answer["capability_id"], "slack.post_message");
    assert_eq!(answer.get("request"), None);
}

#[tokio::test]
async fn simulating_leaves_no_trace_and_says_the_same() {
    let answer = asked("slack.*", json!({"http": post("hi"), "mode": "simulate"})).await;
    assert_eq!(answer["decision"]["verdict"], "allow");
    assert_eq!(answer["evidence_ids"], json!([]));
    assert_eq!(
        answer["request"]["withheld"],
        json!(["header authorization"])
    );
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_denied_on_the_record() {
    let mut request = post("hi");
    request["url"] = json!("https://slack.com@evil.test/api/chat.postMessage");
    let answer = asked("*", json!({"http": request, "mode": "decide"})).await;
    assert_eq!(answer["capability_id"], "http.request");
    assert_eq!(answer["denial"]["code"], "invalid_arguments");
    assert_eq!(answer["evidence_ids"].as_array().unwrap().len(), 1);
    expect![[r#"
        the request cannot be judged: `url`: has user information before its host: send credentials in headers"#]]
    .assert_eq(answer["denial"]["message"].as_str().unwrap());
    assert!(!answer.to_string().contains("evil.test"));
}

#[tokio::test]
async fn the_gate_does_not_send_requests_yet() {
    let world = World::new().await;
    for mode in [Value::Null, json!("execute")] {
        let body = json!({"http": post("hi"), "mode": mode});
        let answer = world
            .post("/v1/invocations")
            .token(&world.agent)
            .json(body)
            .await;
        assert_eq!(
            answer.problem(),
            (422, "not_available".to_owned()),
            "{mode}"
        );
        assert_eq!(answer.value()["errors"][0]["pointer"], "/mode");
    }
    for (field, value) in [("tool", json!("desk.lookup")), ("arguments", json!({}))] {
        let mut body = json!({"http": post("hi"), "mode": "decide"});
        body[field] = value;
        let answer = world
            .post("/v1/invocations")
            .token(&world.agent)
            .json(body)
            .await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_field".to_owned()),
            "{field}"
        );
    }
    let body = json!({"http": {"method": "GET", "uri": "https://x.test/"}, "mode": "decide"});
    let answer = world
        .post("/v1/invocations")
        .token(&world.agent)
        .json(body)
        .await;
    assert_eq!(answer.problem(), (400, "unknown_field".to_owned()));
}

#[tokio::test]
async fn a_request_can_be_tried_as_an_agent() {
    let world = World::new().await;
    world.hire("raw_agent", "slack.*").await;
    let body = json!({"agent": "raw_agent", "http": post("hi")});
    let sending = world
        .post("/v1/evaluate")
        .token(world.person("viewer"))
        .json(body);
    let answer = sending.await.value();
    assert_eq!(answer["decision"]["verdict"], "allow");
    assert_eq!(answer["resource"], "channel:C1");
    assert_eq!(
        answer["request"]["url"],
        "https://slack.com/api/chat.postMessage"
    );
}
