//! Telling listeners that their list of tools has changed.
//!
//! The driver says *something changed* for every credential, policy and catalogue; a listener
//! hears of it only where its own list looks different afterwards, and a burst of changes is one
//! message. Whoever listens is asked for again each time: a revoked credential ends its stream.
//!
//! Must not know: how listeners are reached.

use std::sync::Arc;

use tokio::sync::watch;
use toolgate_driver::Driver;
use toolgate_model::{Descriptor, Identity, KeyId};

use super::limits::CHANGE_DEBOUNCE;
use super::list::{listed, looks_same};
use super::options::Presence;

/// Where changes come from.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    count: watch::Receiver<u64>,
}

/// One listener: what it has seen last.
pub(super) struct Listener {
    driver: Arc<Driver>,
    key: KeyId,
    presence: Presence,
    count: watch::Receiver<u64>,
    seen: Vec<Arc<Descriptor>>,
}

impl Changes {
    /// Takes the driver's hook. LIMIT: it has one, so one MCP face follows a driver.
    pub(super) fn of(driver: &Driver) -> Self {
        let (sender, count) = watch::channel(0);
        driver.on_change(Arc::new(move || sender.send_modify(|count| *count += 1)));
        Self { count }
    }

    /// Begins to listen with what the identity can see now.
    pub(super) fn listen(
        &self,
        driver: &Arc<Driver>,
        identity: &Identity,
        presence: Presence,
    ) -> Listener {
        let mut count = self.count.clone();
        count.mark_unchanged();
        let seen = listed(&driver.configuration(), identity, presence, driver.now());
        let key = identity.credential.id.clone();
        Listener {
            driver: driver.clone(),
            key,
            presence,
            count,
            seen,
        }
    }
}

impl Listener {
    /// Waits until the list looks different; none once the credential does not stand any more.
    pub(super) async fn changed(&mut self) -> Option<()> {
        loop {
            self.count.changed().await.ok()?;
            let clock = self.driver.clock();
            clock.sleep_until(clock.now().plus(CHANGE_DEBOUNCE)).await;
            self.count.mark_unchanged();
            let (configuration, now) = (self.driver.configuration(), self.driver.now());
            let identity = configuration.standing(&self.key, now).ok()?;
            let list = listed(&configuration, &identity, self.presence, now);
            if !looks_same(&self.seen, &list) {
                self.seen = list;
                return Some(());
            }
        }
    }
}
