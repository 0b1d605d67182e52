//! `host(args.url) == api.acme.com`: the host of a URL.
//!
//! Readers of URLs disagree about backslashes, several `@`, escapes and tabs, and make addresses of
//! numbers; `https://api.acme.com\@evil.com/` and `http://2130706433/` are two of the tricks. A URL with
//! any of that before its path has no host here, and the comparison is unknown. An international name
//! is its ASCII form, so a look-alike is another host.

use crate::plain;
use crate::value::Datum;

pub(super) fn host(value: Datum<'_>) -> Option<Datum<'_>> {
    let Datum::Text(text) = value else {
        return None;
    };
    plain::url(&text).map(|url| Datum::Text(url.host.into()))
}

#[cfg(test)]
mod tests {
    use super::host;
    use crate::value::Datum;

    #[test]
    fn only_an_unambiguous_url_has_a_host() {
        let of = |text: &str| match host(Datum::text(text)) {
            Some(Datum::Text(host)) => Some(host.into_owned()),
            _ => None,
        };
        for (url, expected) in [
            ("https://API.acme.com/v1?x=@evil.com", "api.acme.com"),
            ("http://user:pw@acme.com:8080#x", "acme.com"),
            ("https://acme.com./", "acme.com"),
            ("https://[::1]:443/", "[::1]"),
            ("ftp://10.0.0.1", "10.0.0.1"),
            ("https://acme.com/a\\b", "acme.com"),
            ("https://acme.com/../b", "acme.com"),
            ("http://[::ffff:10.0.0.1]/", "10.0.0.1"),
            ("https://acm\u{435}.com/", "xn--acm-tdd.com"),
        ] {
            assert_eq!(of(url).as_deref(), Some(expected), "{url}");
        }
        for bad in [
            "acme.com",
            "//acme.com/",
            "https:///x",
            "https://acme.com\\@evil.com/",
            "https://acme.com@evil.com@x/",
            "https://acme.com%2f.evil.com/",
            "https://acme\t.com/",
            "https://\u{ff41}cme.com/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "https://a..b/",
            "https://acme.com:80x/",
            "https://[::1/",
            " https://acme.com/",
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}
