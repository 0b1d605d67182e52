//! Server-sent events of a response, one `data` after the other.
//!
//! Must not know: what the events mean.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use crate::fault::Fault;

/// LIMIT: as much as a result of a tool may have; a longer event is no event of ours.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// The events of one response.
pub(crate) struct Events {
    stream: BoxStream<'static, Result<Vec<u8>, String>>,
    buffer: Vec<u8>,
    data: String,
}

impl Events {
    /// Reads a response as a stream of events.
    pub(crate) fn of(response: reqwest::Response) -> Self {
        let stream = response.bytes_stream().map(|chunk| {
            chunk
                .map(|bytes| bytes.to_vec())
                .map_err(|error| error.to_string())
        });
        Self {
            stream: stream.boxed(),
            buffer: Vec::new(),
            data: String::new(),
        }
    }

    /// The next event's data; none at the end.
    ///
    /// # Errors
    /// [`Fault`] where the stream breaks or an event is too long.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Fault> {
        loop {
            while let Some(line) = self.take_line() {
                if line.is_empty() && !self.data.is_empty() {
                    return Ok(Some(std::mem::take(&mut self.data)));
                }
                if let Some(part) = line.strip_prefix("data:") {
                    if !self.data.is_empty() {
                        self.data.push('\n');
                    }
                    self.data.push_str(part.strip_prefix(' ').unwrap_or(part));
                }
            }
            if self.buffer.len() + self.data.len() > EVENT_BYTES_MAX {
                return Err(Fault::failed(format!(
                    "an event has more than {EVENT_BYTES_MAX} bytes"
                )));
            }
            match self.stream.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(why)) => {
                    return Err(Fault::failed(format!("the events broke off: {why}")));
                }
                None => return Ok(None),
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let rest = self.buffer.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        while line
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
        {
            line.pop();
        }
        Some(String::from_utf8_lossy(&line).into_owned())
    }
}
