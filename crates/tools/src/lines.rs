//! Lines of bounded length from a stream of bytes.
//!
//! A line that goes beyond the limit is dropped to its end and reported once; half a line at the
//! end of the stream is reported as such. Memory stays bounded whatever the other side writes.
//!
//! Must not know: what a line says.

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A whole line, without its ending.
    Whole(Vec<u8>),
    /// What stood after the last line ending when the stream ended.
    Half(Vec<u8>),
    /// A line longer than the limit. Its content is gone.
    TooLong,
}

/// Reads lines of at most `bytes_max` bytes.
pub(crate) struct Lines<R> {
    reader: R,
    bytes_max: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Reads from `reader`.
    pub(crate) const fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, bytes_max }
    }

    /// The next line; `None` at the end of the stream, and where it breaks.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        let mut line = Vec::new();
        let mut too_long = false;
        loop {
            let chunk = self.reader.fill_buf().await.unwrap_or_default();
            if chunk.is_empty() {
                return (!line.is_empty() && !too_long).then_some(Line::Half(line));
            }
            let end = chunk.iter().position(|b| *b == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            too_long |= line.len() + part.len() > self.bytes_max;
            if too_long {
                line = Vec::new();
            } else {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            match end {
                Some(_) if too_long => return Some(Line::TooLong),
                Some(_) => return Some(Line::Whole(line)),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Lines};

    fn read(text: &[u8]) -> Vec<Line> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let reader = tokio::io::BufReader::with_capacity(3, text);
            let mut lines = Lines::new(reader, 8);
            let mut all = Vec::new();
            while let Some(line) = lines.next().await {
                all.push(line);
            }
            all
        })
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_cut_at_their_endings() {
        assert_eq!(
            read(b"one\n\ntwo\r\n"),
            [whole("one"), whole(""), whole("two\r")]
        );
        assert_eq!(read(b""), []);
    }

    #[test]
    fn half_a_line_is_told_apart() {
        assert_eq!(read(b"one\ntw"), [whole("one"), Line::Half(b"tw".to_vec())]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_dropped_and_the_next_is_read() {
        assert_eq!(
            read(b"12345678\n123456789\nok\n"),
            [whole("12345678"), Line::TooLong, whole("ok")]
        );
        assert_eq!(read(b"1234567890"), []);
    }
}
