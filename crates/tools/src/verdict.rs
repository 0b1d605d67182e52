//! What an exchange means for the call it was: the table of 3-execution, part 1. Pure.
//!
//! *Definite* are a result, invalid parameters, an unknown tool, a refusal by HTTP status, and
//! whatever was never sent. All else is *nobody can know*: an error after the effect landed looks
//! just like one before.
//!
//! Must not know: how the exchange came about.

use serde::Deserialize;
use serde_json::Value;
use toolgate_execution::LossCause;
use toolgate_gate::port::Answer;
use toolgate_model::{Code, json::Raw};

use crate::era::Era;
use crate::exchange::Exchange;
use crate::message::{self, RpcError, excerpt};

/// Statuses of HTTP that do not say whether the request was processed, though they begin with 4.
const AMBIGUOUS_STATUSES: [u16; 4] = [408, 409, 425, 429];

/// LIMIT: what a caller is shown of an upstream's own words.
const MESSAGE_CHARS_MAX: usize = 500;

/// What an exchange of `tools/call` means.
pub(crate) fn answer(exchange: Exchange, era: Era, result_bytes_max: usize) -> Answer {
    match exchange {
        Exchange::Result(result) => answered(result, era, result_bytes_max),
        Exchange::Error { ref error, status } if is_definite_error(error, status) => {
            let shown = excerpt(&error.message, MESSAGE_CHARS_MAX);
            refused(
                Code::ToolError,
                format!("the tool's server refused the call: {shown}"),
            )
        }
        Exchange::Status { status, .. } | Exchange::Error { status, .. }
            if is_definite_status(status) =>
        {
            let words = exchange.in_words();
            refused(
                Code::ToolError,
                format!("the tool's server refused the call: {words}"),
            )
        }
        Exchange::Error { .. } | Exchange::Status { .. } => lost(
            LossCause::Ambiguous,
            format!("it answered with {}", exchange.in_words()),
        ),
        Exchange::Malformed(why) => invalid(&why),
        Exchange::NotSent(why) => unavailable(&why),
        Exchange::Broken(why) => lost(LossCause::Disconnected, why),
    }
}

/// The tool's server cannot be reached; nothing was sent.
pub(crate) fn unavailable(why: &str) -> Answer {
    refused(
        Code::UpstreamUnavailable,
        format!("the tool's server cannot be reached, and nothing was sent: {why}"),
    )
}

/// Nobody can know.
pub(crate) const fn lost(cause: LossCause, detail: String) -> Answer {
    Answer::Lost { cause, detail }
}

const fn refused(code: Code, message: String) -> Answer {
    Answer::Refused {
        code,
        message,
        error: None,
    }
}

/// The answer breaks the protocol, and the effect may have landed all the same.
fn invalid(why: &str) -> Answer {
    lost(
        LossCause::Ambiguous,
        format!(
            "{}: its answer breaks the protocol: {why}",
            Code::InvalidResult
        ),
    )
}

fn is_definite_error(error: &RpcError, status: u16) -> bool {
    let codes = [RpcError::INVALID_PARAMS, RpcError::METHOD_NOT_FOUND];
    codes.contains(&error.code) && (status < 300 || is_definite_status(status))
}

fn is_definite_status(status: u16) -> bool {
    (400..500).contains(&status) && !AMBIGUOUS_STATUSES.contains(&status)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lens {
    #[serde(default)]
    is_error: Value,
    #[serde(default)]
    content: Option<Value>,
    #[serde(default)]
    result_type: Value,
}

/// Judges a result by its few fixed fields; all else travels on as it stands.
fn answered(result: Raw, era: Era, bytes_max: usize) -> Answer {
    let lens = message::value(&result, bytes_max).and_then(|value| {
        // A list would pass for a struct by position.
        if !value.is_object() {
            return Err("its result is no object".to_owned());
        }
        Lens::deserialize(value).map_err(|error| error.to_string())
    });
    let lens = match lens {
        Ok(lens) => lens,
        Err(why) => return invalid(&why),
    };
    let failed = match lens.is_error {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        _ => return invalid("`isError` is neither true nor false"),
    };
    if !matches!(lens.content, None | Some(Value::Array(_))) {
        return invalid("`content` is no list");
    }
    match lens.result_type {
        Value::Null => {}
        Value::String(kind) if kind == "complete" => {}
        // A legacy server knows no such field: there it is one of its own, and travels on.
        _ if era != Era::Modern => {}
        other => {
            let shown = excerpt(&other.to_string(), 40);
            return invalid(&format!(
                "`resultType` is {shown}, for which the gate did not ask"
            ));
        }
    }
    Answer::Answered { result, failed }
}

#[cfg(test)]
mod tests {
    use super::answer;
    use crate::era::Era;
    use crate::exchange::Exchange;
    use crate::message::{Inbound, read};
    use expect_test::{Expect, expect};
    use toolgate_gate::port::Answer;

    fn shown(answer: Answer) -> String {
        match answer {
            Answer::Answered { result, failed } => format!("answered failed={failed} {result}"),
            Answer::Refused { code, message, .. } => format!("refused {code}: {message}"),
            Answer::Lost { cause, detail } => format!("lost {cause:?}: {detail}"),
        }
    }

    fn check(reply: &str, expected: Expect) {
        check_at(200, Era::Modern, reply, expected);
    }

    fn check_at(http: u16, era: Era, reply: &str, expected: Expect) {
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
        expected.assert_eq(&shown(answer(exchange, era, 4_096)));
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
            expect![[
                r#"lost Ambiguous: invalid_result: its answer breaks the protocol: `resultType` is "input_required", for which the gate did not ask"#
            ]],
        );
        check(
            r#""result":{"resultType":"task","taskId":"t"}"#,
            expect![[
                r#"lost Ambiguous: invalid_result: its answer breaks the protocol: `resultType` is "task", for which the gate did not ask"#
            ]],
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
    fn only_two_errors_are_definite() {
        check(
            r#""error":{"code":-32602,"message":"unknown tool: x"}"#,
            expect!["refused tool_error: the tool's server refused the call: unknown tool: x"],
        );
        check(
            r#""error":{"code":-32601,"message":"no tools"}"#,
            expect!["refused tool_error: the tool's server refused the call: no tools"],
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
            expect!["refused tool_error: the tool's server refused the call: bad"],
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
            r#""error":{"code":-32020,"message":"header"}"#,
            expect!["refused tool_error: the tool's server refused the call: error -32020: header"],
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
                shown(answer(Exchange::Status { status, body }, Era::Modern, 99))
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
        let lines: Vec<String> = far
            .into_iter()
            .map(|e| shown(answer(e, Era::Modern, 99)))
            .collect();
        expect![[r#"
            refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: connection refused
            lost Disconnected: it exited with status 1
            lost Ambiguous: invalid_result: its answer breaks the protocol: neither a result nor an error"#]].assert_eq(&lines.join("\n"));
    }
}
