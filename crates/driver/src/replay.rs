//! Has this call been made before? Keys replay, waiting calls are joined (3-execution, 2 and 3).
//!
//! A denied call claims nothing, so the same key is decided again under the policy now in force.
//! A key's answer goes only to an agent that still reaches the tool.

use toolgate_execution::{Invocation, Proposal, Status};
use toolgate_gate::Judged;
use toolgate_gate::port::Unavailable;
use toolgate_model::{Call, Code, Denial, Duration, InvocationId, Mode, Timestamp, Truth, Verdict};

use crate::driver::Driver;
use crate::outcome::Outcome;
use crate::submit::{claim_key, is_guarded};

/// What an earlier call means for this one.
pub(crate) enum Earlier {
    /// Nothing.
    None,
    /// It is the same call: its outcome is the answer.
    Same(Box<Outcome>),
    /// It was the same call and ended without its effect: this one takes its place.
    Ended(InvocationId),
    /// It is another call with the same key.
    Conflict(Denial),
}

impl Driver {
    pub(crate) async fn earlier(
        &self,
        proposal: &Proposal,
        judged: &Judged,
        call: &Call,
    ) -> Result<Earlier, Unavailable> {
        if !reaches(judged) {
            return Ok(Earlier::None);
        }
        if let Some(key) = claim_key(&self.configuration(), proposal)
            && let Some((id, fingerprint)) = self.ports.store.claimed(&key).await?
        {
            if fingerprint != proposal.fingerprint {
                return Ok(Earlier::Conflict(conflict(&key.key)));
            }
            if let Some(invocation) = self.ports.store.invocation(&id).await? {
                return Ok(again(proposal, judged, invocation));
            }
        }
        match self.joined(proposal, judged, call).await? {
            Earlier::None => self.doubted(proposal, judged).await,
            joined => Ok(joined),
        }
    }

    /// An identical call in the same session whose effect nobody can know of is answered with that
    /// doubt, whatever its key: clients make a fresh key of each call, and a model that hears of an
    /// unknown effect calls again.
    async fn doubted(&self, proposal: &Proposal, judged: &Judged) -> Result<Earlier, Unavailable> {
        if is_denied(judged) || !is_guarded(&self.configuration(), proposal) {
            return Ok(Earlier::None);
        }
        let key = (&proposal.tenant, &proposal.agent, &proposal.fingerprint);
        let found = self.ports.store.by_fingerprint(key, &IN_DOUBT).await?;
        let twin = found.filter(|earlier| earlier.proposal.session == proposal.session);
        Ok(twin.map_or(Earlier::None, duplicate))
    }

    /// An identical call that waits for approval, or that was decided a moment ago, is joined: no
    /// approver is asked twice for what an agent merely asks again (docs/decisions/0011).
    async fn joined(
        &self,
        proposal: &Proposal,
        judged: &Judged,
        call: &Call,
    ) -> Result<Earlier, Unavailable> {
        let asked = judged.decision.verdict == Verdict::RequireApproval;
        // A verdict alone asks nobody, and is one of its own each time.
        if !asked || call.allow_duplicate || call.mode == Mode::Decide {
            return Ok(Earlier::None);
        }
        let key = (&proposal.tenant, &proposal.agent, &proposal.fingerprint);
        let found = self.ports.store.by_fingerprint(key, &JOINED).await?;
        let joined = found.filter(|earlier| is_joined(earlier, self.now()));
        Ok(joined.map_or(Earlier::None, duplicate))
    }
}

/// The earlier identical call as the answer to this one.
fn duplicate(invocation: Invocation) -> Earlier {
    let mut outcome = Outcome::of(invocation, Vec::new());
    outcome.duplicate_of = Some(outcome.invocation.id.clone());
    Earlier::Same(Box::new(outcome))
}

/// What the holder of the claim means for the same call again. A key's answer is the stored one,
/// whatever it was. Without a key, a call that ended without its effect is no duplicate, and one
/// that would be denied now is denied: only a key asks for an answer instead of a call.
fn again(proposal: &Proposal, judged: &Judged, invocation: Invocation) -> Earlier {
    let mut outcome = Outcome::of(invocation, Vec::new());
    match (&proposal.idempotency_key, outcome.invocation.status()) {
        (Some(_), _) => outcome.replayed = true,
        (None, Status::Failed | Status::Denied | Status::Cancelled | Status::Expired) => {
            return Earlier::Ended(outcome.invocation.id);
        }
        (None, _) if is_denied(judged) => return Earlier::None,
        (None, _) => outcome.duplicate_of = Some(outcome.invocation.id.clone()),
    }
    Earlier::Same(Box::new(outcome))
}

/// Whether the call is denied whatever a look at live state would show. Nothing was read yet, so a
/// rule that could not be judged for want of it has not spoken.
fn is_denied(judged: &Judged) -> bool {
    let decision = &judged.decision;
    let unread = judged
        .descriptor
        .as_ref()
        .is_some_and(|tool| tool.checks.entity.is_some() || tool.checks.trigger.is_some());
    let named = decision
        .rules
        .iter()
        .find(|matched| Some(&matched.rule) == decision.determining.as_ref());
    let provisional = unread && named.is_some_and(|rule| rule.truth == Truth::Unknown);
    decision.verdict == Verdict::Deny && !provisional
}

/// States in which an approved call is joined by the same call again.
const JOINED: [Status; 9] = [
    Status::PendingApproval,
    Status::Approved,
    Status::Executing,
    Status::UnknownEffect,
    Status::Reconciling,
    Status::NeedsOperator,
    Status::Succeeded,
    Status::Failed,
    Status::Rejected,
];

/// States in which nobody can know whether the effect is there.
const IN_DOUBT: [Status; 3] = [
    Status::UnknownEffect,
    Status::Reconciling,
    Status::NeedsOperator,
];

/// How long an approval's outcome answers the same call again.
// LIMIT: ten minutes, the window in which an identical call is a duplicate (3-execution, 2).
const JOIN_WINDOW: Duration = Duration::from_secs(600);

fn is_joined(earlier: &Invocation, now: Timestamp) -> bool {
    let asked = earlier.proposal.decision.verdict == Verdict::RequireApproval;
    let recent = now < earlier.updated_at.plus(JOIN_WINDOW);
    match earlier.state.frozen() {
        Some(frozen) => now < frozen.expires_at,
        None => asked && (!earlier.status().is_terminal() || recent),
    }
}

/// Whether the call got past the questions of reach: an answer kept from before is shown only to
/// whoever could still ask for it.
fn reaches(judged: &Judged) -> bool {
    let code = judged.decision.denial.as_ref().map(|denial| denial.code);
    !matches!(
        code,
        Some(
            Code::Unauthenticated
                | Code::CredentialExpired
                | Code::CredentialRevoked
                | Code::ToolNotFound
                | Code::OutOfScope
                | Code::RoleDenied
                | Code::NotGranted
                | Code::ResourceNotGranted
                | Code::RiskCeiling
                | Code::DelegationExceeded
        )
    )
}

fn conflict(key: &str) -> Denial {
    let shown: String = key.chars().take(64).collect();
    let message = format!("the idempotency key `{shown}` already belongs to another call");
    Denial::new(Code::IdempotencyConflict, message)
}
