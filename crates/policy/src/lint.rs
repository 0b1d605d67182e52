//! What can be said about a set without a call: its rules in order, and what is wrong with them.
//!
//! ```text
//! warning[L003]: `refunds/small` never matters: `refunds/all` is stricter on every call it matches
//! ```
//!
//! Only what is certain has a code below `L100`: the finding then holds for *every* call, also for
//! those whose arguments are missing. From `L100` on stand notes: what is allowed, and often not
//! what was meant. `docs/lint/` has a page a code.
//!
//! Must not know: calls, how a finding is shown.

mod claims;
mod codes;
mod difference;
mod findings;
mod glob;
mod outline;
mod shadows;
mod written;

pub use codes::{LINT_CODES, LintCode};
pub use difference::{DocumentDifference, KeyDifference, RuleDifference, difference};
pub use findings::{Lint, findings};
pub use outline::RuleSummary;
