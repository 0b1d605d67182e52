//! What could this agent do right now, and why not? The same code that decides calls answers.

use std::sync::Arc;

use serde::Serialize;
use toolgate_model::{
    Agent, AgentId, Call, Code, Credential, Decision, Denial, Descriptor, Identity, KeyId, Mode,
    Runner, Scope, SecretHash, TenantId, Timestamp, Token, TokenKind, ToolId, Verdict,
};

use crate::configuration::Configuration;
use crate::decide::{decide, visible};
use crate::history::Ledger;
use crate::question::Question;

/// What one tool would answer.
#[derive(Clone, Debug, Serialize)]
pub struct Possibility {
    /// The tool.
    pub tool: ToolId,
    /// `yes`, `with_approval`, `depends` (on arguments that were not given) or `no`.
    pub answer: &'static str,
    /// Why not, or what it depends on.
    pub code: Option<Code>,
    /// The same in words.
    pub reason: String,
}

/// What an agent could do with every tool.
pub fn survey(
    (configuration, history): (&Configuration, &Ledger),
    agent: &Arc<Agent>,
    now: Timestamp,
) -> Vec<Possibility> {
    let identity = unscoped(agent, now);
    let tools = configuration.catalogue.iter();
    tools
        .map(|tool| possibility((configuration, history), &identity, tool, now))
        .collect()
}

/// What one concrete call of an agent would get, were it made now with an unscoped credential.
pub fn ask(
    known: (&Configuration, &Ledger),
    agent: &Arc<Agent>,
    call: &Call,
    now: Timestamp,
) -> Possibility {
    let decision = decision(known, &unscoped(agent, now), call, now);
    let answer = match decision.verdict {
        Verdict::Allow | Verdict::Sanitize => "yes",
        Verdict::RequireApproval => "with_approval",
        Verdict::Deny => "no",
    };
    Possibility {
        tool: call.tool.clone(),
        answer,
        code: decision.denial.as_ref().map(|denial| denial.code),
        reason: decision
            .denial
            .map_or_else(granted, |denial| denial.message),
    }
}

fn possibility(
    (configuration, history): (&Configuration, &Ledger),
    identity: &Identity,
    tool: &Arc<Descriptor>,
    now: Timestamp,
) -> Possibility {
    let call = Call {
        mode: mode(tool),
        ..Call::new(tool.id.clone(), serde_json::json!({}))
    };
    let decision = decision((configuration, history), identity, &call, now);
    let denial = decision
        .denial
        .unwrap_or_else(|| Denial::new(Code::NotGranted, "not granted"));
    let (answer, code, reason) = if !visible(configuration, identity, tool, now) {
        ("no", Some(denial.code), denial.message)
    } else if decision.verdict == Verdict::Allow {
        ("yes", None, granted())
    } else {
        let reason = "reachable; the arguments, resource and environment decide".to_owned();
        ("depends", None, reason)
    };
    Possibility {
        tool: tool.id.clone(),
        answer,
        code,
        reason,
    }
}

/// How a tool is called: what a host runs, its host proposes.
const fn mode(tool: &Descriptor) -> Mode {
    match tool.runner {
        Runner::Host => Mode::Host,
        Runner::Gate | Runner::Probe => Mode::Execute,
    }
}

fn granted() -> String {
    "granted, and nothing forbids it".to_owned()
}

/// The decision, as the gate would make it; a suspended agent gets no other.
fn decision(
    (configuration, history): (&Configuration, &Ledger),
    identity: &Identity,
    call: &Call,
    now: Timestamp,
) -> Decision {
    // The clearance that may come with it is dropped: asking admits nothing.
    let tool = configuration.catalogue.get(&call.tool);
    let call = Call {
        mode: tool.map_or(call.mode, |tool| mode(tool)),
        ..call.clone()
    };
    let question = Question::from(&call).knowing(history);
    let mut decision = decide(configuration, identity, question, now).0.decision;
    if identity.agent.suspended {
        decision.verdict = Verdict::Deny;
        decision.denial = Some(Denial::new(
            Code::CredentialRevoked,
            "the agent is suspended",
        ));
    }
    decision
}

/// The agent with a credential that narrows nothing and authenticates nobody.
pub fn unscoped(agent: &Arc<Agent>, now: Timestamp) -> Identity {
    let id = KeyId::mint(now, [0; 10]);
    let nobody: SecretHash = Token::mint(TokenKind::Agent, id.clone(), [0; 32]).secret_hash();
    let credential = Credential {
        id,
        tenant: agent.tenant.clone(),
        kind: TokenKind::Agent,
        subject: agent.id.clone(),
        secret_hash: nobody,
        scope: Scope::default(),
        created_at: now,
        expires_at: None,
        revoked_at: None,
        rotated_from: None,
    };
    Identity {
        agent: agent.clone(),
        credential: Arc::new(credential),
        user: None,
    }
}

/// The agent of this name within a tenant.
pub fn agent_of<'c>(
    configuration: &'c Configuration,
    tenant: &TenantId,
    id: &AgentId,
) -> Option<&'c Arc<Agent>> {
    configuration
        .agent(id)
        .filter(|agent| agent.tenant == *tenant)
}
