//! Sends one prepared request to the API, once, and waits for its answer.
//!
//! Nothing is sent twice, with two exceptions that repeat no effect: a request whose granted token
//! was turned away at the door (401) is sent with a fresh one, and a read follows up to three
//! redirects below the same base URL. Before the request goes out everything can be taken back;
//! afterwards only an answer tells.
//!
//! Must not know: operations, tools.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, StatusCode, Url};
use toolgate_execution::LossCause;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_gate::trust::{Authorization, Behalf};
use toolgate_model::{AddressReach, Timestamp};

use super::answer::{self, Asked, Heard, HeardBody};
use super::auth::{Chosen, Credentials};
use super::guard::{Base, Guard};
use super::request::Prepared;
use crate::http::{self, BodyError, words};
use crate::ports::Ports;
use crate::verdict;

/// LIMIT: redirects of one read.
const REDIRECTS_MAX: usize = 3;

/// The way to one API.
pub(crate) struct Sender {
    client: Client,
    base: Base,
    credentials: Credentials,
    ports: Ports,
}

/// A request with what decides how it is sent and what its answer means.
pub(crate) struct Sending {
    pub(crate) prepared: Prepared,
    pub(crate) chosen: Chosen,
    pub(crate) asked: Asked,
    pub(crate) behalf: Option<Behalf>,
}

impl Sender {
    /// Prepares the way; nothing is sent yet.
    ///
    /// # Errors
    /// What the system says where it gives no client.
    pub(crate) fn new(
        base: Base,
        reach: AddressReach,
        credentials: Credentials,
        ports: Ports,
    ) -> Result<Self, String> {
        let builder = http::client_builder(base.scheme())?
            .user_agent(concat!("toolgate/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guard(reach)));
        Ok(Self {
            client: builder.build().map_err(|error| words(&error))?,
            base,
            credentials,
            ports,
        })
    }

    pub(crate) const fn base(&self) -> &Base {
        &self.base
    }

    pub(crate) const fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(crate) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Sends it and waits until the deadline, or until the caller gives up. An answer that is
    /// already there wins over both.
    pub(crate) async fn send(
        &self,
        sending: Sending,
        (deadline, cancelled): (Timestamp, BoxFuture<'static, ()>),
    ) -> Answer {
        let departed = AtomicBool::new(false);
        let (cause, why) = tokio::select! {
            biased;
            answer = self.exchange(&sending, &departed) => return answer,
            () = cancelled => (LossCause::Cancelled, "the caller gave up"),
            () = self.ports.clock.sleep_until(deadline) => (LossCause::Timeout, "no answer in time"),
        };
        match departed.load(Ordering::Acquire) {
            true => verdict::lost(cause, why.to_owned()),
            false => verdict::unavailable(&format!("{why} while it waited to be sent")),
        }
    }

    async fn exchange(&self, sending: &Sending, departed: &AtomicBool) -> Answer {
        let token = match self.token(sending).await {
            Ok(token) => token,
            Err(why) => return verdict::unavailable(&why),
        };
        let query = sending.chosen.query(sending.prepared.query.as_deref());
        let url = self
            .base
            .at(&sending.prepared.path, query.as_deref().map(String::as_str));
        let url = match url {
            Ok(url) => url,
            Err(why) => return unsendable(&why),
        };
        departed.store(true, Ordering::Release);
        match self.knock(sending, url, token).await {
            Ok((response, token)) => {
                let heard = self.heard(response, sending.asked, token.as_ref()).await;
                answer::answer(heard, &sending.asked)
            }
            // Only a connection that was never made proves that nothing was sent.
            Err(error) if error.is_connect() || error.is_builder() => {
                verdict::unavailable(&words(&error))
            }
            Err(error) => verdict::lost(LossCause::Disconnected, words(&error)),
        }
    }

    async fn token(&self, sending: &Sending) -> Result<Option<Authorization>, String> {
        match sending.chosen.granted {
            true => self.credentials.granted(sending.behalf.as_ref()).await,
            false => Ok(None),
        }
    }

    /// Sends it, with a fresh token once more where a granted one was turned away, and follows
    /// where a read is led.
    async fn knock(
        &self,
        sending: &Sending,
        url: Url,
        token: Option<Authorization>,
    ) -> Result<(Response, Option<Authorization>), reqwest::Error> {
        let response = self.once(sending, url.clone(), token.as_ref()).await?;
        let Some(used) = token else {
            return Ok((self.led(sending, response, None).await?, None));
        };
        if response.status() != StatusCode::UNAUTHORIZED {
            let response = self.led(sending, response, Some(&used)).await?;
            return Ok((response, Some(used)));
        }
        // Whoever answers 401 did not look at what was sent.
        self.credentials.refused(&used);
        match self.token(sending).await {
            Ok(Some(fresh)) if fresh != used => {
                let response = self.once(sending, url, Some(&fresh)).await?;
                Ok((
                    self.led(sending, response, Some(&fresh)).await?,
                    Some(fresh),
                ))
            }
            _ => Ok((response, Some(used))),
        }
    }

    async fn once(
        &self,
        sending: &Sending,
        url: Url,
        token: Option<&Authorization>,
    ) -> Result<Response, reqwest::Error> {
        let prepared = &sending.prepared;
        let mut headers = prepared.headers.clone();
        for (name, value) in sending.chosen.headers() {
            headers.insert(name, value.clone());
        }
        let value = token.map(|token| HeaderValue::from_str(token.expose()));
        // What a header cannot carry is no credential; the API then says so.
        if let Some(Ok(mut value)) = value {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let request = self.client.request(prepared.method.clone(), url);
        let request = request.headers(headers);
        let request = match &prepared.body {
            Some(body) => request.body(body.clone()),
            None => request,
        };
        request.send().await
    }

    /// Follows where a read is led, as long as that lies below the base URL.
    async fn led(
        &self,
        sending: &Sending,
        mut response: Response,
        token: Option<&Authorization>,
    ) -> Result<Response, reqwest::Error> {
        let method = &sending.prepared.method;
        if !sending.asked.reads || !(method == Method::GET || method == Method::HEAD) {
            return Ok(response);
        }
        for _ in 0..REDIRECTS_MAX {
            match self.target(&response, &sending.chosen) {
                None => break,
                Some(target) => response = self.once(sending, target, token).await?,
            }
        }
        Ok(response)
    }

    /// Where an answer leads, if that is followed.
    fn target(&self, response: &Response, chosen: &Chosen) -> Option<Url> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let to = response.headers().get(LOCATION)?.to_str().ok()?;
        let mut url = response.url().join(to).ok()?;
        if !self.base.holds(&url) {
            return None;
        }
        if chosen.is_in_url() {
            let query = chosen.query(url.query());
            url.set_query(query.as_deref().map(String::as_str));
        }
        Some(url)
    }

    async fn heard(
        &self,
        response: Response,
        asked: Asked,
        token: Option<&Authorization>,
    ) -> Heard {
        let status = response.status().as_u16();
        let mut headers = response.headers().clone();
        let mut withheld = false;
        for value in headers.values_mut() {
            let mut bytes = value.as_bytes().to_vec();
            if self.credentials.scrub(&mut bytes, token) {
                withheld = true;
                *value = HeaderValue::from_bytes(&bytes)
                    .unwrap_or_else(|_| HeaderValue::from_static(""));
            }
        }
        let body = match http::body(response, asked.body_bytes_max).await {
            Ok(mut bytes) => {
                withheld |= self.credentials.scrub(&mut bytes, token);
                HeardBody::Whole(bytes)
            }
            Err(BodyError::TooLong) => HeardBody::TooLong,
            Err(BodyError::Broken(why)) => HeardBody::Broken(why),
        };
        Heard {
            status,
            headers,
            body,
            withheld,
        }
    }
}

/// A call whose request cannot be put together: nothing was sent, and nothing will be.
pub(crate) fn unsendable(why: &str) -> Answer {
    verdict::refused(
        toolgate_model::Code::ToolError,
        format!("nothing was sent: {why}"),
    )
}
