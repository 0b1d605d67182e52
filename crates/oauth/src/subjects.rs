//! The users' own tokens, while they hold: what an exchange of tokens starts from (RFC 8693).
//!
//! In memory alone, and only where a source asks for such an exchange: a gate that was started
//! again has none, and says so to the next call, whose token is then here.
//!
//! INVARIANT: a token leaves this place for the exchange alone, never for a server.
//!
//! Must not know: how tokens are verified or exchanged.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use toolgate_gate::trust::Behalf;
use toolgate_model::Timestamp;
use zeroize::Zeroizing;

/// LIMIT: ten thousand people behind agents at once; the one whose token ends first goes.
const SUBJECTS_MAX: usize = 10_000;

/// The users' tokens. Cheap to clone.
#[derive(Clone, Default)]
pub struct Subjects(Arc<Mutex<HashMap<Behalf, Subject>>>);

/// One user's token.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) token: Arc<Zeroizing<String>>,
    pub(crate) ends: Timestamp,
}

impl Subjects {
    /// Keeps the newest token of a user, once it was verified.
    pub(crate) fn keep(&self, behalf: Behalf, token: &str, (ends, now): (Timestamp, Timestamp)) {
        let mut subjects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = subjects.get(&behalf);
        if known.is_some_and(|known| known.token.as_str() == token || known.ends > ends) {
            return;
        }
        if subjects.len() >= SUBJECTS_MAX {
            subjects.retain(|_, subject| subject.ends > now);
        }
        if subjects.len() >= SUBJECTS_MAX {
            let first = subjects.iter().min_by_key(|(_, subject)| subject.ends);
            if let Some(first) = first.map(|(behalf, _)| behalf.clone()) {
                subjects.remove(&first);
            }
        }
        let token = Arc::new(Zeroizing::new(token.to_owned()));
        subjects.insert(behalf, Subject { token, ends });
    }

    /// The token of a user, if it still holds.
    pub(crate) fn of(&self, behalf: &Behalf, now: Timestamp) -> Option<Subject> {
        let subjects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = subjects.get(behalf).filter(|subject| subject.ends > now);
        found.cloned()
    }
}

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subjects(…)")
    }
}
