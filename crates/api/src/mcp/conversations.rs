//! Calls of modern clients whose tool's server may ask something before it answers.
//!
//! ```text
//! call → server asks → input_required + state → (client) → the call again + answers + state → …
//!                      or a task: tasks/get shows what is asked, tasks/update answers it
//! ```
//!
//! While it is asked the call goes on waiting in the gate: one decision, one invocation, one record.
//! The state that the client brings back is a random number that means nothing anywhere else: it is
//! good for one retry, by the credential that it was given to, of the very same call, for a while.
//! What the server calls its own state never leaves the gate.
//!
//! Must not know: how anything is decided, what an answer looks like on the wire.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolgate_driver::Outcome;
use toolgate_gate::ability::Severity;
use toolgate_gate::peer::{Ask, Peer, Reply, Round, Unanswered};
use toolgate_gate::port::{BoxFuture, Clock, ProgressSink};
use toolgate_model::{Digest, Identity, InvocationId, KeyId, Timestamp, ToolId, json::Raw};

use super::limits::{ANSWER_MAX, PARKED_MAX, PARKED_PER_CREDENTIAL_MAX};
use super::listen::over;
use super::load::Ticket;
use super::message::raw;
use super::peer::{Declared, LOGGED, told};
use super::work::Progress;

/// What a state is good for: whose retry, of which call.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    /// The agent, its credential and the person that it acts for.
    pub(super) identity: Identity,
    /// The method.
    pub(super) method: String,
    /// The tool.
    pub(super) tool: ToolId,
    /// What the tool is called with, where and as part of what.
    pub(super) call: Digest,
}

impl Binding {
    fn fits(&self, other: &Self) -> bool {
        self.identity.is_same(&other.identity)
            && (&self.method, &self.tool, self.call) == (&other.method, &other.tool, other.call)
    }

    fn key(&self) -> &KeyId {
        &self.identity.credential.id
    }
}

/// What a retry goes on with.
#[derive(Clone)]
pub(super) enum Awaited {
    /// The answers that a server waits for.
    Answers(Arc<Conversation>),
    /// The decision of people on this call; the client's own answer decides nothing.
    Approval(InvocationId),
}

struct Parked {
    binding: Binding,
    until: Timestamp,
    awaited: Awaited,
}

/// All of them.
#[derive(Default)]
pub(super) struct Conversations {
    // By the digest of the state, so that how long a look takes says nothing about a state.
    parked: Mutex<HashMap<Digest, Parked>>,
    calls: Mutex<HashMap<InvocationId, Arc<Conversation>>>,
}

/// One call, as long as it runs.
pub(super) struct Conversation {
    /// Resolves when the client gives the call up.
    pub(super) given_up: CancellationToken,
    identity: Identity,
    table: Arc<Conversations>,
    talk: Mutex<Talk>,
    moved: watch::Sender<u64>,
    ends: CancellationToken,
    clock: Arc<dyn Clock>,
    _ticket: Ticket,
}

/// How far it has come.
#[derive(Default)]
struct Talk {
    invocation: Option<InvocationId>,
    same: Option<Arc<Conversation>>,
    declared: Declared,
    listener: Option<Progress>,
    piecemeal: bool,
    // What is asked and not answered, and what was answered and not yet fetched.
    asked: Vec<Ask>,
    replies: Vec<(String, Reply)>,
    refused: Option<Unanswered>,
    state: Option<Digest>,
    task: Option<Map<String, Value>>,
    ended: Option<End>,
}

#[derive(Clone)]
enum End {
    Outcome(Box<Outcome>),
    Broken,
}

/// What is heard of a call.
pub(super) enum Heard {
    /// It has ended, or stands as it will for now.
    Ended(Box<Outcome>),
    /// It broke off.
    Broken,
    /// It is the same call as this one, which runs already.
    Same(Arc<Conversation>),
    /// Its server asks something.
    Asked,
    /// Its server made a task of it.
    Task,
}

/// What is handed to a conversation when it begins.
pub(super) struct Beginning {
    pub(super) ticket: Ticket,
    pub(super) declared: Declared,
    pub(super) listener: Progress,
    pub(super) ends: CancellationToken,
    pub(super) clock: Arc<dyn Clock>,
}

impl Conversations {
    /// Has a state wait for its retry; false where too many wait.
    pub(super) fn park(
        &self,
        state: &str,
        (binding, awaited): (Binding, Awaited),
        now: Timestamp,
    ) -> bool {
        let digest = Digest::of(state.as_bytes());
        if let Awaited::Answers(conversation) = &awaited {
            self.unpark(conversation);
            conversation.talk().state = Some(digest);
        }
        let mut parked = self.parked();
        parked.retain(|_, other| now < other.until);
        let mine = parked.values().filter(|p| p.binding.key() == binding.key());
        if mine.count() >= PARKED_PER_CREDENTIAL_MAX || parked.len() >= PARKED_MAX {
            return false;
        }
        let until = now.plus(ANSWER_MAX);
        parked.insert(
            digest,
            Parked {
                binding,
                until,
                awaited,
            },
        );
        true
    }

    /// What the state is good for, once. INVARIANT: a state that was used, has expired, or was given
    /// to somebody else or for another call is good for nothing.
    pub(super) fn redeem(&self, state: &str, binding: &Binding, now: Timestamp) -> Option<Awaited> {
        let digest = Digest::of(state.as_bytes());
        let mut parked = self.parked();
        parked
            .get(&digest)
            .filter(|parked| parked.binding.fits(binding) && now < parked.until)?;
        parked.remove(&digest).map(|parked| parked.awaited)
    }

    /// The conversation of a call that runs here, if there is one.
    pub(super) fn of(&self, invocation: &InvocationId) -> Option<Arc<Conversation>> {
        self.calls().get(invocation).cloned()
    }

    /// The state that the conversation waits under is good for nothing any more.
    fn unpark(&self, conversation: &Conversation) {
        let state = conversation.talk().state.take();
        if let Some(state) = state {
            self.parked().remove(&state);
        }
    }

    fn parked(&self) -> MutexGuard<'_, HashMap<Digest, Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<InvocationId, Arc<Conversation>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Conversation {
    /// Begins one, for a call that is about to be made.
    pub(super) fn begin(
        table: &Arc<Conversations>,
        identity: &Identity,
        beginning: Beginning,
    ) -> Arc<Self> {
        let talk = Talk {
            declared: beginning.declared,
            listener: Some(beginning.listener),
            ..Talk::default()
        };
        Arc::new(Self {
            given_up: CancellationToken::new(),
            identity: identity.clone(),
            table: table.clone(),
            talk: Mutex::new(talk),
            moved: watch::Sender::new(0),
            ends: beginning.ends,
            clock: beginning.clock,
            _ticket: beginning.ticket,
        })
    }

    /// The invocation, once the call is taken.
    pub(super) fn invocation(&self) -> Option<InvocationId> {
        self.talk().invocation.clone()
    }

    /// Whether the call is over.
    pub(super) fn has_ended(&self) -> bool {
        self.talk().ended.is_some()
    }

    /// Waits for what is heard next. `takes_tasks`: whether a task is an answer.
    pub(super) async fn heard(&self, takes_tasks: bool) -> Heard {
        let mut moved = self.moved.subscribe();
        loop {
            if let Some(heard) = self.talk().heard(takes_tasks) {
                return heard;
            }
            if moved.changed().await.is_err() {
                return Heard::Broken;
            }
        }
    }

    /// Where progress of the tool goes: to whoever listens then.
    pub(super) fn progress(self: &Arc<Self>) -> ProgressSink {
        let conversation = self.clone();
        Arc::new(move |params| {
            let listener = conversation.talk().listener.clone();
            if let Some(listener) = listener {
                listener.relay(params);
            }
        })
    }

    /// A retry listens from now on, with what its client declares now.
    pub(super) fn listen(&self, declared: Declared, listener: Progress) {
        let mut talk = self.talk();
        talk.declared = declared;
        talk.listener = Some(listener);
    }

    /// Nobody listens until somebody comes back.
    pub(super) fn leave(&self) {
        self.talk().listener = None;
    }

    /// What is asked and not answered.
    pub(super) fn asked(&self) -> Vec<Ask> {
        self.talk().asked.clone()
    }

    /// What the server says of its task, once it made one.
    pub(super) fn task(&self) -> Option<Map<String, Value>> {
        self.talk().task.clone()
    }

    /// Takes answers to what is asked, each once; everything else in them is ignored.
    pub(super) fn reply(&self, given: &Map<String, Value>) {
        let mut talk = self.talk();
        let asked = std::mem::take(&mut talk.asked);
        let (answered, open): (Vec<_>, Vec<_>) = asked
            .into_iter()
            .partition(|ask| given.contains_key(&ask.key));
        if answered.is_empty() || talk.piecemeal {
            talk.asked = open;
        }
        for ask in answered {
            if let Some(answer) = given.get(&ask.key).and_then(raw) {
                talk.replies.push((ask.key, Reply::Result(answer)));
            }
        }
        self.moved(talk);
    }

    /// Whoever asks is told that there will be no answer, now and from now on.
    pub(super) fn refuse(&self, why: Unanswered) {
        let mut talk = self.talk();
        talk.refused = Some(why);
        talk.asked.clear();
        self.moved(talk);
    }

    /// The call is over; none where nobody can say how. A server may answer a call without waiting
    /// for what it asked: whoever comes back with an answer to that gets the call's own.
    pub(super) fn end(&self, outcome: Option<Outcome>) {
        let mut talk = self.talk();
        talk.asked.clear();
        talk.listener = None;
        let end = outcome.map_or(End::Broken, |outcome| End::Outcome(Box::new(outcome)));
        let is_broken = matches!(talk.ended.get_or_insert(end), End::Broken);
        let invocation = talk.invocation.clone();
        self.moved(talk);
        if is_broken {
            self.table.unpark(self);
        }
        if let Some(id) = invocation {
            let mut calls = self.table.calls();
            if calls
                .get(&id)
                .is_some_and(|other| std::ptr::eq(other.as_ref(), self))
            {
                calls.remove(&id);
            }
        }
    }

    /// The call is taken as this invocation, or is one that runs already.
    fn named(self: &Arc<Self>, invocation: &InvocationId) {
        let running = self
            .table
            .calls()
            .entry(invocation.clone())
            .or_insert_with(|| self.clone())
            .clone();
        let mut talk = self.talk();
        talk.invocation = Some(invocation.clone());
        // Only whoever was asked may answer.
        if !Arc::ptr_eq(&running, self) && running.identity.is_same(&self.identity) {
            talk.same = Some(running);
        }
        self.moved(talk);
    }

    async fn ask(&self, round: Round) -> Result<Vec<(String, Reply)>, Unanswered> {
        {
            let mut talk = self.talk();
            talk.declared.covers(&round.requests)?;
            talk.put(round);
            self.moved(talk);
        }
        let until = self.clock.now().plus(ANSWER_MAX);
        let replies = tokio::select! {
            biased;
            replies = self.replies() => replies,
            () = over(&self.given_up, &self.ends) => Err(Unanswered::Gone),
            () = self.clock.sleep_until(until) => Err(Unanswered::Late),
        };
        self.table.unpark(self);
        if replies.is_err() {
            self.talk().asked.clear();
        }
        replies
    }

    async fn replies(&self) -> Result<Vec<(String, Reply)>, Unanswered> {
        let mut moved = self.moved.subscribe();
        loop {
            {
                let mut talk = self.talk();
                if let Some(why) = &talk.refused {
                    return Err(why.clone());
                }
                if !talk.replies.is_empty() {
                    return Ok(std::mem::take(&mut talk.replies));
                }
            }
            moved.changed().await.map_err(|_| Unanswered::Gone)?;
        }
    }

    /// Wakes whoever waits for what was just changed.
    fn moved(&self, talk: MutexGuard<'_, Talk>) {
        drop(talk);
        self.moved.send_modify(|count| *count += 1);
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Talk {
    fn heard(&self, takes_tasks: bool) -> Option<Heard> {
        match &self.ended {
            Some(End::Outcome(outcome)) => return Some(Heard::Ended(outcome.clone())),
            Some(End::Broken) => return Some(Heard::Broken),
            None => {}
        }
        if let Some(same) = &self.same {
            return Some(Heard::Same(same.clone()));
        }
        if takes_tasks && self.task.is_some() {
            return Some(Heard::Task);
        }
        (!self.asked.is_empty()).then_some(Heard::Asked)
    }

    /// Asks this from now on. What was answered already is not asked again, and answers to what is
    /// not asked any more are forgotten.
    fn put(&mut self, round: Round) {
        let asks = |key: &String| round.requests.iter().any(|ask| ask.key == *key);
        self.replies.retain(|(key, _)| asks(key));
        let open = |ask: &Ask| !self.replies.iter().any(|(key, _)| *key == ask.key);
        self.asked = round
            .requests
            .iter()
            .filter(|ask| open(ask))
            .cloned()
            .collect();
        self.piecemeal = round.piecemeal;
    }
}

/// The client of a modern call.
pub(super) struct RoundPeer {
    declared: Declared,
    conversation: Arc<Conversation>,
}

impl RoundPeer {
    /// The peer of this conversation, as it begins.
    pub(super) fn of(conversation: &Arc<Conversation>) -> Self {
        Self {
            declared: conversation.talk().declared.clone(),
            conversation: conversation.clone(),
        }
    }
}

impl Peer for RoundPeer {
    fn begin(&self, invocation: &InvocationId) {
        self.conversation.named(invocation);
    }

    fn capabilities(&self) -> &Map<String, Value> {
        &self.declared.capabilities
    }

    fn log_level(&self) -> Option<Severity> {
        self.declared.log_level
    }

    fn given(&self) -> Option<&Map<String, Value>> {
        self.declared.given.as_ref()
    }

    fn tell(&self, method: &str, params: Raw) {
        // The modern era knows of no other: whoever asked hears of it by its answer.
        if method != LOGGED {
            return;
        }
        let (declared, listener) = {
            let talk = self.conversation.talk();
            (talk.declared.clone(), talk.listener.clone())
        };
        if let (Some(listener), Some(text)) = (listener, told(&declared, method, &params)) {
            listener.aside(text);
        }
    }

    fn ask(&self, round: Round) -> BoxFuture<'_, Result<Vec<(String, Reply)>, Unanswered>> {
        Box::pin(self.conversation.ask(round))
    }

    fn task(&self, task: Map<String, Value>) {
        let mut talk = self.conversation.talk();
        talk.task = Some(task);
        self.conversation.moved(talk);
    }
}
