//! Sources over stdio, against a real process that does whatever is wrong.
//!
//! Each fault costs at most its own call or its own source; the gate goes on. The server is
//! `tests/common/fault_server.rs`; time is in the test's hands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod common;

use common::{World, faulty, shown, source, travel, travel_with_progress};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use toolgate_gate::permit::Travel;
use toolgate_gate::port::{Answer, Tools};
use toolgate_model::{Duration, Risk, SourceHealth};
use toolgate_tools::{Overrides, Secret, SourceKind, ToolOverride};

const SECOND: Duration = Duration::from_secs(1);

/// How long a process may take to leave by itself.
const LEAVE: Duration = Duration::from_secs(2);

/// Both eras must behave alike.
const ERAS: [&str; 2] = ["modern", "legacy"];

async fn up(words: &[&str]) -> World {
    let world = World::start(vec![faulty("f", words)]);
    world.settled().await;
    assert_eq!(world.health("f"), SourceHealth::Up, "{}", world.detail("f"));
    world
}

fn answered(answer: Answer) -> Value {
    match answer {
        Answer::Answered { result, .. } => serde_json::from_str(result.get()).unwrap(),
        other => panic!("{}", shown(&other)),
    }
}

/// The messages that the server has seen, by method.
async fn seen(world: &World) -> Vec<Value> {
    let dispatch = world.dispatch("f.seen", json!({}), travel());
    let result = answered(world.sources.call(dispatch).await);
    result["seen"].as_array().unwrap().clone()
}

fn methods(seen: &[Value]) -> Vec<&str> {
    seen.iter()
        .map(|message| message["method"].as_str().unwrap_or("(reply)"))
        .collect()
}

#[tokio::test]
async fn a_call_carries_exactly_what_it_should() {
    for (era, expected) in [
        (
            "modern",
            expect![[r#"
        {
          "name": "echo",
          "arguments": {
            "z": 1,
            "a": [
              {
                "n": 0.1
              }
            ]
          },
          "_meta": {
            "traceparent": "00-1-2-01",
            "dev.toolgate/idempotency-key": "inv_00000000000073038303030303030303",
            "dev.toolgate/invocation-id": "inv_00000000000073038303030303030303",
            "progressToken": null,
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {
              "name": "toolgate",
              "version": "0.1.0"
            }
          }
        }"#]],
        ),
        (
            "legacy",
            expect![[r#"
        {
          "name": "echo",
          "arguments": {
            "z": 1,
            "a": [
              {
                "n": 0.1
              }
            ]
          },
          "_meta": {
            "traceparent": "00-1-2-01",
            "dev.toolgate/idempotency-key": "inv_00000000000073038303030303030303",
            "dev.toolgate/invocation-id": "inv_00000000000073038303030303030303",
            "progressToken": null
          }
        }"#]],
        ),
    ] {
        let world = up(&[era]).await;
        let meta = json!({
            "traceparent": "00-1-2-01",
            "progressToken": "the caller's own",
            "io.modelcontextprotocol/protocolVersion": "1999-01-01",
            "dev.toolgate/idempotency-key": "forged",
        });
        let Value::Object(meta) = meta else { panic!() };
        let (with_progress, _progress) = travel_with_progress();
        let travel = Travel {
            meta,
            ..with_progress
        };
        let arguments = json!({"z": 1, "a": [{"n": 0.10}]});
        let dispatch = world.dispatch("f.echo", arguments, travel);
        let mut params = answered(world.sources.call(dispatch).await)["params"].take();
        // The number of the request, of which there may have been one more or less before.
        assert!(params["_meta"]["progressToken"].take().is_u64());
        expected.assert_eq(&serde_json::to_string_pretty(&params).unwrap());
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn results_travel_as_raw_text() {
    let world = up(&["modern"]).await;
    let line = r#"{"result":{"z":1,"a":1e2,"n":123456789012345678901234567890.10,"content":[{"type":"hologram","x":null}]},"jsonrpc":"2.0","id":ID}"#;
    let answer = world.call("f.print", json!({"lines": [line]})).await;
    expect![[r#"answered failed=false {"z":1,"a":1e2,"n":123456789012345678901234567890.10,"content":[{"type":"hologram","x":null}]}"#]].assert_eq(&answer);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn odd_answers_are_told_apart() {
    async fn check(world: &World, lines: &[&str], expected: &Expect) {
        let answer = world.call("f.print", json!({"lines": lines})).await;
        expected.assert_eq(&answer);
    }
    let cases: [(&[&str], Expect); 7] = [
        (
            &[r#"{"jsonrpc":"2.0","id":ID,"result":"done"}"#],
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: its result is no object"
            ],
        ),
        (
            &[r#"{"jsonrpc":"2.0","id":ID}"#],
            expect![
                "lost Ambiguous: invalid_result: its answer breaks the protocol: neither a result nor an error"
            ],
        ),
        (
            &[r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"boom"}}"#],
            expect!["lost Ambiguous: it answered with error -32603: boom"],
        ),
        (
            &[r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"no such charge"}}"#],
            expect!["refused tool_error: the tool's server refused the call: no such charge"],
        ),
        (
            &[r#"{"jsonrpc":"2.0","id":ID,"result":{"isError":true,"content":[]}}"#],
            expect![[r#"answered failed=true {"isError":true,"content":[]}"#]],
        ),
        // Garbage, somebody else's answer and a half-closed one before; a second answer after.
        (
            &[
                "Traceback (most recent call last):",
                r#"{"jsonrpc":"2.0","id":4040,"result":{"for":"nobody"}}"#,
                r#"{"jsonrpc":"2.0","id":ID,"result":{"content":["#,
                r#"{"jsonrpc":"2.0","id":ID,"result":{"the":"first"}}"#,
                r#"{"jsonrpc":"2.0","id":ID,"result":{"the":"second"}}"#,
            ],
            expect![[r#"answered failed=false {"the":"first"}"#]],
        ),
        (
            &[
                r#"[{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":ID,"result":{"in":"a batch"}}]"#,
            ],
            expect![[r#"answered failed=false {"in":"a batch"}"#]],
        ),
    ];
    for era in ERAS {
        let world = up(&[era, "litter"]).await;
        for (lines, expected) in &cases {
            check(&world, lines, expected).await;
        }
        assert_eq!(world.health("f"), SourceHealth::Up);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_tool_that_is_gone_is_refused() {
    let world = up(&["modern"]).await;
    let dispatch = world.dispatch("f.echo", json!({}), travel());
    drop(dispatch);
    let catalogue = world.sources.catalogue();
    assert!(catalogue.get(&"f.echo".parse().unwrap()).is_some());
    assert_eq!(
        catalogue.by_wire_name("f__echo").unwrap().version,
        "7.1",
        "the server's own version"
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn no_answer_in_time_is_a_lost_answer_and_the_server_is_told() {
    for era in ERAS {
        let world = up(&[era]).await;
        let (travel, mut progress) = travel_with_progress();
        let call = world
            .sources
            .call(world.dispatch("f.hang", json!({}), travel));
        let (answer, report) = tokio::join!(call, async {
            let report = progress.recv().await.unwrap();
            world.clock.advance(Duration::from_secs(60));
            report
        });
        assert_eq!(report["message"], "working");
        assert_eq!(shown(&answer), "lost Timeout: no answer in time (1m)");
        let seen = seen(&world).await;
        let call = seen.iter().find(|m| m["params"]["name"] == "hang").unwrap();
        let told = seen
            .iter()
            .find(|m| m["method"] == "notifications/cancelled")
            .unwrap();
        assert_eq!(told["params"]["requestId"], call["id"]);
        assert_eq!(report["progressToken"], call["id"]);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_a_lost_answer() {
    let world = up(&["legacy"]).await;
    let (travel, mut progress) = travel_with_progress();
    let (give_up, cancelled) = oneshot::channel::<()>();
    let travel = Travel {
        cancelled: Box::pin(async move {
            let _ = cancelled.await;
        }),
        ..travel
    };
    let call = world
        .sources
        .call(world.dispatch("f.hang", json!({}), travel));
    let (answer, ()) = tokio::join!(call, async {
        progress.recv().await.unwrap();
        give_up.send(()).unwrap();
    });
    assert_eq!(shown(&answer), "lost Cancelled: the caller gave up (1m)");
    assert!(methods(&seen(&world).await).contains(&"notifications/cancelled"));
    world.sources.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_is_already_there_wins_over_giving_up() {
    // Both come in one line: the caller gives up on the progress, and the answer is there too.
    let line = r#"[{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":ID}},{"jsonrpc":"2.0","id":ID,"result":{"just":"in time"}}]"#;
    let world = up(&["legacy"]).await;
    for _ in 0..20 {
        let (give_up, cancelled) = oneshot::channel::<()>();
        let give_up = std::sync::Mutex::new(Some(give_up));
        let sink = move |_: Value| {
            let sender = give_up.lock().unwrap().take();
            sender.unwrap().send(()).unwrap();
        };
        let travel = Travel {
            progress: Some(std::sync::Arc::new(sink)),
            cancelled: Box::pin(async move {
                cancelled.await.unwrap();
            }),
            ..travel()
        };
        let dispatch = world.dispatch("f.print", json!({"lines": [line]}), travel);
        let answer = shown(&world.sources.call(dispatch).await);
        assert_eq!(answer, r#"answered failed=false {"just":"in time"}"#);
    }
    world.sources.shutdown().await;
}

#[tokio::test]
async fn progress_is_asked_for_only_where_somebody_listens() {
    let world = up(&["modern"]).await;
    let silent = world.dispatch("f.echo", json!({}), travel());
    let params = answered(world.sources.call(silent).await)["params"].clone();
    assert!(params["_meta"].get("progressToken").is_none());
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_death_in_the_middle_of_a_call_loses_its_answer_and_the_next_call_is_served() {
    for (tool, expected) in [
        (
            "f.die",
            expect!["lost Disconnected: its process ended: exit status: 9"],
        ),
        (
            "f.half",
            expect!["lost Disconnected: its process ended: exit status: 1"],
        ),
        // Its braces close, so it is whole.
        ("f.last", expect![[r#"answered failed=false {"last":1}"#]]),
    ] {
        let world = up(&["legacy"]).await;
        let answer = world.call(tool, json!({})).await;
        expected.assert_eq(&answer);
        let mut next = world.call("f.echo", json!({})).await;
        // A whole answer may be there before the death is noticed, which the next call then meets.
        if tool == "f.last" && next.ends_with("its process ended: exit status: 0") {
            next = world.call("f.echo", json!({})).await;
        }
        assert!(next.starts_with("answered"), "{next}");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_server_that_keeps_dying_is_down_and_comes_back() {
    let world = up(&["legacy"]).await;
    world.call("f.die", json!({})).await;
    world.settled().await;
    world.call("f.die", json!({})).await;
    world
        .until(|| world.health("f") == SourceHealth::Down)
        .await;
    let refused = world.call("f.echo", json!({})).await;
    expect!["refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: its process ended: exit status: 9; its last words were `out of memory`"].assert_eq(&refused);
    let tools = world.sources.catalogue().len();
    assert_eq!(tools, 12, "its tools stay known");
    world.pass(SECOND).await;
    world.until(|| world.health("f") == SourceHealth::Up).await;
    let next = world.call("f.echo", json!({})).await;
    assert!(next.starts_with("answered"), "{next}");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn what_cannot_start_says_why_and_costs_no_other_source() {
    let missing = SourceKind::Stdio {
        command: vec!["/no/such/program".to_owned()],
        env: BTreeMap::new(),
        cwd: None,
    };
    let world = World::start(vec![
        source("missing", missing),
        faulty("crash", &["crash"]),
        faulty("noise", &["noise"]),
        faulty("future", &["future"]),
        faulty("f", &["modern"]),
        faulty("f", &["modern"]),
    ]);
    world.settled().await;
    let lines: Vec<String> = world
        .sources
        .sources()
        .into_iter()
        .map(|one| {
            let detail = one.detail.unwrap_or_default();
            // How many lines were read before the end is up to the machine.
            let detail = detail.replace(|c: char| c.is_ascii_digit(), "9");
            format!(
                "{} {} {:?} {}: {detail}",
                one.name, one.kind, one.health, one.tools
            )
        })
        .collect();
    expect![[r#"
        crash mcp-stdio Down 0: its process ended: exit status: 9; its last words were `no configuration found`
        f mcp-stdio Up 12: 
        f mcp-stdio Down 0: the name is taken by an earlier source; choose another
        future mcp-stdio Down 0: it speaks only MCP 9999-99-99, and the gate 9999-99-99 and 9999-99-99, 9999-99-99, 9999-99-99, 9999-99-99
        missing mcp-stdio Down 0: `/no/such/program` could not be started: No such file or directory (os error 9); is it installed?
        noise mcp-stdio Down 0: 9999 lines on its output were not MCP, the first `DEBUG: not a protocol`"#]].assert_eq(&lines.join("\n"));
    let answer = world.call("f.echo", json!({})).await;
    assert!(answer.starts_with("answered"), "{answer}");
    world.sources.shutdown().await;
}

#[tokio::test]
async fn an_old_server_that_leaves_on_the_probe_is_met_with_a_handshake() {
    let world = up(&["legacy", "leaves"]).await;
    assert_eq!(
        methods(&seen(&world).await)[..2],
        ["initialize", "notifications/initialized"]
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_server_that_answers_no_probe_is_met_with_a_handshake() {
    let world = World::start(vec![faulty("f", &["legacy", "mute"])]);
    world.pass(Duration::from_secs(10)).await;
    world.settled().await;
    assert_eq!(
        methods(&seen(&world).await)[..2],
        ["server/discover", "initialize"]
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_changed_list_makes_another_catalogue() {
    for era in ERAS {
        let mut world = up(&[era]).await;
        assert_eq!(world.changes.recv().await.unwrap().len(), 12);
        // The modern server tells only whoever listens: wait until it knows that we do.
        while era == "modern" && !methods(&seen(&world).await).contains(&"subscriptions/listen") {}
        world.call("f.grow", json!({})).await;
        let names = world.changes.recv().await.unwrap();
        assert!(names.contains(&"f__grown_1".to_owned()), "{names:?}");
        let seen = seen(&world).await;
        let listens = methods(&seen).contains(&"subscriptions/listen");
        assert_eq!(listens, era == "modern", "a legacy server is not asked");
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_list_without_end_is_cut() {
    for (fault, expected) in [
        (
            "endless",
            expect!["111 tools; its list of tools has more than 100 pages"],
        ),
        (
            "circle",
            expect!["14 tools; its list of tools goes in a circle"],
        ),
    ] {
        let world = up(&["modern", fault]).await;
        let told = format!(
            "{} tools; {}",
            world.sources.catalogue().len(),
            world.detail("f")
        );
        expected.assert_eq(&told);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn requests_of_the_server_are_answered_and_nothing_is_served() {
    let world = up(&["legacy"]).await;
    world.call("f.ask", json!({})).await;
    let mut replies = Vec::new();
    while replies.len() < 2 {
        let all = seen(&world).await;
        replies = all
            .into_iter()
            .filter(|m| m.get("method").is_none())
            .collect();
    }
    let lines: Vec<String> = replies.iter().map(Value::to_string).collect();
    expect![[r#"
        {"jsonrpc":"2.0","id":"q1","result":{}}
        {"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"method not found"}}"#]]
    .assert_eq(&lines.join("\n"));
    world.sources.shutdown().await;
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_told_at_once() {
    let world = up(&["modern"]).await;
    while !methods(&seen(&world).await).contains(&"subscriptions/listen") {}
    let answer = world.call("f.huge", json!({})).await;
    expect!["lost Ambiguous: invalid_result: its answer breaks the protocol: its answer is longer than the 262144 bytes allowed"].assert_eq(&answer);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_request_that_was_taken_back_is_never_written() {
    let world = up(&["legacy"]).await;
    let directory = tempfile::tempdir().unwrap();
    let wake = directory.path().join("wake");
    let (travel, mut progress) = travel_with_progress();
    let dozing = world.dispatch("f.doze", json!({"file": wake}), travel);
    let dozing = world.sources.call(dozing);
    let mut dozing = std::pin::pin!(dozing);
    tokio::select! {
        _ = &mut dozing => panic!("it answered"),
        _ = progress.recv() => {}
    }
    // More than a pipe holds: the first stops halfway, the second waits behind it.
    let echo = |x: String| world.dispatch("f.echo", json!({"x": x}), common::travel());
    let first = world.sources.call(echo("y".repeat(200 << 10)));
    let second = world.sources.call(echo("second".to_owned()));
    let (dozing, first, second, ()) = tokio::join!(dozing, first, second, async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(Duration::from_secs(60));
    });
    let lines = [shown(&dozing), shown(&first), shown(&second)];
    expect![[r#"
        lost Timeout: no answer in time (1m)
        lost Timeout: no answer in time (1m)
        refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: no answer in time while it waited to be sent"#]]
    .assert_eq(&lines.join("\n"));
    std::fs::write(&wake, "").unwrap();
    let seen = seen(&world).await;
    let calls = seen
        .iter()
        .filter(|message| message["method"] == "tools/call");
    let names: Vec<&str> = calls
        .map(|call| call["params"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["doze", "echo", "seen"],
        "the second echo was never sent"
    );
    world.sources.shutdown().await;
}

#[tokio::test]
async fn the_operators_word_reaches_the_catalogue() {
    let stated = ToolOverride {
        risk: Some(Risk::Low),
        ..ToolOverride::default()
    };
    let overrides = Overrides::from([("f.hang".parse().unwrap(), stated)]);
    let world = World::start_with(vec![faulty("f", &["modern"])], overrides);
    world.settled().await;
    let catalogue = world.sources.catalogue();
    let risk = |name: &str| catalogue.by_wire_name(name).unwrap().risk;
    assert_eq!((risk("f__hang"), risk("f__half")), (Risk::Low, Risk::High));
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_child_sees_its_own_environment_only() {
    let server = faulty("f", &["modern"]);
    let SourceKind::Stdio { command, cwd, .. } = server.kind.clone() else {
        panic!()
    };
    let env = BTreeMap::from([("TOKEN".to_owned(), Secret::new("hers"))]);
    let kind = SourceKind::Stdio { command, env, cwd };
    let world = World::start(vec![source("f", kind)]);
    world.settled().await;
    let answer = world.call("f.environment", json!({})).await;
    expect![[r#"answered failed=false {"content":[],"environment":{"PATH":"/usr/bin:/bin","TOKEN":"hers"}}"#]].assert_eq(&answer);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_child_that_stays_is_ended() {
    let world = up(&["legacy", "stubborn"]).await;
    tokio::join!(world.sources.shutdown(), world.pass(LEAVE));
    assert_eq!(world.health("f"), SourceHealth::Down);
    assert_eq!(world.detail("f"), "the gate is stopping");
}

#[tokio::test]
async fn tools_that_cannot_be_described_are_left_out_with_a_reason() {
    let world = up(&["modern", "odd"]).await;
    let lines: Vec<String> = world
        .sources
        .unavailable()
        .into_iter()
        .map(|one| format!("{}/{}: {}", one.source, one.tool, one.reason))
        .collect();
    expect![[r#"
        f/echo: an earlier tool has the id `f.echo`
        f/: it has no name
        f/number 15: it has no name
        f/wordy: its `description` has 20000 bytes, more than the 16384 allowed
        f/listed: its `inputSchema` is no object
        f/number 18: it has no name"#]]
    .assert_eq(&lines.join("\n"));
    let catalogue = world.sources.catalogue();
    let named = catalogue
        .iter()
        .find(|tool| tool.id.as_str().contains("ber"));
    expect![[r#"Some((f._ber_ma_-f7fd16fd, "f___ber_ma_-f7fd16fd"))"#]]
        .assert_eq(&format!("{:?}", named.map(|t| (&t.id, &t.wire_name))));
    world.sources.shutdown().await;
}
