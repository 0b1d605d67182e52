//! Legacy sessions: who opened them, at which revision, and what is under way in them.
//!
//! A session id is a secret of its own and still not enough: it works only together with the
//! credential that opened the session. Sessions that were silent too long are forgotten, and so is
//! the longest silent one where a credential opens too many; clients begin again on a 404.
//!
//! Must not know: HTTP, messages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use toolgate_model::{Digest, Identity, KeyId, Timestamp};

use super::client::Client;
use super::in_flight::InFlight;
use super::limits::{SESSION_IDLE_MAX, SESSIONS_PER_CREDENTIAL_MAX};
use super::resume::Tapes;

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    /// Its id.
    pub(super) id: String,
    /// The revision that was agreed on.
    pub(super) version: &'static str,
    /// What is under way in it.
    pub(super) requests: Arc<InFlight>,
    /// Whoever is at the other end of it.
    pub(super) client: Arc<Client>,
    /// What its streams said.
    pub(super) tapes: Tapes,
    opener: Identity,
    used_at: AtomicI64,
    /// Ends the change stream that is open now.
    stream: Mutex<CancellationToken>,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<String, Arc<Session>>>,
}

impl Session {
    /// A token for a new change stream; the one before it ends. A message goes to one stream only,
    /// and a client that opens a second one has lost the first.
    pub(super) fn begin_stream(&self) -> CancellationToken {
        let fresh = CancellationToken::new();
        let before = std::mem::replace(&mut *self.stream(), fresh.clone());
        before.cancel();
        fresh
    }

    fn end(&self) {
        self.stream().cancel();
        self.requests.cancel_all();
        self.tapes.end();
    }

    fn touch(&self, now: Timestamp) {
        self.used_at.store(now.as_millis(), Ordering::Relaxed);
    }

    fn silent_since(&self) -> Timestamp {
        Timestamp::from_millis(self.used_at.load(Ordering::Relaxed))
    }

    fn stream(&self) -> MutexGuard<'_, CancellationToken> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// Opens a session. `id` must be unguessable.
    pub(super) fn open(
        &self,
        id: String,
        opener: &Identity,
        (version, client): (&'static str, Arc<Client>),
        now: Timestamp,
    ) -> Arc<Session> {
        let session = Arc::new(Session {
            id: id.clone(),
            version,
            requests: Arc::default(),
            client,
            tapes: Tapes::default(),
            opener: opener.clone(),
            used_at: AtomicI64::new(now.as_millis()),
            stream: Mutex::default(),
        });
        let mut open = self.table();
        open.retain(|_, other| {
            let stale = is_stale(other, now);
            if stale {
                other.end();
            }
            !stale
        });
        make_room(&mut open, &opener.credential.id);
        open.insert(id, session.clone());
        session
    }

    /// The session with this id, if this credential opened it for the same person and it still
    /// stands.
    pub(super) fn find(&self, id: &str, who: &Identity, now: Timestamp) -> Option<Arc<Session>> {
        let mut open = self.table();
        let session = open.get(id).filter(|session| session.opener.is_same(who))?;
        if is_stale(session, now) {
            session.end();
            open.remove(id);
            return None;
        }
        session.touch(now);
        Some(session.clone())
    }

    /// Ends a session: its stream closes, and what is under way in it is given up.
    pub(super) fn close(&self, session: &Session) {
        self.table().remove(&session.id);
        session.end();
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of a session, from bytes that nobody can guess.
pub(super) fn session_id(random: [u8; 32]) -> String {
    format!("mcp_{}", Digest::from_bytes(random).hex())
}

/// Whoever serves a request or a stream of a session holds it; one that nobody holds and that has
/// been silent too long is forgotten.
fn is_stale(session: &Arc<Session>, now: Timestamp) -> bool {
    Arc::strong_count(session) == 1 && now.since(session.silent_since()) > SESSION_IDLE_MAX
}

/// Forgets the longest silent sessions of a credential until one more fits.
fn make_room(open: &mut HashMap<String, Arc<Session>>, key: &KeyId) {
    let mine = || {
        open.values()
            .filter(|session| session.opener.credential.id == *key)
    };
    let surplus = (mine().count() + 1).saturating_sub(SESSIONS_PER_CREDENTIAL_MAX);
    let mut silent: Vec<_> = mine().cloned().collect();
    // Those that somebody holds go last.
    silent.sort_by_key(|session| (Arc::strong_count(session) > 2, session.silent_since()));
    for session in silent.into_iter().take(surplus) {
        open.remove(&session.id);
        session.end();
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, SESSION_IDLE_MAX, SESSIONS_PER_CREDENTIAL_MAX, Sessions, session_id};
    use futures_util::FutureExt as _;
    use serde_json::json;
    use std::sync::Arc;
    use toolgate_model::{
        Agent, Credential, Digest, Duration, Identity, KeyId, Profile, Role, TenantId, Timestamp,
        TokenKind, User,
    };

    fn version() -> (&'static str, Arc<Client>) {
        ("2025-11-25", Arc::default())
    }

    /// An agent under the credential of this number.
    fn who(seed: u8) -> Identity {
        let agent = Agent {
            id: "billing_agent".parse().unwrap(),
            tenant: TenantId::default(),
            owner: "ana@acme.com".parse().unwrap(),
            role: Role::Agent,
            profile: Profile::Admin,
            runtime: None,
            project: None,
            trusted_host: false,
            suspended: false,
            created_at: at(0),
        };
        let credential = Credential {
            id: KeyId::mint(at(1), [seed; 10]),
            tenant: TenantId::default(),
            kind: TokenKind::Agent,
            subject: agent.id.clone(),
            secret_hash: serde_json::from_value(json!(Digest::of(&[seed]))).unwrap(),
            scope: Default::default(),
            created_at: at(0),
            expires_at: None,
            revoked_at: None,
            rotated_from: None,
        };
        Identity {
            agent: Arc::new(agent),
            credential: Arc::new(credential),
            user: None,
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_session_belongs_to_the_credential_that_opened_it() {
        let sessions = Sessions::default();
        drop(sessions.open("mcp_a".to_owned(), &who(1), version(), at(0)));
        assert!(sessions.find("mcp_a", &who(1), at(1)).is_some());
        assert!(sessions.find("mcp_a", &who(2), at(1)).is_none());
        assert!(sessions.find("mcp_b", &who(1), at(1)).is_none());
        let user = User {
            id: "bo@acme.com".parse().unwrap(),
            groups: Vec::new(),
        };
        let another_person = who(1).acting_for(Some(Arc::new(user)));
        assert!(sessions.find("mcp_a", &another_person, at(1)).is_none());
        assert!(session_id([7; 32]).bytes().all(|b| b.is_ascii_graphic()));
    }

    #[test]
    fn silence_ends_a_session_unless_something_is_under_way() {
        let sessions = Sessions::default();
        let (quiet, busy) = ("mcp_quiet".to_owned(), "mcp_busy".to_owned());
        drop(sessions.open(quiet, &who(1), version(), at(0)));
        let held = sessions.open(busy, &who(1), version(), at(0));
        let late = at(0).plus(SESSION_IDLE_MAX).plus(Duration::from_millis(1));
        assert!(sessions.find("mcp_quiet", &who(1), late).is_none());
        assert!(sessions.find("mcp_busy", &who(1), late).is_some());
        drop(held);
    }

    #[test]
    fn the_longest_silent_session_makes_room() {
        let sessions = Sessions::default();
        let name = |n: usize| format!("mcp_{n}");
        let held = sessions.open(name(0), &who(1), version(), at(0));
        let stream = held.begin_stream();
        for n in 1..=SESSIONS_PER_CREDENTIAL_MAX {
            drop(sessions.open(name(n), &who(1), version(), at(i64::try_from(n).unwrap())));
        }
        let now = at(1_000);
        assert!(sessions.find(&name(0), &who(1), now).is_some() && !stream.is_cancelled());
        assert!(sessions.find(&name(1), &who(1), now).is_none());
        assert!(sessions.find(&name(2), &who(1), now).is_some());
    }

    #[test]
    fn a_second_stream_ends_the_first_and_closing_ends_all() {
        let sessions = Sessions::default();
        let session = sessions.open("mcp_a".to_owned(), &who(1), version(), at(0));
        let first = session.begin_stream();
        let second = session.begin_stream();
        assert!(first.is_cancelled() && !second.is_cancelled());
        let slot = session.requests.enter(&1.into()).unwrap();
        let mut reader = session.tapes.begin().read(0);
        assert!(reader.next().now_or_never().is_none(), "it goes on");
        sessions.close(&session);
        assert_eq!(reader.next().now_or_never(), Some(None));
        assert!(second.is_cancelled() && slot.cancelled.is_cancelled());
        assert!(sessions.find("mcp_a", &who(1), at(1)).is_none());
    }
}
