//! What a plugin's signed answers mean. Pure.
//!
//! `{"success": true, "message": "refunded", "data": {…}, "effects": {"change_status": "closed"}}` is
//! a success, and that the status was changed is the plugin's claim. Whatever is not said in so many
//! words is not taken for it: an answer without `success` leaves the effect unknown, one without
//! `allowed` lets nothing run, and one without `found` proves nothing.
//!
//! Must not know: how it was asked.

use serde_json::{Map, Value, json};
use toolgate_execution::LossCause;
use toolgate_gate::port::Answer;
use toolgate_model::json::{self as strict, Limits, Numbers};
use toolgate_model::{Body, Code};

use super::wire::{Said, Trouble};
use crate::message::excerpt;
use crate::verdict;

/// LIMIT: what callers are shown of a plugin's own words.
const MESSAGE_CHARS_MAX: usize = 500;
/// LIMIT: names of claimed effects that stand beside a result; all of them are in the result.
const CLAIMS_MAX: usize = 32;
/// LIMIT: a word, not a text.
const WORD_CHARS_MAX: usize = 64;
/// What of an answer to `execute` is kept.
const OUTCOME_MEMBERS: [&str; 4] = ["success", "message", "data", "effects"];

/// What a plugin says of how it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Health {
    /// Why it does not work, where it says so.
    pub(super) down: Option<String>,
    /// What else it says of its state, in one line.
    pub(super) detail: Option<String>,
    /// Another one means that it offers something else.
    pub(super) revision: Option<String>,
}

/// What a plugin says that it can do.
#[derive(Debug)]
pub(super) struct Discovered {
    /// Each action, as written.
    pub(super) actions: Vec<Value>,
    /// `provider`, `version`, `owner`, `auth`: what it calls itself.
    pub(super) claims: Vec<(String, String)>,
    /// Its version.
    pub(super) version: Option<String>,
}

/// Reads an answer to `health`.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn health(said: &Said) -> Result<Health, String> {
    let answer = object(said)?;
    let word = |key: &str| {
        let text = answer.get(key).and_then(Value::as_str);
        text.map(|text| excerpt(text, MESSAGE_CHARS_MAX))
    };
    let status = word("status").ok_or("its answer has no `status`")?;
    let detail = word("detail").filter(|text| !text.is_empty());
    let state = |name: &str| {
        let why = detail
            .as_ref()
            .map_or(String::new(), |why| format!(": {why}"));
        format!("it says of itself that it is {name}{why}")
    };
    let (down, detail) = match status.as_str() {
        "ok" => (None, detail),
        "degraded" => (None, Some(state("degraded"))),
        "down" => (Some(state("down")), None),
        other => {
            return Err(format!(
                "its `status` `{other}` is none of `ok`, `degraded`, `down`"
            ));
        }
    };
    Ok(Health {
        down,
        detail,
        revision: word("revision"),
    })
}

/// Reads an answer to `discover`.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn discovered(said: &Said) -> Result<Discovered, String> {
    let mut answer = object(said)?;
    let actions = match answer.remove("actions") {
        Some(Value::Array(actions)) => actions,
        _ => return Err("its answer has no list of `actions`".to_owned()),
    };
    let word = |key: &str| {
        let text = answer.get(key).and_then(Value::as_str)?;
        Some(excerpt(text, WORD_CHARS_MAX))
    };
    let known = ["provider", "version", "owner", "auth"];
    let claims = known
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), word(key)?)));
    Ok(Discovered {
        claims: claims.collect(),
        version: word("version"),
        actions,
    })
}

/// Whether an answer to `authorize` lets the call go on.
///
/// # Errors
/// The answer that it gets instead: it did not run.
pub(super) fn authorized(answer: Result<Said, Trouble>) -> Result<(), Answer> {
    let said = answer.map_err(|trouble| unasked(trouble.in_words()))?;
    if verdict::is_definite_status(said.status) {
        return Err(refused(&said));
    }
    if !(200..300).contains(&said.status) {
        return Err(unasked(&format!("it answered with HTTP {}", said.status)));
    }
    let answer = object(&said).map_err(|why| unasked(&why))?;
    match answer.get("allowed") {
        Some(Value::Bool(true)) => Ok(()),
        Some(Value::Bool(false)) => {
            let words = words_of(&answer).unwrap_or_else(|| "it does not say why".to_owned());
            let message = format!("the plugin does not allow the call: {words}");
            Err(verdict::refused(Code::ToolError, message))
        }
        _ => Err(unasked(
            "its answer does not say whether the call is `allowed`",
        )),
    }
}

/// The plugin was not asked to run the call.
fn unasked(why: &str) -> Answer {
    let message = format!("the plugin did not authorize the call, and nothing was executed: {why}");
    verdict::refused(Code::UpstreamUnavailable, message)
}

/// What an answer to `execute` means for the call.
pub(super) fn executed(answer: Result<Said, Trouble>) -> Answer {
    let said = match answer {
        Ok(said) => said,
        Err(Trouble::NotSent(why)) => return verdict::unavailable(&why),
        Err(Trouble::Broken(why)) => return verdict::lost(LossCause::Disconnected, why),
        Err(Trouble::Unsigned(why)) => return verdict::lost(LossCause::Ambiguous, why),
        Err(Trouble::TooLong(why)) => return verdict::invalid(&why),
    };
    match said.status {
        200..=299 => outcome(&said).unwrap_or_else(|why| verdict::invalid(&why)),
        // The status is not signed, and whoever stands between can change it: the body decides.
        status if verdict::is_definite_status(status) && denies(&said) => refused(&said),
        status => verdict::lost(
            LossCause::Ambiguous,
            format!("it answered with HTTP {status}"),
        ),
    }
}

/// Whether a signed body says that nothing was done.
fn denies(said: &Said) -> bool {
    object(said).is_ok_and(|answer| answer.get("success") == Some(&Value::Bool(false)))
}

fn outcome(said: &Said) -> Result<Answer, String> {
    let answer = object(said)?;
    let success = match answer.get("success") {
        Some(Value::Bool(success)) => *success,
        _ => return Err("`success` is neither true nor false".to_owned()),
    };
    let claims = claims(answer.get("effects"))?;
    let kept = |key: &&str| answer.get(*key).filter(|value| !value.is_null());
    let body = OUTCOME_MEMBERS
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), kept(&key)?.clone())));
    let about = about(said.status, &[("claims", claims.into())]);
    Ok(Answer::Answered {
        result: Body::Json(Value::Object(body.collect())).result(!success, about),
        failed: !success,
    })
}

/// The names of the effects that a plugin says its action had.
fn claims(effects: Option<&Value>) -> Result<Vec<Value>, String> {
    match effects {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(effects)) => {
            let names = effects.keys().take(CLAIMS_MAX);
            Ok(names
                .map(|name| excerpt(name, WORD_CHARS_MAX).into())
                .collect())
        }
        Some(_) => Err("`effects` is no object".to_owned()),
    }
}

/// What an answer to `reflect` shows: a look of the gate's own.
pub(super) fn reflected(answer: Result<Said, Trouble>) -> Answer {
    let said = match answer {
        Ok(said) if (200..300).contains(&said.status) => said,
        Ok(said) => return refused(&said),
        Err(trouble) => return verdict::unavailable(trouble.in_words()),
    };
    let answer = match object(&said) {
        Ok(answer) => answer,
        Err(why) => return verdict::invalid(&why),
    };
    let mut seen = Map::new();
    match answer.get("found") {
        Some(Value::Bool(found)) => {
            seen.insert("found".to_owned(), (*found).into());
        }
        // Without `found` the expectation can read nothing, and proves nothing.
        Some(Value::String(word)) if word == "unknown" => {}
        _ => return verdict::invalid("`found` is none of true, false, \"unknown\""),
    }
    if let Some(data) = answer.get("data") {
        seen.insert("data".to_owned(), data.clone());
    }
    Answer::Answered {
        result: Body::Json(Value::Object(seen)).result(false, about(said.status, &[])),
        failed: false,
    }
}

/// Where a result comes from.
fn about(status: u16, further: &[(&str, Value)]) -> Map<String, Value> {
    let own = [("kind", json!("plugin")), ("status", status.into())];
    let all = own.iter().chain(further);
    all.map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

/// The plugin says in so many words that it did not do it.
fn refused(said: &Said) -> Answer {
    let status = said.status;
    let words = object(said).ok().and_then(|answer| words_of(&answer));
    let words = words.map_or_else(String::new, |words| format!(": {words}"));
    verdict::refused(
        Code::ToolError,
        format!("the plugin refused the call with HTTP {status}{words}"),
    )
}

fn words_of(answer: &Map<String, Value>) -> Option<String> {
    let text = answer.get("message")?.as_str()?;
    Some(excerpt(text, MESSAGE_CHARS_MAX)).filter(|text| !text.is_empty())
}

/// The object that a body is, read strictly.
fn object(said: &Said) -> Result<Map<String, Value>, String> {
    match strict::parse(&said.body, Limits::RESULT, Numbers::Relay) {
        Ok(Value::Object(answer)) => Ok(answer),
        Ok(_) => Err("its answer is no object".to_owned()),
        Err(error) => Err(format!(
            "its answer with HTTP {} cannot be read: {error}",
            said.status
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, authorized, discovered, executed, health, reflected};
    use crate::plugin::wire::{Said, Trouble};
    use expect_test::{Expect, expect};
    use toolgate_gate::port::Answer;

    fn said(status: u16, body: &str) -> Said {
        Said {
            status,
            body: body.as_bytes().to_vec(),
        }
    }

    fn shown(answer: &Answer) -> String {
        match answer {
            Answer::Answered { result, failed } => format!("answered failed={failed} {result}"),
            Answer::Refused { code, message, .. } => format!("refused {code}: {message}"),
            Answer::Lost { cause, detail } => format!("lost {cause:?}: {detail}"),
        }
    }

    fn check(all: Vec<Answer>, expected: &Expect) {
        let lines: Vec<String> = all.iter().map(shown).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn only_an_answer_in_so_many_words_is_one() {
        let answers = [
            (
                200,
                r#"{"success": true, "message": "done", "data": {"id": 1.50}, "effects": {"change_status": "closed", "add_comment": {}}, "more": 1}"#,
            ),
            (
                200,
                r#"{"success": false, "message": "no such charge", "data": null}"#,
            ),
            (201, r#"{"success": 1}"#),
            (200, r#"{"success": true, "effects": ["x"]}"#),
            (200, r#"{"success": true, "success": false}"#),
            (200, "[]"),
            (200, ""),
            (400, r#"{"success": false, "message": "no amount"}"#),
            (400, r#"{"message": "no amount"}"#),
            (404, r#"{"success": true, "message": "changed on the way"}"#),
            (404, "not json"),
            (409, r#"{"success": false, "message": "busy"}"#),
            (302, "{}"),
            (500, r#"{"success": true}"#),
        ];
        let all = answers.map(|(status, body)| executed(Ok(said(status, body))));
        check(
            all.into(),
            &expect![[r#"
                answered failed=false {"structuredContent":{"success":true,"message":"done","data":{"id":1.50},"effects":{"change_status":"closed","add_comment":{}}},"content":[{"type":"text","text":"{\"success\":true,\"message\":\"done\",\"data\":{\"id\":1.50},\"effects\":{\"change_status\":\"closed\",\"add_comment\":{}}}"}],"isError":false,"_meta":{"dev.toolgate/body":{"kind":"plugin","status":200,"claims":["change_status","add_comment"],"form":"json"}}}
                answered failed=true {"structuredContent":{"success":false,"message":"no such charge"},"content":[{"type":"text","text":"{\"success\":false,\"message\":\"no such charge\"}"}],"isError":true,"_meta":{"dev.toolgate/body":{"kind":"plugin","status":200,"claims":[],"form":"json"}}}
                lost Ambiguous: invalid_result: its answer breaks the protocol: `success` is neither true nor false
                lost Ambiguous: invalid_result: its answer breaks the protocol: `effects` is no object
                lost Ambiguous: invalid_result: its answer breaks the protocol: its answer with HTTP 200 cannot be read: the key `success` stands twice at line 1, column 27
                lost Ambiguous: invalid_result: its answer breaks the protocol: its answer is no object
                lost Ambiguous: invalid_result: its answer breaks the protocol: its answer with HTTP 200 cannot be read: EOF while parsing a value at line 1, column 0
                refused tool_error: the plugin refused the call with HTTP 400: no amount
                lost Ambiguous: it answered with HTTP 400
                lost Ambiguous: it answered with HTTP 404
                lost Ambiguous: it answered with HTTP 404
                lost Ambiguous: it answered with HTTP 409
                lost Ambiguous: it answered with HTTP 302
                lost Ambiguous: it answered with HTTP 500"#]],
        );
    }

    #[test]
    fn an_answer_that_did_not_come_is_lost_unless_nothing_was_sent() {
        let why = || "why".to_owned();
        let all = [
            Trouble::NotSent(why()),
            Trouble::Broken(why()),
            Trouble::Unsigned(why()),
            Trouble::TooLong(why()),
        ];
        check(
            all.map(|trouble| executed(Err(trouble))).into(),
            &expect![[r#"
                refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: why
                lost Disconnected: why
                lost Ambiguous: why
                lost Ambiguous: invalid_result: its answer breaks the protocol: why"#]],
        );
    }

    #[test]
    fn nothing_runs_that_is_not_allowed_in_so_many_words() {
        let answers = [
            (
                200,
                r#"{"allowed": false, "message": "over the limit\nof today"}"#,
            ),
            (200, r#"{"allowed": false}"#),
            (200, r#"{"allowed": "true"}"#),
            (200, "{}"),
            (403, r#"{"message": "not you"}"#),
            (500, r#"{"allowed": true}"#),
        ];
        let refusal = |(status, body)| authorized(Ok(said(status, body))).unwrap_err();
        let mut all: Vec<Answer> = answers.map(refusal).into();
        for trouble in [Trouble::Broken, Trouble::Unsigned, Trouble::TooLong] {
            all.push(authorized(Err(trouble("why".to_owned()))).unwrap_err());
        }
        check(
            all,
            &expect![[r#"
            refused tool_error: the plugin does not allow the call: over the limit of today
            refused tool_error: the plugin does not allow the call: it does not say why
            refused upstream_unavailable: the plugin did not authorize the call, and nothing was executed: its answer does not say whether the call is `allowed`
            refused upstream_unavailable: the plugin did not authorize the call, and nothing was executed: its answer does not say whether the call is `allowed`
            refused tool_error: the plugin refused the call with HTTP 403: not you
            refused upstream_unavailable: the plugin did not authorize the call, and nothing was executed: it answered with HTTP 500
            refused upstream_unavailable: the plugin did not authorize the call, and nothing was executed: why
            refused upstream_unavailable: the plugin did not authorize the call, and nothing was executed: why
            refused upstream_unavailable: the plugin did not authorize the call, and nothing was executed: why"#]],
        );
        assert!(authorized(Ok(said(200, r#"{"allowed": true}"#))).is_ok());
    }

    #[test]
    fn only_true_and_false_show_anything() {
        let answers = [
            (200, r#"{"found": true, "data": {"refund": "re_1"}}"#),
            (200, r#"{"found": false}"#),
            (
                200,
                r#"{"found": "unknown", "data": {"why": "the ledger is away"}}"#,
            ),
            (200, r#"{"found": null}"#),
            (200, r#"{"found": 1}"#),
            (200, "{}"),
            (404, "{}"),
            (500, r#"{"found": true}"#),
        ];
        let mut all: Vec<Answer> = answers
            .map(|(status, body)| reflected(Ok(said(status, body))))
            .into();
        all.push(reflected(Err(Trouble::Unsigned("why".to_owned()))));
        check(
            all,
            &expect![[r#"
            answered failed=false {"structuredContent":{"found":true,"data":{"refund":"re_1"}},"content":[{"type":"text","text":"{\"found\":true,\"data\":{\"refund\":\"re_1\"}}"}],"isError":false,"_meta":{"dev.toolgate/body":{"kind":"plugin","status":200,"form":"json"}}}
            answered failed=false {"structuredContent":{"found":false},"content":[{"type":"text","text":"{\"found\":false}"}],"isError":false,"_meta":{"dev.toolgate/body":{"kind":"plugin","status":200,"form":"json"}}}
            answered failed=false {"structuredContent":{"data":{"why":"the ledger is away"}},"content":[{"type":"text","text":"{\"data\":{\"why\":\"the ledger is away\"}}"}],"isError":false,"_meta":{"dev.toolgate/body":{"kind":"plugin","status":200,"form":"json"}}}
            lost Ambiguous: invalid_result: its answer breaks the protocol: `found` is none of true, false, "unknown"
            lost Ambiguous: invalid_result: its answer breaks the protocol: `found` is none of true, false, "unknown"
            lost Ambiguous: invalid_result: its answer breaks the protocol: `found` is none of true, false, "unknown"
            refused tool_error: the plugin refused the call with HTTP 404
            refused tool_error: the plugin refused the call with HTTP 500
            refused upstream_unavailable: the tool's server cannot be reached, and nothing was sent: why"#]],
        );
    }

    #[test]
    fn a_plugin_says_how_it_is() {
        let read = |body: &str| health(&said(200, body));
        let fine = read(r#"{"status": "ok", "revision": "7"}"#).unwrap();
        let expected = Health {
            down: None,
            detail: None,
            revision: Some("7".to_owned()),
        };
        assert_eq!(fine, expected);
        let degraded = read(r#"{"status": "degraded", "detail": "the ledger\nis slow"}"#).unwrap();
        let words = "it says of itself that it is degraded: the ledger is slow";
        assert_eq!(degraded.detail.as_deref(), Some(words));
        let down = read(r#"{"status": "down"}"#).unwrap().down;
        assert_eq!(down.as_deref(), Some("it says of itself that it is down"));
        assert!(read(r#"{"status": "fine"}"#).is_err() && read("{}").is_err());
    }

    #[test]
    fn what_it_calls_itself_is_shortened() {
        let long = "x".repeat(200);
        let body = format!(r#"{{"actions": [], "provider": "{long}", "owner": 7}}"#);
        let read = discovered(&said(200, &body)).unwrap();
        let [(key, value)] = read.claims.as_slice() else {
            panic!("{:?}", read.claims)
        };
        assert_eq!((key.as_str(), value.chars().count()), ("provider", 65));
        assert!(discovered(&said(200, r#"{"actions": {}}"#)).is_err());
    }
}
