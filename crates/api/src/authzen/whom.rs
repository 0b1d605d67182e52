//! Whom a question is about, and who may ask it.
//!
//! ```text
//! an agent's key              → that agent, and the person it was verified to act for
//! a trusted host's key        → itself, any agent of its tenant, any person it acts for
//! a person who may look       → any agent of their tenant; tried, with nothing on the record
//! ```
//!
//! Where a host speaks for another agent it does so under a credential of its own making, as issuers
//! of tokens do: on the record it has a name, and revoking it ends that. Must not know: tools, rules.

use std::sync::Arc;

use serde_json::Value;
use toolgate_driver::{Failed, require};
use toolgate_execution::Proposal;
use toolgate_gate::{Caller, unscoped};
use toolgate_model::{Agent, AgentId, Code, Denial, Identity, Permission, Timestamp, User};

use super::access::Entity;
use super::mapping::Word;
use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// The type of subjects that are agents.
pub(super) const AGENT: &str = "agent";

/// The type of subjects that are people.
const USER: &str = "user";

/// The type by which MCP gateways name whoever a token is of: a person, or the agent itself.
const IDENTITY: &str = "identity";

/// LIMIT: groups of a person that a host may name; a directory's largest account has fewer.
const GROUPS_MAX: usize = 256;

/// Whom a question is about.
#[derive(Clone, Debug)]
pub(crate) enum Whom {
    /// Somebody whom the gate can judge.
    Known(Asked),
    /// Nobody here has that name, or nobody that could call anything.
    Nobody(String),
}

/// Somebody whom the gate can judge, and who asks about them.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    agent: Arc<Agent>,
    user: Option<Arc<User>>,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    /// It asks about itself.
    Itself(Identity),
    /// A host speaks for it.
    Host(AgentId),
    /// A person tries something as it.
    Person,
}

/// Whom a question about `subject` is about, where `agent` is said to act for it.
///
/// # Errors
/// A problem where this caller may not ask about them.
pub(crate) fn whom(
    api: &Api,
    caller: &Caller,
    (subject, agent): (&Entity, Option<&str>),
) -> Result<Whom, Problem> {
    if matches!(caller, Caller::Person { .. }) {
        require(caller, Permission::View)?;
    }
    match subject.kind.as_str() {
        AGENT => actor(api, caller, Some(&subject.id)),
        USER | IDENTITY => {
            let whom = actor(api, caller, agent)?;
            acting(caller, whom, subject)
        }
        other => Ok(Whom::Nobody(format!(
            "`{other}` is no type of subject here"
        ))),
    }
}

/// The agent of this name, or whoever asks.
fn actor(api: &Api, caller: &Caller, named: Option<&str>) -> Result<Whom, Problem> {
    let by = match caller {
        Caller::Person { .. } => By::Person,
        Caller::Agent(me) => match named {
            Some(name) if name != me.agent.id.as_str() => By::Host(speaks_for(me, name)?),
            _ => By::Itself(me.clone()),
        },
    };
    if let By::Itself(me) = &by {
        return Ok(Whom::Known(Asked {
            agent: me.agent.clone(),
            user: me.user.clone(),
            by,
        }));
    }
    let name = named.ok_or_else(|| {
        let detail = "missing: which agent acts for the subject; your own token is a person's";
        Problem::field("/context/agent", detail)
    })?;
    let nobody = || Whom::Nobody(format!("there is no agent `{name}`"));
    let Ok(id) = name.parse() else {
        return Ok(nobody());
    };
    Ok(match api.driver.agent_for(caller, &id) {
        Ok(agent) => Whom::Known(Asked {
            agent: Arc::new(agent),
            user: None,
            by,
        }),
        Err(_) => nobody(),
    })
}

/// The name of the host, where it may ask about others.
fn speaks_for(me: &Identity, name: &str) -> Result<AgentId, Problem> {
    let scope = &me.credential.scope.agents;
    let scoped = scope.is_empty() || scope.iter().any(|agent| agent.as_str() == name);
    if me.agent.trusted_host && scoped {
        return Ok(me.agent.id.clone());
    }
    Err(not_yours())
}

/// The same agent acting for the person that the subject names.
fn acting(caller: &Caller, whom: Whom, subject: &Entity) -> Result<Whom, Problem> {
    let Whom::Known(asked) = whom else {
        return Ok(whom);
    };
    let verified = asked
        .user
        .as_ref()
        .is_some_and(|user| user.id.as_str() == subject.id);
    let itself = subject.kind == IDENTITY && subject.id == asked.agent.id.as_str();
    if verified || itself {
        return Ok(Whom::Known(asked));
    }
    if !vouches(caller) {
        return Err(not_yours());
    }
    let Ok(id) = subject.id.parse() else {
        let said = "the subject's id is no name: 1 to 128 letters, digits and `_ - . @ + :`";
        return Ok(Whom::Nobody(said.to_owned()));
    };
    let groups = groups(subject)?;
    Ok(Whom::Known(Asked {
        user: Some(Arc::new(User { id, groups })),
        ..asked
    }))
}

/// Whether this caller's word is taken for whom something is done.
fn vouches(caller: &Caller) -> bool {
    match caller {
        Caller::Agent(me) => me.agent.trusted_host,
        Caller::Person { .. } => true,
    }
}

fn groups(subject: &Entity) -> Result<Vec<String>, Problem> {
    const AT: &str = "/subject/properties/groups";
    let stated = subject.properties.as_ref().and_then(|of| of.get("groups"));
    let Some(stated) = stated else {
        return Ok(Vec::new());
    };
    let wrong = || Problem::field(AT, format!("a list of at most {GROUPS_MAX} texts"));
    let listed = stated.as_array().filter(|all| all.len() <= GROUPS_MAX);
    let texts = listed.ok_or_else(wrong)?.iter().map(Value::as_str);
    let texts = texts.map(|text| text.map(str::to_owned).ok_or_else(wrong));
    texts.collect()
}

fn not_yours() -> Problem {
    let detail = "an agent asks about itself: register it with `trusted_host` to ask about others";
    Problem::new(Kind::Forbidden, detail)
}

/// Whether subjects of this type are people, whom the gate knows only from those that ask.
pub(super) fn is_person(kind: &str) -> bool {
    [USER, IDENTITY].contains(&kind)
}

impl Asked {
    /// The agent that is asked about.
    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Whether what the asker says of the subject is taken for true.
    pub(crate) fn word(&self) -> Word {
        match &self.by {
            By::Itself(me) if !me.agent.trusted_host => Word::NotTaken,
            By::Itself(_) | By::Host(_) | By::Person => Word::Taken,
        }
    }

    /// The identity that is decided about on the record; none where a person only tries.
    ///
    /// # Errors
    /// A [`Denial`] where the agent does not stand; a problem where nobody can tell.
    pub(crate) async fn recorded(
        &self,
        api: &Api,
    ) -> Result<Option<Result<Identity, Denial>>, Problem> {
        let identity = match &self.by {
            By::Itself(me) => Ok(me.clone()),
            By::Host(host) => self.stand_in(api, host).await?,
            By::Person => return Ok(None),
        };
        Ok(Some(
            identity.map(|identity| identity.acting_for(self.user.clone())),
        ))
    }

    async fn stand_in(
        &self,
        api: &Api,
        host: &AgentId,
    ) -> Result<Result<Identity, Denial>, Failed> {
        let key = api.driver.stand_in(&self.agent.id, &way(host)).await?;
        Ok(match api.driver.authenticate_as(&key).await {
            Ok(Caller::Agent(identity)) => Ok(identity),
            Ok(Caller::Person { .. }) => Err(stands_for_nobody()),
            Err(denial) => Err(denial),
        })
    }

    /// An identity to try things with, of which nothing is recorded.
    ///
    /// # Errors
    /// A [`Denial`] where the agent does not stand.
    pub(crate) fn tried(&self, now: Timestamp) -> Result<Identity, Denial> {
        if self.agent.suspended {
            let message = format!("agent `{}` is suspended", self.agent.id);
            return Err(Denial::new(Code::CredentialRevoked, message));
        }
        let identity = match &self.by {
            By::Itself(me) => me.clone(),
            By::Host(_) | By::Person => unscoped(&self.agent, now),
        };
        Ok(identity.acting_for(self.user.clone()))
    }
}

/// Whether this agent is the host that asked for a proposal under a credential of its making.
pub(super) async fn speaks_under(api: &Api, me: &Identity, proposal: &Proposal) -> bool {
    let host = me.agent.trusted_host && me.agent.tenant == proposal.tenant;
    let way = way(&me.agent.id);
    host && matches!(
        api.driver.stand_in(&proposal.agent, &way).await,
        Ok(key) if key == proposal.key
    )
}

/// The way in which a host speaks for an agent, as its credential names it.
fn way(host: &AgentId) -> String {
    format!("authzen:{host}")
}

fn stands_for_nobody() -> Denial {
    Denial::new(Code::Unauthenticated, "the credential is no agent's")
}
