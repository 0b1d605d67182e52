//! Grants, profiles and scopes as requests write them and answers show them.
//!
//! The model's own forms are for disk; here a field that is not known is refused, and an `admin`
//! profile that lists grants too, because whoever wrote that meant something else. This is the one
//! file that converts them.

use serde::{Deserialize, Serialize};
use toolgate_model::{AgentId, Glob, Grant, Profile, Risk, Scope};
use utoipa::ToSchema;

use crate::problem::Problem;

/// What an agent may reach.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Profile)]
pub(crate) struct ProfileBody {
    /// `scoped` grants nothing until something is listed; `admin` has no limits of reach.
    #[serde(default)]
    mode: ProfileMode,
    /// What is listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grants: Vec<GrantBody>,
}

/// How a profile reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProfileMode {
    /// What is listed and nothing else.
    #[default]
    Scoped,
    /// Everything; rules and posture still bind it.
    Admin,
}

/// One line of reach.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Grant)]
pub(crate) struct GrantBody {
    /// Tools, exact or pattern: `stripe.refund`, `tickets.*`.
    #[schema(value_type = Vec<String>)]
    tools: Vec<Glob>,
    /// Resources, `customer:*`. Empty: any resource, and calls without one.
    #[schema(value_type = Vec<String>)]
    resources: Vec<Glob>,
    /// Plugin actions, `{provider}:{action}`.
    #[schema(value_type = Vec<String>)]
    actions: Vec<Glob>,
    /// Environments. Empty: any.
    #[schema(value_type = Vec<String>)]
    envs: Vec<Glob>,
    /// Workflows. Empty: any.
    #[schema(value_type = Vec<String>)]
    workflows: Vec<Glob>,
    /// The highest risk it opens: `low`, `medium`, `high` or `critical`. None: any.
    #[schema(value_type = Option<String>)]
    max_risk: Option<Risk>,
}

/// What a credential narrows its agent's reach to. An empty list narrows nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Scope)]
pub(crate) struct ScopeBody {
    /// Tools.
    #[schema(value_type = Vec<String>)]
    tools: Vec<Glob>,
    /// Plugin actions.
    #[schema(value_type = Vec<String>)]
    actions: Vec<Glob>,
    /// Environments. With exactly one plain name, that is the environment of every call.
    #[schema(value_type = Vec<String>)]
    envs: Vec<Glob>,
    /// Agents that the credential may act as or delegate to.
    #[schema(value_type = Vec<String>)]
    agents: Vec<AgentId>,
    /// Workflows. With exactly one plain name, that is the workflow of every call.
    #[schema(value_type = Vec<String>)]
    workflows: Vec<Glob>,
    /// Resources.
    #[schema(value_type = Vec<String>)]
    resources: Vec<Glob>,
}

impl ProfileBody {
    /// The profile that is meant.
    pub(crate) fn profile(self) -> Result<Profile, Problem> {
        match (self.mode, self.grants) {
            (ProfileMode::Admin, grants) if grants.is_empty() => Ok(Profile::Admin),
            (ProfileMode::Admin, _) => Err(Problem::field(
                "/profile/grants",
                "an `admin` profile has no limits of reach and lists no grants",
            )),
            (ProfileMode::Scoped, grants) => Ok(Profile::Scoped {
                grants: grants.into_iter().map(Grant::from).collect(),
            }),
        }
    }
}

impl From<Profile> for ProfileBody {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Admin => Self {
                mode: ProfileMode::Admin,
                grants: Vec::new(),
            },
            Profile::Scoped { grants } => {
                let grants = grants.into_iter().map(GrantBody::from).collect();
                Self {
                    mode: ProfileMode::Scoped,
                    grants,
                }
            }
        }
    }
}

impl From<GrantBody> for Grant {
    fn from(body: GrantBody) -> Self {
        let GrantBody {
            tools,
            resources,
            actions,
            envs,
            workflows,
            max_risk,
        } = body;
        Self {
            tools,
            resources,
            actions,
            envs,
            workflows,
            max_risk,
        }
    }
}

impl From<Grant> for GrantBody {
    fn from(grant: Grant) -> Self {
        let Grant {
            tools,
            resources,
            actions,
            envs,
            workflows,
            max_risk,
        } = grant;
        Self {
            tools,
            resources,
            actions,
            envs,
            workflows,
            max_risk,
        }
    }
}

impl From<ScopeBody> for Scope {
    fn from(body: ScopeBody) -> Self {
        let ScopeBody {
            tools,
            actions,
            envs,
            agents,
            workflows,
            resources,
        } = body;
        Self {
            tools,
            actions,
            envs,
            agents,
            workflows,
            resources,
        }
    }
}

impl From<Scope> for ScopeBody {
    fn from(scope: Scope) -> Self {
        let Scope {
            tools,
            actions,
            envs,
            agents,
            workflows,
            resources,
        } = scope;
        Self {
            tools,
            actions,
            envs,
            agents,
            workflows,
            resources,
        }
    }
}
