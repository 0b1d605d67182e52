//! One attempt: a signed POST, its status, and nothing else of the answer.
//!
//! No redirect is followed, no proxy is asked, no body is read: an endpoint answers with a status
//! alone, within the time it has.
//!
//! Must not know: what is tried again, and when.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use toolgate_model::Timestamp;
use toolgate_signature::{ID_HEADER, SIGNATURE_HEADER, SigningSecrets, TIMESTAMP_HEADER};

use crate::address::{Address, Guard};
use crate::message::Message;

/// LIMIT: as the specification advises, fifteen to thirty seconds for a whole attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// LIMIT: a receiver that does not take a connection in this time is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// LIMIT: the first words of an error say what is wrong.
const ERROR_CHARS_MAX: usize = 300;

/// What was heard back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The HTTP status, where there was an answer.
    pub(crate) status: Option<u16>,
    /// What went wrong, for people; never the address, which may carry a secret.
    pub(crate) error: Option<String>,
}

/// The client of all endpoints.
///
/// # Errors
/// What the system says where it gives none.
pub(crate) fn client(secure: bool) -> Result<Client, String> {
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
        .dns_resolver(Guard)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ATTEMPT_TIMEOUT);
    // Plain endpoints need no certificates, and a machine without any has none to load.
    let builder = if secure {
        builder
    } else {
        builder.tls_certs_only([])
    };
    builder.build().map_err(|error| words(&error))
}

/// Sends one message once.
pub(crate) async fn send(
    client: &Client,
    (address, secrets): (&Address, &SigningSecrets),
    message: &Message,
    now: Timestamp,
) -> Heard {
    let timestamp = now.as_millis().div_euclid(1_000);
    let signature = secrets.sign(&message.id, timestamp, message.body.as_bytes());
    let sent = client
        .post(address.url().clone())
        .header(CONTENT_TYPE, "application/json")
        .header(ID_HEADER, &message.id)
        .header(TIMESTAMP_HEADER, timestamp.to_string())
        .header(SIGNATURE_HEADER, signature)
        .body(message.body.clone())
        .send()
        .await;
    match sent {
        Ok(response) => heard(response.status().as_u16()),
        Err(error) => Heard {
            status: None,
            error: Some(words(&error)),
        },
    }
}

fn heard(status: u16) -> Heard {
    let error = match status {
        200..=299 => None,
        300..=399 => Some(format!("HTTP {status}: redirects are not followed")),
        _ => Some(format!("HTTP {status}")),
    };
    Heard {
        status: Some(status),
        error,
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
