//! Recorded calls and configurations to decide them again on, written as plain data.
//!
//! One agent, one tool; `refund(minutes, amount)` is a call of it so many minutes after the start.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each user needs its own part, and a fixture that is broken is a failure"
)]

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_execution::{Invocation, Proposal};
use toolgate_gate::backtest::Recorded;
use toolgate_gate::case::assumed;
use toolgate_gate::port::{PolicyDocument, Stored};
use toolgate_gate::{Configuration, Posture, Settings};
use toolgate_model::{
    Agent, Catalogue, Decision, Descriptor, Digest, Duration, Effect, InvocationId, KeyId, Mode,
    Profile, Risk, Stance, Timestamp, Verdict,
};

pub(crate) const START: i64 = 1_781_622_862_000;

pub(crate) fn tool(id: &str) -> Descriptor {
    Descriptor {
        input_schema: json!({"type": "object", "properties": {
            "amount": {"type": "number"}, "charge": {"type": "string"}, "note": {"type": "string"}}}),
        ..assumed(id.parse().unwrap(), Risk::Low)
    }
}

/// A configuration with the agent, these tools and these documents.
pub(crate) fn configuration(tools: Vec<Descriptor>, policies: &[(&str, Value)]) -> Configuration {
    let agent = Agent {
        id: "billing_agent".parse().unwrap(),
        tenant: Default::default(),
        owner: "ana@acme.com".parse().unwrap(),
        role: Default::default(),
        profile: Profile::Admin,
        runtime: None,
        project: None,
        trusted_host: false,
        suspended: false,
        created_at: Timestamp::from_millis(START),
    };
    let documents = policies.iter().map(|(name, text)| PolicyDocument {
        name: (*name).to_owned(),
        text: text.to_string(),
    });
    let stored = Stored {
        agents: vec![agent],
        policies: documents.collect(),
        ..Stored::default()
    };
    let posture = Posture {
        low: Stance::Allow,
        medium: Stance::Allow,
        high: Stance::Allow,
        critical: Stance::Allow,
    };
    let settings = Settings {
        posture,
        ..Settings::default()
    };
    let built = Configuration::build(stored, Arc::new(Catalogue::new(tools)), settings, None);
    assert_eq!(built.policy_errors().next(), None);
    built
}

/// A call so many minutes after the start, allowed then.
pub(crate) fn call(minutes: i64, number: u8, change: impl FnOnce(&mut Proposal)) -> Recorded {
    let at = Timestamp::from_millis(START + minutes * 60_000);
    let mut proposal = proposal(at);
    change(&mut proposal);
    let id = InvocationId::mint(at, [number; 10]);
    let mut invocation = Invocation::propose(id, proposal, at);
    invocation.created_at = at;
    Recorded::of(&invocation)
}

pub(crate) fn refund(minutes: i64, number: u8, amount: i64) -> Recorded {
    call(minutes, number, |proposal| {
        proposal.arguments = json!({"charge": "ch_1", "amount": amount});
    })
}

fn proposal(at: Timestamp) -> Proposal {
    Proposal {
        tenant: Default::default(),
        agent: "billing_agent".parse().unwrap(),
        owner: "ana@acme.com".parse().unwrap(),
        key: KeyId::mint(Timestamp::from_millis(START), [1; 10]),
        chain: Vec::new(),
        user: None,
        tool: "stripe.refund".parse().unwrap(),
        version: "1.0.0".to_owned(),
        descriptor: None,
        arguments: json!({}),
        salt: "5a".repeat(16),
        env: Some("prod".to_owned()),
        workflow: None,
        resource: None,
        session: None,
        correlation: None,
        trigger: None,
        justification: None,
        mode: Mode::Execute,
        effect: Effect::Some,
        timeout: Duration::from_secs(20),
        idempotency_key: None,
        fingerprint: Digest::of(b""),
        meta: Default::default(),
        allow_duplicate: false,
        entity: None,
        effect_check: None,
        user_request: None,
        session_trusted: false,
        request: None,
        decision: Decision {
            verdict: Verdict::Allow,
            denial: None,
            determining: None,
            rules: Vec::new(),
            obligations: Vec::new(),
            approval: None,
            risk: None,
            risk_score: None,
            sanitized: Vec::new(),
            notices: Vec::new(),
            policy_version: None,
            evaluated_at: at,
        },
    }
}
