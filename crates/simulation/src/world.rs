//! One world: its time, its store, its downstream, and the nodes that run the real driver in it.
//!
//! ```text
//! director, people ──▶ node 1, node 2 (real drivers) ──▶ one store
//!                             │                            │ every durable write
//!                             ▼                            ▼
//!                           desk (ledger) ─────────────▶ judge
//! ```
//!
//! A node that crashes loses every task at once and is started again on the same store later.
//!
//! Must not know: what should happen; the judge knows.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use toolgate_driver::{Driver, Outcome, Ports};
use toolgate_execution::Invocation;
use toolgate_gate::Settings;
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{Commit, Entropy, Store, Unavailable};
use toolgate_model::{Catalogue, Duration, ToolId};
use toolgate_record::Signer;
use toolgate_store::MemoryStore;

use crate::bug::Bug;
use crate::cast::{self, Shelf};
use crate::desk::{Desk, NodeTools};
use crate::dice::Dice;
use crate::director::Keys;
use crate::executor::{Executor, Place, Process, WORLD};
use crate::faults::{Fault, Faults};
use crate::judge::{Happening, Judge, Sending, Truth};
use crate::store::NodeStore;
use crate::time::{NodeClock, TRUE, Time};
use crate::trace::{Keep, Trace};

/// How many nodes there may be.
pub(crate) const NODES_MAX: usize = 2;

/// How long an approval may wait here.
const APPROVAL_SPAN: Duration = Duration::from_secs(600);

/// How often a node fires its timers and looks for what others left.
const UPKEEP: [i64; 2] = [1_000, 5_000];

/// Everything there is.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) bug: Bug,
    pub(crate) executor: Arc<Executor>,
    pub(crate) time: Arc<Time>,
    pub(crate) trace: Trace,
    pub(crate) faults: Faults,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) desk: Desk,
    pub(crate) judge: Judge,
    pub(crate) workload: Dice,
    /// What hosts do, apart from everything else: worlds without any stay as they were.
    pub(crate) hosts: Dice,
    keys: Mutex<Keys>,
    calls: AtomicU64,
    nodes: Mutex<Vec<Node>>,
    processes: AtomicU64,
    me: Weak<Self>,
}

/// One node: a machine on which processes come and go.
struct Node {
    process: Process,
    driver: Option<Arc<Driver>>,
    shelf: Shelf,
    shelf_since: i64,
    catalogue: Arc<Catalogue>,
    coming: bool,
}

impl World {
    /// A world with this many nodes, none of them started.
    ///
    /// # Errors
    /// Where the cast or the signing key cannot be made.
    pub(crate) fn new(
        (seed, bug): (u64, Bug),
        nodes: usize,
        keep: Keep,
    ) -> Result<Arc<Self>, String> {
        let time = Arc::new(Time::default());
        let clock = Arc::new(NodeClock {
            time: time.clone(),
            clock: TRUE,
        });
        let signer = Signer::from_seed("toolgate.simulation/log", [7; 32])
            .map_err(|error| error.to_string())?;
        let catalogue = Arc::new(cast::catalogue(Shelf::default(), bound(bug))?);
        let node = || Node {
            process: WORLD,
            driver: None,
            shelf: Shelf::default(),
            shelf_since: time.now(),
            catalogue: catalogue.clone(),
            coming: false,
        };
        let nodes = (0..nodes.min(NODES_MAX)).map(|_| node()).collect();
        let world = Arc::new_cyclic(|me| Self {
            seed,
            bug,
            executor: Arc::default(),
            trace: Trace::new(keep),
            faults: Faults::drawn(seed),
            store: Arc::new(MemoryStore::new(signer, clock)),
            desk: Desk::default(),
            judge: Judge::default(),
            workload: Dice::named(seed, "workload"),
            hosts: Dice::named(seed, "hosts"),
            keys: Mutex::default(),
            calls: AtomicU64::new(0),
            nodes: Mutex::new(nodes),
            processes: AtomicU64::new(0),
            me: me.clone(),
            time,
        });
        world.desk.open(world.time.now());
        Ok(world)
    }

    /// One line of the trace.
    pub(crate) fn note(&self, line: fmt::Arguments<'_>) {
        self.trace.note(self.time.elapsed(), line);
    }

    /// Whether the next call is one that its caller runs itself. Two worlds in five have hosts.
    pub(crate) fn is_hosts_call(&self) -> bool {
        matches!(self.seed % 5, 1 | 4) && self.hosts.thousandth(400)
    }

    /// How many nodes there are.
    pub(crate) fn size(&self) -> usize {
        self.nodes().len()
    }

    /// One of the nodes.
    pub(crate) fn any_node(&self) -> usize {
        usize::try_from(self.workload.below(self.size() as u64)).unwrap_or_default()
    }

    /// The number of the next call.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// All tokens as they are now.
    pub(crate) fn keys(&self) -> Keys {
        self.keys_mut().clone()
    }

    /// All tokens, to be changed.
    pub(crate) fn keys_mut(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver of a node, while it serves.
    pub(crate) fn serving(&self, node: usize) -> Option<(Process, Arc<Driver>)> {
        let nodes = self.nodes();
        let node = nodes.get(node)?;
        Some((node.process, node.driver.clone()?))
    }

    /// Runs `work` as a request to a node; nothing happens where it does not serve.
    pub(crate) fn request<F>(
        &self,
        node: usize,
        name: &'static str,
        work: impl FnOnce(Arc<Driver>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Some((process, driver)) = self.serving(node) {
            self.executor.spawn(process, name, Box::pin(work(driver)));
        }
    }

    /// Starts a process on this node.
    pub(crate) fn start(&self, node: usize) {
        let Some(world) = self.me.upgrade() else {
            return;
        };
        let process = Process(self.processes.fetch_add(1, Ordering::SeqCst) + 1);
        if let Some(place) = self.nodes().get_mut(node) {
            (place.process, place.driver, place.coming) = (process, None, false);
        }
        self.note(format_args!("node {node} starts as process {}", process.0));
        let life = async move {
            if world.clone().live(node, process).await.is_err() {
                world.crash(process, node);
            }
        };
        self.executor.spawn(process, "life", Box::pin(life));
    }

    /// A process from its start on: open, take over, serve, look after itself.
    async fn live(self: Arc<Self>, node: usize, process: Process) -> Result<(), Unavailable> {
        let driver = Driver::open(self.ports(node, process), settings()).await;
        let driver = driver.map_err(|error| Unavailable {
            part: "driver",
            detail: error.to_string(),
        })?;
        let alone = self.size() == 1;
        if alone {
            driver.recover().await?;
        } else {
            driver.sweep().await?;
        }
        // Tools may have changed while the process came up.
        driver.set_catalogue(self.catalogue(node));
        if let Some(place) = self.nodes().get_mut(node) {
            place.driver = Some(driver.clone());
        }
        let dice = Dice::named(self.seed, "upkeep");
        loop {
            driver.fire_timers().await;
            if !alone || dice.thousandth(300) {
                // A sweep that fails is tried again next time.
                let _swept = driver.sweep().await;
            }
            let [least, most] = UPKEEP;
            self.time.rest(dice.between(least, most)).await;
        }
    }

    fn ports(self: &Arc<Self>, node: usize, process: Process) -> Ports {
        let world = self.clone();
        Ports {
            store: Arc::new(NodeStore {
                world: world.clone(),
                process,
                node,
            }),
            tools: Arc::new(NodeTools {
                world: world.clone(),
                process,
                node,
            }),
            clock: Arc::new(NodeClock {
                time: self.time.clone(),
                clock: node + 1,
            }),
            entropy: Arc::new(Bytes {
                dice: Dice::named(self.seed, &format!("entropy of process {}", process.0)),
                world: self.me.clone(),
            }),
            tasks: Arc::new(Place {
                executor: self.executor.clone(),
                process,
            }),
        }
    }

    /// Ends a process at once; the node starts another one after a while.
    pub(crate) fn crash(&self, process: Process, node: usize) {
        if let Some(place) = self.nodes().get_mut(node) {
            if place.process != process || place.coming {
                return;
            }
            place.driver = None;
            place.coming = true;
        }
        self.note(format_args!("process {} dies", process.0));
        self.executor.kill(process);
        let (Some(world), wait) = (self.me.upgrade(), self.faults.dice().between(0, 40_000)) else {
            return;
        };
        let again = async move {
            world.time.rest(wait).await;
            world.start(node);
        };
        self.executor.spawn(WORLD, "restart", Box::pin(again));
    }

    /// Ends whatever process runs on this node.
    pub(crate) fn crash_node(&self, node: usize) {
        let process = self.nodes().get(node).map(|place| place.process);
        if let Some(process) = process.filter(|process| *process != WORLD) {
            self.crash(process, node);
        }
    }

    /// What this node knows of the tools.
    pub(crate) fn catalogue(&self, node: usize) -> Arc<Catalogue> {
        let nodes = self.nodes();
        nodes
            .get(node)
            .map(|place| place.catalogue.clone())
            .unwrap_or_default()
    }

    /// A node hears that the tools have changed.
    pub(crate) fn restock(&self, node: usize, shelf: Shelf) {
        let Ok(catalogue) = cast::catalogue(shelf, bound(self.bug)) else {
            return;
        };
        let (catalogue, now) = (Arc::new(catalogue), self.time.now());
        let driver = self.nodes().get_mut(node).and_then(|place| {
            place.shelf = shelf;
            place.shelf_since = now;
            place.catalogue = catalogue.clone();
            place.driver.clone()
        });
        self.note(format_args!("node {node} sees {shelf:?}"));
        if let Some(driver) = driver {
            driver.set_catalogue(catalogue);
        }
    }

    /// Something became durable.
    pub(crate) fn committed(&self, (node, process): (usize, Process), commit: &Commit) {
        let Some(write) = &commit.invocation else {
            let kinds: Vec<_> = commit
                .entries
                .iter()
                .map(|entry| entry.kind.as_str())
                .collect();
            self.note(format_args!("p{} wrote {kinds:?}", process.0));
            self.judge.configured(commit);
            return;
        };
        let next = &write.next;
        self.note(format_args!(
            "p{} wrote {} {} r{} a{}",
            process.0,
            next.id,
            next.status().as_str(),
            next.revision,
            next.attempts
        ));
        let truth = self.truth(node, &next.proposal.tool, &next.proposal.arguments);
        for happening in self.judge.committed(commit, next, &truth) {
            self.react(happening);
        }
    }

    fn react(&self, happening: Happening) {
        let Some(world) = self.me.upgrade() else {
            return;
        };
        match happening {
            Happening::Asked {
                approval, digest, ..
            } => crate::people::asked(&world, &approval, digest),
            Happening::Helpless { invocation } => crate::people::helpless(&world, invocation),
        }
    }

    fn truth(&self, node: usize, tool: &ToolId, arguments: &serde_json::Value) -> Truth {
        let nodes = self.nodes();
        let place = nodes.get(node);
        let charge = arguments.get("charge").and_then(serde_json::Value::as_str);
        Truth {
            now: self.time.now(),
            descriptor: place.and_then(|place| place.catalogue.get(tool).cloned()),
            shelf_since: place.map_or(i64::MAX, |place| place.shelf_since),
            charge: charge.and_then(|charge| self.desk.charge(charge)),
        }
    }

    /// A request leaves a process.
    pub(crate) fn sent(&self, (node, process): (usize, Process), dispatch: &Dispatch) {
        let (id, attempt) = (dispatch.invocation(), dispatch.attempt());
        self.note(format_args!(
            "p{} sends attempt {attempt} of {id} to {}",
            process.0,
            dispatch.tool()
        ));
        let shown = self.time.shown(node + 1);
        let sending = Sending {
            by_host: false,
            id,
            attempt,
            tool: dispatch.tool(),
            arguments: dispatch.arguments(),
        };
        self.judge.sent(&sending, Some(shown));
    }

    /// A host runs what it was leased.
    pub(crate) fn run_by_host(&self, invocation: &Invocation, attempt: u32) {
        let id = &invocation.id;
        self.note(format_args!("a host runs attempt {attempt} of {id}"));
        let sending = Sending {
            by_host: true,
            id,
            attempt,
            tool: &invocation.proposal.tool,
            arguments: &invocation.proposal.arguments,
        };
        self.judge.sent(&sending, None);
    }

    /// An effect landed.
    pub(crate) fn landed(&self, invocation: &str, attempt: u32) {
        self.note(format_args!("attempt {attempt} of {invocation} lands"));
        self.judge.landed(invocation);
    }

    /// A caller has its answer.
    pub(crate) fn answered(&self, call: u64, outcome: &Outcome) {
        let invocation = &outcome.invocation;
        self.note(format_args!(
            "call {call} hears {} of {}",
            invocation.status().as_str(),
            invocation.id
        ));
        self.judge.answered(call, outcome);
    }

    /// Ends all faults; every node runs again and every clock is right.
    pub(crate) fn calm(&self) {
        self.note(format_args!("faults end"));
        self.faults.set(false);
        for node in 0..self.size() {
            let process = self.nodes().get(node).map(|place| place.process);
            if let Some(process) = process {
                self.executor.go_on(process);
            }
        }
    }

    /// Lets go of everything, so that nothing keeps anything else alive.
    pub(crate) fn end(&self) {
        self.executor.clear();
        self.nodes().clear();
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What descriptors state as the bound on how late an effect may land, in seconds.
const fn bound(bug: Bug) -> u32 {
    match bug {
        Bug::RetryTooEarly => 1,
        _ => cast::LANDS_WITHIN,
    }
}

fn settings() -> Settings {
    Settings {
        approval_expires_in: APPROVAL_SPAN,
        escalation: Some((cast::ESCALATES_AFTER, vec![cast::LATER.to_owned()])),
        ..Settings::default()
    }
}

/// Bytes that follow from the seed.
struct Bytes {
    dice: Dice,
    world: Weak<World>,
}

impl Entropy for Bytes {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        let world = self.world.upgrade();
        if world.is_some_and(|world| world.faults.strikes(Fault::EntropyOut)) {
            return Err(Unavailable {
                part: "entropy",
                detail: "the simulation has none".to_owned(),
            });
        }
        for chunk in buffer.chunks_mut(8) {
            let drawn = self.dice.next().to_le_bytes();
            for (byte, drawn) in chunk.iter_mut().zip(drawn) {
                *byte = drawn;
            }
        }
        Ok(())
    }
}
