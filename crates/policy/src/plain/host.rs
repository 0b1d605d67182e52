//! Hosts: `API.acme.com.:443` is `api.acme.com`.
//!
//! International names are compared in their ASCII form, so look-alikes are other hosts. A number
//! that is no plain dotted address (`0x7f.1`, `2130706433`) has no plain form: resolvers take it for
//! an address.
//!
//! Must not know: URLs' other parts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The plain form of a host, with or without its port, or of a URL's.
pub(crate) fn host(text: &str) -> Option<String> {
    if text.contains("://") {
        return super::url(text).map(|url| url.host);
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(shown(address));
    }
    let (host, port) = split_port(text)?;
    port.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    written(host)
}

/// The plain form of a host as it stands in a URL: a name, or an address in brackets.
pub(super) fn written(host: &str) -> Option<String> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(shown),
        None => name(host),
    }
}

/// The plain form of a domain name or of a dotted address.
pub(crate) fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let ascii = match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => international(text)?,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let real = ascii.chars().all(plain) && ascii.split('.').all(|label| !label.is_empty());
    (real && (!ends_in_number(&ascii) || ascii.parse::<Ipv4Addr>().is_ok())).then_some(ascii)
}

/// Host and port of `host`, `host:443` or `[::1]:443`.
pub(super) fn split_port(place: &str) -> Option<(&str, &str)> {
    let after = place.rfind(']').map_or(0, |close| close + 1);
    match place.get(after..)?.find(':') {
        Some(colon) => Some((place.get(..after + colon)?, place.get(after + colon + 1..)?)),
        None => Some((place, "")),
    }
}

/// The ASCII form of an international name. What is mapped onto other letters on the way there
/// (full-width ones, ligatures) is no name that anybody registers, and has none.
fn international(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_strict(text).ok()?;
    let (back, result) = idna::domain_to_unicode(&ascii);
    let lower = text.chars().flat_map(char::to_lowercase);
    (result.is_ok() && back.chars().eq(lower)).then_some(ascii)
}

/// Whether resolvers would take it for an address.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x");
    last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// An address inside IPv6 that is one of IPv4 is shown as that.
fn shown(address: Ipv6Addr) -> String {
    match IpAddr::V6(address).to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_has_one_plain_form_or_none() {
        for (text, expected) in [
            ("api.acme.com", "api.acme.com"),
            ("API.ACME.COM", "api.acme.com"),
            ("acme.com.", "acme.com"),
            ("acme.com:8443", "acme.com"),
            ("https://user@Acme.com:443/x", "acme.com"),
            ("localhost", "localhost"),
            ("10.0.0.1", "10.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("0:0:0:0:0:0:0:1", "[::1]"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("B\u{dc}CHER.example", "xn--bcher-kva.example"),
            // A Cyrillic letter makes another name.
            ("acm\u{435}.com", "xn--acm-tdd.com"),
        ] {
            assert_eq!(host(text).as_deref(), Some(expected), "{text}");
        }
        for odd in [
            "",
            "a..b",
            "2130706433",
            "0x7f.0.0.1",
            "127.1",
            "0177.0.0.1",
            "acme.com:80x",
            "acme.com/evil",
            "acme.com\\@evil.com",
            "user@acme.com",
            "acme.com,evil.com",
            "acme .com",
            "acme.com\u{200b}",
            "\u{ff41}cme.com",
            "acme\u{3002}com",
            "[::1",
        ] {
            assert_eq!(host(odd), None, "{odd:?}");
        }
    }
}
