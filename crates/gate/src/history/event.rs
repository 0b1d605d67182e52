//! One earlier call, as far as rules ask about it.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use toolgate_execution::{Invocation, Settlement, State, Status};
use toolgate_model::{
    AgentId, DataClasses, InvocationId, KeyId, RuleRef, TenantId, Timestamp, ToolId,
};

use super::words::Words;

/// Which session a call belongs to: its credential, and the caller's own name for it only where the
/// caller is a trusted host. An agent cannot wash its history off by naming another session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The credential.
    pub key: KeyId,
    /// The session's name within it.
    pub name: Option<String>,
}

/// What became of a call, as far as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was refused: it counts as a denial and nothing else.
    Refused,
    /// It was let through or waits for people; it may have had its effect.
    Taken,
    /// It ran and certainly had no effect: it counts as a call and adds to no sum.
    Failed,
    /// It never ran: withdrawn, rejected or expired. It counts as nothing.
    Withdrawn,
}

/// One earlier call.
#[derive(Clone, Debug)]
pub struct Event {
    /// Which.
    pub invocation: InvocationId,
    /// When it was proposed.
    pub at: Timestamp,
    /// Whose tenant.
    pub tenant: TenantId,
    /// Which agent.
    pub agent: AgentId,
    /// For whom.
    pub user: Option<AgentId>,
    /// In which session.
    pub session: SessionKey,
    /// Which tool.
    pub tool: ToolId,
    /// About what, where the gate itself derived that.
    pub resource: Option<String>,
    /// What became of it.
    pub standing: Standing,
    /// The enforced `limit` rules that matched it.
    pub limits: Vec<RuleRef>,
    /// What the subjects of sums were in it.
    pub measures: Vec<(String, Decimal)>,
    /// What it read.
    pub read: Read,
    /// What the user said before it.
    pub user_words: Option<Words>,
}

/// What came back from a call.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// When it arrived.
    pub at: Option<Timestamp>,
    /// Classes of data in it.
    pub classes: DataClasses,
    /// Signs in it that it speaks to the model.
    pub signals: BTreeSet<String>,
    /// Whether outsiders can write some of it.
    pub external: bool,
    /// Whether it was more than could be looked through.
    pub unread: bool,
    /// What stood in it that only the tenant's own systems write.
    pub own: Option<Words>,
    /// What stood in it that outsiders can write.
    pub foreign: Option<Words>,
}

impl Event {
    /// The event that an invocation is. What it read is what was written down when its result was
    /// judged; the words of it are `read`'s.
    pub fn of(
        invocation: &Invocation,
        session: SessionKey,
        measures: Vec<(String, Decimal)>,
    ) -> Self {
        let proposal = &invocation.proposal;
        let resource = proposal.resource.as_ref().filter(|known| known.derived);
        let limits = proposal.decision.rules.iter();
        let limits = limits.filter(|rule| rule.effect == "limit" && !rule.monitor);
        Self {
            invocation: invocation.id.clone(),
            at: invocation.created_at,
            tenant: proposal.tenant.clone(),
            agent: proposal.agent.clone(),
            user: proposal.user.as_ref().map(|user| user.id.clone()),
            session,
            tool: proposal.tool.clone(),
            resource: resource.map(|resource| resource.name.clone()),
            standing: standing(invocation.status()),
            limits: limits.map(|rule| rule.rule.clone()).collect(),
            measures,
            read: read(invocation),
            user_words: proposal.user_request.as_deref().map(Words::of_text),
        }
    }
}

const fn standing(status: Status) -> Standing {
    match status {
        Status::Denied => Standing::Refused,
        Status::Failed => Standing::Failed,
        Status::Rejected | Status::Expired | Status::Cancelled => Standing::Withdrawn,
        Status::Proposed
        | Status::PendingApproval
        | Status::Approved
        | Status::Executing
        | Status::UnknownEffect
        | Status::Reconciling
        | Status::NeedsOperator
        | Status::Succeeded => Standing::Taken,
    }
}

fn read(invocation: &Invocation) -> Read {
    let settlement: &Settlement = match &invocation.state {
        State::Succeeded { settlement } | State::Failed { settlement, .. } => settlement,
        _ => return Read::default(),
    };
    let Some(seen) = &settlement.inspection else {
        return Read::default();
    };
    Read {
        at: Some(invocation.updated_at),
        classes: seen.classes.clone(),
        signals: seen.signals.clone(),
        external: seen.external,
        unread: seen.unread,
        own: None,
        foreign: None,
    }
}
