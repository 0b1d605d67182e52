//! URLs: `HTTPS://user@API.acme.com:443/v1#x` is `https://api.acme.com/v1`.
//!
//! Readers of URLs disagree about backslashes, several `@`, tabs and look-alike letters before the
//! path; a URL with any of that has no plain form. One whose path has dot segments or escapes still
//! has a host, but no plain form as a whole.
//!
//! Must not know: patterns.

use super::host::{split_port, written};
use super::path::has_plain_segments;

/// The parts of a URL, each in its plain form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// In lower case.
    pub(crate) scheme: String,
    pub(crate) host: String,
    /// Empty where it is the scheme's own.
    pub(crate) port: String,
    /// Path and query, as sent; the path of a bare host is `/`.
    pub(crate) rest: String,
}

/// The parts of a URL; none where readers disagree about what its host is.
pub(crate) fn url(text: &str) -> Option<Url> {
    let (scheme, rest) = text.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    let schemed =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(plain);
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if !schemed || tail.starts_with('\\') || authority.matches('@').count() > 1 {
        return None;
    }
    let (user, place) = authority.split_once('@').unwrap_or(("", authority));
    let (host, port) = split_port(place)?;
    let visible = user.chars().all(|c| c.is_ascii_graphic());
    let scheme = scheme.to_ascii_lowercase();
    let sent = tail.split_once('#').map_or(tail, |(sent, _)| sent);
    visible.then_some(())?;
    Some(Url {
        host: written(host)?,
        port: foreign_port(&scheme, port)?,
        rest: match sent.starts_with('/') {
            true => sent.to_owned(),
            false => format!("/{sent}"),
        },
        scheme,
    })
}

/// The port, empty where it is the scheme's own; none where it is no number.
fn foreign_port(scheme: &str, port: &str) -> Option<String> {
    if port.is_empty() {
        return Some(String::new());
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|_| digits)?;
    let own = matches!((scheme, port), ("http" | "ws", 80) | ("https" | "wss", 443));
    Some(if own { String::new() } else { port.to_string() })
}

impl Url {
    /// Host and port.
    pub(crate) fn place(&self) -> String {
        match self.port.as_str() {
            "" => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// Whether there is only one way to read what stands behind the host.
    pub(crate) fn has_plain_rest(&self) -> bool {
        let path = self
            .rest
            .split_once('?')
            .map_or(self.rest.as_str(), |(path, _)| path);
        let query = self.rest.get(path.len()..).unwrap_or_default();
        has_plain_segments(path) && !query.contains(|c: char| c.is_control() || c == ' ')
    }

    /// The whole in its plain form.
    pub(crate) fn plain(&self) -> Option<String> {
        let whole = || format!("{}://{}{}", self.scheme, self.place(), self.rest);
        self.has_plain_rest().then(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn a_url_has_one_plain_form_or_none() {
        let plain = |text: &str| url(text).and_then(|url| url.plain());
        for (text, expected) in [
            ("https://api.acme.com", "https://api.acme.com/"),
            (
                "HTTPS://u:p@API.acme.com:443/v1#x",
                "https://api.acme.com/v1",
            ),
            ("https://acme.com:0443/", "https://acme.com/"),
            (
                "http://acme.com:8080?q=a//b",
                "http://acme.com:8080/?q=a//b",
            ),
            (
                "https://acme.com/?next=https://evil.com/..",
                "https://acme.com/?next=https://evil.com/..",
            ),
        ] {
            assert_eq!(plain(text).as_deref(), Some(expected), "{text}");
        }
        for odd in [
            "acme.com/x",
            "https://acme.com\\@evil.com/",
            "https://a@b@c/",
            "https://acme.com/a/../b",
            "https://acme.com/%2e%2e/b",
            "https://acme.com//b",
            "https://acme.com:80x/",
            "https://2130706433/",
            "https:///x",
            " https://acme.com/",
            "https://acme.com/?a=b c",
        ] {
            assert_eq!(plain(odd), None, "{odd}");
        }
    }
}
