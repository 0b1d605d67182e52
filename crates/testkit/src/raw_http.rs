//! HTTP by hand, for requests that no client library would send.
//!
//! `exchange(address, b"POST /mcp HTTP/1.1\r\n…")` writes the bytes as they stand and reads what
//! comes back until the server closes or has said as much as it announced.
//!
//! Must not know: what is asked.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// LIMIT: an answer longer than this is not one that a test reads.
const RESPONSE_BYTES_MAX: u64 = 64 << 20;
/// LIMIT: a server that says nothing for so long says nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    /// The status; 0 where no status line came.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Everything after the headers, as it came.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }
}

/// A connection that can be used for one exchange after another.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
}

impl RawConnection {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody listens.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        Ok(Self { stream })
    }

    /// Writes the bytes and reads the answer. A server that refuses early may close while we
    /// still write; what it said counts.
    ///
    /// # Errors
    /// Where nothing can be sent or nothing came back.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<RawResponse> {
        let sent = self.stream.write_all(request);
        let mut text = Vec::new();
        let mut limited = (&mut self.stream).take(RESPONSE_BYTES_MAX);
        let mut buffer = [0; 16 * 1024];
        let ended = loop {
            match limited.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => text.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) => break Err(error),
            }
            if is_whole(&text) {
                break Ok(());
            }
        };
        if text.is_empty() {
            sent.and(ended)?;
        }
        Ok(parse(&text))
    }
}

/// One exchange on a connection of its own.
///
/// # Errors
/// Where nothing can be sent or nothing came back.
pub fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<RawResponse> {
    RawConnection::open(address)?.exchange(request)
}

fn parse(text: &[u8]) -> RawResponse {
    let (head, body) = split(text).unwrap_or((text, &[]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| line.split_once(':'));
    RawResponse {
        status: status.and_then(|code| code.parse().ok()).unwrap_or(0),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: body.to_vec(),
    }
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((text.get(..end)?, text.get(end + 4..)?))
}

fn is_whole(text: &[u8]) -> bool {
    if split(text).is_none() {
        return false;
    }
    let response = parse(text);
    let announced = response.header("content-length").map(str::parse::<usize>);
    match announced {
        Some(Ok(length)) => response.body.len() >= length,
        _ => {
            response.body.ends_with(b"0\r\n\r\n") && response.header("transfer-encoding").is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_whole, parse};

    #[test]
    fn an_answer_is_whole_when_it_says_so() {
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
        assert!(is_whole(answer));
        assert!(!is_whole(&answer[..answer.len() - 1]));
        let parsed = parse(answer);
        assert_eq!((parsed.status, parsed.body.as_slice()), (404, &b"no"[..]));
        assert_eq!(parsed.header("content-length"), Some("2"));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(is_whole(chunked));
    }
}
