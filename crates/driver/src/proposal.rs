//! From a judged call to the proposal that an invocation carries for ever.

use std::sync::Arc;

use toolgate_execution::{Proposal, Sendable};
use toolgate_gate::{Established, Judged, fingerprint};
use toolgate_model::{
    Call, Decision, Denial, Digest, Duration, Effect, Identity, Mode, Timestamp, Verdict,
};

/// What was proposed, by whom, and how it was decided.
pub(crate) fn proposal(
    identity: &Identity,
    call: &Call,
    judged: &Judged,
    salt: String,
) -> Proposal {
    let agent = &identity.agent;
    let descriptor = judged.descriptor.as_ref();
    let mut proposal = Proposal {
        tenant: agent.tenant.clone(),
        agent: agent.id.clone(),
        owner: agent.owner.clone(),
        key: identity.credential.id.clone(),
        chain: Vec::new(),
        user: identity.user.as_deref().cloned(),
        tool: call.tool.clone(),
        version: descriptor.map_or_else(String::new, |tool| tool.version.clone()),
        descriptor: descriptor.map(|tool| tool.digest()),
        arguments: judged.arguments(call).clone(),
        salt,
        env: judged.env.clone(),
        workflow: judged.workflow.clone(),
        resource: judged.resource.clone(),
        session: call.session.clone(),
        correlation: call.correlation.clone(),
        trigger: call.trigger.clone(),
        justification: call.justification.clone(),
        mode: call.mode,
        effect: judged.effect,
        timeout: judged.timeout,
        idempotency_key: call.idempotency_key.clone(),
        fingerprint: Digest::of(b""),
        meta: call.meta.clone(),
        decision: judged.decision.clone(),
        allow_duplicate: call.allow_duplicate,
        entity: judged.established.pins.clone(),
        effect_check: descriptor.and_then(|tool| tool.checks.effect.clone()),
        user_request: call.user_request.clone(),
        session_trusted: agent.trusted_host,
        request: sendable(call, judged),
    };
    proposal.fingerprint = fingerprint(&proposal);
    proposal
}

/// The raw request as it may be sent, where the call is one that is to be.
fn sendable(call: &Call, judged: &Judged) -> Option<Sendable> {
    let sent = matches!(call.mode, Mode::Execute | Mode::Host);
    let denied = judged.decision.verdict == Verdict::Deny;
    let raw = call.raw.as_ref().filter(|_| sent && !denied)?;
    let request = raw.request_with(judged.arguments(call))?;
    Some(Sendable {
        request,
        withheld: raw.withheld.clone(),
    })
}

/// A call that was refused before anything about it was looked up.
pub(crate) fn refused(denial: Denial, call: &Call, now: Timestamp) -> Judged {
    Judged {
        decision: Decision {
            verdict: Verdict::Deny,
            denial: Some(denial),
            determining: None,
            rules: Vec::new(),
            obligations: Vec::new(),
            approval: None,
            risk: None,
            risk_score: None,
            sanitized: Vec::new(),
            notices: Vec::new(),
            policy_version: None,
            evaluated_at: now,
        },
        descriptor: None::<Arc<_>>,
        env: call.env.clone(),
        workflow: call.workflow.clone(),
        resource: None,
        timeout: Duration::default(),
        effect: Effect::Some,
        established: Established::default(),
        sanitized: None,
    }
}

/// The decision on a call whose idempotency key belongs to another one.
pub(crate) fn conflicting(decision: Decision, denial: Denial) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        denial: Some(denial),
        obligations: Vec::new(),
        approval: None,
        ..decision
    }
}
