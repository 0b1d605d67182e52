//! 2026-07-28: every request by itself.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};
use toolgate_api::mcp::{McpOptions, Presence};
use toolgate_execution::Choice;

use crate::world::{World, with_meta};

#[tokio::test(start_paused = true)]
async fn a_client_discovers_lists_and_calls() {
    let world = World::new().await;
    let discovered = world
        .modern("server/discover", json!({}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{}}},"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"toolgate","title":"Toolgate","version":"0.1.0"}},"instructions":"These tools are reached through Toolgate, which decides each call. A result that begins with `Denied by` means that the call was not executed: do not repeat it unchanged. `Approval required` means that a person decides: call toolgate_await with the id it names. `Unknown effect` means that nobody can know yet whether the call took effect: never repeat it by yourself. toolgate_whoami says who you are here, and toolgate_simulate what a call would get."}}"#]].assert_eq(&discovered.show());
    assert_eq!(discovered.headers["content-type"], "application/json");
    let listed = world.modern("tools/list", json!({})).await_answer().await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"desk__lookup","description":"Does lookup.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__refund","description":"Does refund.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__fail","description":"Does fail.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__away","description":"Does away.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__lose","description":"Does lose.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__slow","description":"Does slow.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"desk__odd","description":"Does odd.","inputSchema":{"type":"object","properties":{"amount":{"type":"number"},"customer":{"type":"string"}}}},{"name":"toolgate_await","description":"Waits until a call that needed approval or was still running has ended, and returns its result. Give the approval id (apr_...) or invocation id (inv_...) that the call's answer named. Calling it again is harmless.","inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"apr_... or inv_..., as the call's answer named it."},"wait_ms":{"type":"integer","minimum":0,"description":"How long to wait, in milliseconds; 20000 if left out."}},"required":["id"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},{"name":"toolgate_receipt","description":"Returns the receipt of one of your calls: what was decided and what became of it, signed so that anybody can verify it offline with `toolgate receipt`. Give the invocation id (inv_...) or approval id (apr_...) that the call's answer named.","inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"inv_... or apr_..., as the call's answer named it."}},"required":["id"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},{"name":"toolgate_request_approval","description":"Asks people to approve a call of a tool, without waiting. Returns the approval id, the digest and the link where they decide. Once approved, the call runs exactly once with these arguments: do not make it again, but call toolgate_await with the approval id to get its result. Asking for the same call twice asks nobody twice.","inputSchema":{"type":"object","properties":{"tool":{"type":"string","description":"The tool's name, as it is listed."},"arguments":{"type":"object","description":"The arguments that it is called with, exactly."},"justification":{"type":"string","description":"Why, in your own words. Approvers see it marked as unverified."},"env":{"type":"string","description":"The environment, if the credential fixes none."},"workflow":{"type":"string","description":"The workflow, if the credential fixes none."}},"required":["tool"],"additionalProperties":false},"annotations":{"readOnlyHint":false,"openWorldHint":false}},{"name":"toolgate_simulate","description":"Says what Toolgate would decide about a call of a tool, without making it: whether it would run, need a person's approval, or be denied, and why.","inputSchema":{"type":"object","properties":{"tool":{"type":"string","description":"The tool's name, as it is listed."},"arguments":{"type":"object","description":"The arguments that it is called with, exactly."},"justification":{"type":"string","description":"Why, in your own words. Approvers see it marked as unverified."},"env":{"type":"string","description":"The environment, if the credential fixes none."},"workflow":{"type":"string","description":"The workflow, if the credential fixes none."}},"required":["tool"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},{"name":"toolgate_whoami","description":"Says which agent you are to Toolgate, what your credential is limited to and when it expires, and which tools you can reach.","inputSchema":{"type":"object","properties":{},"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#]].assert_eq(&listed.show());
    let called = world
        .call("desk__lookup", json!({"customer": "cust_1"}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"dev.toolgate/invocation-id":"inv_1","dev.toolgate/outcome":{"invocation_id":"inv_1","capability_id":"desk.lookup","capability_version":"1.0.0","correlation":{"correlation_id":null},"outcome":"success","success":true,"data":null,"error":null,"denial":null,"decision":{"verdict":"allow","policy_version":"sha256:1","rules":[],"matched":[],"obligations":[],"risk":"low","risk_score":0.15,"sanitized":[],"evaluated_at":"2026-06-16T15:14:22.000Z"},"inspection":{"data_class":[],"signals":[],"external":true,"rules":[],"sanitized":[],"withheld":null},"status":"succeeded","replayed":false,"duplicate_of":null,"reconciled":false,"attempts":1,"evidence_ids":["evt_1","evt_2"],"started_at":"2026-06-16T15:14:22.000Z","completed_at":"2026-06-16T15:14:22.000Z"}},"content":[{"type":"text","text":"done"}],"structuredContent":{"customer":"cust_1"}}}"#]].assert_eq(&called.show());
}

#[tokio::test(start_paused = true)]
async fn transparent_is_only_what_is_granted() {
    let options = McpOptions {
        presence: Presence::Transparent,
        ..McpOptions::default()
    };
    let world = World::with(options).await;
    let listed = world
        .modern("tools/list", json!({}))
        .await_answer()
        .await
        .json();
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "desk__lookup",
            "desk__refund",
            "desk__fail",
            "desk__away",
            "desk__lose",
            "desk__slow",
            "desk__odd"
        ]
    );
    let discovered = world
        .modern("server/discover", json!({}))
        .await_answer()
        .await
        .json();
    assert_eq!(discovered["result"]["instructions"], Value::Null);
    let own = world
        .call("toolgate_whoami", json!({}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: toolgate_whoami","data":{"invocation_id":"inv_1"}}}"#]].assert_eq(&own.bare());
}

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other_and_survive_changes() {
    let world = World::with(McpOptions {
        page_size: 3,
        ..McpOptions::default()
    })
    .await;
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let params = cursor.map_or_else(|| json!({}), |cursor: String| json!({"cursor": cursor}));
        let page = world
            .modern("tools/list", params)
            .await_answer()
            .await
            .json();
        let tools = page["result"]["tools"].as_array().unwrap().clone();
        assert!(tools.len() <= 3);
        seen.extend(
            tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap().to_owned()),
        );
        cursor = page["result"]["nextCursor"].as_str().map(str::to_owned);
        if seen.len() == 3 {
            // The tool that was shown last goes away; the next page begins where it stood.
            let rest = crate::desk::tools()
                .into_iter()
                .filter(|tool| tool.id.as_str() != "desk.fail");
            world.set_tools(rest.collect());
        }
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        [
            "desk__lookup",
            "desk__refund",
            "desk__fail",
            "desk__away",
            "desk__lose",
            "desk__slow",
            "desk__odd",
            "toolgate_await",
            "toolgate_receipt",
            "toolgate_request_approval",
            "toolgate_simulate",
            "toolgate_whoami"
        ]
    );
    let foreign = world
        .modern("tools/list", json!({"cursor": "bm90IG91cnM"}))
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`cursor` is none that this gate gave for this list: begin again without one"}}"#]].assert_eq(&foreign.show());
}

#[tokio::test(start_paused = true)]
async fn progress_makes_a_stream_and_only_increases() {
    let world = World::new().await;
    let params = json!({"name": "desk__slow", "arguments": {}, "_meta": {"progressToken": "p"}});
    let calling = world.modern("tools/call", params).await_stream();
    let release = async {
        world.desk.arrival().await;
        world.desk.release.notify_one();
    };
    let (mut stream, ()) = tokio::join!(calling, release);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    expect![[r#"
        event: message
        data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1,"total":3,"message":"one"}}

    "#]].assert_eq(&stream.next().await);
    expect![[r#"
        event: message
        data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":2,"total":3,"message":"two"}}

    "#]].assert_eq(&stream.next().await);
    let last = stream.next().await;
    assert!(
        last.contains(r#""content":[{"type":"text","text":"late"}]"#),
        "{last}"
    );
    assert_eq!(stream.next().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_long_call_is_kept_open_by_comments() {
    let world = World::new().await;
    let mut stream = world.call("desk__slow", json!({})).await_stream().await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.next().await, ":\n\n");
    world.desk.release.notify_one();
    assert!(stream.next().await.contains(r#""text":"late""#));
}

#[tokio::test(start_paused = true)]
async fn closing_the_stream_cancels_and_leaves_an_unknown_effect() {
    let world = World::new().await;
    let params = json!({"name": "desk__slow", "arguments": {}, "_meta": {"progressToken": 1}});
    let calling = world.modern("tools/call", params).await_stream();
    let (stream, ()) = tokio::join!(calling, world.desk.arrival());
    drop(stream);
    // Time passes only when all else is done.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
    expect![[r#"
        [
            "invocation.admitted desk.slow ",
            "invocation.unknown_effect  ",
            "invocation.needs_operator  ",
        ]
    "#]]
    .assert_debug_eq(&world.records("invocation.").await);
}

#[tokio::test(start_paused = true)]
async fn hanging_up_before_anything_was_said_cancels_too() {
    let world = World::new().await;
    let calling = world.call("desk__slow", json!({})).await_stream();
    tokio::select! {
        _ = calling => panic!("it was answered"),
        () = world.desk.arrival() => {}
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let records = world.records("invocation.").await;
    assert_eq!(
        records[1..],
        ["invocation.unknown_effect  ", "invocation.needs_operator  "]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pending_call_is_answered_joined_and_run_once() {
    let world = World::new().await;
    let arguments = json!({"customer": "cust_1", "amount": 640});
    let pending = world
        .call("desk__refund", arguments.clone())
        .await_answer()
        .await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Approval required by refunds/big: a refund above 500. This call was not executed yet.\nIt waits as apr_1 until 2026-06-17T15:14:22.000Z for a person to decide at http://127.0.0.1:8787/approvals/apr_1\nCall toolgate_await with {\"id\": \"apr_1\"} to learn what becomes of it. Making the same call again while it waits joins it and asks nobody twice."}],"isError":true}}"#]].assert_eq(&pending.bare());
    let envelope = pending.envelope();
    assert_eq!(envelope["status"], "pending_approval");
    assert_eq!(envelope["denial"]["code"], "approval_required");
    let approval = envelope["denial"]["details"]["approval_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let again = world
        .call("desk__refund", arguments.clone())
        .await_answer()
        .await
        .envelope();
    assert_eq!(again["denial"]["details"]["approval_id"], approval.as_str());
    assert_eq!(again["duplicate_of"], envelope["invocation_id"]);
    // It is held for a while: who approves meanwhile gets the result to the caller at once.
    let held = world.call("desk__refund", arguments.clone()).await_answer();
    let approve = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.decide(&approval, Choice::Approve).await;
    };
    let (held, ()) = tokio::join!(held, approve);
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"done"}],"structuredContent":{"customer":"cust_1","amount":640}}}"#]].assert_eq(&held.bare());
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_approved_while_held_is_waited_for_to_its_end() {
    let world = World::new().await;
    let call = || {
        world
            .call("desk__slow", json!({"customer": "c"}))
            .await_answer()
    };
    let people = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let waiting = world
            .call("desk__slow", json!({"customer": "c"}))
            .await_answer()
            .await;
        waiting.envelope()
    };
    let (pending, joined) = tokio::join!(call(), people);
    let approval = pending.envelope()["denial"]["details"]["approval_id"].clone();
    assert_eq!(joined["denial"]["details"]["approval_id"], approval);
    let approval = approval.as_str().unwrap().to_owned();
    let people = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.decide(&approval, Choice::Approve).await;
        // Longer than calls are held for people.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let question = json!({"id": approval, "wait_ms": 100});
        let running = world.call("toolgate_await", question).await_answer().await;
        world.desk.release.notify_one();
        running
    };
    let (held, running) = tokio::join!(call(), people);
    assert_eq!(held.text(), "late");
    expect![[r#"
        Still running: this call was sent and has not been answered yet. Do not repeat it.
        Call toolgate_await with {"id": "inv_1"} to learn what becomes of it."#]]
    .assert_eq(&running.text());
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_approval_is_told_where_progress_is_wanted() {
    let world = World::with(McpOptions {
        hold: toolgate_model::Duration::from_secs(8),
        ..McpOptions::default()
    })
    .await;
    let params = json!({"name": "desk__refund", "arguments": {"amount": 640}, "_meta": {"progressToken": 7}});
    let answer = world.modern("tools/call", params).await_answer().await;
    let said: Vec<&str> = answer
        .body
        .lines()
        .filter(|line| line.contains("progress\""))
        .collect();
    expect![[r#"
        data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"waiting for approval apr_1 until 2026-06-17T15:14:22.000Z","progressToken":7,"progress":0.0}}
        data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"waiting for approval apr_1 until 2026-06-17T15:14:22.000Z","progressToken":7,"progress":1.0}}"#]].assert_eq(&world.redact(&said.join("\n")));
    assert_eq!(answer.envelope()["status"], "pending_approval");
}

#[tokio::test(start_paused = true)]
async fn keys_make_a_call_once() {
    let world = World::new().await;
    let call = |amount: u32, meta: Value| {
        world.modern(
            "tools/call",
            json!({"name": "desk__refund", "arguments": {"amount": amount}, "_meta": meta}),
        )
    };
    let key = json!({"dev.toolgate/idempotency-key": "k1"});
    let first = call(1, key.clone()).await_answer().await;
    let second = call(1, key.clone()).await_answer().await;
    assert_eq!(second.envelope()["replayed"], true);
    assert_eq!(
        first.envelope()["invocation_id"],
        second.envelope()["invocation_id"]
    );
    assert_eq!(
        first.json()["result"]["content"],
        second.json()["result"]["content"]
    );
    let other = call(2, key).await_answer().await;
    expect![[r#"200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Denied by idempotency_conflict: the idempotency key `k1` already belongs to another call. This call was not executed.\nInvocation inv_1. Do not repeat it unchanged."}],"isError":true}}"#]].assert_eq(&other.bare());
    // By header, and by the id that a client gives its call.
    for round in 0..2 {
        let by_header = call(3, json!({}))
            .header("idempotency-key", "k2")
            .await_answer()
            .await;
        assert_eq!(by_header.envelope()["replayed"], round == 1);
        let by_id = call(4, json!({"claudecode/toolUseId": "toolu_1"}))
            .await_answer()
            .await;
        assert_eq!(by_id.envelope()["replayed"], round == 1);
    }
    assert_eq!(world.desk.reached.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_while_the_call_runs_joins_it() {
    let world = World::new().await;
    let key = json!({"dev.toolgate/idempotency-key": "k1"});
    let params = json!({"name": "desk__slow", "arguments": {}, "_meta": key});
    let first = world.modern("tools/call", params.clone()).await_answer();
    let second = async {
        world.desk.arrival().await;
        world.modern("tools/call", params).await_answer().await
    };
    let release = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.desk.release.notify_one();
    };
    let (first, second, ()) = tokio::join!(first, second, release);
    assert_eq!(
        (first.text().as_str(), second.text().as_str()),
        ("late", "late")
    );
    assert_eq!(
        first.envelope()["invocation_id"],
        second.envelope()["invocation_id"]
    );
    assert_eq!(world.desk.reached.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_callers_say_beside_their_arguments_reaches_the_gate() {
    let world = World::new().await;
    let meta = json!({"dev.toolgate/correlation": "c-1", "traceparent": "00-1", "vendor/x": true});
    let params = json!({"name": "desk__lookup", "arguments": {"customer": "c"}, "_meta": meta});
    let answer = world.modern("tools/call", params).await_answer().await;
    assert_eq!(answer.envelope()["correlation"]["correlation_id"], "c-1");
    let reached = world.desk.reached.lock().unwrap().clone();
    assert_eq!(reached[0].1, json!({"customer": "c"}));
    assert_eq!(
        reached[0].2,
        json!({"traceparent": "00-1", "vendor/x": true})
    );
}

#[tokio::test(start_paused = true)]
async fn the_ladder_of_a_modern_request() {
    let world = World::new().await;
    let body = |params: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}).to_string()
    };
    let mut seen = String::new();
    let fine = || world.modern("tools/list", json!({}));
    let mut other_version = with_meta(json!({}));
    other_version["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2027-01-01".into();
    for sending in [
        fine().header("mcp-method", "tools/call"),
        fine().header("mcp-method", ""),
        fine().header("mcp-protocol-version", ""),
        fine().header("mcp-protocol-version", "2025-06-18"),
        fine().body(&body(json!({}))),
        fine().body(&body(other_version.clone())),
        fine()
            .body(&body(other_version))
            .header("mcp-protocol-version", "2027-01-01"),
        world.modern("resources/list", json!({})),
        world.modern("ping", json!({})),
        world
            .call("desk__lookup", json!({}))
            .header("mcp-name", "desk__refund"),
        world.call("desk__lookup", json!({})).header("mcp-name", ""),
        world
            .call("desk__lookup", json!({}))
            .header("mcp-name", "=?base64?ZGVza19fbG9va3Vw?="),
        world
            .modern("subscriptions/listen", json!({}))
            .header("accept", "application/json"),
        world.modern("subscriptions/listen", json!({})),
    ] {
        let answer = sending.await_answer().await;
        seen.push_str(&answer.bare());
        seen.push('\n');
    }
    expect![[r#"
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"the header `mcp-method` says `tools/call`, and the body says `tools/list`"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"the header `mcp-method` is missing"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"the header `mcp-protocol-version` is missing"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"the header `mcp-protocol-version` says `2025-06-18`, and the body says `2026-07-28`"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"a modern request must carry `params._meta` with `io.modelcontextprotocol/protocolVersion` and `io.modelcontextprotocol/clientCapabilities`"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"the header `mcp-protocol-version` says `2026-07-28`, and the body says `2027-01-01`"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `2027-01-01` is not spoken here","data":{"supported":["2026-07-28"],"requested":"2027-01-01"}}}
        404 {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"there is no method `resources/list`"}}
        404 {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"there is no method `ping`"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"the header `mcp-name` says `desk__refund`, and the body says `desk__lookup`"}}
        400 {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"the header `mcp-name` is missing"}}
        200 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"done"}],"structuredContent":{}}}
        406 {"jsonrpc":"2.0","id":1,"error":{"code":406,"message":"changes are told on a stream: accept `text/event-stream`"}}
        200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"`notifications` must be an object that names what to be told"}}
    "#]].assert_eq(&seen);
}

#[tokio::test(start_paused = true)]
async fn mirrored_arguments_must_agree() {
    let world = World::new().await;
    let mut tools = crate::desk::tools();
    tools[0].input_schema = json!({"type": "object", "properties": {
        "customer": {"type": "string", "x-mcp-header": "Customer"}}});
    world.set_tools(tools);
    let call = || world.call("desk__lookup", json!({"customer": "a"}));
    assert_eq!(
        call()
            .header("mcp-param-customer", "a")
            .await_answer()
            .await
            .status,
        200
    );
    for sending in [call(), call().header("mcp-param-customer", "b")] {
        let refused = sending.await_answer().await.json();
        assert_eq!(refused["error"]["code"], -32020);
        let message = "the header `mcp-param-customer` must say what the argument `customer` says";
        assert_eq!(refused["error"]["message"], message);
    }
}
