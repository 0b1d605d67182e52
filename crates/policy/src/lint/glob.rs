//! What two globs have in common: nothing, something, or all of one of them.
//!
//! Letter case is ignored throughout: some attributes are compared without it, and a finding has to
//! be certain either way.
//!
//! Must not know: what the globs are about.

use toolgate_model::Glob;

/// LIMIT: a table of ten thousand cells; of longer patterns nothing is said.
const CELLS_MAX: usize = 10_000;

/// Whether some text fits both. Where that is not worth finding out: yes.
pub(super) fn meet(a: &Glob, b: &Glob) -> bool {
    let (a, b) = (lower(a), lower(b));
    if a.len().saturating_mul(b.len()) > CELLS_MAX {
        return true;
    }
    // `next[j]`: whether the rest of `a` after the present character meets the rest of `b` from j.
    let mut next: Vec<bool> = vec![false; b.len() + 1];
    for at in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for over in (0..=b.len()).rev() {
            let (left, right) = (a.get(at).copied(), b.get(over).copied());
            let down = next.get(over).copied().unwrap_or_default();
            let along = row.get(over + 1).copied().unwrap_or_default();
            let both = next.get(over + 1).copied().unwrap_or_default();
            let fits = match (left, right) {
                (None, None) => true,
                (Some('*'), _) => down || (right.is_some() && along),
                (_, Some('*')) => along || (left.is_some() && down),
                (Some(left), Some(right)) => (left == right || left == '?' || right == '?') && both,
                _ => false,
            };
            if let Some(cell) = row.get_mut(over) {
                *cell = fits;
            }
        }
        next = row;
    }
    next.first().copied().unwrap_or(true)
}

/// Whether everything that fits `inner` certainly fits `outer`, letter case included.
pub(super) fn covers(outer: &Glob, inner: &Glob) -> bool {
    let (wide, narrow) = (outer.as_str(), inner.as_str());
    if wide == narrow || wide == "*" {
        return true;
    }
    if inner.is_exact() {
        return outer.matches(narrow);
    }
    let head = wide.strip_suffix('*').filter(|head| plain(head));
    let tail = wide.strip_prefix('*').filter(|tail| plain(tail));
    head.is_some_and(|head| narrow.starts_with(head))
        || tail.is_some_and(|tail| narrow.ends_with(tail))
}

fn plain(text: &str) -> bool {
    !text.contains(['*', '?'])
}

fn lower(glob: &Glob) -> Vec<char> {
    glob.as_str().to_lowercase().chars().collect()
}

#[cfg(test)]
mod tests {
    use super::{covers, meet};
    use proptest::prelude::*;
    use toolgate_model::Glob;

    #[test]
    fn globs_meet_where_a_text_fits_both() {
        let pair = |a: &str, b: &str| meet(&Glob::new(a), &Glob::new(b));
        assert!(pair("prod", "prod*"));
        assert!(pair("a*c", "ab*"));
        assert!(pair("*.acme.com", "api.*"));
        assert!(pair("?", "*"));
        assert!(pair("PROD", "prod"));
        assert!(!pair("prod", "staging"));
        assert!(!pair("a*", "b*"));
        assert!(!pair("?", "ab"));
        assert!(!pair("", "?"));
    }

    proptest! {
        /// A text that fits both shows that they meet; what covers lets no text of the other out.
        #[test]
        fn neither_answer_is_ever_too_small(a in "[ab*?]{0,5}", b in "[ab*?]{0,5}", text in "[ab]{0,5}") {
            let (a, b) = (Glob::new(a), Glob::new(b));
            if a.matches(&text) && b.matches(&text) {
                prop_assert!(meet(&a, &b));
            }
            if covers(&a, &b) && b.matches(&text) {
                prop_assert!(a.matches(&text));
            }
        }
    }
}
