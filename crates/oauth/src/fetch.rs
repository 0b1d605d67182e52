//! The one way out: small JSON documents from the places that the operator named.
//!
//! `https` only, and plain `http` only on this machine. No redirect is followed, whoever it leads
//! to; no proxy is asked; an answer has a size and a time. Names that lead into private networks
//! are refused unless the operator allows them, and metadata services always are: a document of an
//! issuer names further addresses, and must not point the gate at its own neighbours.
//!
//! Must not know: what the documents mean.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response};
use serde_json::Value;
use toolgate_model::AddressReach as Reach;
use toolgate_model::json::{self, Limits, Numbers};
use url::Url;

/// LIMIT: an issuer that does not take a connection in this time is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// LIMIT: ten seconds for a whole document; somebody waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// LIMIT: a set of sixty keys has less than 100 KiB.
const DOCUMENT: Limits = Limits {
    bytes_max: 256 << 10,
    depth_max: 16,
    string_bytes_max: 64 << 10,
};
/// LIMIT: the first words of an error say what is wrong.
const ERROR_CHARS_MAX: usize = 300;

/// Gets documents.
#[derive(Clone)]
pub struct Fetcher {
    client: Client,
    reach: Reach,
}

/// A form that is posted, with the client's own authentication where that is a header.
pub(crate) struct Form<'f> {
    pub(crate) fields: &'f [(&'f str, &'f str)],
    pub(crate) basic: Option<&'f str>,
}

impl Fetcher {
    /// A client that goes this far, to begin with to these places.
    ///
    /// # Errors
    /// What the system says where it gives none.
    pub fn new(reach: Reach, places: &[&str]) -> Result<Self, String> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let why = "no TLS provider is installed; the binary installs one at its start";
            return Err(why.to_owned());
        }
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("toolgate/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Guard(reach))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        // Plain places need no certificates, and a machine without any has none to load.
        let builder = if places.iter().all(|place| place.starts_with("http:")) {
            builder.tls_certs_only([])
        } else {
            builder
        };
        let client = builder.build().map_err(|error| words(&error))?;
        Ok(Self { client, reach })
    }

    /// Gets a JSON object.
    pub(crate) async fn get(&self, url: &str) -> Result<Value, String> {
        let place = check_url(url, self.reach)?;
        let sent = self.client.get(place).header(ACCEPT, "application/json");
        let about = |why: String| format!("`{url}`: {why}");
        let response = sent.send().await.map_err(|error| about(words(&error)))?;
        match response.status().as_u16() {
            200 => object(response).await.map_err(about),
            status @ 300..=399 => Err(about(format!("HTTP {status}: redirects are not followed"))),
            status => Err(about(format!("HTTP {status}"))),
        }
    }

    /// Posts a form; yields the status and the object that came back.
    pub(crate) async fn post(&self, url: &str, form: Form<'_>) -> Result<(u16, Value), String> {
        let place = check_url(url, self.reach)?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.fields)
            .finish();
        let mut sending = self
            .client
            .post(place)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        if let Some(basic) = form.basic {
            let mut value = HeaderValue::from_str(basic)
                .map_err(|_| "the client's name cannot be sent in a header".to_owned())?;
            value.set_sensitive(true);
            sending = sending.header(AUTHORIZATION, value);
        }
        let about = |why: String| format!("`{url}`: {why}");
        let response = sending.send().await.map_err(|error| about(words(&error)))?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            return Err(about(format!("HTTP {status}: redirects are not followed")));
        }
        let document = object(response)
            .await
            .map_err(|why| about(format!("HTTP {status}: {why}")))?;
        Ok((status, document))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetcher").field(&self.reach).finish()
    }
}

/// Reads an address that something may be asked of.
///
/// # Errors
/// One sentence why nothing is.
pub fn check_url(text: &str, reach: Reach) -> Result<Url, String> {
    let refused = |why: &str| format!("`{text}` {why}");
    let url = Url::parse(text).map_err(|error| refused(&format!("is no URL: {error}")))?;
    let extra = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
    if extra {
        return Err(refused("carries a user, a password or a fragment"));
    }
    let host = url.host_str().unwrap_or_default();
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    if literal.is_some_and(|ip| !reach.admits(ip)) {
        return Err(refused("is an address that is not asked"));
    }
    let here = host == "localhost" || literal.is_some_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if here && reach == Reach::Private => Ok(url),
        _ => Err(refused("is not https")),
    }
}

/// Resolves names, and leaves out what is not asked: whoever owns a name can point it elsewhere
/// after its address was read.
struct Guard(Reach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| reach.admits(address.ip())).collect();
            if allowed.is_empty() {
                let why = format!("`{}` leads to no address that is asked", name.as_str());
                return Err(why.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

async fn object(mut response: Response) -> Result<Value, String> {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| words(&error))? {
        if text.len() + chunk.len() > DOCUMENT.bytes_max {
            let max = DOCUMENT.bytes_max;
            return Err(format!("its answer has more than the {max} bytes allowed"));
        }
        text.extend_from_slice(&chunk);
    }
    let value = json::parse(&text, DOCUMENT, Numbers::Relay)
        .map_err(|error| format!("its answer is not acceptable: {error}"))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err("its answer is no object".to_owned()),
    }
}

/// An error with its causes, without the URL.
fn words(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut parts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    parts.dedup();
    if parts.is_empty() {
        parts.push("the request failed".to_owned());
    }
    parts.join(": ").chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::{Reach, check_url};

    #[test]
    fn only_places_that_the_operator_may_mean_are_asked() {
        for (url, public, private) in [
            ("https://login.acme.com/", true, true),
            ("https://93.184.216.34/", true, true),
            ("http://login.acme.com/", false, false),
            ("http://127.0.0.1:1/", false, true),
            ("http://localhost:1/", false, true),
            ("https://127.0.0.1:1/", false, true),
            ("https://10.0.0.1/", false, true),
            ("http://10.0.0.1/", false, false),
            ("https://169.254.169.254/", false, false),
            ("https://[::ffff:169.254.169.254]/", false, false),
            ("https://0/", false, false),
            ("https://u:p@login.acme.com/", false, false),
            ("https://login.acme.com/#x", false, false),
            ("file:///etc/passwd", false, false),
            ("login.acme.com", false, false),
        ] {
            assert_eq!(check_url(url, Reach::Public).is_ok(), public, "{url}");
            assert_eq!(check_url(url, Reach::Private).is_ok(), private, "{url}");
        }
    }
}
