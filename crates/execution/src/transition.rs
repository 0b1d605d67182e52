//! What a step yields: the next state, what to write down, and what to do afterwards.

use serde_json::{Map, Value};
use toolgate_model::{ApprovalId, Timestamp};

use crate::state::{Invocation, State};

/// The result of one step. The driver stores `next` and `events` in one transaction and performs
/// `outputs` only once that is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The invocation after the step.
    pub next: Invocation,
    /// What goes on the record.
    pub events: Vec<Event>,
    /// What to do, at least once each.
    pub outputs: Vec<Output>,
}

/// One line for the record; the driver adds who, what and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `invocation.denied`, `invocation.admitted`, …
    pub kind: &'static str,
    /// What this step adds to what the proposal says.
    pub data: Map<String, Value>,
}

/// Something to do after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this attempt to the tool.
    Dispatch {
        /// Which attempt.
        attempt: u32,
    },
    /// Tell approvers that something waits.
    AskApprovers {
        /// The request.
        approval: ApprovalId,
    },
    /// Read again, decide again, then step with what came out.
    Revalidate,
    /// Look for the effect.
    Probe {
        /// The attempt in doubt.
        attempt: u32,
    },
    /// Decide again whether the same request may be sent once more, then step with what came out.
    Retry,
    /// Come back at that time.
    ArmTimer {
        /// When.
        at: Timestamp,
    },
    /// Whoever waits for this invocation can be answered.
    Answer,
}

impl Transition {
    /// A step of `from` to `state` at `now`.
    pub(crate) fn to(from: &Invocation, now: Timestamp, state: State) -> Self {
        let mut next = from.clone();
        next.state = state;
        next.revision += 1;
        // INVARIANT: time never runs backwards within an invocation, whatever the clock does.
        next.updated_at = now.max(from.updated_at);
        Self {
            next,
            events: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Goes on with a further step of what this one came to; nothing between them is visible.
    pub(crate) fn then(&mut self, step: Self) {
        let revision = self.next.revision;
        self.next = step.next;
        self.next.revision = revision;
        self.events.extend(step.events);
        self.outputs.extend(step.outputs);
    }

    /// The same transition with one more event.
    pub(crate) fn event(mut self, kind: &'static str, data: Value) -> Self {
        let data = match data {
            Value::Object(map) => map,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        self.events.push(Event { kind, data });
        self
    }

    /// The same transition with one more output.
    pub(crate) fn output(mut self, output: Output) -> Self {
        self.outputs.push(output);
        self
    }
}
