//! `toolgate_simulate`: what a call would get, without making it. Nothing is recorded or used up.
//!
//! Must not know: how anything is decided.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolgate_driver::Watch;
use toolgate_model::{Call, Code, Mode, Verdict};

use super::{arguments, structured};
use crate::mcp::call::{Target, renderer};
use crate::mcp::face::{Asked, Face};
use crate::mcp::message::shown;

pub(super) const DESCRIPTION: &str = "Says what Toolgate would decide about a call of a tool, \
without making it: whether it would run, need a person's approval, or be denied, and why.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    env: Option<String>,
    workflow: Option<String>,
}

pub(super) fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "tool": {"type": "string", "description": "The tool's name, as it is listed."},
            "arguments": {"type": "object", "description": "The arguments it would be called with."},
            "env": {"type": "string", "description": "The environment, if the credential fixes none."},
            "workflow": {"type": "string", "description": "The workflow, if the credential fixes none."},
        },
        "required": ["tool"],
        "additionalProperties": false,
    })
}

pub(super) async fn run(face: &Face, asked: &Asked, given: Value) -> Result<String, String> {
    let given: Arguments = arguments(given)?;
    let unknown = || format!("Unknown tool: {}", shown(&given.tool));
    let Ok(Target::Known(tool)) = Target::of(face, &asked.identity, &given.tool) else {
        return Err(unknown());
    };
    let call = Call {
        mode: Mode::Simulate,
        env: given.env.clone(),
        workflow: given.workflow.clone(),
        ..Call::new(tool.id.clone(), Value::Object(given.arguments.clone()))
    };
    let outcome = face
        .api
        .driver
        .submit(&asked.identity, call, Watch::default())
        .await;
    let decision = &outcome.invocation.proposal.decision;
    if decision
        .denial
        .as_ref()
        .is_some_and(|denial| denial.code == Code::ToolNotFound)
    {
        return Err(unknown());
    }
    let renderer = renderer(face, asked);
    let (by, reason) = renderer.denial(&outcome);
    let words = match decision.verdict {
        Verdict::Allow => "This call would run.".to_owned(),
        Verdict::Sanitize => "This call would run with some data replaced.".to_owned(),
        Verdict::RequireApproval => format!("This call would need approval, by {by}: {reason}"),
        Verdict::Deny => format!("This call would be denied by {by}: {reason}"),
    };
    let envelope = renderer.envelope(&outcome);
    let field = |name: &str| envelope.get(name).cloned().unwrap_or_default();
    let answer = json!({
        "verdict": decision.verdict,
        "summary": words,
        "denial": field("denial"),
        "decision": field("decision"),
    });
    Ok(structured(&answer, asked))
}
