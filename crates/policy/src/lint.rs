//! What can be said about a set without a call: its rules in order, and what is wrong with them.
//!
//! `toolgate lint` draws the findings, `test --coverage` lists the rules that no case tried. Only
//! what is certain is reported: a finding says that for *every* call the rule does nothing, or does
//! not do what it seems to.
//!
//! Must not know: calls, how a finding is shown.

mod outline;

pub use outline::RuleSummary;
