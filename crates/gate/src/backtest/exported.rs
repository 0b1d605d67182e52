//! Recorded calls as lines of a file, for a backtest where no gate runs.
//!
//! `toolgate policy calls --since 7d > calls.ndjson` writes them. A line has what a decision reads of a
//! call and what became of it, and nothing that a tool returned but the classes of data in it.
//!
//! Must not know: files.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toolgate_execution::{Invocation, Proposal};
use toolgate_model::{
    AgentId, DataClasses, Decision, Digest, Duration, Effect, InvocationId, KeyId, Mode, Resource,
    Sanitized, TenantId, Timestamp, ToolId, Trigger, Verdict,
};

use super::Recorded;
use crate::history::Standing;

/// One recorded call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedCall {
    invocation: InvocationId,
    at: Timestamp,
    tenant: TenantId,
    agent: AgentId,
    key: KeyId,
    tool: ToolId,
    /// The arguments that would run; null where they are not kept.
    arguments: Value,
    env: Option<String>,
    workflow: Option<String>,
    resource: Option<Resource>,
    session: Option<String>,
    session_trusted: bool,
    trigger: Option<Trigger>,
    user_request: Option<String>,
    allow_duplicate: bool,
    /// How it was first decided.
    verdict: Verdict,
    /// What was replaced in the arguments.
    sanitized: Vec<Sanitized>,
    /// Whether it counts: refused, taken, failed or withdrawn.
    became: Became,
    /// Classes of data in what it returned.
    read: DataClasses,
    /// When that arrived.
    read_at: Option<Timestamp>,
    /// Whether outsiders can write some of it.
    external: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Became {
    Refused,
    Taken,
    Failed,
    Withdrawn,
}

impl ExportedCall {
    /// Who made it.
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The tenant of whoever made it.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Which tool was called.
    pub const fn tool(&self) -> &ToolId {
        &self.tool
    }

    /// When it was made.
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

impl From<&Recorded> for ExportedCall {
    fn from(recorded: &Recorded) -> Self {
        let (proposal, event) = (&recorded.proposal, &recorded.event);
        Self {
            invocation: event.invocation.clone(),
            at: recorded.at,
            tenant: proposal.tenant.clone(),
            agent: proposal.agent.clone(),
            key: proposal.key.clone(),
            tool: proposal.tool.clone(),
            arguments: proposal.arguments.clone(),
            env: proposal.env.clone(),
            workflow: proposal.workflow.clone(),
            resource: proposal.resource.clone(),
            session: proposal.session.clone(),
            session_trusted: proposal.session_trusted,
            trigger: proposal.trigger.clone(),
            user_request: proposal.user_request.clone(),
            allow_duplicate: proposal.allow_duplicate,
            verdict: proposal.decision.verdict,
            sanitized: proposal.decision.sanitized.clone(),
            became: match event.standing {
                Standing::Refused => Became::Refused,
                Standing::Taken => Became::Taken,
                Standing::Failed => Became::Failed,
                Standing::Withdrawn => Became::Withdrawn,
            },
            read: event.read.classes.clone(),
            read_at: event.read.at,
            external: event.read.external,
        }
    }
}

impl From<ExportedCall> for Recorded {
    fn from(call: ExportedCall) -> Self {
        let (id, at, became) = (call.invocation.clone(), call.at, call.became);
        let (read, read_at, external) = (call.read.clone(), call.read_at, call.external);
        let invocation = Invocation::propose(id, proposal(call), at);
        let mut recorded = Self::of(&invocation);
        recorded.event.standing = match became {
            Became::Refused => Standing::Refused,
            Became::Taken => Standing::Taken,
            Became::Failed => Standing::Failed,
            Became::Withdrawn => Standing::Withdrawn,
        };
        recorded.event.read.classes = read;
        recorded.event.read.at = read_at;
        recorded.event.read.external = external;
        recorded
    }
}

/// The proposal as far as it is decided again; what only running it needs is left empty.
fn proposal(call: ExportedCall) -> Proposal {
    Proposal {
        tenant: call.tenant,
        owner: AgentId::gate(),
        agent: call.agent,
        key: call.key,
        chain: Vec::new(),
        user: None,
        tool: call.tool,
        version: String::new(),
        descriptor: None,
        arguments: call.arguments,
        salt: String::new(),
        env: call.env,
        workflow: call.workflow,
        resource: call.resource,
        session: call.session,
        correlation: None,
        trigger: call.trigger,
        justification: None,
        mode: Mode::Simulate,
        effect: Effect::Some,
        timeout: Duration::default(),
        idempotency_key: None,
        fingerprint: Digest::of(b""),
        meta: Default::default(),
        decision: Decision {
            verdict: call.verdict,
            denial: None,
            determining: None,
            rules: Vec::new(),
            obligations: Vec::new(),
            approval: None,
            risk: None,
            risk_score: None,
            sanitized: call.sanitized,
            notices: Vec::new(),
            policy_version: None,
            evaluated_at: call.at,
        },
        allow_duplicate: call.allow_duplicate,
        entity: None,
        effect_check: None,
        user_request: call.user_request,
        request: None,
        session_trusted: call.session_trusted,
    }
}
