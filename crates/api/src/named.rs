//! The things that an address names: ids and names in the path.
//!
//! A text that cannot be an id names nothing, so it is answered like an id that nobody has: 404,
//! with the form that was expected.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// Bytes of the name of a policy document.
const POLICY_NAME_BYTES_MAX: usize = 128;

/// The one thing that the path names.
pub(crate) struct Named<T>(pub(crate) T);

/// The name of a policy document: any plain text of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyName(pub(crate) String);

/// The text cannot name a policy document.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the name of a policy: 1 to 128 bytes without control characters or slashes")]
pub(crate) struct PolicyNameError(String);

impl FromStr for PolicyName {
    type Err = PolicyNameError;

    fn from_str(text: &str) -> Result<Self, PolicyNameError> {
        let fits = (1..=POLICY_NAME_BYTES_MAX).contains(&text.len());
        if fits && text.trim() == text && !text.contains(|c: char| c.is_control() || c == '/') {
            Ok(Self(text.to_owned()))
        } else {
            Err(PolicyNameError(text.chars().take(64).collect()))
        }
    }
}

impl<T> FromRequestParts<Api> for Named<T>
where
    T: FromStr<Err: Display>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, api).await;
        let Path(text) = text.map_err(|_| {
            Problem::new(
                Kind::NotFound,
                "the address names something that is not text",
            )
        })?;
        text.parse()
            .map(Self)
            .map_err(|error| Problem::new(Kind::NotFound, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::PolicyName;

    #[test]
    fn a_policy_has_a_name_of_one_plain_line() {
        for good in ["refunds", "Block Slack posts of internal documents"] {
            assert!(good.parse::<PolicyName>().is_ok(), "{good:?}");
        }
        for bad in ["", " refunds", "a/b", "a\nb", "a\u{0}", &"x".repeat(129)] {
            assert!(bad.parse::<PolicyName>().is_err(), "{bad:?}");
        }
    }
}
