//! Waiting for an invocation to come to an end, by whoever asks, as long as they ask.

use futures_util::future::{Either, select};
use tokio::sync::oneshot;
use toolgate_execution::{Invocation, Status};
use toolgate_model::{InvocationId, Timestamp};

use crate::driver::{Driver, lock};
use crate::outcome::Failed;

impl Driver {
    /// Waits until the invocation has ended, needs a person, or `until` has come; then says how
    /// it stands. A call that waits for approval is waited for too.
    ///
    /// # Errors
    /// [`Failed`] where there is no such invocation or the store cannot say.
    pub async fn wait(&self, id: &InvocationId, until: Timestamp) -> Result<Invocation, Failed> {
        loop {
            let woken = self.register(id);
            let invocation = self.load(id).await?;
            if is_settled(&invocation) || self.now() >= until {
                return Ok(invocation);
            }
            let alarm = self.ports.clock.sleep_until(until);
            if let Either::Right(_) = select(woken, alarm).await {
                return self.load(id).await;
            }
        }
    }

    /// Registered before the state is read, so that no wake-up falls between the two.
    fn register(&self, id: &InvocationId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = lock(&self.waiters);
        let mine = waiters.entry(id.clone()).or_default();
        mine.retain(|other| !other.is_closed());
        mine.push(sender);
        receiver
    }

    pub(crate) fn wake(&self, id: &InvocationId) {
        let woken = lock(&self.waiters).remove(id).unwrap_or_default();
        for waiter in woken {
            // Whoever stopped waiting is not there any more; that is fine.
            let _gone = waiter.send(());
        }
    }
}

/// Whether waiting longer would change nothing by itself.
fn is_settled(invocation: &Invocation) -> bool {
    match invocation.status() {
        Status::NeedsOperator => true,
        // What a host runs stays approved until it comes for it.
        Status::Approved => invocation.is_hosts(),
        status => status.is_terminal(),
    }
}
