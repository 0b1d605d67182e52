//! Which patterns of a description a value can be held against.
//!
//! A schema with one pattern that does not compile would refuse every call, so such a pattern is
//! left out: the API judges by it anyway. Most patterns stand in many places, and are tried once.
//!
//! Must not know: where a pattern stands.

use std::cell::RefCell;
use std::collections::HashMap;

use jsonschema::PatternOptions;
use serde_json::json;

/// LIMIT: bytes of a pattern; longer ones are generated.
const BYTES_MAX: usize = 500;
/// LIMIT: different patterns of one description. Further ones are left out.
const COUNT_MAX: usize = 2_000;

/// The patterns that were tried.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    tried: RefCell<HashMap<String, bool>>,
}

impl Patterns {
    /// Whether a value can be held against it.
    pub(super) fn admits(&self, pattern: &str) -> bool {
        let mut tried = self.tried.borrow_mut();
        if let Some(known) = tried.get(pattern) {
            return *known;
        }
        if pattern.len() > BYTES_MAX || tried.len() >= COUNT_MAX {
            return false;
        }
        let compiled = jsonschema::options()
            .with_pattern_options(PatternOptions::fancy_regex())
            .build(&json!({"pattern": pattern}));
        tried.insert(pattern.to_owned(), compiled.is_ok());
        compiled.is_ok()
    }
}
