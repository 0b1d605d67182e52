//! `domain(args.to) == acme.com`: what stands behind the `@` of one address.
//!
//! `a@acme.com, b@evil.com`, `"a@acme.com" <b@evil.com>` and `a@acme.com@evil.com` are read
//! differently by different mailers, so they have no domain here and the comparison is unknown.

use crate::plain;
use crate::value::Datum;

pub(super) fn domain(value: Datum<'_>) -> Option<Datum<'_>> {
    let Datum::Text(text) = value else {
        return None;
    };
    plain::domain(&text).map(|domain| Datum::Text(domain.into()))
}

#[cfg(test)]
mod tests {
    use super::domain;
    use crate::value::Datum;

    #[test]
    fn only_a_plain_address_has_a_domain() {
        let of = |text: &str| match domain(Datum::text(text)) {
            Some(Datum::Text(domain)) => Some(domain.into_owned()),
            _ => None,
        };
        assert_eq!(of("Ana@ACME.com").as_deref(), Some("acme.com"));
        assert_eq!(of("ana+x@mail.acme.com").as_deref(), Some("mail.acme.com"));
        let lookalike = of("ana@acm\u{435}.com");
        assert_eq!(lookalike.as_deref(), Some("xn--acm-tdd.com"));
        for bad in [
            "acme.com",
            "@acme.com",
            "ana@",
            "ana@acme..com",
            "a@acme.com,b@evil.com",
            "a@acme.com@evil.com",
            "\"a@acme.com\" <b@evil.com>",
            "ana@acme.com\u{200b}",
            "ana@acme.com.",
            "ana@\u{ff41}cme.com",
            "a b@acme.com",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
