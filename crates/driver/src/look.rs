//! Looking at live state: before a call is decided, at thaw, and after an answer was lost.
//!
//! A look is a read-only call that the gate makes for itself. It can fail in every way that a call
//! can, and a look that failed is never taken for one that says no.

use std::sync::Arc;

use futures_util::future::{Either, join, select};
use toolgate_execution::{Finding, Invocation, Proposal};
use toolgate_gate::port::Answer;
use toolgate_gate::{
    Configuration, Evidence, Found, Look, LookError, Looks, Reading, landed, live, looks,
};
use toolgate_model::{Duration, EffectLook, Filling, Identity, Recognition, json};

use crate::driver::Driver;

/// Time beyond its timeout that a look gets before it is given up.
// LIMIT: two seconds, as for attempts.
const LOOK_GRACE: Duration = Duration::from_secs(2);

impl Driver {
    /// Reads what must be known of a call before it can be decided.
    pub(crate) async fn evidence(&self, looks: Looks) -> Evidence {
        let (entity, trigger) = join(self.reading(looks.entity), self.reading(looks.trigger)).await;
        Evidence {
            entity,
            trigger,
            raw: None,
        }
    }

    /// Reads it for an invocation that is decided again, under the very configuration that it is
    /// decided on. Nothing is read for a credential that
    /// stands no more: the decision denies without it.
    pub(crate) async fn evidence_again(
        &self,
        configuration: &Configuration,
        invocation: &Invocation,
    ) -> Evidence {
        let now = self.now();
        let raw = self.recognised_again(configuration, &invocation.proposal);
        let call = toolgate_gate::frozen_call(&invocation.proposal, raw.as_ref());
        let identity: Result<Identity, _> = configuration.standing(&invocation.proposal.key, now);
        match identity {
            Ok(identity) => {
                let user = invocation.proposal.user.clone();
                let identity = identity.acting_for(user.map(Arc::new));
                let looks = looks(configuration, &identity, &call, now);
                let evidence = self.evidence(looks).await;
                Evidence { raw, ..evidence }
            }
            Err(_) => Evidence::default(),
        }
    }

    /// What the raw request of a proposal is a use of now; none where it is none, or nobody can say.
    fn recognised_again(
        &self,
        configuration: &Configuration,
        proposal: &Proposal,
    ) -> Option<Arc<Recognition>> {
        let request = &proposal.request.as_ref()?.request;
        let own_domains = &configuration.settings.own_domains;
        let found = self.ports.tools.recognise(request, own_domains);
        found.ok().map(Arc::new)
    }

    async fn reading(&self, look: Option<Result<Look, LookError>>) -> Reading {
        match look {
            None => Reading::Unread,
            Some(Ok(look)) => self.sight(look).await,
            Some(Err(error)) => Reading::Failed(error.to_string()),
        }
    }

    /// Makes one look.
    async fn sight(&self, look: Look) -> Reading {
        let deadline = self.now().plus(look.timeout()).plus(LOOK_GRACE);
        let tool = look.tool().clone();
        let call = self.ports.tools.look(look);
        let answer = match select(call, self.ports.clock.sleep_until(deadline)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => return Reading::Failed(format!("`{tool}` did not answer")),
        };
        match answer {
            Answer::Answered { failed: true, .. } => Reading::Refused,
            Answer::Answered { result, .. } => match live(result.get()) {
                Ok(seen) => Reading::Seen(seen),
                Err(why) => {
                    Reading::Failed(format!("what `{tool}` answered cannot be read: {why}"))
                }
            },
            Answer::Refused { message, .. } => {
                tracing::warn!(%tool, message, "a look was refused");
                Reading::Failed(format!("`{tool}` could not be asked"))
            }
            Answer::Lost { detail, .. } => {
                tracing::warn!(%tool, detail, "the answer of a look was lost");
                Reading::Failed(format!("`{tool}` did not answer"))
            }
        }
    }

    /// Looks once for the effect of an invocation in doubt.
    pub(crate) async fn finding(&self, look: &EffectLook, invocation: &Invocation) -> Finding {
        // INVARIANT: the instant before the look counts, not the one after it: what lands in
        // between must not be taken for absent.
        let looked_at = self.now();
        let (id, args) = (invocation.id.as_str(), &invocation.proposal.arguments);
        let filling = Filling {
            args,
            trigger: invocation.proposal.trigger.as_ref(),
            invocation: Some(id),
        };
        let catalogue = &self.configuration().catalogue;
        let reading = self
            .reading(Some(Look::of(catalogue, &look.probe, &filling)))
            .await;
        let unclear = |why: &str| Finding::Unclear {
            looked_at,
            why: why.to_owned(),
        };
        match reading {
            Reading::Seen(seen) => match landed(look, (args, id), &seen) {
                Found::Landed(effect) => Finding::Landed {
                    data: Some(json::canonical(&effect)),
                },
                Found::Nothing => Finding::NotFound { looked_at },
                Found::Unclear => unclear("the answer does not have what `landed` reads"),
            },
            Reading::Failed(why) => unclear(&why),
            Reading::Refused => unclear("the probe's tool answered with an error of its own"),
            Reading::Unread => unclear("nobody looked"),
        }
    }
}
