//! What is remembered of earlier calls, and the answers that rules get about them.
//!
//! ```text
//! invocation ──Event::of──▶ Ledger ──view(asker)──▶ policy::History
//! ```
//!
//! The ledger is a bounded memory of what the store holds: it is filled from invocations at a start
//! and told of every step after that, so it can be thrown away and made again. A call counts from
//! the moment it is let through, before it has run, so twenty calls at once cannot all be the
//! twentieth. Everything hangs on the authenticated agent and its credential, never on a name that
//! the caller chose.
//!
//! Must not know: stores, clocks, rules.

mod dates;
mod event;
mod ledger;
mod session;
mod view;
mod words;

pub use event::{Event, Read, SessionKey, Standing};
pub use ledger::{Ledger, LedgerLimits};
pub use view::{Asker, View};
pub use words::Words;
