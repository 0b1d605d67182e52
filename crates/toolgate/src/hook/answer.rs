//! What a hook says to its agent: a text for standard output, one for standard error, and how the
//! process ends.
//!
//! All four agents take the exit code 2 for a refusal and what stands on standard error for its
//! reason; that is the one way in which anything is refused here. Must not know: why.

use serde_json::{Value, json};

use super::event::Coder;
use crate::exit::Exit;

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// For the agent's program.
    pub(crate) out: Option<Value>,
    /// For the model, or for people.
    pub(crate) error: Option<String>,
    /// How the process ends.
    pub(crate) exit: Exit,
}

impl Answer {
    /// The tool does not run.
    pub(super) fn refused(why: &str) -> Self {
        Self {
            out: None,
            error: Some(why.to_owned()),
            // The agents' protocol, not the table of this program: 2 is their word for no.
            exit: Exit::Usage,
        }
    }

    /// Something went wrong: before a tool that is a refusal, after it only a notice.
    pub(crate) fn broken(before: bool, why: &str) -> Self {
        if before {
            return Self::refused(&format!(
                "Toolgate could not judge this: {why}. It was not executed."
            ));
        }
        Self {
            out: None,
            error: Some(format!("the gate was not told what came of it: {why}")),
            exit: Exit::Failed,
        }
    }

    /// The tool may run: the agent's own questions are asked all the same, unless they are to be
    /// answered by this.
    pub(super) fn allowed(coder: Coder, answers_prompts: bool) -> Self {
        let out = match (coder, answers_prompts) {
            (Coder::Cursor, _) => json!({"permission": "allow"}),
            (Coder::ClaudeCode | Coder::Codex, true) => decision(None),
            (_, _) => json!({}),
        };
        Self::said(out)
    }

    /// The tool may run with these arguments.
    pub(super) fn replaced(coder: Coder, arguments: &Value) -> Self {
        let out = match coder {
            Coder::ClaudeCode | Coder::Codex => decision(Some(arguments)),
            Coder::Gemini => {
                json!({"decision": "allow", "hookSpecificOutput": {"tool_input": arguments}})
            }
            Coder::Cursor => json!({"permission": "allow", "updated_input": arguments}),
        };
        Self::said(out)
    }

    /// The gate knows what came of it, and says what the model may read of that.
    pub(super) fn told(coder: Coder, envelope: &Value) -> Self {
        let withheld = envelope
            .pointer("/inspection/withheld/message")
            .and_then(Value::as_str);
        let places = envelope
            .pointer("/inspection/sanitized")
            .and_then(Value::as_array);
        let replaced = places.is_some_and(|places| !places.is_empty());
        let left = match (withheld, envelope.get("data")) {
            (Some(why), _) => json!(format!("The result is withheld: {why}")),
            (None, Some(data)) if replaced => data.clone(),
            _ => return Self::silent(),
        };
        let text = left
            .as_str()
            .map_or_else(|| left.to_string(), str::to_owned);
        let out = match coder {
            Coder::ClaudeCode => json!({
                "decision": "block", "reason": text,
                "hookSpecificOutput": {"hookEventName": "PostToolUse", "updatedToolOutput": left},
            }),
            Coder::Codex | Coder::Gemini => json!({"decision": "block", "reason": text}),
            Coder::Cursor => json!({"updated_mcp_tool_output": left}),
        };
        Self::said(out)
    }

    /// There is nothing to say.
    pub(super) fn silent() -> Self {
        Self::said(json!({}))
    }

    const fn said(out: Value) -> Self {
        Self {
            out: Some(out),
            error: None,
            exit: Exit::Done,
        }
    }
}

fn decision(arguments: Option<&Value>) -> Value {
    let mut output = json!({"hookEventName": "PreToolUse", "permissionDecision": "allow"});
    if let (Some(arguments), Some(members)) = (arguments, output.as_object_mut()) {
        members.insert("updatedInput".to_owned(), arguments.clone());
    }
    json!({"hookSpecificOutput": output})
}
