//! Thaw: the approved call is decided again, whole, under what is in force now.
//!
//! The policy, the credential, the grants and the tool may all have changed while people were
//! deciding. Only the frozen bytes can run, and only if the gate would still let them be
//! approved; anything pinned that changed goes back to the approvers (3-execution, 3).

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_execution::{Drift, Escalation, Grounds, Invocation, Proposal, State, Vote};
use toolgate_model::{ApprovalTerms, Call, Code, Denial, Recognition, Timestamp, Verdict};
use toolgate_policy::ApprovalFacts;

use crate::configuration::Configuration;
use crate::decide::{Judged, clearance, decide};
use crate::evidence::Evidence;
use crate::history::Ledger;
use crate::permit::Clearance;
use crate::question::Question;
use crate::snapshot::{drift, freeze};

/// What revalidation found.
#[derive(Debug)]
pub enum Thawed {
    /// All as approved: it may run.
    Same(Clearance),
    /// Something pinned changed: which fields, and how the call would be judged now.
    Drifted {
        /// The fields, before and now.
        fields: Vec<Drift>,
        /// The call as judged now.
        judged: Box<Judged>,
    },
    /// It may not run any more.
    Forbidden(Denial),
}

/// The call that was frozen, as the gate would receive it again. A raw request comes with what it
/// is recognised as now.
pub fn frozen_call(proposal: &Proposal, raw: Option<&Arc<Recognition>>) -> Call {
    Call {
        recognised: raw.map(|raw| Arc::new(raw.recognised.clone())),
        raw: raw.cloned(),
        version: None,
        env: proposal.env.clone(),
        workflow: proposal.workflow.clone(),
        resource: proposal
            .resource
            .as_ref()
            .map(|resource| resource.name.clone()),
        session: proposal.session.clone(),
        correlation: proposal.correlation.clone(),
        trigger: proposal.trigger.clone(),
        justification: proposal.justification.clone(),
        timeout: Some(proposal.timeout),
        mode: proposal.mode,
        idempotency_key: proposal.idempotency_key.clone(),
        allow_duplicate: proposal.allow_duplicate,
        meta: proposal.meta.clone(),
        user_request: proposal.user_request.clone(),
        ..Call::new(proposal.tool.clone(), proposal.arguments.clone())
    }
}

/// Decides an invocation again: an approved one, a read that is to be asked once more, or a call
/// in doubt that may be sent again.
pub fn revalidate(
    configuration: &Configuration,
    invocation: &Invocation,
    (evidence, history): (&Evidence, &Ledger),
    now: Timestamp,
) -> Thawed {
    let proposal = &invocation.proposal;
    let identity = match configuration.standing(&proposal.key, now) {
        Ok(identity) => identity.acting_for(proposal.user.clone().map(Arc::new)),
        Err(denial) => return Thawed::Forbidden(denial),
    };
    if let Some(denial) = reread(proposal, evidence.raw.as_deref()) {
        return Thawed::Forbidden(denial);
    }
    let call = frozen_call(proposal, evidence.raw.as_ref());
    let approval = approval(&invocation.state);
    let question = Question {
        call: &call,
        evidence,
        history: Some(history),
        invocation: Some(&invocation.id),
        approval: approval.as_ref(),
    };
    let (judged, cleared) = decide(configuration, &identity, question, now);
    match (judged.decision.verdict, cleared) {
        (Verdict::Deny, _) => Thawed::Forbidden(forbidden(&judged)),
        (Verdict::Allow | Verdict::Sanitize, Some(clearance)) => {
            settle(invocation, judged, clearance, now)
        }
        (_, _) => match clearance(configuration, (&call, evidence), &judged) {
            Some(clearance) if discharged(invocation, &judged) => {
                settle(invocation, judged, clearance, now)
            }
            Some(_) => Thawed::Drifted {
                fields: vec![approvers(invocation, &judged)],
                judged: Box::new(judged),
            },
            None => Thawed::Forbidden(forbidden(&judged)),
        },
    }
}

/// Why a raw request is not the call any more that was decided on: it is read as something else.
fn reread(proposal: &Proposal, raw: Option<&Recognition>) -> Option<Denial> {
    proposal.request.as_ref()?;
    let same = |raw: &Recognition| {
        raw.recognised.descriptor.id == proposal.tool && raw.arguments == proposal.arguments
    };
    if raw.is_some_and(same) {
        return None;
    }
    let message = "the raw request is read as another call by now: propose it again";
    Some(Denial::new(Code::Drifted, message))
}

/// The approval of a call that is decided again.
fn approval(state: &State) -> Option<ApprovalFacts> {
    let (id, expires_at, votes) = match state {
        State::Approved { frozen, votes } => {
            (frozen.approval.clone(), Some(frozen.expires_at), votes)
        }
        _ => match state.grounds()? {
            Grounds::Approved {
                approval,
                votes,
                expires_at,
                ..
            } => (approval.clone(), *expires_at, votes),
            Grounds::Allowed => return None,
        },
    };
    Some(ApprovalFacts {
        id,
        state: "approved",
        approvers: votes.iter().map(|vote| vote.voter.id.clone()).collect(),
        expires_at: expires_at?,
    })
}

/// That the terms of the approval are others now.
fn approvers(invocation: &Invocation, judged: &Judged) -> Drift {
    let terms =
        |terms: &ApprovalTerms| json!({"approvers": terms.approvers, "quorum": terms.quorum});
    let before = invocation.state.frozen().map(|frozen| terms(&frozen.terms));
    let after = judged.decision.approval.as_ref().map(terms);
    Drift {
        field: "approvers".to_owned(),
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
    }
}

fn forbidden(judged: &Judged) -> Denial {
    judged.decision.denial.clone().unwrap_or_else(|| {
        Denial::new(
            Code::GateUnavailable,
            "the approved call could not be decided again",
        )
    })
}

/// Whether the votes that were given also meet the terms in force now. Who was asked because
/// nobody had decided for long enough counts like an approver, from that moment on.
fn discharged(invocation: &Invocation, judged: &Judged) -> bool {
    let terms = judged.decision.approval.clone().unwrap_or_default();
    match &invocation.state {
        State::Approved { frozen, votes } => meets(&terms, votes, frozen.escalation.as_ref()),
        state => match state.grounds() {
            Some(Grounds::Approved { votes, .. }) => meets(&terms, votes, None),
            Some(Grounds::Allowed) | None => false,
        },
    }
}

fn meets(terms: &ApprovalTerms, votes: &[Vote], escalation: Option<&Escalation>) -> bool {
    let named = |vote: &&Vote| {
        let voter = &vote.voter;
        let is = |name: &String| {
            *name == voter.id.as_str()
                || *name == voter.role.as_str()
                || voter.groups.contains(name)
        };
        let asked_later =
            |escalation: &Escalation| vote.at >= escalation.at && escalation.to.iter().any(is);
        terms.approvers.is_empty()
            || terms.approvers.iter().any(is)
            || escalation.is_some_and(asked_later)
    };
    votes.iter().filter(named).count() >= terms.quorum as usize
}

fn settle(invocation: &Invocation, judged: Judged, clearance: Clearance, now: Timestamp) -> Thawed {
    let fields = match &invocation.state {
        State::Approved { frozen, .. } => {
            let fresh = freeze(
                (&invocation.id, frozen.approval.clone()),
                &amended(&invocation.proposal, &judged),
                &judged.decision,
                (now, frozen.expires_at),
            );
            drift(&frozen.snapshot, &fresh.snapshot)
        }
        state => state.grounds().map_or_else(Vec::new, |grounds| {
            drift(&sent(invocation, grounds), &pinned(&judged))
        }),
    };
    if fields.is_empty() {
        Thawed::Same(clearance)
    } else {
        Thawed::Drifted {
            fields,
            judged: Box::new(judged),
        }
    }
}

/// What was pinned when the attempt in doubt was sent.
fn sent(invocation: &Invocation, grounds: &Grounds) -> Value {
    let proposal = &invocation.proposal;
    let entity = match grounds {
        Grounds::Approved { entity, .. } => entity,
        Grounds::Allowed => &proposal.entity,
    };
    json!({
        "descriptor": proposal.descriptor,
        "resource": proposal.resource,
        "entity": entity,
    })
}

/// The same, as it is now.
fn pinned(judged: &Judged) -> Value {
    json!({
        "descriptor": judged.descriptor.as_ref().map(|tool| tool.digest()),
        "resource": judged.resource,
        "entity": judged.established.pins,
    })
}

/// The proposal with what the gate itself derived, derived again.
pub fn amended(proposal: &Proposal, judged: &Judged) -> Proposal {
    Proposal {
        version: judged
            .descriptor
            .as_ref()
            .map_or_else(String::new, |tool| tool.version.clone()),
        descriptor: judged.descriptor.as_ref().map(|tool| tool.digest()),
        resource: judged.resource.clone(),
        decision: judged.decision.clone(),
        entity: judged.established.pins.clone(),
        ..proposal.clone()
    }
}
