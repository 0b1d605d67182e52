//! Addresses of people: `Ana@ACME.com` is `Ana@acme.com`.
//!
//! `a@acme.com, b@evil.com` and `"a@acme.com" <b@evil.com>` are read differently by different
//! mailers and have no plain form. A recipient without an `@` (a channel, a number, a user's id) is
//! compared as it is written.
//!
//! Must not know: who is inside and who outside.

use toolgate_model::is_normal;

use super::host::name;

/// The plain form of a recipient.
pub(crate) fn address(text: &str) -> Option<String> {
    let is_handle = |text: &str| {
        text.strip_prefix('@')
            .is_some_and(|name| !name.contains('@'))
    };
    if !text.contains('@') || is_handle(text) {
        return is_normal(text).then(|| text.to_owned());
    }
    let (local, _) = text.split_once('@')?;
    domain(text).map(|domain| format!("{local}@{domain}"))
}

/// What stands behind the `@` of exactly one plain address.
pub(crate) fn domain(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let named = |c: char| c.is_ascii_graphic() && !"\",;:<>()[]\\@".contains(c);
    // Mailers know no name that ends in a dot.
    let plain = !local.is_empty() && local.chars().all(named) && !domain.ends_with('.');
    plain.then(|| name(domain))?
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_has_one_plain_form_or_none() {
        for (text, expected) in [
            ("Ana@ACME.com", "Ana@acme.com"),
            ("x@acme.com.evil", "x@acme.com.evil"),
            ("ana+x@b\u{fc}cher.example", "ana+x@xn--bcher-kva.example"),
            ("#general", "#general"),
            ("@ana", "@ana"),
            ("+49 30 1234", "+49 30 1234"),
        ] {
            assert_eq!(address(text).as_deref(), Some(expected), "{text}");
        }
        for odd in [
            "a@acme.com,b@evil.com",
            "a@acme.com@evil.com",
            "\"a@acme.com\" <b@evil.com>",
            "ana <ana@acme.com>",
            "ana@acme.com\u{200b}",
            "an\u{200b}a@acme.com",
            "ana@\u{ff41}cme.com",
            "ana@",
            "ana@acme.com.",
            "ana@[127.0.0.1]",
            "@@",
            "#gen\u{200b}eral",
        ] {
            assert_eq!(address(odd), None, "{odd:?}");
        }
    }
}
