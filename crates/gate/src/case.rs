//! Cases: a call, what came before it, and what must come out. The tests of policies.
//!
//! ```text
//! {"name": "a large refund waits", "call": {"tool": "stripe.refund", "arguments": {"amount": 640}},
//!  "expect": {"verdict": "require_approval", "rule": "r2"}}
//! ```
//!
//! They stand in a document's own `tests` or beside it in a `*.test.json` file ([`CaseFile`]), and
//! are run by the code that decides calls: [`Case::run`] is [`crate::decide`] with the call, its
//! history and its live facts written down instead of looked up. `toolgate test`, activation and
//! `POST /v1/policies/test` share it. Only what `expect` names is compared.
//!
//! Must not know: where the texts come from, how an outcome is shown.

mod coverage;
mod expect;
mod gaps;
mod past;
mod place;
mod reader;
mod run;
mod tool;
mod written;

pub use coverage::{BranchCover, Coverage, RuleCover, ToolCover};
pub use expect::{Difference, Expected};
pub use gaps::{Gap, gaps};
pub use run::{Outcome, Recognise, Runner, stage};
pub use tool::{WrittenTool, assumed};
pub use written::{Approval, ApprovalState, Case, CaseFile, Past, When, WrittenCall};
