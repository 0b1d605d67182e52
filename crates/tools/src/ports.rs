//! What this crate is handed by the composition root, and how it waits.
//!
//! Time comes from the clock port alone, and work that outlives a call goes to the tasks port
//! under a name.
//!
//! Must not know: MCP.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::{Either, select};
use toolgate_gate::port::{Clock, Entropy, Tasks};
use toolgate_model::Duration;

/// What the edge hands in.
#[derive(Clone)]
pub struct Ports {
    /// Tells the time and waits for it.
    pub clock: Arc<dyn Clock>,
    /// Where connections and their supervision live.
    pub tasks: Arc<dyn Tasks>,
    /// Spreads reconnects in time.
    pub entropy: Arc<dyn Entropy>,
    /// The gate's own environment, of which child processes see [`crate::INHERITED_VARIABLES`].
    pub environment: Arc<BTreeMap<String, String>>,
}

impl Ports {
    /// Waits for `work`, but not longer than `span`; `None` where the time was up first.
    pub(crate) async fn within<T>(
        &self,
        span: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let timer = self.sleep(span);
        match select(std::pin::pin!(work), timer).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }

    /// Waits for `span` to pass.
    pub(crate) fn sleep(&self, span: Duration) -> toolgate_gate::port::BoxFuture<'static, ()> {
        self.clock.sleep_until(self.clock.now().plus(span))
    }
}
