//! Approval pauses as tasks, for clients of the modern era that declare the extension.
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
//! errors of the protocol.
//!
//! Must not know: transports, how approvals are decided.

use serde_json::{Map, Value, json};
use toolgate_driver::{Failed, Outcome};
use toolgate_execution::{Invocation, Status};
use toolgate_model::Duration;

use super::call::renderer;
use super::era::{CAPABILITIES_KEY, Era};
use super::face::{Asked, Face};
use super::message::{RpcError, shown};
use super::own;

/// The extension's name.
pub(super) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// How long a client should leave a task alone that waits for a person.
// LIMIT: five seconds, well below what a person takes.
const POLL_PERSON: Duration = Duration::from_secs(5);

/// How long a client should leave a task alone that runs.
const POLL_RUN: Duration = Duration::from_secs(1);

/// Whether the client of this request takes a task for an answer.
pub(super) fn declared(asked: &Asked) -> bool {
    let meta = asked.request.params.get("_meta");
    let capabilities = meta.and_then(|meta| meta.get(CAPABILITIES_KEY));
    let extensions = capabilities.and_then(|all| all.get("extensions"));
    let tasks = extensions.and_then(|extensions| extensions.get(EXTENSION));
    asked.era == Era::Modern && tasks.is_some_and(Value::is_object)
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
        let mut task = described(&outcome.invocation);
        task.insert("resultType".to_owned(), "task".into());
        Value::Object(task).to_string()
    })
}

/// `tasks/get`: how it stands, with the call's own result once there is one.
pub(super) async fn get(face: &Face, asked: &Asked) -> Result<String, RpcError> {
    let invocation = find(face, asked).await?;
    let mut task = described(&invocation);
    task.insert("resultType".to_owned(), "complete".into());
    if state(invocation.status()) == "completed" {
        let outcome = Outcome {
            invocation,
            evidence: Vec::new(),
            replayed: true,
            duplicate_of: None,
        };
        let result = renderer(face, asked).result(&outcome);
        let result: Box<serde_json::value::RawValue> =
            serde_json::from_str(&result).map_err(|_| RpcError::defect())?;
        // The tool's own text goes out as it came: numbers keep their digits, keys their order.
        let text = Value::Object(task).to_string();
        let open = text.strip_suffix('}').ok_or_else(RpcError::defect)?;
        return Ok(format!("{open},\"result\":{}}}", result.get()));
    }
    Ok(Value::Object(task).to_string())
}

/// `tasks/update`: nothing is ever asked of the client's user, so whatever is sent is ignored.
pub(super) async fn update(face: &Face, asked: &Asked) -> Result<String, RpcError> {
    find(face, asked).await?;
    Ok(acknowledged())
}

/// `tasks/cancel`: withdraws a call that still waits. What runs already is not stopped.
pub(super) async fn cancel(face: &Face, asked: &Asked) -> Result<String, RpcError> {
    let invocation = find(face, asked).await?;
    let cancelled = face
        .api
        .driver
        .cancel(&asked.caller(), &invocation.id)
        .await;
    match cancelled {
        // An intent is all that it is: what cannot be withdrawn any more goes on.
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
    let nothing = || RpcError::invalid_params(format!("there is no task `{}`", shown(id)));
    if !id.starts_with("inv_") {
        return Err(nothing());
    }
    let found = own::find_call(face, asked, id).await;
    found.map_err(|_| nothing())
}

/// What every shape of a task says.
fn described(invocation: &Invocation) -> Map<String, Value> {
    let status = invocation.status();
    let poll = match status {
        Status::PendingApproval | Status::NeedsOperator => POLL_PERSON,
        _ => POLL_RUN,
    };
    let task = json!({
        "taskId": invocation.id,
        "status": state(status),
        "statusMessage": message(invocation),
        "createdAt": invocation.created_at,
        "lastUpdatedAt": invocation.updated_at,
        // Invocations are kept as long as the gate's data is.
        "ttlMs": null,
        "pollIntervalMs": poll.as_millis(),
    });
    task.as_object().cloned().unwrap_or_default()
}

/// INVARIANT: only what never changes again is `completed` or `cancelled`.
const fn state(status: Status) -> &'static str {
    match status {
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
