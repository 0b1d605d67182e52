//! The module that spawns: every task of the process is named, counted, and waited for by the
//! group that owns it.
//!
//! ```text
//! work:   invocations, thaws           finish by themselves, within a bound
//! upkeep: connections, timers, files   end when they are told to
//! ```
//!
//! A task that panics is logged and costs nothing but itself.
//! Must not know: what a task does.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_gate::port::{BoxFuture, Tasks};
use toolgate_model::Duration;

/// Tasks that belong together. Clones are the same group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// How a group came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Every task finished.
    Whole,
    /// So many were still running when the time was up.
    Cut(usize),
}

impl Group {
    /// Runs `work` until it ends, or until the group is told to stop.
    pub(crate) fn loop_until_stopped(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let stop = self.stop.clone();
        let guarded = async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        };
        self.spawn(name, Box::pin(guarded));
    }

    /// Takes no more notice of new tasks and waits for the present ones, but not beyond `bound`.
    pub(crate) async fn drain(&self, bound: Duration) -> Drained {
        self.tracker.close();
        match tokio::time::timeout(bound.to_std(), self.tracker.wait()).await {
            Ok(()) => Drained::Whole,
            Err(_) => Drained::Cut(self.tracker.len()),
        }
    }

    /// Tells every task of the group to stop, and waits for that.
    pub(crate) async fn stop(&self, bound: Duration) -> Drained {
        self.stop.cancel();
        self.drain(bound).await
    }
}

impl Tasks for Group {
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) {
        self.tracker.spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(task = name, "a task panicked");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Drained, Group};
    use toolgate_gate::port::Tasks as _;
    use toolgate_model::Duration;

    #[tokio::test]
    async fn a_group_waits_for_its_work_and_cuts_what_never_ends() {
        let group = Group::default();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        group.spawn("one", Box::pin(async move { sender.send(7).unwrap() }));
        group.spawn("two", Box::pin(async { panic!("on purpose") }));
        assert_eq!(group.drain(Duration::from_secs(60)).await, Drained::Whole);
        assert_eq!(receiver.await, Ok(7));
        group.spawn("three", Box::pin(std::future::pending()));
        assert_eq!(group.drain(Duration::from_millis(1)).await, Drained::Cut(1));
    }

    #[tokio::test]
    async fn a_loop_ends_when_its_group_stops() {
        let group = Group::default();
        group.loop_until_stopped("forever", std::future::pending());
        assert_eq!(group.stop(Duration::from_secs(60)).await, Drained::Whole);
    }
}
