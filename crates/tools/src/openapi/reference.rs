//! References inside one description: `{"$ref": "#/components/parameters/Page"}`.
//!
//! Only the description itself is ever looked into: what refers to a file or an address is refused,
//! and costs the operation that needs it. A chain of references that leads nowhere is refused too.
//!
//! Must not know: what stands at either end.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::text;

/// LIMIT: references that lead to references; real descriptions have two.
const HOPS_MAX: usize = 16;

/// LIMIT: bytes of a reference that are shown.
const SHOWN_BYTES_MAX: usize = 120;

/// The description that references lead into.
#[derive(Clone, Copy)]
pub(super) struct References<'d> {
    root: &'d Value,
}

impl<'d> References<'d> {
    pub(super) const fn of(root: &'d Value) -> Self {
        Self { root }
    }

    /// What a value stands for: itself, or what its reference leads to in the end.
    ///
    /// # Errors
    /// Why a reference leads nowhere.
    pub(super) fn resolve(&self, value: &'d Value) -> Result<&'d Value, String> {
        let mut here = value;
        for _ in 0..HOPS_MAX {
            match reference(here) {
                Some(to) => here = self.target(to)?,
                None => return Ok(here),
            }
        }
        let first = reference(value).unwrap_or_default();
        Err(format!(
            "the reference `{}` leads through more than {HOPS_MAX} others or in a circle",
            shown(first)
        ))
    }

    /// What one reference leads to.
    ///
    /// # Errors
    /// That it leads elsewhere, or nowhere.
    pub(super) fn target(&self, reference: &str) -> Result<&'d Value, String> {
        let pointer = pointer(reference)?;
        self.root.pointer(&pointer).ok_or_else(|| {
            format!(
                "the reference `{}` leads to nothing in the description",
                shown(reference)
            )
        })
    }
}

/// The reference that a value is.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}

/// The JSON pointer that a reference into the same description holds.
///
/// # Errors
/// That it leads elsewhere.
pub(super) fn pointer(reference: &str) -> Result<String, String> {
    let elsewhere = || {
        format!(
            "the reference `{}` leads out of the description, and nothing is fetched: bundle it first",
            shown(reference)
        )
    };
    let fragment = reference.strip_prefix('#').ok_or_else(elsewhere)?;
    let decoded = percent_decode_str(fragment).decode_utf8();
    let pointer = decoded.map_err(|_| elsewhere())?.into_owned();
    let fits = pointer.is_empty() || pointer.starts_with('/');
    fits.then_some(pointer).ok_or_else(elsewhere)
}

fn shown(reference: &str) -> String {
    text::line(reference, SHOWN_BYTES_MAX)
}
