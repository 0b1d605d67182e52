//! What an exchange means for the call it was: the table of 3-execution, part 1. Pure.
//!
//! *Definite* are a result, invalid parameters, an unknown tool, a refusal by HTTP status, and
//! whatever was never sent. All else is *nobody can know*: an error after the effect landed looks
//! just like one before. Where there is no effect, an error is an answer like any other.
//!
//! Must not know: how the exchange came about.

use serde::Deserialize;
use serde_json::Value;
use toolgate_execution::LossCause;
use toolgate_gate::port::Answer;
use toolgate_model::{Code, Effect, Method, json::Raw};

use crate::era::Era;
use crate::exchange::Exchange;
use crate::message::{self, RpcError, excerpt};

/// What was asked, as far as it decides what an answer means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// How the server is spoken to.
    pub(crate) era: Era,
    /// The method that the tool stands for; none: `tools/call`.
    pub(crate) method: Option<Method>,
    /// Whether it may leave a trace.
    pub(crate) effect: Effect,
    /// How long a result may be.
    pub(crate) result_bytes_max: usize,
}

/// What a server said to a call.
#[derive(Debug)]
pub(crate) enum Word {
    /// Its last word.
    Last(Answer),
    /// It wants to know more before it goes on: the result that says so.
    Wants(Raw),
    /// It goes on by itself, as a task: the result that says so.
    Task(Raw),
}

/// Statuses of HTTP that do not say whether the request was processed, though they begin with 4.
const AMBIGUOUS_STATUSES: [u16; 4] = [408, 409, 425, 429];

/// LIMIT: what a caller is shown of an upstream's own words.
const MESSAGE_CHARS_MAX: usize = 500;
/// LIMIT: an error object that travels on; it is kept with the record.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Errors by which a server says that it did not do what it was asked: invalid parameters, unknown
/// methods, tools and resources, and what the protocol reserves for a request that lacks something
/// (headers, capabilities, a version, a page that the user has to visit first).
const DEFINITE_ERRORS: [i64; 7] = [
    RpcError::INVALID_PARAMS,
    RpcError::METHOD_NOT_FOUND,
    -32_002,
    -32_020,
    -32_021,
    RpcError::UNSUPPORTED_VERSION,
    -32_042,
];

/// What an exchange means.
pub(crate) fn word(exchange: Exchange, asked: &Asked) -> Word {
    match exchange {
        Exchange::Result(result) => result_word(result, asked),
        other => Word::Last(failure(other, asked.effect)),
    }
}

/// What an exchange means that had no result.
fn failure(exchange: Exchange, effect: Effect) -> Answer {
    let words = exchange.in_words();
    match exchange {
        Exchange::Error { ref error, status } if is_definite_error(error, status) => {
            refused_with(excerpt(&error.message, MESSAGE_CHARS_MAX), error)
        }
        Exchange::Error { ref error, status }
            if is_definite_status(status) || effect == Effect::None =>
        {
            refused_with(words, error)
        }
        Exchange::Status { status, .. } if is_definite_status(status) => refused(
            Code::ToolError,
            format!("the tool's server refused the call: {words}"),
        ),
        Exchange::Error { .. } | Exchange::Status { .. } => {
            lost(LossCause::Ambiguous, format!("it answered with {words}"))
        }
        Exchange::Malformed(why) => invalid(&why),
        Exchange::NotSent(why) => unavailable(&why),
        Exchange::Broken(why) => lost(LossCause::Disconnected, why),
        Exchange::Result(_) => invalid("a result where none was expected"),
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

pub(crate) const fn refused(code: Code, message: String) -> Answer {
    Answer::Refused {
        code,
        message,
        error: None,
    }
}

/// The tool's server refused, by an error of the protocol that travels on as it wrote it.
fn refused_with(words: String, error: &RpcError) -> Answer {
    let readable = |raw: &&Raw| message::value(raw, ERROR_BYTES_MAX).is_ok();
    Answer::Refused {
        code: Code::ToolError,
        message: format!("the tool's server refused the call: {words}"),
        error: error.written.as_ref().filter(readable).cloned(),
    }
}

/// The tool wants to know something before it goes on, and will not: nothing is under way.
pub(crate) fn unanswered(why: &str) -> Answer {
    refused(
        Code::ToolError,
        format!("the tool asked for input that its caller did not give: {why}"),
    )
}

/// The answer breaks the protocol, and the effect may have landed all the same.
pub(crate) fn invalid(why: &str) -> Answer {
    lost(
        LossCause::Ambiguous,
        format!(
            "{}: its answer breaks the protocol: {why}",
            Code::InvalidResult
        ),
    )
}

fn is_definite_error(error: &RpcError, status: u16) -> bool {
    DEFINITE_ERRORS.contains(&error.code) && (status < 300 || is_definite_status(status))
}

pub(crate) fn is_definite_status(status: u16) -> bool {
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
    contents: Option<Value>,
    #[serde(default)]
    messages: Option<Value>,
    #[serde(default)]
    completion: Option<Value>,
    #[serde(default)]
    result_type: Value,
}

/// Judges a result by its few fixed fields; all else travels on as it stands.
fn result_word(result: Raw, asked: &Asked) -> Word {
    let lens = match lens(&result, asked.result_bytes_max) {
        Ok(lens) => lens,
        Err(why) => return Word::Last(invalid(&why)),
    };
    // A legacy server knows no such field: there it is one of its own, and travels on.
    match lens
        .result_type
        .as_str()
        .filter(|_| asked.era == Era::Modern)
    {
        Some("input_required") => return Word::Wants(result),
        Some("task") => return Word::Task(result),
        _ => {}
    }
    Word::Last(last(result, &lens, asked))
}

/// What the result means that a task ended with: it asks for nothing any more.
pub(crate) fn task_result(result: Raw, asked: &Asked) -> Answer {
    match lens(&result, asked.result_bytes_max) {
        Ok(lens) => last(result, &lens, asked),
        Err(why) => invalid(&why),
    }
}

/// What the error means that a task ended with.
pub(crate) fn task_error(error: RpcError, asked: &Asked) -> Answer {
    failure(Exchange::Error { error, status: 200 }, asked.effect)
}

fn lens(result: &Raw, bytes_max: usize) -> Result<Lens, String> {
    let value = message::value(result, bytes_max)?;
    // A list would pass for a struct by position.
    if !value.is_object() {
        return Err("its result is no object".to_owned());
    }
    Lens::deserialize(value).map_err(|error| error.to_string())
}

fn last(result: Raw, lens: &Lens, asked: &Asked) -> Answer {
    let failed = match (&lens.is_error, asked.method) {
        // Only tools say by a field that they failed.
        (_, Some(_)) | (Value::Null | Value::Bool(false), None) => false,
        (Value::Bool(true), None) => true,
        _ => return invalid("`isError` is neither true nor false"),
    };
    if let Some(why) = misshapen(lens, asked.method) {
        return invalid(why);
    }
    match &lens.result_type {
        Value::Null => {}
        Value::String(kind) if kind == "complete" => {}
        _ if asked.era != Era::Modern => {}
        other => {
            let shown = excerpt(&other.to_string(), 40);
            return invalid(&format!(
                "`resultType` is {shown}, for which the gate did not ask"
            ));
        }
    }
    Answer::Answered { result, failed }
}

/// What is wrong with the one field that a result must have.
fn misshapen(lens: &Lens, method: Option<Method>) -> Option<&'static str> {
    let is_list = |value: &Option<Value>| matches!(value, Some(Value::Array(_)));
    match method {
        None => {
            let fits = lens.content.is_none() || is_list(&lens.content);
            (!fits).then_some("`content` is no list")
        }
        Some(Method::ReadResource) => (!is_list(&lens.contents)).then_some("`contents` is no list"),
        Some(Method::GetPrompt) => (!is_list(&lens.messages)).then_some("`messages` is no list"),
        Some(Method::Complete) => {
            let values = lens.completion.as_ref().and_then(|it| it.get("values"));
            (!matches!(values, Some(Value::Array(_))))
                .then_some("`completion` has no list of values")
        }
    }
}

#[cfg(test)]
mod tests;
