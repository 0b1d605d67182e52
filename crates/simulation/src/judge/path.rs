//! Which ways invocations went: counted, so that a run that never came to a state shows it.
//!
//! `executing -> reconciling`, `reconciling -> executing, same key`, …
//!
//! Must not know: whether a way is right.

use toolgate_execution::{Invocation, RetryGround, Status};

/// From which state to which, and on what ground a further attempt ran.
pub(crate) type Path = (&'static str, &'static str, &'static str);

/// The way that this durable write is.
pub(super) fn of(before: Option<&Invocation>, next: &Invocation) -> Path {
    let from = before.map_or(Status::Proposed, Invocation::status).as_str();
    let ground = match next.state.attempt().and_then(|attempt| attempt.again) {
        Some(RetryGround::SameKey) => "same key",
        Some(RetryGround::NotLanded { .. }) => "proven absent",
        Some(RetryGround::Ordered) => "ordered",
        None => "",
    };
    let shown = if next.status() == Status::Executing {
        ground
    } else {
        ""
    };
    (from, next.status().as_str(), shown)
}
