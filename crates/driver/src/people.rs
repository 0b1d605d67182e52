//! Who asks, and whether they may: the permission check that every request from outside passes.
//!
//! Agents act on their own invocations only; people act by their role. Nobody sees another
//! tenant's things: to them these do not exist.

use std::sync::Arc;

use serde_json::json;
use toolgate_execution::{Choice, Invocation, Voter};
use toolgate_gate::{Caller, authenticate, port::Commit};
use toolgate_model::{
    ApprovalId, Denial, Digest, InvocationId, KeyId, Permission, TenantId, Timestamp, User,
};

use crate::driver::{Driver, lock};
use crate::entries;
use crate::outcome::{Failed, Outcome};
use crate::settle::Landed;
use toolgate_record::Actor;

/// Refused sign-ins that are written down within one second; the rest is only counted.
// LIMIT: twenty, so that whoever guesses tokens cannot fill the disk.
const REFUSALS_RECORDED_PER_SECOND: u32 = 20;

/// Bytes of a reason that a person gives.
// LIMIT: 4 KiB, so that it fits the record whole.
const REASON_BYTES_MAX: usize = 4 << 10;

/// Counts refused sign-ins within one second.
#[derive(Default)]
pub(crate) struct Refusals {
    second: i64,
    count: u32,
    suppressed: u64,
}

impl Driver {
    /// Who sent this token? A refusal is on the record too.
    ///
    /// # Errors
    /// A [`Denial`] of step 1.
    pub async fn authenticate(&self, token: Option<&str>) -> Result<Caller, Denial> {
        let now = self.now();
        let caller = authenticate(&self.configuration(), token.unwrap_or_default(), now);
        match caller {
            Ok(caller) => {
                self.note_use(&caller.credential().id);
                Ok(caller)
            }
            Err(denial) => {
                self.record_refusal(&denial, now).await;
                Err(denial)
            }
        }
    }

    pub(crate) async fn record_refusal(&self, denial: &Denial, now: Timestamp) {
        let Some(suppressed) = self.count_refusal(now) else {
            return;
        };
        let Ok(id) = self.record_id() else { return };
        let data = json!({"denial": denial, "suppressed_before": suppressed});
        let tenant = TenantId::default();
        let entry = entries::of_change((id, now), "auth.refused", &tenant, &Actor::Nobody, data);
        let commit = Commit {
            entries: vec![entry],
            ..Commit::default()
        };
        if let Err(error) = self.ports.store.commit(commit).await {
            tracing::error!(%error, "a refused sign-in could not be recorded");
        }
    }

    /// How many were not written down since the last one, or none where this one is not either.
    fn count_refusal(&self, now: Timestamp) -> Option<u64> {
        let second = now.as_millis() / 1_000;
        let mut refusals = lock(&self.refusals);
        if refusals.second != second {
            (refusals.second, refusals.count) = (second, 0);
        }
        refusals.count += 1;
        if refusals.count > REFUSALS_RECORDED_PER_SECOND {
            refusals.suppressed += 1;
            return None;
        }
        Some(std::mem::take(&mut refusals.suppressed))
    }

    pub(crate) fn note_use(&self, key: &KeyId) {
        lock(&self.used).insert(key.clone(), self.now());
    }

    /// Writes down when credentials were last used. Lossy by design; call it now and then.
    pub async fn flush_uses(&self) {
        let used: Vec<_> = lock(&self.used).drain().collect();
        if !used.is_empty()
            && let Err(error) = self.ports.store.touch(used).await
        {
            tracing::warn!(%error, "last uses of credentials could not be noted");
        }
    }

    /// One invocation, if this caller may see it.
    ///
    /// # Errors
    /// [`Failed::NotFound`] also where it belongs to somebody else.
    pub async fn invocation(
        &self,
        caller: &Caller,
        id: &InvocationId,
    ) -> Result<Invocation, Failed> {
        let invocation = self.load(id).await?;
        if sees(caller, &invocation) {
            Ok(invocation)
        } else {
            Err(Failed::not_found("invocation", id))
        }
    }

    /// The invocation behind an approval, if this caller may see it.
    ///
    /// # Errors
    /// [`Failed::NotFound`] also where it belongs to somebody else.
    pub async fn approval(&self, caller: &Caller, id: &ApprovalId) -> Result<Invocation, Failed> {
        let found = self.ports.store.by_approval(id).await?;
        found
            .filter(|invocation| sees(caller, invocation))
            .ok_or_else(|| Failed::not_found("approval", id))
    }

    /// A person decides on a frozen call.
    ///
    /// # Errors
    /// [`Failed`], also where the caller is an agent or may not approve.
    pub async fn decide_approval(
        self: &Arc<Self>,
        caller: &Caller,
        id: &ApprovalId,
        decision: (Digest, Choice, Option<String>),
    ) -> Result<Outcome, Failed> {
        require(caller, Permission::Approve)?;
        fits("reason", decision.2.as_deref().unwrap_or_default())?;
        self.approval(caller, id).await?;
        let Caller::Person {
            operator,
            credential,
        } = caller
        else {
            return Err(Failed::Forbidden {
                permission: Permission::Approve,
            });
        };
        let voter = Voter {
            id: operator.id.clone(),
            role: operator.role,
            groups: operator.groups.clone(),
            via: credential.id.to_string(),
        };
        self.vote(id, voter, decision).await
    }

    /// Withdraws a call that waits: its own agent, or a person who may approve.
    ///
    /// # Errors
    /// [`Failed`] where it is somebody else's or not waiting.
    pub async fn cancel(&self, caller: &Caller, id: &InvocationId) -> Result<Outcome, Failed> {
        self.invocation(caller, id).await?;
        if matches!(caller, Caller::Person { .. }) {
            require(caller, Permission::Approve)?;
        }
        self.withdraw(id, &actor(caller)).await
    }

    /// A person says what happened to a call in doubt.
    ///
    /// # Errors
    /// [`Failed`] where it is not in doubt, or the caller may not say.
    pub async fn resolve(
        self: &Arc<Self>,
        caller: &Caller,
        id: &InvocationId,
        (landed, reason): (Landed, String),
    ) -> Result<Outcome, Failed> {
        require(caller, Permission::Approve)?;
        fits("reason", &reason)?;
        self.invocation(caller, id).await?;
        let Caller::Person { operator, .. } = caller else {
            return Err(Failed::Forbidden {
                permission: Permission::Approve,
            });
        };
        self.resolve_doubt(id, (operator.id.clone(), landed, reason), &actor(caller))
            .await
    }

    /// A person has the gate look for the effect of a call in doubt now. Answers as soon as that
    /// is durable; follow it with [`Driver::wait`].
    ///
    /// # Errors
    /// [`Failed`] where it is not in doubt, cannot be looked for, or the caller may not ask.
    pub async fn reconcile(
        self: &Arc<Self>,
        caller: &Caller,
        id: &InvocationId,
    ) -> Result<Outcome, Failed> {
        require(caller, Permission::Approve)?;
        self.invocation(caller, id).await?;
        self.look_now(id, &actor(caller)).await
    }
}

/// Refuses words that would not fit the record.
pub(crate) fn fits(field: &str, text: &str) -> Result<(), Failed> {
    if text.len() <= REASON_BYTES_MAX {
        return Ok(());
    }
    let bytes = text.len();
    let message = format!("`{field}` has {bytes} bytes, more than the {REASON_BYTES_MAX} allowed");
    Err(Failed::Invalid(message))
}

/// Whether this caller may see an invocation: its own agent acting for the same user, or a person
/// of its tenant who may look at all.
pub(crate) fn sees(caller: &Caller, invocation: &Invocation) -> bool {
    let proposal = &invocation.proposal;
    match caller {
        Caller::Agent(identity) => {
            let user = |user: &User| user.id.clone();
            // A trusted host says itself for whom it makes a call, so it sees what it made for anybody.
            let for_anybody = identity.agent.trusted_host && identity.user.is_none();
            let same = identity.user.as_deref().map(user) == proposal.user.as_ref().map(user);
            identity.agent.id == proposal.agent
                && identity.agent.tenant == proposal.tenant
                && (same || for_anybody)
        }
        Caller::Person { operator, .. } => {
            operator.tenant == proposal.tenant && operator.role.may(Permission::View)
        }
    }
}

/// Refuses whoever may not.
///
/// # Errors
/// [`Failed::Forbidden`] names the permission that is missing.
pub fn require(caller: &Caller, permission: Permission) -> Result<(), Failed> {
    let role = match caller {
        Caller::Agent(identity) => identity.agent.role,
        Caller::Person { operator, .. } => operator.role,
    };
    if role.may(permission) {
        Ok(())
    } else {
        Err(Failed::Forbidden { permission })
    }
}

/// The tenant of whoever asks.
pub(crate) fn tenant(caller: &Caller) -> &TenantId {
    match caller {
        Caller::Agent(identity) => &identity.agent.tenant,
        Caller::Person { operator, .. } => &operator.tenant,
    }
}

pub(crate) fn actor(caller: &Caller) -> Actor {
    let key = caller.credential().id.clone();
    match caller {
        Caller::Agent(identity) => Actor::Agent {
            id: identity.agent.id.clone(),
            key,
            chain: Vec::new(),
        },
        Caller::Person { operator, .. } => Actor::Person {
            id: operator.id.clone(),
            key,
        },
    }
}
