//! What a server asks and tells the client behind a call, in both eras, over a real process.
//!
//! Each call scripts itself what its server does about it (`fault-server scripted`), and the
//! client behind it notes what reached it. Time is in the test's hands.

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
use common::{World, faulty, shown, travel};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use toolgate_gate::peer::Unanswered;
use toolgate_gate::permit::Travel;
use toolgate_gate::port::{Answer, Tools};
use toolgate_model::{Duration, SourceHealth};
use toolgate_tools::{ClientScope, Isolation, SourceConfig};

const ERAS: [&str; 2] = ["modern", "legacy"];
const FORM: &str = r#"{"message":"who?","requestedSchema":{"z":1e2,"a":1}}"#;

fn scripted(era: &str) -> SourceConfig {
    faulty("f", &[era, "scripted"])
}

async fn up(config: SourceConfig) -> World {
    let world = World::start(vec![config]);
    world.settled().await;
    assert_eq!(world.health("f"), SourceHealth::Up, "{}", world.detail("f"));
    world
}

/// A script of one call, told by the name of its key.
fn steps(key: &str, steps: &[&[&str]]) -> Value {
    json!({"key": key, "steps": steps})
}

fn result(text: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":ID,"result":{text}}}"#)
}

/// The end of a script: what the server was told, handed back.
const SAID: &str = r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[],"said":SAID}}"#;

/// How a server of this era asks for a form, under the key `k`.
fn asks(era: &str, method: &str, params: &str) -> String {
    match era {
        "modern" => result(&format!(
            r#"{{"resultType":"input_required","requestState":"s-1","inputRequests":{{"k":{{"method":"{method}","params":{params}}}}}}}"#
        )),
        _ => format!(r#"{{"jsonrpc":"2.0","id":"k/1","method":"{method}","params":{params}}}"#),
    }
}

async fn call(world: &World, arguments: Value, travel: Travel) -> String {
    call_of("tester", world, arguments, travel).await
}

async fn call_of(agent: &str, world: &World, arguments: Value, travel: Travel) -> String {
    let dispatch = world.dispatch_of(agent, "f.script", arguments, travel);
    shown(&world.sources.call(dispatch).await)
}

/// What the process has seen that this client's calls go to.
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

fn scripts(seen: &[Value]) -> Vec<&Value> {
    let calls = of_method(seen, "tools/call");
    calls
        .into_iter()
        .filter(|call| call["params"]["name"] == "script")
        .collect()
}

fn answering(capabilities: &Value) -> Arc<Client> {
    Arc::new(Client::new(capabilities, |_| {
        Said::Result(r#"{"action":"accept","content":{"n":1.50}}"#)
    }))
}

#[tokio::test]
async fn a_question_reaches_the_client_and_its_answer_the_server() {
    let asked = [
        ("elicitation/create", "elicitation", FORM),
        (
            "sampling/createMessage",
            "sampling",
            r#"{"messages":[],"maxTokens":1}"#,
        ),
        ("roots/list", "roots", "{}"),
    ];
    for era in ERAS {
        for (method, capability, params) in asked {
            let world = up(scripted(era)).await;
            let client = answering(&json!({capability: {}}));
            let script = steps("k", &[&[&asks(era, method, params)], &[SAID]]);
            let answer = call(&world, script, client.travel()).await;
            let said = match era {
                // The server's own state comes back to it, and to nobody else.
                "modern" => r#"[{"k":{"action":"accept","content":{"n":1.50}}},"s-1"]"#,
                _ => r#"{"action":"accept","content":{"n":1.50}}"#,
            };
            let expected = format!(r#"answered failed=false {{"content":[],"said":{said}}}"#);
            assert_eq!(answer, expected, "{era}");
            let key = if era == "modern" { "k" } else { "question-1" };
            assert_eq!(client.noted(), [format!("asked {key} {method} {params}")]);
            world.sources.shutdown().await;
        }
    }
}

#[tokio::test]
async fn a_further_round_is_the_same_request_with_a_new_number() {
    let world = up(scripted("modern")).await;
    let client = answering(&json!({"elicitation": {}}));
    let question = asks("modern", "elicitation/create", FORM);
    let script = steps("k", &[&[&question], &[&question], &[SAID]]);
    call(&world, script.clone(), client.travel()).await;
    let seen = seen(&world, &client).await;
    let calls = scripts(&seen);
    assert_eq!(calls.len(), 3);
    let mut ids: Vec<_> = calls.iter().map(|call| call["id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    for call in &calls {
        assert_eq!(call["params"]["arguments"], script);
        let meta = &call["params"]["_meta"];
        let told = &meta["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(*told, json!({"elicitation": {}}));
        assert!(meta["dev.toolgate/invocation-id"].is_string());
    }
    assert!(calls[0]["params"].get("inputResponses").is_none());
    assert_eq!(calls[2]["params"]["requestState"], "s-1");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn what_came_with_the_call_goes_with_its_first_request() {
    let world = up(scripted("modern")).await;
    let client = Client::new(&json!({"elicitation": {}}), |_| Said::Never);
    let client = Arc::new(client.gives(&json!({"k": {"action": "decline"}})));
    let answer = call(&world, steps("k", &[&[SAID]]), client.travel()).await;
    expect![[r#"answered failed=false {"content":[],"said":[{"k":{"action":"decline"}},null]}"#]]
        .assert_eq(&answer);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn nothing_is_asked_that_the_client_did_not_declare_or_the_source_may_not_use() {
    let forbidden = ClientScope {
        elicitation: false,
        ..ClientScope::default()
    };
    let can = json!({"elicitation": {}, "roots": {"listChanged": true}});
    let cannot = json!({"roots": {}});
    for (declared, scope) in [(cannot, ClientScope::default()), (can, forbidden)] {
        for era in ERAS {
            let world = up(SourceConfig {
                client: scope,
                ..scripted(era)
            })
            .await;
            let client = answering(&declared);
            let script = steps("k", &[&[&asks(era, "elicitation/create", FORM)], &[SAID]]);
            let answer = call(&world, script, client.travel()).await;
            let expected = match era {
                "modern" => expect![
                    "refused tool_error: the tool asked for input that its caller did not give: the client did not declare that it can answer `elicitation/create`"
                ],
                _ => expect![[
                    r#"answered failed=false {"content":[],"said":{"code":-32601,"message":"method not found"}}"#
                ]],
            };
            expected.assert_eq(&answer);
            assert_eq!(client.noted(), [""; 0]);
            // It was never told of anything else either.
            let told = told_capabilities(&seen(&world, &client).await);
            assert!(
                told.iter().any(|told| *told == json!({"roots": {}})),
                "{told:?}"
            );
            assert!(told.iter().all(|told| told.get("elicitation").is_none()));
            world.sources.shutdown().await;
        }
    }
}

/// What a process was told of its client at the start of a legacy session.
fn told_at_start(seen: &[Value]) -> Vec<Value> {
    let told = of_method(seen, "initialize").into_iter();
    told.map(|one| one["params"]["capabilities"].clone())
        .collect()
}

/// Everything that a process was told of clients.
fn told_capabilities(seen: &[Value]) -> Vec<Value> {
    let meta = "/params/_meta/io.modelcontextprotocol~1clientCapabilities";
    let told = |one: &Value| {
        let at_start = (one["method"] == "initialize").then(|| &one["params"]["capabilities"]);
        at_start.or_else(|| one.pointer(meta)).cloned()
    };
    seen.iter().filter_map(told).collect()
}

#[tokio::test]
async fn without_a_client_nothing_is_declared_and_nobody_is_asked() {
    for era in ERAS {
        let world = up(scripted(era)).await;
        let script = steps("k", &[&[&asks(era, "roots/list", "{}")], &[SAID]]);
        let answer = call(&world, script, travel()).await;
        let expected = match era {
            "modern" => expect![
                "refused tool_error: the tool asked for input that its caller did not give: the client did not declare that it can answer `roots/list`"
            ],
            _ => expect![[
                r#"answered failed=false {"content":[],"said":{"code":-32601,"message":"method not found"}}"#
            ]],
        };
        expected.assert_eq(&answer);
        let nobody = Arc::new(Client::new(&json!({}), |_| Said::Never));
        let told = told_capabilities(&seen(&world, &nobody).await);
        assert!(told.iter().all(|told| *told == json!({})), "{told:?}");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn what_the_operator_has_a_server_told_is_answered_by_nobody() {
    let world = up(SourceConfig {
        client: ClientScope {
            assumed: true,
            sampling: false,
            ..ClientScope::default()
        },
        ..scripted("legacy")
    })
    .await;
    let question = asks("legacy", "elicitation/create", FORM);
    let script = steps("k", &[&[&question], &[SAID]]);
    let nothing = answering(&json!({}));
    let answer = call(&world, script, nothing.travel()).await;
    expect![[
        r#"answered failed=false {"content":[],"said":{"code":-32601,"message":"method not found"}}"#
    ]]
    .assert_eq(&answer);
    assert_eq!(
        told_at_start(&seen(&world, &nothing).await),
        [json!({"elicitation": {}, "roots": {}})]
    );
    // Whose client can be asked has a conversation of its own, told what that client declared.
    let forms = answering(&json!({"elicitation": {}}));
    let answer = call(&world, steps("k", &[&[&question], &[SAID]]), forms.travel()).await;
    assert!(answer.contains("accept"), "{answer}");
    assert_eq!(
        told_at_start(&seen(&world, &forms).await),
        [json!({"elicitation": {}})]
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn why_there_is_no_answer_is_told() {
    type Case = (fn() -> Said, [Expect; 2]);
    let cases: [Case; 3] = [
        (
            || Said::Fails(Unanswered::Gone),
            [
                expect![
                    "refused tool_error: the tool asked for input that its caller did not give: the client is gone"
                ],
                expect![[
                    r#"answered failed=false {"content":[],"said":{"code":-32603,"message":"the client is gone"}}"#
                ]],
            ],
        ),
        (
            || Said::Fails(Unanswered::Forbidden("denied by r2".to_owned())),
            [
                expect![
                    "refused tool_error: the tool asked for input that its caller did not give: the call is not allowed any more: denied by r2"
                ],
                expect![[
                    r#"answered failed=false {"content":[],"said":{"code":-32603,"message":"the call is not allowed any more: denied by r2"}}"#
                ]],
            ],
        ),
        (
            || Said::Error(r#"{"code":-1,"message":"user rejected","data":{"z":1.50}}"#),
            [
                expect![[
                    r#"refused tool_error: the tool asked for input that its caller did not give: it answered `k` with an error: {"code":-1,"message":"user rejected","data":{"z":1.50}}"#
                ]],
                expect![[
                    r#"answered failed=false {"content":[],"said":{"code":-1,"message":"user rejected","data":{"z":1.50}}}"#
                ]],
            ],
        ),
    ];
    for (said, expected) in cases {
        for (era, expected) in ERAS.into_iter().zip(expected) {
            let world = up(scripted(era)).await;
            let client = Arc::new(Client::new(&json!({"elicitation": {}}), move |_| said()));
            let script = steps("k", &[&[&asks(era, "elicitation/create", FORM)], &[SAID]]);
            expected.assert_eq(&call(&world, script, client.travel()).await);
            world.sources.shutdown().await;
        }
    }
}

#[tokio::test]
async fn a_server_that_asks_for_ever_is_left() {
    let world = up(scripted("modern")).await;
    let client = answering(&json!({"elicitation": {}}));
    let script = steps("k", &[&[&asks("modern", "elicitation/create", FORM)]]);
    let answer = call(&world, script, client.travel()).await;
    expect!["refused tool_error: the tool asked for input that its caller did not give: it asked more than 10 times"].assert_eq(&answer);
    assert_eq!(client.noted().len(), 10);
    assert_eq!(scripts(&seen(&world, &client).await).len(), 11);
    world.sources.shutdown().await;

    let world = up(scripted("legacy")).await;
    // Each answer brings the next question; the sixty-fifth is refused, and so on for ever.
    let script = steps("k", &[&[&asks("legacy", "elicitation/create", FORM)]]);
    let dispatch = world.dispatch("f.script", script, client.travel());
    let calling = world.sources.call(dispatch);
    let (answer, ()) = tokio::join!(calling, async {
        world.until(|| client.noted().len() == 10 + 64).await;
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(Duration::from_secs(60));
    });
    expect!["lost Timeout: no answer in time (1m)"].assert_eq(&shown(&answer));
    assert_eq!(client.noted().len(), 10 + 64);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_server_that_wants_only_to_be_asked_again_is_asked_less_and_less_often() {
    let world = up(scripted("modern")).await;
    let again = result(r#"{"resultType":"input_required","requestState":"s-2"}"#);
    let script = steps("k", &[&[&again], &[&again], &[SAID]]);
    let client = answering(&json!({}));
    let calling = call(&world, script, client.travel());
    let (answer, ()) = tokio::join!(calling, async {
        world.pass(Duration::from_millis(100)).await;
        world.pass(Duration::from_millis(200)).await;
    });
    expect![[r#"answered failed=false {"content":[],"said":[null,"s-2"]}"#]].assert_eq(&answer);
    assert_eq!(client.noted(), [""; 0]);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn the_deadline_stands_still_while_the_client_is_asked_but_not_for_ever() {
    for era in ERAS {
        let world = up(scripted(era)).await;
        let client = Client::new(&json!({"elicitation": {}}), |_| Said::Never);
        let client = Arc::new(client);
        let script = steps("k", &[&[&asks(era, "elicitation/create", FORM)], &[SAID]]);
        let calling = call(&world, script, client.travel());
        let (answer, ()) = tokio::join!(calling, async {
            world.until(|| client.noted().len() == 1).await;
            for _ in 0..59 {
                world.clock.advance(Duration::from_secs(60));
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }
            // Its own minute is long over, and nobody gave it up: that happens here.
            world.pass(Duration::from_secs(60)).await;
        });
        let expected = match era {
            "modern" => expect![
                "refused tool_error: the tool asked for input that its caller did not give: nobody answered in time"
            ],
            _ => expect!["lost Timeout: no answer in time (1m)"],
        };
        expected.assert_eq(&answer);
        let seen = seen(&world, &client).await;
        let cancelled = of_method(&seen, "notifications/cancelled").len();
        assert_eq!(cancelled, usize::from(era == "legacy"), "{era}");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_caller_may_give_up_while_it_is_asked() {
    for era in ERAS {
        let world = up(scripted(era)).await;
        let client = Client::new(&json!({"elicitation": {}}), |_| Said::Never);
        let client = Arc::new(client);
        let (give_up, given_up) = oneshot::channel::<()>();
        let travel = Travel {
            cancelled: Box::pin(async move {
                let _ = given_up.await;
            }),
            ..client.travel()
        };
        let script = steps("k", &[&[&asks(era, "elicitation/create", FORM)], &[SAID]]);
        let (answer, ()) = tokio::join!(call(&world, script, travel), async {
            world.until(|| client.noted().len() == 1).await;
            give_up.send(()).unwrap();
        });
        let expected = match era {
            // Its last word was a question: nothing is under way.
            "modern" => expect![
                "refused tool_error: the tool asked for input that its caller did not give: the caller gave up"
            ],
            _ => expect!["lost Cancelled: the caller gave up (1m)"],
        };
        expected.assert_eq(&answer);
        let seen = seen(&world, &client).await;
        assert_eq!(scripts(&seen).len(), 1, "{era}");
        let cancelled = of_method(&seen, "notifications/cancelled").len();
        assert_eq!(cancelled, usize::from(era == "legacy"), "{era}");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn what_a_server_wants_must_be_readable() {
    let cases = [
        (r#""inputRequests":[]"#, "what it wants cannot be read"),
        (r#""inputRequests":{"k":7}"#, "what it wants cannot be read"),
        (
            r#""inputRequests":{"k":{"params":{}}}"#,
            "what it wants cannot be read",
        ),
        (r#""requestState":7"#, "what it wants cannot be read"),
        (
            r#""inputRequests":{}"#,
            "it wants input, and does not say which",
        ),
        (
            r#""inputRequests":{"k":{"method":"roots/list"},"k":{"method":"roots/list"}}"#,
            "the key `k` stands twice",
        ),
    ];
    let world = up(scripted("modern")).await;
    let client = answering(&json!({"roots": {}}));
    for (position, (members, why)) in cases.into_iter().enumerate() {
        let line = result(&format!(r#"{{"resultType":"input_required",{members}}}"#));
        let script = steps(&format!("c{position}"), &[&[&line]]);
        let answer = call(&world, script, client.travel()).await;
        let broken = "lost Ambiguous: invalid_result: its answer breaks the protocol: ";
        assert!(
            answer.starts_with(broken) && answer.contains(why),
            "{answer}"
        );
    }
    let many: Vec<String> = (0..17)
        .map(|n| format!(r#""k{n}":{{"method":"roots/list"}}"#))
        .collect();
    let many = format!(
        r#"{{"resultType":"input_required","inputRequests":{{{}}}}}"#,
        many.join(",")
    );
    let script = steps("many", &[&[&result(&many)]]);
    let answer = call(&world, script, client.travel()).await;
    assert!(
        answer.ends_with("it asks more than 16 things at once"),
        "{answer}"
    );
    assert_eq!(client.noted(), [""; 0]);
    world.sources.shutdown().await;
}

fn log(level: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":1e2}}}}"#
    )
}

#[tokio::test]
async fn what_a_server_logs_reaches_those_who_want_it() {
    for era in ERAS {
        let world = up(scripted(era)).await;
        let lines = [log("info"), log("warning"), log("error"), log("loud")];
        let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines.push(SAID);
        let client = Client::new(&json!({}), |_| Said::Never).hears("warning");
        let client = Arc::new(client);
        call(&world, steps("a", &[&lines]), client.travel()).await;
        let told =
            |level| format!(r#"told notifications/message {{"level":"{level}","data":1e2}}"#);
        assert_eq!(client.noted(), [told("warning"), told("error")], "{era}");
        let deaf = answering(&json!({}));
        call(&world, steps("b", &[&lines]), deaf.travel()).await;
        assert_eq!(deaf.noted(), [""; 0], "{era}");
        let curious = Arc::new(Client::new(&json!({}), |_| Said::Never).hears("debug"));
        call(&world, steps("c", &[&lines]), curious.travel()).await;
        call(&world, steps("d", &[&lines]), client.travel()).await;
        assert_eq!(curious.noted().len(), 3, "{era}");
        let seen = seen(&world, &deaf).await;
        let levels: Vec<_> = of_method(&seen, "logging/setLevel")
            .into_iter()
            .map(|one| one["params"]["level"].clone())
            .collect();
        match era {
            "modern" => {
                assert!(levels.is_empty());
                let key = "io.modelcontextprotocol/logLevel";
                let told: Vec<_> = scripts(&seen)
                    .into_iter()
                    .map(|call| call["params"]["_meta"].get(key).cloned())
                    .collect();
                let level = |name: &str| Some(json!(name));
                assert_eq!(
                    told,
                    [level("warning"), None, level("debug"), level("warning")]
                );
            }
            _ => assert_eq!(levels, ["warning", "debug"]),
        }
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn one_principals_conversation_is_nobody_elses() {
    for era in ERAS {
        let world = up(scripted(era)).await;
        let can = json!({"elicitation": {}});
        let silent = Arc::new(Client::new(&can, |_| Said::Never).hears("debug"));
        let (give_up, given_up) = oneshot::channel::<()>();
        let first = Travel {
            cancelled: Box::pin(async move {
                let _ = given_up.await;
            }),
            ..silent.travel()
        };
        // The first one's call stays under way, unasked; the second one's asks and logs.
        let waiting = call_of("ana_agent", &world, steps("w", &[&[]]), first);
        let other =
            Arc::new(Client::new(&can, |_| Said::Result(r#"{"action":"accept"}"#)).hears("debug"));
        let question = asks(era, "elicitation/create", FORM);
        let info = log("info");
        let second = async {
            let script = steps("k", &[&[&info, &question], &[&info, SAID]]);
            let answer = call_of("bob_agent", &world, script, other.travel()).await;
            give_up.send(()).unwrap();
            answer
        };
        let (_, answer) = tokio::join!(waiting, second);
        assert!(answer.starts_with("answered"), "{answer}");
        assert_eq!(silent.noted(), [""; 0], "{era}");
        let asked = other
            .noted()
            .iter()
            .filter(|it| it.starts_with("asked"))
            .count();
        assert_eq!(asked, 1, "{era}");
        // A modern server has one process for both, and does not say whose its messages are.
        let logged = other
            .noted()
            .iter()
            .filter(|it| it.starts_with("told"))
            .count();
        assert_eq!(logged, if era == "modern" { 0 } else { 2 }, "{era}");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn with_isolation_each_principal_has_a_process_of_its_own() {
    for (era, isolation) in ERAS
        .into_iter()
        .flat_map(|era| [(era, Isolation::Principal), (era, Isolation::Shared)])
    {
        let world = up(SourceConfig {
            isolation,
            ..scripted(era)
        })
        .await;
        let mut counts = Vec::new();
        for agent in ["ana_agent", "bob_agent", "ana_agent"] {
            let dispatch = world.dispatch_of(agent, "f.seen", json!({}), travel());
            let Answer::Answered { result, .. } = world.sources.call(dispatch).await else {
                panic!("not answered")
            };
            let result: Value = serde_json::from_str(result.get()).unwrap();
            let seen = result["seen"].as_array().unwrap().clone();
            counts.push(of_method(&seen, "tools/call").len());
        }
        let expected = match isolation {
            Isolation::Principal => [1, 1, 2],
            Isolation::Shared => [1, 2, 3],
        };
        assert_eq!(counts, expected, "{era}");
        world.sources.shutdown().await;
    }
}
