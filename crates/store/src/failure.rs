//! What the store says when it cannot: one part name, and a detail for the operator's log.
//!
//! `the invocation `inv_…` cannot be read: invariant 2 is broken: only the newest attempt is
//! alive`. Callers of the gate see none of it; to them the gate is unavailable.
//!
//! Must not know: which store is speaking.

use toolgate_execution::Invocation;
use toolgate_gate::port::Unavailable;

/// The store cannot do or say it.
pub(crate) fn unavailable(detail: impl Into<String>) -> Unavailable {
    Unavailable {
        part: "store",
        detail: detail.into(),
    }
}

/// The invocation, if what always holds of invocations holds of it.
pub(crate) fn sound(invocation: Invocation) -> Result<Invocation, Unavailable> {
    match invocation.check() {
        Ok(()) => Ok(invocation),
        Err(broken) => Err(unreadable(invocation.id.as_str(), &broken)),
    }
}

/// The invocation of this id is there and cannot be used.
pub(crate) fn unreadable(id: &str, cause: &dyn std::fmt::Display) -> Unavailable {
    unavailable(format!("the invocation `{id}` cannot be read: {cause}"))
}

/// Keeps a broken invocation from stopping a list: it is logged and left out.
pub(crate) fn listed(read: Result<Invocation, Unavailable>) -> Option<Invocation> {
    read.inspect_err(|error| tracing::error!(%error, "an invocation is left out of a list"))
        .ok()
}
