//! How much one credential has under way at once, over all its connections and both eras.
//!
//! Without this, one agent that opens streams or calls slow tools in a loop would use up the gate
//! for all the others.
//!
//! Must not know: sessions, what is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use toolgate_model::KeyId;

use super::limits::{CALLS_PER_CREDENTIAL_MAX, SUBSCRIPTIONS_PER_CREDENTIAL_MAX};
use super::message::RpcError;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Calls of tools.
    Call,
    /// Streams that wait for changes.
    Subscription,
}

/// Counts by credential and kind.
#[derive(Debug, Default)]
pub(super) struct Load {
    counts: Mutex<HashMap<(KeyId, Kind), usize>>,
}

/// One of what is counted, until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    load: Arc<Load>,
    key: (KeyId, Kind),
}

impl Kind {
    const fn limit(self) -> (usize, &'static str) {
        match self {
            Self::Call => (CALLS_PER_CREDENTIAL_MAX, "calls"),
            Self::Subscription => (SUBSCRIPTIONS_PER_CREDENTIAL_MAX, "change streams"),
        }
    }
}

impl Load {
    /// Counts one more, if there is room.
    pub(super) fn enter(self: &Arc<Self>, key: &KeyId, kind: Kind) -> Result<Ticket, RpcError> {
        let (max, word) = kind.limit();
        let key = (key.clone(), kind);
        let mut counts = self.counts();
        let count = counts.entry(key.clone()).or_default();
        if *count >= max {
            let message = format!("{max} {word} of this credential are under way: end one first");
            return Err(RpcError::refused(429, message));
        }
        *count += 1;
        Ok(Ticket {
            load: self.clone(),
            key,
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<(KeyId, Kind), usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.load.counts();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Load, SUBSCRIPTIONS_PER_CREDENTIAL_MAX};
    use std::sync::Arc;
    use toolgate_model::{KeyId, Timestamp};

    #[test]
    fn one_credential_cannot_use_up_the_room_of_another() {
        let load = Arc::new(Load::default());
        let key = |seed| KeyId::mint(Timestamp::from_millis(1), [seed; 10]);
        let tickets: Vec<_> = (0..SUBSCRIPTIONS_PER_CREDENTIAL_MAX)
            .map(|_| load.enter(&key(1), Kind::Subscription).unwrap())
            .collect();
        assert_eq!(
            load.enter(&key(1), Kind::Subscription).unwrap_err().status,
            429
        );
        assert!(load.enter(&key(1), Kind::Call).is_ok());
        assert!(load.enter(&key(2), Kind::Subscription).is_ok());
        drop(tickets);
        assert!(load.enter(&key(1), Kind::Subscription).is_ok());
        assert!(load.counts().is_empty());
    }
}
