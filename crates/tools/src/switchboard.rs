//! Connects what a server says with who waits for it.
//!
//! A request is plugged in before it is sent, so that no answer and no progress can come too
//! early. Whatever does not belong to one that waits (unknown ids, second answers, progress
//! nobody asked for, garbage) is counted, noted within bounds, and dropped.
//!
//! Must not know: bytes, lines, HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::oneshot;
use toolgate_gate::port::ProgressSink;
use toolgate_model::json::Raw;

use crate::caller::{Caller, Question, Unput};
use crate::exchange::{Exchange, Request};
use crate::follow::News;
use crate::message::{self, Inbound, RpcError, excerpt};

/// LIMIT: a server that reports more than this about one call reports noise.
const PROGRESS_MAX: u32 = 10_000;
/// LIMIT: a progress report is a number and a sentence.
const PROGRESS_BYTES_MAX: usize = 64 << 10;
/// LIMIT: garbage lines that are logged of one connection; all are counted.
const GARBAGE_LOGGED_MAX: u64 = 5;
/// LIMIT: so much garbage without a single message between is no server of MCP.
const GARBAGE_RUN_MAX: u64 = 1_000;
const EXCERPT_CHARS: usize = 120;

/// Who waits for what on one connection.
pub(crate) struct Switchboard {
    source: String,
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// Where goes what the server tells unasked.
    news: Arc<News>,
    garbage: AtomicU64,
    garbage_run: AtomicU64,
    stray: AtomicU64,
    first_garbage: Mutex<Option<String>>,
}

struct Waiting {
    reply: oneshot::Sender<Exchange>,
    /// Whether it is answered only when a stream ends.
    lasting: bool,
    progress: Option<ProgressSink>,
    progressed: u32,
    caller: Option<Arc<Caller>>,
}

/// A place on the board; leaving it forgets the answer.
pub(crate) struct Seat<'a> {
    board: &'a Switchboard,
    id: u64,
    /// Resolves with what became of the request.
    pub(crate) reply: oneshot::Receiver<Exchange>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.board.lock().remove(&self.id);
    }
}

/// The server talks, but not MCP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OnlyGarbage;

impl Switchboard {
    /// The board of one connection to `source`.
    pub(crate) fn new(source: &str, news: Arc<News>) -> Self {
        Self {
            source: source.to_owned(),
            waiting: Mutex::default(),
            news,
            garbage: AtomicU64::default(),
            garbage_run: AtomicU64::default(),
            stray: AtomicU64::default(),
            first_garbage: Mutex::default(),
        }
    }

    /// Plugs in a request that is about to be sent.
    pub(crate) fn seat(&self, request: &Request) -> Seat<'_> {
        let (sender, reply) = oneshot::channel();
        let waiting = Waiting {
            reply: sender,
            lasting: request.method == "subscriptions/listen",
            progress: request.progress.clone(),
            progressed: 0,
            caller: request.caller.clone(),
        };
        self.lock().insert(request.id, waiting);
        Seat {
            board: self,
            id: request.id,
            reply,
        }
    }

    /// Takes what the server sent and gives back what is to be answered at once. `stream` is the
    /// request whose own stream it came on, where there is such a thing.
    ///
    /// # Errors
    /// [`OnlyGarbage`] once too much in a row was none of the protocol.
    pub(crate) fn feed(
        &self,
        text: &[u8],
        stream: Option<u64>,
    ) -> Result<Vec<String>, OnlyGarbage> {
        let mut answers = Vec::new();
        for inbound in message::read(text) {
            match inbound {
                Inbound::Garbage(why) => {
                    self.litter(&why, text)?;
                    continue;
                }
                Inbound::Reply { id, reply } => self.settle(id, reply.into()),
                Inbound::Request(question) => answers.extend(self.question(question, stream)),
                Inbound::Notification { method, params } => self.notice(&method, params, stream),
            }
            self.garbage_run.store(0, Ordering::Relaxed);
        }
        Ok(answers)
    }

    /// Tells the one that waits for `id` what became of its request.
    pub(crate) fn settle(&self, id: u64, exchange: Exchange) {
        let Some(waiting) = self.lock().remove(&id) else {
            let count = self.stray.fetch_add(1, Ordering::Relaxed);
            if count < GARBAGE_LOGGED_MAX {
                tracing::warn!(source = self.source, id, "a reply that nobody waits for");
            }
            return;
        };
        // Whoever waited may have left in the meantime; then nobody needs to know.
        let _ = waiting.reply.send(exchange);
    }

    /// A message was longer than allowed and is lost. Where a single request waits it was its
    /// answer, as far as anybody can know; else each goes on until its own time is up.
    pub(crate) fn overlong(&self, bytes_max: usize) -> Result<(), OnlyGarbage> {
        let alone = {
            let waiting = self.lock();
            let mut ids = waiting
                .iter()
                .filter(|(_, one)| !one.lasting)
                .map(|(id, _)| *id);
            ids.next().filter(|_| ids.next().is_none())
        };
        if let Some(id) = alone {
            let why = format!("its answer is longer than the {bytes_max} bytes allowed");
            self.settle(id, Exchange::Malformed(why));
        }
        self.litter("longer than allowed", b"")
    }

    /// Counts something that is no message.
    pub(crate) fn litter(&self, why: &str, text: &[u8]) -> Result<(), OnlyGarbage> {
        let shown = excerpt(&String::from_utf8_lossy(text), EXCERPT_CHARS);
        if self.garbage.fetch_add(1, Ordering::Relaxed) < GARBAGE_LOGGED_MAX {
            tracing::warn!(source = self.source, why, text = shown, "no message of MCP");
        }
        let mut first = self
            .first_garbage
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(shown);
        if self.garbage_run.fetch_add(1, Ordering::Relaxed) + 1 >= GARBAGE_RUN_MAX {
            return Err(OnlyGarbage);
        }
        Ok(())
    }

    /// What came that was none of the protocol, in words; empty where nothing did.
    pub(crate) fn litter_in_words(&self) -> String {
        let count = self.garbage.load(Ordering::Relaxed);
        let first = self
            .first_garbage
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match (count, first.as_deref()) {
            (0, _) => String::new(),
            (count, first) => format!(
                "{count} lines on its output were not MCP, the first `{}`",
                first.unwrap_or_default()
            ),
        }
    }

    /// A request of the server's own; gives back its answer where no call takes it.
    fn question(&self, question: Question, stream: Option<u64>) -> Option<String> {
        let id = question.id.clone();
        if question.method == "ping" {
            return Some(message::result(&id, &message::empty()));
        }
        let put = match self.caller(stream) {
            Some(caller) => caller.ask(question),
            None => Err(Unput::Undeclared),
        };
        let (code, why) = match put.err()? {
            Unput::Undeclared => (RpcError::METHOD_NOT_FOUND, "method not found"),
            Unput::Unreadable => (RpcError::INVALID_PARAMS, "the parameters cannot be read"),
            Unput::TooMany => (RpcError::INTERNAL, "too many requests in one call"),
        };
        Some(message::refusal(&id, code, why))
    }

    /// Whose call something of the server's own belongs to. Where its stream does not say so, it
    /// is the newest call of the only principal who has any under way.
    ///
    /// INVARIANT: with calls of two principals under way, it is nobody's.
    fn caller(&self, stream: Option<u64>) -> Option<Arc<Caller>> {
        let waiting = self.lock();
        if let Some(one) = stream.and_then(|id| waiting.get(&id))
            && !one.lasting
        {
            return one.caller.clone();
        }
        let callers = || {
            waiting
                .iter()
                .filter_map(|(id, one)| Some((id, one.caller.as_ref()?)))
        };
        let (_, any) = callers().next()?;
        if callers().any(|(_, other)| other.principal != any.principal) {
            return None;
        }
        let newest = callers().filter(|(_, one)| one.has_peer());
        let (_, caller) = newest.max_by_key(|(id, _)| **id)?;
        Some(Arc::clone(caller))
    }

    fn notice(&self, method: &str, params: Option<Raw>, stream: Option<u64>) {
        match method {
            "notifications/progress" => self.progress(params),
            "notifications/message" | "notifications/elicitation/complete" => {
                if let (Some(caller), Some(params)) = (self.caller(stream), params) {
                    caller.tell(method, &params);
                }
            }
            _ if self.news.heard(method, params.as_ref()) => {}
            _ => tracing::debug!(
                source = self.source,
                method,
                "a notification that is not used"
            ),
        }
    }

    fn progress(&self, params: Option<Raw>) {
        let Some(Ok(params)) = params.map(|raw| message::value(&raw, PROGRESS_BYTES_MAX)) else {
            return;
        };
        let Some(id) = params.get("progressToken").and_then(Value::as_u64) else {
            return;
        };
        let sink = {
            let mut waiting = self.lock();
            waiting.get_mut(&id).and_then(|one| {
                one.progressed += 1;
                one.progress
                    .clone()
                    .filter(|_| one.progressed <= PROGRESS_MAX)
            })
        };
        if let Some(sink) = sink {
            sink(params);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{GARBAGE_RUN_MAX, OnlyGarbage, PROGRESS_MAX, Switchboard};
    use crate::exchange::{Exchange, Request, Ticket};
    use crate::follow::News;
    use crate::message::raw;
    use std::sync::{Arc, Mutex};

    fn board() -> Switchboard {
        Switchboard::new("x", Arc::default())
    }

    fn request(id: u64, seen: Option<Arc<Mutex<Vec<String>>>>) -> Request {
        Request {
            id,
            method: "tools/call",
            params: raw(&serde_json::json!({})),
            headers: Vec::new(),
            caller: None,
            progress: seen.map(|seen| -> toolgate_gate::port::ProgressSink {
                Arc::new(move |params| seen.lock().unwrap().push(params.to_string()))
            }),
            ticket: Ticket::default(),
        }
    }

    fn result(exchange: Exchange) -> String {
        match exchange {
            Exchange::Result(raw) => raw.get().to_owned(),
            other => other.in_words(),
        }
    }

    #[test]
    fn the_first_answer_counts_and_only_for_its_own_request() {
        let board = board();
        let mut one = board.seat(&request(1, None));
        let mut two = board.seat(&request(2, None));
        for line in [
            r#"{"jsonrpc":"2.0","id":99,"result":{"for":"nobody"}}"#,
            r#"{"jsonrpc":"2.0","id":2,"result":{"for":"two"}}"#,
            r#"{"jsonrpc":"2.0","id":2,"result":{"for":"two, again"}}"#,
        ] {
            assert_eq!(board.feed(line.as_bytes(), None), Ok(vec![]));
        }
        assert!(one.reply.try_recv().is_err());
        assert_eq!(result(two.reply.try_recv().unwrap()), r#"{"for":"two"}"#);
    }

    #[test]
    fn a_forgotten_request_is_off_the_board() {
        let board = board();
        drop(board.seat(&request(1, None)));
        assert!(board.lock().is_empty());
    }

    #[test]
    fn progress_goes_to_its_own_request_and_not_for_ever() {
        let board = board();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let _one = board.seat(&request(1, Some(Arc::clone(&seen))));
        let _two = board.seat(&request(2, None));
        let line = |token: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":0.10}}}}"#
            )
        };
        for token in ["1", "2", "3", "\"1\"", "null"] {
            assert!(board.feed(line(token).as_bytes(), None).is_ok());
        }
        assert_eq!(
            *seen.lock().unwrap(),
            [r#"{"progressToken":1,"progress":0.10}"#]
        );
        for _ in 0..PROGRESS_MAX + 10 {
            assert!(board.feed(line("1").as_bytes(), None).is_ok());
        }
        assert_eq!(seen.lock().unwrap().len(), PROGRESS_MAX as usize);
    }

    #[test]
    fn a_server_may_litter_now_and_then_but_not_only() {
        let board = board();
        for _ in 0..GARBAGE_RUN_MAX - 1 {
            assert!(board.feed(b"DEBUG starting", None).is_ok());
        }
        assert!(
            board
                .feed(br#"{"jsonrpc":"2.0","method":"x"}"#, None)
                .is_ok()
        );
        for _ in 0..GARBAGE_RUN_MAX - 1 {
            assert!(board.feed(b"DEBUG going on", None).is_ok());
        }
        assert_eq!(board.feed(b"DEBUG on and on", None), Err(OnlyGarbage));
        assert_eq!(
            board.litter_in_words(),
            "1999 lines on its output were not MCP, the first `DEBUG starting`"
        );
    }

    #[test]
    fn an_overlong_message_is_the_answer_of_the_only_one_who_waits() {
        let board = board();
        let mut one = board.seat(&request(1, None));
        let mut two = board.seat(&request(2, None));
        board.overlong(10).unwrap();
        assert!(one.reply.try_recv().is_err() && two.reply.try_recv().is_err());
        drop(one);
        // A stream that lasts is answered at its end only, so it is none of those who wait.
        let _stream = board.seat(&Request {
            method: "subscriptions/listen",
            ..request(3, None)
        });
        board.overlong(10).unwrap();
        let told = result(two.reply.try_recv().unwrap());
        assert_eq!(told, "its answer is longer than the 10 bytes allowed");
    }

    #[test]
    fn a_request_of_the_servers_own_is_answered() {
        let line = br#"{"jsonrpc":"2.0","id":"q","method":"ping"}"#;
        let answers = board().feed(line, None).unwrap();
        assert_eq!(answers, [r#"{"jsonrpc":"2.0","id":"q","result":{}}"#]);
    }

    #[test]
    fn a_change_of_tools_is_noticed() {
        let news = Arc::new(News::default());
        let board = Switchboard::new("x", Arc::clone(&news));
        let line = br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        assert!(board.feed(line, None).is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(news.changed.notified());
    }
}
