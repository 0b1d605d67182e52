//! The environment, read once at the start of the process.
//!
//! Everything else is handed the map and never asks the process itself, so that a configuration
//! is a function of what it was given (5-house, 4).
//!
//! Must not know: what any variable means.

use std::collections::BTreeMap;

/// All variables whose name and value are text.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}
