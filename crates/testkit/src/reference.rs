//! A second evaluator of the policy language: tiny, slow, and written from the specification
//! (2-decision, 3 and 4) without a look at the engine, so that the two can be compared.
//!
//! It parses an expression again for every call, judges every rule of every document, keeps no
//! index and shares no code with `toolgate-policy`. Calls, tools and documents are plain JSON, in the
//! form of the corpus cases:
//!
//! ```json
//! {"tool": "pay.refund", "args": {"amount": 640}, "env": "prod"}
//! ```
//!
//! Must not know: `toolgate-policy`.

mod facts;
mod history;
mod language;
mod number;
mod rules;
mod truth;

use serde_json::Value;

pub use history::{Past, Span};
pub use rules::Outcome;

/// What the documents (by the stem of their file) say about the call.
///
/// Where `call` has a `result` the rules about results are judged, else those about calls.
pub fn decide(documents: &[(String, Value)], tools: &[Value], call: &Value) -> Outcome {
    rules::decide(documents, &facts::Sight::new(call, tools))
}
