//! Which agent a client of an issuer is.
//!
//! ```text
//! claim client_id, agents {"assistant": "billing_agent"}     exactly this one
//! claim client_id, template "ci_{claim}", allow ["deploy-*"]  whoever is named so
//! ```
//! INVARIANT: what the operator did not name is nobody. A template gives a name to clients that are
//! allowed by pattern, never to all; an agent of that name must be there besides.
//!
//! Must not know: tokens' form, whether an agent stands.

use std::collections::BTreeMap;

use serde_json::Value;
use toolgate_gate::trust::Distrust;
use toolgate_model::{AgentId, Glob, User};

use crate::claims;
use crate::token::text_of;

/// What stands for the claim's value in a template.
const PLACE: &str = "{claim}";

/// Claims that name the client, in the order in which they are looked for where none is chosen.
const CLIENT_CLAIMS: [&str; 3] = ["client_id", "azp", "sub"];

/// How the clients of an issuer become agents.
#[derive(Clone, Debug, Default)]
pub struct AgentTable {
    /// The claim that names the client; without it the first of `client_id`, `azp` and `sub`.
    pub claim: Option<String>,
    /// Clients by exact name.
    pub agents: BTreeMap<String, AgentId>,
    /// The name of an agent with `{claim}` in it, for clients that `allow` lets.
    pub template: Option<String>,
    /// The clients that the template is for.
    pub allow: Vec<Glob>,
    /// The claim that names the person whom the client acts for; without it nobody is.
    pub user: Option<String>,
    /// The claim that lists the person's groups.
    pub groups: Option<String>,
}

impl AgentTable {
    /// Whether a template is one at all: it has a place, once, and makes names.
    pub fn is_template(text: &str) -> bool {
        let named = text.replacen(PLACE, "x", 1);
        named != text && named.parse::<AgentId>().is_ok()
    }

    /// The agent and the person of a token whose claims hold.
    ///
    /// # Errors
    /// [`Distrust`] where the operator named no such client.
    pub(crate) fn resolve(&self, claims: &Value) -> Result<(AgentId, Option<User>), Distrust> {
        let client = self.client(claims).ok_or_else(|| {
            Distrust::Invalid("the token does not say which client it was issued to".to_owned())
        })?;
        let agent = self.agent(client).ok_or_else(|| {
            Distrust::Invalid("the token's client is no agent of this gate".to_owned())
        })?;
        Ok((agent, self.user(claims, client)?))
    }

    fn client<'v>(&self, claims: &'v Value) -> Option<&'v str> {
        let found = match &self.claim {
            Some(claim) => text_of(claims, claim),
            None => CLIENT_CLAIMS
                .iter()
                .find_map(|claim| text_of(claims, claim)),
        };
        found.filter(|client| !client.is_empty())
    }

    fn agent(&self, client: &str) -> Option<AgentId> {
        if let Some(agent) = self.agents.get(client) {
            return Some(agent.clone());
        }
        let template = self.template.as_ref()?;
        let allowed = self.allow.iter().any(|glob| glob.matches(client));
        let name = template.replacen(PLACE, client, 1);
        name.parse().ok().filter(|_| allowed)
    }

    /// Whom the client acts for. A token that a client got for itself names nobody (RFC 9068, 2.2:
    /// its `sub` is the client); one that names somebody in a way that cannot be read is refused,
    /// because an unknown user could approve what they asked for.
    fn user(&self, claims: &Value, client: &str) -> Result<Option<User>, Distrust> {
        let Some(claim) = &self.user else {
            return Ok(None);
        };
        let of_itself = match text_of(claims, "sub") {
            None => true,
            Some(subject) => {
                let own = CLIENT_CLAIMS.iter().filter_map(|own| text_of(claims, own));
                let names = own.filter(|own| *own == subject).count();
                subject == client || names > 1
            }
        };
        let named = text_of(claims, claim);
        if of_itself && named.is_none_or(|named| Some(named) == text_of(claims, "sub")) {
            return Ok(None);
        }
        let unnamed = || {
            let why = format!("the token's `{claim}` is no name of a person: choose another claim");
            Distrust::Invalid(why)
        };
        if claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false)) {
            return Err(unnamed());
        }
        let id = named.and_then(|named| named.parse().ok());
        let groups = match &self.groups {
            Some(groups) => claims::groups(claims, groups)?,
            None => Vec::new(),
        };
        let id = id.ok_or_else(unnamed)?;
        Ok(Some(User { id, groups }))
    }
}

#[cfg(test)]
mod tests {
    use super::AgentTable;
    use serde_json::{Value, json};
    use toolgate_model::Glob;

    fn table() -> AgentTable {
        AgentTable {
            agents: [("assistant".to_owned(), "billing_agent".parse().unwrap())].into(),
            template: Some("ci_{claim}".to_owned()),
            allow: vec![Glob::new("deploy-*")],
            user: Some("email".to_owned()),
            groups: Some("groups".to_owned()),
            ..AgentTable::default()
        }
    }

    fn resolved(table: &AgentTable, claims: &Value) -> Option<(String, Option<String>)> {
        let (agent, user) = table.resolve(claims).ok()?;
        Some((agent.to_string(), user.map(|user| user.id.to_string())))
    }

    #[test]
    fn only_clients_that_were_named_are_agents() {
        let table = table();
        for (claims, agent) in [
            (json!({"client_id": "assistant"}), Some("billing_agent")),
            (json!({"azp": "assistant"}), Some("billing_agent")),
            (json!({"sub": "assistant"}), Some("billing_agent")),
            (json!({"client_id": "deploy-7"}), Some("ci_deploy-7")),
            // The claim of the client decides, whatever the subject calls itself.
            (
                json!({"client_id": "other", "azp": "assistant", "sub": "assistant"}),
                None,
            ),
            (json!({"client_id": "Assistant"}), None),
            (json!({"client_id": "xdeploy-7"}), None),
            (json!({"client_id": "deploy-7/../x"}), None),
            (json!({"client_id": ""}), None),
            (json!({"client_id": ["assistant"]}), None),
            (json!({}), None),
        ] {
            let found = resolved(&table, &claims).map(|(agent, _)| agent);
            assert_eq!(found.as_deref(), agent, "{claims}");
        }
        let chosen = AgentTable {
            claim: Some("app".to_owned()),
            ..table
        };
        assert!(resolved(&chosen, &json!({"client_id": "assistant"})).is_none());
        assert!(resolved(&chosen, &json!({"app": "assistant"})).is_some());
    }

    #[test]
    fn a_person_is_named_by_the_issuer_or_the_token_is_refused() {
        let table = table();
        for (claims, user) in [
            (
                json!({"sub": "7", "email": "ana@acme.com"}),
                Some(Some("ana@acme.com")),
            ),
            (
                json!({"sub": "7", "email": "ana@acme.com", "groups": ["a"]}),
                Some(Some("ana@acme.com")),
            ),
            // A client that acts for itself.
            (json!({"sub": "assistant"}), Some(None)),
            (json!({}), Some(None)),
            // Somebody whose name cannot be read is not nobody.
            (json!({"sub": "7"}), None),
            (json!({"sub": "7", "email": 7}), None),
            (json!({"sub": "7", "email": "a b"}), None),
            (
                json!({"sub": "7", "email": "ana@acme.com", "email_verified": false}),
                None,
            ),
            (
                json!({"sub": "7", "email": "ana@acme.com", "groups": "a"}),
                None,
            ),
        ] {
            let mut claims = claims;
            claims["client_id"] = json!("assistant");
            let found = resolved(&table, &claims).map(|(_, user)| user);
            let expected = user.map(|user| user.map(str::to_owned));
            assert_eq!(found, expected, "{claims}");
        }
        let nobody = AgentTable {
            user: None,
            ..table
        };
        let claims = json!({"client_id": "assistant", "sub": "7", "email": "ana@acme.com"});
        assert_eq!(
            resolved(&nobody, &claims),
            Some(("billing_agent".to_owned(), None))
        );
    }

    #[test]
    fn a_template_makes_names() {
        for (text, good) in [
            ("ci_{claim}", true),
            ("{claim}", true),
            ("ci", false),
            ("ci {claim}", false),
            ("{claim}{claim}", false),
        ] {
            assert_eq!(AgentTable::is_template(text), good, "{text}");
        }
    }
}
