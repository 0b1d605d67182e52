//! One client of MCP over HTTP, by hand: a connection that is kept, a request, its answer.
//!
//! `Session::open(&to)?.ask("tools/list", json!({}))?` gives the message that answers, whether it
//! came as JSON or as the last event of a stream, with a length or in chunks. A legacy session is
//! opened as the protocol says. Must not know: what is asked, what is measured.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::Fault;

/// LIMIT: a server that says nothing for so long says nothing.
const SILENCE: Duration = Duration::from_secs(120);

/// How the protocol is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Each request stands by itself.
    Modern,
    /// Within a session.
    Legacy,
}

impl Era {
    /// The era of this name.
    pub fn of(name: &str) -> Result<Self, Fault> {
        match name {
            "modern" => Ok(Self::Modern),
            "legacy" => Ok(Self::Legacy),
            other => Err(format!("`{other}` is neither `modern` nor `legacy`").into()),
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Modern => "2026-07-28",
            Self::Legacy => "2025-11-25",
        }
    }
}

/// Who is asked, and how.
#[derive(Clone)]
pub struct Where {
    /// The port on this machine.
    pub port: u16,
    /// The endpoint.
    pub path: String,
    /// The protocol.
    pub era: Era,
    /// The bearer token.
    pub token: Option<String>,
}

/// A client with its connection.
pub struct Session {
    to: Where,
    stream: BufReader<TcpStream>,
    session: Option<String>,
    asked: u64,
}

/// What came back.
struct Answer {
    status: u16,
    session: Option<String>,
    text: String,
}

impl Session {
    /// Connects, and opens a session where the era has them.
    pub fn open(to: &Where) -> Result<Self, Fault> {
        let stream = TcpStream::connect(("127.0.0.1", to.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let stream = BufReader::with_capacity(64 * 1024, stream);
        let mut made = Self {
            to: to.clone(),
            stream,
            session: None,
            asked: 0,
        };
        if to.era == Era::Legacy {
            let me = json!({"name": "bench-load", "version": "1"});
            let params =
                json!({"protocolVersion": to.era.version(), "capabilities": {}, "clientInfo": me});
            let hello =
                json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
            made.session = made.exchange(&hello)?.session;
            made.exchange(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        }
        Ok(made)
    }

    /// Asks, and gives the message that answers.
    pub fn ask(&mut self, method: &str, mut params: Value) -> Result<String, Fault> {
        if self.to.era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.to.era.version(),
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "bench-load", "version": "1"},
            });
        }
        self.asked += 1;
        let message =
            json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params});
        let answer = self.exchange(&message)?;
        match answer.status {
            200 => Ok(answer.text),
            status => Err(format!("{status}: {:.300}", answer.text).into()),
        }
    }

    fn exchange(&mut self, message: &Value) -> Result<Answer, Fault> {
        let body = message.to_string();
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n",
            self.to.path,
            self.to.port,
            body.len(),
        );
        let mut say = |name: &str, value: &str| {
            head.extend([name, ": ", value, "\r\n"]);
        };
        let method = message["method"].as_str().unwrap_or_default();
        if method != "initialize" {
            say("MCP-Protocol-Version", self.to.era.version());
        }
        if self.to.era == Era::Modern {
            say("Mcp-Method", method);
            if let Some(name) = message["params"]["name"].as_str() {
                say("Mcp-Name", name);
            }
        }
        if let Some(session) = &self.session {
            say("Mcp-Session-Id", session);
        }
        if let Some(token) = &self.to.token {
            say("Authorization", &format!("Bearer {token}"));
        }
        head.push_str("\r\n");
        head.push_str(&body);
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.read()
    }

    fn read(&mut self) -> Result<Answer, Fault> {
        let status = self
            .line()?
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let mut answer = Answer {
            status: status.ok_or("no status line")?,
            session: None,
            text: String::new(),
        };
        let (mut length, mut chunked, mut events) = (0, false, false);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "content-type" => events = value.starts_with("text/event-stream"),
                "mcp-session-id" => answer.session = Some(value.to_owned()),
                _ => {}
            }
        }
        let body = if chunked {
            self.chunks()?
        } else {
            self.exactly(length)?
        };
        let text = String::from_utf8(body)?;
        answer.text = if events { last_event(&text) } else { text };
        Ok(answer)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16)?;
            body.extend(self.exactly(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String, Fault> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err("the connection was closed".into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// The message of the last event that has one.
fn last_event(text: &str) -> String {
    let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    events
        .map(str::trim)
        .rfind(|data| !data.is_empty())
        .unwrap_or_default()
        .to_owned()
}
