//! `toolgate_await`: waits for a call that people decide on or that still runs, and gives the
//! answer that the call itself would have got.
//!
//! It works with every client that can call a tool. Only the agent's own calls are found, and only
//! of tools it still reaches: an answer from before is for those who could still ask for it.
//!
//! Must not know: how approvals are decided.

use serde::Deserialize;
use serde_json::{Value, json};
use toolgate_driver::Outcome;
use toolgate_execution::Invocation;
use toolgate_gate::known;
use toolgate_model::Duration;

use super::arguments;
use crate::mcp::call::{Patience, renderer, settle};
use crate::mcp::face::{Asked, Face};
use crate::mcp::message::shown;
use crate::mcp::work::Progress;

pub(super) const DESCRIPTION: &str = "Waits until a call that needed approval or was still running \
has ended, and returns its result. Give the approval id (apr_...) or invocation id (inv_...) that \
the call's answer named. Calling it again is harmless.";

/// How long it waits where nobody says: shorter than the time-outs of common clients.
const WAIT_MS_DEFAULT: u32 = 20_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    id: String,
    wait_ms: Option<u32>,
}

pub(super) fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "apr_... or inv_..., as the call's answer named it."},
            "wait_ms": {"type": "integer", "minimum": 0, "description": "How long to wait, in milliseconds; 20000 if left out."},
        },
        "required": ["id"],
        "additionalProperties": false,
    })
}

pub(super) async fn run(
    face: &Face,
    asked: &Asked,
    given: Value,
    progress: &Progress,
) -> Result<String, String> {
    let given: Arguments = arguments(given)?;
    let max = face.api.limits.wait_ms_max;
    let wait = given.wait_ms.unwrap_or(WAIT_MS_DEFAULT.min(max));
    if wait > max {
        return Err(format!(
            "`wait_ms` may be at most {max}, and {wait} is more."
        ));
    }
    let invocation = find(face, asked, &given.id).await?;
    let outcome = Outcome {
        invocation,
        evidence: Vec::new(),
        replayed: true,
        duplicate_of: None,
        lease: None,
    };
    let patience = Patience::OfQuestion(Duration::from_millis(wait));
    let outcome = settle(face, asked, (outcome, patience), progress).await;
    Ok(renderer(face, asked).result(&outcome))
}

/// The caller's own call of this id, while it still reaches the tool.
pub(in crate::mcp) async fn find(
    face: &Face,
    asked: &Asked,
    id: &str,
) -> Result<Invocation, String> {
    let (driver, caller) = (&face.api.driver, asked.caller());
    let found = if let Ok(id) = id.parse() {
        driver.approval(&caller, &id).await
    } else if let Ok(id) = id.parse() {
        driver.invocation(&caller, &id).await
    } else {
        return Err(format!(
            "`{}` is neither an approval (apr_...) nor an invocation (inv_...).",
            shown(id)
        ));
    };
    let nothing = || format!("There is no call `{}` of yours.", shown(id));
    let invocation = found.map_err(|failed| match failed {
        toolgate_driver::Failed::NotFound { .. } => nothing(),
        other => {
            tracing::error!(%other, "an invocation could not be read");
            "The gate cannot look that up right now: try again.".to_owned()
        }
    })?;
    let configuration = driver.configuration();
    let tool = configuration.catalogue.get(&invocation.proposal.tool);
    let reachable =
        tool.is_some_and(|tool| known(&configuration, &asked.identity, tool, driver.now()));
    if reachable {
        Ok(invocation)
    } else {
        Err(nothing())
    }
}
