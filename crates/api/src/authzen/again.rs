//! The decision once people have approved: asked again, on what is in force now.
//!
//! An approval is no permission. It is looked up by its id, belongs to one call of one agent for one
//! person, and holds for exactly what was approved: the same tool, arguments, resource, environment,
//! workflow and session. The gate then decides the whole call again (the driver's `claim`), and only
//! if it still may run is the answer `true`: once, with a lease. Everything else is evaluated as if
//! there were no approval, and says why it did not help and what to do next.

use toolgate_driver::Outcome;
use toolgate_execution::{Invocation, State as Stage};
use toolgate_gate::{Caller, Question, decide};
use toolgate_model::{ApprovalId, Call, Identity, json};

use super::access::Access;
use super::decision::{AccessDecision, DecisionLease, sanitizes};
use super::evaluation::Asker;
use super::task::approval;
use super::whom::{Whom, whom};
use crate::problem::Problem;
use crate::standing::Standing;

/// Seconds after which what is not there yet is worth another try.
const RETRY_AFTER: u32 = 5;

/// Why an approval did not help (the profile's registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unhelpful {
    /// It has lapsed, was withdrawn, or was used.
    Expired,
    /// It is for something else.
    OutOfScope,
    /// People have not decided yet, or what they decided on has to be read again.
    Pending,
    /// The gate does not allow it any more, or people said no.
    Denied,
    /// It is none that this caller can have.
    Unverifiable,
}

impl Unhelpful {
    const fn word(self) -> &'static str {
        match self {
            Self::Expired => "approval_expired",
            Self::OutOfScope => "out_of_scope",
            Self::Pending => "grant_pending",
            Self::Denied => "policy_denied",
            Self::Unverifiable => "approval_unverifiable",
        }
    }
}

impl Asker {
    /// Decides a question that brings an approval.
    pub(super) async fn ask_again(&self, access: Access) -> Result<AccessDecision, Problem> {
        let why = match self.lift(&access).await? {
            Ok(told) => return Ok(told),
            Err(why) => why,
        };
        let told = self.ask_first(access).await?;
        Ok(unhelped(told, why))
    }

    /// Uses up the approval that a question brings.
    async fn lift(&self, access: &Access) -> Result<Result<AccessDecision, Unhelpful>, Problem> {
        let Whom::Known(asked) = whom(&self.api, &self.caller, access.about())? else {
            return Ok(Err(Unhelpful::Unverifiable));
        };
        let Some(Ok(identity)) = asked.recorded(&self.api).await? else {
            return Ok(Err(Unhelpful::Unverifiable));
        };
        let Some(call) = self.call(access, &asked)? else {
            return Ok(Err(Unhelpful::OutOfScope));
        };
        let Some((id, invocation)) = self.approved(&identity, access).await else {
            return Ok(Err(Unhelpful::Unverifiable));
        };
        if !self.covers(&identity, &call, &invocation) {
            return Ok(Err(Unhelpful::OutOfScope));
        }
        if let Err(why) = usable(&invocation, &id) {
            return Ok(Err(why));
        }
        if !invocation.proposal.decision.sanitized.is_empty() && !sanitizes(&access.context) {
            // Asked without an approval it is told what it would have to declare.
            return Ok(Err(Unhelpful::Denied));
        }
        let outcome = self.api.driver.claim(&identity, &invocation.id).await?;
        Ok(self.claimed(&outcome, &id, access))
    }

    /// The approval that is referred to, where it is this identity's and its caller runs the call.
    async fn approved(
        &self,
        identity: &Identity,
        access: &Access,
    ) -> Option<(ApprovalId, Invocation)> {
        let id: ApprovalId = access.context.approval.as_ref()?.id.parse().ok()?;
        let caller = Caller::Agent(identity.clone());
        let found = self.api.driver.approval(&caller, &id).await.ok()?;
        found.is_hosts().then_some((id, found))
    }

    /// Whether an approved call is this one.
    fn covers(&self, identity: &Identity, call: &Call, approved: &Invocation) -> bool {
        let (configuration, now) = (self.api.driver.configuration(), self.api.driver.now());
        let judged = self.api.driver.with_history(|history| {
            let question = Question::from(call).knowing(history);
            decide(&configuration, identity, question, now).0
        });
        let was = &approved.proposal;
        // A derived resource hides a claimed one, which must be the approved one all the same.
        let name = was.resource.as_ref().map(|resource| &resource.name);
        let claimed = call
            .resource
            .as_ref()
            .is_none_or(|claimed| Some(claimed) == name);
        // Both in their sanitized form.
        let arguments = json::canonical(judged.arguments(call)) == json::canonical(&was.arguments);
        arguments
            && claimed
            && call.tool == was.tool
            && judged.resource == was.resource
            && judged.env == was.env
            && judged.workflow == was.workflow
            && call.session == was.session
    }

    /// What came of claiming.
    fn claimed(
        &self,
        outcome: &Outcome,
        id: &ApprovalId,
        access: &Access,
    ) -> Result<AccessDecision, Unhelpful> {
        let invocation = &outcome.invocation;
        let Some(lease) = outcome.lease else {
            return Err(usable(invocation, id).err().unwrap_or(Unhelpful::Pending));
        };
        let url = &self.api.public_url;
        let lease = DecisionLease {
            attempt: lease.attempt,
            expires_at: lease.expires_at,
            outcome_endpoint: format!("{url}/v1/invocations/{}/outcome", invocation.id),
        };
        let proposal = &invocation.proposal;
        let judged = (&proposal.decision, &proposal.arguments);
        let mut told =
            AccessDecision::lifted(judged, (approval(invocation), lease), &access.context);
        told.context.evaluation_id = Some(invocation.id.clone());
        told.context.evaluated_at = Some(invocation.updated_at);
        Ok(told)
    }
}

/// Whether an approval can be used now.
fn usable(invocation: &Invocation, id: &ApprovalId) -> Result<(), Unhelpful> {
    let status = Standing::of(invocation, Some(id)).map(|standing| standing.status);
    match status {
        Some("approved") => Ok(()),
        Some("pending") => Err(Unhelpful::Pending),
        Some("used" | "expired" | "cancelled") => Err(Unhelpful::Expired),
        Some("rejected") => Err(Unhelpful::Denied),
        // A target that changed made a new approval of it, which people decide on.
        Some("voided") => match &invocation.state {
            Stage::PendingApproval { .. } | Stage::Approved { .. } => Err(Unhelpful::Pending),
            _ => Err(Unhelpful::Denied),
        },
        _ => Err(Unhelpful::Unverifiable),
    }
}

/// The answer without the approval, with why it did not help and what to do.
fn unhelped(mut told: AccessDecision, why: Unhelpful) -> AccessDecision {
    if told.decision {
        return told;
    }
    let context = &mut told.context;
    let requestable = context.access_request.is_some();
    let next = match why {
        Unhelpful::Expired | Unhelpful::OutOfScope if requestable => "request",
        Unhelpful::Pending => "retry",
        Unhelpful::Expired
        | Unhelpful::OutOfScope
        | Unhelpful::Denied
        | Unhelpful::Unverifiable => "none",
    };
    if next != "request" {
        context.access_request = None;
    }
    context.retry_after = (next == "retry").then_some(RETRY_AFTER);
    context.next_action = Some(next);
    context.reason = Some(why.word().to_owned());
    told
}
