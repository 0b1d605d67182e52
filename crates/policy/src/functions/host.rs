//! `host(args.url) == api.acme.com`: the host of a URL.
//!
//! Readers of URLs disagree about backslashes, several `@`, escapes, tabs and look-alike letters;
//! `https://api.acme.com\@evil.com/` is one of the tricks. A URL with any of that before its path
//! has no host here, and the comparison is unknown.

use crate::value::Datum;

pub(super) fn host(value: Datum<'_>) -> Option<Datum<'_>> {
    let Datum::Text(text) = value else {
        return None;
    };
    let (scheme, rest) = text.split_once("://")?;
    let schemed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if !schemed || tail.starts_with('\\') || authority.matches('@').count() > 1 {
        return None;
    }
    let (user, place) = authority.split_once('@').unwrap_or(("", authority));
    let (host, port) = split_port(place)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let written =
        user.chars().all(|c| c.is_ascii_graphic()) && port.bytes().all(|b| b.is_ascii_digit());
    let bracketed = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'));
    let name = host.strip_suffix('.').unwrap_or(host);
    let real = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|label| !label.is_empty()) && name.chars().all(plain),
    };
    (written && real).then(|| Datum::Text(name.to_ascii_lowercase().into()))
}

/// Host and port of `host`, `host:443` or `[::1]:443`.
fn split_port(place: &str) -> Option<(&str, &str)> {
    let after = place.rfind(']').map_or(0, |close| close + 1);
    match place.get(after..)?.find(':') {
        Some(colon) => Some((place.get(..after + colon)?, place.get(after + colon + 1..)?)),
        None => Some((place, "")),
    }
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
            "https://acm\u{435}.com/",
            "https://a..b/",
            "https://acme.com:80x/",
            "https://[::1/",
            " https://acme.com/",
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}
