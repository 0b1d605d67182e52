//! MCP over two byte streams: one message a line, both eras, many requests at once.
//!
//! `toolgate mcp` is this on stdin and stdout. A line that is no message is answered and the next
//! one is read. Closing the input ends the connection: calls that are under way get a little time,
//! and what was admitted runs to its end in the gate all the same.
//!
//! Must not know: HTTP, processes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toolgate_model::Identity;

use super::client::Client;
use super::entrance::{identify, unauthenticated};
use super::era::{BATCHING, Era, check_modern, is_modern};
use super::face::{Asked, Face, Held};
use super::in_flight::InFlight;
use super::limits::{BATCH_MESSAGES_MAX, LINES_QUEUED_MAX, STDIO_DRAIN_MAX};
use super::lines::{Line, Lines};
use super::listen::{Follower, enter};
use super::message;
use super::message::{Incoming, Rejected, Request, RpcError, incoming, read, success};
use super::options::McpOptions;
use super::work::{Departure, Outgoing, Outlet, Running, channel};
use crate::Api;

/// One connection.
struct Connection {
    face: Arc<Face>,
    token: String,
    requests: Arc<InFlight>,
    /// How the legacy era is spoken, once the client has begun with `initialize`.
    legacy: Mutex<Option<Legacy>>,
    /// Resolves when the connection or the gate ends.
    ends: CancellationToken,
}

/// What `initialize` came to.
#[derive(Clone)]
struct Legacy {
    version: &'static str,
    client: Arc<Client>,
}

/// Serves one client over two byte streams until the reader ends. Whoever `token` authenticates
/// is asked for with every message, so a revoked one binds on the next. It takes the driver's hook
/// for changes.
///
/// # Errors
/// Where a stream fails; the end of the reader is no error.
pub async fn serve_stdio<R, W>(
    (api, options): (Api, McpOptions),
    token: String,
    reader: R,
    writer: W,
) -> io::Result<()>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin,
{
    let bytes_max = api.limits.body_bytes_max;
    let clock = api.driver.clock().clone();
    let face = Face::new(api, options);
    let connection = Arc::new(Connection {
        ends: face.options.closing.child_token(),
        face,
        token,
        requests: Arc::default(),
        legacy: Mutex::default(),
    });
    let (outlet, messages) = Outlet::queue(LINES_QUEUED_MAX);
    let lines = Lines::new(BufReader::new(reader), bytes_max);
    let writing = Box::pin(write(writer, messages));
    let reading = Box::pin(connection.clone().read(lines, outlet));
    let (result, writing) = match select(reading, writing).await {
        Either::Left((result, writing)) => (result, writing),
        Either::Right((result, _)) => {
            connection.give_up();
            return result;
        }
    };
    connection.ends.cancel();
    // The writer ends by itself once the last answer is out.
    let drained = select(
        writing,
        clock.sleep_until(clock.now().plus(STDIO_DRAIN_MAX)),
    )
    .await;
    connection.give_up();
    match drained {
        Either::Left((written, _)) => result.and(written),
        Either::Right(_) => result,
    }
}

/// Writes one message a line.
async fn write<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut messages: mpsc::Receiver<Outgoing>,
) -> io::Result<()> {
    while let Some(message) = messages.recv().await {
        let (Outgoing::Notification(text) | Outgoing::Answer { text, .. }) = message;
        writer.write_all(text.as_bytes()).await?;
        writer.write_all(b"\n").await?;
        if messages.is_empty() {
            writer.flush().await?;
        }
    }
    writer.flush().await
}

impl Connection {
    async fn read<R: AsyncRead + Unpin>(
        self: Arc<Self>,
        mut lines: Lines<BufReader<R>>,
        outlet: Outlet,
    ) -> io::Result<()> {
        loop {
            let next = Box::pin(lines.next());
            let line = match select(next, Box::pin(self.ends.cancelled())).await {
                Either::Left((line, _)) => line?,
                Either::Right(_) => None,
            };
            let Some(line) = line else { return Ok(()) };
            if let Err(rejected) = self.line(line, &outlet).await {
                let answer = Outgoing::Answer {
                    status: rejected.error.status,
                    text: rejected.text(),
                };
                if !outlet.say(answer).await {
                    return Ok(());
                }
            }
        }
    }

    async fn line(self: &Arc<Self>, line: Line, outlet: &Outlet) -> Result<(), Rejected> {
        let limits = &self.face.api.limits;
        let text = match line {
            Line::Whole(text) if text.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Line::Whole(text) => text,
            Line::TooLong => {
                let max = limits.body_bytes_max;
                let message = format!("the line has more than the {max} bytes allowed");
                return Err(RpcError::parse(message).for_nobody());
            }
        };
        match read(&text, limits).map_err(RpcError::for_nobody)? {
            Value::Array(messages) => self.batch(messages, outlet).await,
            message => self.message(message, outlet).await,
        }
    }

    async fn message(self: &Arc<Self>, message: Value, outlet: &Outlet) -> Result<(), Rejected> {
        match incoming(message)? {
            Incoming::Request(request) => {
                let id = request.id.clone();
                self.request(request, outlet)
                    .await
                    .map_err(|error| error.answering(id))
            }
            Incoming::Notification { method, params } => {
                self.notification(&method, &params, outlet).await;
                Ok(())
            }
            Incoming::Response(response) => {
                self.respond(&response);
                Ok(())
            }
        }
    }

    async fn request(self: &Arc<Self>, request: Request, outlet: &Outlet) -> Result<(), RpcError> {
        let identity = self.identity().await?;
        let modern = is_modern(&request, None);
        if request.method == "initialize" && !modern {
            let (version, result) = self.face.initialize(&identity, &request.params)?;
            let client = Client::of(&request.params);
            *self.legacy() = Some(Legacy { version, client });
            let text = success(&request.id, &result);
            let _left = outlet.say(Outgoing::Answer { status: 200, text }).await;
            return Ok(());
        }
        let era = if modern {
            check_modern(&request.params, |_| Ok(()))?;
            Era::Modern
        } else {
            self.legacy_era(&request.method)?
        };
        let mut asked = self.asked(request, era, identity)?;
        asked.client = self.client().filter(|_| era != Era::Modern);
        self.face.start(asked, outlet.clone());
        Ok(())
    }

    fn legacy_era(&self, method: &str) -> Result<Era, RpcError> {
        match (self.version(), method) {
            (Some(version), _) => Ok(Era::Legacy(version)),
            (None, "ping") => Ok(Era::Legacy(BATCHING)),
            (None, _) => Err(RpcError::invalid_request(
                "begin with `initialize`, or send `_meta` of a modern request",
            )),
        }
    }

    fn asked(&self, request: Request, era: Era, identity: Identity) -> Result<Asked, RpcError> {
        let slot = self.requests.enter(&request.id)?;
        Ok(Asked {
            identity,
            era,
            request,
            idempotency_key: None,
            client: None,
            cancelled: slot.cancelled.clone(),
            ends: self.ends.clone(),
            held: Held {
                _slot: Some(slot),
                session: None,
            },
        })
    }

    async fn notification(
        self: &Arc<Self>,
        method: &str,
        params: &Map<String, Value>,
        outlet: &Outlet,
    ) {
        match method {
            "notifications/cancelled" => self.requests.cancel(params),
            "notifications/initialized" if self.version().is_some() => {
                if let Ok(identity) = self.identity().await {
                    self.follow(&identity, outlet.clone());
                }
            }
            _ => {}
        }
    }

    /// Tells a legacy client of changes, which share its one stream.
    fn follow(self: &Arc<Self>, identity: &Identity, outlet: Outlet) {
        let Ok(ticket) = enter(&self.face, identity) else {
            return;
        };
        let client = self.client().unwrap_or_default();
        let mut follower = Follower::of(&self.face, identity, client.attention.updates.clone());
        let ends = self.ends.clone();
        let work = async move {
            follower.tell(&outlet, (&ends, &ends)).await;
            drop(ticket);
        };
        self.face.api.tasks.spawn("mcp-changes", Box::pin(work));
    }

    /// Several messages in one array: in one old revision only, answered in one array.
    async fn batch(
        self: &Arc<Self>,
        messages: Vec<Value>,
        outlet: &Outlet,
    ) -> Result<(), Rejected> {
        let fits = (1..=BATCH_MESSAGES_MAX).contains(&messages.len());
        if self.version() != Some(BATCHING) || !fits {
            let message = format!(
                "several messages in one array exist in version {BATCHING} only, 1 to {BATCH_MESSAGES_MAX} of them: send one at a time"
            );
            return Err(RpcError::invalid_request(message).for_nobody());
        }
        let identity = self.identity().await.map_err(RpcError::for_nobody)?;
        let mut under_way = Vec::new();
        for message in messages {
            match incoming(message) {
                Ok(Incoming::Request(request)) => under_way.push(self.aside(request, &identity)),
                Ok(Incoming::Notification { method, params }) => {
                    self.notification(&method, &params, outlet).await;
                }
                Ok(Incoming::Response(response)) => self.respond(&response),
                Err(rejected) => under_way.push(Err(rejected)),
            }
        }
        self.answer_together(under_way, outlet.clone());
        Ok(())
    }

    /// Starts a request whose answer is not written by itself.
    fn aside(&self, request: Request, identity: &Identity) -> Result<Running, Rejected> {
        let id = request.id.clone();
        let asked = self.asked(request, Era::Legacy(BATCHING), identity.clone());
        let asked = asked.map_err(|error| error.answering(id))?;
        let (outlet, running) = channel(&asked.cancelled, Departure::IsIgnored);
        self.face.start(asked, outlet);
        Ok(running)
    }

    fn answer_together(&self, under_way: Vec<Result<Running, Rejected>>, outlet: Outlet) {
        let work = async move {
            let mut answers = Vec::new();
            for started in under_way {
                match started {
                    Ok(running) => answers.extend(running.answer().await),
                    Err(rejected) => answers.push(rejected.text()),
                }
            }
            if !answers.is_empty() {
                let text = format!("[{}]", answers.join(","));
                let _left = outlet.say(Outgoing::Answer { status: 200, text }).await;
            }
        };
        self.face.api.tasks.spawn("mcp-batch", Box::pin(work));
    }

    async fn identity(&self) -> Result<Identity, RpcError> {
        let identified = identify(&self.face.api.driver, Some(&self.token)).await;
        identified.map_err(|denial| unauthenticated(&denial))
    }

    fn version(&self) -> Option<&'static str> {
        self.legacy().as_ref().map(|legacy| legacy.version)
    }

    fn client(&self) -> Option<Arc<Client>> {
        self.legacy().as_ref().map(|legacy| legacy.client.clone())
    }

    fn respond(&self, response: &message::Response) {
        if let Some(client) = self.client() {
            client.answer(response);
        }
    }

    fn legacy(&self) -> MutexGuard<'_, Option<Legacy>> {
        self.legacy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody reads answers any more.
    fn give_up(&self) {
        self.ends.cancel();
        self.requests.cancel_all();
    }
}
