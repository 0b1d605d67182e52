//! Why a request is not judged: it can be read in two ways, or not at all.
//!
//! `url`: has user information before its host. The caller is told the place and the fix, never
//! the value, which may be a secret.
//!
//! Must not know: what is refused.

use toolgate_model::{Code, Denial};

/// A request that is not judged, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(String);

/// LIMIT: characters of a name that the caller wrote and is told again.
const NAME_CHARS_MAX: usize = 60;

impl Refusal {
    /// `place` is a part of the request: `url`, `body`, `header host`.
    pub(super) fn at(place: &str, what: impl AsRef<str>) -> Self {
        Self(format!("`{place}`: {}", what.as_ref()))
    }

    /// A parameter that is given twice, differently.
    pub(super) fn twice(name: &str) -> Self {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        Self(format!(
            "`{name}` is given more than once, with different values"
        ))
    }

    /// What the caller is told.
    pub(super) fn denial(self) -> Denial {
        let message = format!("the request cannot be judged: {}", self.0);
        Denial::new(Code::InvalidArguments, message)
    }
}
