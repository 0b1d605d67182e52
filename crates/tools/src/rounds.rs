//! One call as a conversation: asked, asked back, answered.
//!
//! A modern server that wants to know something ends its request with `input_required`; the client
//! behind the call is asked, and the same request goes out again with what it said. A legacy server
//! asks in the middle of the request, which stays under way meanwhile. Either way it is one attempt
//! of one invocation: judged once, recorded once, its deadline standing still while people think.
//!
//! INVARIANT: a request goes out once, and again only where the server's answer to it was that it
//! wants to know more.
//!
//! Must not know: transports, other calls, how the client is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Deserialize;
use tokio::sync::mpsc;
use toolgate_execution::LossCause;
use toolgate_gate::peer::{Ask, Peer, Reply, Round, Unanswered};
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Duration, Method, Timestamp, json::Raw};

use crate::caller::{Caller, Question};
use crate::declared::Declared;
use crate::describe::Offered;
use crate::era::Era;
use crate::errand::Errand;
use crate::exchange::{Exchange, Request};
use crate::message::{self, RpcError, excerpt};
use crate::patience::Patience;
use crate::session::Session;
use crate::verdict::{self, Asked, Word};
use crate::wording::{self, Addition};

/// LIMIT: what clients of every SDK measured give up at, too.
const ROUNDS_MAX: usize = 10;
/// LIMIT: what one round asks; a person fills in no more.
pub(crate) const REQUESTS_MAX: usize = 16;
/// LIMIT: the name of one question.
const KEY_BYTES_MAX: usize = 256;
/// How long until a server that wants nothing but to be asked again is: doubled each time.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// One call under way.
pub(crate) struct Talk<'s> {
    pub(crate) session: &'s Session,
    pub(crate) peer: Option<Arc<dyn Peer>>,
    pub(crate) declared: Declared,
    pub(crate) patience: Patience,
    pub(crate) cancelled: BoxFuture<'static, ()>,
    tool: &'s Offered,
    errand: Errand,
    caller: Arc<Caller>,
    questions: mpsc::Receiver<Question>,
    /// How many questions of a legacy server were put.
    put: u32,
}

/// What a question in the middle of a request came to.
type Put = (Raw, Result<Reply, Unanswered>);

impl<'s> Talk<'s> {
    /// A call that has until the deadline, unless its caller gives up.
    pub(crate) fn new(
        session: &'s Session,
        tool: &'s Offered,
        errand: Errand,
        (deadline, cancelled): (Timestamp, BoxFuture<'static, ()>),
    ) -> Self {
        let peer = errand.peer().cloned();
        let declared = peer
            .as_deref()
            .map_or_else(Declared::default, |peer| session.declared(peer));
        let (caller, questions) = caller(session, &errand, &declared);
        Self {
            patience: Patience::until(deadline, &session.ports.clock),
            session,
            peer,
            declared,
            cancelled,
            tool,
            errand,
            caller: Arc::new(caller),
            questions,
            put: 0,
        }
    }

    /// Carries the conversation to its end.
    pub(crate) async fn run(mut self) -> Answer {
        if let Some(level) = self.declared.level() {
            self.session.have_logged(level).await;
        }
        let asked = self.asked();
        let mut addition = self.given();
        for round in 0..=ROUNDS_MAX {
            let exchange = match self.once(&addition).await {
                Ok(exchange) => exchange,
                Err(answer) => return answer,
            };
            let wanted = match verdict::word(exchange, &asked) {
                Word::Last(answer) => return answer,
                Word::Task(told) => return self.follow(&told, &asked).await,
                Word::Wants(wanted) if round < ROUNDS_MAX => wanted,
                Word::Wants(_) => break,
            };
            addition = match self.answered(&wanted, round).await {
                Ok(addition) => addition,
                Err(answer) => return answer,
            };
        }
        verdict::unanswered(&format!("it asked more than {ROUNDS_MAX} times"))
    }

    fn asked(&self) -> Asked {
        Asked {
            era: self.session.server.era,
            method: Method::of(self.errand.tool()),
            effect: self.tool.descriptor.effect,
            result_bytes_max: self.session.terms.message_bytes_max,
        }
    }

    /// What came with the call before anything was asked; only the modern era has a place for it.
    fn given(&self) -> Addition {
        let given = self.peer.as_ref().and_then(|peer| peer.given());
        let given = given.filter(|_| self.session.server.era == Era::Modern);
        let raw = |(key, value): (&String, _)| (key.clone(), message::raw(value));
        Addition {
            responses: given.into_iter().flatten().map(raw).collect(),
            state: None,
        }
    }

    fn request(&self, addition: &Addition) -> Request {
        let era = self.session.server.era;
        let errand = (self.tool, &self.errand);
        let word = |id| wording::of(era, errand, &self.declared, addition, id);
        let mut request = self.session.request(word);
        request.progress = self.errand.progress().cloned();
        request.caller = Some(Arc::clone(&self.caller));
        request
    }

    /// Sends the request, once, and waits for its answer, until the deadline or until the caller
    /// gives up. An answer that is already there wins over both.
    async fn once(&mut self, addition: &Addition) -> Result<Exchange, Answer> {
        let request = self.request(addition);
        let (id, ticket) = (request.id, request.ticket.clone());
        let mut exchange = self.session.link.request(request);
        let mut asks: FuturesUnordered<BoxFuture<'_, Put>> = FuturesUnordered::new();
        let (cause, reason) = loop {
            tokio::select! {
                biased;
                done = &mut exchange => {
                    self.patience.resume();
                    return Ok(done);
                }
                Some(question) = self.questions.recv() => {
                    self.patience.pause();
                    self.put += 1;
                    asks.push(Box::pin(put(self.peer.clone(), question, self.put)));
                }
                Some((id, reply)) = asks.next(), if !asks.is_empty() => {
                    self.session.link.respond(response(&id, reply));
                    if asks.is_empty() {
                        self.patience.resume();
                    }
                }
                () = &mut self.cancelled => break (LossCause::Cancelled, "the caller gave up"),
                () = self.patience.over() => break (LossCause::Timeout, "no answer in time"),
            }
        };
        drop(exchange);
        if ticket.withdraw() {
            let why = format!("{reason} while it waited to be sent");
            return Err(verdict::unavailable(&why));
        }
        self.session.link.cancel(id, reason);
        let detail = format!("{reason} ({})", self.errand.timeout());
        Err(verdict::lost(cause, detail))
    }

    /// Has the client say what the server wants to know.
    async fn answered(&mut self, wanted: &Raw, round: usize) -> Result<Addition, Answer> {
        let wanted = Wanted::read(wanted).map_err(|why| verdict::invalid(&why))?;
        let state = wanted.state;
        if wanted.requests.is_empty() {
            let pause = AGAIN_AFTER.as_millis() << round;
            let pause = Duration::from_millis(u32::try_from(pause).unwrap_or(u32::MAX));
            self.wait_for(self.session.ports.sleep(pause), "the tool had it wait")
                .await?;
            let responses = Vec::new();
            return Ok(Addition { responses, state });
        }
        let peer = self.allowed(&wanted.requests);
        let peer = peer.map_err(|why| verdict::unanswered(&why))?;
        let asked = keys(&wanted.requests);
        let round = Round {
            requests: wanted.requests,
            piecemeal: false,
        };
        self.patience.pause();
        let answers = self.wait_for(peer.ask(round), "nobody answered").await;
        self.patience.resume();
        let answers = answers?.map_err(|why| verdict::unanswered(&why.to_string()))?;
        let mut responses = results(answers).map_err(|why| verdict::unanswered(&why))?;
        // What was not asked is not answered, whoever says it.
        responses.retain(|(key, _)| asked.contains(key));
        Ok(Addition { responses, state })
    }

    /// The client, where it declared that it can answer all of this.
    pub(crate) fn allowed(&self, requests: &[Ask]) -> Result<Arc<dyn Peer>, String> {
        let undeclared = requests.iter().find(|ask| {
            let params = message::value(&ask.params, self.session.terms.message_bytes_max);
            !params.is_ok_and(|params| self.declared.permits(&ask.method, &params))
        });
        match (&self.peer, undeclared) {
            (Some(peer), None) => Ok(Arc::clone(peer)),
            (_, Some(ask)) => {
                let why = Unanswered::Undeclared(excerpt(&ask.method, 60));
                Err(why.to_string())
            }
            (None, None) => Err("nobody is there to ask".to_owned()),
        }
    }

    /// Waits while nothing is under way at the server, so that giving up is no doubt.
    async fn wait_for<T>(
        &mut self,
        work: impl Future<Output = T>,
        late: &str,
    ) -> Result<T, Answer> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = &mut self.cancelled => Err(verdict::unanswered("the caller gave up")),
            () = self.patience.over() => Err(verdict::unanswered(&format!("{late} in time"))),
        }
    }
}

fn caller(
    session: &Session,
    errand: &Errand,
    declared: &Declared,
) -> (Caller, mpsc::Receiver<Question>) {
    let principal = errand.principal();
    let closed = || mpsc::channel(1).1;
    let Some(peer) = errand.peer() else {
        return (Caller::deaf(principal), closed());
    };
    let caller = Caller::told(principal, Arc::clone(peer), declared.clone());
    match session.server.era {
        // It asks by its answers, and in no other way.
        Era::Modern => (caller, closed()),
        Era::Legacy(_) => caller.asked(session.terms.message_bytes_max),
    }
}

/// Puts a question of a legacy server to the client.
async fn put(peer: Option<Arc<dyn Peer>>, question: Question, number: u32) -> Put {
    let Question { id, method, params } = question;
    let Some(peer) = peer else {
        return (id, Err(Unanswered::Gone));
    };
    // A legacy server names its questions by ids of its connection, which are nobody else's.
    let key = format!("question-{number}");
    let round = Round {
        requests: vec![Ask {
            key: key.clone(),
            method,
            params,
        }],
        piecemeal: false,
    };
    let answers = peer.ask(round).await;
    let own = answers.map(|all| all.into_iter().find(|(given, _)| *given == key));
    let reply = own.and_then(|found| found.map(|(_, reply)| reply).ok_or(Unanswered::Gone));
    (id, reply)
}

/// Our answer to a question of a legacy server.
fn response(id: &Raw, reply: Result<Reply, Unanswered>) -> String {
    match reply {
        Ok(Reply::Result(result)) => message::result(id, &result),
        Ok(Reply::Error(error)) => message::error(id, &error),
        Err(why @ Unanswered::Undeclared(_)) => {
            message::refusal(id, RpcError::METHOD_NOT_FOUND, &why.to_string())
        }
        Err(why) => message::refusal(id, RpcError::INTERNAL, &why.to_string()),
    }
}

/// Under which keys something is asked.
pub(crate) fn keys(requests: &[Ask]) -> BTreeSet<String> {
    requests.iter().map(|ask| ask.key.clone()).collect()
}

/// The results among a client's answers: a further round has no place for an error.
pub(crate) fn results(answers: Vec<(String, Reply)>) -> Result<Vec<(String, Raw)>, String> {
    let result = |(key, reply): (String, Reply)| match reply {
        Reply::Result(result) => Ok((key, result)),
        Reply::Error(error) => Err(format!(
            "it answered `{}` with an error: {}",
            excerpt(&key, 60),
            excerpt(error.get(), 300)
        )),
    };
    answers.into_iter().map(result).collect()
}

/// What a modern server wants before it goes on.
struct Wanted {
    requests: Vec<Ask>,
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WantedLens {
    #[serde(default)]
    input_requests: Option<BTreeMap<String, RequestLens>>,
    #[serde(default)]
    request_state: Option<String>,
}

/// A request inside a result.
#[derive(Deserialize)]
pub(crate) struct RequestLens {
    method: String,
    #[serde(default)]
    params: Option<Raw>,
}

impl Wanted {
    /// Reads a result that was found to be a plain object already.
    fn read(result: &Raw) -> Result<Self, String> {
        let lens: WantedLens = serde_json::from_str(result.get())
            .map_err(|error| format!("what it wants cannot be read: {error}"))?;
        let requests = asks(lens.input_requests.unwrap_or_default())?;
        if requests.is_empty() && lens.request_state.is_none() {
            return Err("it wants input, and does not say which".to_owned());
        }
        Ok(Self {
            requests,
            state: lens.request_state,
        })
    }
}

/// What is asked, each under its key.
pub(crate) fn asks(requests: BTreeMap<String, RequestLens>) -> Result<Vec<Ask>, String> {
    if requests.len() > REQUESTS_MAX {
        return Err(format!("it asks more than {REQUESTS_MAX} things at once"));
    }
    if requests.keys().any(|key| key.len() > KEY_BYTES_MAX) {
        return Err(format!(
            "the key of a request is longer than {KEY_BYTES_MAX} bytes"
        ));
    }
    let ask = |(key, request): (String, RequestLens)| Ask {
        key,
        method: request.method,
        params: request.params.unwrap_or_else(message::empty),
    };
    Ok(requests.into_iter().map(ask).collect())
}
