//! The downstream: it keeps a ledger of what really happened, whatever anybody was told.
//!
//! A request takes its way through the network as a task of the world, so it arrives, or lands
//! late, also when the process that sent it is dead. What the sender hears is decided apart from
//! what happens. The ledger is the truth that the judge compares everything with.
//!
//! Must not know: why a call was allowed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use toolgate_execution::{Invocation, LossCause};
use toolgate_gate::Look;
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{Answer, BoxFuture, Tools};
use toolgate_model::{Catalogue, Code, SourceStatus, json::Raw};

use crate::bug::Bug;
use crate::cast::{CHARGE, EVENT, FIND, Habit, LATE_BOUNDED_MAX, LATE_UNBOUNDED_MAX, Part};
use crate::executor::{Process, WORLD};
use crate::faults::Fault;
use crate::world::World;

/// What calls are about.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) customer: u64,
    pub(crate) amount: u64,
    pub(crate) version: u64,
    /// Since when customer and amount are as they are, by true time.
    pub(crate) since: i64,
}

/// One effect.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) invocation: String,
    pub(crate) tool: String,
}

/// All of it.
#[derive(Default)]
pub(crate) struct Desk(Mutex<Books>);

#[derive(Default)]
struct Books {
    rows: Vec<Row>,
    charges: BTreeMap<String, Charge>,
    under_way: BTreeMap<String, u32>,
}

/// One request as it travels.
#[derive(Clone, Debug)]
struct Request {
    invocation: String,
    attempt: u32,
    part: &'static Part,
    charge: String,
    version: u64,
}

impl Request {
    fn new(part: &'static Part, (id, attempt): (&str, u32), arguments: &Value) -> Self {
        let charge = arguments.get("charge").and_then(Value::as_str);
        let version = arguments.get("version").and_then(Value::as_u64);
        Self {
            invocation: id.to_owned(),
            attempt,
            part,
            charge: charge.unwrap_or_default().to_owned(),
            version: version.unwrap_or_default(),
        }
    }
}

/// Sends what a host runs; none where the desk has no such tool.
pub(crate) fn by_host(
    world: &Arc<World>,
    invocation: &Invocation,
    attempt: u32,
) -> Option<oneshot::Receiver<Answer>> {
    let proposal = &invocation.proposal;
    let part = Part::of(proposal.tool.as_str())?;
    let named = (invocation.id.as_str(), attempt);
    Some(depart(
        world,
        Request::new(part, named, &proposal.arguments),
    ))
}

/// What becomes of a request, and what its sender hears.
struct Fate {
    travels: i64,
    lands: Option<i64>,
    hears: Hears,
}

enum Hears {
    Truth,
    Nothing,
    Lost(LossCause),
    Refused,
    Failed,
}

/// What the desk did with a request that arrived.
enum Done {
    Effect,
    Again,
    KeyRefused,
    Changed,
}

impl Desk {
    /// Adds the charges that calls are about.
    pub(crate) fn open(&self, now: i64) {
        let mut books = self.books();
        for number in 1..=4 {
            let charge = Charge {
                customer: number,
                amount: 1_000,
                version: 1,
                since: now,
            };
            books.charges.insert(format!("ch_{number}"), charge);
        }
    }

    /// The charge of this name.
    pub(crate) fn charge(&self, name: &str) -> Option<Charge> {
        self.books().charges.get(name).cloned()
    }

    /// Changes a charge from outside.
    pub(crate) fn change(&self, name: &str, now: i64, change: impl FnOnce(&mut Charge)) {
        if let Some(charge) = self.books().charges.get_mut(name) {
            change(charge);
            charge.version += 1;
            charge.since = now;
        }
    }

    /// Whether a request of this invocation may still land.
    pub(crate) fn is_under_way(&self, invocation: &str) -> bool {
        self.books()
            .under_way
            .get(invocation)
            .is_some_and(|open| *open > 0)
    }

    fn depart(&self, invocation: &str) {
        *self
            .books()
            .under_way
            .entry(invocation.to_owned())
            .or_default() += 1;
    }

    fn arrived(&self, invocation: &str) {
        if let Some(open) = self.books().under_way.get_mut(invocation) {
            *open = open.saturating_sub(1);
        }
    }

    fn land(&self, request: &Request) -> Done {
        let mut books = self.books();
        let known = books
            .rows
            .iter()
            .any(|row| row.invocation == request.invocation);
        match request.part.habit {
            Habit::Reads => return Done::Again,
            Habit::Replays if known => return Done::Again,
            Habit::Refuses if known => return Done::KeyRefused,
            Habit::Conditional => {
                let charge = books.charges.get_mut(&request.charge);
                match charge.filter(|charge| charge.version == request.version) {
                    Some(charge) => charge.version += 1,
                    None => return Done::Changed,
                }
            }
            Habit::Replays | Habit::Refuses | Habit::Bare => {}
        }
        books.rows.push(Row {
            invocation: request.invocation.clone(),
            tool: request.part.tool.to_owned(),
        });
        Done::Effect
    }

    fn seen(&self, look: &Look) -> Value {
        let books = self.books();
        let named = |name: &str| look.arguments().get(name).and_then(Value::as_str);
        if look.tool().as_str() == CHARGE {
            let charge = named("id").and_then(|id| books.charges.get(id));
            return charge.map_or(Value::Null, |charge| {
                json!({"customer": format!("cust_{}", charge.customer), "amount": charge.amount})
            });
        }
        if look.tool().as_str() == EVENT {
            // There is one event for each charge, and no other.
            let about = named("id").and_then(|id| id.strip_prefix("ev_"));
            let charge = about.filter(|charge| books.charges.contains_key(*charge));
            return charge.map_or(Value::Null, |charge| json!({"charge": charge}));
        }
        let asked = named("invocation").unwrap_or_default();
        let rows = books.rows.iter().filter(|row| row.invocation == asked);
        let rows: Vec<_> = rows
            .map(|row| json!({"invocation": row.invocation, "tool": row.tool}))
            .collect();
        json!({"rows": rows})
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tools as one process reaches them: the gate's port.
pub(crate) struct NodeTools {
    pub(crate) world: Arc<World>,
    pub(crate) process: Process,
    pub(crate) node: usize,
}

impl Tools for NodeTools {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.world.catalogue(self.node)
    }

    fn sources(&self) -> Vec<SourceStatus> {
        Vec::new()
    }

    fn call(&self, mut dispatch: Dispatch) -> BoxFuture<'_, Answer> {
        let Some(part) = Part::of(dispatch.tool().as_str()) else {
            return Box::pin(std::future::ready(refused("no such tool")));
        };
        let named = (dispatch.invocation().as_str(), dispatch.attempt());
        let request = Request::new(part, named, dispatch.arguments());
        let (cancelled, world) = (dispatch.take_cancelled(), self.world.clone());
        let by = (self.node, self.process);
        Box::pin(async move {
            if world.faults.strikes(Fault::Queued) {
                // A connection that is slow to open; whoever stands still meanwhile is late.
                world
                    .time
                    .rest(world.faults.dice().between(1, 15_000))
                    .await;
            }
            world.sent(by, &dispatch);
            exchange(&world, request, cancelled).await
        })
    }

    fn look(&self, look: Look) -> BoxFuture<'_, Answer> {
        let world = self.world.clone();
        Box::pin(async move {
            let dice = world.faults.dice();
            world.time.rest(dice.between(0, 60)).await;
            if world.faults.strikes(Fault::LookFailed) {
                return refused("the look was refused");
            }
            let mut seen = world.desk.seen(&look);
            if world.bug == Bug::EventsBelieved && look.tool().as_str() == EVENT {
                seen = json!({"charge": believed(&look)});
            }
            world.time.rest(dice.between(0, 400)).await;
            if world.faults.strikes(Fault::LookLost) {
                return lost(LossCause::Timeout);
            }
            let found = look.tool().as_str() == FIND;
            let about = look
                .invocation()
                .map(ToString::to_string)
                .unwrap_or_default();
            if found {
                world.note(format_args!("look for {about}: {seen}"));
                world.judge.looked(&about);
            }
            answered(&seen, false)
        })
    }
}

/// The charge that a believed event is about: any that the call could mean.
fn believed(look: &Look) -> String {
    let named = look.arguments().get("id").and_then(Value::as_str);
    let about = named.and_then(|id| id.strip_prefix("ev_"));
    about
        .filter(|charge| *charge != "none")
        .unwrap_or("ch_1")
        .to_owned()
}

/// One request and what its sender hears, unless it gives up before.
async fn exchange(
    world: &Arc<World>,
    request: Request,
    cancelled: BoxFuture<'static, ()>,
) -> Answer {
    match select(depart(world, request.clone()), cancelled).await {
        Either::Left((Ok(Answer::Lost { .. }), _)) if world.bug == Bug::RetryWithoutProbe => {
            let again = depart(world, request).await;
            again.unwrap_or_else(|_| lost(LossCause::Disconnected))
        }
        Either::Left((Ok(answer), _)) => answer,
        Either::Left((Err(_), cancelled)) => {
            // Nobody will answer; only the driver's own patience ends this.
            cancelled.await;
            lost(LossCause::Cancelled)
        }
        Either::Right(((), _)) => lost(LossCause::Cancelled),
    }
}

/// Sends a request on its way, which it goes whatever becomes of its sender.
fn depart(world: &Arc<World>, request: Request) -> oneshot::Receiver<Answer> {
    let (sender, receiver) = oneshot::channel();
    world.desk.depart(&request.invocation);
    let way = travel(world.clone(), request, sender);
    world.executor.spawn(WORLD, "request", Box::pin(way));
    receiver
}

async fn travel(world: Arc<World>, request: Request, sender: oneshot::Sender<Answer>) {
    let fate = fate(&world, request.part);
    world.time.rest(fate.travels).await;
    let heard = match fate.hears {
        Hears::Truth => None,
        Hears::Nothing => Some(None),
        Hears::Lost(cause) => Some(Some(lost(cause))),
        Hears::Refused => Some(Some(refused("connection refused"))),
        Hears::Failed => Some(Some(answered(&json!({"error": "declined"}), true))),
    };
    let mut sender = Some(sender);
    let mut tell = |answer: Option<Answer>| {
        // A sender that is gone hears nothing; a dropped one hears that nothing will come.
        if let (Some(sender), Some(answer)) = (sender.take(), answer) {
            let _gone = sender.send(answer);
        }
    };
    if let Some(heard) = heard {
        world.note(format_args!(
            "attempt {} of {} hears no truth",
            request.attempt, request.invocation
        ));
        tell(heard);
        if let Some(later) = fate.lands {
            world.time.rest(later).await;
            let _unheard = arrive(&world, &request);
        }
    } else {
        let done = arrive(&world, &request);
        world.time.rest(fate.lands.unwrap_or_default()).await;
        tell(Some(reply(&world, &done)));
    }
    world.desk.arrived(&request.invocation);
}

fn arrive(world: &Arc<World>, request: &Request) -> Done {
    let done = world.desk.land(request);
    if matches!(done, Done::Effect) {
        world.landed(&request.invocation, request.attempt);
    }
    done
}

fn reply(world: &World, done: &Done) -> Answer {
    match done {
        Done::Effect => answered(&json!({"done": true}), false),
        Done::Again => answered(&json!({"done": true, "again": true}), false),
        // Some say 409, which proves nothing; some say so in an error of their own.
        Done::KeyRefused if world.faults.dice().thousandth(500) => lost(LossCause::Ambiguous),
        Done::KeyRefused => answered(&json!({"error": "key used"}), true),
        Done::Changed => answered(&json!({"error": "changed meanwhile"}), true),
    }
}

fn fate(world: &World, part: &Part) -> Fate {
    let (faults, dice) = (&world.faults, world.faults.dice());
    let late_max = if part.lands_within.is_some() {
        LATE_BOUNDED_MAX
    } else {
        LATE_UNBOUNDED_MAX
    };
    let slow = faults.strikes(Fault::Slow);
    let travels = if slow {
        dice.between(0, 15_000)
    } else {
        dice.between(0, 80)
    };
    let fate = |lands, hears| Fate {
        travels,
        lands,
        hears,
    };
    let lost = |faults: &crate::faults::Faults| {
        if faults.strikes(Fault::Hung) {
            Hears::Nothing
        } else {
            Hears::Lost(LossCause::Disconnected)
        }
    };
    if faults.strikes(Fault::Refused) {
        fate(None, Hears::Refused)
    } else if faults.strikes(Fault::Failed) {
        fate(None, Hears::Failed)
    } else if faults.strikes(Fault::LostBefore) {
        fate(None, lost(faults))
    } else if faults.strikes(Fault::LostAfter) {
        fate(Some(0), lost(faults))
    } else if faults.strikes(Fault::LandedLate) {
        fate(Some(dice.between(1, late_max)), lost(faults))
    } else if faults.strikes(Fault::Ambiguous) {
        let lands = dice.thousandth(500).then(|| dice.between(0, 1_000));
        fate(lands, Hears::Lost(LossCause::Ambiguous))
    } else {
        let answers = if slow {
            dice.between(0, 15_000)
        } else {
            dice.between(0, 80)
        };
        fate(Some(answers), Hears::Truth)
    }
}

fn answered(value: &Value, failed: bool) -> Answer {
    match serde_json::from_str::<Raw>(&value.to_string()) {
        Ok(result) => Answer::Answered { result, failed },
        Err(_) => lost(LossCause::Ambiguous),
    }
}

fn refused(message: &str) -> Answer {
    Answer::Refused {
        code: Code::UpstreamUnavailable,
        message: message.to_owned(),
        error: None,
    }
}

fn lost(cause: LossCause) -> Answer {
    Answer::Lost {
        cause,
        detail: "the simulation lost it".to_owned(),
    }
}
