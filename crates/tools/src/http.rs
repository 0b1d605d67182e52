//! A server of MCP over streamable HTTP: each request is a POST, answered by JSON or by a stream
//! of events.
//!
//! Nothing here is ever sent twice: no redirect is followed, no request is retried (but one that was
//! turned away at the door, 401, with a fresh credential), and no idle connection is trusted for long. A stream that breaks may be listened to again ([`stream`]). A connection that cannot be made ends the link, and so does a
//! legacy session that the server has forgotten; its owner then opens another.
//!
//! Must not know: tools, or when to connect again.

mod knock;
mod stream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::FutureExt as _;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use reqwest::{Client, Method, Response, StatusCode, Url};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::BoxFuture;
use toolgate_gate::trust::{Authorization, Behalf, Grants};
use toolgate_model::{Duration, json::Raw};

use crate::config::Secret;
use crate::era::Era;
use crate::exchange::{Exchange, Link, Request};
use crate::follow::News;
use crate::message::{self, RpcError, excerpt};
use crate::ports::Ports;
use crate::switchboard::Switchboard;
use stream::Stream;

/// How long it may take to connect.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// LIMIT: Node's servers close idle connections after 5 s. A request on a connection that closes
/// at that moment would be an unknown effect, so idle ones are given up well before.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// How long the server may take for what nobody waits for: notifications, answers, goodbyes.
const ASIDE_WAIT: Duration = Duration::from_secs(5);
/// LIMIT: answers to requests of the server's own that are under way at once.
const ASIDES_MAX: usize = 8;
/// LIMIT: a refusal is a sentence.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// LIMIT: progress and notifications beside one answer, in multiples of the longest message.
const STREAM_MESSAGES_MAX: usize = 4;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Where the server is.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) bearer: Option<Secret>,
    pub(crate) headers: BTreeMap<String, Secret>,
    pub(crate) message_bytes_max: usize,
    /// Who grants the gate's credential there, where it is none of those.
    pub(crate) grants: Option<Arc<dyn Grants>>,
    /// The person whose conversation it is.
    pub(crate) behalf: Option<Behalf>,
}

/// The connection to one server.
pub(crate) struct HttpLink(Arc<Shared>);

struct Shared {
    source: String,
    ports: Ports,
    client: Client,
    url: Url,
    headers: HeaderMap,
    grants: Option<Arc<dyn Grants>>,
    behalf: Option<Behalf>,
    board: Switchboard,
    era: Mutex<Option<Era>>,
    session: Mutex<Option<HeaderValue>>,
    asides: Semaphore,
    message_bytes_max: usize,
    ended: CancellationToken,
    reason: OnceLock<String>,
}

impl HttpLink {
    /// Prepares the connection; nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the configuration, in words.
    pub(crate) fn new(
        source: &str,
        endpoint: &Endpoint,
        ports: &Ports,
        news: Arc<News>,
    ) -> Result<Self, String> {
        let url: Url = endpoint
            .url
            .parse()
            .map_err(|error| format!("`{}` is not a URL: {error}", endpoint.url))?;
        Ok(Self(Arc::new(Shared {
            source: source.to_owned(),
            ports: ports.clone(),
            client: client(&url)?,
            headers: headers(endpoint)?,
            grants: endpoint.grants.clone(),
            behalf: endpoint.behalf.clone(),
            url,
            board: Switchboard::new(source, news),
            era: Mutex::default(),
            session: Mutex::default(),
            asides: Semaphore::new(ASIDES_MAX),
            message_bytes_max: endpoint.message_bytes_max,
            ended: CancellationToken::new(),
            reason: OnceLock::new(),
        })))
    }
}

pub(crate) fn client(url: &Url) -> Result<Client, String> {
    let builder = client_builder(url.scheme())?;
    builder.build().map_err(|error| words(&error))
}

/// A client that sends once and to nobody else: no redirects, no retries, no proxy. A plain place
/// needs no certificates, and a machine without any has none to load.
///
/// # Errors
/// Where the binary has installed no TLS provider.
pub(crate) fn client_builder(scheme: &str) -> Result<reqwest::ClientBuilder, String> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(
            "no TLS provider is installed; the binary installs one at its start".to_owned(),
        );
    }
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_WAIT.to_std())
        .pool_idle_timeout(IDLE_MAX.to_std());
    Ok(match scheme {
        "http" => builder.tls_certs_only([]),
        _ => builder,
    })
}

fn headers(endpoint: &Endpoint) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &endpoint.headers {
        let known: HeaderName = name
            .parse()
            .map_err(|_| format!("`{name}` is not the name of a header"))?;
        headers.insert(known, secret(name, value.expose())?);
    }
    if let Some(bearer) = &endpoint.bearer {
        let value = format!("Bearer {}", bearer.expose());
        headers.insert(AUTHORIZATION, secret("auth.bearer", &value)?);
    }
    Ok(headers)
}

/// A value that no log shows.
///
/// # Errors
/// Where no header can carry it.
pub(crate) fn secret(name: &str, text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| format!("the value of `{name}` has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Link for HttpLink {
    fn request(&self, request: Request) -> BoxFuture<'_, Exchange> {
        let bytes_max = self.0.message_bytes_max.saturating_mul(STREAM_MESSAGES_MAX);
        Box::pin(Arc::clone(&self.0).exchange(request, bytes_max))
    }

    fn notify(&self, method: &'static str, params: Raw) -> BoxFuture<'_, ()> {
        let text = message::notification(method, &params);
        Box::pin(Arc::clone(&self.0).aside(Method::POST, text))
    }

    fn respond(&self, text: String) {
        let shared = Arc::clone(&self.0);
        let work = async move {
            // A client's answer waits for its turn: without it the server would wait for ever.
            if let Ok(_turn) = shared.asides.acquire().await {
                Arc::clone(&shared).aside(Method::POST, text).await;
            }
        };
        self.0.ports.tasks.spawn("mcp http answer", Box::pin(work));
    }

    fn agree(&self, era: Era) {
        *self.0.era.lock().unwrap_or_else(PoisonError::into_inner) = Some(era);
    }

    fn cancel(&self, id: u64, reason: &'static str) {
        // In the modern era the end of its stream is what cancels a request.
        if let Some(Era::Legacy(_)) = self.0.era() {
            let params = serde_json::json!({"requestId": id, "reason": reason});
            let text = message::notification("notifications/cancelled", &message::raw(&params));
            self.0.aside_later(text);
        }
    }

    fn listen(&self, request: Request) -> BoxFuture<'_, Exchange> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            match shared.era() {
                Some(Era::Legacy(_)) => shared.listen_legacy().await,
                Some(Era::Modern) | None => shared.exchange(request, usize::MAX).await,
            }
        })
    }

    fn ended(&self) -> BoxFuture<'_, String> {
        Box::pin(async move {
            self.0.ended.cancelled().await;
            self.0.reason.get().cloned().unwrap_or_default()
        })
    }

    fn is_ended(&self) -> bool {
        self.0.ended.is_cancelled()
    }

    fn observations(&self) -> String {
        self.0.board.litter_in_words()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            shared.end("the gate closed the connection");
            if shared.session().is_some() {
                shared.aside(Method::DELETE, String::new()).await;
            }
        })
    }
}

impl Shared {
    fn era(&self) -> Option<Era> {
        *self.era.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> Option<HeaderValue> {
        self.session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn end(&self, reason: &str) {
        let _ = self.reason.set(reason.to_owned());
        self.ended.cancel();
    }

    async fn exchange(self: Arc<Self>, request: Request, bytes_max: usize) -> Exchange {
        let authorization = match self.authorization().await {
            Ok(authorization) => authorization,
            Err(why) => return Exchange::NotSent(why),
        };
        let mut seat = self.board.seat(&request);
        if let Some(reason) = self.reason.get() {
            return Exchange::NotSent(reason.clone());
        }
        // From here on it may go out at any moment, and nobody can tell when.
        if !request.ticket.depart() {
            return Exchange::NotSent("it was taken back".to_owned());
        }
        tokio::select! {
            biased;
            reply = &mut seat.reply => {
                reply.unwrap_or_else(|_| Exchange::Broken("the connection was given up".to_owned()))
            }
            outcome = self.post(&request, authorization, bytes_max) => {
                (&mut seat.reply).now_or_never().and_then(Result::ok).unwrap_or(outcome)
            }
        }
    }

    /// Sends the request and feeds what comes back to the board. What is returned counts only
    /// where the board has no answer.
    async fn post(
        self: &Arc<Self>,
        request: &Request,
        authorization: Option<Authorization>,
        bytes_max: usize,
    ) -> Exchange {
        let text = message::request(request.id, request.method, &request.params);
        let prepare = |authorization: Option<&Authorization>| {
            let mut sending = self.prepare(Method::POST, authorization).body(text.clone());
            for (name, value) in &request.headers {
                sending = sending.header(name, value);
            }
            sending
        };
        let response = match self.knock_with(prepare, authorization).await {
            Ok(response) => response,
            Err(error) => return self.unsent(&error),
        };
        if request.method == "initialize" {
            let session = response.headers().get(SESSION).cloned();
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
        }
        match response.status() {
            StatusCode::OK => {
                let stream = (Some(request.id), bytes_max);
                self.receive(response, stream).await
            }
            _ => self.refused(response).await,
        }
    }

    fn prepare(
        &self,
        method: Method,
        authorization: Option<&Authorization>,
    ) -> reqwest::RequestBuilder {
        let mut headers = self.headers.clone();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // What a header cannot carry is no credential; the server then says so.
        let granted = authorization.map(|it| secret("authorization", it.expose()));
        if let Some(Ok(value)) = granted {
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(session) = self.session() {
            headers.insert(SESSION, session);
        }
        if let Some(Era::Legacy(version)) = self.era() {
            headers.insert(VERSION, HeaderValue::from_static(version));
        }
        self.client
            .request(method, self.url.clone())
            .headers(headers)
    }

    /// Only a connection that was never made proves that nothing was sent.
    fn unsent(&self, error: &reqwest::Error) -> Exchange {
        let why = words(error);
        if error.is_connect() || error.is_builder() {
            self.end(&why);
            return Exchange::NotSent(why);
        }
        Exchange::Broken(why)
    }

    async fn receive(self: &Arc<Self>, response: Response, stream: Stream) -> Exchange {
        match content_type(&response).as_str() {
            "application/json" => self.receive_json(response, stream.0).await,
            "text/event-stream" => self.receive_events(response, stream).await,
            other => Exchange::Malformed(format!("its content type is `{}`", excerpt(other, 60))),
        }
    }

    async fn receive_json(self: &Arc<Self>, response: Response, of: Option<u64>) -> Exchange {
        match body(response, self.message_bytes_max).await {
            Ok(text) => {
                self.feed(&text, of);
                let shown = excerpt(&String::from_utf8_lossy(&text), 80);
                Exchange::Malformed(format!("`{shown}` is no answer to the request"))
            }
            Err(BodyError::TooLong) => Exchange::Malformed(format!(
                "its answer is longer than the {} bytes allowed",
                self.message_bytes_max
            )),
            Err(BodyError::Broken(why)) => Exchange::Broken(why),
        }
    }

    fn feed(self: &Arc<Self>, text: &[u8], of: Option<u64>) {
        match self.board.feed(text, of) {
            Ok(answers) if self.session().is_some() || self.era() != Some(Era::Modern) => {
                answers
                    .into_iter()
                    .for_each(|answer| self.aside_later(answer));
            }
            // The modern era knows no requests of the server's own.
            Ok(_) => {}
            Err(_) => self.end(&self.board.litter_in_words()),
        }
    }

    async fn refused(&self, response: Response) -> Exchange {
        let status = response.status().as_u16();
        let target = response
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        let target = target.map(|to| {
            let to = excerpt(to, 120);
            format!("it redirects to `{to}`, which is not followed; use that as the URL")
        });
        let text = body(response, ERROR_BYTES_MAX).await.unwrap_or_default();
        let error = message::read_error(&text);
        let unknown = error.as_ref().map(|error| error.code) == Some(RpcError::METHOD_NOT_FOUND);
        if status == 404 && self.session().is_some() && !unknown {
            let why = "its session has expired";
            self.end(why);
            // The server knew the session no more, so it did not process the request.
            return Exchange::NotSent(why.to_owned());
        }
        match error {
            Some(error) => Exchange::Error { error, status },
            None => Exchange::Status {
                status,
                body: target.unwrap_or_else(|| String::from_utf8_lossy(&text).into_owned()),
            },
        }
    }

    /// Sends something that has no answer.
    async fn aside(self: Arc<Self>, method: Method, text: String) {
        let sending = self.knock(|it| self.prepare(method.clone(), it).body(text.clone()));
        match self.ports.within(ASIDE_WAIT, sending).await {
            Some(Ok(_)) => {}
            Some(Err(unasked)) => {
                let why = unasked.in_words();
                tracing::debug!(source = self.source, why, "not told");
            }
            None => tracing::debug!(source = self.source, "not told in time"),
        }
    }

    /// The same, without anybody waiting. Beyond the limit it is left out.
    fn aside_later(self: &Arc<Self>, text: String) {
        let shared = Arc::clone(self);
        let work = async move {
            if let Ok(_turn) = shared.asides.try_acquire() {
                Arc::clone(&shared).aside(Method::POST, text).await;
            }
        };
        self.ports.tasks.spawn("mcp http aside", Box::pin(work));
    }
}

fn content_type(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE);
    let text = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

#[derive(Debug)]
pub(crate) enum BodyError {
    TooLong,
    Broken(String),
}

pub(crate) async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    let mut text = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if text.len() + chunk.len() > bytes_max => {
                return Err(BodyError::TooLong);
            }
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => return Ok(text),
            Err(error) => return Err(BodyError::Broken(words(&error))),
        }
    }
}

/// An error with its causes, without the URL, which may carry what is nobody's business.
pub(crate) fn words(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut parts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    if parts.is_empty() {
        parts.push(
            if error.is_timeout() {
                "timeout"
            } else {
                "the request failed"
            }
            .to_owned(),
        );
    }
    parts.dedup();
    excerpt(&parts.join(": "), 300)
}
