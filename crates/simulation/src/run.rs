//! One run: a world from its seed to its rest, and what the judge says of it.
//!
//! ```
//! use toolgate_simulation::{Keep, simulate};
//! let run = simulate(1, Keep::Hash)?;
//! assert!(run.violations.is_empty(), "{:?}", run.violations);
//! # Ok::<(), String>(())
//! ```
//!
//! Must not know: what may happen in a world.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use toolgate_driver::Driver;

use crate::bug::Bug;
use crate::dice::Dice;
use crate::director::{direct, rest_by, set_up};
use crate::executor::WORLD;
use crate::judge::Violation;
use crate::trace::Keep;
use crate::world::World;

/// Steps that one run may take.
// LIMIT: two million, far above any run that comes to rest; one that does not is a violation.
const STEPS_MAX: u64 = 2_000_000;

/// What came of one seed.
#[derive(Debug)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// How often a task was polled.
    pub steps: u64,
    /// How many invocations there were.
    pub invocations: usize,
    /// How often each kind of fault struck.
    pub faults: BTreeMap<&'static str, u64>,
    /// From which state to which, on what ground, and how often.
    pub paths: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    /// What was broken, the first first.
    pub violations: Vec<Violation>,
    /// The same for the same seed.
    pub hash: u64,
    /// What happened, where lines were kept.
    pub lines: Vec<String>,
}

/// Runs the world of this seed to its rest.
///
/// # Errors
/// Where the world cannot be set up; that is a defect of the simulation.
pub fn simulate(seed: u64, keep: Keep) -> Result<Run, String> {
    simulate_with(seed, keep, Bug::None)
}

/// Runs the same world with a bug in it that is to be found.
///
/// # Errors
/// As for [`simulate`].
pub fn simulate_with(seed: u64, keep: Keep, bug: Bug) -> Result<Run, String> {
    let shape = Dice::named(seed, "shape");
    let nodes = if shape.thousandth(400) { 1 } else { 2 };
    let events = 10 + shape.below(50);
    let world = World::new((seed, bug), nodes, keep)?;
    let played = Stage::new(&world).play(events);
    let run = played.map(|steps| Run {
        seed,
        steps,
        invocations: world.judge.invocations(),
        faults: world.faults.tally(),
        paths: world.judge.paths(),
        violations: world.judge.violations(),
        hash: world.trace.hash(),
        lines: world.trace.take_lines(),
    });
    world.end();
    run
}

/// A world with the dice of its schedule.
struct Stage<'w> {
    world: &'w Arc<World>,
    schedule: Dice,
    steps: u64,
}

impl<'w> Stage<'w> {
    fn new(world: &'w Arc<World>) -> Self {
        Self {
            schedule: Dice::named(world.seed, "schedule"),
            world,
            steps: 0,
        }
    }

    fn play(mut self, events: u64) -> Result<u64, String> {
        let world = self.world.clone();
        for node in 0..world.size() {
            world.start(node);
        }
        let driver = self.first_driver()?;
        self.finish(set_up(world.clone(), driver))??;
        world.faults.set(true);
        world
            .executor
            .spawn(WORLD, "director", Box::pin(direct(world.clone(), events)));
        self.until(|world| !world.faults.are_on());
        self.until_time(rest_by(world.time.now()));
        if world.judge.is_satisfied() {
            world.judge.rested(&world.executor.waiting());
            let store = world.store.clone();
            let own = world.clone();
            let closed = self.finish(async move { own.judge.close(store.as_ref()).await })?;
            closed.map_err(|error| error.to_string())?;
        }
        Ok(self.steps)
    }

    fn first_driver(&mut self) -> Result<Arc<Driver>, String> {
        self.until(|world| world.serving(0).is_some());
        let found = self.world.serving(0).map(|(_, driver)| driver);
        found.ok_or_else(|| "no node came up".to_owned())
    }

    /// One step: a task that can go on, else a jump in time. False where nothing moves any more.
    fn step(&mut self, end: i64) -> bool {
        // Now and then time passes while there is work: nothing is instant.
        if self.schedule.thousandth(20) {
            self.world.time.pass(self.schedule.between(1, 30));
        }
        match self.world.executor.step(&self.schedule) {
            Some(step) => {
                self.steps += 1;
                self.world
                    .trace
                    .step([step.task, step.process.0, u64::from(step.ended)]);
                true
            }
            None => self.world.time.jump(end),
        }
    }

    fn until(&mut self, done: impl Fn(&World) -> bool) {
        while !done(self.world) && self.goes_on() && self.step(i64::MAX) {}
    }

    fn until_time(&mut self, end: i64) {
        while self.world.time.now() < end && self.goes_on() && self.step(end) {}
    }

    fn goes_on(&self) -> bool {
        self.world.judge.is_satisfied() && self.steps < STEPS_MAX
    }

    /// Runs the world until this future is done.
    fn finish<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, String> {
        let slot = Arc::new(Mutex::new(None));
        let (put, get) = (slot.clone(), slot);
        let work = async move {
            let done = work.await;
            *put.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        };
        self.world.executor.spawn(WORLD, "finish", Box::pin(work));
        loop {
            if let Some(done) = get.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Ok(done);
            }
            if self.steps >= STEPS_MAX || !self.step(i64::MAX) {
                return Err("the world stood still".to_owned());
            }
        }
    }
}
