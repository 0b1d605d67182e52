//! Expressions as written to expressions that can be evaluated: every name looked up, every type
//! fitted, whatever this version cannot read refused.
//!
//! `amout > 500` is checked here only as far as its form goes: that no tool has `amout` is found
//! once the rule's scope is known ([`crate::reach`]), from the uses collected here. Terms stand
//! below relations, relations below conditions.
//!
//! Must not know: rules, precedence, calls.

mod terms;

mod names;

mod relations;

mod conditions;

mod history;

pub(crate) use history::{measure, window_problem};
pub(crate) use terms::{Checker, Root, Use, Written};
