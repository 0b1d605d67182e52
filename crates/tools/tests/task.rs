//! Calls that a modern server turns into tasks, over a real process, to their end.
//!
//! Each call scripts what its server says of the task (`fault-server scripted`): the first step
//! answers the call, each further one a `tasks/get`. Time is in the test's hands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

#[path = "common/client.rs"]
mod client;
mod common;

use std::sync::Arc;

use client::{Client, Said};
use common::{World, faulty, shown};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use toolgate_gate::peer::Unanswered;
use toolgate_gate::permit::Travel;
use toolgate_gate::port::{Answer, Tools};
use toolgate_model::{Duration, SourceHealth};

const SECOND: Duration = Duration::from_secs(1);

async fn up() -> World {
    let world = World::start(vec![faulty("f", &["modern", "scripted"])]);
    world.settled().await;
    assert_eq!(world.health("f"), SourceHealth::Up, "{}", world.detail("f"));
    world
}

/// A client that polls tasks, and answers whatever it is asked.
fn polling() -> Arc<Client> {
    with(|| Said::Result(r#"{"action":"accept","content":{"n":1.50}}"#))
}

fn with(said: impl Fn() -> Said + Send + Sync + 'static) -> Arc<Client> {
    let can = json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}});
    Arc::new(Client::new(&can, move |_| said()))
}

/// What a server says of its task `t`.
fn says(kind: &str, members: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":ID,"result":{{"resultType":"{kind}","taskId":"t",{members}}}}}"#
    )
}

fn script(said: &[String]) -> Value {
    let steps: Vec<[&String; 1]> = said.iter().map(|line| [line]).collect();
    json!({"key": "t", "steps": steps})
}

/// Calls, with time passing as the task is polled, and says what became of it.
async fn call(world: &World, script: Value, travel: Travel) -> String {
    let dispatch = world.dispatch("f.script", script, travel);
    let calling = world.sources.call(dispatch);
    let passing = async {
        loop {
            world.pass(SECOND).await;
        }
    };
    tokio::select! {
        biased;
        answer = calling => shown(&answer),
        () = passing => unreachable!("it passes for ever"),
    }
}

async fn seen(world: &World, client: &Arc<Client>) -> Vec<Value> {
    let dispatch = world.dispatch("f.seen", json!({}), client.travel());
    let Answer::Answered { result, .. } = world.sources.call(dispatch).await else {
        panic!("not answered")
    };
    let result: Value = serde_json::from_str(result.get()).unwrap();
    result["seen"].as_array().unwrap().clone()
}

fn of_method<'s>(seen: &'s [Value], method: &str) -> Vec<&'s Value> {
    seen.iter().filter(|one| one["method"] == method).collect()
}

#[tokio::test]
async fn a_task_is_followed_to_its_end() {
    let world = up().await;
    let client = polling();
    let working = r#""status":"working","statusMessage":"half","ttlMs":1.50,"pollIntervalMs":1000"#;
    let answer = call(
        &world,
        script(&[
            says(
                "task",
                r#""status":"working","pollIntervalMs":1000,"_meta":{"x":1}"#,
            ),
            says("complete", working),
            says("complete", working),
            says(
                "complete",
                r#""status":"completed","result":{"content":[],"z":1e2,"isError":true}"#,
            ),
        ]),
        client.travel(),
    )
    .await;
    expect![[r#"answered failed=true {"content":[],"z":1e2,"isError":true}"#]].assert_eq(&answer);
    // The task's own id is nobody's business, and what did not change is not told again.
    expect![[r#"
        task {"status":"working","pollIntervalMs":1000}
        task {"status":"working","statusMessage":"half","ttlMs":1.50,"pollIntervalMs":1000}
        task {"status":"completed"}"#]]
    .assert_eq(&client.noted().join("\n"));
    let seen = seen(&world, &client).await;
    let polls = of_method(&seen, "tasks/get");
    assert_eq!(polls.len(), 3);
    let meta = &polls[0]["params"]["_meta"];
    let told = &meta["io.modelcontextprotocol/clientCapabilities"]["extensions"];
    assert_eq!(*told, json!({"io.modelcontextprotocol/tasks": {}}));
    assert_eq!(polls[0]["params"]["taskId"], "t");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn how_a_task_ends_decides_what_became_of_the_call() {
    let cases = [
        (
            r#""status":"failed","error":{"code":-32602,"message":"no such charge"}"#,
            expect!["refused tool_error: the tool's server refused the call: no such charge"],
        ),
        (
            r#""status":"failed","error":{"code":-32603,"message":"boom"}"#,
            expect!["lost Ambiguous: it answered with error -32603: boom"],
        ),
        (
            r#""status":"cancelled""#,
            expect!["lost Cancelled: its server cancelled the task"],
        ),
        (
            r#""status":"completed""#,
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: its task is completed, and has no result"
            ],
        ),
        (
            r#""status":"completed","result":{"content":7}"#,
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: `content` is no list"
            ],
        ),
        (
            r#""status":"failed","error":"no""#,
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: its task failed, and has no error"
            ],
        ),
        (
            r#""status":"asleep""#,
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: what it says of its task cannot be read: unknown variant `asleep`, expected one of `working`, `input_required`, `completed`, `failed`, `cancelled` at line 1 column 55"
            ],
        ),
        (
            r#""status":"working","taskId":"other""#,
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: the key `taskId` stands twice at line 1, column 65"
            ],
        ),
    ];
    for (members, expected) in cases {
        check(says("complete", members), expected).await;
    }
    check(
        r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete","taskId":"u","status":"working"}}"#
            .to_owned(),
        expect!["lost Ambiguous: invalid_result: its answer breaks the protocol: it tells of another task than it was asked"],
    )
    .await;
    check(
        r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"unknown task"}}"#.to_owned(),
        expect![
            "lost Ambiguous: it does not know its own task any more: error -32602: unknown task"
        ],
    )
    .await;
    check(
        r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"busy"}}"#.to_owned(),
        expect!["lost Disconnected: it does not say how its task stands: error -32603: busy"],
    )
    .await;
}

/// What a call comes to whose task, once asked for, says this for ever.
async fn check(line: String, expected: Expect) {
    let world = up().await;
    let first = says("task", r#""status":"working""#);
    let answer = call(&world, script(&[first, line]), polling().travel()).await;
    expected.assert_eq(&answer);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_poll_that_fails_now_and_then_costs_nothing() {
    let world = up().await;
    let busy = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"busy"}}"#.to_owned();
    let working = says("complete", r#""status":"working""#);
    let mut said = vec![says("task", r#""status":"working""#)];
    for _ in 0..3 {
        said.extend([
            busy.clone(),
            busy.clone(),
            busy.clone(),
            busy.clone(),
            working.clone(),
        ]);
    }
    said.push(says(
        "complete",
        r#""status":"completed","result":{"content":[]}"#,
    ));
    let answer = call(&world, script(&said), polling().travel()).await;
    assert_eq!(answer, r#"answered failed=false {"content":[]}"#);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_task_that_nobody_asked_for_is_none() {
    let world = up().await;
    let client = Arc::new(Client::new(&json!({"elicitation": {}}), |_| Said::Never));
    let answer = call(
        &world,
        script(&[says("task", r#""status":"working""#)]),
        client.travel(),
    )
    .await;
    expect!["lost Ambiguous: invalid_result: its answer breaks the protocol: it answers with a task, for which the gate did not ask"].assert_eq(&answer);
    assert_eq!(client.noted(), [""; 0]);
    world.sources.shutdown().await;
}

const QUESTION: &str = r#"{"method":"elicitation/create","params":{"message":"who?"}}"#;

#[tokio::test]
async fn what_a_task_wants_to_know_is_asked_once_each_and_brought_back() {
    let world = up().await;
    let client = polling();
    let both =
        format!(r#""status":"input_required","inputRequests":{{"a":{QUESTION},"b":{QUESTION}}}"#);
    let one = format!(r#""status":"input_required","inputRequests":{{"b":{QUESTION}}}"#);
    let answer = call(
        &world,
        script(&[
            says("task", r#""status":"working""#),
            says("complete", &both),
            // It takes its time to notice.
            says("complete", &both),
            says("complete", &one),
            says(
                "complete",
                r#""status":"completed","result":{"content":[]}"#,
            ),
        ]),
        client.travel(),
    )
    .await;
    assert_eq!(answer, r#"answered failed=false {"content":[]}"#);
    let asked: Vec<_> = client
        .noted()
        .into_iter()
        .filter(|line| line.starts_with("asked"))
        .collect();
    let seen = seen(&world, &client).await;
    let updates: Vec<String> = of_method(&seen, "tasks/update")
        .into_iter()
        .map(|one| one["params"]["inputResponses"].to_string())
        .collect();
    expect![[r#"
        {"a":{"action":"accept","content":{"n":1.50}}}
        {"b":{"action":"accept","content":{"n":1.50}}}"#]]
    .assert_eq(&updates.join("\n"));
    assert_eq!(
        asked
            .iter()
            .filter(|line| line.starts_with("asked a "))
            .count(),
        1
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_task_whose_question_has_no_answer_is_cancelled_once_and_in_doubt() {
    let undeclared = QUESTION.replace("elicitation/create", "roots/list");
    type Case = (String, fn() -> Said, Expect);
    let cases: [Case; 2] = [
        (
            QUESTION.to_owned(),
            || Said::Fails(Unanswered::Gone),
            expect!["lost Ambiguous: the client is gone; it was told to cancel its task"],
        ),
        (
            undeclared,
            || Said::Never,
            expect![
                "lost Ambiguous: the client did not declare that it can answer `roots/list`; it was told to cancel its task"
            ],
        ),
    ];
    for (question, said, expected) in cases {
        let world = up().await;
        let client = with(said);
        let wants = format!(r#""status":"input_required","inputRequests":{{"a":{question}}}"#);
        let answer = call(
            &world,
            script(&[says("task", &wants), says("complete", &wants)]),
            client.travel(),
        )
        .await;
        expected.assert_eq(&answer);
        let seen = seen(&world, &client).await;
        assert_eq!(of_method(&seen, "tasks/cancel").len(), 1);
        assert_eq!(of_method(&seen, "tasks/update").len(), 0);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_has_the_task_cancelled_and_learns_how_it_ended() {
    let working = says("complete", r#""status":"working""#);
    let done = says(
        "complete",
        r#""status":"completed","result":{"content":[]}"#,
    );
    let cancelled = says("complete", r#""status":"cancelled""#);
    let cases = [
        (
            cancelled,
            expect!["lost Cancelled: its server cancelled the task"],
        ),
        // It had finished before the intent arrived.
        (done, expect![[r#"answered failed=false {"content":[]}"#]]),
        (
            working.clone(),
            expect!["lost Cancelled: the caller gave up; it was told to cancel its task"],
        ),
    ];
    for (end, expected) in cases {
        let world = up().await;
        let client = polling();
        let (give_up, given_up) = oneshot::channel::<()>();
        let travel = Travel {
            cancelled: Box::pin(async move {
                let _ = given_up.await;
            }),
            ..client.travel()
        };
        let first = says("task", r#""status":"working""#);
        let dispatch = world.dispatch("f.script", script(&[first, end]), travel);
        let calling = world.sources.call(dispatch);
        let passing = async {
            // Time stands still until it gave up: before, nothing is asked for.
            world.until(|| !client.noted().is_empty()).await;
            give_up.send(()).unwrap();
            loop {
                world.pass(SECOND).await;
            }
        };
        let answer = tokio::select! {
            biased;
            answer = calling => shown(&answer),
            () = passing => unreachable!("it passes for ever"),
        };
        expected.assert_eq(&answer);
        let seen = seen(&world, &client).await;
        assert_eq!(of_method(&seen, "tasks/cancel").len(), 1);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_task_that_never_ends_is_left_after_an_hour() {
    let world = up().await;
    let client = polling();
    let slow = r#""status":"working","pollIntervalMs":99999999"#;
    let lines = script(&[says("task", slow), says("complete", slow)]);
    let dispatch = world.dispatch("f.script", lines, client.travel());
    let calling = world.sources.call(dispatch);
    let passing = async {
        loop {
            // However rarely it wants to be asked.
            world.pass(Duration::from_secs(5)).await;
        }
    };
    let answer = tokio::select! {
        biased;
        answer = calling => shown(&answer),
        () = passing => unreachable!("it passes for ever"),
    };
    expect!["lost Timeout: its task does not end; it was told to cancel its task"]
        .assert_eq(&answer);
    let polls = of_method(&seen(&world, &client).await, "tasks/get").len();
    assert!((600..=725).contains(&polls), "{polls}");
    world.sources.shutdown().await;
}
