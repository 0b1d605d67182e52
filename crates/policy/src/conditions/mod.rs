//! The registry of conditions: sorted, one file and one entry a condition.
//!
//! Every key of `condition` that is given has to hold. To add one, write its file (a `KEY`, and a
//! `Test` if it is not a plain attribute) and add it to the two lists here.
//!
//! Must not know: expressions, precedence.

mod body_contains_all;
mod body_contains_any;
mod flag;
mod has_data_class;
mod is_external_principal;
mod new_resource;
mod session_has_data_class;
pub(crate) mod time_window;
mod volume_burst;

use crate::test::Key;

/// Every condition, sorted.
pub const CONDITIONS: &[Key] = &[
    body_contains_all::KEY,
    body_contains_any::KEY,
    has_data_class::KEY,
    is_external_principal::KEY,
    new_resource::KEY,
    session_has_data_class::KEY,
    time_window::KEY,
    volume_burst::KEY,
];
