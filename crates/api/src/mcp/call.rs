//! `tools/call`: from parameters to a call, through the gate, to the words of its outcome.
//!
//! Every call goes through [`Driver::submit`](toolgate_driver::Driver::submit), also of tools that
//! do not exist or are hidden from the caller: the client is told the same of both, and the record
//! says which it was.
//!
//! Must not know: transports; how anything is decided.

use std::sync::Arc;

use futures_util::future::{Either, select};
use serde_json::{Map, Value};
use toolgate_driver::{Outcome, Watch};
use toolgate_execution::State;
use toolgate_gate::{Configuration, known};
use toolgate_model::{Call, Code, Descriptor, Digest, Duration, Identity, Timestamp, ToolId};

use super::era::Era;
use super::face::{Asked, Face};
use super::limits::WAITING_TICK;
use super::list::named;
use super::listen::over;
use super::load::Kind;
use super::message::RpcError;
use super::peer::{Declared, SessionPeer};
use super::render::{Renderer, unknown_tool};
use super::rounds::{Retry, Stand};
use super::work::Progress;
use super::{meta, own, rounds, tasks};

/// LIMIT: characters of an unknown tool's name that the record keeps.
const UNKNOWN_NAME_MAX: usize = 64;

/// What the parameters of a call say.
pub(super) struct Wanted {
    /// The tool, as clients know it.
    pub(super) name: String,
    /// The arguments, an object.
    pub(super) arguments: Value,
}

/// The tool that a name leads to.
pub(super) enum Target {
    /// One that the caller may know of.
    Known(Arc<Descriptor>),
    /// One that is there, and hidden from the caller.
    Hidden(ToolId),
    /// None; the id is what the record calls it.
    Missing(ToolId),
}

/// Serves one call.
pub(super) async fn call(
    face: &Face,
    asked: &Asked,
    progress: &Progress,
) -> Result<String, RpcError> {
    let wanted = Wanted::read(&asked.request.params)?;
    if let Some(tool) = own::find(face.options.presence, &wanted.name) {
        let _ticket = face.load.enter(&asked.identity.credential.id, Kind::Call)?;
        return tool.run(face, asked, wanted.arguments, progress).await;
    }
    let target = Target::of(face, &asked.identity, &wanted.name)?;
    let call = Call::new(target.id(), wanted.arguments);
    match carry(face, asked, call, progress).await? {
        Carried::Said(result) => Ok(result),
        Carried::Ended(outcome) if target.is_unknown(&outcome) => {
            Err(unknown_tool(&wanted.name, &outcome.invocation.id))
        }
        Carried::Ended(outcome) => {
            let renderer = renderer(face, asked);
            match renderer.server_error(&outcome) {
                Some(error) => Err(error),
                None => Ok(renderer.result(&outcome)),
            }
        }
    }
}

/// What became of a call on its way through the gate.
pub(super) enum Carried {
    /// The whole answer, as JSON text: the handle of a task.
    Said(String),
    /// How it ended, or stands when its caller was held long enough.
    Ended(Box<Outcome>),
}

/// Takes a call through the gate, for every method that is one.
pub(super) async fn carry(
    face: &Face,
    asked: &Asked,
    mut call: Call,
    progress: &Progress,
) -> Result<Carried, RpcError> {
    let ticket = face.load.enter(&asked.identity.credential.id, Kind::Call)?;
    let given = asked.request.params.get("_meta");
    meta::fill(&mut call, given, asked.idempotency_key.clone())?;
    let retry = Retry::of(asked)?;
    let declared = Declared::of(asked).filter(|_| asked.era == Era::Modern);
    // A retry has had its link.
    let mut linked = None;
    let stand = match (retry, declared) {
        (Some(retry), _) => {
            let binding = rounds::binding(asked, &call);
            rounds::resume((face, asked), binding, retry, progress).await?
        }
        (None, Some(declared)) => {
            let binding = rounds::binding(asked, &call);
            linked = Some(binding.clone());
            let made = (call, declared, binding);
            rounds::begin((face, asked), made, progress, ticket).await?
        }
        (None, None) => Stand::Ended(Box::new(submit(face, asked, call, progress).await)),
    };
    let outcome = match stand {
        Stand::Said(said) => return Ok(Carried::Said(said)),
        Stand::Ended(outcome) => *outcome,
    };
    let may_be_task = asked.request.method == "tools/call";
    if let Some(task) = tasks::handle(asked, &outcome).filter(|_| may_be_task) {
        return Ok(Carried::Said(task));
    }
    if let Some(binding) = linked
        && let Some(link) = rounds::link(face, asked, (binding, &outcome))?
    {
        return Ok(Carried::Said(link));
    }
    let patience = Patience::OfCall(face.options.hold);
    let outcome = settle(face, asked, (outcome, patience), progress).await;
    Ok(Carried::Ended(Box::new(outcome)))
}

/// Makes the call and waits for it. In a session its client may be asked things meanwhile.
async fn submit(face: &Face, asked: &Asked, call: Call, progress: &Progress) -> Outcome {
    let watch = Watch {
        wait: Duration::default(),
        progress: progress.sink(),
        cancelled: Box::pin(asked.cancelled.clone().cancelled_owned()),
        peer: SessionPeer::of(face, asked, progress),
    };
    face.api.driver.submit(&asked.identity, call, watch).await
}

/// Renders outcomes for the one who asked.
pub(super) fn renderer<'f>(face: &'f Face, asked: &Asked) -> Renderer<'f> {
    Renderer {
        public_url: &face.api.public_url,
        presence: face.options.presence,
        era: asked.era,
    }
}

/// How long an outcome is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// So long for people, and for an attempt that runs until it ends.
    OfCall(Duration),
    /// So long, whatever is waited for.
    OfQuestion(Duration),
}

/// Waits for what is still to come. Tells that it waits, and stops when the client gives up: what
/// waits for people stays.
pub(super) async fn settle(
    face: &Face,
    asked: &Asked,
    (mut outcome, patience): (Outcome, Patience),
    progress: &Progress,
) -> Outcome {
    let driver = &face.api.driver;
    let begin = driver.now();
    while let Some(until) = patience.until(&outcome, begin) {
        let now = driver.now();
        if now >= until {
            break;
        }
        progress.tick(&waiting_for(&outcome));
        let id = outcome.invocation.id.clone();
        let wait = Box::pin(driver.wait(&id, until.min(now.plus(WAITING_TICK))));
        match select(wait, Box::pin(over(&asked.cancelled, &asked.ends))).await {
            Either::Left((Ok(invocation), _)) => outcome.invocation = invocation,
            Either::Left((Err(_), _)) | Either::Right(_) => break,
        }
    }
    outcome
}

impl Patience {
    /// Until when; none where nothing more will come by itself.
    fn until(self, outcome: &Outcome, begin: Timestamp) -> Option<Timestamp> {
        let (Self::OfCall(span) | Self::OfQuestion(span)) = self;
        let held = begin.plus(span);
        match (&outcome.invocation.state, self) {
            // Also of a call whose client may be asked things: whoever joined it is asked nothing.
            (State::Executing { attempt, .. }, Self::OfCall(_)) => {
                let alone = attempt.started_at.plus(outcome.invocation.proposal.timeout);
                Some(attempt.lease_until.min(alone).max(held))
            }
            (
                State::Executing { .. } | State::PendingApproval { .. } | State::Approved { .. },
                _,
            ) => Some(held),
            // The gate finds out by itself; a call was held for that already when it was taken.
            (State::UnknownEffect { .. } | State::Reconciling { .. }, Self::OfQuestion(_)) => {
                Some(held)
            }
            (
                State::Proposed
                | State::Denied { .. }
                | State::UnknownEffect { .. }
                | State::Reconciling { .. }
                | State::NeedsOperator { .. }
                | State::Succeeded { .. }
                | State::Failed { .. }
                | State::Rejected { .. }
                | State::Expired { .. }
                | State::Cancelled { .. },
                _,
            ) => None,
        }
    }
}

fn waiting_for(outcome: &Outcome) -> String {
    match outcome.invocation.state.frozen() {
        Some(frozen) => {
            format!(
                "waiting for approval {} until {}",
                frozen.approval, frozen.expires_at
            )
        }
        None => format!(
            "{}: {}",
            outcome.invocation.id,
            outcome.invocation.status().as_str()
        ),
    }
}

impl Wanted {
    /// Reads the parameters of `tools/call`.
    pub(super) fn read(params: &Map<String, Value>) -> Result<Self, RpcError> {
        let Some(name) = params.get("name").and_then(Value::as_str) else {
            return Err(RpcError::invalid_params("`name` must name a tool"));
        };
        let arguments = match params.get("arguments") {
            None | Some(Value::Null) => Value::Object(Map::new()),
            Some(arguments @ Value::Object(_)) => arguments.clone(),
            Some(_) => return Err(RpcError::invalid_params("`arguments` must be an object")),
        };
        Ok(Self {
            name: name.to_owned(),
            arguments,
        })
    }
}

impl Target {
    /// Where the name leads for this identity.
    pub(super) fn of(face: &Face, identity: &Identity, name: &str) -> Result<Self, RpcError> {
        let (configuration, now) = (face.api.driver.configuration(), face.api.driver.now());
        Ok(match named(&configuration, face.options.presence, name) {
            Some(tool) if known(&configuration, identity, tool, now) => Self::Known(tool.clone()),
            Some(tool) => Self::Hidden(tool.id.clone()),
            None => {
                let id = unknown_id(&configuration, name);
                Self::Missing(id.ok_or_else(RpcError::defect)?)
            }
        })
    }

    fn id(&self) -> ToolId {
        match self {
            Self::Known(tool) => tool.id.clone(),
            Self::Hidden(id) | Self::Missing(id) => id.clone(),
        }
    }

    /// Whether the caller is told that there is no such tool.
    fn is_unknown(&self, outcome: &Outcome) -> bool {
        let State::Denied { denial } = &outcome.invocation.state else {
            return false;
        };
        denial.code == Code::ToolNotFound || !matches!(self, Self::Known(_))
    }
}

/// What the record calls a tool that is not there: never the id of one that is. The digest keeps
/// two names apart that have the same letters.
pub(super) fn unknown_id(configuration: &Configuration, name: &str) -> Option<ToolId> {
    let free = |id: &ToolId| configuration.catalogue.get(id).is_none();
    let dotted = name.replacen("__", ".", 1).parse().ok().filter(free);
    dotted.or_else(|| {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let letters: String = name.chars().filter(plain).take(UNKNOWN_NAME_MAX).collect();
        let digest = Digest::of(name.as_bytes()).hex();
        format!("unknown.{letters}-{digest}")
            .parse()
            .ok()
            .filter(free)
    })
}
