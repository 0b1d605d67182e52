//! A proposal and the inputs that the tests throw at the machine.

use toolgate_execution::{Frozen, Proposal, Vote, Voter};
use toolgate_model::{
    AgentId, ApprovalId, ApprovalTerms, Code, Decision, Denial, Digest, Duration, Effect, KeyId,
    Mode, Role, TenantId, Timestamp, Verdict, json,
};

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn name(text: &str) -> AgentId {
    text.parse().unwrap()
}

/// A refund proposed by `billing_agent`, owned by ana, decided as `verdict` says.
pub(crate) fn proposal(verdict: Verdict, effect: Effect) -> Proposal {
    let denial = match verdict {
        Verdict::Allow | Verdict::Sanitize => None,
        Verdict::RequireApproval => Some(Denial::new(Code::ApprovalRequired, "needs approval")),
        Verdict::Deny => Some(Denial::new(Code::PolicyDenied, "denied")),
    };
    Proposal {
        tenant: TenantId::default(),
        agent: name("billing_agent"),
        owner: name("ana@acme.com"),
        key: KeyId::mint(at(0), [1; 10]),
        chain: Vec::new(),
        user: None,
        tool: "stripe.refund".parse().unwrap(),
        version: "1.0.0".to_owned(),
        descriptor: None,
        arguments: serde_json::json!({"charge": "ch_1", "amount": 640}),
        salt: "00".repeat(16),
        env: None,
        workflow: None,
        resource: None,
        session: None,
        correlation: None,
        trigger: None,
        justification: None,
        mode: Mode::Execute,
        effect,
        timeout: Duration::from_secs(20),
        idempotency_key: None,
        fingerprint: Digest::of(b"call"),
        meta: serde_json::Map::new(),
        decision: Decision {
            verdict,
            denial,
            determining: None,
            rules: Vec::new(),
            obligations: Vec::new(),
            approval: None,
            risk: None,
            risk_score: None,
            sanitized: Vec::new(),
            notices: Vec::new(),
            policy_version: None,
            evaluated_at: at(0),
        },
        allow_duplicate: false,
        entity: None,
        effect_check: None,
        user_request: None,
        session_trusted: false,
        request: None,
    }
}

/// A frozen snapshot `label`, of which `quorum` people must approve before `expires_at`.
pub(crate) fn frozen(label: &str, quorum: u32, expires_at: i64) -> Frozen {
    let snapshot =
        serde_json::json!({"snapshot": label, "amount": 640.1, "big": 9_007_199_254_740_991_u64});
    Frozen {
        approval: ApprovalId::mint(at(label.len() as i64), [2; 10]),
        digest: json::digest(&snapshot),
        snapshot,
        terms: ApprovalTerms {
            approvers: Vec::new(),
            quorum,
            expires_in: None,
        },
        frozen_at: at(0),
        expires_at: at(expires_at),
        requeues: 0,
        drift: Vec::new(),
        escalation: None,
    }
}

pub(crate) fn vote(person: &str, frozen: &Frozen, choice: toolgate_execution::Choice) -> Vote {
    Vote {
        voter: Voter {
            id: name(person),
            role: Role::Approver,
            groups: Vec::new(),
            via: "key".to_owned(),
        },
        digest: frozen.digest,
        choice,
        reason: Some("because".to_owned()),
        at: at(5),
    }
}
