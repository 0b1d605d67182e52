//! The client behind a call, as far as the tool's server may talk with it while the call runs.
//!
//! MCP lets a server ask its client things in the middle of a call (a form for the user, a sample
//! of the client's model, the roots of its workspace), tell it what it logs, and turn the call into
//! a task. A call has one [`Peer`] at most: whoever made it and is still there. A call that runs
//! later, after people approved it, has none, and its server is told of no abilities.
//!
//! ```text
//! server → tools port → Peer::ask → face → client → face → tools port → server
//! ```
//!
//! Must not know: transports, eras, how an answer travels.

use serde_json::{Map, Value};
use toolgate_model::{Duration, InvocationId, json::Raw};

use crate::ability::Severity;
use crate::port::BoxFuture;

/// LIMIT: how long a call may wait in all for what its client is asked, or run as a task of its
/// server, beyond its own timeout. An hour: people fill in forms, and no lease is held for ever.
pub const PEER_WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// The client behind a call.
pub trait Peer: Send + Sync {
    /// The call is taken as this invocation, or is the same call as one that runs as it. Told once,
    /// before the tool's server is asked anything.
    fn begin(&self, invocation: &InvocationId) {
        let _ = invocation;
    }

    /// What the client declared that it can do, as it wrote it (`ClientCapabilities` of MCP).
    /// INVARIANT: a server is never told of anything else.
    fn capabilities(&self) -> &Map<String, Value>;

    /// The least severe log message that the client wants; none: it wants none.
    fn log_level(&self) -> Option<Severity>;

    /// Answers that came with the call itself, before anything was asked (`inputResponses`).
    fn given(&self) -> Option<&Map<String, Value>>;

    /// Whether the client answers while its request is still under way, as clients did before
    /// 2026-07-28; others answer between two rounds of it. A server that speaks to both is then
    /// spoken to in the same way, since some ask only in the way in which they are asked.
    fn is_asked_midway(&self) -> bool {
        false
    }

    /// Passes on a notification about the call, as the server wrote it.
    fn tell(&self, method: &str, params: Raw);

    /// Has the client answer. Resolves with some of the answers at least, each under its key.
    ///
    /// # Errors
    /// [`Unanswered`] where there will be none.
    fn ask(&self, round: Round) -> BoxFuture<'_, Result<Vec<(String, Reply)>, Unanswered>>;

    /// The server answered with a task: what it says of it (`status`, `statusMessage`, `ttlMs`,
    /// `pollIntervalMs`, …), again each time it says something else.
    fn task(&self, task: Map<String, Value>);
}

/// What a server asks its client at once.
#[derive(Clone, Debug)]
pub struct Round {
    /// What is asked, each under the key that the server gave it.
    pub requests: Vec<Ask>,
    /// Whether answers may come one by one: the round then resolves with the first of them.
    pub piecemeal: bool,
}

/// One thing that a server asks its client.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The key, unique within its round.
    pub key: String,
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: String,
    /// Its parameters, as written.
    pub params: Raw,
}

/// What the client answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Its result, as written.
    Result(Raw),
    /// Its JSON-RPC error object, as written.
    Error(Raw),
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unanswered {
    /// The client did not declare that it can be asked this, so it was not.
    #[error("the client did not declare that it can answer `{0}`")]
    Undeclared(String),
    /// The client is gone, or gave the call up.
    #[error("the client is gone")]
    Gone,
    /// It did not answer in time.
    #[error("the client did not answer in time")]
    Late,
    /// Too many of its calls wait for answers already.
    #[error("too many calls of this client wait for its answers already")]
    Crowded,
    /// The gate refused to go on: what the call may do was judged anew, and denied.
    #[error("the call is not allowed any more: {0}")]
    Forbidden(String),
}
