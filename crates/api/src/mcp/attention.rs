//! What a legacy client wants to hear of beside its answers: log messages from some level on, and
//! updates of the resources it follows.
//!
//! ```text
//! logging/setLevel {"level": "warning"}      resources/subscribe {"uri": "file:///a.txt"}
//! ```
//!
//! Both hold for its session. What is followed is followed until the session ends.
//!
//! Must not know: sessions, transports, who may follow what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use toolgate_gate::ability::Severity;
use toolgate_gate::port::Following;

use super::era::{Era, LOG_LEVEL_KEY};
use super::face::Asked;
use super::limits::RESOURCES_FOLLOWED_MAX;
use super::message::RpcError;
use super::updates::Updates;

/// What one client wants to hear of.
#[derive(Default)]
pub(super) struct Attention {
    /// Updates that it has not been told of yet.
    pub(super) updates: Arc<Updates>,
    level: Mutex<Option<Severity>>,
    followed: Mutex<BTreeMap<String, Following>>,
}

impl Attention {
    /// Follows one more resource, by the URI that the client knows.
    pub(super) fn follow(&self, uri: &str, following: Following) -> Result<(), RpcError> {
        let mut followed = self.followed();
        if followed.len() >= RESOURCES_FOLLOWED_MAX && !followed.contains_key(uri) {
            let message = format!(
                "{RESOURCES_FOLLOWED_MAX} resources are followed: unsubscribe from one first"
            );
            return Err(RpcError::refused(429, message));
        }
        followed.insert(uri.to_owned(), following);
        Ok(())
    }

    /// Follows a resource no more.
    pub(super) fn leave(&self, uri: &str) {
        // What ends with it may take a while to say so: not under the lock.
        let _ended = self.followed().remove(uri);
        self.updates.forget(uri);
    }

    fn level(&self) -> MutexGuard<'_, Option<Severity>> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followed(&self) -> MutexGuard<'_, BTreeMap<String, Following>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attention").finish_non_exhaustive()
    }
}

impl Asked {
    /// The least severe log message that the client wants; none: it wants none.
    pub(super) fn log_level(&self) -> Option<Severity> {
        match self.era {
            Era::Modern => {
                let meta = self.request.params.get("_meta");
                meta.and_then(|meta| meta.get(LOG_LEVEL_KEY))
                    .and_then(known)
            }
            Era::Legacy(_) => self.attention().and_then(|attention| *attention.level()),
        }
    }

    /// What the client of a legacy session wants to hear of.
    pub(super) fn attention(&self) -> Option<Arc<Attention>> {
        let session = self.held.session.as_ref().map(|session| &session.client);
        let client = session.or(self.client.as_ref());
        client.map(|client| client.attention.clone())
    }
}

/// Serves `logging/setLevel`.
pub(super) fn set_level(asked: &Asked, params: &Map<String, Value>) -> Result<String, RpcError> {
    let level = params.get("level").and_then(known);
    let level = level.ok_or_else(|| {
        RpcError::invalid_params(format!(
            "`level` must be one of {}",
            Severity::NAMES.join(", ")
        ))
    })?;
    if let Some(attention) = asked.attention() {
        *attention.level() = Some(level);
    }
    Ok("{}".to_owned())
}

fn known(level: &Value) -> Option<Severity> {
    level.as_str().and_then(Severity::named)
}
