//! Tasks on one thread, polled in an order that the seed decides.
//!
//! Every task belongs to a process. A process that dies takes all its tasks with it at once, the
//! one that is being polled too, as `kill -9` does; one that is paused keeps them, and nothing of
//! it moves until it goes on. The tasks of [`WORLD`] never die: they are what goes on outside.
//!
//! Must not know: time, what a task does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use toolgate_gate::port::{BoxFuture, Tasks};

use crate::dice::Dice;

/// One run of one process; a process that starts again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process(pub(crate) u64);

/// What is no process of ours: networks, downstreams, people.
pub(crate) const WORLD: Process = Process(0);

/// Holds all tasks and polls one at a time.
#[derive(Default)]
pub(crate) struct Executor(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    tasks: BTreeMap<u64, Task>,
    born: u64,
    dead: BTreeSet<Process>,
    paused: BTreeSet<Process>,
}

struct Task {
    process: Process,
    name: &'static str,
    /// None while it is being polled.
    work: Option<BoxFuture<'static, ()>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Which task made a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) task: u64,
    pub(crate) process: Process,
    pub(crate) ended: bool,
}

impl Executor {
    /// Adds a task; of a process that is dead already nothing runs.
    pub(crate) fn spawn(&self, process: Process, name: &'static str, work: BoxFuture<'static, ()>) {
        let mut inner = self.inner();
        if inner.dead.contains(&process) {
            drop(inner);
            drop(work);
            return;
        }
        inner.born += 1;
        let (id, woken) = (inner.born, Arc::new(Woken(AtomicBool::new(true))));
        let task = Task {
            process,
            name,
            work: Some(work),
            woken,
        };
        inner.tasks.insert(id, task);
    }

    /// Polls one task that can go on, drawn by `dice`; none where all wait.
    pub(crate) fn step(&self, dice: &Dice) -> Option<Step> {
        let (task, mut work, woken) = self.take(dice)?;
        let waker = Waker::from(woken);
        let ended = work.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(());
        let process = self.put_back(task, work, ended);
        Some(Step {
            task,
            process,
            ended,
        })
    }

    fn take(&self, dice: &Dice) -> Option<(u64, BoxFuture<'static, ()>, Arc<Woken>)> {
        let mut inner = self.inner();
        let Inner { tasks, paused, .. } = &mut *inner;
        let ready = |(id, task): (&u64, &Task)| {
            let can = task.woken.0.load(Ordering::SeqCst) && !paused.contains(&task.process);
            can.then_some(*id)
        };
        let ready: Vec<_> = tasks.iter().filter_map(ready).collect();
        let id = *dice.pick(&ready)?;
        let task = tasks.get_mut(&id)?;
        task.woken.0.store(false, Ordering::SeqCst);
        Some((id, task.work.take()?, task.woken.clone()))
    }

    /// Futures are dropped outside the lock: what they own may call back in here.
    fn put_back(&self, id: u64, work: BoxFuture<'static, ()>, ended: bool) -> Process {
        let mut inner = self.inner();
        let Some(task) = inner.tasks.get_mut(&id) else {
            // Its process died while it was polled.
            drop(inner);
            drop(work);
            return WORLD;
        };
        let process = task.process;
        if ended {
            let gone = inner.tasks.remove(&id);
            drop(inner);
            drop((gone, work));
        } else {
            task.work = Some(work);
        }
        process
    }

    /// Ends a process: nothing of it is ever polled again.
    pub(crate) fn kill(&self, process: Process) {
        let mut inner = self.inner();
        inner.dead.insert(process);
        inner.paused.remove(&process);
        let gone: Vec<_> = inner
            .tasks
            .extract_if(.., |_, task| task.process == process)
            .collect();
        drop(inner);
        drop(gone);
    }

    /// Drops one waiting task of this name of this process, as a caller does that hangs up.
    pub(crate) fn drop_one(&self, process: Process, name: &'static str, dice: &Dice) -> bool {
        let mut inner = self.inner();
        let fits = |task: &Task| task.process == process && task.name == name;
        let waiting = inner.tasks.iter().filter(|(_, task)| fits(task));
        let waiting: Vec<_> = waiting.map(|(id, _)| *id).collect();
        let gone = dice.pick(&waiting).and_then(|id| inner.tasks.remove(id));
        drop(inner);
        gone.is_some()
    }

    /// Nothing of this process moves until [`Executor::go_on`].
    pub(crate) fn pause(&self, process: Process) {
        self.inner().paused.insert(process);
    }

    /// A paused process moves again.
    pub(crate) fn go_on(&self, process: Process) {
        self.inner().paused.remove(&process);
    }

    /// The names of tasks of processes that have not ended, each with how many there are.
    pub(crate) fn waiting(&self) -> BTreeMap<&'static str, usize> {
        let mut waiting = BTreeMap::new();
        for task in self
            .inner()
            .tasks
            .values()
            .filter(|task| task.process != WORLD)
        {
            *waiting.entry(task.name).or_default() += 1;
        }
        waiting
    }

    /// Drops everything, so that what tasks own about each other is let go.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut self.inner().tasks);
        drop(gone);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place for tasks of one process: the gate's port.
pub(crate) struct Place {
    pub(crate) executor: Arc<Executor>,
    pub(crate) process: Process,
}

impl Tasks for Place {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) {
        self.executor.spawn(self.process, name, work);
    }
}

#[cfg(test)]
mod tests {
    use super::{Executor, Process, WORLD};
    use crate::dice::Dice;
    use std::sync::{Arc, Mutex};

    fn counted(
        seen: &Arc<Mutex<Vec<u64>>>,
        number: u64,
    ) -> toolgate_gate::port::BoxFuture<'static, ()> {
        let seen = seen.clone();
        Box::pin(async move {
            for _ in 0..3 {
                seen.lock().unwrap().push(number);
                tokio::task::yield_now().await;
            }
        })
    }

    fn order(seed: u64) -> Vec<u64> {
        let (executor, seen) = (Executor::default(), Arc::new(Mutex::new(Vec::new())));
        for number in 0..4 {
            executor.spawn(WORLD, "count", counted(&seen, number));
        }
        let dice = Dice::new(seed);
        while executor.step(&dice).is_some() {}
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 12);
        seen
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(order(1), order(1));
        assert!((2..20).any(|seed| order(seed) != order(1)));
    }

    #[test]
    fn a_dead_process_does_nothing_more_and_a_paused_one_goes_on() {
        let (executor, seen) = (Executor::default(), Arc::new(Mutex::new(Vec::new())));
        let dice = Dice::new(1);
        executor.spawn(Process(1), "count", counted(&seen, 1));
        executor.spawn(Process(2), "count", counted(&seen, 2));
        executor.pause(Process(2));
        executor.kill(Process(1));
        executor.spawn(Process(1), "count", counted(&seen, 1));
        assert!(executor.step(&dice).is_none());
        executor.go_on(Process(2));
        while executor.step(&dice).is_some() {}
        assert_eq!(*seen.lock().unwrap(), [2, 2, 2]);
    }
}
