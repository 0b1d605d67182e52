//! Addresses of people: `Ana@ACME.com` is `Ana@acme.com`.
//!
//! `a@acme.com, b@evil.com` and `"a@acme.com" <b@evil.com>` are read differently by different
//! mailers and have no plain form. A recipient without an `@` (a channel, a number, a user's id) is
//! compared as it is written.
//!
//! Must not know: who is inside and who outside.

use super::host::name;

/// The plain form of a recipient.
pub(crate) fn address(text: &str) -> Option<String> {
    let Some((local, domain)) = text.split_once('@') else {
        return super::is_normal(text).then(|| text.to_owned());
    };
    let named = |c: char| c.is_ascii_graphic() && !"\",;:<>()[]\\@".contains(c);
    // A handle, `@ana`, has nothing before it.
    if local.is_empty() && !domain.contains('@') {
        return super::is_normal(text).then(|| text.to_owned());
    }
    let domain = name(domain)?;
    local
        .chars()
        .all(named)
        .then(|| format!("{local}@{domain}"))
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
            "@@",
            "#gen\u{200b}eral",
        ] {
            assert_eq!(address(odd), None, "{odd:?}");
        }
    }
}
