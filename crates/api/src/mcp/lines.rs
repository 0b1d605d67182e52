//! Lines of a byte stream, each bounded: an endless one costs no more than the limit.
//!
//! Must not know: what the lines say.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its end; the last one may have had none.
    Whole(Vec<u8>),
    /// A line that was longer than the limit. It is skipped.
    TooLong,
}

/// Reads lines of at most `bytes_max` bytes.
pub(super) struct Lines<R> {
    reader: R,
    bytes_max: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) const fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, bytes_max }
    }

    /// The next line; none at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        let (mut line, mut bytes) = (Vec::new(), 0_usize);
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok((bytes > 0).then(|| self.finished(line, bytes)));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            if bytes <= self.bytes_max {
                line.extend_from_slice(part);
            }
            bytes = bytes.saturating_add(part.len());
            // What is beyond the limit is counted and not kept.
            line.truncate(self.bytes_max.saturating_add(1));
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(self.finished(line, bytes)));
            }
        }
    }

    fn finished(&self, mut line: Vec<u8>, bytes: usize) -> Line {
        if bytes > self.bytes_max {
            return Line::TooLong;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Line::Whole(line)
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Lines};
    use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
    use tokio::io::BufReader;

    async fn all(bytes: &[u8], buffer: usize) -> Vec<Line> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, bytes), 8);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            seen.push(line);
        }
        seen
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn lines_end_with_either_ending_or_with_the_stream() {
        let seen = all(b"a\r\n\nbc\nd", 64).await;
        assert_eq!(seen, [whole("a"), whole(""), whole("bc"), whole("d")]);
        assert_eq!(all(b"", 64).await, []);
        assert_eq!(all(b"\n", 64).await, [whole("")]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_costs_only_itself() {
        let seen = all(b"12345678\n123456789\nnext\n0123456789abcdef", 64).await;
        assert_eq!(
            seen,
            [
                whole("12345678"),
                Line::TooLong,
                whole("next"),
                Line::TooLong
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_size_of_the_buffer_does_not_matter(
            bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..60),
            buffer in 1_usize..9,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (small, large) = runtime.block_on(async {
                (all(&bytes, buffer).await, all(&bytes, 4_096).await)
            });
            prop_assert_eq!(small, large);
        }
    }
}
