//! What people and callers do to an invocation from outside: cancel it, resolve its doubt.

use toolgate_execution::{Input, Resolution, Resolved};
use toolgate_model::{AgentId, InvocationId};

use crate::driver::Driver;
use crate::outcome::{Failed, Outcome};
use toolgate_record::Actor;

impl Driver {
    /// Withdraws a call that has not run.
    ///
    /// # Errors
    /// [`Failed`] where it is not waiting any more.
    pub(crate) async fn withdraw(
        &self,
        id: &InvocationId,
        actor: &Actor,
    ) -> Result<Outcome, Failed> {
        let Some(by) = crate::entries::name(actor).cloned() else {
            return Err(Failed::Invalid("nobody cannot withdraw a call".to_owned()));
        };
        let (transition, evidence) = self
            .advance(id, actor, |_| vec![Input::Withdraw { by: by.clone() }])
            .await?;
        Ok(Outcome::of(transition.next, evidence))
    }

    /// Settles a call in doubt by the word of a named person.
    ///
    /// # Errors
    /// [`Failed`] where it is not in doubt, or no reason is given.
    pub(crate) async fn resolve_doubt(
        &self,
        id: &InvocationId,
        (by, landed, reason): (AgentId, Landed, String),
        actor: &Actor,
    ) -> Result<Outcome, Failed> {
        if reason.trim().is_empty() {
            return Err(Failed::Invalid(
                "a reason is needed: how do you know".to_owned(),
            ));
        }
        let resolved = match landed {
            Landed::Yes => Resolved::Landed,
            Landed::No => Resolved::NotLanded,
        };
        let word = |_: &toolgate_execution::Invocation| {
            vec![Input::Resolve(Resolution {
                by: by.clone(),
                resolved,
                reason: reason.clone(),
            })]
        };
        let (transition, evidence) = self.advance(id, actor, word).await?;
        Ok(Outcome::of(transition.next, evidence))
    }
}

/// What a person says of an effect in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// It is there.
    Yes,
    /// It is not, and will not come.
    No,
}
