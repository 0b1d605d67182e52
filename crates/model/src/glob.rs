//! The one pattern form of grants, matches and selectors: `*` is any run, `?` one character.
//!
//! `tickets.*` covers `tickets.search` and `tickets.comment.create`; `customer:*` any customer.
//! A `*` crosses dots and slashes, so a pattern means the same everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pattern over a whole text, case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// The pattern that `text` writes. Every text is a pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern has no wildcard and so names one text.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether it matches everything.
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// Whether the whole of `text` matches.
    // LIMIT: at most pattern × text steps, both bounded where they are read; no backtracking
    // beyond the last `*`, so no pattern can make it explode.
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), text.chars());
        let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
        loop {
            let (here, there) = (pattern.clone().next(), rest.clone().next());
            match (here, there) {
                (Some('*'), _) => {
                    pattern.next();
                    retry = Some((pattern.clone(), rest.clone()));
                }
                (Some(want), Some(have)) if want == '?' || want == have => {
                    pattern.next();
                    rest.next();
                }
                (None, None) => return true,
                // Let the last `*` take one character more and try again from there.
                _ => {
                    let Some((after, from)) = &mut retry else {
                        return false;
                    };
                    if from.next().is_none() {
                        return false;
                    }
                    pattern = after.clone();
                    rest = from.clone();
                }
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;
    use proptest::prelude::*;

    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', more)), _) => (0..=text.len()).any(|cut| slow(more, &text[cut..])),
            (Some(('?', more)), Some((_, rest))) => slow(more, rest),
            (Some((want, more)), Some((have, rest))) => want == have && slow(more, rest),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[abé]{0,10}") {
            let (p, t): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(Glob::new(pattern).matches(&text), slow(&p, &t));
        }
    }

    #[test]
    fn a_star_crosses_dots() {
        assert!(Glob::new("tickets.*").matches("tickets.comment.create"));
        assert!(!Glob::new("tickets.*").matches("tickets"));
        assert!(!Glob::new("stripe.refund").matches("stripe.refunds"));
    }
}
