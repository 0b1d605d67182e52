//! A small HTTP server whose every answer a test decides, faults of the connection included.
//!
//! It speaks just enough HTTP/1.1 to be misused: one request a connection, answered by what the
//! test's function gives back for it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) http_method: String,
    /// Its path and query, as written.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Asked {
    /// The method of the message in it.
    pub(crate) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or("")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// A result for it, as JSON.
    pub(crate) fn result(&self, result: &Value) -> Given {
        let id = &self.body["id"];
        Given::json(
            200,
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        )
    }
}

/// What the server does.
pub(crate) enum Given {
    /// Status, headers, body.
    Answer(u16, Vec<(String, String)>, String),
    /// The events, and then the stream ends.
    Events(Vec<String>),
    /// These bytes, and then the connection ends.
    Bytes(Vec<u8>),
    /// The events, and then nothing more, for as long as the other side stays.
    Hang(Vec<String>),
    /// The events, then each that arrives, until there can be no further ones.
    Talk(Vec<String>, UnboundedReceiver<String>),
}

impl Given {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        let kind = ("content-type".to_owned(), "application/json".to_owned());
        Self::Answer(status, vec![kind], body.to_owned())
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

type Handler = Arc<dyn Fn(&Asked) -> Given + Send + Sync>;

/// The server.
pub(crate) struct Web {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How many connections the other side left before their answer was whole.
    left: Arc<Mutex<usize>>,
    serving: Option<tokio::task::JoinHandle<()>>,
}

impl Web {
    pub(crate) async fn serve(handler: impl Fn(&Asked) -> Given + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let mut web = Self {
            url,
            asked: Arc::default(),
            left: Arc::default(),
            serving: None,
        };
        web.accept(listener, Arc::new(handler));
        web
    }

    #[expect(clippy::disallowed_methods, reason = "a server of a test")]
    fn accept(&mut self, listener: TcpListener, handler: Handler) {
        let (asked, left) = (Arc::clone(&self.asked), Arc::clone(&self.left));
        self.serving = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let parts = (Arc::clone(&asked), Arc::clone(&left), Arc::clone(&handler));
                tokio::spawn(async move {
                    let (asked, left, handler) = parts;
                    if one(stream, &asked, &handler).await.is_none() {
                        *left.lock().unwrap() += 1;
                    }
                });
            }
        }));
    }

    /// Refuses all connections from now on.
    pub(crate) async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Everything that was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often something with this method was asked.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.method() == method)
            .count()
    }

    pub(crate) fn left(&self) -> usize {
        *self.left.lock().unwrap()
    }
}

async fn one(mut stream: TcpStream, asked: &Mutex<Vec<Asked>>, handler: &Handler) -> Option<()> {
    let request = read(&mut stream).await?;
    asked.lock().unwrap().push(request.clone());
    match handler(&request) {
        Given::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
            stream.write_all(head.as_bytes()).await.ok()
        }
        Given::Bytes(bytes) => stream.write_all(&bytes).await.ok(),
        Given::Events(events) => send(&mut stream, &events).await,
        Given::Talk(events, mut further) => {
            send(&mut stream, &events).await?;
            while let Some(event) = further.recv().await {
                let text = format!("event: message\ndata: {event}\n\n");
                stream.write_all(text.as_bytes()).await.ok()?;
            }
            Some(())
        }
        Given::Hang(events) => {
            send(&mut stream, &events).await?;
            // Ends when the other side leaves.
            let mut byte = [0];
            let _ = stream.read(&mut byte).await;
            None
        }
    }
}

async fn send(stream: &mut TcpStream, events: &[String]) -> Option<()> {
    let mut text =
        "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_owned();
    for event in events {
        text.push_str(&format!("event: message\ndata: {event}\n\n"));
    }
    stream.write_all(text.as_bytes()).await.ok()
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (http_method, target) = (words.next()?, words.next()?);
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or_default();
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked {
        http_method,
        target,
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}
