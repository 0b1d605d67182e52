//! Where an endpoint is, and where none can be.
//!
//! `https://hooks.acme.com/toolgate` is fine, `http://127.0.0.1:9000/` too. The operator names the
//! address, so private networks are allowed; what no endpoint ever lives on is not: link-local
//! addresses and the metadata services of clouds, which hand out credentials to whoever asks.
//! Names are checked again each time they are resolved, because whoever owns a name can point it
//! elsewhere later.
//!
//! Must not know: what is sent.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use toolgate_model::AddressReach;

/// The address of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is no address of an endpoint.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// It is no URL.
    #[error("it is no URL: {0}")]
    Form(String),
    /// It is neither https nor http.
    #[error("it begins with `{0}:`: write an https URL")]
    Scheme(String),
    /// It would travel in the open.
    #[error("plain http is only for this machine: write an https URL")]
    Plain,
    /// It carries a user, a password or a fragment.
    #[error("it carries a user, a password or a fragment: the signature says who sends")]
    Extra,
    /// Nothing of that address is an endpoint.
    #[error("`{0}` is an address that no endpoint is on")]
    Forbidden(IpAddr),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`] where it is none that anything may be sent to.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|error| AddressError::Form(error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(AddressError::Scheme(url.scheme().to_owned()));
        }
        let extra = !url.username().is_empty() || url.password().is_some();
        if extra || url.fragment().is_some() {
            return Err(AddressError::Extra);
        }
        let host = url.host_str().unwrap_or_default();
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if let Some(ip) = literal.filter(|ip| is_forbidden(*ip)) {
            return Err(AddressError::Forbidden(ip));
        }
        let here = host == "localhost" || literal.is_some_and(|ip| ip.is_loopback());
        if url.scheme() == "http" && !here {
            return Err(AddressError::Plain);
        }
        Ok(Self(url))
    }

    /// The address itself.
    pub(crate) const fn url(&self) -> &Url {
        &self.0
    }

    /// What may be shown of it: many receivers have their secret in the path.
    pub fn shown(&self) -> String {
        let origin = self.0.origin().ascii_serialization();
        if self.0.path() == "/" && self.0.query().is_none() {
            origin
        } else {
            format!("{origin}/…")
        }
    }
}

/// Resolves names, and leaves out what no endpoint is on.
pub(crate) struct Guard;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found
                .filter(|address| !is_forbidden(address.ip()))
                .collect();
            if allowed.is_empty() {
                let why = format!("`{}` leads to no address of an endpoint", name.as_str());
                return Err(why.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// INVARIANT: nothing is sent to these, whatever a URL or a name server says; checked when an
/// address is read and each time a name is resolved.
fn is_forbidden(ip: IpAddr) -> bool {
    !AddressReach::Private.admits(ip)
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError, is_forbidden};

    #[test]
    fn addresses_are_read_strictly() {
        for good in [
            "https://hooks.acme.com/toolgate?x=1",
            "https://10.1.2.3:8443/in",
            "http://127.0.0.1:9000/",
            "http://[::1]:9000/",
            "http://localhost:9000/in",
        ] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        let refused = |text: &str| Address::parse(text).unwrap_err();
        assert!(matches!(refused("hooks.acme.com"), AddressError::Form(_)));
        assert_eq!(refused("ftp://a/"), AddressError::Scheme("ftp".to_owned()));
        for plain in [
            "http://hooks.acme.com/",
            "http://10.1.2.3/",
            "http://localhost.acme.com/",
        ] {
            assert_eq!(refused(plain), AddressError::Plain, "{plain}");
        }
        for extra in ["https://u@a.com/", "https://:p@a.com/", "https://a.com/#x"] {
            assert_eq!(refused(extra), AddressError::Extra, "{extra}");
        }
        for forbidden in [
            "http://169.254.169.254/latest",
            "https://169.254.169.254/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://[::ffff:169.254.169.254]/",
            "https://[fe80::1]/",
            "https://0.0.0.0/",
            "https://100.100.100.200/",
            "https://[fd00:ec2::254]/",
            "https://224.0.0.1/",
        ] {
            let error = refused(forbidden);
            assert!(
                matches!(error, AddressError::Forbidden(_)),
                "{forbidden}: {error}"
            );
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_resolved() {
        assert!(is_forbidden("169.254.169.254".parse().unwrap()));
        assert!(!is_forbidden("192.168.1.9".parse().unwrap()));
    }

    #[test]
    fn the_path_of_an_address_is_nobodys_business() {
        let shown = |text: &str| Address::parse(text).unwrap().shown();
        assert_eq!(
            shown("https://hooks.acme.com/services/T0/B0/secret"),
            "https://hooks.acme.com/…"
        );
        assert_eq!(shown("https://a.com?k=1"), "https://a.com/…");
        assert_eq!(shown("http://127.0.0.1:9000"), "http://127.0.0.1:9000");
    }
}
