//! Changes of agents, people and credentials: one commit each, on the record, in force at once.
//!
//! Every change moves the epoch of the store, so the very next call anywhere is decided under it.

use serde_json::{Value, json};
use toolgate_gate::Caller;
use toolgate_gate::port::{Change, Commit, CommitError};
use toolgate_model::{
    Agent, AgentId, Code, Credential, Duration, KeyId, Operator, Permission, Profile, Role, Scope,
    TenantId, Timestamp, Token, TokenKind,
};

use crate::driver::Driver;
use crate::entries;
use crate::operators::{OperatorSpec, refuse_agents_role};
use crate::outcome::Failed;
use crate::people::{actor, require, tenant};
use toolgate_record::Actor;

/// How long a credential works where nobody says.
const TTL_DEFAULT: Duration = Duration::from_secs(90 * 86_400);

/// Bytes of the JSON of a profile or scope.
// LIMIT: 32 KiB, so that its change fits the record; thousands of plain lines do.
const REACH_BYTES_MAX: usize = 32 << 10;

/// An agent as it should be.
#[derive(Clone, Debug)]
pub struct AgentSpec {
    /// Its name.
    pub id: AgentId,
    /// Its owner.
    pub owner: AgentId,
    /// What it may do at all.
    pub role: Role,
    /// What it may reach.
    pub profile: Profile,
    /// What runs it.
    pub runtime: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// Whether its word is taken for what its user said and which session a call belongs to.
    pub trusted_host: bool,
}

/// A credential as it should be.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// The agent it authenticates.
    pub agent: AgentId,
    /// How long it works.
    pub ttl: Option<Duration>,
    /// What it narrows.
    pub scope: Scope,
}

/// A fresh credential, with the token that is shown once.
#[derive(Debug)]
pub struct Issued {
    /// What is kept.
    pub credential: Credential,
    /// What is shown.
    pub token: Token,
}

impl Driver {
    /// Adds an agent, or changes one.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, the role is not an agent's, or the name belongs to
    /// another tenant.
    pub async fn put_agent(&self, caller: &Caller, spec: AgentSpec) -> Result<Agent, Failed> {
        require(caller, Permission::ManageAgents)?;
        self.write_agent(spec, tenant(caller).clone(), &actor(caller))
            .await
    }

    /// The same on behalf of the configuration file. An agent that is already so is left alone.
    ///
    /// # Errors
    /// [`Failed`] as for [`Driver::put_agent`].
    pub async fn declare_agent(&self, spec: AgentSpec, tenant: TenantId) -> Result<Agent, Failed> {
        if let Some(agent) = self.configuration().agent(&spec.id)
            && agent.tenant == tenant
            && (&agent.owner, agent.role, &agent.profile) == (&spec.owner, spec.role, &spec.profile)
            && (&agent.runtime, &agent.project) == (&spec.runtime, &spec.project)
            && agent.trusted_host == spec.trusted_host
        {
            return Ok(agent.as_ref().clone());
        }
        self.write_agent(spec, tenant, &Actor::Gate).await
    }

    async fn write_agent(
        &self,
        spec: AgentSpec,
        tenant: TenantId,
        actor: &Actor,
    ) -> Result<Agent, Failed> {
        if spec.role.kind() != TokenKind::Agent {
            let message = format!("`{}` is a role for people, not for agents", spec.role);
            return Err(Failed::Invalid(message));
        }
        bounded("profile", &json!(spec.profile))?;
        let before = self.configuration().agent(&spec.id).cloned();
        if before.as_ref().is_some_and(|agent| agent.tenant != tenant) {
            return Err(taken("agent", &spec.id));
        }
        let agent = Agent {
            id: spec.id,
            tenant: tenant.clone(),
            owner: spec.owner,
            role: spec.role,
            profile: spec.profile,
            runtime: spec.runtime,
            project: spec.project,
            trusted_host: spec.trusted_host,
            suspended: before.as_ref().is_some_and(|agent| agent.suspended),
            created_at: before
                .as_ref()
                .map_or_else(|| self.now(), |agent| agent.created_at),
        };
        let kind = if before.is_some() {
            "agent.changed"
        } else {
            "agent.added"
        };
        let data = json!({"agent": agent});
        self.change(
            actor,
            &tenant,
            (kind, data),
            vec![Change::Agent(agent.clone())],
        )
        .await?;
        Ok(agent)
    }

    /// Suspends an agent: from the next call on its credentials authenticate nobody.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, or there is no such agent.
    pub async fn suspend_agent(&self, caller: &Caller, id: &AgentId) -> Result<Agent, Failed> {
        self.set_suspension(caller, id, "agent.suspended").await
    }

    /// Lets a suspended agent go on.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, or there is no such agent.
    pub async fn resume_agent(&self, caller: &Caller, id: &AgentId) -> Result<Agent, Failed> {
        self.set_suspension(caller, id, "agent.resumed").await
    }

    async fn set_suspension(
        &self,
        caller: &Caller,
        id: &AgentId,
        kind: &'static str,
    ) -> Result<Agent, Failed> {
        require(caller, Permission::ManageAgents)?;
        let mut agent = self.agent_for(caller, id)?;
        agent.suspended = kind == "agent.suspended";
        let (tenant, data) = (agent.tenant.clone(), json!({"agent": agent.id}));
        let changes = vec![Change::Agent(agent.clone())];
        self.change(&actor(caller), &tenant, (kind, data), changes)
            .await?;
        Ok(agent)
    }

    /// The agent of this name, within the caller's tenant.
    ///
    /// # Errors
    /// [`Failed::NotFound`].
    pub fn agent_for(&self, caller: &Caller, id: &AgentId) -> Result<Agent, Failed> {
        let configuration = self.configuration();
        let found = toolgate_gate::agent_of(&configuration, tenant(caller), id);
        found
            .map(|agent| agent.as_ref().clone())
            .ok_or_else(|| Failed::not_found("agent", id))
    }

    /// Makes a credential for an agent. Its token is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, or there is no such agent.
    pub async fn create_key(&self, caller: &Caller, spec: KeySpec) -> Result<Issued, Failed> {
        require(caller, Permission::ManageAgents)?;
        bounded("scope", &json!(spec.scope))?;
        let agent = self.agent_for(caller, &spec.agent)?;
        let issued = self.issue(
            TokenKind::Agent,
            (agent.id, agent.tenant),
            spec.ttl,
            spec.scope,
        )?;
        self.write_key(&actor(caller), "key.created", vec![&issued.credential])
            .await?;
        Ok(issued)
    }

    /// Replaces a credential: the old one works on for `overlap`, then no more.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, or the credential does not stand.
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        id: &KeyId,
        (overlap, ttl): (Duration, Option<Duration>),
    ) -> Result<Issued, Failed> {
        let mut old = self.key_for(caller, id)?;
        require(caller, to_manage(&old))?;
        if old.revoked_at.is_some() {
            let message = format!("credential `{id}` is revoked: make a new one instead");
            return Err(Failed::Conflict {
                code: Code::WrongState,
                message,
            });
        }
        let subject = (old.subject.clone(), old.tenant.clone());
        let mut issued = self.issue(old.kind, subject, ttl, old.scope.clone())?;
        issued.credential.rotated_from = Some(old.id.clone());
        let ends = self.now().plus(overlap);
        old.expires_at = Some(old.expires_at.map_or(ends, |expiry| expiry.min(ends)));
        self.write_key(
            &actor(caller),
            "key.rotated",
            vec![&issued.credential, &old],
        )
        .await?;
        Ok(issued)
    }

    /// Ends a credential; it authenticates nobody from the next call on.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, or there is no such credential.
    pub async fn revoke_key(&self, caller: &Caller, id: &KeyId) -> Result<Credential, Failed> {
        let mut credential = self.key_for(caller, id)?;
        require(caller, to_manage(&credential))?;
        if credential.revoked_at.is_none() {
            credential.revoked_at = Some(self.now());
            self.write_key(&actor(caller), "key.revoked", vec![&credential])
                .await?;
        }
        Ok(credential)
    }

    /// The credential of this id, within the caller's tenant.
    ///
    /// # Errors
    /// [`Failed::NotFound`].
    pub fn key_for(&self, caller: &Caller, id: &KeyId) -> Result<Credential, Failed> {
        let configuration = self.configuration();
        let found = configuration
            .credential(id)
            .filter(|key| key.tenant == *tenant(caller));
        found
            .map(|key| key.as_ref().clone())
            .ok_or_else(|| Failed::not_found("key", id))
    }

    /// Adds a person, or changes their role and groups, and makes them a personal token.
    ///
    /// # Errors
    /// [`Failed`] where the caller may not, the role is not a person's, or the name is taken.
    pub async fn put_operator(
        &self,
        caller: &Caller,
        spec: impl Into<OperatorSpec>,
        in_tenant: Option<TenantId>,
    ) -> Result<(Operator, Issued), Failed> {
        require(caller, Permission::ManagePeople)?;
        let tenant = in_tenant.unwrap_or_else(|| tenant(caller).clone());
        self.write_operator(spec.into(), tenant, &actor(caller))
            .await
    }

    /// A fresh token for the person who owns the data directory: an owner when the gate is new,
    /// later with whatever role they have by then. None where they are disabled.
    ///
    /// # Errors
    /// [`Failed`] where the store cannot say.
    pub async fn renew_local(&self, id: AgentId) -> Result<Option<Issued>, Failed> {
        let before = self.configuration().operator(&id).cloned();
        if before.as_ref().is_some_and(|operator| operator.disabled) {
            return Ok(None);
        }
        let role = before.map_or(Role::Owner, |operator| operator.role);
        let tenant = TenantId::default();
        let (_, issued) = self
            .write_operator((id, role).into(), tenant, &Actor::Gate)
            .await?;
        Ok(Some(issued))
    }

    async fn write_operator(
        &self,
        OperatorSpec { id, role, groups }: OperatorSpec,
        tenant: TenantId,
        actor: &Actor,
    ) -> Result<(Operator, Issued), Failed> {
        refuse_agents_role(role)?;
        self.refuse_group_of_this_name(&id)?;
        let groups = groups.map(|groups| self.groups(groups)).transpose()?;
        let before = self.configuration().operator(&id).cloned();
        if before
            .as_ref()
            .is_some_and(|operator| operator.tenant != tenant)
        {
            return Err(taken("user", &id));
        }
        let created_at = before
            .as_ref()
            .map_or_else(|| self.now(), |operator| operator.created_at);
        let kept = before.map(|operator| operator.groups.clone());
        let operator = Operator {
            id: id.clone(),
            tenant: tenant.clone(),
            role,
            groups: groups.or(kept).unwrap_or_default(),
            disabled: false,
            created_at,
        };
        let subject = (id, tenant.clone());
        let issued = self.issue(TokenKind::Person, subject, None, Scope::default())?;
        let data = json!({"user": operator, "key": summary(&issued.credential)});
        let changes = vec![
            Change::Operator(operator.clone()),
            Change::Credential(issued.credential.clone()),
        ];
        self.change(actor, &tenant, ("user.added", data), changes)
            .await?;
        Ok((operator, issued))
    }

    fn issue(
        &self,
        kind: TokenKind,
        (subject, tenant): (AgentId, TenantId),
        ttl: Option<Duration>,
        scope: Scope,
    ) -> Result<Issued, Failed> {
        let now = self.now();
        let id = KeyId::mint(now, self.random()?);
        let token = Token::mint(kind, id.clone(), self.random()?);
        let credential = Credential {
            id,
            tenant,
            kind,
            subject,
            secret_hash: token.secret_hash(),
            scope,
            created_at: now,
            expires_at: Some(now.plus(ttl.unwrap_or(TTL_DEFAULT))),
            revoked_at: None,
            rotated_from: None,
        };
        Ok(Issued { credential, token })
    }

    async fn write_key(
        &self,
        actor: &Actor,
        kind: &'static str,
        keys: Vec<&Credential>,
    ) -> Result<(), Failed> {
        let Some(tenant) = keys.first().map(|key| key.tenant.clone()) else {
            return Ok(());
        };
        let data = json!({"keys": keys.iter().map(|key| summary(key)).collect::<Vec<_>>()});
        let changes = keys.into_iter().cloned().map(Change::Credential).collect();
        self.change(actor, &tenant, (kind, data), changes).await
    }

    /// Makes one change of configuration durable and takes it over.
    pub(crate) async fn change(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        (kind, data): (&'static str, Value),
        changes: Vec<Change>,
    ) -> Result<(), Failed> {
        let entry = entries::of_change((self.record_id()?, self.now()), kind, tenant, actor, data);
        // INVARIANT: a change is made on the epoch it was thought out on; a change made
        // meanwhile by somebody else refuses it.
        let commit = Commit {
            epoch: Some(self.epoch()),
            changes,
            entries: vec![entry],
            ..Commit::default()
        };
        let committed = self.ports.store.commit(commit).await;
        self.reload().await?;
        match committed {
            Ok(_) => Ok(()),
            Err(CommitError::Unavailable(unavailable)) => Err(unavailable.into()),
            Err(error) => Err(Failed::Conflict {
                code: Code::WrongState,
                message: format!("{error}: look again and repeat"),
            }),
        }
    }
}

/// What changing a credential needs: whoever manages agents must not be able to make themselves
/// another token of a person who may do more than they.
const fn to_manage(key: &Credential) -> Permission {
    match key.kind {
        TokenKind::Agent => Permission::ManageAgents,
        TokenKind::Person => Permission::ManagePeople,
    }
}

/// What the record says of a credential: never its hash.
pub(crate) fn summary(key: &Credential) -> Value {
    let at = |instant: Option<Timestamp>| instant.map(|instant| instant.to_string());
    json!({
        "id": key.id,
        "kind": key.kind,
        "subject": key.subject,
        "scope": key.scope,
        "expires_at": at(key.expires_at),
        "revoked_at": at(key.revoked_at),
        "rotated_from": key.rotated_from,
    })
}

fn bounded(field: &str, value: &Value) -> Result<(), Failed> {
    let bytes = value.to_string().len();
    if bytes <= REACH_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the {field} has {bytes} bytes, more than the {REACH_BYTES_MAX} allowed");
    Err(Failed::Invalid(message))
}

fn taken(kind: &str, id: &AgentId) -> Failed {
    let message = format!("the name `{id}` of this {kind} is taken: choose another");
    Failed::Conflict {
        code: Code::WrongState,
        message,
    }
}
