//! The call that an own tool is about: named as it is listed, and known to those alone who may
//! know of it.
//!
//! `{"tool": "stripe__refund", "arguments": {"charge": "ch_1"}, "env": "prod"}`
//!
//! Must not know: what becomes of the call.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolgate_driver::Outcome;
use toolgate_model::{Call, Code};

use super::arguments;
use crate::mcp::call::Target;
use crate::mcp::face::{Asked, Face};
use crate::mcp::message::shown;

/// What own tools take that are about a call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meant {
    /// The tool's name, as it is listed.
    pub(super) tool: String,
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
            "arguments": {"type": "object", "description": "The arguments that it is called with, exactly."},
            "justification": {"type": "string", "description": "Why, in your own words. Approvers see it marked as unverified."},
            "env": {"type": "string", "description": "The environment, if the credential fixes none."},
            "workflow": {"type": "string", "description": "The workflow, if the credential fixes none."},
        },
        "required": ["tool"],
        "additionalProperties": false,
    })
}

impl Meant {
    /// What was given, and the call that it means.
    ///
    /// # Errors
    /// Words for the model where the arguments do not fit, or where there is no such tool for it.
    pub(super) fn read(face: &Face, asked: &Asked, given: Value) -> Result<(Self, Call), String> {
        let meant: Self = arguments(given)?;
        let Ok(Target::Known(tool)) = Target::of(face, &asked.identity, &meant.tool) else {
            return Err(meant.unknown());
        };
        let call = Call {
            env: meant.env.clone(),
            workflow: meant.workflow.clone(),
            justification: meant.justification.clone(),
            ..Call::new(tool.id.clone(), Value::Object(meant.arguments.clone()))
        };
        Ok((meant, call))
    }

    /// The same words for a tool that is not there and for one that is hidden.
    fn unknown(&self) -> String {
        format!("Unknown tool: {}", shown(&self.tool))
    }

    /// The outcome, if the caller may know that there is such a tool.
    ///
    /// # Errors
    /// The words for a tool that is not there.
    pub(super) fn reached(&self, outcome: Outcome) -> Result<Outcome, String> {
        let denial = outcome.invocation.proposal.decision.denial.as_ref();
        match denial.map(|denial| denial.code) {
            Some(Code::ToolNotFound) => Err(self.unknown()),
            _ => Ok(outcome),
        }
    }
}
