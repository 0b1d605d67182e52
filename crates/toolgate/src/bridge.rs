//! Carries MCP messages between two byte streams and the `/mcp` of a gate that runs.
//!
//! A line in is one POST; whatever comes back, alone or as a stream of events, is lines out. What
//! the client calls its session, and which revision it speaks, travels in headers as the protocol
//! wants. Nothing is repeated: a POST that breaks is answered with an error, and the gate's record
//! says what became of the call.
//!
//! Must not know: what a message means beyond its method, id and name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use toolgate_gate::port::Tasks as _;
use toolgate_model::Duration;

use crate::admin::patient_client;
use crate::fault::Fault;
use crate::sse::Events;
use crate::tasks::Group;

/// Bytes of one line.
// LIMIT: as much as the gate takes as a body by default, and some for what it adds.
const LINE_BYTES_MAX: u64 = 2 << 20;

/// Lines that wait to be written.
// LIMIT: a client that does not read holds its own requests up, not the memory.
const LINES_QUEUED_MAX: usize = 64;

/// How long answers may still come after the client has gone.
// LIMIT: two seconds; the calls themselves go on in the gate.
const FAREWELL: Duration = Duration::from_secs(2);

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";
const VERSION_META: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";

/// A way to a gate, for one client.
pub(crate) struct Bridge {
    way: Arc<Way>,
    tasks: Group,
}

struct Way {
    http: Client,
    base: Url,
    token: String,
    /// What `initialize` was answered with: the session, if there is one, and the revision.
    legacy: Mutex<Option<(Option<String>, String)>>,
    /// What ends the requests that are under way, by id.
    under_way: Mutex<HashMap<String, CancellationToken>>,
}

/// What of a message decides how it is sent.
struct Envelope {
    method: String,
    id: Option<Value>,
    name: Option<String>,
    version: Option<String>,
    cancels: Option<String>,
}

impl Bridge {
    /// A way to the gate at `url`, for the agent with this token.
    ///
    /// # Errors
    /// [`Fault`] where that is no URL.
    pub(crate) fn to(url: &str, token: &str) -> Result<Self, Fault> {
        let base = Url::parse(url)
            .map_err(|error| Fault::usage(format!("`{url}` is not the URL of a gate: {error}")))?;
        let way = Way {
            http: patient_client()?,
            base,
            token: token.to_owned(),
            legacy: Mutex::default(),
            under_way: Mutex::default(),
        };
        Ok(Self {
            way: Arc::new(way),
            tasks: Group::default(),
        })
    }

    /// Whether a gate answers there.
    pub(crate) async fn is_alive(&self) -> bool {
        let asked = self.way.http.get(self.way.place("/healthz")).send().await;
        asked.is_ok_and(|response| response.status().is_success())
    }

    /// Carries messages until the reader ends.
    ///
    /// # Errors
    /// [`Fault`] where a stream breaks or a line is too long.
    pub(crate) async fn carry(
        self,
        reader: impl AsyncRead + Unpin,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), Fault> {
        let (out, lines) = mpsc::channel(LINES_QUEUED_MAX);
        self.tasks
            .spawn("lines out", Box::pin(write(writer, lines)));
        let read = self.read(reader, &out).await;
        self.way.leave().await;
        drop(out);
        self.tasks.stop(FAREWELL).await;
        read
    }

    async fn read(
        &self,
        reader: impl AsyncRead + Unpin,
        out: &mpsc::Sender<String>,
    ) -> Result<(), Fault> {
        let broken =
            |error: std::io::Error| Fault::failed(format!("the client's stream broke: {error}"));
        let mut reader = BufReader::new(reader);
        loop {
            let mut line = String::new();
            let read = (&mut reader)
                .take(LINE_BYTES_MAX)
                .read_line(&mut line)
                .await;
            if read.map_err(broken)? == 0 {
                return Ok(());
            }
            if line.len() as u64 >= LINE_BYTES_MAX {
                return Err(Fault::failed(format!(
                    "a message has more than {LINE_BYTES_MAX} bytes"
                )));
            }
            if !line.trim().is_empty() {
                self.pass_on(line.trim().to_owned(), out.clone()).await;
            }
        }
    }

    /// Sends one message. What must come before later messages is waited for.
    async fn pass_on(&self, line: String, out: mpsc::Sender<String>) {
        let envelope = Envelope::of(&line);
        if let Some(id) = &envelope.cancels
            && self.way.is_modern()
        {
            // In this era a request is cancelled by hanging up on it.
            if let Some(request) = lock(&self.way.under_way).get(id) {
                request.cancel();
            }
            return;
        }
        let way = self.way.clone();
        if envelope.method == "initialize" {
            way.initialize(line, envelope, &out).await;
            let streaming = self.way.clone();
            let changes = async move { streaming.listen(&out).await };
            self.tasks.loop_until_stopped("changes", changes);
            return;
        }
        let work = async move { way.request(line, envelope, &out).await };
        self.tasks.loop_until_stopped("message", work);
    }
}

impl Way {
    fn place(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    fn is_modern(&self) -> bool {
        lock(&self.legacy).is_none()
    }

    async fn initialize(&self, line: String, envelope: Envelope, out: &mpsc::Sender<String>) {
        match self.post(line, &envelope).await {
            Ok(response) => {
                let session = header(&response, SESSION);
                let answers = answers(response, &envelope, out).await;
                let version = answers.iter().find_map(|answer| {
                    answer
                        .pointer("/result/protocolVersion")
                        .and_then(Value::as_str)
                });
                if let Some(version) = version {
                    *lock(&self.legacy) = Some((session, version.to_owned()));
                }
            }
            Err(error) => refuse(&envelope, &error.to_string(), out).await,
        }
    }

    async fn request(&self, line: String, envelope: Envelope, out: &mpsc::Sender<String>) {
        let hung_up = CancellationToken::new();
        let id = envelope.id.as_ref().map(Value::to_string);
        if let Some(id) = &id {
            lock(&self.under_way).insert(id.clone(), hung_up.clone());
        }
        let work = async {
            match self.post(line, &envelope).await {
                Ok(response) => {
                    answers(response, &envelope, out).await;
                }
                Err(error) => refuse(&envelope, &error.to_string(), out).await,
            }
        };
        tokio::select! {
            () = work => {}
            () = hung_up.cancelled() => {}
        }
        if let Some(id) = id {
            lock(&self.under_way).remove(&id);
        }
    }

    async fn post(&self, line: String, envelope: &Envelope) -> Result<Response, reqwest::Error> {
        let mut request = self
            .http
            .post(self.place("/mcp"))
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if let Some(version) = &envelope.version {
            request = request
                .header(VERSION, version)
                .header("mcp-method", &envelope.method);
            if let Some(name) = &envelope.name {
                request = request.header("mcp-name", header_text(name));
            }
        } else if let Some((session, version)) = lock(&self.legacy).clone() {
            request = request.header(VERSION, version);
            if let Some(session) = session {
                request = request.header(SESSION, session);
            }
        }
        request.body(line).send().await
    }

    /// Carries what the gate says by itself, in the era of sessions.
    async fn listen(&self, out: &mpsc::Sender<String>) {
        let Some((Some(session), version)) = lock(&self.legacy).clone() else {
            return;
        };
        let asked = self
            .http
            .get(self.place("/mcp"))
            .bearer_auth(&self.token)
            .header("accept", "text/event-stream")
            .header(SESSION, session)
            .header(VERSION, version)
            .send()
            .await;
        if let Ok(response) = asked
            && response.status().is_success()
        {
            stream(response, out).await;
        }
    }

    /// Ends the session, as a client should.
    async fn leave(&self) {
        let Some((Some(session), _)) = lock(&self.legacy).clone() else {
            return;
        };
        let url = self.place("/mcp");
        let ended = self
            .http
            .delete(url)
            .bearer_auth(&self.token)
            .header(SESSION, session);
        if let Err(error) = ended.send().await {
            tracing::debug!(%error, "the session could not be ended; it ends by itself");
        }
    }
}

impl Envelope {
    /// A line that is no message is sent as it is: the gate says what is wrong with it.
    fn of(line: &str) -> Self {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let method = text("/method").unwrap_or_default().to_owned();
        let names = ["/params/name", "/params/uri", "/params/taskId"];
        let name = names.into_iter().find_map(text);
        let cancelled = message.pointer("/params/requestId").map(Value::to_string);
        // An answer to the gate carries the gate's id, and nobody answers an answer.
        let answers = message.get("result").or_else(|| message.get("error"));
        Self {
            cancels: cancelled.filter(|_| method == "notifications/cancelled"),
            id: message.get("id").cloned().filter(|_| answers.is_none()),
            name: name.map(str::to_owned),
            version: text(VERSION_META).map(str::to_owned),
            method,
        }
    }
}

/// Writes out whatever a response says, and returns what answered.
async fn answers(
    response: Response,
    envelope: &Envelope,
    out: &mpsc::Sender<String>,
) -> Vec<Value> {
    let status = response.status();
    let kind = header(&response, "content-type").unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        return stream(response, out).await;
    }
    let body = response.text().await.unwrap_or_default();
    match serde_json::from_str::<Value>(&body) {
        Ok(message) if message.get("jsonrpc").is_some() || message.is_array() => {
            send(out, &body).await;
            vec![message]
        }
        // Not a message: a problem with the token or the host, or nothing at all.
        Ok(problem) => {
            let detail = problem.get("detail").and_then(Value::as_str);
            refuse(
                envelope,
                detail.unwrap_or("the gate refused the message"),
                out,
            )
            .await;
            Vec::new()
        }
        Err(_) if status.is_success() => Vec::new(),
        Err(_) => {
            refuse(envelope, &format!("the gate answered HTTP {status}"), out).await;
            Vec::new()
        }
    }
}

async fn stream(response: Response, out: &mpsc::Sender<String>) -> Vec<Value> {
    let mut events = Events::of(response);
    let mut seen = Vec::new();
    while let Ok(Some(event)) = events.next().await {
        send(out, &event).await;
        if let Ok(message) = serde_json::from_str::<Value>(&event)
            && message.get("id").is_some()
        {
            seen.push(message);
        }
    }
    seen
}

/// Answers a request that the gate could not be asked; a notification has no answer.
async fn refuse(envelope: &Envelope, why: &str, out: &mpsc::Sender<String>) {
    let Some(id) = &envelope.id else { return };
    let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": why}});
    send(out, &error.to_string()).await;
}

/// One message is one line; within a message a line break is white space.
async fn send(out: &mpsc::Sender<String>, text: &str) {
    let line = text.trim().replace(['\n', '\r'], " ");
    // Nobody reads any more: the client has gone.
    let _gone = out.send(line).await;
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        let written = async {
            writer.write_all(line.as_bytes()).await?;
            writer.write_all(b"\n").await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "the client does not read any more");
            return;
        }
    }
}

/// A header value; what is not plain ASCII is written in Base64, as the protocol says.
fn header_text(text: &str) -> String {
    use base64::Engine as _;
    let plain = text.bytes().all(|b| matches!(b, 0x21..=0x7e | b' ')) && text.trim() == text;
    if plain && !text.starts_with("=?base64?") {
        return text.to_owned();
    }
    format!(
        "=?base64?{}?=",
        base64::engine::general_purpose::STANDARD.encode(text)
    )
}

fn header(response: &Response, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)?
        .to_str()
        .ok()
        .map(str::to_owned)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Envelope;
    use serde_json::json;

    #[test]
    fn an_envelope_names_what_is_meant_and_answers_are_never_answered() {
        let modern = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        for (message, id, name) in [
            (json!({"id": 1, "method": "ping"}), Some(json!(1)), None),
            (
                json!({"id": "a", "method": "tools/call", "params": {"name": "t", "_meta": modern}}),
                Some(json!("a")),
                Some("t"),
            ),
            (
                json!({"id": 2, "method": "resources/read", "params": {"uri": "file:///a"}}),
                Some(json!(2)),
                Some("file:///a"),
            ),
            (
                json!({"id": 3, "method": "tasks/get", "params": {"taskId": "inv_1"}}),
                Some(json!(3)),
                Some("inv_1"),
            ),
            (json!({"id": 1, "result": {"action": "accept"}}), None, None),
            (
                json!({"id": 1, "error": {"code": -1, "message": "no"}}),
                None,
                None,
            ),
            (json!({"method": "notifications/initialized"}), None, None),
        ] {
            let envelope = Envelope::of(&message.to_string());
            assert_eq!(envelope.id, id, "{message}");
            assert_eq!(envelope.name.as_deref(), name, "{message}");
        }
    }
}
