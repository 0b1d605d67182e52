//! The director: sets the stage, then makes things happen at moments that the seed picks.
//!
//! Calls, repeated calls, changed policies, revoked keys, disabled and edited tools, entities that
//! change, processes that die, pause and wake up, clocks that are set, callers that hang up or
//! withdraw: one event after another, and in the end calm.
//!
//! Must not know: what the driver makes of it.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_driver::{AgentSpec, Driver, Failed, KeySpec, Watch};
use toolgate_gate::Caller;
use toolgate_model::{
    AgentId, Call, Duration, Glob, Grant, Mode, Profile, Role, Scope, Timestamp, Trigger,
};
use toolgate_policy::Document;

use crate::cast::{self, AGENT, APPROVERS, DOCUMENT, OWNER, PARTS, Policy, Shelf};
use crate::executor::WORLD;
use crate::hosts;
use crate::world::{NODES_MAX, World};

/// Who set the gate up.
const LOCAL: &str = "local@localhost";

/// Clocks of nodes are wrong by at most this many milliseconds.
// LIMIT: 10 s, so that two clocks differ by 20 s at most, which the bounds of descriptors count in.
const CLOCK_ERROR_MAX: i64 = 10_000;

/// Tokens as they were shown once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    owner: String,
    people: Vec<(&'static str, String)>,
    agents: Vec<String>,
}

impl Keys {
    /// The token of this person, or of the agent where it poses as one.
    pub(crate) fn person(&self, name: &str) -> Option<String> {
        if name == AGENT {
            return self.agents.last().cloned();
        }
        let found = self.people.iter().find(|(known, _)| *known == name);
        found.map(|(_, token)| token.clone())
    }
}

/// Makes people, an agent with its key, and a policy, through the driver itself.
///
/// # Errors
/// Where the driver refuses.
pub(crate) async fn set_up(world: Arc<World>, driver: Arc<Driver>) -> Result<(), String> {
    let told = |failed: Failed| failed.to_string();
    let first = driver.renew_local(name(LOCAL)?).await.map_err(told)?;
    let owner = first
        .ok_or("the gate has an owner already")?
        .token
        .reveal()
        .to_string();
    let caller = driver.authenticate(Some(&owner)).await;
    let caller = caller.map_err(|denial| denial.message)?;
    let mut keys = Keys {
        owner,
        ..Keys::default()
    };
    for person in APPROVERS.into_iter().chain([OWNER]) {
        let who = (name(person)?, Role::Approver);
        let (_, issued) = driver
            .put_operator(&caller, who, None)
            .await
            .map_err(told)?;
        keys.people
            .push((person, issued.token.reveal().to_string()));
    }
    driver.put_agent(&caller, agent()?).await.map_err(told)?;
    keys.agents.push(key(&driver, &caller).await.map_err(told)?);
    *world.keys_mut() = keys;
    publish(&driver, &caller, Policy::Open).await
}

async fn publish(driver: &Driver, caller: &Caller, policy: Policy) -> Result<(), String> {
    let document = Document {
        name: DOCUMENT.to_owned(),
        text: policy.text(),
    };
    let published = driver
        .publish_policies(caller, vec![document], "simulated")
        .await;
    published.map(|_| ()).map_err(|refused| refused.to_string())
}

async fn key(driver: &Driver, caller: &Caller) -> Result<String, Failed> {
    let spec = KeySpec {
        agent: name(AGENT).map_err(Failed::Invalid)?,
        ttl: None,
        scope: Scope::default(),
    };
    Ok(driver
        .create_key(caller, spec)
        .await?
        .token
        .reveal()
        .to_string())
}

fn agent() -> Result<AgentSpec, String> {
    let grant = Grant {
        tools: vec![Glob::new("desk.*")],
        resources: Vec::new(),
        actions: Vec::new(),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk: None,
    };
    Ok(AgentSpec {
        id: name(AGENT)?,
        owner: name(OWNER)?,
        role: Role::Agent,
        profile: Profile::Scoped {
            grants: vec![grant],
        },
        runtime: None,
        project: None,
        trusted_host: false,
    })
}

fn name(text: &str) -> Result<AgentId, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

/// What the director remembers of calls, to make them again.
#[derive(Default)]
struct Memory {
    calls: Vec<Call>,
    shelf: Shelf,
    policy: usize,
}

/// Makes so many things happen, then lets calm in.
pub(crate) async fn direct(world: Arc<World>, events: u64) {
    let mut memory = Memory::default();
    for _ in 0..events {
        let gap = match world.workload.weighted(&[5, 4, 1]) {
            0 => world.workload.between(0, 40),
            1 => world.workload.between(40, 4_000),
            _ => world.workload.between(4_000, 60_000),
        };
        world.time.rest(gap).await;
        happen(&world, &mut memory);
    }
    world.time.rest(world.workload.between(0, 60_000)).await;
    world.calm();
}

fn happen(world: &Arc<World>, memory: &mut Memory) {
    match world
        .workload
        .weighted(&[46, 14, 5, 3, 4, 3, 8, 4, 4, 4, 3, 2])
    {
        0 => fresh_call(world, memory),
        1 => repeated_call(world, memory),
        2 => change_policy(world, memory),
        3 => replace_key(world),
        4 => change_shelf(world, memory, |shelf, dice| {
            shelf.disabled = match shelf.disabled {
                Some(_) => None,
                None => usize::try_from(dice).ok().map(|dice| dice % PARTS.len()),
            };
        }),
        5 => change_shelf(world, memory, |shelf, _| shelf.edition += 1),
        6 => change_charge(world),
        7 => crash(world),
        8 => pause(world),
        9 => set_clock(world),
        10 => hang_up(world),
        _ => withdraw(world),
    }
}

fn fresh_call(world: &Arc<World>, memory: &mut Memory) {
    let dice = &world.workload;
    let Some(part) = dice.pick(&PARTS) else {
        return;
    };
    let charge = format!("ch_{}", dice.between(1, 4));
    let Some(known) = world.desk.charge(&charge) else {
        return;
    };
    // Most amounts are used once, so that calls are alike only where they are meant to be.
    let base = if dice.thousandth(350) {
        cast::ASKS_ABOVE + 1
    } else {
        1
    };
    let arguments = if part.acts() {
        json!({"charge": charge, "customer": format!("cust_{}", known.customer),
            "amount": base + dice.between(0, 400), "version": known.version})
    } else {
        json!({"invocation": "none", "customer": "cust_1"})
    };
    let Ok(tool) = cast::tool(part.tool) else {
        return;
    };
    let mut call = Call::new(tool, arguments);
    call.session = Some("one".to_owned());
    call.trigger = trigger(world, &charge);
    call.idempotency_key = dice
        .thousandth(500)
        .then(|| format!("key-{}", memory.calls.len()));
    memory.calls.push(call.clone());
    submit(world, call);
}

/// The event that the agent says it acts on: the right one mostly, another one, or none that is.
fn trigger(world: &World, charge: &str) -> Option<Trigger> {
    let id = match world.workload.weighted(&[6, 1, 1, 2]) {
        0 => format!("ev_{charge}"),
        1 => format!("ev_ch_{}", world.workload.between(1, 4)),
        2 => "ev_none".to_owned(),
        _ => return None,
    };
    let source = "desk".to_owned();
    Some(Trigger { source, id })
}

fn repeated_call(world: &Arc<World>, memory: &mut Memory) {
    let Some(call) = world.workload.pick(&memory.calls) else {
        return;
    };
    let mut call = call.clone();
    if world.workload.thousandth(100) {
        // The same key for another call is a conflict, never a second effect.
        call.arguments = with_amount(&call.arguments, world.workload.between(1, 900));
    }
    call.allow_duplicate = world.workload.thousandth(100);
    submit(world, call);
}

fn with_amount(arguments: &Value, amount: i64) -> Value {
    let mut arguments = arguments.clone();
    if let Some(map) = arguments
        .as_object_mut()
        .filter(|map| map.contains_key("amount"))
    {
        map.insert("amount".to_owned(), json!(amount));
    }
    arguments
}

fn submit(world: &Arc<World>, mut call: Call) {
    let (own, dice) = (world.clone(), &world.workload);
    let number = world.next_call();
    call.correlation = Some(format!("call-{number}"));
    let Some(token) = world.keys().any_agent(dice.next()) else {
        return;
    };
    let wait = if dice.thousandth(400) {
        dice.between(0, 30_000)
    } else {
        0
    };
    let patience = dice.thousandth(60).then(|| dice.between(10, 20_000));
    let watch = watch(world, wait, patience);
    if world.is_hosts_call() {
        call.mode = Mode::Host;
    }
    let hosted = call.mode == Mode::Host;
    world.note(format_args!(
        "call {number} of {} {}",
        call.tool, call.arguments
    ));
    world.request(world.any_node(), "call", |driver| async move {
        let Ok(Caller::Agent(identity)) = driver.authenticate(Some(&token)).await else {
            return;
        };
        own.judge.called(number, &call, own.time.now());
        let outcome = driver.submit(&identity, call, watch).await;
        own.answered(number, &outcome);
        if hosted {
            hosts::follow(&own, &outcome);
        }
    });
}

/// How a caller follows its call: for how long it waits, and whether it gives up.
fn watch(world: &Arc<World>, wait: i64, patience: Option<i64>) -> Watch {
    let mut watch = Watch {
        wait: Duration::from_millis(u32::try_from(wait).unwrap_or_default()),
        ..Watch::default()
    };
    if let Some(patience) = patience {
        watch.cancelled = world.time.rest(patience);
    }
    watch
}

/// Runs `work` as the owner of the gate, on any node.
fn administer<F>(world: &Arc<World>, work: impl FnOnce(Arc<Driver>, Caller) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let token = world.keys().owner;
    world.request(world.any_node(), "administer", |driver| async move {
        if let Ok(caller) = driver.authenticate(Some(&token)).await {
            work(driver, caller).await;
        }
    });
}

fn change_policy(world: &Arc<World>, memory: &mut Memory) {
    // Open between all others, so that something can happen.
    memory.policy += 1;
    let others = [Policy::Closed, Policy::Asking];
    let policy = match memory.policy % 3 {
        0 => Policy::Open,
        2 => Policy::Careful,
        _ => world
            .workload
            .pick(&others)
            .copied()
            .unwrap_or(Policy::Closed),
    };
    world.faults.count("policy changed");
    administer(world, move |driver, caller| async move {
        // Refused where the store is away or somebody was faster.
        let _done = publish(&driver, &caller, policy).await;
    });
}

fn replace_key(world: &Arc<World>) {
    world.faults.count("key revoked");
    let own = world.clone();
    administer(world, move |driver, caller| async move {
        let Ok(token) = key(&driver, &caller).await else {
            return;
        };
        let old = std::mem::replace(&mut own.keys_mut().agents, vec![token]);
        for old in old {
            if let Some(id) = key_of(&old) {
                let _done = driver.revoke_key(&caller, &id).await;
            }
        }
    });
}

fn key_of(token: &str) -> Option<toolgate_model::KeyId> {
    toolgate_model::Token::parse(token)
        .ok()
        .map(|token| token.key)
}

fn change_shelf(world: &Arc<World>, memory: &mut Memory, change: impl FnOnce(&mut Shelf, u64)) {
    change(&mut memory.shelf, world.workload.next());
    let shelf = memory.shelf;
    world.faults.count("tools changed");
    for node in 0..NODES_MAX {
        let (own, wait) = (world.clone(), world.workload.between(0, 2_000));
        let hear = async move {
            own.time.rest(wait).await;
            own.restock(node, shelf);
        };
        world.executor.spawn(WORLD, "restock", Box::pin(hear));
    }
}

fn change_charge(world: &Arc<World>) {
    let dice = &world.workload;
    let (charge, other) = (format!("ch_{}", dice.between(1, 4)), dice.thousandth(300));
    world.faults.count("entity changed");
    world.note(format_args!("{charge} changes"));
    world.desk.change(&charge, world.time.now(), |charge| {
        if other {
            charge.customer = charge.customer % 4 + 1;
        } else {
            charge.amount += 1;
        }
    });
}

fn crash(world: &Arc<World>) {
    world.faults.count("process killed");
    world.crash_node(world.any_node());
}

/// A process that stands still for a while and then goes on as if nothing had been.
fn pause(world: &Arc<World>) {
    let Some((process, _)) = world.serving(world.any_node()) else {
        return;
    };
    world.faults.count("process paused");
    world.note(format_args!("process {} stands still", process.0));
    world.executor.pause(process);
    let own = world.clone();
    let wait = world.workload.between(100, 120_000);
    let wake = async move {
        own.time.rest(wait).await;
        own.note(format_args!("process {} goes on", process.0));
        own.executor.go_on(process);
    };
    world.executor.spawn(WORLD, "wake", Box::pin(wake));
}

/// A clock is set: forwards, or back a little.
fn set_clock(world: &Arc<World>) {
    let (dice, clock) = (&world.workload, world.any_node() + 1);
    let error = world.time.error(clock) + dice.between(-2_000, 8_000);
    let error = error.clamp(-CLOCK_ERROR_MAX, CLOCK_ERROR_MAX);
    world.faults.count("clock set");
    world.note(format_args!(
        "the clock of node {} is wrong by {error} ms",
        clock - 1
    ));
    world.time.set_error(clock, error);
}

fn hang_up(world: &Arc<World>) {
    if let Some((process, _)) = world.serving(world.any_node())
        && world.executor.drop_one(process, "call", &world.workload)
    {
        world.faults.count("caller hung up");
        world.note(format_args!("a caller of process {} hangs up", process.0));
    }
}

fn withdraw(world: &Arc<World>) {
    let known = world.judge.known();
    let Some(id) = world.workload.pick(&known).cloned() else {
        return;
    };
    let Some(token) = world.keys().any_agent(0) else {
        return;
    };
    world.faults.count("call withdrawn");
    world.request(world.any_node(), "withdraw", |driver| async move {
        if let Ok(caller) = driver.authenticate(Some(&token)).await {
            // Refused where it is not waiting.
            let _done = driver.cancel(&caller, &id).await;
        }
    });
}

impl Keys {
    /// A token of the agent, which may be one that was revoked a moment ago.
    pub(crate) fn any_agent(&self, drawn: u64) -> Option<String> {
        let place = usize::try_from(drawn)
            .ok()?
            .checked_rem(self.agents.len())?;
        self.agents.get(place).cloned()
    }
}

/// When the world has certainly come to rest, by true time.
pub(crate) fn rest_by(now: i64) -> i64 {
    Timestamp::from_millis(now)
        .plus(Duration::from_secs(3_600))
        .as_millis()
}
