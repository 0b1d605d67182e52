//! Where an API is, and that nothing else is ever spoken to.
//!
//! `base_url = "https://api.acme.com/v1"` means that scheme, that host, that port, and paths below
//! `/v1`. Whatever a description, an argument or a redirect says, a request to any other place is
//! not made. A host that is named by name is looked up for each connection, and addresses of this
//! machine and of private networks are left out unless the operator allows them; those of metadata
//! services always are. What was looked up is what is connected to.
//!
//! Must not know: what is sent.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use toolgate_model::AddressReach;

use crate::config::url_problem;

/// LIMIT: servers refuse longer request lines than 8 KiB, as a rule; none takes longer ones.
pub(crate) const URL_BYTES_MAX: usize = 16 << 10;

/// The one place that requests of a source go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    url: Url,
    prefix: String,
}

impl Base {
    /// Reads where an API is.
    ///
    /// # Errors
    /// Why nothing can be there, and what to write.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(problem) = url_problem(text) {
            return Err(problem);
        }
        let url: Url = text
            .parse()
            .map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("`{text}` has a query or a fragment; leave it out"));
        }
        // A literal address is the operator's own word; a metadata service is nobody's API.
        if literal(&url).is_some_and(|ip| !AddressReach::Private.admits(ip)) {
            return Err(format!("`{text}` is an address that no API is on"));
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { url, prefix })
    }

    /// The URL of this path below it. Both are escaped already.
    ///
    /// # Errors
    /// Where that would lead anywhere else, or is too long.
    pub(crate) fn at(&self, path: &str, query: Option<&str>) -> Result<Url, String> {
        let whole = format!("{}{path}", self.prefix);
        let mut text = format!("{}{whole}", self.url.origin().ascii_serialization());
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        if text.len() > URL_BYTES_MAX {
            return Err(format!("its URL is longer than {URL_BYTES_MAX} bytes"));
        }
        let url: Url = text
            .parse()
            .map_err(|error| format!("its path `{path}` cannot be written as a URL: {error}"))?;
        // INVARIANT: what was put together is what is asked for: no part of it was read as
        // something else on the way, such as `..`.
        match url.path() == whole && url.query() == query && self.holds(&url) {
            true => Ok(url),
            false => Err(format!("its path `{path}` would be read as another one")),
        }
    }

    /// Whether a URL lies below it.
    pub(crate) fn holds(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(&self.prefix);
        url.origin() == self.url.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path below it of a URL that it holds.
    pub(crate) fn path_of<'u>(&self, url: &'u Url) -> Option<&'u str> {
        url.path()
            .strip_prefix(&self.prefix)
            .filter(|_| self.holds(url))
    }

    /// Whether a server that a description names is on the same host; none where that cannot be
    /// told, because it is named in part only.
    pub(crate) fn hosts(&self, server: &str) -> Option<bool> {
        let server: Url = server.parse().ok()?;
        Some(server.origin() == self.url.origin())
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The place in words, for people.
    pub(crate) fn shown(&self) -> String {
        format!("{}{}", self.url.origin().ascii_serialization(), self.prefix)
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Resolves names, and leaves out addresses that are not spoken to.
pub(crate) struct Guard(pub(crate) AddressReach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let all: Vec<SocketAddr> = found.collect();
            let admitted = all.iter().filter(|address| reach.admits(address.ip()));
            let admitted: Vec<SocketAddr> = admitted.copied().collect();
            match (admitted.is_empty(), all.is_empty()) {
                (false, _) => Ok(Box::new(admitted.into_iter()) as Addrs),
                (true, true) => Err(format!("`{}` has no address", name.as_str()).into()),
                (true, false) => Err(refusal(name.as_str()).into()),
            }
        })
    }
}

fn refusal(name: &str) -> String {
    format!(
        "`{name}` leads to this machine or a private network, and `private_addresses` does not \
         allow that"
    )
}

#[cfg(test)]
mod tests {
    use super::{Base, URL_BYTES_MAX};

    #[test]
    fn only_a_place_can_be_one() {
        for text in [
            "https://api.acme.com",
            "https://api.acme.com/v1/",
            "http://127.0.0.1:8420",
            "http://[::1]:8420/x",
            "http://10.1.2.3",
        ] {
            assert!(Base::parse(text).is_ok(), "{text}");
        }
        for text in [
            "api.acme.com",
            "ftp://api.acme.com",
            "https://u:p@api.acme.com",
            "https://api.acme.com?x=1",
            "https://api.acme.com/#x",
            "http://169.254.169.254/latest",
            "http://[::ffff:169.254.169.254]/",
            "http://2852039166/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://0.0.0.0:8420",
        ] {
            assert!(Base::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_stays_below_it() {
        let base = Base::parse("https://api.acme.com/v1/").unwrap();
        let url = base.at("/customers/a%2Fb", Some("x=1")).unwrap();
        assert_eq!(url.as_str(), "https://api.acme.com/v1/customers/a%2Fb?x=1");
        for path in [
            "/../admin",
            "/a/../../admin",
            "/%2e%2e/admin",
            "/a/%2E%2e",
            "/a/.",
            "//evil.example/../../x",
            "/a?x=1",
            "/a#x",
            "/a b",
            "@evil.example/",
            ".evil.example/",
            "/a\\..\\..\\b",
            "/a\n/b",
        ] {
            let found = base.at(path, None);
            assert!(found.is_err(), "{path}: {found:?}");
        }
        assert!(
            base.at(&format!("/{}", "x".repeat(URL_BYTES_MAX)), None)
                .is_err()
        );
        assert!(base.at("/a", Some("x=1#y")).is_err());
        let root = Base::parse("https://api.acme.com").unwrap();
        assert_eq!(
            root.at("/", None).unwrap().as_str(),
            "https://api.acme.com/"
        );
        // With no path of its own, what follows must not become part of the host.
        for path in ["@evil.example/", ".evil.example/", ":8080/"] {
            assert!(root.at(path, None).is_err(), "{path}");
        }
    }

    #[test]
    fn a_redirect_is_held_against_it() {
        let base = Base::parse("https://api.acme.com/v1").unwrap();
        let holds = |text: &str| base.holds(&text.parse().unwrap());
        assert!(holds("https://api.acme.com/v1") && holds("https://api.acme.com:443/v1/x?y"));
        for text in [
            "http://api.acme.com/v1/x",
            "https://api.acme.com:8443/v1/x",
            "https://api.acme.com/v10/x",
            "https://api.acme.com/v1/../admin",
            "https://api.acme.com/",
            "https://evil.example/v1/x",
            "https://u@api.acme.com/v1/x",
            "https://api.acme.com.evil.example/v1/x",
        ] {
            assert!(!holds(text), "{text}");
        }
    }
}
