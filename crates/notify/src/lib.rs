//! Signed webhooks about what stands on the record (Standard Webhooks).
//!
//! An approval is asked for, and the on-call channel hears of it; a lost answer needs a person, and
//! the pager rings. The append-only record is the outbox: each endpoint has a durable cursor over
//! its indices, so nothing is lost by a crash and every event is delivered at least once, in the
//! order of the log. Endpoints are served side by side; one that is down delays nobody else.
//!
//! Must not know: which store, who else reads the record, how anything was decided.

mod address;
mod courier;
mod message;
mod notifier;
mod schedule;
mod sender;

pub use address::{Address, AddressError};
pub use courier::{Courier, Turn};
pub use notifier::{ENDPOINTS_MAX, EndpointSpec, Facts, Notifier, Ports};
pub use toolgate_signature::{SecretError, SigningSecrets};

/// What an endpoint is told of where its configuration does not say.
pub const EVENTS_DEFAULT: [&str; 9] = [
    "approval.requested",
    "approval.escalated",
    "approval.approved",
    "approval.rejected",
    "approval.expired",
    "approval.voided",
    "invocation.needs_operator",
    "incident.opened",
    "tool.changed",
];
