//! Permission to run one attempt of one call, once.
//!
//! The dangerous act takes a [`Dispatch`], a dispatch can be made only from a [`Permit`], and a
//! permit only here, from a [`Clearance`] and the proof that the admission is durable. A clearance
//! in turn comes only from a decision that allowed the call ([`crate::decide`]). None of the three
//! can be copied, stored or sent; compile-fail tests hold that (tests/permit).

use std::sync::Arc;

use serde_json::{Map, Value};
use toolgate_execution::{Invocation, State};
use toolgate_model::{
    AgentId, Digest, Duration, Epoch, HttpRequest, InvocationId, PolicyVersion, TenantId,
    Timestamp, ToolId, json,
};

use crate::peer::Peer;
use crate::port::{BoxFuture, Committed, ProgressSink};

/// A decision that allows exactly these arguments for this tool, made at one epoch.
#[must_use = "a clearance that is dropped admits nothing"]
#[derive(Debug)]
pub struct Clearance {
    pub(crate) tool: ToolId,
    pub(crate) arguments: Digest,
    pub(crate) policy_version: PolicyVersion,
    pub(crate) epoch: Epoch,
}

/// Permission to send one attempt, until its lease runs out.
#[must_use = "a permit that is dropped sends nothing"]
#[derive(Debug)]
pub struct Permit {
    invocation: InvocationId,
    tenant: TenantId,
    agent: AgentId,
    user: Option<AgentId>,
    attempt: u32,
    tool: ToolId,
    arguments: Digest,
    request: Option<HttpRequest>,
    policy_version: PolicyVersion,
    epoch: Epoch,
    expires_at: Timestamp,
}

/// A clearance and an invocation that do not belong together.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the admitted invocation is not the one that was cleared")]
pub struct Mismatch;

impl Clearance {
    /// The epoch that the decision was made at: the admission must name it.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Turns the clearance into a permit, after the admission became durable.
    ///
    /// # Errors
    /// [`Mismatch`] where `admitted` is not executing, or would run another tool or other bytes
    /// than were cleared.
    pub fn permit(self, admitted: &Invocation, _durable: &Committed) -> Result<Permit, Mismatch> {
        let State::Executing { attempt, .. } = &admitted.state else {
            return Err(Mismatch);
        };
        let arguments = json::digest(&admitted.proposal.arguments);
        if admitted.proposal.tool != self.tool || arguments != self.arguments {
            return Err(Mismatch);
        }
        let proposal = &admitted.proposal;
        Ok(Permit {
            invocation: admitted.id.clone(),
            tenant: admitted.proposal.tenant.clone(),
            agent: admitted.proposal.agent.clone(),
            user: admitted.proposal.user.as_ref().map(|user| user.id.clone()),
            attempt: attempt.number,
            tool: self.tool,
            arguments,
            request: proposal.request.as_ref().map(|raw| raw.request.clone()),
            policy_version: self.policy_version,
            epoch: self.epoch,
            expires_at: attempt.lease_until,
        })
    }
}

impl Permit {
    /// Uses the permit up: exactly these arguments go to the tool, if they are the permitted ones
    /// and the lease has not run out.
    ///
    /// # Errors
    /// [`Mismatch`] where the bytes differ or `now` is past the lease.
    pub fn dispatch(
        self,
        now: Timestamp,
        arguments: Value,
        travel: Travel,
    ) -> Result<Dispatch, Mismatch> {
        if json::digest(&arguments) != self.arguments || now >= self.expires_at {
            return Err(Mismatch);
        }
        Ok(Dispatch {
            permit: self,
            arguments,
            travel,
        })
    }
}

/// What goes along with the arguments, and how the caller listens in.
pub struct Travel {
    /// How long the answer may take.
    pub timeout: Duration,
    /// `_meta` entries for the tool: trace context and what the caller may pass on.
    pub meta: Map<String, Value>,
    /// Where progress goes, if the caller wants any.
    pub progress: Option<ProgressSink>,
    /// Resolves when the caller gives up.
    pub cancelled: BoxFuture<'static, ()>,
    /// The client behind the call, while it is there.
    pub peer: Option<Arc<dyn Peer>>,
}

/// One attempt on its way to the tool. Only a permit makes one.
#[must_use = "a dispatch that is dropped is an attempt whose answer is lost"]
pub struct Dispatch {
    permit: Permit,
    arguments: Value,
    travel: Travel,
}

impl Dispatch {
    /// The invocation.
    pub const fn invocation(&self) -> &InvocationId {
        &self.permit.invocation
    }

    /// Whose call it is: what one principal's conversation with a server holds is nobody else's.
    pub const fn principal(&self) -> (&TenantId, &AgentId) {
        (&self.permit.tenant, &self.permit.agent)
    }

    /// The verified person whom the agent acts for.
    pub const fn user(&self) -> Option<&AgentId> {
        self.permit.user.as_ref()
    }

    /// The number of the attempt.
    pub const fn attempt(&self) -> u32 {
        self.permit.attempt
    }

    /// The tool.
    pub const fn tool(&self) -> &ToolId {
        &self.permit.tool
    }

    /// The policy set that allowed it.
    pub const fn policy_version(&self) -> PolicyVersion {
        self.permit.policy_version
    }

    /// The epoch it was allowed at.
    pub const fn epoch(&self) -> Epoch {
        self.permit.epoch
    }

    /// The raw request that the call is, exactly as it was judged; none where it names its tool.
    pub const fn request(&self) -> Option<&HttpRequest> {
        self.permit.request.as_ref()
    }

    /// The arguments, byte for byte as judged.
    pub const fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// The downstream idempotency key: made from the invocation, the same for every attempt.
    pub fn idempotency_key(&self) -> &str {
        self.permit.invocation.as_str()
    }

    /// How long the answer may take.
    pub const fn timeout(&self) -> Duration {
        self.travel.timeout
    }

    /// `_meta` entries for the tool.
    pub const fn meta(&self) -> &Map<String, Value> {
        &self.travel.meta
    }

    /// Where progress goes.
    pub const fn progress(&self) -> Option<&ProgressSink> {
        self.travel.progress.as_ref()
    }

    /// The client behind the call, while it is there.
    pub const fn peer(&self) -> Option<&Arc<dyn Peer>> {
        self.travel.peer.as_ref()
    }

    /// Waits for the caller to give up; pending for ever once taken.
    pub fn take_cancelled(&mut self) -> BoxFuture<'static, ()> {
        std::mem::replace(&mut self.travel.cancelled, Box::pin(std::future::pending()))
    }
}
