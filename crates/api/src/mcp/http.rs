//! Streamable HTTP on one endpoint, for both eras.
//!
//! ```text
//! POST  → entrance → message → modern: as it stands
//!                            → initialize: a new session
//!                            → else: within the session that `Mcp-Session-Id` names
//! GET   → the session's stream of changes, or the rest of a stream that broke
//! DELETE → the end of the session
//! ```
//!
//! A 400 always has a JSON-RPC error in it: clients tell the era of a server by it.
//!
//! Must not know: what methods do.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use toolgate_gate::known;
use toolgate_model::Identity;

use super::client::Client;
use super::entrance::admit;
use super::era::{BATCHING, Era, LEGACY, MODERN, check_modern, is_modern};
use super::face::{Asked, Face, Held};
use super::headers::{self, LAST_EVENT, SESSION, VERSION, single};
use super::limits::{BATCH_MESSAGES_MAX, BODY_READ_MAX};
use super::listen::{Follower, enter};
use super::message::{Incoming, Rejected, Request, RpcError, incoming, read, success};
use super::options::McpOptions;
use super::reply::{Accept, Manner, Taping, accepted, json, refusal, respond, taped};
use super::session::{Session, Sessions, session_id};
use super::work::{Departure, Running, channel};
use super::{list, message, param_headers};
use crate::Api;

/// The MCP endpoint of this gate, at `/mcp`. It takes the driver's hook for changes.
pub fn router(api: Api, options: McpOptions) -> Router {
    let endpoint = Endpoint {
        face: Face::new(api, options),
        sessions: Arc::default(),
    };
    let methods = post(take).get(stream).delete(end);
    Router::new().route("/mcp", methods).with_state(endpoint)
}

#[derive(Clone)]
struct Endpoint {
    face: Arc<Face>,
    sessions: Arc<Sessions>,
}

/// One POST whose sender is known.
struct Arrival {
    endpoint: Endpoint,
    identity: Identity,
    headers: HeaderMap,
    accept: Accept,
}

async fn take(State(endpoint): State<Endpoint>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let identity = match admit(&endpoint.face.api, &parts.headers).await {
        Ok(identity) => identity,
        Err(response) => return *response,
    };
    let read = match receive(&endpoint.face, &parts.headers, body).await {
        Ok(read) => read,
        Err(error) => return refusal(&error.for_nobody()),
    };
    let (accept, message) = read;
    let arrival = Arrival {
        endpoint,
        identity,
        headers: parts.headers,
        accept,
    };
    let answered = match message {
        Value::Array(messages) => arrival.batch(messages).await,
        message => arrival.single(message).await,
    };
    answered.unwrap_or_else(|rejected| refusal(&rejected))
}

/// Reads the body, and what the client takes for an answer.
async fn receive(
    face: &Face,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Accept, Value), RpcError> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(RpcError::refused(
            415,
            "a message is sent as `application/json`",
        ));
    }
    let accept = Accept::of(headers)?;
    let limits = &face.api.limits;
    let clock = face.api.driver.clock();
    let max = limits.body_bytes_max;
    let too_long = || {
        RpcError::refused(
            413,
            format!("the message has more than the {max} bytes allowed"),
        )
    };
    // Whoever says that they will send too much is answered before they do.
    if body.size_hint().lower() > max as u64 {
        return Err(too_long());
    }
    let bytes = Box::pin(Limited::new(body, max).collect());
    match select(bytes, clock.sleep_until(clock.now().plus(BODY_READ_MAX))).await {
        Either::Left((Ok(bytes), _)) => Ok((accept, read(&bytes.to_bytes(), limits)?)),
        Either::Left((Err(error), _)) if error.is::<LengthLimitError>() => Err(too_long()),
        Either::Left((Err(_), _)) => Err(RpcError::parse("the message broke off before its end")),
        Either::Right(_) => Err(RpcError::refused(
            408,
            format!("the message did not arrive within {BODY_READ_MAX}"),
        )),
    }
}

impl Arrival {
    async fn single(&self, message: Value) -> Result<Response, Rejected> {
        match incoming(message)? {
            Incoming::Request(request) => {
                let id = request.id.clone();
                self.request(request)
                    .await
                    .map_err(|error| error.answering(id))
            }
            Incoming::Notification { method, params } => self
                .notification(&method, &params)
                .map_err(RpcError::for_nobody),
            Incoming::Response(response) => self.response(&response).map_err(RpcError::for_nobody),
        }
    }

    async fn request(&self, request: Request) -> Result<Response, RpcError> {
        let version = single(&self.headers, VERSION)?;
        if is_modern(&request, version) {
            let running = self.modern(request)?;
            return Ok(respond(running, self.endpoint.manner(self.accept, None)).await);
        }
        if request.method == "initialize" {
            return self.initialize(&request);
        }
        let session = self.session()?;
        // Whoever takes one JSON text only can be asked nothing before the answer.
        let client = (self.accept != Accept::Json).then(|| session.client.clone());
        let running = self.legacy(request, session.clone(), client)?;
        let manner = self.endpoint.manner(self.accept, Some(session));
        Ok(respond(running, manner).await)
    }

    fn modern(&self, request: Request) -> Result<Running, RpcError> {
        check_modern(&request.params, |version| {
            headers::agree(&self.headers, &request, version)
        })?;
        self.check_mirrored(&request)?;
        if request.method == "subscriptions/listen" && self.accept == Accept::Json {
            let message = "changes are told on a stream: accept `text/event-stream`";
            return Err(RpcError::refused(406, message));
        }
        let cancelled = CancellationToken::new();
        let (asked, departure) = (
            self.asked(request, Era::Modern, (cancelled.clone(), Held::default()))?,
            Departure::Cancels,
        );
        let (outlet, running) = channel(&cancelled, departure);
        self.endpoint.face.start(asked, outlet);
        Ok(running)
    }

    fn legacy(
        &self,
        request: Request,
        session: Arc<Session>,
        client: Option<Arc<Client>>,
    ) -> Result<Running, RpcError> {
        let slot = session.requests.enter(&request.id)?;
        let cancelled = slot.cancelled.clone();
        let era = Era::Legacy(session.version);
        let held = Held {
            _slot: Some(slot),
            session: Some(session),
        };
        let mut asked = self.asked(request, era, (cancelled.clone(), held))?;
        asked.client = client;
        let (outlet, running) = channel(&cancelled, Departure::IsIgnored);
        self.endpoint.face.start(asked, outlet);
        Ok(running)
    }

    fn asked(
        &self,
        request: Request,
        era: Era,
        (cancelled, held): (CancellationToken, Held),
    ) -> Result<Asked, RpcError> {
        Ok(Asked {
            identity: self.identity.clone(),
            era,
            request,
            idempotency_key: headers::idempotency_key(&self.headers)?,
            client: None,
            cancelled,
            ends: self.endpoint.face.options.closing.clone(),
            held,
        })
    }

    /// Arguments that a tool mirrors into headers are compared, for tools that the caller may know.
    fn check_mirrored(&self, request: &Request) -> Result<(), RpcError> {
        let (face, params) = (&self.endpoint.face, &request.params);
        let name = params.get("name").and_then(Value::as_str);
        let Some(name) = name.filter(|_| request.method == "tools/call") else {
            return Ok(());
        };
        let (configuration, now) = (face.api.driver.configuration(), face.api.driver.now());
        let tool = list::named(&configuration, face.options.presence, name);
        let tool = tool.filter(|tool| known(&configuration, &self.identity, tool, now));
        let Some(tool) = tool else { return Ok(()) };
        let arguments = params.get("arguments").unwrap_or(&Value::Null);
        param_headers::agree(&self.headers, &tool.input_schema, arguments)
    }

    fn initialize(&self, request: &Request) -> Result<Response, RpcError> {
        let face = &self.endpoint.face;
        let (version, result) = face.initialize(&self.identity, &request.params)?;
        let random = face.api.driver.random().map_err(|unavailable| {
            tracing::error!(%unavailable, "no session can be opened");
            RpcError::refused(503, "the gate cannot open a session right now: try again")
        })?;
        let (opener, now) = (&self.identity, face.api.driver.now());
        let client = Client::of(&request.params);
        let session =
            self.endpoint
                .sessions
                .open(session_id(random), opener, (version, client), now);
        let mut response = json(200, success(&request.id, &result));
        if let Ok(id) = HeaderValue::from_str(&session.id) {
            response.headers_mut().insert(SESSION, id);
        }
        Ok(response)
    }

    fn notification(
        &self,
        method: &str,
        params: &serde_json::Map<String, Value>,
    ) -> Result<Response, RpcError> {
        let version = single(&self.headers, VERSION)?;
        if version == Some(MODERN) {
            // The modern era has no notifications from clients over HTTP; closing a stream cancels.
            return Ok(accepted());
        }
        let session = self.session()?;
        if method == "notifications/cancelled" {
            session.requests.cancel(params);
        }
        Ok(accepted())
    }

    /// An answer to something that the gate asked in the session; the modern era has none.
    fn response(&self, response: &message::Response) -> Result<Response, RpcError> {
        if single(&self.headers, VERSION)? == Some(MODERN) {
            let message = "clients send requests and notifications, and never answers";
            return Err(RpcError::invalid_request(message));
        }
        self.session()?.client.answer(response);
        Ok(accepted())
    }

    fn session(&self) -> Result<Arc<Session>, RpcError> {
        self.endpoint.session(&self.headers, &self.identity)
    }

    /// Several messages in one array: in one old revision only, and within a session of it.
    async fn batch(&self, messages: Vec<Value>) -> Result<Response, Rejected> {
        let session = self
            .batching_session(&messages)
            .map_err(RpcError::for_nobody)?;
        let mut under_way = Vec::new();
        for message in messages {
            match incoming(message) {
                Ok(Incoming::Request(request)) => {
                    let id = request.id.clone();
                    let started = self.legacy(request, session.clone(), None);
                    under_way.push(started.map_err(|error| error.answering(id)));
                }
                Ok(Incoming::Notification { method, params }) => {
                    self.notification(&method, &params)
                        .map_err(RpcError::for_nobody)?;
                }
                Ok(Incoming::Response(response)) => session.client.answer(&response),
                Err(rejected) => under_way.push(Err(rejected)),
            }
        }
        let mut answers = Vec::new();
        for started in under_way {
            match started {
                Ok(running) => answers.extend(running.answer().await),
                Err(rejected) => answers.push(rejected.text()),
            }
        }
        if answers.is_empty() {
            return Ok(accepted());
        }
        Ok(json(200, format!("[{}]", answers.join(","))))
    }

    fn batching_session(&self, messages: &[Value]) -> Result<Arc<Session>, RpcError> {
        let refused = || {
            let message = format!(
                "several messages in one array exist in version {BATCHING} only: send one at a time"
            );
            RpcError::invalid_request(message)
        };
        if single(&self.headers, SESSION)?.is_none() {
            return Err(refused());
        }
        let session = self.session()?;
        if session.version != BATCHING {
            return Err(refused());
        }
        if messages.is_empty() || messages.len() > BATCH_MESSAGES_MAX {
            let message = format!("a batch has 1 to {BATCH_MESSAGES_MAX} messages");
            return Err(RpcError::invalid_request(message));
        }
        Ok(session)
    }
}

impl Endpoint {
    /// How a request is answered. What is said within a session is kept there.
    fn manner(&self, accept: Accept, session: Option<Arc<Session>>) -> Manner {
        let api = &self.face.api;
        let taping = session.map(|session| Taping {
            session,
            tasks: api.tasks.clone(),
        });
        Manner {
            accept,
            taping: taping.filter(|_| accept != Accept::Json),
            clock: api.driver.clock().clone(),
        }
    }

    /// The session that the headers name, if it is this caller's.
    fn session(&self, headers: &HeaderMap, identity: &Identity) -> Result<Arc<Session>, RpcError> {
        check_version(single(headers, VERSION)?)?;
        let Some(id) = single(headers, SESSION)? else {
            let message = "`Mcp-Session-Id` is missing: begin with `initialize`, or send `_meta` of a modern request";
            return Err(RpcError::invalid_request(message));
        };
        let found = self.sessions.find(id, identity, self.face.api.driver.now());
        found.ok_or_else(|| {
            RpcError::refused(404, "there is no such session: begin with `initialize`")
        })
    }
}

/// What the header says of the version must be one that sessions are held in.
fn check_version(version: Option<&str>) -> Result<(), RpcError> {
    match version {
        Some(version) if !LEGACY.contains(&version) => {
            Err(RpcError::unsupported_version(version, &LEGACY))
        }
        Some(_) | None => Ok(()),
    }
}

/// GET: the stream of changes of a legacy session, or the rest of a stream that broke.
async fn stream(State(endpoint): State<Endpoint>, headers: HeaderMap) -> Response {
    let identity = match admit(&endpoint.face.api, &headers).await {
        Ok(identity) => identity,
        Err(response) => return *response,
    };
    let opened = open_stream(&endpoint, &headers, &identity);
    opened.unwrap_or_else(|error| refusal(&error.for_nobody()))
}

fn open_stream(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    identity: &Identity,
) -> Result<Response, RpcError> {
    let accept = Accept::of(headers)?;
    if accept == Accept::Json {
        return Err(RpcError::refused(
            406,
            "the stream of a session is `text/event-stream`",
        ));
    }
    let session = endpoint.session(headers, identity)?;
    let face = endpoint.face.clone();
    let ticket = enter(&face, identity)?;
    let clock = face.api.driver.clock().clone();
    if let Some(id) = single(headers, LAST_EVENT)?.filter(|id| !id.is_empty()) {
        let reader = session.tapes.after(id).ok_or_else(|| {
            let message = "what came after this `Last-Event-ID` is not kept (any more)";
            RpcError::invalid_request(message)
        })?;
        return Ok(taped((reader, None), clock, (session, ticket)));
    }
    let cancelled = session.begin_stream();
    let (outlet, running) = channel(&cancelled, Departure::Cancels);
    let mut follower = Follower::of(&face, identity, session.client.attention.updates.clone());
    let tasks = face.api.tasks.clone();
    // INVARIANT: it does not hold the session, which ends it once nobody has come back for long.
    let work = async move {
        let ends = &face.options.closing;
        follower.tell(&outlet, (&cancelled, ends)).await;
    };
    tasks.spawn("mcp-changes", Box::pin(work));
    let manner = endpoint.manner(accept, Some(session));
    Ok(manner.changes(running, ticket))
}

/// DELETE: the client is done with its session.
async fn end(State(endpoint): State<Endpoint>, headers: HeaderMap) -> Response {
    let identity = match admit(&endpoint.face.api, &headers).await {
        Ok(identity) => identity,
        Err(response) => return *response,
    };
    match endpoint.session(&headers, &identity) {
        Ok(session) => {
            endpoint.sessions.close(&session);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refusal(&error.for_nobody()),
    }
}
