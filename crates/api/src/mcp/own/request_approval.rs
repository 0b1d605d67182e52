//! `toolgate_request_approval`: asks people about a call without holding the conversation.
//!
//! The answer names the approval, its digest and where to decide; the call runs once it is
//! approved, and `toolgate_await` tells what became of it. The same call again, made either way,
//! joins. A call that needs nobody is not run: the agent is told to make it.
//!
//! Must not know: who decides, how anything is decided.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolgate_driver::Outcome;
use toolgate_execution::{Invocation, Status};
use toolgate_model::{Call, Code};

use super::{arguments, structured};
use crate::mcp::call::{Target, renderer};
use crate::mcp::face::{Asked, Face};
use crate::mcp::message::shown;

pub(super) const DESCRIPTION: &str = "Asks people to approve a call of a tool, without waiting. \
Returns the approval id, the digest and the link where they decide. Once approved, the call runs \
exactly once with these arguments: do not make it again, but call toolgate_await with the approval \
id to get its result. Asking for the same call twice asks nobody twice.";

/// Bytes of the agent's own words.
const JUSTIFICATION_BYTES_MAX: usize = 4 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    justification: Option<String>,
    env: Option<String>,
    workflow: Option<String>,
}

pub(super) fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "tool": {"type": "string", "description": "The tool's name, as it is listed."},
            "arguments": {"type": "object", "description": "The arguments that it will run with, exactly."},
            "justification": {"type": "string", "description": "Why, in your own words. Approvers see it marked as unverified."},
            "env": {"type": "string", "description": "The environment, if the credential fixes none."},
            "workflow": {"type": "string", "description": "The workflow, if the credential fixes none."},
        },
        "required": ["tool"],
        "additionalProperties": false,
    })
}

pub(super) async fn run(face: &Face, asked: &Asked, given: Value) -> Result<String, String> {
    let given: Arguments = arguments(given)?;
    let words = given.justification.as_deref().unwrap_or_default();
    if words.len() > JUSTIFICATION_BYTES_MAX {
        return Err(format!(
            "`justification` has {} bytes, more than the {JUSTIFICATION_BYTES_MAX} allowed.",
            words.len()
        ));
    }
    let unknown = || format!("Unknown tool: {}", shown(&given.tool));
    let Ok(Target::Known(tool)) = Target::of(face, &asked.identity, &given.tool) else {
        return Err(unknown());
    };
    let call = Call {
        env: given.env.clone(),
        workflow: given.workflow.clone(),
        justification: given.justification.clone(),
        idempotency_key: asked.idempotency_key.clone(),
        ..Call::new(tool.id.clone(), Value::Object(given.arguments.clone()))
    };
    let outcome = face.api.driver.ask(&asked.identity, call).await;
    if hidden(&outcome) {
        return Err(unknown());
    }
    Ok(match outcome.invocation.status() {
        Status::Proposed => structured(&needless(&given.tool), asked),
        Status::PendingApproval | Status::Approved => {
            structured(&waiting(face, &outcome.invocation), asked)
        }
        _ => renderer(face, asked).result(&outcome),
    })
}

fn hidden(outcome: &Outcome) -> bool {
    let denial = outcome.invocation.proposal.decision.denial.as_ref();
    denial.is_some_and(|denial| denial.code == Code::ToolNotFound)
}

fn needless(tool: &str) -> Value {
    json!({
        "status": "not_needed",
        "summary": format!("No approval is needed, and nothing was run: call {} itself.", shown(tool)),
    })
}

fn waiting(face: &Face, invocation: &Invocation) -> Value {
    let frozen = invocation.state.frozen();
    let approval = frozen.map(|frozen| frozen.approval.clone());
    let url = approval
        .as_ref()
        .map(|approval| format!("{}/approvals/{approval}", face.api.public_url));
    json!({
        "status": invocation.status(),
        "summary": "People are asked. The call has not run yet and runs once it is approved; call toolgate_await with the approval id.",
        "approval_id": approval,
        "invocation_id": invocation.id,
        "digest": frozen.map(|frozen| frozen.digest),
        "expires_at": frozen.map(|frozen| frozen.expires_at),
        "url": url,
    })
}
