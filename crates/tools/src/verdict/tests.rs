//! The table of verdicts, line by line: what a server said, and what that means for the call.
//!
//! Each case is a reply as a server writes it.

use super::{Asked, Word, word};
use crate::era::Era;
use crate::exchange::Exchange;
use crate::message::{Inbound, read};
use expect_test::{Expect, expect};
use toolgate_gate::port::Answer;
use toolgate_model::{Effect, Method};

const TOOL: Asked = Asked {
    era: Era::Modern,
    method: None,
    effect: Effect::Some,
    result_bytes_max: 4_096,
};

fn said(exchange: Exchange, asked: &Asked) -> String {
    match word(exchange, asked) {
        Word::Last(answer) => shown(answer),
        Word::Wants(result) => format!("wants {result}"),
        Word::Task(result) => format!("task {result}"),
    }
}

fn shown(answer: Answer) -> String {
    match answer {
        Answer::Answered { result, failed } => format!("answered failed={failed} {result}"),
        Answer::Refused {
            code,
            message,
            error: None,
        } => format!("refused {code}: {message}"),
        Answer::Refused {
            code,
            message,
            error: Some(error),
        } => format!("refused {code}: {message} = {error}"),
        Answer::Lost { cause, detail } => format!("lost {cause:?}: {detail}"),
    }
}

fn check(reply: &str, expected: Expect) {
    check_as(TOOL, 200, reply, expected);
}

fn check_at(http: u16, era: Era, reply: &str, expected: Expect) {
    check_as(Asked { era, ..TOOL }, http, reply, expected);
}

fn check_as(asked: Asked, http: u16, reply: &str, expected: Expect) {
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,{reply}}}"#);
    let exchange = match read(text.as_bytes()).remove(0) {
        Inbound::Reply { reply, .. } => match Exchange::from(reply) {
            Exchange::Error { error, .. } => Exchange::Error {
                error,
                status: http,
            },
            other => other,
        },
        other => panic!("{other:?}"),
    };
    expected.assert_eq(&said(exchange, &asked));
}

#[test]
fn a_result_travels_on_untouched() {
    check(
        r#""result":{"z":1e2,"content":[{"type":"hologram","n":18446744073709551616.50}],"a":0}"#,
        expect![[
            r#"answered failed=false {"z":1e2,"content":[{"type":"hologram","n":18446744073709551616.50}],"a":0}"#
        ]],
    );
    check(
        r#""result":{"isError":true,"content":[]}"#,
        expect![[r#"answered failed=true {"isError":true,"content":[]}"#]],
    );
    check(
        r#""result":{"resultType":"complete"}"#,
        expect![[r#"answered failed=false {"resultType":"complete"}"#]],
    );
}

#[test]
fn a_result_that_breaks_the_protocol_says_nothing_about_the_effect() {
    check(
        r#""result":[]"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: its result is no object"
        ],
    );
    check(
        r#""result":"done""#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: its result is no object"
        ],
    );
    check(
        r#""result":{"isError":"no"}"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: `isError` is neither true nor false"
        ],
    );
    check(
        r#""result":{"content":"done"}"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: `content` is no list"
        ],
    );
    check(
        r#""result":{"isError":false,"isError":true}"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: the key `isError` stands twice at line 1, column 26"
        ],
    );
    check(
        r#""result":{"resultType":"input_required","inputRequests":{}}"#,
        expect![[r#"wants {"resultType":"input_required","inputRequests":{}}"#]],
    );
    check(
        r#""result":{"resultType":"task","taskId":"t"}"#,
        expect![[r#"task {"resultType":"task","taskId":"t"}"#]],
    );
    check_at(
        200,
        Era::Legacy("2025-11-25"),
        r#""result":{"resultType":"summary"}"#,
        expect![[r#"answered failed=false {"resultType":"summary"}"#]],
    );
    let deep = format!(r#""result":{{"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    check(
        &deep,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: nesting deeper than 120 levels at line 1, column 125"
        ],
    );
    check(
        &format!(r#""result":{{"x":"{}"}}"#, "y".repeat(5_000)),
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: the text has 5008 bytes, more than the 4096 allowed"
        ],
    );
    check(
        r#""result":null"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: neither a result nor an error"
        ],
    );
}

#[test]
fn a_method_has_its_own_result() {
    let check = |method: Method, result: &str, expected: Expect| {
        let asked = Asked {
            method: Some(method),
            ..TOOL
        };
        check_as(asked, 200, &format!(r#""result":{result}"#), expected);
    };
    check(
        Method::ReadResource,
        r#"{"contents":[],"isError":true}"#,
        expect![[r#"answered failed=false {"contents":[],"isError":true}"#]],
    );
    check(
        Method::ReadResource,
        r#"{"content":[]}"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: `contents` is no list"
        ],
    );
    check(
        Method::GetPrompt,
        r#"{"messages":{}}"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: `messages` is no list"
        ],
    );
    check(
        Method::GetPrompt,
        r#"{"messages":[],"resultType":"input_required"}"#,
        expect![[r#"wants {"messages":[],"resultType":"input_required"}"#]],
    );
    check(
        Method::Complete,
        r#"{"completion":{"values":["a"]}}"#,
        expect![[r#"answered failed=false {"completion":{"values":["a"]}}"#]],
    );
    check(
        Method::Complete,
        r#"{"completion":[]}"#,
        expect![
            "lost Ambiguous: invalid_result: its answer breaks the protocol: `completion` has no list of values"
        ],
    );
}

#[test]
fn without_an_effect_an_error_is_an_answer() {
    let read = Asked {
        effect: Effect::None,
        ..TOOL
    };
    let error = r#""error":{"code":-32603,"message":"boom","data":{"z":1e2}}"#;
    check_as(
        read,
        500,
        error,
        expect![[
            r#"refused tool_error: the tool's server refused the call: error -32603: boom = {"code":-32603,"message":"boom","data":{"z":1e2}}"#
        ]],
    );
    check(
        error,
        expect!["lost Ambiguous: it answered with error -32603: boom"],
    );
}

#[test]
fn an_error_that_cannot_be_read_safely_does_not_travel_on() {
    check(
        r#""error":{"code":-32602,"message":"no","data":{"a":1,"a":2}}"#,
        expect!["refused tool_error: the tool's server refused the call: no"],
    );
}

#[test]
fn few_errors_are_definite() {
    for code in [-32_002, -32_020, -32_021, -32_022, -32_042] {
        let error = format!(r#"{{"code":{code},"message":"no"}}"#);
        let exchange = crate::message::RpcError::read(
            &serde_json::value::RawValue::from_string(error.clone()).unwrap(),
        );
        let exchange = Exchange::Error {
            error: exchange.unwrap(),
            status: 200,
        };
        assert_eq!(
            said(exchange, &TOOL),
            format!("refused tool_error: the tool's server refused the call: no = {error}")
        );
    }
    check(
        r#""error":{"code":-32602,"message":"unknown tool: x"}"#,
        expect![[
            r#"refused tool_error: the tool's server refused the call: unknown tool: x = {"code":-32602,"message":"unknown tool: x"}"#
        ]],
    );
    check(
        r#""error":{"code":-32601,"message":"no tools"}"#,
        expect![[
            r#"refused tool_error: the tool's server refused the call: no tools = {"code":-32601,"message":"no tools"}"#
        ]],
    );
    check(
        r#""error":{"code":-32603,"message":"internal"}"#,
        expect!["lost Ambiguous: it answered with error -32603: internal"],
    );
    check(
        r#""error":{"code":-32000,"message":"database gone"}"#,
        expect!["lost Ambiguous: it answered with error -32000: database gone"],
    );
    check(
        r#""error":{"code":1}"#,
        expect!["lost Ambiguous: it answered with error 1"],
    );
}

#[test]
fn the_status_of_http_comes_before_the_error_in_its_body() {
    let invalid = r#""error":{"code":-32602,"message":"bad"}"#;
    check_at(
        400,
        Era::Modern,
        invalid,
        expect![[
            r#"refused tool_error: the tool's server refused the call: bad = {"code":-32602,"message":"bad"}"#
        ]],
    );
    check_at(
        500,
        Era::Modern,
        invalid,
        expect!["lost Ambiguous: it answered with error -32602: bad"],
    );
    check_at(
        409,
        Era::Modern,
        invalid,
        expect!["lost Ambiguous: it answered with error -32602: bad"],
    );
    check_at(
        400,
        Era::Modern,
        r#""error":{"code":-32000,"message":"header"}"#,
        expect![[
            r#"refused tool_error: the tool's server refused the call: error -32000: header = {"code":-32000,"message":"header"}"#
        ]],
    );
}

#[test]
fn a_status_is_definite_or_not() {
    let statuses = [
        202, 301, 400, 401, 403, 404, 408, 409, 410, 422, 425, 429, 500, 502, 503,
    ];
    let lines: Vec<String> = statuses
        .into_iter()
        .map(|status| {
            let body = String::new();
            said(Exchange::Status { status, body }, &TOOL)
        })
        .collect();
    expect![[r#"
        lost Ambiguous: it answered with HTTP 202
        lost Ambiguous: it answered with HTTP 301
        refused tool_error: the tool's server refused the call: HTTP 400
        refused tool_error: the tool's server refused the call: HTTP 401
        refused tool_error: the tool's server refused the call: HTTP 403
        refused tool_error: the tool's server refused the call: HTTP 404
        lost Ambiguous: it answered with HTTP 408
        lost Ambiguous: it answered with HTTP 409
        refused tool_error: the tool's server refused the call: HTTP 410
        refused tool_error: the tool's server refused the call: HTTP 422
        lost Ambiguous: it answered with HTTP 425
        lost Ambiguous: it answered with HTTP 429
        lost Ambiguous: it answered with HTTP 500
        lost Ambiguous: it answered with HTTP 502
        lost Ambiguous: it answered with HTTP 503"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn how_far_it_got_decides_what_a_broken_connection_means() {
    let far = [
        Exchange::NotSent("connection refused".to_owned()),
        Exchange::Broken("it exited with status 1".to_owned()),
        Exchange::Malformed("neither a result nor an error".to_owned()),
    ];
    let lines: Vec<String> = far.into_iter().map(|e| said(e, &TOOL)).collect();
    expect![[r#"
        refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: connection refused
        lost Disconnected: it exited with status 1
        lost Ambiguous: invalid_result: its answer breaks the protocol: neither a result nor an error"#]].assert_eq(&lines.join("\n"));
}
