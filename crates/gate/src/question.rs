//! One question to the gate: a call, and what is known about it beside the configuration.

use toolgate_model::{Call, Identity, InvocationId, Timestamp};
use toolgate_policy::ApprovalFacts;

use crate::evidence::{Evidence, Reading};
use crate::history::{Asker, Ledger, SessionKey, View};

/// A call that is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The call.
    pub call: &'q Call,
    /// What was read live about it.
    pub evidence: &'q Evidence,
    /// What is remembered of earlier calls; none where nobody can say, and whatever asks for it is
    /// unknown then.
    pub history: Option<&'q Ledger>,
    /// Its invocation, where it has one already: a call is never counted for itself.
    pub invocation: Option<&'q InvocationId>,
    /// Its approval, where it is decided again.
    pub approval: Option<&'q ApprovalFacts>,
}

impl<'q> From<(&'q Call, &'q Evidence)> for Question<'q> {
    fn from((call, evidence): (&'q Call, &'q Evidence)) -> Self {
        Self {
            call,
            evidence,
            history: None,
            invocation: None,
            approval: None,
        }
    }
}

/// What was read where nobody looked.
static UNREAD: Evidence = Evidence {
    entity: Reading::Unread,
    trigger: Reading::Unread,
    raw: None,
};

impl<'q> From<&'q Call> for Question<'q> {
    fn from(call: &'q Call) -> Self {
        Self::from((call, &UNREAD))
    }
}

impl<'q> Question<'q> {
    /// The same question to a gate that remembers.
    #[must_use]
    pub const fn knowing(self, history: &'q Ledger) -> Self {
        Self {
            history: Some(history),
            ..self
        }
    }

    /// The history as this call's rules see it.
    pub(crate) fn view(
        &self,
        identity: &'q Identity,
        (session, resource): (&'q SessionKey, Option<&'q str>),
        now: Timestamp,
    ) -> Option<View<'q>> {
        let ledger = self.history?;
        Some(ledger.view(Asker {
            invocation: self.invocation,
            tenant: &identity.agent.tenant,
            agent: &identity.agent.id,
            user: identity.user.as_ref().map(|user| &user.id),
            session,
            tool: &self.call.tool,
            resource,
            user_words: user_words(identity, self.call),
            now,
        }))
    }
}

/// Which session a call of this identity belongs to.
pub fn session(identity: &Identity, call: &Call) -> SessionKey {
    SessionKey {
        key: identity.credential.id.clone(),
        name: call.session.clone().filter(|_| identity.agent.trusted_host),
    }
}

/// What the user said, as far as the caller's word is taken for it.
pub fn user_words<'c>(identity: &Identity, call: &'c Call) -> Option<&'c str> {
    call.user_request
        .as_deref()
        .filter(|_| identity.agent.trusted_host)
}
