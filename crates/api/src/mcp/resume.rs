//! The streams of a legacy session, kept so that a client whose connection broke misses nothing.
//!
//! ```text
//! id: 3-0            (the stream begins)
//! id: 3-1  data: …   → broken → GET, Last-Event-ID: 3-1 → id: 3-2  data: …
//! ```
//!
//! What a request says goes on a tape of its own, whoever reads it. A reader that comes back names
//! the last event that it has seen and gets exactly what came after it on that tape; the reader
//! before it ends, so that nothing is said twice. Tapes belong to their session: no id leads to the
//! tape of another.
//!
//! Must not know: HTTP, what is said.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::limits::{TAPE_EVENTS_MAX, TAPES_BYTES_MAX, TAPES_ENDED_MAX};
use super::work::{Outgoing, Running};

/// The tapes of one session.
#[derive(Debug, Default)]
pub(super) struct Tapes {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    last: u64,
    tapes: VecDeque<Arc<Tape>>,
}

/// What one stream says.
#[derive(Debug)]
pub(super) struct Tape {
    number: u64,
    said: Mutex<Said>,
    moved: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Said {
    /// Events that are not kept any more.
    gone: u64,
    kept: VecDeque<Event>,
    ended: bool,
    /// How often somebody began to read; only the last one goes on.
    readers: u64,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// What a client names to go on after it.
    pub(super) id: String,
    /// The message.
    pub(super) text: String,
    /// Whether nothing comes after it.
    pub(super) last: bool,
}

/// Reads one tape.
#[derive(Debug)]
pub(super) struct Reader {
    tape: Arc<Tape>,
    next: u64,
    reader: u64,
}

impl Tapes {
    /// A tape for one more stream.
    pub(super) fn begin(&self) -> Arc<Tape> {
        let mut shelf = self.shelf();
        shelf.last += 1;
        let tape = Arc::new(Tape {
            number: shelf.last,
            said: Mutex::default(),
            moved: watch::Sender::new(0),
        });
        shelf.tapes.push_back(tape.clone());
        shelf.make_room();
        tape
    }

    /// Goes on after the event with this id; none where what came after it is not kept.
    pub(super) fn after(&self, id: &str) -> Option<Reader> {
        let (tape, event) = id.split_once('-')?;
        let (tape, event): (u64, u64) = (tape.parse().ok()?, event.parse().ok()?);
        let tapes = &self.shelf().tapes;
        let tape = tapes.iter().find(|other| other.number == tape)?.clone();
        let reaches = {
            let said = tape.said();
            said.gone <= event && event <= said.end()
        };
        reaches.then(|| tape.read(event))
    }

    /// The session is over: every stream ends.
    pub(super) fn end(&self) {
        for tape in self.shelf().tapes.drain(..) {
            tape.end();
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Forgets the oldest streams that have ended, until the rest is little enough. Whoever reads
    /// one of them still can.
    fn make_room(&mut self) {
        let (mut tapes, mut bytes) = (0, 0);
        // The newest come first, and the newest of all is always kept.
        for index in (0..self.tapes.len()).rev() {
            let Some(size) = self.tapes.get(index).and_then(|tape| tape.ended_bytes()) else {
                continue;
            };
            (tapes, bytes) = (tapes + 1, bytes + size);
            if tapes > 1 && (tapes > TAPES_ENDED_MAX || bytes > TAPES_BYTES_MAX) {
                self.tapes.remove(index);
            }
        }
    }
}

impl Tape {
    /// Keeps what a request says until its answer, or until there will be none, after what it said
    /// already.
    pub(super) async fn record(self: Arc<Self>, mut running: Running, first: Option<Outgoing>) {
        let mut next = match first {
            Some(message) => Some(message),
            None => running.next().await,
        };
        while let Some(message) = next {
            match message {
                Outgoing::Notification(text) => self.add(text, false),
                Outgoing::Answer { text, .. } => {
                    self.add(text, true);
                    break;
                }
            }
            next = running.next().await;
        }
        self.end();
    }

    /// Reads on after this many events.
    pub(super) fn read(self: &Arc<Self>, next: u64) -> Reader {
        let mut said = self.said();
        said.readers += 1;
        let reader = said.readers;
        self.moved(said);
        Reader {
            tape: self.clone(),
            next,
            reader,
        }
    }

    /// The id of its beginning.
    pub(super) fn beginning(&self) -> String {
        self.id(0)
    }

    fn add(&self, text: String, last: bool) {
        let mut said = self.said();
        let id = self.id(said.end() + 1);
        said.kept.push_back(Event { id, text, last });
        if said.kept.len() > TAPE_EVENTS_MAX {
            said.kept.pop_front();
            said.gone += 1;
        }
        said.ended |= last;
        self.moved(said);
    }

    fn end(&self) {
        let mut said = self.said();
        said.ended = true;
        self.moved(said);
    }

    fn id(&self, event: u64) -> String {
        format!("{}-{event}", self.number)
    }

    fn ended_bytes(&self) -> Option<usize> {
        let said = self.said();
        said.ended
            .then(|| said.kept.iter().map(|event| event.text.len()).sum())
    }

    fn moved(&self, said: MutexGuard<'_, Said>) {
        drop(said);
        self.moved.send_modify(|count| *count += 1);
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn end(&self) -> u64 {
        self.gone + self.kept.len() as u64
    }
}

impl Reader {
    /// The next event; none at the end of the stream, or once somebody else reads it.
    pub(super) async fn next(&mut self) -> Option<Event> {
        let mut moved = self.tape.moved.subscribe();
        loop {
            if let Some(next) = self.look() {
                return next;
            }
            moved.changed().await.ok()?;
        }
    }

    /// What is there to read; `Some(None)` where nothing more will come.
    fn look(&mut self) -> Option<Option<Event>> {
        let said = self.tape.said();
        if said.readers != self.reader {
            return Some(None);
        }
        // A reader that is too slow goes on with what is still kept.
        let from = self.next.max(said.gone);
        let place = usize::try_from(from - said.gone).ok()?;
        match said.kept.get(place) {
            Some(event) => {
                self.next = from + 1;
                Some(Some(event.clone()))
            }
            None => said.ended.then_some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TAPE_EVENTS_MAX, TAPES_BYTES_MAX, TAPES_ENDED_MAX, Tapes};

    async fn rest(tapes: &Tapes, id: &str) -> Option<Vec<String>> {
        let mut reader = tapes.after(id)?;
        let mut seen = Vec::new();
        while let Some(event) = reader.next().await {
            seen.push(format!("{} {}", event.id, event.text));
        }
        Some(seen)
    }

    #[tokio::test]
    async fn a_reader_gets_exactly_what_came_after_the_event_it_names() {
        let tapes = Tapes::default();
        let (one, two) = (tapes.begin(), tapes.begin());
        for text in ["a", "b", "c"] {
            one.add(text.to_owned(), text == "c");
            two.add(text.to_uppercase(), text == "c");
        }
        for (id, expected) in [
            ("1-0", vec!["1-1 a", "1-2 b", "1-3 c"]),
            ("1-2", vec!["1-3 c"]),
            ("2-2", vec!["2-3 C"]),
            ("1-3", vec![]),
        ] {
            assert_eq!(rest(&tapes, id).await.unwrap(), expected, "{id}");
        }
        for id in [
            "1-4", "3-0", "0-0", "1", "1-", "-1", "1--1", "a-b", "", "1-1-1", "1-+1x",
        ] {
            assert_eq!(rest(&tapes, id).await, None, "{id}");
        }
    }

    #[tokio::test]
    async fn only_the_last_reader_goes_on() {
        let tapes = Tapes::default();
        let tape = tapes.begin();
        let mut first = tape.read(0);
        tape.add("a".to_owned(), false);
        assert_eq!(first.next().await.unwrap().text, "a");
        let mut second = tapes.after("1-1").unwrap();
        assert_eq!(first.next().await, None);
        tape.add("b".to_owned(), true);
        assert_eq!(second.next().await.unwrap().text, "b");
        assert_eq!(second.next().await, None);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_a_gap_is_no_answer() {
        let tapes = Tapes::default();
        let tape = tapes.begin();
        for n in 0..=TAPE_EVENTS_MAX {
            tape.add(n.to_string(), n == TAPE_EVENTS_MAX);
        }
        assert_eq!(rest(&tapes, "1-0").await, None, "its first event is gone");
        assert_eq!(rest(&tapes, "1-1").await.unwrap().len(), TAPE_EVENTS_MAX);
        for _ in 0..TAPES_ENDED_MAX {
            tapes.begin().end();
        }
        // Room is made when the next one begins.
        let _running = tapes.begin();
        assert_eq!(rest(&tapes, "1-1").await, None);
        assert!(rest(&tapes, "2-0").await.is_some());
        for _ in 0..2 {
            tapes.begin().add("x".repeat(TAPES_BYTES_MAX), true);
        }
        let running = tapes.begin().number;
        assert!(rest(&tapes, &format!("{}-0", running - 1)).await.is_some());
        assert_eq!(rest(&tapes, &format!("{}-0", running - 2)).await, None);
        tapes.end();
        assert!(tapes.shelf().tapes.is_empty());
    }
}
