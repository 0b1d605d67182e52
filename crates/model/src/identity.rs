//! Who calls: agents, the credentials that authenticate them, and the people beside them.
//!
//! An agent is owned by a person and reaches what its profile grants. A credential belongs to one
//! agent (or one person) and can only narrow. What a role may do at all is one table, the same for
//! agents and people ([`Role::may`]).

use serde::{Deserialize, Serialize};

use crate::risk::words;
use crate::token::{SecretHash, TokenKind};
use crate::{AgentId, KeyId, Profile, Scope, TenantId, Timestamp, User, Verb};

/// What somebody may do at all, before any question of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Call tools that read.
    InvokeRead,
    /// Call tools that write or delete.
    InvokeWrite,
    /// Call tools that change who may do what.
    InvokeAdmin,
    /// Look at invocations, approvals, policies, agents and the record.
    View,
    /// Decide approvals and settle unknown effects.
    Approve,
    /// Write policy versions.
    WritePolicy,
    /// Put a policy version in force.
    ActivatePolicy,
    /// Put a policy version in force although its tests fail.
    OverrideTests,
    /// Make and change agents and credentials.
    ManageAgents,
    /// Make and change people.
    ManagePeople,
}

impl Permission {
    /// What calling a tool with this verb needs.
    pub const fn to_invoke(verb: Verb) -> Self {
        match verb {
            Verb::Read => Self::InvokeRead,
            Verb::Write | Verb::Delete => Self::InvokeWrite,
            Verb::Admin => Self::InvokeAdmin,
        }
    }
}

/// A role. Agents have one of the first three, people one of the rest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An agent that only reads.
    Reader,
    /// The lowest role that can work, and what an agent gets when nothing is said.
    #[default]
    Agent,
    /// An agent that may also change who may do what.
    Service,
    /// A person who looks.
    Viewer,
    /// A person who decides approvals.
    Approver,
    /// A person who writes policies.
    Author,
    /// A person who puts policies in force.
    Activator,
    /// A person who manages agents and credentials.
    AgentAdmin,
    /// A person who may do everything that people may do.
    Owner,
}

words!(Role {
    Reader = "reader",
    Agent = "agent",
    Service = "service",
    Viewer = "viewer",
    Approver = "approver",
    Author = "author",
    Activator = "activator",
    AgentAdmin = "agent_admin",
    Owner = "owner",
});

impl Role {
    /// Whether this role may do that. No person's role invokes a tool, no agent's role approves.
    pub const fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Reader => matches!(permission, P::InvokeRead),
            Self::Agent => matches!(permission, P::InvokeRead | P::InvokeWrite),
            Self::Service => {
                matches!(permission, P::InvokeRead | P::InvokeWrite | P::InvokeAdmin)
            }
            Self::Viewer => matches!(permission, P::View),
            Self::Approver => matches!(permission, P::View | P::Approve),
            Self::Author => matches!(permission, P::View | P::WritePolicy),
            Self::Activator => {
                matches!(permission, P::View | P::WritePolicy | P::ActivatePolicy)
            }
            Self::AgentAdmin => matches!(permission, P::View | P::ManageAgents),
            Self::Owner => !matches!(permission, P::InvokeRead | P::InvokeWrite | P::InvokeAdmin),
        }
    }

    /// Which kind of token carries this role.
    pub const fn kind(self) -> TokenKind {
        match self {
            Self::Reader | Self::Agent | Self::Service => TokenKind::Agent,
            Self::Viewer
            | Self::Approver
            | Self::Author
            | Self::Activator
            | Self::AgentAdmin
            | Self::Owner => TokenKind::Person,
        }
    }
}

/// An identity that proposes calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub id: AgentId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The person who answers for it, and who never approves its calls.
    pub owner: AgentId,
    /// What it may do at all.
    pub role: Role,
    /// What it may reach.
    pub profile: Profile,
    /// What runs it (`claude-code`, `langgraph`), as registered; never the caller's word.
    #[serde(default)]
    pub runtime: Option<String>,
    /// The project it belongs to.
    #[serde(default)]
    pub project: Option<String>,
    /// Whether it is a host application whose word is taken for what its user said, which session a
    /// call belongs to, and which resource it is about (2-decision, 1).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted_host: bool,
    /// Suspended agents authenticate nobody.
    #[serde(default)]
    pub suspended: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A person with a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Their name, usually an address.
    pub id: AgentId,
    /// Their tenant.
    pub tenant: TenantId,
    /// What they may do.
    pub role: Role,
    /// The groups they belong to, ordered by name: what a policy's `approvers` may name.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Disabled people authenticate nobody.
    #[serde(default)]
    pub disabled: bool,
    /// When they were added.
    pub created_at: Timestamp,
}

/// A secret that authenticates one agent or one person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// Its id, the public half of the token.
    pub id: KeyId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whom it authenticates.
    pub kind: TokenKind,
    /// The agent or person.
    pub subject: AgentId,
    /// All that is kept of the secret.
    pub secret_hash: SecretHash,
    /// What it narrows the agent's reach to.
    #[serde(default)]
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working by itself.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was ended; from this instant on it authenticates nobody.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
    /// The credential it replaces, while both still work.
    #[serde(default)]
    pub rotated_from: Option<KeyId>,
}

/// An authenticated agent: the only way the rest of the gate learns who calls.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The agent.
    pub agent: std::sync::Arc<Agent>,
    /// The credential that authenticated it.
    pub credential: std::sync::Arc<Credential>,
    /// The person whom it acts for, where that was verified; never the agent's word.
    pub user: Option<std::sync::Arc<User>>,
}

impl Identity {
    /// The same agent, acting for this person.
    #[must_use]
    pub fn acting_for(mut self, user: Option<std::sync::Arc<User>>) -> Self {
        self.user = user;
        self
    }

    /// Whether the two may see the same things: the same agent under the same credential, acting
    /// for the same person.
    pub fn is_same(&self, other: &Self) -> bool {
        let user = |identity: &Self| identity.user.as_ref().map(|user| user.id.clone());
        self.agent.id == other.agent.id
            && self.credential.id == other.credential.id
            && user(self) == user(other)
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission, Role};
    use crate::TokenKind;

    #[test]
    fn no_agent_approves_and_no_person_invokes() {
        for (role, name) in Role::ALL {
            let invokes = role.may(Permission::InvokeRead);
            let approves = role.may(Permission::Approve);
            assert_eq!(invokes, role.kind() == TokenKind::Agent, "{name}");
            assert!(!(invokes && approves), "{name}");
        }
    }
}
