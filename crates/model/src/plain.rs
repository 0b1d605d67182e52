//! Names that everybody reads alike.
//!
//! `file:/safe/../etc/passwd` is `file:/etc/passwd` to whoever resolves it, and `/safe/%2e%2e/etc` is to whoever
//! unescapes it first. A pattern over such a name proves nothing, in either direction.
//!
//! Must not know: patterns, what a name stands for.

use crate::searchable;

/// Whether nothing in a path, a URL's path or a resource is resolved, unescaped or normalised to
/// something else: no dot segments, no backslashes, no control characters, no escapes of what
/// needs none, no full-width letters, nothing invisible.
pub fn resolves_to_itself(name: &str) -> bool {
    let odd = |c: char| c == '\\' || c.is_control();
    let dots = |segment: &str| matches!(segment, "." | "..");
    !name.contains(odd)
        && !name.split(['/', ':']).any(dots)
        && !has_needless_escape(name)
        && is_normal(name)
}

/// Whether a text is its own normal form, letter case aside: no full-width letters, no invisible
/// characters, nothing that can be composed in two ways.
pub fn is_normal(text: &str) -> bool {
    let lower = || text.chars().flat_map(char::to_lowercase);
    text.is_ascii() || searchable(text).chars().eq(lower())
}

/// Whether some `%xx` stands for a letter, a digit, a separator, a percent sign or a control
/// character: who unescapes it sees another name than who does not.
fn has_needless_escape(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| {
        let digits = text.get(at + 1..at + 3).unwrap_or_default();
        let hex = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| hex);
        byte.is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || byte.is_ascii_control() || b"-._~/\\%".contains(&byte)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::resolves_to_itself;

    #[test]
    fn a_name_that_could_be_another_does_not_resolve_to_itself() {
        for plain in [
            "customer:cust_123",
            "file:/safe/a b%20c",
            "page:https://acme.com/x?y=1",
            "repo:acme/site.js",
            "file:/safe/..a/...",
            "stra\u{df}e:1",
            "rate:100%",
        ] {
            assert!(resolves_to_itself(plain), "{plain}");
        }
        for odd in [
            "file:/safe/../etc/passwd",
            "file:..",
            "file:./x",
            "file:/safe/%2E%2e/etc",
            "file:/safe%5cetc",
            "file:/etc/p%61sswd",
            "file:/safe/%252e",
            "file:C:\\x",
            "file:/safe/x\0",
            "customer:cust\u{200b}_1",
            "customer:\u{ff43}ust",
        ] {
            assert!(!resolves_to_itself(odd), "{odd:?}");
        }
    }
}
