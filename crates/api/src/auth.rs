//! Who sent the request: the token in `Authorization: Bearer`, and only there.
//!
//! A handler that takes an [`AgentCaller`] cannot be reached by a person, one that takes a
//! [`PersonCaller`] cannot be reached by an agent; whoever it is was authenticated by the driver
//! before the body was read. What a role may do is asked with [`PersonCaller::require`].
//!
//! Must not know: sessions of browsers, which belong to the console.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use toolgate_driver::require;
use toolgate_gate::Caller;
use toolgate_model::{AgentId, Identity, Permission, TenantId};

use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// Whoever a token authenticates.
#[derive(Clone, Debug)]
pub(crate) struct AnyCaller(pub(crate) Caller);

/// An agent: proposes calls, approves nothing.
#[derive(Clone, Debug)]
pub(crate) struct AgentCaller(pub(crate) Identity);

/// A person: approves and administers, invokes no tool.
#[derive(Clone, Debug)]
pub(crate) struct PersonCaller {
    /// As the driver knows them.
    pub(crate) caller: Caller,
    /// Who.
    pub(crate) id: AgentId,
    /// Of which tenant.
    pub(crate) tenant: TenantId,
}

impl AnyCaller {
    /// Whose things this caller can see: their tenant, and their own name where it is an agent.
    pub(crate) fn sight(&self) -> (TenantId, Option<AgentId>) {
        match &self.0 {
            Caller::Agent(identity) => (
                identity.agent.tenant.clone(),
                Some(identity.agent.id.clone()),
            ),
            Caller::Person { operator, .. } => (operator.tenant.clone(), None),
        }
    }

    /// The same caller where it is an agent, or a person who may look at all.
    pub(crate) fn looking(self) -> Result<Self, Problem> {
        match &self.0 {
            Caller::Agent(_) => Ok(self),
            Caller::Person { .. } => {
                require(&self.0, Permission::View)?;
                Ok(self)
            }
        }
    }
}

impl PersonCaller {
    /// Refuses a person whose role does not have the permission.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), Problem> {
        Ok(require(&self.caller, permission)?)
    }

    /// Refuses people of other tenants than the one that runs the gate: policies and the log as a
    /// whole are everybody's, so no tenant reads or changes them for the others.
    pub(crate) fn require_host(&self, permission: Permission) -> Result<(), Problem> {
        self.require(permission)?;
        let host = TenantId::default();
        if self.tenant == host {
            return Ok(());
        }
        let detail = format!("this belongs to all tenants, and only people of `{host}` may do it");
        Err(Problem::new(Kind::Forbidden, detail))
    }
}

impl FromRequestParts<Api> for AnyCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        Ok(Self(api.authenticate(&parts.headers).await?))
    }
}

impl FromRequestParts<Api> for AgentCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match AnyCaller::from_request_parts(parts, api).await?.0 {
            Caller::Agent(identity) => Ok(Self(identity)),
            Caller::Person { operator, .. } => {
                let detail = format!(
                    "`{}` is a person, and tools are called by agents",
                    operator.id
                );
                Err(Problem::new(Kind::PersonMayNotInvoke, detail))
            }
        }
    }
}

impl FromRequestParts<Api> for PersonCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let AnyCaller(caller) = AnyCaller::from_request_parts(parts, api).await?;
        let (id, tenant) = match &caller {
            Caller::Person { operator, .. } => (operator.id.clone(), operator.tenant.clone()),
            Caller::Agent(identity) => {
                let id = &identity.agent.id;
                let detail = format!("`{id}` is an agent, and this is for people with a role");
                return Err(Problem::new(Kind::Forbidden, detail));
            }
        };
        Ok(Self { caller, id, tenant })
    }
}

/// The bearer token, where there is exactly one `Authorization` header and it carries one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    // Two headers are two opinions about who calls.
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::bearer;
    use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

    fn check(values: &[&'static str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert_eq!(bearer(&headers), expected, "{values:?}");
    }

    #[test]
    fn one_bearer_header_and_nothing_else_is_a_token() {
        check(&[], None);
        check(&["Bearer tg_1"], Some("tg_1"));
        check(&["bearer  tg_1 "], Some("tg_1"));
        check(&["Basic dXNlcjpwYXNz"], None);
        check(&["tg_1"], None);
        check(&["Bearer tg_1", "Bearer tg_2"], None);
    }
}
