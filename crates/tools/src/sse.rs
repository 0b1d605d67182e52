//! Server-sent events: bytes in, the data of whole events out. Pure and bounded.
//!
//! `event: message\ndata: {"a":1}\n\n` gives `{"a":1}`. Chunks may end anywhere, also inside a
//! line ending or a character. What an event says of its place in the stream (`id`) and of when to
//! come again (`retry`) is kept, also of one without data.
//!
//! Must not know: HTTP, or what the data says.

/// Collects the bytes of one stream.
#[derive(Debug)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    foreign: bool,
    after_return: bool,
    bytes_max: usize,
    id: Option<Vec<u8>>,
    last_id: Option<Vec<u8>>,
    retry: Option<u64>,
    seen: u64,
}

/// LIMIT: an id travels back in a header.
const ID_BYTES_MAX: usize = 1 << 10;

/// An event or a line is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Events {
    /// A stream whose events have at most `bytes_max` bytes each.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            foreign: false,
            after_return: false,
            bytes_max,
            id: None,
            last_id: None,
            retry: None,
            seen: 0,
        }
    }

    /// The id of the last whole event, if it has one.
    pub(crate) fn last_id(&self) -> Option<&[u8]> {
        self.last_id.as_deref().filter(|id| !id.is_empty())
    }

    /// After how many milliseconds the server wants to be asked again.
    pub(crate) const fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// How many events were whole, those too that say nothing but their place.
    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }

    /// The stream broke off: what was begun is forgotten.
    pub(crate) fn cut(&mut self) {
        (self.line, self.data) = (Vec::new(), Vec::new());
        (self.has_data, self.foreign, self.after_return) = (false, false, false);
        self.id = None;
    }

    /// Takes a chunk and gives the data of each event that it completes.
    ///
    /// # Errors
    /// [`TooLong`] where an event goes beyond the limit; the stream is of no use afterwards.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for byte in chunk {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                byte => self.line.push(*byte),
            }
            self.after_return = *byte == b'\r';
            if self.line.len() + self.data.len() > self.bytes_max {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.end_event();
        }
        let (name, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => line.split_at(colon),
            None => (line.as_slice(), &[][..]),
        };
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.foreign = value != b"message" && !value.is_empty(),
            b"id" if !value.contains(&0) && value.len() <= ID_BYTES_MAX => {
                self.id = Some(value.to_vec());
            }
            b"retry" => {
                let text = std::str::from_utf8(value).ok();
                self.retry = text.and_then(|text| text.parse().ok()).or(self.retry);
            }
            _ => {}
        }
        None
    }

    /// An event without data (a priming one, a comment) and one of another type are nothing.
    fn end_event(&mut self) -> Option<Vec<u8>> {
        let said = self.has_data || self.id.is_some();
        self.seen = self.seen.saturating_add(u64::from(said));
        if let Some(id) = self.id.take() {
            self.last_id = Some(id);
        }
        let data = std::mem::take(&mut self.data);
        let whole = self.has_data && !self.foreign && !data.is_empty();
        (self.has_data, self.foreign) = (false, false);
        whole.then_some(data)
    }
}

#[cfg(test)]
mod tests {
    use super::{Events, TooLong};
    use expect_test::{Expect, expect};
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};

    fn run(chunks: &[&[u8]]) -> Vec<String> {
        let mut events = Events::new(64);
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend(events.push(chunk).unwrap());
        }
        out.iter()
            .map(|data| String::from_utf8_lossy(data).into_owned())
            .collect()
    }

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&format!("{:?}", run(&[text.as_bytes()])));
    }

    #[test]
    fn events_are_read_in_every_line_ending() {
        check(
            "data: a\n\ndata:b\r\n\r\ndata: c\r\r",
            expect![[r#"["a", "b", "c"]"#]],
        );
        check("data: a\ndata: b\n\n", expect![[r#"["a\nb"]"#]]);
        check(
            "id: 1\ndata:\n\n: keep-alive\n\nretry: 5\n\n",
            expect!["[]"],
        );
        check(
            "event: ping\ndata: x\n\nevent: message\ndata: y\n\n",
            expect![[r#"["y"]"#]],
        );
        check("data: half", expect!["[]"]);
    }

    #[test]
    fn an_event_says_where_the_stream_is_and_when_to_come_again() {
        let mut events = Events::new(64);
        let place = |events: &Events| {
            let id = events.last_id().map(String::from_utf8_lossy);
            format!("{} {:?}", id.unwrap_or_default(), events.retry())
        };
        for (text, expected) in [
            ("data: a\n\n", " None"),
            ("id: 7\ndata:\n\n", "7 None"),
            // Half an event moves nothing.
            ("id: 8\ndata: x\n", "7 None"),
            ("\n", "8 None"),
            ("retry: 500\n\n", "8 Some(500)"),
            ("retry: soon\nid: 9\u{0}\n\n", "8 Some(500)"),
            ("id\n\n", " Some(500)"),
        ] {
            events.push(text.as_bytes()).unwrap();
            assert_eq!(place(&events), expected, "{text:?}");
        }
        events.push(b"id: 10\ndata: begun").unwrap();
        events.cut();
        let whole = events.push(b"data: anew\n\n").unwrap();
        assert_eq!(whole, [b"anew"]);
        assert_eq!(place(&events), " Some(500)");
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::new(64);
        assert_eq!(events.push(&[b'x'; 65]), Err(TooLong));
        let mut events = Events::new(64);
        let line = b"data: 0123456789012345678901234567890\n";
        assert!(events.push(line).is_ok());
        assert_eq!(events.push(line), Err(TooLong));
        let mut events = Events::new(64);
        for _ in 0..100 {
            assert!(events.push(b"data: 012345678901234567890\n\n").is_ok());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_cut_of_chunks_does_not_matter(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let text = "event: message\r\ndata: {\"ä\":1}\r\n\r\n: x\n\ndata: two\ndata: lines\n\n".as_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
            places.extend([0, text.len()]);
            places.sort_unstable();
            let chunks: Vec<&[u8]> = places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(run(&chunks), vec!["{\"ä\":1}".to_owned(), "two\nlines".to_owned()]);
        }
    }
}
