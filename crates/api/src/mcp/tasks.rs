//! Approval pauses and what servers make tasks of, as tasks, for clients of the modern era that
//! declare the extension.
//!
//! ```text
//! tools/call  → {"resultType":"task","taskId":"inv_…","status":"working",…}
//! tasks/get   → the same, until {"status":"completed","result":{…}}
//! ```
//!
//! A task is an invocation by another name: it was durable before anybody was told of it, survives
//! restarts, and only its own agent finds it, while it still reaches the tool. It works as long as
//! something may still come of it, also where a person must say what happened, because a task that
//! has ended never changes. A denial is a completed task with an error result: `failed` is for
//! errors of the protocol. The id that a server gave its own task stays in the gate.
//!
//! Must not know: transports, how approvals are decided.

use serde_json::{Map, Value, json};
use toolgate_driver::{Failed, Outcome};
use toolgate_execution::{Invocation, Status};
use toolgate_gate::peer::Unanswered;
use toolgate_model::Duration;

use super::call::renderer;
use super::conversations::Conversation;
use super::era::{CAPABILITIES_KEY, Era};
use super::face::{Asked, Face};
use super::message::{RpcError, shown};
use super::own;
use super::rounds::{forbidden, requests};

/// The extension's name.
pub(super) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// How long a client should leave a task alone that waits for a person.
// LIMIT: five seconds, well below what a person takes.
const POLL_PERSON: Duration = Duration::from_secs(5);

/// How long a client should leave a task alone that runs.
const POLL_RUN: Duration = Duration::from_secs(1);

/// Bounds of what a server may ask for instead.
const POLL_MILLIS_MIN: u64 = 100;
const POLL_MILLIS_MAX: u64 = 5_000;

/// Whether the client of this request takes a task for an answer.
pub(super) fn declared(asked: &Asked) -> bool {
    let meta = asked.request.params.get("_meta");
    let capabilities = meta.and_then(|meta| meta.get(CAPABILITIES_KEY));
    let capabilities = capabilities.and_then(Value::as_object);
    asked.era == Era::Modern && capabilities.is_some_and(declares)
}

/// Whether these capabilities of a client have the extension among them.
pub(super) fn declares(capabilities: &Map<String, Value>) -> bool {
    let extensions = capabilities.get("extensions");
    let tasks = extensions.and_then(|extensions| extensions.get(EXTENSION));
    tasks.is_some_and(Value::is_object)
}

/// Takes the extension out of what a client declared.
pub(super) fn undeclare(capabilities: &mut Map<String, Value>) {
    if let Some(Value::Object(extensions)) = capabilities.get_mut("extensions") {
        extensions.remove(EXTENSION);
    }
}

/// Refuses whoever did not declare the extension.
pub(super) fn require(asked: &Asked) -> Result<(), RpcError> {
    if declared(asked) {
        return Ok(());
    }
    let needed = json!({"extensions": {EXTENSION: {}}});
    let message = format!("the client must declare the extension `{EXTENSION}` for this");
    Err(RpcError::missing_capability(message).with(json!({"requiredCapabilities": needed})))
}

/// The handle of a call that waits for people; none where it does not wait, or the client takes
/// none.
pub(super) fn handle(asked: &Asked, outcome: &Outcome) -> Option<String> {
    let waits = matches!(
        outcome.invocation.status(),
        Status::PendingApproval | Status::Approved
    );
    (waits && declared(asked)).then(|| {
        let mut task = described(&outcome.invocation, None);
        task.insert("resultType".to_owned(), "task".into());
        Value::Object(task).to_string()
    })
}

/// The handle of a call that its server made a task of.
pub(super) async fn begun(
    face: &Face,
    asked: &Asked,
    conversation: &Conversation,
) -> Result<String, RpcError> {
    let id = conversation.invocation().ok_or_else(RpcError::defect)?;
    let found = face.api.driver.invocation(&asked.caller(), &id).await;
    let invocation = found.map_err(|failed| {
        tracing::error!(%failed, "a call that became a task could not be read");
        RpcError::defect()
    })?;
    let mut task = described(&invocation, Some(conversation));
    task.insert("resultType".to_owned(), "task".into());
    Ok(Value::Object(task).to_string())
}

/// `tasks/get`: how it stands, with what is asked, or the call's own result or error.
pub(super) async fn get(face: &Face, asked: &Asked) -> Result<String, RpcError> {
    let invocation = find(face, asked).await?;
    let complete = Some(("resultType", "complete".into()));
    detailed(face, asked, invocation, complete)
}

/// All that can be said of a task, as JSON text, with one member more.
pub(super) fn detailed(
    face: &Face,
    asked: &Asked,
    invocation: Invocation,
    besides: Option<(&str, Value)>,
) -> Result<String, RpcError> {
    let talking = face.conversations.of(&invocation.id);
    let mut task = described(&invocation, talking.as_deref());
    task.extend(besides.map(|(name, value)| (name.to_owned(), value)));
    let more = match task.get("status").and_then(Value::as_str) {
        Some("input_required") => {
            let asks = talking.map(|talking| talking.asked()).unwrap_or_default();
            Some(("inputRequests", requests(&asks)))
        }
        Some("completed") => Some(ended(face, asked, invocation, &mut task)),
        _ => None,
    };
    let text = Value::Object(task).to_string();
    let Some((name, more)) = more else {
        return Ok(text);
    };
    // The tool's own text goes out as it came: numbers keep their digits, keys their order.
    let open = text.strip_suffix('}').ok_or_else(RpcError::defect)?;
    Ok(format!("{open},\"{name}\":{more}}}"))
}

/// The result of a call that has ended, or the error that its server answered with: that one is
/// all that `failed` is for.
fn ended(
    face: &Face,
    asked: &Asked,
    invocation: Invocation,
    task: &mut Map<String, Value>,
) -> (&'static str, String) {
    let outcome = Outcome {
        invocation,
        evidence: Vec::new(),
        replayed: true,
        duplicate_of: None,
        lease: None,
    };
    let renderer = renderer(face, asked);
    match renderer.server_error(&outcome) {
        Some(error) => {
            task.insert("status".to_owned(), "failed".into());
            ("error", error.object())
        }
        None => ("result", renderer.result(&outcome)),
    }
}

/// `tasks/update`: hands over what the client answers, if the call may still go on. What nothing
/// asked for is ignored.
pub(super) async fn update(face: &Face, asked: &Asked) -> Result<String, RpcError> {
    let invocation = find(face, asked).await?;
    let answers = match asked.request.params.get("inputResponses") {
        Some(Value::Object(answers)) => answers,
        _ => {
            let message = "`inputResponses` must be an object";
            return Err(RpcError::invalid_params(message));
        }
    };
    let talking = face.conversations.of(&invocation.id);
    if let Some(conversation) = talking.filter(|talking| talking.task().is_some()) {
        match forbidden(&face.api.driver, &conversation).await? {
            None => conversation.reply(answers),
            Some(denial) => {
                conversation.refuse(Unanswered::Forbidden(denial.message));
                conversation.given_up.cancel();
            }
        }
    }
    Ok(acknowledged())
}

/// `tasks/cancel`: withdraws a call that still waits. One that runs is told that nobody wants it any
/// more, which is an intent: what becomes of it the record says.
pub(super) async fn cancel(face: &Face, asked: &Asked) -> Result<String, RpcError> {
    let invocation = find(face, asked).await?;
    if let Some(conversation) = face.conversations.of(&invocation.id) {
        conversation.given_up.cancel();
    }
    let cancelled = face
        .api
        .driver
        .cancel(&asked.caller(), &invocation.id)
        .await;
    match cancelled {
        // What cannot be withdrawn any more goes on.
        Ok(_) | Err(Failed::Refused(_)) => Ok(acknowledged()),
        Err(other) => {
            tracing::error!(%other, "a task could not be cancelled");
            Err(RpcError::defect())
        }
    }
}

async fn find(face: &Face, asked: &Asked) -> Result<Invocation, RpcError> {
    require(asked)?;
    let Some(id) = asked.request.params.get("taskId").and_then(Value::as_str) else {
        return Err(RpcError::invalid_params("`taskId` must name a task"));
    };
    named(face, asked, id).await
}

/// The caller's own task of this id, while it still reaches the tool.
pub(super) async fn named(face: &Face, asked: &Asked, id: &str) -> Result<Invocation, RpcError> {
    let nothing = || RpcError::invalid_params(format!("there is no task `{}`", shown(id)));
    if !id.starts_with("inv_") {
        return Err(nothing());
    }
    let found = own::find_call(face, asked, id).await;
    found.map_err(|_| nothing())
}

/// What every shape of a task says. `talking`: what is heard of it while it runs.
fn described(invocation: &Invocation, talking: Option<&Conversation>) -> Map<String, Value> {
    let running = invocation.status() == Status::Executing;
    let server = talking
        .filter(|_| running)
        .and_then(|talking| talking.task().map(|task| (talking, task)));
    let poll = match invocation.status() {
        Status::PendingApproval | Status::NeedsOperator => POLL_PERSON,
        _ => POLL_RUN,
    };
    let task = json!({
        "taskId": invocation.id,
        "status": state(invocation),
        "statusMessage": message(invocation),
        "createdAt": invocation.created_at,
        "lastUpdatedAt": invocation.updated_at,
        // Invocations are kept as long as the gate's data is.
        "ttlMs": null,
        "pollIntervalMs": poll.as_millis(),
    });
    let mut task = task.as_object().cloned().unwrap_or_default();
    if let Some((talking, said)) = server {
        if !talking.asked().is_empty() {
            task.insert("status".to_owned(), "input_required".into());
        }
        if let Some(words) = said.get("statusMessage").and_then(Value::as_str) {
            task.insert("statusMessage".to_owned(), shown(words).into());
        }
        if let Some(millis) = said.get("pollIntervalMs").and_then(Value::as_u64) {
            let millis = millis.clamp(POLL_MILLIS_MIN, POLL_MILLIS_MAX);
            task.insert("pollIntervalMs".to_owned(), millis.into());
        }
    }
    task
}

/// INVARIANT: only what never changes again is `completed` or `cancelled`, but for a call whose
/// client cancelled it: it hears no more of it, also where people find out later what happened.
fn state(invocation: &Invocation) -> &'static str {
    if invocation.is_given_up() {
        return "cancelled";
    }
    match invocation.status() {
        Status::Proposed
        | Status::PendingApproval
        | Status::Approved
        | Status::Executing
        | Status::UnknownEffect
        | Status::Reconciling
        | Status::NeedsOperator => "working",
        Status::Denied
        | Status::Succeeded
        | Status::Failed
        | Status::Rejected
        | Status::Expired => "completed",
        Status::Cancelled => "cancelled",
    }
}

fn message(invocation: &Invocation) -> String {
    if invocation.is_given_up() && invocation.status() != Status::Failed {
        return "cancelled after it was sent; whether it took effect is not known yet".to_owned();
    }
    match (invocation.state.frozen(), invocation.status()) {
        (Some(frozen), Status::PendingApproval) => format!(
            "waiting for approval {} until {}",
            frozen.approval, frozen.expires_at
        ),
        (_, Status::NeedsOperator) => {
            "its answer was lost; waiting for a person to say what happened".to_owned()
        }
        (_, Status::UnknownEffect | Status::Reconciling) => {
            "its answer was lost; the gate is finding out".to_owned()
        }
        (_, status) => status.as_str().replace('_', " "),
    }
}

fn acknowledged() -> String {
    json!({"resultType": "complete"}).to_string()
}
