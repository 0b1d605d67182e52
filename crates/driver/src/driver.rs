//! The driver itself: its ports, the configuration in force, and the one way to commit a step.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use toolgate_execution::{Input, Invocation, Output, Refusal, Transition};
use toolgate_gate::port::{
    Clock, Commit, CommitError, Committed, Entropy, InvocationWrite, Store, Stored, Tasks, Tools,
    Unavailable,
};
use toolgate_gate::{Configuration, Settings};
use toolgate_model::{
    Catalogue, Duration, Epoch, InvocationId, KeyId, RecordId, Timestamp, ToolId,
};
use toolgate_record::Entry;

use crate::entries;
use crate::history::{HistoryNow, Memory, fresh};
use crate::outcome::Failed;
use toolgate_record::Actor;

/// What the edge hands in.
#[derive(Clone)]
pub struct Ports {
    /// Keeps everything.
    pub store: Arc<dyn Store>,
    /// Runs tools.
    pub tools: Arc<dyn Tools>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and secrets.
    pub entropy: Arc<dyn Entropy>,
    /// Holds work that outlives a request.
    pub tasks: Arc<dyn Tasks>,
}

/// Why a driver could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot say what is configured.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Moves invocations. Cheap to share; one a process.
pub struct Driver {
    /// Itself, for work that outlives the call that begins it.
    pub(crate) me: Weak<Self>,
    pub(crate) ports: Ports,
    configuration: ArcSwap<Configuration>,
    inputs: Mutex<Inputs>,
    pub(crate) waiters: Mutex<HashMap<InvocationId, Vec<oneshot::Sender<()>>>>,
    pub(crate) timers: Mutex<BTreeSet<(Timestamp, InvocationId)>>,
    /// Invocations that a task of this process is moving right now.
    pub(crate) running: Mutex<HashSet<InvocationId>>,
    /// Calls in doubt that a task of this process is settling, and whether it was asked again.
    pub(crate) pursued: Mutex<HashMap<InvocationId, bool>>,
    pub(crate) used: Mutex<HashMap<KeyId, Timestamp>>,
    pub(crate) refusals: Mutex<crate::people::Refusals>,
    /// What rules may ask about earlier calls.
    pub(crate) memory: Memory,
    listener: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
    opened_at: Timestamp,
}

/// How long after a start a tool that is not in the catalogue may only be late.
// LIMIT: a minute; servers that need longer to say what they offer are taken for gone.
const WARM_UP: Duration = Duration::from_secs(60);

/// What the configuration is built from, kept so that either half can change alone.
struct Inputs {
    stored: Stored,
    catalogue: Arc<Catalogue>,
    settings: Settings,
}

impl Driver {
    /// Reads the configuration and is ready to decide. Call [`Driver::recover`] before serving.
    ///
    /// # Errors
    /// [`OpenError`] where the store cannot be read.
    pub async fn open(ports: Ports, settings: Settings) -> Result<Arc<Self>, OpenError> {
        let stored = ports.store.configuration().await?;
        // What hosts registered is known from its pins, also to a gate that starts again.
        ports.tools.recall(&stored.pins);
        let catalogue = ports.tools.catalogue();
        let inputs = Inputs {
            stored,
            catalogue,
            settings,
        };
        let configuration = inputs.build(None);
        let opened_at = ports.clock.now();
        let memory = Memory::new(fresh(&configuration));
        let driver = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            ports,
            configuration: ArcSwap::from_pointee(configuration),
            inputs: Mutex::new(inputs),
            waiters: Mutex::default(),
            timers: Mutex::default(),
            running: Mutex::default(),
            pursued: Mutex::default(),
            used: Mutex::default(),
            refusals: Mutex::default(),
            memory,
            listener: Mutex::default(),
            opened_at,
        });
        driver.recall().await?;
        Ok(driver)
    }

    /// The configuration in force.
    pub fn configuration(&self) -> Arc<Configuration> {
        self.configuration.load_full()
    }

    /// The instant now.
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// The store, for what only reads.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.ports.store
    }

    /// The tools, for what only reads.
    pub fn tools(&self) -> &Arc<dyn Tools> {
        &self.ports.tools
    }

    /// The clock, for faces that wait.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.ports.clock
    }

    /// Calls `listener` after every change of configuration or catalogue.
    pub fn on_change(&self, listener: Arc<dyn Fn() + Send + Sync>) {
        *lock(&self.listener) = Some(listener);
    }

    /// Takes over a catalogue that a tool source has changed.
    pub fn set_catalogue(&self, catalogue: Arc<Catalogue>) {
        if let HistoryNow::Outdated = self.rebuild(|inputs| inputs.catalogue = catalogue) {
            self.spawn_recall();
        }
    }

    /// Reads the configuration again, after a change here or on another node.
    ///
    /// # Errors
    /// [`Unavailable`] where the store cannot be read; the old configuration stays, and its
    /// admissions keep being refused.
    pub async fn reload(&self) -> Result<(), Unavailable> {
        let stored = self.ports.store.configuration().await?;
        // Hosts may have registered tools with another node meanwhile.
        self.ports.tools.recall(&stored.pins);
        let history = self.rebuild(|inputs| {
            // INVARIANT: the configuration never goes back to an older epoch.
            if stored.epoch >= inputs.stored.epoch {
                inputs.stored = stored;
            }
        });
        match history {
            HistoryNow::Outdated => self.recall().await,
            HistoryNow::Good => Ok(()),
        }
    }

    fn rebuild(&self, change: impl FnOnce(&mut Inputs)) -> HistoryNow {
        let history = {
            let mut inputs = lock(&self.inputs);
            change(&mut inputs);
            let before = self.configuration.load();
            let after = Arc::new(inputs.build(Some(&before)));
            self.configuration.store(after.clone());
            self.outdate_history(&before, &after)
        };
        let listener = lock(&self.listener).clone();
        if let Some(listener) = listener {
            listener();
        }
        history
    }

    /// Commits what a step made of an invocation, and says which records it added.
    pub(crate) async fn commit_step(
        &self,
        before: Option<&Invocation>,
        transition: &mut Transition,
        with: With,
    ) -> Result<(Committed, Vec<RecordId>), CommitError> {
        // INVARIANT: nothing that a tool said is durable, or seen by anybody, before it was judged.
        let read = self.inspect(transition);
        let entries = self.entries(&transition.next, &transition.events, &with.actor)?;
        let evidence = entries.iter().map(|entry| entry.id.clone()).collect();
        let commit = Commit {
            epoch: with.epoch,
            invocation: Some(InvocationWrite {
                expected: before.map(|invocation| invocation.revision),
                next: transition.next.clone(),
            }),
            claim: with.claim,
            entries,
            ..Commit::default()
        };
        let committed = self.commit_noticed(commit, &transition.next).await?;
        self.remember(&transition.next, read);
        self.follow(transition);
        Ok((committed, evidence))
    }

    /// What follows from a durable step and needs no answer: timers and waiters.
    fn follow(&self, transition: &Transition) {
        for output in &transition.outputs {
            match output {
                Output::ArmTimer { at } => {
                    lock(&self.timers).insert((*at, transition.next.id.clone()));
                }
                Output::Answer => self.wake(&transition.next.id),
                Output::Dispatch { .. }
                | Output::AskApprovers { .. }
                | Output::Revalidate
                | Output::Retry
                | Output::Probe { .. } => {}
            }
        }
    }

    fn entries(
        &self,
        invocation: &Invocation,
        events: &[toolgate_execution::Event],
        actor: &Actor,
    ) -> Result<Vec<Entry>, Unavailable> {
        let capture = self.configuration().settings.capture;
        let entry = |event| {
            let id = self.record_id()?;
            Ok(entries::of_event(id, invocation, event, (actor, capture)))
        };
        events.iter().map(entry).collect()
    }

    /// Steps an invocation that is in the store, again and again until nobody else moved it.
    pub(crate) async fn advance(
        &self,
        id: &InvocationId,
        actor: &Actor,
        inputs: impl Fn(&Invocation) -> Vec<Input> + Send + Sync,
    ) -> Result<(Transition, Vec<RecordId>), Failed> {
        // LIMIT: eight rounds; each lost one means that somebody else made progress.
        for _ in 0..8 {
            let before = self.load(id).await?;
            let mut transition = chain(&before, self.now(), inputs(&before))?;
            let with = With {
                epoch: None,
                claim: None,
                actor: actor.clone(),
            };
            match self.commit_step(Some(&before), &mut transition, with).await {
                Ok((_, evidence)) => return Ok((transition, evidence)),
                Err(CommitError::RevisionMoved { .. }) => {}
                Err(CommitError::Unavailable(unavailable)) => return Err(unavailable.into()),
                Err(error) => return Err(Failed::Invalid(error.to_string())),
            }
        }
        Err(Unavailable {
            part: "store",
            detail: format!("`{id}` keeps moving"),
        }
        .into())
    }

    /// Reads an invocation that must be there, and checks it.
    pub(crate) async fn load(&self, id: &InvocationId) -> Result<Invocation, Failed> {
        let found = self.ports.store.invocation(id).await?;
        let invocation = found.ok_or_else(|| Failed::not_found("invocation", id))?;
        invocation.check()?;
        Ok(invocation)
    }

    pub(crate) fn record_id(&self) -> Result<RecordId, Unavailable> {
        Ok(RecordId::mint(self.now(), self.random()?))
    }

    /// Bytes that nobody can guess, for ids that are secrets.
    ///
    /// # Errors
    /// [`Unavailable`] where the system gives none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Unavailable> {
        let mut bytes = [0; N];
        self.ports.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether a tool is missing only because its source has not said yet what it offers. What was
    /// decided before the start waits for it; what is called now is told that it is not there.
    pub(crate) fn is_warming(&self, tool: &ToolId) -> bool {
        let known = self.configuration().catalogue.get(tool).is_some();
        !known && self.now() < self.opened_at.plus(WARM_UP)
    }

    /// The epoch in force here.
    pub(crate) fn epoch(&self) -> Epoch {
        self.configuration.load().epoch
    }
}

impl Inputs {
    fn build(&self, before: Option<&Configuration>) -> Configuration {
        Configuration::build(
            self.stored.clone(),
            self.catalogue.clone(),
            self.settings.clone(),
            before,
        )
    }
}

/// What a commit carries beside the step.
pub(crate) struct With {
    pub(crate) epoch: Option<Epoch>,
    pub(crate) claim: Option<toolgate_gate::port::Claim>,
    pub(crate) actor: Actor,
}

/// Several steps in one: nothing between them is ever visible.
pub(crate) fn chain(
    before: &Invocation,
    now: Timestamp,
    inputs: Vec<Input>,
) -> Result<Transition, Refusal> {
    let mut whole = Transition {
        next: before.clone(),
        events: Vec::new(),
        outputs: Vec::new(),
    };
    for input in inputs {
        let step = whole.next.step(now, input)?;
        whole.next = step.next;
        whole.events.extend(step.events);
        whole.outputs.extend(step.outputs);
    }
    Ok(whole)
}

/// Locks, also after a panic elsewhere: every critical section leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
