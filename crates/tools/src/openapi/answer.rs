//! What an HTTP answer means for the call it was, and what is kept of it. Pure.
//!
//! ```text
//! 2xx                        it ran                        the body is the result
//! 4xx (not 408 409 425 429)  it did not run                the body says why
//! 3xx                        it did not, where it only reads or the status says "elsewhere"
//! all else                   nobody can know               unless it leaves no trace: it failed
//! ```
//! The table is that of 3-execution, part 1; statuses are judged by the code that judges those of
//! MCP servers. A body is kept as what it is (JSON, text, bytes), never cut: one that is too long is
//! left out, and the result says so.
//!
//! Must not know: how it was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use serde_json::{Map, Value, json};
use toolgate_execution::LossCause;
use toolgate_gate::port::Answer;
use toolgate_model::json::{self, Limits, Numbers};
use toolgate_model::{Body, Code, Effect};

use crate::message::excerpt;
use crate::verdict;

/// What was asked, as far as it decides what an answer means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Whether it may leave a trace.
    pub(crate) effect: Effect,
    /// Whether it only reads: by the operator's word, or by its method and rating.
    pub(crate) reads: bool,
    /// How long a body may be.
    pub(crate) body_bytes_max: usize,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: HeardBody,
    /// What was taken out of it.
    pub(crate) withheld: bool,
}

/// What came of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeardBody {
    /// All of it.
    Whole(Vec<u8>),
    /// More than is kept.
    TooLong,
    /// The connection broke.
    Broken(String),
}

/// Headers that say something about the answer and nothing about the gate's access.
const TOLD_HEADERS: [&str; 14] = [
    "content-range",
    "deprecation",
    "etag",
    "idempotency-replayed",
    "idempotent-replayed",
    "last-modified",
    "link",
    "location",
    "request-id",
    "retry-after",
    "sunset",
    "x-correlation-id",
    "x-request-id",
    "x-total-count",
];
/// The same, by how they begin.
const TOLD_PREFIXES: [&str; 2] = ["ratelimit", "x-ratelimit-"];
/// LIMIT: headers that travel on, and how long each may be: they are kept with the record.
const TOLD_MAX: usize = 24;
const TOLD_BYTES_MAX: usize = 2 << 10;
/// LIMIT: what an operator is shown of an answer that proves nothing.
const SHOWN_CHARS_MAX: usize = 200;

/// What an answer means.
pub(crate) fn answer(heard: Heard, asked: &Asked) -> Answer {
    let status = heard.status;
    let harmless = asked.effect == Effect::None;
    match status {
        200..=299 => ran(heard, asked),
        304 => answered(heard, false),
        300..=399 if asked.reads || matches!(status, 307 | 308) => {
            verdict::refused(Code::ToolError, redirected(&heard))
        }
        300..=399 => verdict::lost(LossCause::Ambiguous, redirected(&heard)),
        _ if verdict::is_definite_status(status) => answered(heard, true),
        400..=599 if harmless => answered(heard, true),
        _ => {
            let words = in_words(&heard);
            verdict::lost(LossCause::Ambiguous, format!("it answered with {words}"))
        }
    }
}

/// The API says that it did it; what it said besides may be missing.
fn ran(heard: Heard, asked: &Asked) -> Answer {
    match (&heard.body, asked.effect) {
        (HeardBody::Broken(why), _) => verdict::lost(LossCause::Disconnected, why.clone()),
        (HeardBody::TooLong, Effect::None) => {
            let max = asked.body_bytes_max;
            let why = format!("the API's answer is longer than the {max} bytes allowed");
            verdict::refused(Code::InvalidResult, why)
        }
        (HeardBody::TooLong, Effect::Some) | (HeardBody::Whole(_), _) => answered(heard, false),
    }
}

fn answered(heard: Heard, failed: bool) -> Answer {
    let mut about = Map::new();
    about.insert("kind".to_owned(), "http".into());
    about.insert("status".to_owned(), heard.status.into());
    let headers = told(&heard.headers);
    if !headers.is_empty() {
        about.insert("headers".to_owned(), headers.into());
    }
    if heard.withheld {
        about.insert("withheld".to_owned(), json!(["credential"]));
    }
    let (body, note) = body(&heard);
    if let Some(note) = note {
        about.insert("note".to_owned(), note.into());
    }
    Answer::Answered {
        result: body.result(failed, about),
        failed,
    }
}

/// The body as what it is, and what is to be said of it besides.
fn body(heard: &Heard) -> (Body, Option<&'static str>) {
    let bytes = match &heard.body {
        HeardBody::Whole(bytes) if bytes.is_empty() => return (Body::Empty, None),
        HeardBody::Whole(bytes) => bytes,
        HeardBody::TooLong => return (Body::Empty, Some("its body was too long to be kept")),
        HeardBody::Broken(_) => return (Body::Empty, Some("its body broke off")),
    };
    let media_type = media_type(&heard.headers);
    match kind(&media_type) {
        Kind::Json => match read(bytes) {
            Some(value) => (Body::Json(value), None),
            None => (
                text_or_blob(bytes, &media_type),
                Some("its body is no JSON, as it says"),
            ),
        },
        Kind::Text => (text_or_blob(bytes, &media_type), None),
        Kind::Bytes => (blob(bytes, &media_type), None),
    }
}

enum Kind {
    Json,
    Text,
    Bytes,
}

/// What a body is, by what it says that it is; nothing is guessed from what stands in it.
fn kind(media_type: &str) -> Kind {
    let (family, rest) = media_type.split_once('/').unwrap_or((media_type, ""));
    match rest {
        _ if rest == "json" || rest.ends_with("+json") => Kind::Json,
        "xml"
        | "javascript"
        | "yaml"
        | "x-yaml"
        | "x-ndjson"
        | "jsonl"
        | "graphql"
        | "x-www-form-urlencoded"
        | "problem+xml" => Kind::Text,
        _ if family == "text" || family.is_empty() || rest.ends_with("+xml") => Kind::Text,
        _ => Kind::Bytes,
    }
}

fn read(bytes: &[u8]) -> Option<Value> {
    let limits = Limits {
        bytes_max: bytes.len(),
        string_bytes_max: bytes.len(),
        ..Limits::RESULT
    };
    json::parse(bytes, limits, Numbers::Relay).ok()
}

fn text_or_blob(bytes: &[u8], media_type: &str) -> Body {
    match std::str::from_utf8(bytes) {
        Ok(text) => Body::Text(text.to_owned()),
        Err(_) => blob(bytes, media_type),
    }
}

fn blob(bytes: &[u8], media_type: &str) -> Body {
    let unknown = media_type.is_empty();
    Body::Blob {
        base64: STANDARD.encode(bytes),
        media_type: if unknown {
            "application/octet-stream"
        } else {
            media_type
        }
        .to_owned(),
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = text.unwrap_or_default().split(';').next();
    excerpt(&essence.unwrap_or_default().to_ascii_lowercase(), 100)
}

fn told(headers: &HeaderMap) -> Map<String, Value> {
    let is_told = |name: &str| {
        TOLD_HEADERS.contains(&name) || TOLD_PREFIXES.iter().any(|start| name.starts_with(start))
    };
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= TOLD_BYTES_MAX).then(|| value.to_owned())
    };
    let names = headers.keys().map(|name| name.as_str());
    let told = names.filter(|name| is_told(name)).take(TOLD_MAX);
    told.filter_map(|name| Some((name.to_owned(), text(name)?.into())))
        .collect()
}

fn redirected(heard: &Heard) -> String {
    let to = heard.headers.get(LOCATION).and_then(|to| to.to_str().ok());
    let to = excerpt(to.unwrap_or("nowhere"), SHOWN_CHARS_MAX);
    let status = heard.status;
    format!("the API answered with HTTP {status} and leads to `{to}`, which is not followed")
}

fn in_words(heard: &Heard) -> String {
    let said = match &heard.body {
        HeardBody::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        HeardBody::TooLong | HeardBody::Broken(_) => String::new(),
    };
    let said = excerpt(&said, SHOWN_CHARS_MAX);
    let status = heard.status;
    match said.is_empty() {
        true => format!("HTTP {status}"),
        false => format!("HTTP {status}: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Heard, HeardBody, answer};
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::{Value, json};
    use toolgate_gate::port::Answer;
    use toolgate_model::{Effect, body_in};

    fn heard(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Heard {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        };
        Heard {
            status,
            headers: headers.iter().map(pair).collect::<HeaderMap>(),
            body: HeardBody::Whole(body.to_vec()),
            withheld: false,
        }
    }

    fn asked(effect: Effect, reads: bool) -> Asked {
        Asked {
            effect,
            reads,
            body_bytes_max: 1 << 20,
        }
    }

    fn word(answer: &Answer) -> &'static str {
        match answer {
            Answer::Answered { failed: false, .. } => "ran",
            Answer::Answered { failed: true, .. } => "failed",
            Answer::Refused { .. } => "refused",
            Answer::Lost { .. } => "lost",
        }
    }

    fn result(answer: Answer) -> Value {
        match answer {
            Answer::Answered { result, .. } => serde_json::from_str(result.get()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Written from 3-execution, part 1, for a call that may leave a trace, a read by its rating,
    /// and a read by the operator's word.
    #[test]
    fn a_status_means_what_the_contract_says() {
        for (status, writes, reads, none) in [
            (200, "ran", "ran", "ran"),
            (201, "ran", "ran", "ran"),
            (202, "ran", "ran", "ran"),
            (204, "ran", "ran", "ran"),
            (301, "lost", "refused", "refused"),
            (302, "lost", "refused", "refused"),
            (303, "lost", "refused", "refused"),
            (307, "refused", "refused", "refused"),
            (308, "refused", "refused", "refused"),
            (400, "failed", "failed", "failed"),
            (401, "failed", "failed", "failed"),
            (403, "failed", "failed", "failed"),
            (404, "failed", "failed", "failed"),
            (408, "lost", "lost", "failed"),
            (409, "lost", "lost", "failed"),
            (410, "failed", "failed", "failed"),
            (422, "failed", "failed", "failed"),
            (425, "lost", "lost", "failed"),
            (429, "lost", "lost", "failed"),
            (500, "lost", "lost", "failed"),
            (503, "lost", "lost", "failed"),
            (101, "lost", "lost", "lost"),
            (600, "lost", "lost", "lost"),
        ] {
            let said =
                |effect, reads| word(&answer(heard(status, &[], b""), &asked(effect, reads)));
            let found = [
                said(Effect::Some, false),
                said(Effect::Some, true),
                said(Effect::None, true),
            ];
            assert_eq!(found, [writes, reads, none], "{status}");
        }
    }

    #[test]
    fn a_body_is_kept_as_what_it_says_that_it_is() {
        let kept = |kind: &str, body: &[u8]| {
            let heard = heard(200, &[("content-type", kind)], body);
            let kept = result(answer(heard, &asked(Effect::Some, false)));
            let note = kept["_meta"]["dev.toolgate/body"]["note"].clone();
            (body_in(&kept).unwrap(), note)
        };
        let none = Value::Null;
        for kind in [
            "application/json; charset=utf-8",
            "application/vnd.github+json",
        ] {
            assert_eq!(
                kept(kind, b"{\"a\":1.50}"),
                (serde_json::from_str("{\"a\":1.50}").unwrap(), none.clone())
            );
        }
        assert_eq!(kept("text/csv", b"a,b"), (json!("a,b"), none.clone()));
        assert_eq!(kept("", b"ok"), (json!("ok"), none.clone()));
        assert_eq!(kept("application/json", b""), (Value::Null, none.clone()));
        let blob =
            |base64, kind| json!({"uri": "toolgate://body", "mimeType": kind, "blob": base64});
        assert_eq!(
            kept("application/pdf", b"\x00\x01").0,
            blob("AAE=", "application/pdf")
        );
        assert_eq!(kept("text/plain", b"\xff").0, blob("/w==", "text/plain"));
        // Two readers of this would see two values.
        for broken in ["{\"a\":1,\"a\":2}", "{\"a\":", "<html>"] {
            let (body, note) = kept("application/json", broken.as_bytes());
            assert_eq!((body, note.is_string()), (json!(broken), true));
        }
    }

    #[test]
    fn a_body_that_is_missing_is_said_to_be() {
        let with = |status, body, effect| {
            let whole = heard(status, &[], b"");
            answer(Heard { body, ..whole }, &asked(effect, false))
        };
        let broken = || HeardBody::Broken("reset".to_owned());
        assert_eq!(word(&with(200, broken(), Effect::Some)), "lost");
        assert_eq!(word(&with(404, broken(), Effect::Some)), "failed");
        assert_eq!(
            word(&with(200, HeardBody::TooLong, Effect::None)),
            "refused"
        );
        let kept = result(with(201, HeardBody::TooLong, Effect::Some));
        let about = &kept["_meta"]["dev.toolgate/body"];
        assert_eq!(
            (&about["status"], &about["form"]),
            (&json!(201), &json!("empty"))
        );
        assert!(about["note"].as_str().unwrap().contains("too long"));
    }

    #[test]
    fn only_headers_that_say_nothing_of_the_gates_access_travel_on() {
        let long = "x".repeat(3_000);
        let headers = [
            ("etag", "\"1\""),
            ("x-ratelimit-remaining", "7"),
            ("set-cookie", "session=1"),
            ("www-authenticate", "Bearer"),
            ("authorization", "Bearer x"),
            ("link", long.as_str()),
        ];
        let kept = result(answer(
            heard(200, &headers, b""),
            &asked(Effect::Some, false),
        ));
        let told = &kept["_meta"]["dev.toolgate/body"]["headers"];
        assert_eq!(
            told,
            &json!({"etag": "\"1\"", "x-ratelimit-remaining": "7"})
        );
    }

    #[test]
    fn a_redirect_names_where_it_leads() {
        let to = [("location", "https://evil.example/x")];
        match answer(heard(302, &to, b""), &asked(Effect::Some, true)) {
            Answer::Refused { message, .. } => {
                assert!(message.contains("evil.example"), "{message}")
            }
            other => panic!("{other:?}"),
        }
    }
}
