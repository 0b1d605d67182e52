//! What a server asks and tells the client behind a call over streamable HTTP, and the sessions
//! that single principals get there.
//!
//! Over HTTP a question belongs to the call on whose stream it came; the server's every answer is
//! the test's, and so is time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

#[path = "common/client.rs"]
mod client;
mod common;
#[path = "common/web.rs"]
mod web;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use client::{Client, Said};
use common::{World, shown, source, travel};
use expect_test::expect;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use toolgate_gate::permit::Travel;
use toolgate_gate::port::Tools;
use toolgate_model::{Duration, SourceHealth};
use toolgate_tools::{Isolation, SourceConfig, SourceKind};
use web::{Asked, Given, Web};

fn at(web: &Web) -> SourceConfig {
    let kind = SourceKind::Http {
        url: web.url.clone(),
        bearer: None,
        headers: BTreeMap::new(),
    };
    source("h", kind)
}

async fn up(config: SourceConfig) -> World {
    let world = World::start(vec![config]);
    world.settled().await;
    assert_eq!(world.health("h"), SourceHealth::Up, "{}", world.detail("h"));
    world
}

async fn call_of(agent: &str, world: &World, number: u64, travel: Travel) -> String {
    let arguments = json!({"n": number});
    let dispatch = world.dispatch_of(agent, "h.do", arguments, travel);
    shown(&world.sources.call(dispatch).await)
}

/// The request whose stream it is, and where its events go.
type Stream = (Value, UnboundedSender<String>);

/// A legacy server that gives each `initialize` a session of its own, named by a number, and keeps
/// what it was told there.
#[derive(Clone, Default)]
struct Legacy {
    sessions: Arc<AtomicUsize>,
    /// The streams of calls under way, by their argument; number 0 is a session's own stream.
    streams: Arc<Mutex<BTreeMap<u64, Stream>>>,
    /// The client's answers: the session that they came in, and what they say.
    answers: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Legacy {
    fn serve(&self, asked: &Asked) -> Given {
        let session = asked.header("mcp-session-id").to_owned();
        match (asked.http_method.as_str(), asked.method()) {
            ("DELETE", _) => Given::empty(200),
            ("GET", _) if session == "1" => Given::empty(405),
            ("GET", _) => self.stream(0, &Value::Null),
            (_, "server/discover") => Given::json(
                400,
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"}}"#,
            ),
            (_, "initialize") => {
                let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
                let result = json!({"protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}}, "serverInfo": {"name": "l", "version": "1"}});
                asked
                    .result(&result)
                    .with("Mcp-Session-Id", &number.to_string())
            }
            (_, "tools/list") => asked.result(&json!({"tools": [
                {"name": "do", "inputSchema": {"type": "object"}},
            ]})),
            (_, "tools/call") => match asked.body["params"]["arguments"]["n"].as_u64() {
                Some(0) | None => asked.result(&json!({"session": session})),
                Some(number) => self.stream(number, &asked.body["id"]),
            },
            (_, "") => {
                self.answers
                    .lock()
                    .unwrap()
                    .push((session, asked.body.clone()));
                Given::empty(202)
            }
            _ => Given::empty(202),
        }
    }

    fn stream(&self, number: u64, id: &Value) -> Given {
        let (sender, receiver) = unbounded_channel();
        let mut streams = self.streams.lock().unwrap();
        streams.insert(number, (id.clone(), sender));
        Given::Talk(Vec::new(), receiver)
    }

    fn has_stream(&self, number: u64) -> bool {
        self.streams.lock().unwrap().contains_key(&number)
    }

    /// Asks on the stream of this call.
    fn ask(&self, number: u64, id: &str) {
        let line = json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create",
            "params": {"message": "who?"}});
        let streams = self.streams.lock().unwrap();
        streams[&number].1.send(line.to_string()).unwrap();
    }

    /// Answers this call.
    fn end(&self, number: u64) {
        let (id, sender) = self.streams.lock().unwrap().remove(&number).unwrap();
        let line = json!({"jsonrpc": "2.0", "id": id, "result": {"n": number}});
        sender.send(line.to_string()).unwrap();
    }

    fn answers(&self) -> Vec<(String, Value)> {
        self.answers.lock().unwrap().clone()
    }
}

fn filling_in(text: &'static str) -> Arc<Client> {
    let can = json!({"elicitation": {}});
    Arc::new(Client::new(&can, move |_| Said::Result(text)))
}

async fn legacy() -> (Legacy, Web) {
    let legacy = Legacy::default();
    let server = legacy.clone();
    let web = Web::serve(move |asked| server.serve(asked)).await;
    (legacy, web)
}

#[tokio::test]
async fn a_question_belongs_to_the_call_on_whose_stream_it_came() {
    let (legacy, web) = legacy().await;
    let world = up(at(&web)).await;
    let first = filling_in(r#"{"action":"accept","content":{"n":1}}"#);
    let second = filling_in(r#"{"action":"accept","content":{"n":2}}"#);
    let talk = async {
        world
            .until(|| legacy.has_stream(1) && legacy.has_stream(2))
            .await;
        legacy.ask(1, "q1");
        legacy.ask(2, "q2");
        world.until(|| legacy.answers().len() == 2).await;
        legacy.end(1);
        legacy.end(2);
    };
    let (one, two, ()) = tokio::join!(
        call_of("tester", &world, 1, first.travel()),
        call_of("tester", &world, 2, second.travel()),
        talk
    );
    assert_eq!(one, r#"answered failed=false {"n":1}"#);
    assert_eq!(two, r#"answered failed=false {"n":2}"#);
    let mut answers: Vec<String> = legacy
        .answers()
        .into_iter()
        .map(|(session, answer)| format!("{session} {answer}"))
        .collect();
    answers.sort();
    // Both in the one session of their own, and none in the first, in which the tools are listed.
    expect![[r#"
        2 {"jsonrpc":"2.0","id":"q1","result":{"action":"accept","content":{"n":1}}}
        2 {"jsonrpc":"2.0","id":"q2","result":{"action":"accept","content":{"n":2}}}"#]]
    .assert_eq(&answers.join("\n"));
    assert_eq!((first.noted().len(), second.noted().len()), (1, 1));
    world.sources.shutdown().await;
    let told: Vec<String> = web
        .asked()
        .iter()
        .filter(|asked| asked.method() == "initialize")
        .map(|asked| asked.body["params"]["capabilities"].to_string())
        .collect();
    assert_eq!(told, ["{}", r#"{"elicitation":{}}"#]);
    let closed: Vec<String> = web
        .asked()
        .iter()
        .filter(|asked| asked.http_method == "DELETE")
        .map(|asked| asked.header("mcp-session-id").to_owned())
        .collect();
    assert_eq!(closed.len(), 2, "both sessions are closed: {closed:?}");
}

#[tokio::test]
async fn a_question_on_the_sessions_own_stream_goes_to_its_newest_call() {
    let (legacy, web) = legacy().await;
    let world = up(at(&web)).await;
    let client = filling_in(r#"{"action":"decline"}"#);
    let talk = async {
        world
            .until(|| legacy.has_stream(1) && legacy.has_stream(0))
            .await;
        legacy.ask(0, "q");
        world.until(|| legacy.answers().len() == 1).await;
        legacy.end(1);
        // And with no call under way it is nobody's.
        world.until(|| !legacy.has_stream(1)).await;
    };
    let calling = call_of("tester", &world, 1, client.travel());
    let (answer, ()) = tokio::join!(calling, talk);
    assert_eq!(answer, r#"answered failed=false {"n":1}"#);
    legacy.ask(0, "late");
    world.until(|| legacy.answers().len() == 2).await;
    let answers: Vec<String> = legacy
        .answers()
        .into_iter()
        .map(|(session, answer)| format!("{session} {answer}"))
        .collect();
    expect![[r#"
        2 {"jsonrpc":"2.0","id":"q","result":{"action":"decline"}}
        2 {"jsonrpc":"2.0","id":"late","error":{"code":-32601,"message":"method not found"}}"#]]
    .assert_eq(&answers.join("\n"));
    assert_eq!(client.noted().len(), 1);
    world.sources.shutdown().await;
}

/// The session that a call of this agent goes through.
async fn session_of(agent: &str, world: &World, travel: Travel) -> String {
    call_of(agent, world, 0, travel).await
}

fn through(session: usize) -> String {
    format!(r#"answered failed=false {{"session":"{session}"}}"#)
}

#[tokio::test]
async fn a_session_belongs_to_one_principal_and_what_its_client_can_do() {
    let (legacy, web) = legacy().await;
    let world = up(at(&web)).await;
    let forms = filling_in("{}");
    let more = Arc::new(Client::new(
        &json!({"elicitation": {}, "roots": {}}),
        |_| Said::Never,
    ));
    let nothing = Arc::new(Client::new(&json!({"extensions": {}}), |_| Said::Never));
    let calls = [
        ("ana_agent", travel(), 1),
        ("ana_agent", nothing.travel(), 1),
        ("ana_agent", forms.travel(), 2),
        ("bob_agent", forms.travel(), 3),
        ("ana_agent", more.travel(), 4),
        ("ana_agent", forms.travel(), 2),
        ("bob_agent", travel(), 1),
    ];
    for (agent, travel, expected) in calls {
        let session = session_of(agent, &world, travel).await;
        assert_eq!(session, through(expected));
    }
    assert_eq!(legacy.sessions.load(Ordering::Relaxed), 4);
    world.sources.shutdown().await;
}

/// A server that answers the modern probe, and `initialize` too where it speaks both eras.
async fn modern_and(legacy: &Legacy, both: bool) -> Web {
    let server = legacy.clone();
    Web::serve(move |asked| match asked.method() {
        "server/discover" => asked.result(&json!({"supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}}})),
        "initialize" if !both => Given::json(
            400,
            &format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32022,"message":"no","data":{{"supported":["2026-07-28"]}}}}}}"#,
                asked.body["id"]
            ),
        ),
        _ => server.serve(asked),
    })
    .await
}

#[tokio::test]
async fn a_server_of_both_eras_is_spoken_to_in_that_of_a_client_that_can_be_asked() {
    let can = json!({"elicitation": {}});
    let silent = |can: &Value| Client::new(can, |_| Said::Never);
    let midway = Arc::new(silent(&can).midway());
    let between = Arc::new(silent(&can));
    let idle = Arc::new(silent(&json!({})).midway());
    for isolation in [Isolation::Shared, Isolation::Principal] {
        let legacy = Legacy::default();
        let web = modern_and(&legacy, true).await;
        let world = up(SourceConfig {
            isolation,
            ..at(&web)
        })
        .await;
        let modern = r#"answered failed=false {"session":""}"#;
        for (client, expected) in [
            (&between, modern.to_owned()),
            (&midway, through(1)),
            (&idle, modern.to_owned()),
            (&midway, through(1)),
        ] {
            let session = session_of("ana_agent", &world, client.travel()).await;
            assert_eq!(session, expected, "{isolation:?}");
        }
        world.sources.shutdown().await;

        // One that turns out to speak the modern era only is asked for the other once.
        let legacy = Legacy::default();
        let web = modern_and(&legacy, false).await;
        let world = up(SourceConfig {
            isolation,
            ..at(&web)
        })
        .await;
        for _ in 0..3 {
            let session = session_of("ana_agent", &world, midway.travel()).await;
            assert_eq!(session, modern, "{isolation:?}");
        }
        assert_eq!(web.count("initialize"), 1);
        assert_eq!(web.count("tools/call"), 3);
        world.sources.shutdown().await;
    }
}

#[tokio::test]
async fn a_session_that_idles_is_closed_and_one_in_use_is_not() {
    let (legacy, web) = legacy().await;
    let world = up(SourceConfig {
        isolation: Isolation::Principal,
        ..at(&web)
    })
    .await;
    let closed = |web: &Web| {
        let asked = web.asked();
        let deleted = asked.iter().filter(|asked| asked.http_method == "DELETE");
        deleted.count()
    };
    assert_eq!(session_of("ana_agent", &world, travel()).await, through(2));
    let busy = Travel {
        timeout: Duration::from_secs(1_000),
        ..travel()
    };
    let pending = call_of("bob_agent", &world, 7, busy);
    let (answer, ()) = tokio::join!(pending, async {
        world.until(|| legacy.has_stream(7)).await;
        for _ in 0..12 {
            world.clock.advance(Duration::from_secs(30));
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
        world.until(|| closed(&web) == 1).await;
        legacy.end(7);
    });
    assert_eq!(answer, r#"answered failed=false {"n":7}"#);
    assert_eq!(closed(&web), 1);
    assert_eq!(session_of("bob_agent", &world, travel()).await, through(3));
    assert_eq!(session_of("ana_agent", &world, travel()).await, through(4));
    world.sources.shutdown().await;
    assert_eq!(closed(&web), 4);
}

#[tokio::test]
async fn there_is_a_bound_on_sessions_and_idle_ones_make_room() {
    let (legacy, web) = legacy().await;
    let world = up(SourceConfig {
        isolation: Isolation::Principal,
        ..at(&web)
    })
    .await;
    for number in 0..17 {
        let agent = format!("agent_{number}");
        assert_eq!(
            session_of(&agent, &world, travel()).await,
            through(number + 2)
        );
        world.clock.advance(Duration::from_secs(1));
    }
    // The first one made room for the last, and makes room for itself again.
    assert_eq!(session_of("agent_1", &world, travel()).await, through(3));
    assert_eq!(session_of("agent_0", &world, travel()).await, through(19));
    let all = (0..16).map(|number| {
        let agent = format!("busy_{number}");
        let world = &world;
        async move { call_of(&agent, world, 100 + number, travel()).await }
    });
    let all = futures_util::future::join_all(all);
    let (answers, ()) = tokio::join!(all, async {
        world
            .until(|| (0..16).all(|number| legacy.has_stream(100 + number)))
            .await;
        let refused = session_of("one_more", &world, travel()).await;
        expect!["refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: 16 agents have conversations with it under way already"].assert_eq(&refused);
        (0..16).for_each(|number| legacy.end(100 + number));
    });
    assert!(answers.iter().all(|answer| answer.starts_with("answered")));
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_session_that_is_over_is_opened_anew_for_the_next_call_and_nothing_is_repeated() {
    let legacy = Legacy::default();
    let server = legacy.clone();
    let web = Web::serve(move |asked| {
        let forgotten = asked.header("mcp-session-id") == "2" && asked.method() == "tools/call";
        if forgotten && server.has_stream(9) {
            return Given::empty(404);
        }
        server.serve(asked)
    })
    .await;
    let world = up(at(&web)).await;
    let client = filling_in("{}");
    assert_eq!(
        session_of("tester", &world, client.travel()).await,
        through(2)
    );
    legacy.stream(9, &Value::Null);
    let answer = session_of("tester", &world, client.travel()).await;
    expect!["refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: its session has expired"].assert_eq(&answer);
    assert_eq!(
        session_of("tester", &world, client.travel()).await,
        through(3)
    );
    assert_eq!(web.count("tools/call"), 3);
    world.sources.shutdown().await;
}

#[tokio::test]
async fn a_modern_server_gets_everything_with_the_request_and_asks_by_its_answers_only() {
    let web = Web::serve(|asked| match asked.method() {
        "server/discover" => asked.result(&json!({"supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}, "resources": {}, "prompts": {}, "completions": {}}})),
        "tools/list" => asked.result(&json!({"tools": [
            {"name": "do", "inputSchema": {"type": "object"}},
        ]})),
        "prompts/list" => asked.result(&json!({"prompts": []})),
        "resources/list" => asked.result(&json!({"resources": []})),
        "resources/templates/list" => asked.result(&json!({"resourceTemplates": []})),
        "tools/call" => {
            // Out of its era: it must not be put to anybody.
            let question = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;
            let id = &asked.body["id"];
            let end = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#);
            Given::Events(vec![question.to_owned(), end])
        }
        "resources/read" => match asked.body["params"].get("inputResponses") {
            None => asked.result(&json!({"resultType": "input_required",
                "inputRequests": {"r": {"method": "roots/list"}}})),
            Some(_) => asked.result(&json!({"contents": []})),
        },
        "prompts/get" => Given::json(
            400,
            &format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32602,"message":"no such prompt","data":{{"z":1e2}}}}}}"#,
                asked.body["id"]
            ),
        ),
        "completion/complete" => asked.result(&json!({"completion": {"values": ["a"]}})),
        _ => Given::empty(202),
    })
    .await;
    let world = up(at(&web)).await;
    let client = Arc::new(Client::new(&json!({"roots": {}}), |_| {
        Said::Result(r#"{"roots":[]}"#)
    }));
    let calls = [
        ("h.do", json!({"n": 1})),
        (
            "h.resources/read",
            json!({"uri": "file:///ä b", "_meta": {"forged": 1}, "requestState": "forged", "x": {"z": 1}}),
        ),
        (
            "h.prompts/get",
            json!({"name": "greet", "arguments": {"who": "x"}}),
        ),
        (
            "h.completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "greet"},
            "argument": {"name": "who", "value": "a"}}),
        ),
    ];
    let mut answers = Vec::new();
    for (tool, arguments) in calls {
        let dispatch = world.dispatch(tool, arguments, client.travel());
        let answer = world.sources.call(dispatch).await;
        if let toolgate_gate::port::Answer::Refused { error, .. } = &answer {
            answers.push(format!("{}", error.as_ref().unwrap()));
        }
        answers.push(shown(&answer));
    }
    expect![[r#"
        answered failed=false {"content":[]}
        answered failed=false {"contents":[]}
        {"code":-32602,"message":"no such prompt","data":{"z":1e2}}
        refused tool_error: the tool's server refused the call: no such prompt
        answered failed=false {"completion":{"values":["a"]}}"#]]
    .assert_eq(&answers.join("\n"));
    assert_eq!(client.noted(), ["asked r roots/list {}"]);
    let sent: Vec<String> = web
        .asked()
        .into_iter()
        .filter(|asked| asked.body["params"]["_meta"]["dev.toolgate/invocation-id"].is_string())
        .map(|asked| {
            let mut params = asked.body["params"].clone();
            params.as_object_mut().unwrap().remove("_meta");
            let headers = ["mcp-method", "mcp-name"].map(|name| asked.header(name).to_owned());
            format!("{} {params}", headers.join(" "))
        })
        .collect();
    expect![[r#"
        tools/call do {"name":"do","arguments":{"n":1}}
        resources/read =?base64?ZmlsZTovLy/DpCBi?= {"uri":"file:///ä b","x":{"z":1}}
        resources/read =?base64?ZmlsZTovLy/DpCBi?= {"uri":"file:///ä b","x":{"z":1},"inputResponses":{"r":{"roots":[]}}}
        prompts/get greet {"name":"greet","arguments":{"who":"x"}}
        completion/complete  {"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"who","value":"a"}}"#]]
    .assert_eq(&sent.join("\n"));
    world.sources.shutdown().await;
}
