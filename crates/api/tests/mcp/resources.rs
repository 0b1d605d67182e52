//! Resources: URIs that name their source, grants on single ones, errors that say which.

use expect_test::expect;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::shelf::{self, crm, listed, wiki};
use crate::world::World;

async fn read(world: &World, uri: &str) -> Answer {
    let params = json!({"uri": uri, "vendor": [1.50]});
    world.modern("resources/read", params).await_answer().await
}

async fn error(world: &World, uri: &str) -> Value {
    read(world, uri).await.json()["error"].clone()
}

/// The URIs that servers were asked for.
fn reached(world: &World) -> Vec<String> {
    let reached = world.desk.reached.lock().unwrap();
    let asked = reached
        .iter()
        .map(|(_, arguments, _)| arguments["uri"].as_str().unwrap());
    asked.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn resources_and_templates_are_listed_under_their_source() {
    let world = shelf::world(vec![("crm", crm()), ("wiki", wiki())]).await;
    let list = world
        .modern("resources/list", json!({}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resources":[{"name":"A","uri":"toolgate://crm/file:///a.txt","annotations":{"priority":0.10}},{"name":"Closed","uri":"toolgate://crm/file:///closed.txt"},{"name":"B","uri":"toolgate://crm/file:///secret/b.txt"},{"uri":"toolgate://wiki/wiki:///home","name":"Home"}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#]].assert_eq(&list.show());
    let templates = world.modern("resources/templates/list", json!({}));
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"toolgate://crm/file:///{path}","name":"files"},{"uriTemplate":"toolgate://wiki/wiki:///{page}","name":"pages"}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#]].assert_eq(&templates.await_answer().await.show());
}

#[tokio::test(start_paused = true)]
async fn pages_go_through_the_list_without_gaps() {
    let options = toolgate_api::mcp::McpOptions {
        page_size: 2,
        ..Default::default()
    };
    let world = World::with(options).await;
    shelf::put(&world, vec![("crm", crm()), ("wiki", wiki())]);
    world.regrant(&["crm.*", "wiki.*"]).await;
    let (mut seen, mut cursor) = (Vec::new(), json!({}));
    loop {
        let page = world
            .modern("resources/list", cursor)
            .await_answer()
            .await
            .json();
        let shown = listed(&page, "resources", "uri");
        assert!((1..=2).contains(&shown.len()), "{page}");
        seen.extend(shown);
        match page["result"].get("nextCursor") {
            None => break,
            Some(next) => cursor = json!({"cursor": next}),
        }
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted());
    let first = world
        .modern("resources/list", json!({}))
        .await_answer()
        .await
        .json();
    let cursor = json!({"cursor": first["result"]["nextCursor"]});
    let other = world
        .modern("prompts/list", cursor)
        .await_answer()
        .await
        .json();
    assert_eq!(other["error"]["code"], -32_602, "a cursor of another list");
}

#[tokio::test(start_paused = true)]
async fn a_uri_leads_to_the_source_that_it_names_or_that_alone_could_have_it() {
    let world = shelf::world(vec![("crm", crm()), ("wiki", wiki())]).await;
    *world.desk.odd.lock().unwrap() = r#"{"contents":[]}"#.to_owned();
    for uri in [
        "toolgate://crm/file:///a.txt",
        "file:///a.txt",
        "file:///new.txt",
        "wiki:///new",
        "toolgate://wiki/file:///a.txt",
    ] {
        let answer = read(&world, uri).await;
        assert_eq!(answer.envelope()["status"], "succeeded", "{uri}");
    }
    assert_eq!(
        reached(&world),
        [
            "file:///a.txt",
            "file:///a.txt",
            "file:///new.txt",
            "wiki:///new",
            "file:///a.txt"
        ]
    );
    let tools: Vec<String> = world.records("invocation.admitted").await;
    assert_eq!(
        tools.iter().filter(|line| line.contains("wiki.")).count(),
        2
    );
    expect!["`other:1` does not say which source it is of: name `toolgate://crm/other:1` or `toolgate://wiki/other:1`"]
        .assert_eq(error(&world, "other:1").await["message"].as_str().unwrap());
    for uri in ["toolgate://none/x:", "toolgate://crm"] {
        let error = error(&world, uri).await;
        assert_eq!(error["code"], -32_602, "{uri}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_resource_is_granted_or_not_and_nobody_learns_of_others() {
    let world = shelf::world(vec![("crm", crm()), ("wiki", wiki())]).await;
    shelf::grant(&world, &["crm.*"], &["file:///secret/*"]).await;
    let list = world
        .modern("resources/list", json!({}))
        .await_answer()
        .await;
    assert_eq!(
        listed(&list.json(), "resources", "uri"),
        ["toolgate://crm/file:///secret/b.txt"]
    );
    // One that is there and one that is not are refused in the same words: what was asked decides.
    let words = |error: Value| {
        let text = error["message"]
            .as_str()
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned();
        (error["code"].clone(), text)
    };
    let there = words(error(&world, "toolgate://crm/file:///a.txt").await);
    let nowhere = words(error(&world, "toolgate://crm/file:///none.txt").await);
    assert_eq!(there, nowhere);
    expect![[r#"(Number(403), "Denied by resource_not_granted: `crm.resources/read` is not granted to `billing_agent` for this resource, environment or workflow. This call was not executed.")"#]].assert_eq(&format!("{there:?}"));
    // A source of which nothing is granted is not there, whether there is one or not.
    let hidden = error(&world, "toolgate://wiki/wiki:///home").await;
    let missing = error(&world, "toolgate://none/wiki:///home").await;
    assert_eq!(
        hidden["message"],
        "Resource not found: toolgate://wiki/wiki:///home"
    );
    assert_eq!(
        missing["message"],
        "Resource not found: toolgate://none/wiki:///home"
    );
    assert_eq!(hidden["data"]["uri"], "toolgate://wiki/wiki:///home");
    assert!(reached(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_an_error_with_the_words_and_the_envelope() {
    let world = shelf::world(vec![("crm", crm())]).await;
    let answer = read(&world, "toolgate://crm/file:///closed.txt").await;
    assert_eq!(answer.status, 200, "a policy is no matter of HTTP");
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], 403);
    let words = error["message"].as_str().unwrap();
    assert!(
        words.starts_with(
            "Denied by shelf/closed: That file is closed. This call was not executed.\n"
        ),
        "{words}"
    );
    assert_eq!(
        error["data"]["dev.toolgate/outcome"]["denial"]["code"],
        "policy_denied"
    );
    assert!(reached(&world).is_empty());
    *world.desk.odd.lock().unwrap() = "away".to_owned();
    let error = error_of(&read(&world, "file:///a.txt").await);
    expect!["-32603 Failed with upstream_unavailable: the server is not running."]
        .assert_eq(&error);
}

fn error_of(answer: &Answer) -> String {
    let error = answer.json()["error"].clone();
    let words = error["message"].as_str().unwrap();
    format!("{} {}", error["code"], words.lines().next().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_servers_own_error_is_passed_on_as_it_was_written() {
    let world = shelf::world(vec![("crm", crm())]).await;
    let session = world.session("2025-11-25").await;
    for (written, status, passed) in [
        (
            r#"{"data":{"uri":"x","n":1E2}, "code":-32602,"message":"no"}"#,
            400,
            r#""error":{"data":{"uri":"x","n":1E2,"dev.toolgate/invocation-id":"#,
        ),
        (
            r#"{"code":-32003,"message":"odd","data":[1E2]}"#,
            200,
            r#""error":{"code":-32003,"message":"odd","data":[1E2]}"#,
        ),
        (
            r#"{"code":7,"message":"m","data":{"dev.toolgate/outcome":{"success":true},"v":1}}"#,
            200,
            r#""data":{"v":1,"dev.toolgate/invocation-id":"#,
        ),
        (
            r#"{"code":-32601,"message":"no"}"#,
            404,
            r#""code":-32601,"message":"no""#,
        ),
    ] {
        *world.desk.odd.lock().unwrap() = format!("error {written}");
        let answer = read(&world, "file:///a.txt").await;
        assert_eq!(answer.status, status, "{written}");
        assert!(answer.body.contains(passed), "{}", answer.body);
        // What stands beside it is the gate's own outcome and no other.
        assert!(!answer.body.contains(r#""success":true"#));
        let legacy = world.legacy(&session, "resources/read", json!({"uri": "file:///a.txt"}));
        let legacy = legacy.await_answer().await;
        assert_eq!(legacy.status, 200, "{written}");
        assert!(legacy.body.contains(passed), "{}", legacy.body);
    }
    // What is not there has another code in each era.
    *world.desk.odd.lock().unwrap() =
        r#"error {"code":-32002,"message":"gone","data":{"uri":"x"}}"#.to_owned();
    let modern = read(&world, "file:///a.txt").await.json()["error"].clone();
    assert_eq!(
        (&modern["code"], &modern["data"]["uri"]),
        (&json!(-32_602), &json!("x"))
    );
    let legacy = world.legacy(&session, "resources/read", json!({"uri": "file:///a.txt"}));
    let legacy = legacy.await_answer().await.json();
    assert_eq!(legacy["error"]["code"], -32_002);
    // A server cannot have a client doubt its conversation with the gate.
    for code in [-32_020, -32_022] {
        *world.desk.odd.lock().unwrap() =
            format!(r#"error {{"code":{code},"message":"speak 1999"}}"#);
        let answer = read(&world, "file:///a.txt").await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (200, &json!(-32_603))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn contents_travel_byte_for_byte_and_are_kept_by_nobody_else() {
    let world = shelf::world(vec![("crm", crm())]).await;
    let contents = r#""contents":[{"uri":"file:///a.txt","text":"\u00e4","n":123456789012345678901234567890.10,"vendor":[null]}] ,"alpha":1E2"#;
    *world.desk.odd.lock().unwrap() =
        format!(r#"{{{contents},"ttlMs":300000,"cacheScope": "public"}}"#);
    let answer = read(&world, "file:///a.txt").await;
    let kept = format!(r#"{contents},"ttlMs":300000,"cacheScope": "private"}}"#);
    assert!(answer.body.contains(&kept), "{}", answer.body);
    *world.desk.odd.lock().unwrap() = format!("{{{contents}}}");
    let answer = read(&world, "file:///a.txt").await.json();
    assert_eq!(
        (&answer["result"]["ttlMs"], &answer["result"]["cacheScope"]),
        (&json!(0), &json!("private"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_may_be_answered_with_questions() {
    let world = shelf::world(vec![("crm", crm())]).await;
    let question = json!({"who": {"method": "elicitation/create", "params": {"message": "who?"}}});
    *world.desk.plan.lock().unwrap() = vec![crate::desk::Step::Ask(question.clone())];
    let mut params = json!({"uri": "toolgate://crm/file:///a.txt"});
    let declared = json!({"elicitation": {}});
    let asked = send(&world, &params, &declared).await;
    assert_eq!(asked["result"]["resultType"], "input_required");
    assert_eq!(asked["result"]["inputRequests"], question);
    params["requestState"] = asked["result"]["requestState"].clone();
    params["inputResponses"] = json!({"who": {"action": "accept"}});
    let answered = send(&world, &params, &declared).await;
    assert_eq!(answered["result"]["resultType"], "complete");
    assert!(
        !world.desk.reached.lock().unwrap()[0]
            .1
            .to_string()
            .contains("State")
    );
}

async fn send(world: &World, params: &Value, capabilities: &Value) -> Value {
    let mut params = crate::world::with_meta(params.clone());
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": params});
    let sending = world
        .modern("resources/read", params.clone())
        .body(&body.to_string());
    sending.await_answer().await.json()
}
