//! Whether somebody or something is the tenant's own.
//!
//! With the own domain `acme.com`, `ana@eu.acme.com` is inside and `ana@acme.com.evil.com` is not.
//! A company's own place at a service that many share (`acme.atlassian.net`) is its own where it is
//! listed as such; where it is not, nobody can say.
//!
//! Must not know: services.

use serde_json::Value;
use url::Host;

/// Whether `domain` is one of the own domains or lies under one.
pub(super) fn is_own(domain: &str, own_domains: &[String]) -> bool {
    let Ok(Host::Domain(domain)) = Host::parse(domain) else {
        return false;
    };
    own_domains.iter().any(|own| {
        let above = domain.trim_end_matches('.').strip_suffix(own.as_str());
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    })
}

/// Whether a plain address is of an own domain. What is no plain address is not.
pub(super) fn is_own_address(address: &str, own_domains: &[String]) -> bool {
    let parts = address.split_once('@');
    parts.is_some_and(|(name, domain)| {
        let plain = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
        !name.is_empty() && name.chars().all(plain) && is_own(domain, own_domains)
    })
}

/// Whether a tenant's place at a shared service is outside: `acme.atlassian.net` under
/// `atlassian.net`. `Null` where no place of that service is listed as own.
pub(super) fn place_is_external(host: &str, family: &str, own_domains: &[String]) -> Value {
    if is_own(host, own_domains) {
        return Value::Bool(false);
    }
    let listed = own_domains.iter().any(|own| own.ends_with(family));
    if listed {
        Value::Bool(true)
    } else {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::{is_own, is_own_address, place_is_external};
    use serde_json::{Value, json};

    #[test]
    fn an_own_domain_covers_what_lies_under_it_and_nothing_else() {
        let own = ["acme.com".to_owned(), "acme.atlassian.net".to_owned()];
        for inside in ["acme.com", "ACME.com", "eu.acme.com", "acme.com."] {
            assert!(is_own(inside, &own), "{inside}");
        }
        for outside in [
            "acme.com.evil.com",
            "xacme.com",
            "com",
            "",
            "аcme.com",
            "atlassian.net",
        ] {
            assert!(!is_own(outside, &own), "{outside}");
        }
        assert!(is_own_address("ana+x@eu.acme.com", &own));
        for outside in [
            "ana@acme.com@evil.com",
            "acme.com",
            "@acme.com",
            "<ana@acme.com>",
            "a b@acme.com",
        ] {
            assert!(!is_own_address(outside, &own), "{outside}");
        }
        assert_eq!(
            place_is_external("acme.atlassian.net", "atlassian.net", &own),
            json!(false)
        );
        assert_eq!(
            place_is_external("evil.atlassian.net", "atlassian.net", &own),
            json!(true)
        );
        assert_eq!(
            place_is_external("x.slack.com", "slack.com", &own),
            Value::Null
        );
    }
}
