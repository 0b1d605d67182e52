//! Signed requests to a plugin, each sent once, and answers that are taken only if they are signed.
//!
//! ```text
//! POST /action/execute                          200
//! webhook-id: req_07…                           webhook-id: req_07…
//! webhook-timestamp: 1781622862                 webhook-timestamp: 1781622863
//! webhook-signature: v1,g0hM9SsE+OTPJT…         webhook-signature: v1,YqrTwjUPD8…
//! ```
//! Both are signed with the same secret under the same id, so an answer belongs to this request and
//! to no other, and is not older than a minute.
//!
//! Must not know: what is asked, what an answer means.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, Response, Url};
use serde_json::Value;
use toolgate_signature::{
    ID_HEADER, SIGNATURE_HEADER, Seal, SealError, SigningSecrets, TIMESTAMP_HEADER,
};

use crate::http;
use crate::ports::Ports;

/// What a plugin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Health,
    Discover,
    Authorize,
    Execute,
    Reflect,
}

impl Step {
    /// The last part of its path.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Discover => "discover",
            Self::Authorize => "authorize",
            Self::Execute => "execute",
            Self::Reflect => "reflect",
        }
    }
}

/// What it answered, signed.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer to go by.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing was sent.
    NotSent(String),
    /// It broke after something was sent.
    Broken(String),
    /// An answer that anybody could have made.
    Unsigned(String),
    /// An answer that is too long to be read.
    TooLong(String),
}

impl Trouble {
    /// It in words.
    pub(super) fn in_words(&self) -> &str {
        match self {
            Self::NotSent(why) | Self::Broken(why) | Self::Unsigned(why) | Self::TooLong(why) => {
                why
            }
        }
    }
}

/// The way to one plugin.
pub(super) struct Wire {
    client: Client,
    base: Url,
    secrets: SigningSecrets,
    ports: Ports,
    bytes_max: usize,
}

/// Bytes of chance in the name of a request.
// LIMIT: sixteen: no two requests ever share a name, so no answer fits two.
const NAME_BYTES: usize = 16;

impl Wire {
    /// Prepares the way; nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the configuration, in words that do not hold the secret.
    pub(super) fn new(
        (url, secret): (&str, &str),
        ports: &Ports,
        bytes_max: usize,
    ) -> Result<Self, String> {
        let base: Url = url
            .parse()
            .map_err(|error| format!("`{url}` is not a URL: {error}"))?;
        Ok(Self {
            client: http::client(&base)?,
            base,
            secrets: SigningSecrets::parse(secret).map_err(|error| error.to_string())?,
            ports: ports.clone(),
            bytes_max,
        })
    }

    /// Asks one thing, once.
    pub(super) async fn ask(
        &self,
        step: Step,
        asked: Option<&Value>,
        headers: &HeaderMap,
    ) -> Result<Said, Trouble> {
        let id = self.name()?;
        let body = asked.map(Value::to_string).unwrap_or_default();
        let timestamp = self.now();
        let signature = self.secrets.sign(&id, timestamp, body.as_bytes());
        let method = asked.map_or(Method::GET, |_| Method::POST);
        let sending = self
            .client
            .request(method, self.place(step)?)
            .headers(headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ID_HEADER, &id)
            .header(TIMESTAMP_HEADER, timestamp.to_string())
            .header(SIGNATURE_HEADER, signature)
            .body(body.clone());
        let response = sending.send().await.map_err(|error| unsent(&error))?;
        self.heard(response, (&id, body.as_bytes())).await
    }

    async fn heard(&self, response: Response, (id, asked): (&str, &[u8])) -> Result<Said, Trouble> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = http::body(response, self.bytes_max).await;
        let body = body.map_err(|error| match error {
            http::BodyError::TooLong => Trouble::TooLong(format!(
                "its answer is longer than the {} bytes allowed",
                self.bytes_max
            )),
            http::BodyError::Broken(why) => Trouble::Broken(why),
        })?;
        let unsigned = |why: String| Trouble::Unsigned(format!("HTTP {status}, and {why}"));
        self.check(&headers, (id, &body)).map_err(unsigned)?;
        // INVARIANT: under one id two messages are signed, this request and its answer; whoever
        // stands between can send the first back as the second, and nothing else.
        if !asked.is_empty() && asked == body {
            return Err(unsigned("what came back is the request".to_owned()));
        }
        Ok(Said { status, body })
    }

    /// Whether an answer is the plugin's to this request.
    fn check(&self, headers: &HeaderMap, (id, body): (&str, &[u8])) -> Result<(), String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(named), Some(timestamp), Some(signature)) = (
            text(ID_HEADER),
            text(TIMESTAMP_HEADER),
            text(SIGNATURE_HEADER),
        ) else {
            let why = "its answer is not signed; is the secret the same on both sides?";
            return Err(why.to_owned());
        };
        if named != id {
            return Err("its answer is to another request".to_owned());
        }
        let seal = Seal {
            id,
            timestamp,
            signature,
        };
        let checked = self.secrets.verify(seal, body, self.now());
        checked.map_err(|error| match error {
            SealError::Signature => {
                "its answer is signed with another secret than the one configured here".to_owned()
            }
            SealError::Time | SealError::Stale => error.to_string(),
        })
    }

    fn name(&self) -> Result<String, Trouble> {
        let mut chance = [0; NAME_BYTES];
        let filled = self.ports.entropy.fill(&mut chance);
        filled.map_err(|error| Trouble::NotSent(error.to_string()))?;
        let hex: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("req_{hex}"))
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        self.ports.clock.now().as_millis().div_euclid(1_000)
    }

    fn place(&self, step: Step) -> Result<Url, Trouble> {
        let mut url = self.base.clone();
        let bad = || Trouble::NotSent("its URL takes no path".to_owned());
        url.path_segments_mut()
            .map_err(|()| bad())?
            .pop_if_empty()
            .extend(["action", step.word()]);
        Ok(url)
    }
}

/// Only a connection that was never made proves that nothing was sent.
fn unsent(error: &reqwest::Error) -> Trouble {
    let why = http::words(error);
    if error.is_connect() || error.is_builder() {
        Trouble::NotSent(why)
    } else {
        Trouble::Broken(why)
    }
}
