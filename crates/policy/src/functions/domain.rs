//! `domain(args.to) == acme.com`: what stands behind the `@` of one address.
//!
//! `a@acme.com, b@evil.com`, `"a@acme.com" <b@evil.com>` and `a@acme.com@evil.com` are read
//! differently by different mailers, so they have no domain here and the comparison is unknown.

use crate::value::Datum;

pub(super) fn domain(value: Datum<'_>) -> Option<Datum<'_>> {
    let Datum::Text(text) = value else {
        return None;
    };
    let (name, domain) = text.split_once('@')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let named = |c: char| c.is_ascii_graphic() && !"\",;:<>()[]\\@".contains(c);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let whole = !name.is_empty() && name.chars().all(named);
    let real = domain.split('.').all(|label| !label.is_empty()) && domain.chars().all(plain);
    (whole && real).then(|| Datum::Text(domain.to_ascii_lowercase().into()))
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
        assert_eq!(of("ana+x@mail.acme.com.").as_deref(), Some("mail.acme.com"));
        for bad in [
            "acme.com",
            "@acme.com",
            "ana@",
            "ana@acme..com",
            "a@acme.com,b@evil.com",
            "a@acme.com@evil.com",
            "\"a@acme.com\" <b@evil.com>",
            "ana@acme.com\u{200b}",
            "ana@acm\u{435}.com",
            "a b@acme.com",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
