//! A call of a modern client, followed until it has ended, asks something or becomes a task.
//!
//! What is asked is an answer of its own, `resultType: "input_required"`; the client's retry is
//! followed on from there. The gate judges the call anew before a retry's answers are let through:
//! what it would deny by now it denies, and the server hears that there will be no answer.
//!
//! Must not know: transports, how anything is decided.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use toolgate_driver::{Driver, Outcome, Watch};
use toolgate_execution::{State, Status};
use toolgate_gate::peer::{Ask, Unanswered};
use toolgate_gate::port::BoxFuture;
use toolgate_model::{Call, Denial, Digest, Duration, InvocationId, json as canonical};

use super::conversations::{Awaited, Beginning, Binding, Conversation, Heard, RoundPeer};
use super::era::Era;
use super::face::{Asked, Face};
use super::limits::FORBIDDEN_WAIT_MAX;
use super::load::Ticket;
use super::message::RpcError;
use super::options::Links;
use super::peer::{Declared, one_line};
use super::render::INVOCATION_KEY;
use super::work::Progress;
use super::{own, tasks};

/// How far a call came.
pub(super) enum Stand {
    /// It ended, or waits for people.
    Ended(Box<Outcome>),
    /// This is the whole answer for now.
    Said(String),
}

/// What a retry brings.
pub(super) struct Retry {
    state: String,
    answers: Map<String, Value>,
}

impl Retry {
    /// What the request brings, if it is a retry.
    pub(super) fn of(asked: &Asked) -> Result<Option<Self>, RpcError> {
        if asked.era != Era::Modern {
            return Ok(None);
        }
        let params = &asked.request.params;
        let answers = match params.get("inputResponses") {
            None => Map::new(),
            Some(Value::Object(answers)) => answers.clone(),
            Some(_) => {
                return Err(RpcError::invalid_params(
                    "`inputResponses` must be an object",
                ));
            }
        };
        match params.get("requestState") {
            None => Ok(None),
            Some(Value::String(state)) => Ok(Some(Self {
                state: state.clone(),
                answers,
            })),
            Some(_) => Err(RpcError::invalid_params("`requestState` must be a text")),
        }
    }
}

/// What a state of this call is bound to.
pub(super) fn binding(asked: &Asked, call: &Call) -> Binding {
    let arguments = canonical::digest(&call.arguments);
    let said = json!([arguments, call.env, call.workflow, call.session]);
    Binding {
        identity: asked.identity.clone(),
        method: asked.request.method.clone(),
        tool: call.tool.clone(),
        call: canonical::digest(&said),
    }
}

/// Makes a call whose client can be talked with, and follows it.
pub(super) async fn begin(
    (face, asked): (&Face, &Asked),
    (call, declared, binding): (Call, Declared, Binding),
    progress: &Progress,
    ticket: Ticket,
) -> Result<Stand, RpcError> {
    let driver = face.api.driver.clone();
    let beginning = Beginning {
        ticket,
        declared,
        listener: progress.clone(),
        ends: asked.ends.clone(),
        clock: driver.clock().clone(),
    };
    let conversation = Conversation::begin(&face.conversations, &asked.identity, beginning);
    let watch = Watch {
        wait: Duration::default(),
        progress: progress.sink().map(|_| conversation.progress()),
        cancelled: Box::pin(conversation.given_up.clone().cancelled_owned()),
        peer: Some(Arc::new(RoundPeer::of(&conversation))),
    };
    let identity = asked.identity.clone();
    let work = async move { driver.submit(&identity, call, watch).await };
    let mut follower = Follower {
        place: (face, asked),
        binding,
        making: Some(Making::of(&conversation, Box::pin(work))),
        conversation,
        part: Part::Own,
    };
    follower.follow().await
}

/// Goes on where a state says, with the answers that came with it.
pub(super) async fn resume(
    (face, asked): (&Face, &Asked),
    binding: Binding,
    retry: Retry,
    progress: &Progress,
) -> Result<Stand, RpcError> {
    let driver = &face.api.driver;
    let awaited = face
        .conversations
        .redeem(&retry.state, &binding, driver.now());
    match awaited {
        None => Err(RpcError::invalid_params(
            "`requestState` is not good for this call, was used already or has expired: \
             make the call again without it",
        )),
        Some(Awaited::Approval(id)) => stored(face, asked, &id)
            .await
            .map(Box::new)
            .map(Stand::Ended),
        Some(Awaited::Answers(conversation)) => {
            if conversation.has_ended() {
                // What is over is not judged again, for it may have changed what it was judged on;
                // but only who still reaches the tool is told what came of it.
                if let Some(id) = conversation.invocation() {
                    stored(face, asked, &id).await?;
                }
            } else if let Some(denial) = forbidden(driver, &conversation).await? {
                return Ok(Stand::Ended(end(driver, &conversation, denial).await?));
            }
            let declared = Declared::of(asked).unwrap_or_default();
            conversation.listen(declared, progress.clone());
            conversation.reply(&retry.answers);
            let mut follower = Follower {
                place: (face, asked),
                binding,
                making: None,
                conversation,
                part: Part::Own,
            };
            follower.follow().await
        }
    }
}

/// Asks the client to send its user to the page of the approval that the call waits for; none where
/// the client shows no links, or takes a task instead.
pub(super) fn link(
    face: &Face,
    asked: &Asked,
    (binding, outcome): (Binding, &Outcome),
) -> Result<Option<String>, RpcError> {
    let State::PendingApproval { frozen, .. } = &outcome.invocation.state else {
        return Ok(None);
    };
    // No credential is in it: whoever opens the page signs in there like everybody else.
    let url = format!("{}/approvals/{}", face.api.public_url, frozen.approval);
    let message = format!(
        "This call waits for approval {} until {}. Its page says who can decide.",
        frozen.approval, frozen.expires_at
    );
    let params = json!({"mode": "url", "message": message, "url": url});
    let ask = Ask {
        key: "approval".to_owned(),
        method: "elicitation/create".to_owned(),
        params: super::message::raw(&params).ok_or_else(RpcError::defect)?,
    };
    let shown = Declared::of(asked)
        .is_some_and(|declared| declared.covers(std::slice::from_ref(&ask)).is_ok());
    if face.options.links == Links::Off || asked.era != Era::Modern || !shown {
        return Ok(None);
    }
    let id = &outcome.invocation.id;
    let state = fresh_state(&face.api.driver)?;
    let awaited = (binding, Awaited::Approval(id.clone()));
    let parked = face
        .conversations
        .park(&state, awaited, face.api.driver.now());
    Ok(parked.then(|| input_required(&[ask], &state, Some(id))))
}

/// The denial of a call that would not be let through by now.
pub(super) async fn forbidden(
    driver: &Driver,
    conversation: &Conversation,
) -> Result<Option<Denial>, RpcError> {
    let Some(id) = conversation.invocation() else {
        return Ok(None);
    };
    driver.rejudge(&id).await.map_err(|failed| {
        tracing::error!(%failed, "a call could not be judged anew");
        RpcError::defect()
    })
}

/// Ends a call that is not allowed any more. Where nothing of it was carried out it was denied; else
/// it is what its record says.
async fn end(
    driver: &Driver,
    conversation: &Conversation,
    denial: Denial,
) -> Result<Box<Outcome>, RpcError> {
    conversation.refuse(Unanswered::Forbidden(denial.message.clone()));
    conversation.given_up.cancel();
    let alarm = driver
        .clock()
        .sleep_until(driver.now().plus(FORBIDDEN_WAIT_MAX));
    let heard = tokio::select! {
        heard = conversation.heard(false) => heard,
        () = alarm => Heard::Broken,
    };
    let Heard::Ended(mut outcome) = heard else {
        return Err(RpcError::defect());
    };
    if outcome.invocation.status() == Status::Failed {
        outcome.invocation.state = State::Denied { denial };
    }
    Ok(outcome)
}

/// The call as the gate's own store knows it, for who still reaches its tool.
async fn stored(face: &Face, asked: &Asked, id: &InvocationId) -> Result<Outcome, RpcError> {
    let found = own::find_call(face, asked, id.as_str()).await;
    let invocation = found.map_err(RpcError::invalid_params)?;
    Ok(Outcome {
        duplicate_of: Some(invocation.id.clone()),
        invocation,
        evidence: Vec::new(),
        replayed: false,
        lease: None,
    })
}

/// A call that is being made; its conversation ends with it, however that happens.
struct Making {
    work: BoxFuture<'static, Outcome>,
    conversation: Arc<Conversation>,
}

impl Making {
    fn of(conversation: &Arc<Conversation>, work: BoxFuture<'static, Outcome>) -> Self {
        Self {
            work,
            conversation: conversation.clone(),
        }
    }

    async fn go(&mut self) {
        let outcome = (&mut self.work).await;
        self.conversation.end(Some(outcome));
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.conversation.end(None);
    }
}

/// Follows one call for one request.
struct Follower<'f> {
    place: (&'f Face, &'f Asked),
    binding: Binding,
    /// The call itself, where this request made it and still has it.
    making: Option<Making>,
    conversation: Arc<Conversation>,
    part: Part,
}

/// What the request has to do with the call that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It made it, or goes on with it.
    Own,
    /// It is another one for the same call.
    Joined,
}

impl Follower<'_> {
    async fn follow(&mut self) -> Result<Stand, RpcError> {
        loop {
            match self.heard().await {
                Heard::Ended(outcome) => return Ok(Stand::Ended(outcome)),
                Heard::Broken => return Err(RpcError::defect()),
                Heard::Same(running) => {
                    // What this request made only waits for the other, and is let go.
                    self.conversation = running;
                    self.making = None;
                    self.part = Part::Joined;
                }
                Heard::Asked => {
                    if let Some(said) = self.park()? {
                        return Ok(Stand::Said(said));
                    }
                }
                Heard::Task => {
                    let (face, asked) = self.place;
                    let said = tasks::begun(face, asked, &self.conversation).await?;
                    self.let_go();
                    return Ok(Stand::Said(said));
                }
            }
        }
    }

    /// What is heard next. A client that goes away meanwhile gives its own call up.
    async fn heard(&mut self) -> Heard {
        let (_, asked) = self.place;
        let (conversation, part) = (self.conversation.clone(), self.part);
        let takes_tasks = tasks::declared(asked) && self.binding.method == "tools/call";
        let heard = conversation.heard(takes_tasks);
        tokio::pin!(heard);
        let mut given_up = false;
        loop {
            let making = async {
                match &mut self.making {
                    Some(making) => making.go().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                heard = &mut heard => return heard,
                () = making => self.making = None,
                () = asked.cancelled.cancelled(), if !given_up => {
                    given_up = true;
                    match part {
                        Part::Own => conversation.given_up.cancel(),
                        Part::Joined => return Heard::Broken,
                    }
                }
            }
        }
    }

    /// Has the call wait for a retry; none where it cannot, and then its server is told so.
    fn park(&mut self) -> Result<Option<String>, RpcError> {
        let (face, _) = self.place;
        let (driver, conversation) = (&face.api.driver, &self.conversation);
        let asks = conversation.asked();
        if asks.is_empty() {
            return Ok(None);
        }
        let state = fresh_state(driver)?;
        let awaited = Awaited::Answers(conversation.clone());
        let parked = (self.binding.clone(), awaited);
        if !face.conversations.park(&state, parked, driver.now()) {
            conversation.refuse(Unanswered::Crowded);
            return Ok(None);
        }
        let said = input_required(&asks, &state, conversation.invocation().as_ref());
        self.let_go();
        Ok(Some(said))
    }

    /// The call goes on without this request.
    fn let_go(&mut self) {
        self.conversation.leave();
        let (face, _) = self.place;
        if let Some(mut making) = self.making.take() {
            let work = async move { making.go().await };
            face.api.tasks.spawn("mcp-call", Box::pin(work));
        }
    }
}

/// A state that nobody can guess.
fn fresh_state(driver: &Driver) -> Result<String, RpcError> {
    let random = driver.random().map_err(|unavailable| {
        tracing::error!(%unavailable, "no state can be made");
        RpcError::defect()
    })?;
    Ok(Digest::from_bytes(random).hex())
}

/// The answer that asks, as JSON text.
fn input_required(asks: &[Ask], state: &str, invocation: Option<&InvocationId>) -> String {
    let meta = invocation.map_or_else(|| json!({}), |id| json!({INVOCATION_KEY: id}));
    format!(
        r#"{{"resultType":"input_required","inputRequests":{},"requestState":"{state}","_meta":{meta}}}"#,
        requests(asks)
    )
}

/// What is asked, by key, as JSON text on one line.
pub(super) fn requests(asks: &[Ask]) -> String {
    let each = asks.iter().map(|ask| {
        let (key, method) = (
            Value::from(ask.key.as_str()),
            Value::from(ask.method.as_str()),
        );
        format!(
            r#"{key}:{{"method":{method},"params":{}}}"#,
            ask.params.get()
        )
    });
    one_line(&format!("{{{}}}", each.collect::<Vec<_>>().join(",")))
}
