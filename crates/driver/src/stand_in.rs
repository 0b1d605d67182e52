//! Credentials that nobody holds: how an agent is known that proves itself in another way.
//!
//! Whoever comes without a token where the operator allows it, and whoever brings a token that
//! somebody else issued, acts under a credential all the same: on the record it has a name,
//! revoking it ends that way in at once, and a call that waits is decided again on whether it
//! still stands.
//!
//! ```text
//! (agent, "https://login.acme.com") → key_…, the same one after every restart
//! ```
//!
//! Must not know: what was proven, or how.

use serde_json::json;
use toolgate_gate::Caller;
use toolgate_gate::port::Change;
use toolgate_model::{
    AgentId, Code, Credential, Denial, Digest, KeyId, Scope, Timestamp, Token, TokenKind,
};
use toolgate_record::Actor;

use crate::agents::summary;
use crate::driver::Driver;
use crate::outcome::Failed;

/// LIMIT: three; each further try means that somebody changed the configuration meanwhile.
const TRIES_MAX: usize = 3;

impl Driver {
    /// The credential under which this agent acts when it comes `by` this way. It is made the
    /// first time, and its secret is forgotten at once; one that was revoked stays revoked.
    ///
    /// # Errors
    /// [`Failed`] where there is no such agent, or the store cannot say.
    pub async fn stand_in(&self, agent: &AgentId, by: &str) -> Result<KeyId, Failed> {
        let id = id_of(agent, by);
        let mut tried = 0;
        while self.configuration().credential(&id).is_none() {
            tried += 1;
            match self.write_stand_in(&id, agent, by).await {
                Err(Failed::Conflict { .. }) if tried < TRIES_MAX => {}
                written => written?,
            }
        }
        Ok(id)
    }

    /// Who acts under this credential, known in another way than by its secret? A refusal is on
    /// the record too.
    ///
    /// # Errors
    /// A [`Denial`] of step 1 where the credential or its agent no longer stand.
    pub async fn authenticate_as(&self, key: &KeyId) -> Result<Caller, Denial> {
        let now = self.now();
        match self.configuration().standing(key, now) {
            Ok(identity) => {
                self.note_use(key);
                Ok(Caller::Agent(identity))
            }
            Err(denial) => {
                self.record_refusal(&denial, now).await;
                Err(denial)
            }
        }
    }

    /// Refuses somebody whose proof did not hold, which goes on the record like a bad key.
    pub async fn refuse(&self, reason: impl Into<String>) -> Denial {
        let denial = Denial::new(Code::Unauthenticated, reason.into());
        self.record_refusal(&denial, self.now()).await;
        denial
    }

    async fn write_stand_in(&self, id: &KeyId, agent: &AgentId, by: &str) -> Result<(), Failed> {
        let found = self.configuration().agent(agent).cloned();
        let agent = found.ok_or_else(|| Failed::not_found("agent", agent))?;
        let credential = Credential {
            id: id.clone(),
            tenant: agent.tenant.clone(),
            kind: TokenKind::Agent,
            subject: agent.id.clone(),
            secret_hash: Token::mint(TokenKind::Agent, id.clone(), self.random()?).secret_hash(),
            scope: Scope::default(),
            created_at: self.now(),
            expires_at: None,
            revoked_at: None,
            rotated_from: None,
        };
        let data = json!({"keys": [summary(&credential)], "stands_in_for": by});
        let changes = vec![Change::Credential(credential)];
        let what = ("key.created", data);
        self.change(&Actor::Gate, &agent.tenant, what, changes)
            .await
    }
}

/// The same way in has the same id, so that what people revoked is found again.
fn id_of(agent: &AgentId, by: &str) -> KeyId {
    let digest = Digest::of_parts(&[
        b"toolgate/stand-in/1\0",
        agent.as_str().as_bytes(),
        b"\0",
        by.as_bytes(),
    ]);
    let mut random = [0; 10];
    for (to, from) in random.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    KeyId::mint(Timestamp::from_millis(0), random)
}
