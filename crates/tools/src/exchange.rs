//! What can become of one request to a server, before anybody judges what it means.
//!
//! Each variant says how far the request got, which is all that decides between *refused* and
//! *nobody can know* (3-execution, 1). The judgement itself is in [`crate::verdict`].
//!
//! Must not know: what was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use toolgate_gate::port::{BoxFuture, ProgressSink};
use toolgate_model::json::Raw;

use crate::caller::Caller;
use crate::era::Era;
use crate::message::{Reply, RpcError, excerpt};

/// What became of one request.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// A result, as written.
    Result(Raw),
    /// An error of the protocol, and the HTTP status it came with.
    Error {
        /// The error.
        error: RpcError,
        /// 200 where there is no HTTP.
        status: u16,
    },
    /// An HTTP status without a message of the protocol.
    Status {
        /// The status.
        status: u16,
        /// The beginning of its body.
        body: String,
    },
    /// An answer that breaks the protocol.
    Malformed(String),
    /// Not one byte was sent.
    NotSent(String),
    /// It was sent, and no answer can come any more.
    Broken(String),
}

impl Exchange {
    /// What happened, for people.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Result(_) => "it gave a result".to_owned(),
            Self::Error { error, .. } if error.message.is_empty() => {
                format!("error {}", error.code)
            }
            Self::Error { error, .. } => {
                format!("error {}: {}", error.code, excerpt(&error.message, 300))
            }
            Self::Status { status, body } if body.is_empty() => format!("HTTP {status}"),
            Self::Status { status, body } => format!("HTTP {status}: {}", excerpt(body, 200)),
            Self::Malformed(why) | Self::NotSent(why) | Self::Broken(why) => why.clone(),
        }
    }
}

impl From<Reply> for Exchange {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Result(result) => Self::Result(result),
            Reply::Error(error) => Self::Error { error, status: 200 },
            Reply::Malformed(why) => Self::Malformed(why),
        }
    }
}

/// One request on its way.
pub(crate) struct Request {
    /// Its number, unique on its connection.
    pub(crate) id: u64,
    /// The method.
    pub(crate) method: &'static str,
    /// Its parameters, as they go out.
    pub(crate) params: Raw,
    /// HTTP headers that mirror parts of the parameters.
    pub(crate) headers: Vec<(String, String)>,
    /// Where progress goes. Its token is the request's number.
    pub(crate) progress: Option<ProgressSink>,
    /// Who is behind it; none for what asks nothing of a tool, such as a list.
    pub(crate) caller: Option<Arc<Caller>>,
    /// Whether it has gone out.
    pub(crate) ticket: Ticket,
}

/// Decides between sending a request and taking it back, so that exactly one of the two happens.
///
/// INVARIANT: once [`Ticket::withdraw`] said yes, [`Ticket::depart`] says no for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket(Arc<AtomicU8>);

impl Ticket {
    const WAITING: u8 = 0;
    const DEPARTED: u8 = 1;
    const WITHDRAWN: u8 = 2;

    /// Whether the request may go out now. Asked right before its first byte.
    pub(crate) fn depart(&self) -> bool {
        self.turn(Self::DEPARTED)
    }

    /// Whether the request was taken back before its first byte.
    pub(crate) fn withdraw(&self) -> bool {
        self.turn(Self::WITHDRAWN)
    }

    fn turn(&self, to: u8) -> bool {
        let order = Ordering::AcqRel;
        self.0
            .compare_exchange(Self::WAITING, to, order, Ordering::Acquire)
            .is_ok()
    }
}

/// A connection to one server. Implemented once a transport.
pub(crate) trait Link: Send + Sync {
    /// Sends a request and waits for what becomes of it, for as long as it takes. Dropping the
    /// future forgets the answer; it never sends anything again.
    fn request(&self, request: Request) -> BoxFuture<'_, Exchange>;

    /// Sends a notification; nobody learns whether it arrived.
    fn notify(&self, method: &'static str, params: Raw) -> BoxFuture<'_, ()>;

    /// Sends our answer to a request of the server's own; nobody learns whether it arrived.
    fn respond(&self, text: String);

    /// Takes note of what was agreed with the server.
    fn agree(&self, era: Era);

    /// Tells the server that nobody waits for this request any more.
    fn cancel(&self, id: u64, reason: &'static str);

    /// Listens for changes of the list of tools where that takes a stream of its own; ends when
    /// the stream ends.
    fn listen(&self, request: Request) -> BoxFuture<'_, Exchange>;

    /// Resolves with the reason once the connection is of no use any more.
    fn ended(&self) -> BoxFuture<'_, String>;

    /// Whether it has.
    fn is_ended(&self) -> bool;

    /// What the server did besides answering, for a message about a failure.
    fn observations(&self) -> String;

    /// Ends the connection in good order, within bounds.
    fn close(&self) -> BoxFuture<'_, ()>;
}

#[cfg(test)]
mod tests {
    use super::Ticket;

    #[test]
    fn a_request_is_either_sent_or_taken_back() {
        let sent = Ticket::default();
        assert!(sent.depart() && !sent.withdraw() && !sent.depart());
        let taken = Ticket::default();
        assert!(taken.withdraw() && !taken.depart() && !taken.clone().depart());
    }
}
