//! The address of a request in its one canonical form.
//!
//! `HTTPS://API.GitHub.com:443/repos/./acme/x/%69ssues` is
//! `https://api.github.com/repos/acme/x/issues`: what RFC 3986 calls equal becomes the same text.
//! What two readers take for two things (user information, empty path segments, escapes of
//! escapes, backslashes, `;` parameters) is refused, because the gate would judge one of them and
//! the server act on the other.
//!
//! Must not know: which services there are.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::Host;

use super::pairs::Pairs;
use super::refusal::Refusal;

/// LIMIT: what servers and proxies commonly take of a request line.
const URL_BYTES_MAX: usize = 8 << 10;
/// LIMIT: the deepest path of a known service has fourteen.
const SEGMENTS_MAX: usize = 64;
/// LIMIT: a name in the domain name system.
const HOST_BYTES_MAX: usize = 253;

/// An address, taken apart and decoded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// In lower case, international names in their ASCII form, numbers as dotted decimals.
    pub(super) host: String,
    /// Where it is not the scheme's own.
    pub(super) port: Option<u16>,
    /// The path, decoded. A slash inside one was written `%2F`.
    pub(super) segments: Vec<String>,
    /// Whether the path ends in a slash.
    pub(super) trailing: bool,
    /// The query, decoded.
    pub(super) query: Pairs,
}

impl Address {
    /// Reads the address.
    ///
    /// # Errors
    /// A [`Refusal`] where it is no absolute web address or two readers may differ about it.
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        plain(text)?;
        let (scheme, rest) = scheme(text)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let (host, port) = authority_of(authority)?;
        let port = port.filter(|port| *port != default_port(scheme));
        let (segments, trailing) = segments(path)?;
        Ok(Self {
            scheme,
            host,
            port,
            segments,
            trailing,
            query: Pairs::read(query, "query")?,
        })
    }

    /// The path from its parts, each encoded as little as can be.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            path.push_str(&encoded(segment));
        }
        if self.trailing || path.is_empty() {
            path.push('/');
        }
        path
    }

    /// Scheme, host and port: what a cookie would call the origin.
    pub(super) fn origin(&self) -> String {
        match self.port {
            Some(port) => format!("{}://{}:{port}", self.scheme, self.host),
            None => format!("{}://{}", self.scheme, self.host),
        }
    }

    /// The whole address again.
    pub(super) fn url(&self) -> String {
        let (origin, path, query) = (self.origin(), self.path(), self.query.text());
        match query.is_empty() {
            true => format!("{origin}{path}"),
            false => format!("{origin}{path}?{query}"),
        }
    }

    /// Whether the host is `domain` or lies under it.
    pub(super) fn is_under(&self, domain: &str) -> bool {
        let above = self.host.strip_suffix(domain);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }

    /// The path's parts as texts.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }
}

fn plain(text: &str) -> Result<(), Refusal> {
    if text.len() > URL_BYTES_MAX {
        let what = format!(
            "has {} bytes, more than the {URL_BYTES_MAX} allowed",
            text.len()
        );
        return Err(Refusal::at("url", what));
    }
    let told = |what: &str| Err(Refusal::at("url", what));
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return told("has a space or a control character: percent-encode it");
    }
    if text.contains('\\') {
        return told("has a backslash, which some readers take for a slash");
    }
    if text.contains('#') {
        return told("has a fragment, which is never sent: leave it out");
    }
    Ok(())
}

fn scheme(text: &str) -> Result<(&'static str, &str), Refusal> {
    let known = ["https", "http"].into_iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        let rest = rest.strip_prefix("://")?;
        start.eq_ignore_ascii_case(scheme).then_some((scheme, rest))
    });
    known.ok_or_else(|| Refusal::at("url", "does not start with `https://` or `http://`"))
}

const fn default_port(scheme: &str) -> u16 {
    // Only two schemes get here, of two lengths.
    if scheme.len() == 5 { 443 } else { 80 }
}

fn authority_of(authority: &str) -> Result<(String, Option<u16>), Refusal> {
    if authority.contains('@') {
        let what = "has user information before its host: send credentials in headers";
        return Err(Refusal::at("url", what));
    }
    let after = authority.rfind(']').map_or(0, |close| close + 1);
    let colon = authority.get(after..).and_then(|rest| rest.find(':'));
    let (host, port) = match colon.map(|colon| authority.split_at(after + colon)) {
        Some((host, port)) => (host, Some(port.trim_start_matches(':'))),
        None => (authority, None),
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) => Some(port_of(digits)?),
    };
    Ok((host_of(host)?, port))
}

fn port_of(digits: &str) -> Result<u16, Refusal> {
    let number = digits.bytes().all(|b| b.is_ascii_digit());
    let port = digits
        .parse::<u16>()
        .ok()
        .filter(|port| number && *port > 0);
    port.ok_or_else(|| Refusal::at("url", "has a port that is no number from 1 to 65535"))
}

/// The host as one text: names through IDNA, every way to write an IPv4 address as four decimals,
/// IPv6 compressed, and an IPv4 address inside IPv6 as what it reaches.
fn host_of(text: &str) -> Result<String, Refusal> {
    let bad = || Refusal::at("url", "has no host that can be read in one way only");
    if text.is_empty() || text.contains('%') {
        return Err(bad());
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.ends_with('.') {
        return Err(bad());
    }
    match Host::parse(text).map_err(|_| bad())? {
        Host::Ipv4(address) => Ok(address.to_string()),
        Host::Ipv6(address) => Ok(v6(address)),
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            let real = name.split('.').all(|label| !label.is_empty());
            let short = name.len() <= HOST_BYTES_MAX;
            (real && short).then(|| name.to_owned()).ok_or_else(bad)
        }
    }
}

fn v6(address: Ipv6Addr) -> String {
    let mapped: Option<Ipv4Addr> = address.to_ipv4_mapped();
    mapped.map_or_else(|| format!("[{address}]"), |inner| inner.to_string())
}

/// The path's segments without dots, and whether it ends in a slash.
fn segments(path: &str) -> Result<(Vec<String>, bool), Refusal> {
    let mut found: Vec<String> = Vec::new();
    let mut trailing = false;
    let written: Vec<&str> = path.split('/').skip(1).collect();
    for (place, raw) in written.iter().enumerate() {
        let last = place + 1 == written.len();
        if raw.is_empty() && !last {
            let what = "has an empty path segment (`//`), which some servers leave out";
            return Err(Refusal::at("url", what));
        }
        let segment = segment(raw)?;
        trailing = last && matches!(segment.as_str(), "" | "." | "..");
        match segment.as_str() {
            "" | "." => {}
            ".." => {
                found.pop();
            }
            _ => found.push(segment),
        }
    }
    if found.len() > SEGMENTS_MAX {
        let what = format!("has more than the {SEGMENTS_MAX} path segments allowed");
        return Err(Refusal::at("url", what));
    }
    Ok((found, trailing))
}

/// One segment, decoded once.
fn segment(raw: &str) -> Result<String, Refusal> {
    let told = |what: &str| Err(Refusal::at("url", what));
    if raw.contains([';', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return told(
            "has a character in its path that servers read differently: percent-encode it",
        );
    }
    let decoded = decode(raw, "url")?;
    if decoded.chars().any(char::is_control) || decoded.contains('\\') {
        return told("has an escaped control character or backslash in its path");
    }
    if is_escaped_again(&decoded) {
        return told("has an escape of an escape (`%25…`) in its path");
    }
    let hidden = |part: &str| matches!(part, "" | "." | "..");
    if decoded.contains('/') && decoded.split('/').any(hidden) {
        return told("has escaped slashes around dots or nothing in its path");
    }
    Ok(decoded)
}

/// Undoes one layer of percent-encoding.
pub(super) fn decode(raw: &str, place: &str) -> Result<String, Refusal> {
    let bytes = raw.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        *byte == b'%' && !(hex(at + 1) && hex(at + 2))
    });
    if broken {
        let what = "has a `%` that is not followed by two hexadecimal digits";
        return Err(Refusal::at(place, what));
    }
    let decoded = percent_encoding::percent_decode_str(raw).decode_utf8();
    let text = decoded.map_err(|_| Refusal::at(place, "has escapes that are not UTF-8"))?;
    match text.contains('\0') {
        true => Err(Refusal::at(place, "has an escaped null character")),
        false => Ok(text.into_owned()),
    }
}

fn is_escaped_again(decoded: &str) -> bool {
    let after = decoded.split('%').skip(1);
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    after
        .map(str::as_bytes)
        .any(|rest| hex(rest.first()) && hex(rest.get(1)))
}

/// A path segment as it is sent: `:` and `@` are used by services as they are, `;` never.
fn encoded(segment: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'!')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'*')
        .remove(b'+')
        .remove(b',')
        .remove(b'=')
        .remove(b':')
        .remove(b'@');
    percent_encoding::utf8_percent_encode(segment, KEPT).to_string()
}
