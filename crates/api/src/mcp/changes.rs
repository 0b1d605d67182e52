//! Telling listeners that one of their lists has changed.
//!
//! The driver says *something changed* for every credential, policy and catalogue; a listener
//! hears of it only where its own list looks different afterwards, or where a server that it sees
//! says so itself, and a burst of changes is one message. Whoever listens is asked for again each
//! time: a revoked credential ends its stream.
//!
//! Must not know: how listeners are reached.

use std::sync::Arc;

use tokio::sync::watch;
use toolgate_driver::Driver;
use toolgate_gate::Configuration;
use toolgate_model::{Announced, Descriptor, Digest, Identity, Timestamp};

use super::limits::CHANGE_DEBOUNCE;
use super::list::{listed, looks_same};
use super::offers::{Kind, Offers};
use super::options::Presence;

/// Where changes come from.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    count: watch::Receiver<u64>,
}

/// A list that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Tools,
    Prompts,
    /// Of resources and of templates.
    Resources,
}

/// One listener: what it has seen last.
pub(super) struct Listener {
    driver: Arc<Driver>,
    identity: Identity,
    presence: Presence,
    count: watch::Receiver<u64>,
    /// Until when changes are collected that are not looked at yet.
    due: Option<Timestamp>,
    seen: Seen,
}

/// What a listener sees of all lists.
struct Seen {
    tools: Vec<Arc<Descriptor>>,
    prompts: Digest,
    resources: Digest,
    announced: Announced,
}

impl List {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// The notification that it changed.
    pub(super) const fn notification(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
        }
    }

    /// The field by which a listener asks for it.
    pub(super) const fn filter(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }
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
        let seen = Seen::of(&driver.configuration(), (identity, driver.now()), presence);
        Listener {
            driver: driver.clone(),
            identity: identity.clone(),
            presence,
            count,
            due: None,
            seen,
        }
    }
}

impl Listener {
    /// Waits until some list looks different; none once the credential does not stand any more.
    /// Whoever stops waiting in between loses nothing.
    pub(super) async fn changed(&mut self) -> Option<Vec<List>> {
        loop {
            let clock = self.driver.clock().clone();
            let due = match self.due {
                Some(due) => due,
                None => {
                    self.count.changed().await.ok()?;
                    *self.due.insert(clock.now().plus(CHANGE_DEBOUNCE))
                }
            };
            clock.sleep_until(due).await;
            self.due = None;
            self.count.mark_unchanged();
            let (configuration, now) = (self.driver.configuration(), self.driver.now());
            let identity = self.standing()?;
            let seen = Seen::of(&configuration, (&identity, now), self.presence);
            let changed = self.seen.differs(&seen);
            self.seen = seen;
            if !changed.is_empty() {
                return Some(changed);
            }
        }
    }
}

impl Listener {
    /// Whoever listens, as they stand now; none once their credential does not.
    pub(super) fn standing(&self) -> Option<Identity> {
        let (configuration, now) = (self.driver.configuration(), self.driver.now());
        let standing = configuration.standing(&self.identity.credential.id, now);
        let user = self.identity.user.clone();
        Some(standing.ok()?.acting_for(user))
    }
}

impl Seen {
    fn of(
        configuration: &Configuration,
        (identity, now): (&Identity, Timestamp),
        presence: Presence,
    ) -> Self {
        let offers = Offers::new(configuration, identity, now);
        Self {
            tools: listed(configuration, identity, presence, now),
            prompts: digest(offers, &[Kind::Prompts]),
            resources: digest(offers, &[Kind::Resources, Kind::Templates]),
            announced: offers.announced(),
        }
    }

    fn differs(&self, after: &Self) -> Vec<List> {
        let (said, now) = (self.announced, after.announced);
        let differs = |list: &List| match list {
            List::Tools => said.tools != now.tools || !looks_same(&self.tools, &after.tools),
            List::Prompts => said.prompts != now.prompts || self.prompts != after.prompts,
            List::Resources => said.resources != now.resources || self.resources != after.resources,
        };
        List::ALL.into_iter().filter(differs).collect()
    }
}

fn digest(offers: Offers<'_>, kinds: &[Kind]) -> Digest {
    let kinds = kinds.iter();
    let entries = kinds.flat_map(|kind| offers.entries(*kind, 0));
    let digests = entries.map(|entry| Digest::of(entry.definition.as_bytes()).hex());
    Digest::of(digests.collect::<String>().as_bytes())
}
