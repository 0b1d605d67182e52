//! What goes in: documents as stored, and the facts of one call.
//!
//! The gate gathers the facts once a call (who asks, which tool, which arguments, when) and hands
//! them in by reference. `billing_agent` calling `stripe.refund` with `{"amount": 640}` in `prod`
//! is one [`Facts`].
//!
//! Must not know: how facts are gathered, what comes out.

use serde_json::{Map, Value};
use toolgate_model::{
    AgentId, ApprovalId, Descriptor, Resource, Role, Timestamp, ToolId, ToolNames, Trigger, User,
};

use crate::history::History;

/// A policy document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The name of its file without the ending; the document's name where it does not say one.
    pub name: String,
    /// The text as written.
    pub text: String,
}

/// Everything a decision reads of one call. Borrowed: deciding copies nothing of it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'c> {
    /// The tool's full name.
    pub tool: &'c ToolId,
    /// What the catalogue knows of it.
    pub descriptor: Option<&'c Descriptor>,
    /// The arguments: an object, strictly parsed.
    pub args: &'c serde_json::Value,
    /// The authenticated agent.
    pub agent: &'c str,
    /// Its role.
    pub role: Role,
    /// What runs it, as registered.
    pub runtime: Option<&'c str>,
    /// Its tenant.
    pub tenant: &'c str,
    /// Its project.
    pub project: Option<&'c str>,
    /// The environment, fixed by the credential or allowed by its scope.
    pub env: Option<&'c str>,
    /// The workflow, likewise.
    pub workflow: Option<&'c str>,
    /// The user it acts for, verified.
    pub user: Option<&'c User>,
    /// The delegation chain, root first.
    pub chain: &'c [AgentId],
    /// What the call is about.
    pub resource: Option<&'c Resource>,
    /// The event that the agent says it acts on.
    pub trigger: Option<&'c Trigger>,
    /// The entity that the call is about, as read live before deciding.
    pub entity: Option<&'c serde_json::Value>,
    /// Whether the event's source of truth confirmed it; none where nobody asked.
    pub trigger_confirmed: Option<bool>,
    /// That a second identical call is meant.
    pub allow_duplicate: bool,
    /// The places that a normaliser recognised in a raw request; they go before what the
    /// descriptor maps and before arguments of the same name.
    pub places: Option<&'c Map<String, Value>>,
    /// The tenant's own domains, in lower case: `acme.com` covers `eu.acme.com`.
    pub own_domains: &'c [String],
    /// What is known of earlier calls; none where nobody can say, and then whatever reads it is
    /// unknown.
    pub history: Option<&'c dyn History>,
    /// The approval, when a frozen call is decided again.
    pub approval: Option<&'c ApprovalFacts>,
    /// What the tool answered. Where it is there, only rules with `on: "result"` are judged.
    pub result: Option<ResultFacts<'c>>,
    /// The instant of the decision.
    pub now: Timestamp,
}

impl<'c> Facts<'c> {
    /// The names that the tool is known by.
    pub(crate) fn names(&self) -> ToolNames<'c> {
        ToolNames {
            id: self.tool,
            route: self.descriptor.and_then(|tool| tool.route.as_ref()),
        }
    }
}

/// An approval as a rule sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalFacts {
    /// Its id.
    pub id: ApprovalId,
    /// `pending`, `approved`, `denied` or `expired`.
    pub state: &'static str,
    /// Who approved it.
    pub approvers: Vec<AgentId>,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

/// What a tool answered, as rules about results see it.
#[derive(Clone, Copy, Debug)]
pub struct ResultFacts<'c> {
    /// All of it, in the form of its protocol: what `body`, `data_class` and `signals` are about.
    pub whole: &'c Value,
    /// The data in it: what `result.path` reads.
    pub data: &'c Value,
}

impl<'c> From<&'c Value> for ResultFacts<'c> {
    /// An answer that is nothing but its data.
    fn from(value: &'c Value) -> Self {
        Self {
            whole: value,
            data: value,
        }
    }
}
