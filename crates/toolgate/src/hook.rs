//! The hook of a coding agent: asked before a tool runs, told after it has.
//!
//! ```text
//! PreToolUse   proposes `code.Bash` with its arguments, and lets the agent go on under a lease
//! PostToolUse  reports what came of it
//! ```
//!
//! INVARIANT: whatever goes wrong before a tool runs is a refusal: no gate, no key, a payload that does
//! not read, a time that is up. Held by `tests/e2e/programs.py`. Must not know: what any tool does.

mod answer;
mod event;
mod kept;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

pub(crate) use self::answer::Answer;
pub(crate) use self::event::Coder;
use self::event::{Event, Moment, Use};
use self::kept::Kept;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::hosted::{Hosted, Lease};
use crate::shell::Shell;

/// LIMIT: bytes of a payload; results of tools are in it, and the gate takes no more of one.
const PAYLOAD_BYTES_MAX: u64 = 8 << 20;

/// LIMIT: what a look at the gate may take beside the wait for people.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long one question waits for people.
const ROUND: Duration = Duration::from_secs(20);

/// How long one use of a tool may take, in milliseconds.
// LIMIT: ten minutes, the longest that the gate lets a host's lease be.
const TIMEOUT_MS: u32 = 600_000;

/// How a hook is to work.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Which agent asks.
    pub(crate) coder: Coder,
    /// A file with the agent's key.
    pub(crate) key_file: Option<PathBuf>,
    /// The source that the agent's tools are registered with.
    pub(crate) source: String,
    /// How long a call waits for people before it is refused for now.
    pub(crate) wait: Duration,
    /// Whether what the gate allows is not asked again by the agent itself.
    pub(crate) answers_prompts: bool,
}

/// Answers one event from standard input. Every way to fail is an answer, too.
pub(crate) async fn answer(setting: &Setting, shell: &Shell) -> Answer {
    let mut text = String::new();
    let mut before = true;
    let work = async {
        tokio::io::stdin()
            .take(PAYLOAD_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .await
            .map_err(|error| Fault::failed(format!("the payload cannot be read: {error}")))?;
        if text.len() as u64 > PAYLOAD_BYTES_MAX {
            let message = format!("the payload has more than {PAYLOAD_BYTES_MAX} bytes");
            return Err(Fault::usage(message));
        }
        let event = Event::read(setting.coder, &text)?;
        before = event.moment == Moment::Before;
        let hook = Hook {
            setting,
            gate: Hosted::open(shell, setting.key_file.as_deref())?,
            kept: Kept::open(shell)?,
        };
        match event.moment {
            Moment::Before => hook.before(event).await,
            Moment::After(_) => hook.after(event).await,
        }
    };
    match tokio::time::timeout(setting.wait + PATIENCE, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(fault)) => Answer::broken(before, &fault.to_string()),
        Err(_) => Answer::broken(before, "the gate took too long"),
    }
}

struct Hook<'s> {
    setting: &'s Setting,
    gate: Hosted,
    kept: Kept,
}

impl Hook<'_> {
    async fn before(&self, event: Event) -> Result<Answer, Fault> {
        let call = &event.call;
        if self.kept.is_new_tool(&self.setting.source, call) {
            self.register(call).await?;
        }
        let mut envelope = self.propose(&event, false).await?;
        if code(&envelope) == Some("tool_not_found") {
            self.register(call).await?;
            envelope = self.propose(&event, false).await?;
        }
        let ended = matches!(status(&envelope), "succeeded" | "failed");
        let twin = envelope.get("duplicate_of").is_some_and(Value::is_string);
        if ended && twin {
            // Agents run the same command again and mean it; the gate decides on it anew.
            envelope = self.propose(&event, true).await?;
        }
        let Some(lease) = Lease::of(&envelope) else {
            return Ok(Answer::refused(&refusal(&envelope)));
        };
        self.kept.keep(&event.pair(), &lease)?;
        let judged = envelope.get("arguments").unwrap_or(&call.arguments);
        let changed = (*judged != call.arguments).then_some(judged);
        match (changed, event.replaceable) {
            (None, _) => Ok(Answer::allowed(
                self.setting.coder,
                self.setting.answers_prompts,
            )),
            (Some(judged), true) => Ok(Answer::replaced(self.setting.coder, judged)),
            (Some(_), false) => {
                let why = "a rule replaced data in it, and this hook cannot change what runs";
                self.kept.take(&event.pair());
                let error = json!({"code": "tool_error", "message": why});
                let report = json!({"status": "failed", "error": error});
                self.gate.report(&lease, report).await?;
                Ok(Answer::refused(why))
            }
        }
    }

    /// Proposes a call until it is decided, or until nobody has approved it in time.
    async fn propose(&self, event: &Event, again: bool) -> Result<Value, Fault> {
        let call = json!({
            "mode": "host",
            "tool": format!("{}.{}", self.setting.source, event.call.tool),
            "arguments": event.call.arguments,
            "session_id": event.session,
            "correlation_id": event.session,
            "allow_duplicate": again,
            "wait_ms": 0,
        });
        let mut left = self.setting.wait;
        let mut envelope = self
            .gate
            .propose(call.clone(), event.key.as_deref())
            .await?;
        while matches!(status(&envelope), "pending_approval" | "approved") && !left.is_zero() {
            let wait = left.min(ROUND);
            left = left.saturating_sub(wait);
            let mut call = call.clone();
            if let Some(members) = call.as_object_mut() {
                let wait = u32::try_from(wait.as_millis()).unwrap_or_default();
                members.insert("wait_ms".to_owned(), json!(wait));
                // What waits already is joined, not doubled.
                members.insert("allow_duplicate".to_owned(), json!(false));
            }
            let key = event.key.as_deref().filter(|_| !again);
            envelope = self.gate.propose(call, key).await?;
        }
        Ok(envelope)
    }

    async fn register(&self, call: &Use) -> Result<(), Fault> {
        let body = json!({"tools": [call.definition(TIMEOUT_MS)]});
        let answer = self.gate.register(&self.setting.source, body).await;
        match answer {
            Ok(_) => self.kept.remember_tool(&self.setting.source, call),
            // Who may not register may still use what somebody else has.
            Err(fault) if matches!(fault.exit(), Exit::NotPermitted | Exit::Usage) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    async fn after(&self, event: Event) -> Result<Answer, Fault> {
        let Some(lease) = self.kept.take(&event.pair()) else {
            return Ok(Answer::silent());
        };
        let Moment::After(result) = &event.moment else {
            return Ok(Answer::silent());
        };
        let report = result.report();
        let envelope = match self.gate.report(&lease, report).await {
            // What the gate cannot keep is still reported.
            Err(fault) if matches!(fault.exit(), Exit::Usage | Exit::Invalid) => {
                self.gate.report(&lease, result.brief()).await?
            }
            reported => reported?,
        };
        Ok(Answer::told(self.setting.coder, &envelope))
    }
}

fn status(envelope: &Value) -> &str {
    envelope
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn code(envelope: &Value) -> Option<&str> {
    envelope.pointer("/denial/code").and_then(Value::as_str)
}

/// What the agent is told of a call that may not run, or not yet.
fn refusal(envelope: &Value) -> String {
    let text = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str);
    let id = text("/invocation_id").unwrap_or("-");
    match status(envelope) {
        "pending_approval" | "approved" => {
            let place = text("/denial/details/url").or_else(|| text("/denial/details/approval_id"));
            format!(
                "A person has to approve this first: {}. The same call again joins it and runs once \
                 it is approved. It was not executed.",
                place.unwrap_or(id),
            )
        }
        "executing" => format!("This call is under way already ({id}). It was not executed again."),
        "succeeded" | "failed" => {
            format!("This call was executed before ({id}). It was not executed again.")
        }
        "unknown_effect" | "reconciling" | "needs_operator" => format!(
            "This call was begun before, and nobody knows whether it took effect ({id}): look before \
             you try anything else. It was not executed again."
        ),
        _ => {
            let why = text("/denial/message").or_else(|| text("/error/message"));
            format!("{} It was not executed.", why.unwrap_or("It is denied."))
        }
    }
}
