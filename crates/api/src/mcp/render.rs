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
use toolgate_execution::{Frozen, State};
use toolgate_model::{Denial, InvocationId};

use super::era::Era;
use super::message::RpcError;
use super::options::Presence;
use super::relay::merged;
use crate::envelope;

const INVOCATION_KEY: &str = "dev.toolgate/invocation-id";
const OUTCOME_KEY: &str = "dev.toolgate/outcome";

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
        let answer = match &outcome.invocation.state {
            // What live state shows is no answer of the tool, and is not passed off as one.
            State::Succeeded { settlement } | State::Failed { settlement, .. }
                if !settlement.reconciled =>
            {
                settlement.result.as_deref()
            }
            _ => None,
        };
        match answer.map(|answer| merged(answer, &meta, self.era)) {
            Some(Ok(result)) => result,
            Some(Err(unfit)) => {
                let words = format!(
                    "The tool answered, but its answer cannot be passed on: {unfit}. This call was executed: do not repeat it."
                );
                words_result((&words, Tone::Error), meta, self.era)
            }
            None => words_result(
                (&self.words(outcome), tone(&outcome.invocation.state)),
                meta,
                self.era,
            ),
        }
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

/// A tool that does not exist and one that is hidden are the same to whoever asks; the record
/// knows which it was, under the invocation's id.
pub(super) fn unknown_tool(name: &str, invocation: &InvocationId) -> RpcError {
    RpcError::invalid_params(format!("Unknown tool: {}", super::message::shown(name)))
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
