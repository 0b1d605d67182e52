//! Just enough HTTP/1.1 to know where a message ends.
//!
//! A proxy that swallows one answer on a connection that lives on must know which bytes are that
//! answer. [`Inlet::head`] reads a message's head, [`Inlet::body`] hands its body on as it
//! comes, and what was read beyond it is kept for the next message.
//!
//! Must not know: faults, or who talks to whom.

use std::io::{self, Read};

/// LIMIT: a head longer than this is none that a client or a server of ours writes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// LIMIT: the line with a chunk's length, extensions included.
const CHUNK_LINE_BYTES_MAX: usize = 4 << 10;
const PIECE: usize = 16 << 10;

/// Messages coming in, one after the other.
#[derive(Debug)]
pub(super) struct Inlet<R> {
    stream: R,
    kept: Vec<u8>,
}

/// The head of one message, as it came.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Its bytes, with the empty line.
    pub(super) bytes: Vec<u8>,
    text: String,
}

/// How far a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// So many bytes.
    Length(u64),
    /// As far as its chunks go.
    Chunked,
    /// As far as the connection goes.
    ToEnd,
}

impl<R: Read> Inlet<R> {
    pub(super) const fn new(stream: R) -> Self {
        let kept = Vec::new();
        Self { stream, kept }
    }

    /// The next message's head; none where the other side said goodbye before it began one.
    pub(super) fn head(&mut self) -> io::Result<Option<Head>> {
        let mut seen = 0;
        loop {
            if let Some(end) = end_of_head(&self.kept, seen) {
                let bytes: Vec<u8> = self.kept.drain(..end).collect();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Ok(Some(Head { bytes, text }));
            }
            if self.kept.len() > HEAD_BYTES_MAX {
                return Err(broken("its head is too long"));
            }
            seen = self.kept.len().saturating_sub(3);
            if self.fill()? == 0 {
                return match self.kept.is_empty() {
                    true => Ok(None),
                    false => Err(broken("it ended within its head")),
                };
            }
        }
    }

    /// Hands the body on, piece by piece, as it comes.
    pub(super) fn body(
        &mut self,
        extent: Extent,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match extent {
            Extent::Length(length) => self.counted(length, sink),
            Extent::Chunked => self.chunks(sink),
            Extent::ToEnd => loop {
                sink(&std::mem::take(&mut self.kept))?;
                if self.fill()? == 0 {
                    return Ok(());
                }
            },
        }
    }

    fn counted(
        &mut self,
        length: u64,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            if self.kept.is_empty() && self.fill()? == 0 {
                return Err(broken("it ended within its body"));
            }
            let here = usize::try_from(left).map_or(self.kept.len(), |l| l.min(self.kept.len()));
            let piece: Vec<u8> = self.kept.drain(..here).collect();
            sink(&piece)?;
            left -= here as u64;
        }
        Ok(())
    }

    fn chunks(&mut self, sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        loop {
            let line = self.line()?;
            sink(&line)?;
            let text = String::from_utf8_lossy(&line);
            let digits = text.split(';').next().unwrap_or_default().trim();
            let length = u64::from_str_radix(digits, 16)
                .map_err(|_| broken("the length of a chunk is no number"))?;
            if length == 0 {
                break;
            }
            self.counted(length.saturating_add(2), sink)?;
        }
        loop {
            let trailer = self.line()?;
            sink(&trailer)?;
            if trailer == b"\r\n" {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let end = self.kept.windows(2).position(|two| two == b"\r\n");
            if let Some(end) = end {
                return Ok(self.kept.drain(..end + 2).collect());
            }
            if self.kept.len() > CHUNK_LINE_BYTES_MAX {
                return Err(broken("the line before a chunk is too long"));
            }
            if self.fill()? == 0 {
                return Err(broken("it ended between two chunks"));
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; PIECE];
        let count = self.stream.read(&mut piece)?;
        self.kept
            .extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl Head {
    /// The request line or the status line.
    pub(super) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// How far a request's body goes: without a length there is none.
    pub(super) fn request_extent(&self) -> Extent {
        self.announced().unwrap_or(Extent::Length(0))
    }

    /// How far the body of the answer to `request` goes.
    pub(super) fn response_extent(&self, request: &Self) -> Extent {
        let is_head = request.first_line().starts_with("HEAD ");
        match self.status() {
            _ if is_head => Extent::Length(0),
            100..200 | 204 | 304 => Extent::Length(0),
            _ => self.announced().unwrap_or(Extent::ToEnd),
        }
    }

    /// Whether this is an answer before the answer.
    pub(super) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status())
    }

    /// Whether the connection ends with this message.
    pub(super) fn says_goodbye(&self) -> bool {
        let last = |value: &str| value.eq_ignore_ascii_case("close");
        self.values("connection").any(last)
    }

    fn status(&self) -> u16 {
        let code = self.first_line().split(' ').nth(1);
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    fn announced(&self) -> Option<Extent> {
        let coded = |value: &str| value.to_ascii_lowercase().ends_with("chunked");
        if self.values("transfer-encoding").any(coded) {
            return Some(Extent::Chunked);
        }
        let length = self.values("content-length").next()?;
        length.parse().ok().map(Extent::Length)
    }

    fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        let fields = self.text.lines().filter_map(|line| line.split_once(':'));
        let own = fields.filter(move |(field, _)| field.trim().eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.trim())
    }
}

fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let place = rest.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(from + place + 4)
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::{Extent, Inlet};

    /// Gives its bytes a few at a time, as a socket may.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn bodies(text: &str, step: usize) -> Vec<(Extent, String)> {
        let mut inlet = Inlet::new(Drip(text.as_bytes().to_vec(), step));
        let mut all = Vec::new();
        while let Some(head) = inlet.head().unwrap() {
            let extent = head.request_extent();
            let mut body = Vec::new();
            let mut sink = |piece: &[u8]| {
                body.extend_from_slice(piece);
                Ok(())
            };
            inlet.body(extent, &mut sink).unwrap();
            all.push((extent, String::from_utf8(body).unwrap()));
        }
        all
    }

    #[test]
    fn messages_end_where_they_say_however_they_arrive() {
        let text = "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\r\n\
                    GET /b HTTP/1.1\r\n\r\n\
                    POST /c HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
                    a;x=1\r\n0123456\r\n9\r\n0\r\nTail: 1\r\n\r\n\
                    POST /d HTTP/1.1\r\ncontent-length:2\r\n\r\nok";
        let chunks = "a;x=1\r\n0123456\r\n9\r\n0\r\nTail: 1\r\n\r\n";
        for step in [1, 3, 7, 4096] {
            let expected = [
                (Extent::Length(4), "\r\n\r\n"),
                (Extent::Length(0), ""),
                (Extent::Chunked, chunks),
                (Extent::Length(2), "ok"),
            ];
            let expected = expected.map(|(extent, body)| (extent, body.to_owned()));
            assert_eq!(bodies(text, step), expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_message_that_breaks_off_is_an_error_and_not_a_short_message() {
        for text in [
            "POST /a HTTP/1.1\r\nContent-Le",
            "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc",
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            let mut inlet = Inlet::new(text.as_bytes());
            let read = inlet.head().and_then(|head| {
                let extent = head.unwrap().request_extent();
                inlet.body(extent, &mut |_| Ok(()))
            });
            assert!(read.is_err(), "{text:?} was taken for whole");
        }
    }

    #[test]
    fn an_answer_without_a_length_goes_to_the_end_unless_it_can_have_no_body() {
        let head = |text: &str| Inlet::new(text.as_bytes()).head().unwrap().unwrap();
        let get = head("GET / HTTP/1.1\r\n\r\n");
        let asked = head("HEAD / HTTP/1.1\r\n\r\n");
        let plain = head("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        assert_eq!(plain.response_extent(&get), Extent::ToEnd);
        assert!(plain.says_goodbye());
        assert_eq!(plain.response_extent(&asked), Extent::Length(0));
        for status in [100, 204, 304] {
            let empty = head(&format!("HTTP/1.1 {status} X\r\n\r\n"));
            assert_eq!(empty.response_extent(&get), Extent::Length(0), "{status}");
            assert_eq!(empty.is_interim(), status == 100);
        }
    }
}
