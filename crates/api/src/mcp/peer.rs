//! Who is behind a call: what its client declared, and how the tool's server may talk with it.
//!
//! A legacy client is sent requests on the stream of its call and answers them in its session
//! ([`SessionPeer`]). A modern one is asked by an answer that is not the last word, and comes back
//! with what it was asked for ([`super::conversations`]). Neither is ever asked what it did not
//! declare that it can answer, and nobody is told of an ability that it did not declare.
//!
//! Must not know: which server asks, how a question travels to the gate.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use toolgate_gate::ability::{Severity, permits, shows_pages};
use toolgate_gate::peer::{Ask, Peer, Reply, Round, Unanswered};
use toolgate_gate::port::{BoxFuture, Clock};
use toolgate_model::json::Raw;

use super::client::{Client, Question};
use super::era::{CAPABILITIES_KEY, Era};
use super::face::{Asked, Face};
use super::limits::ANSWER_MAX;
use super::listen::over;
use super::message::notification;
use super::tasks;
use super::work::{Outgoing, Outlet, Progress};

pub(super) const LOGGED: &str = "notifications/message";
const ELICITED: &str = "notifications/elicitation/complete";

/// What the client of a request says that it can do and wants to hear.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) capabilities: Map<String, Value>,
    pub(super) log_level: Option<Severity>,
    /// Answers that came before anything was asked.
    pub(super) given: Option<Map<String, Value>>,
}

impl Declared {
    /// What the request says; none where its client can be asked nothing and wants to hear nothing.
    pub(super) fn of(asked: &Asked) -> Option<Self> {
        let params = &asked.request.params;
        let meta = params.get("_meta");
        let declared = match (asked.era, &asked.client) {
            (Era::Modern, _) => meta
                .and_then(|meta| meta.get(CAPABILITIES_KEY))
                .and_then(Value::as_object),
            (Era::Legacy(_), client) => client.as_ref().map(|client| client.capabilities()),
        };
        let mut capabilities = declared.cloned().unwrap_or_default();
        if asked.era != Era::Modern || asked.request.method != "tools/call" {
            // Only a call of a tool becomes a task, and only of a client that polls.
            tasks::undeclare(&mut capabilities);
        }
        let mut log_level = asked.log_level();
        if asked.client.is_some() {
            // Whoever says nothing in a session hears what servers say by themselves.
            log_level.get_or_insert(Severity::INFO);
        }
        let can = ["elicitation", "sampling", "roots"]
            .iter()
            .any(|name| capabilities.contains_key(*name))
            || tasks::declares(&capabilities);
        (can || log_level.is_some()).then(|| Self {
            capabilities,
            log_level,
            given: params
                .get("inputResponses")
                .and_then(Value::as_object)
                .cloned(),
        })
    }

    /// Whether the client declared that it can answer all of this.
    pub(super) fn covers(&self, asks: &[Ask]) -> Result<(), Unanswered> {
        match asks.iter().find(|ask| !self.can(ask)) {
            None => Ok(()),
            Some(ask) => Err(Unanswered::Undeclared(ask.method.clone())),
        }
    }

    fn can(&self, ask: &Ask) -> bool {
        let params: Value = serde_json::from_str(ask.params.get()).unwrap_or_default();
        permits(&self.capabilities, &ask.method, &params)
    }
}

/// The client of a call within a legacy session, which hears the stream of the call.
pub(super) struct SessionPeer {
    declared: Declared,
    client: Arc<Client>,
    progress: Progress,
    cancelled: CancellationToken,
    ends: CancellationToken,
    clock: Arc<dyn Clock>,
}

impl SessionPeer {
    /// The peer of this request, where there is somebody to talk with.
    pub(super) fn of(face: &Face, asked: &Asked, progress: &Progress) -> Option<Arc<dyn Peer>> {
        let client = asked.client.clone()?;
        Some(Arc::new(Self {
            declared: Declared::of(asked)?,
            client,
            progress: progress.clone(),
            cancelled: asked.cancelled.clone(),
            ends: asked.ends.clone(),
            clock: face.api.driver.clock().clone(),
        }))
    }

    async fn converse(&self, round: Round) -> Result<Vec<(String, Reply)>, Unanswered> {
        self.declared.covers(&round.requests)?;
        let outlet = self.progress.outlet();
        let mut questions = Vec::new();
        for ask in round.requests {
            let question = self.client.question().ok_or(Unanswered::Crowded)?;
            let message = Outgoing::Notification(request(question.id, &ask));
            if !outlet.say(message).await {
                return Err(Unanswered::Gone);
            }
            questions.push((ask.key, question));
        }
        let ids: Vec<u64> = questions.iter().map(|(_, question)| question.id).collect();
        let until = self.clock.now().plus(ANSWER_MAX);
        tokio::select! {
            biased;
            replies = all(questions) => replies,
            () = over(&self.cancelled, &self.ends) => Err(Unanswered::Gone),
            () = self.clock.sleep_until(until) => {
                self.take_back(&ids, outlet);
                Err(Unanswered::Late)
            }
        }
    }

    /// Tells the client that nobody waits for its answers any more.
    fn take_back(&self, ids: &[u64], outlet: &Outlet) {
        for id in ids {
            let params = json!({"requestId": id, "reason": "not answered in time"});
            outlet.mention(notification("notifications/cancelled", &params));
        }
    }
}

impl Peer for SessionPeer {
    fn capabilities(&self) -> &Map<String, Value> {
        &self.declared.capabilities
    }

    fn log_level(&self) -> Option<Severity> {
        self.declared.log_level
    }

    fn given(&self) -> Option<&Map<String, Value>> {
        None
    }

    fn is_asked_midway(&self) -> bool {
        true
    }

    fn tell(&self, method: &str, params: Raw) {
        if let Some(text) = told(&self.declared, method, &params) {
            self.progress.aside(text);
        }
    }

    fn ask(&self, round: Round) -> BoxFuture<'_, Result<Vec<(String, Reply)>, Unanswered>> {
        Box::pin(self.converse(round))
    }

    // A legacy client declares no tasks, so nothing becomes one.
    fn task(&self, _task: Map<String, Value>) {}
}

async fn all(questions: Vec<(String, Question)>) -> Result<Vec<(String, Reply)>, Unanswered> {
    let mut replies = Vec::new();
    for (key, question) in questions {
        let reply = question.reply().await.ok_or(Unanswered::Gone)?;
        replies.push((key, reply));
    }
    Ok(replies)
}

/// A notification of the server as the client may hear it: log messages, if it wants any, and in a
/// session also that what it was sent to a page for is done.
pub(super) fn told(declared: &Declared, method: &str, params: &Raw) -> Option<String> {
    let wanted = match method {
        LOGGED => declared.log_level.is_some(),
        ELICITED => shows_pages(&declared.capabilities),
        _ => false,
    };
    let (method, params) = (Value::from(method), params.get());
    wanted.then(|| {
        one_line(&format!(
            r#"{{"jsonrpc":"2.0","method":{method},"params":{params}}}"#
        ))
    })
}

fn request(id: u64, ask: &Ask) -> String {
    let (method, params) = (Value::from(ask.method.as_str()), ask.params.get());
    one_line(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#
    ))
}

/// Outside strings JSON means the same on one line, and a message is one line.
pub(super) fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
