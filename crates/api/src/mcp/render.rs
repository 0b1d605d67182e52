//! What a client is told of an invocation: the tool's own answer, or plain words about why not.
//!
//! A model reads the words, so they stand alone: `Denied by refunds/r2: too much. This call was
//! not executed.` Everything that did not come from the tool is an error result without structured
//! content, because clients check structured content against the tool's schema and would show a
//! schema error instead of the denial. Machines read the envelope in `_meta`.
//!
//! Must not know: transports, how the invocation came about.

use serde_json::{Map, Value, json};
use toolgate_driver::Outcome;
use toolgate_execution::{Frozen, Invocation, State, Status};
use toolgate_model::{Denial, InvocationId, Method};

use super::era::Era;
use super::message::{RpcError, shown};
use super::options::Presence;
use super::relay::{self, Unfit, merged};
use crate::envelope;

pub(super) const INVOCATION_KEY: &str = "dev.toolgate/invocation-id";
const OUTCOME_KEY: &str = "dev.toolgate/outcome";

/// The codes of errors that say what the gate decided, where a method has no words for it in its
/// results: those of HTTP, which lie outside the range that JSON-RPC reserves. The status of HTTP
/// is 200 all the same.
const FORBIDDEN: i64 = 403;
const PENDING: i64 = 202;

/// What a resource that is not there is told by, in the legacy era and in the modern one.
const RESOURCE_NOT_FOUND: i64 = -32_002;
const INVALID_PARAMS: i64 = -32_602;

/// Errors of a server that are about the conversation with it (a header that does not agree, a
/// version it does not speak). Passed on, they would have the client doubt its own with the gate.
const OF_THE_CONNECTION: [i64; 2] = [-32_020, -32_022];

/// Whether clients read words as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// The model is to take it as a failure.
    Error,
    /// It is an answer.
    Plain,
}

/// Renders outcomes for one client.
#[derive(Clone, Copy)]
pub(super) struct Renderer<'r> {
    /// How people reach the gate.
    pub(super) public_url: &'r str,
    /// Whether `toolgate_await` may be named.
    pub(super) presence: Presence,
    /// How the client is spoken to.
    pub(super) era: Era,
}

impl Renderer<'_> {
    /// The result of a call, as JSON text.
    pub(super) fn result(&self, outcome: &Outcome) -> String {
        let meta = self.meta(outcome);
        let answer = own_answer(outcome);
        let of_method = Method::of(&outcome.invocation.proposal.tool).is_some();
        if let Some(answer) = answer.filter(|_| of_method) {
            // Whoever awaits another method than a call of a tool reads its result in words.
            return words_result((answer, Tone::Plain), meta, self.era);
        }
        match answer.map(|answer| merged(answer, &meta, self.era)) {
            Some(Ok(result)) => result,
            Some(Err(unfit)) => words_result((&unfit_words(&unfit), Tone::Error), meta, self.era),
            None => words_result(
                (&self.words(outcome), tone(&outcome.invocation.state)),
                meta,
                self.era,
            ),
        }
    }

    /// The error that the tool's server answered with, if that is how the call ended: clients are
    /// told what it wrote.
    pub(super) fn server_error(&self, outcome: &Outcome) -> Option<RpcError> {
        let State::Failed { failure, .. } = &outcome.invocation.state else {
            return None;
        };
        let written = failure.error.as_deref()?;
        let of_read = Method::of(&outcome.invocation.proposal.tool) == Some(Method::ReadResource);
        // The code of a resource that is not there is another one in each era.
        let recoded = |code| match (self.era, code) {
            (Era::Modern, RESOURCE_NOT_FOUND) if of_read => INVALID_PARAMS,
            (_, code) => code,
        };
        let (code, text) = relay::error(written, &self.meta(outcome), recoded).ok()?;
        if OF_THE_CONNECTION.contains(&code) {
            return None;
        }
        Some(RpcError::relayed(self.era.error_status(code), code, text))
    }

    /// The answer to a method whose results have no words of the gate's in them: what the server
    /// answered, or an error that says why there is none.
    pub(super) fn answer(&self, outcome: &Outcome, method: Method) -> Result<String, RpcError> {
        if let Some(error) = self.server_error(outcome) {
            return Err(error);
        }
        let data = json!({OUTCOME_KEY: self.envelope(outcome)});
        let invocation = &outcome.invocation;
        if let Some(withheld) = withheld(invocation) {
            let words = format!("The result is withheld: {}", sentence(&withheld.message));
            return Err(RpcError::of_call(FORBIDDEN, words).with(data));
        }
        let Some(answer) = own_answer(outcome) else {
            let code = match invocation.status() {
                Status::PendingApproval | Status::Approved | Status::Executing => PENDING,
                Status::Proposed
                | Status::Denied
                | Status::Rejected
                | Status::Expired
                | Status::Cancelled => FORBIDDEN,
                Status::UnknownEffect
                | Status::Reconciling
                | Status::NeedsOperator
                | Status::Succeeded
                | Status::Failed => return Err(RpcError::failed(self.words(outcome)).with(data)),
            };
            return Err(RpcError::of_call(code, self.words(outcome)).with(data));
        };
        let meta = self.meta(outcome);
        let relayed = match method {
            Method::ReadResource => relay::merged_kept(answer, &meta, self.era),
            Method::GetPrompt | Method::Complete => merged(answer, &meta, self.era),
        };
        relayed.map_err(|unfit| RpcError::failed(unfit_words(&unfit)).with(data))
    }

    /// `_meta` of every result about an invocation.
    fn meta(&self, outcome: &Outcome) -> Map<String, Value> {
        let mut meta = Map::new();
        meta.insert(INVOCATION_KEY.to_owned(), json!(outcome.invocation.id));
        meta.insert(OUTCOME_KEY.to_owned(), self.envelope(outcome));
        meta
    }

    /// The envelope with every field; `data` is null, for the tool's answer stands beside it.
    pub(super) fn envelope(&self, outcome: &Outcome) -> Value {
        let mut envelope = envelope(outcome, self.public_url);
        if let Some(envelope) = envelope.as_object_mut() {
            envelope.insert("data".to_owned(), Value::Null);
        }
        envelope
    }

    fn words(&self, outcome: &Outcome) -> String {
        let id = &outcome.invocation.id;
        match &outcome.invocation.state {
            State::PendingApproval { frozen, .. } | State::Approved { frozen, .. } => {
                self.pending(outcome, frozen)
            }
            State::Succeeded { settlement } => {
                let seen = settlement
                    .result
                    .as_deref()
                    .filter(|_| settlement.reconciled);
                let shown =
                    seen.map_or_else(String::new, |seen| format!("\nLive state shows: {seen}"));
                format!(
                    "This call was executed ({id}): its effect was confirmed, but its answer was lost. Do not repeat it.{shown}"
                )
            }
            State::Failed { failure, .. } => format!(
                "Failed with {}: {}\nInvocation {id}.",
                failure.code,
                sentence(&failure.message)
            ),
            State::Executing { .. } => format!(
                "Still running: this call was sent and has not been answered yet. Do not repeat it.\n{}",
                self.follow(id.as_str())
            ),
            State::UnknownEffect { cause, .. } | State::Reconciling { cause, .. } => {
                self.in_doubt(id, cause.as_str(), "The gate is finding out")
            }
            State::NeedsOperator { cause, .. } => {
                self.in_doubt(id, cause.as_str(), "A person must say what happened")
            }
            State::Proposed
            | State::Denied { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Cancelled { .. } => self.denied(outcome),
        }
    }

    fn denied(&self, outcome: &Outcome) -> String {
        let (by, reason) = self.denial(outcome);
        let id = &outcome.invocation.id;
        format!(
            "Denied by {by}: {reason} This call was not executed.\nInvocation {id}. Do not repeat it unchanged."
        )
    }

    fn pending(&self, outcome: &Outcome, frozen: &Frozen) -> String {
        let (by, reason) = self.denial(outcome);
        let approval = &frozen.approval;
        format!(
            "Approval required by {by}: {reason} This call was not executed yet.\n\
             It waits as {approval} until {expires} for a person to decide at {url}/approvals/{approval}\n\
             {follow} Making the same call again while it waits joins it and asks nobody twice.",
            expires = frozen.expires_at,
            url = self.public_url,
            follow = self.follow(approval.as_str()),
        )
    }

    fn in_doubt(&self, id: &InvocationId, cause: &str, who: &str) -> String {
        format!(
            "Unknown effect: {cause}, so nobody can know yet whether this call took effect. Do not repeat it.\n\
             {who}. {follow}",
            follow = self.follow(id.as_str()),
        )
    }

    /// How the model learns what becomes of it.
    fn follow(&self, id: &str) -> String {
        match self.presence {
            Presence::Visible => {
                format!(
                    "Call toolgate_await with {{\"id\": \"{id}\"}} to learn what becomes of it."
                )
            }
            Presence::Transparent => format!("Its id is {id}."),
        }
    }

    /// Who denied, and why, in the words of the envelope: the rule where one spoke, else the code.
    pub(super) fn denial(&self, outcome: &Outcome) -> (String, String) {
        let envelope = envelope(outcome, self.public_url);
        let denial = envelope.get("denial").cloned();
        let denial = denial.and_then(|denial| serde_json::from_value::<Denial>(denial).ok());
        let Some(denial) = denial else {
            return (
                outcome.invocation.status().as_str().to_owned(),
                String::new(),
            );
        };
        let detail = |key: &str| denial.details.get(key).and_then(Value::as_str);
        let by = match (detail("policy"), detail("rule")) {
            (Some(policy), Some(rule)) => format!("{policy}/{rule}"),
            _ => denial.code.to_string(),
        };
        (line(&by), sentence(&denial.message))
    }
}

/// What the tool itself answered. What live state shows is no answer of the tool, and is not passed
/// off as one.
fn own_answer(outcome: &Outcome) -> Option<&str> {
    match &outcome.invocation.state {
        State::Succeeded { settlement } | State::Failed { settlement, .. }
            if !settlement.reconciled =>
        {
            settlement.result.as_deref()
        }
        _ => None,
    }
}

/// Why the tool's answer is not handed on, where rules about results say so.
fn withheld(invocation: &Invocation) -> Option<&Denial> {
    let inspection = invocation.settlement()?.inspection.as_ref()?;
    inspection.withheld.as_ref()
}

fn unfit_words(unfit: &Unfit) -> String {
    format!(
        "The tool answered, but its answer cannot be passed on: {unfit}. This call was executed: do not repeat it."
    )
}

/// A prompt that does not exist and one that is hidden are the same, like tools.
pub(super) fn unknown_prompt(name: &str, invocation: Option<&InvocationId>) -> RpcError {
    RpcError::invalid_params(format!("Unknown prompt: {}", shown(name)))
        .with(json!({"invocation_id": invocation}))
}

/// A resource that does not exist and one that is hidden are the same, like tools.
pub(super) fn unknown_resource(uri: &str, invocation: Option<&InvocationId>) -> RpcError {
    RpcError::invalid_params(format!("Resource not found: {}", shown(uri)))
        .with(json!({"uri": uri, "invocation_id": invocation}))
}

/// A tool that does not exist and one that is hidden are the same to whoever asks; the record
/// knows which it was, under the invocation's id.
pub(super) fn unknown_tool(name: &str, invocation: &InvocationId) -> RpcError {
    RpcError::invalid_params(format!("Unknown tool: {}", shown(name)))
        .with(json!({"invocation_id": invocation}))
}

/// Words as the result of a call.
pub(super) fn words_result(
    (words, tone): (&str, Tone),
    meta: Map<String, Value>,
    era: Era,
) -> String {
    let mut result = Map::new();
    if era == Era::Modern {
        result.insert("resultType".to_owned(), "complete".into());
    }
    result.insert(
        "content".to_owned(),
        json!([{"type": "text", "text": words}]),
    );
    result.insert("isError".to_owned(), (tone == Tone::Error).into());
    if !meta.is_empty() {
        result.insert("_meta".to_owned(), meta.into());
    }
    Value::Object(result).to_string()
}

/// Success that only live state or a person could tell of is no error: an error invites a second
/// try of what has already happened.
const fn tone(state: &State) -> Tone {
    match state {
        State::Succeeded { .. } => Tone::Plain,
        _ => Tone::Error,
    }
}

/// One sentence on one line.
fn sentence(text: &str) -> String {
    let text = line(text);
    if text.ends_with(['.', '!', '?']) {
        text
    } else {
        format!("{text}.")
    }
}

/// The text without line breaks and other control characters: the first line is a promise.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}
