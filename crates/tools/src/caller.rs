//! Whoever is behind a request on its way to a server, and how the server may talk with them while
//! it runs.
//!
//! A server that asks `elicitation/create` in the middle of `tools/call` has its question put into
//! the caller's queue, out of which the call itself takes it; what it logs goes to the client at
//! once. Both only as far as the client declared and the source may use.
//!
//! Must not know: what carries the request, or which request something belongs to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tokio::sync::mpsc;
use toolgate_gate::ability::Severity;
use toolgate_gate::peer::Peer;
use toolgate_gate::trust::Behalf;
use toolgate_model::{AgentId, TenantId, json::Raw};

use crate::declared::Declared;
use crate::message;

/// LIMIT: questions of one call that wait to be put.
const QUESTIONS_WAITING_MAX: usize = 8;
/// LIMIT: a server that asks more than this in one call asks for ever.
const QUESTIONS_MAX: u32 = 64;
/// LIMIT: a server that logs more than this in one call logs noise.
const TOLD_MAX: u32 = 10_000;
/// LIMIT: what is logged is for people.
const TOLD_BYTES_MAX: usize = 64 << 10;

/// Whose a call is: what one principal's conversation holds is nobody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Principal {
    pub(crate) tenant: TenantId,
    pub(crate) agent: AgentId,
    /// The person whom the agent acts for.
    pub(crate) user: Option<AgentId>,
}

impl Principal {
    /// On whose behalf this principal's requests are sent, where that is a person's.
    pub(crate) fn behalf(&self) -> Option<Behalf> {
        let (agent, user) = (self.agent.clone(), self.user.clone()?);
        Some(Behalf { agent, user })
    }
}

/// Something that a server asks in the middle of a call.
#[derive(Debug)]
pub(crate) struct Question {
    /// Its id, to be echoed.
    pub(crate) id: Raw,
    /// What it wants.
    pub(crate) method: String,
    /// Its parameters, as written.
    pub(crate) params: Raw,
}

/// Why a question is not put.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unput {
    /// Nobody declared that they could answer it.
    Undeclared,
    /// It cannot be read, or is too long.
    Unreadable,
    /// There were too many.
    TooMany,
}

/// Who is behind a request.
pub(crate) struct Caller {
    /// Whose it is; none: the gate's own.
    pub(crate) principal: Option<Principal>,
    ear: Option<Ear>,
}

/// How a client is reached in the middle of its call.
struct Ear {
    peer: Arc<dyn Peer>,
    declared: Declared,
    told: AtomicU32,
    /// Where questions go; none where the era knows no questions in the middle of a request.
    inbox: Option<Inbox>,
}

/// The questions of one call.
struct Inbox {
    questions: mpsc::Sender<Question>,
    asked: AtomicU32,
    bytes_max: usize,
}

impl Caller {
    /// A caller who cannot be talked with.
    pub(crate) const fn deaf(principal: Option<Principal>) -> Self {
        Self {
            principal,
            ear: None,
        }
    }

    /// A caller whose client is told what the server logs, as far as it wants it.
    pub(crate) const fn told(
        principal: Option<Principal>,
        peer: Arc<dyn Peer>,
        declared: Declared,
    ) -> Self {
        let ear = Ear {
            peer,
            declared,
            told: AtomicU32::new(0),
            inbox: None,
        };
        Self {
            principal,
            ear: Some(ear),
        }
    }

    /// The same, whose client can also be asked: questions of at most so many bytes arrive at the
    /// other end.
    pub(crate) fn asked(mut self, bytes_max: usize) -> (Self, mpsc::Receiver<Question>) {
        let (questions, receiver) = mpsc::channel(QUESTIONS_WAITING_MAX);
        if let Some(ear) = &mut self.ear {
            ear.inbox = Some(Inbox {
                questions,
                asked: AtomicU32::new(0),
                bytes_max,
            });
        }
        (self, receiver)
    }

    /// Whether there is a client to talk with.
    pub(crate) const fn has_peer(&self) -> bool {
        self.ear.is_some()
    }

    /// Puts a question into the queue of the call.
    pub(crate) fn ask(&self, question: Question) -> Result<(), Unput> {
        let ear = self.ear.as_ref().ok_or(Unput::Undeclared)?;
        let inbox = ear.inbox.as_ref().ok_or(Unput::Undeclared)?;
        let params = message::value(&question.params, inbox.bytes_max);
        let params = params.map_err(|_| Unput::Unreadable)?;
        if !ear.declared.permits(&question.method, &params) {
            return Err(Unput::Undeclared);
        }
        if inbox.asked.fetch_add(1, Ordering::Relaxed) >= QUESTIONS_MAX {
            return Err(Unput::TooMany);
        }
        inbox
            .questions
            .try_send(question)
            .map_err(|_| Unput::TooMany)
    }

    /// Passes on what the server logs, where the client wants it.
    pub(crate) fn tell(&self, method: &str, params: &Raw) {
        let Some(ear) = &self.ear else { return };
        let Ok(read) = message::value(params, TOLD_BYTES_MAX) else {
            return;
        };
        if ear.wants(method, &read) && ear.told.fetch_add(1, Ordering::Relaxed) < TOLD_MAX {
            ear.peer.tell(method, params.clone());
        }
    }
}

impl Ear {
    fn wants(&self, method: &str, params: &Value) -> bool {
        match method {
            "notifications/message" => {
                let level = params.get("level").and_then(Value::as_str);
                let level = level.and_then(Severity::named);
                matches!((level, self.declared.level()), (Some(it), Some(least)) if it >= least)
            }
            // The page that the user was sent to is done.
            "notifications/elicitation/complete" => self.declared.shows_pages(),
            _ => false,
        }
    }
}
