//! `toolgate_request_approval`: asks people about a call without holding the conversation.
//!
//! The answer names the approval, its digest and where to decide; the call runs once it is
//! approved, and `toolgate_await` tells what became of it. The same call again, made either way,
//! joins. A call that needs nobody is not run: the agent is told to make it.
//!
//! Must not know: who decides, how anything is decided.

use serde_json::{Value, json};
use toolgate_execution::{Invocation, Status};
use toolgate_model::Call;

use super::meant::Meant;
use super::structured;
use crate::mcp::call::renderer;
use crate::mcp::face::{Asked, Face};
use crate::mcp::message::shown;

pub(super) const DESCRIPTION: &str = "Asks people to approve a call of a tool, without waiting. \
Returns the approval id, the digest and the link where they decide. Once approved, the call runs \
exactly once with these arguments: do not make it again, but call toolgate_await with the approval \
id to get its result. Asking for the same call twice asks nobody twice.";

pub(super) async fn run(face: &Face, asked: &Asked, given: Value) -> Result<String, String> {
    let (meant, call) = Meant::read(face, asked, given)?;
    let call = Call {
        idempotency_key: asked.idempotency_key.clone(),
        ..call
    };
    let outcome = meant.reached(face.api.driver.ask(&asked.identity, call).await)?;
    Ok(match outcome.invocation.status() {
        Status::Proposed => structured(&needless(&meant.tool), asked),
        Status::PendingApproval | Status::Approved => {
            structured(&waiting(face, &outcome.invocation), asked)
        }
        _ => renderer(face, asked).result(&outcome),
    })
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
