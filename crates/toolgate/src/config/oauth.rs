//! `[oauth]`: whose tokens the gate takes beside its own, and `mcp.auth` of a source: how the gate
//! gets its own token there.
//!
//! ```toml
//! [[oauth.issuers]]
//! issuer = "https://login.acme.com"
//! agents = { assistant = "billing_agent" }
//! ```
//!
//! Must not know: OAuth; what a secret's text is.

use std::collections::BTreeMap;

use serde_json::json;
use toolgate_model::{AgentId, Glob};
use toolgate_oauth::{AgentTable, GrantKind, GrantSpec, Reach, TokenPlace, check_url};
use zeroize::Zeroizing;

use super::reader::{Problem, Section};
use super::secret::SecretPlace;
use super::{Config, Reading};

/// What every token needs where nobody says.
const SCOPE_DEFAULT: &str = "toolgate:call";

/// Whose tokens are taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct OAuthSettings {
    /// What tokens are asked for; the gate's own address if not said.
    pub(crate) resource: Option<String>,
    /// How far the gate goes for keys and tokens.
    pub(crate) reach: Reach,
    /// Who issues them.
    pub(crate) issuers: Vec<DeclaredIssuer>,
}

/// One issuer.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredIssuer {
    /// Its identifier.
    pub(crate) issuer: String,
    /// Whom its tokens must be for; the resource if not said.
    pub(crate) audience: Option<String>,
    /// Where its keys are, if not where its metadata says.
    pub(crate) jwks_url: Option<String>,
    /// Which agents its clients are.
    pub(crate) agents: AgentTable,
    /// What its tokens need.
    pub(crate) scopes: Vec<String>,
}

/// How the gate gets its token for one source, with the secret named and not known.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredGrant {
    kind: GrantKind,
    place: TokenPlace,
    client_id: String,
    client_secret: SecretPlace,
    scopes: Vec<String>,
    resource: Option<String>,
}

impl DeclaredGrant {
    /// The grant for the server at `url`, its secret got from where it is.
    ///
    /// # Errors
    /// A sentence about the secret.
    pub(crate) fn opened_with(
        &self,
        url: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<GrantSpec, String> {
        Ok(GrantSpec {
            kind: self.kind,
            place: self.place.clone(),
            client_id: self.client_id.clone(),
            client_secret: Zeroizing::new(self.client_secret.text(variables)?),
            scopes: self.scopes.clone(),
            resource: self.resource.clone().unwrap_or_else(|| url.to_owned()),
        })
    }

    /// Where its tokens are got.
    pub(crate) fn url(&self) -> &str {
        match &self.place {
            TokenPlace::TokenUrl(url) => url,
            TokenPlace::Issuer(issuer) => issuer,
        }
    }

    /// Whether it starts from the users' own tokens.
    pub(crate) fn is_exchange(&self) -> bool {
        self.kind == GrantKind::TokenExchange
    }
}

impl Reading<'_, '_> {
    pub(super) fn oauth(&mut self, root: &mut Section) -> OAuthSettings {
        let mut section = self.reader.table(root, "oauth");
        let private = self.reader.value(&mut section, "private_addresses", false);
        let resource = self.reader.optional(&mut section, "resource");
        let tables = self.reader.tables(&mut section, "issuers");
        let issuers = tables.into_iter().filter_map(|table| self.issuer(table));
        let issuers = issuers.collect();
        self.reader.finish(section);
        let reach = match private {
            true => Reach::Private,
            false => Reach::Public,
        };
        OAuthSettings {
            resource,
            reach,
            issuers,
        }
    }

    fn issuer(&mut self, mut section: Section) -> Option<DeclaredIssuer> {
        let place = (section.path.clone(), section.origin.clone());
        let issuer: Option<String> = self.reader.required(&mut section, "issuer");
        let audience = self.reader.optional(&mut section, "audience");
        let jwks_url = self.reader.optional(&mut section, "jwks_url");
        let scopes = vec![SCOPE_DEFAULT.to_owned()];
        let scopes = self.reader.value(&mut section, "scopes", scopes);
        let agents = AgentTable {
            claim: self.reader.optional(&mut section, "claim"),
            agents: self.clients(&mut section),
            template: self.reader.optional(&mut section, "agent"),
            allow: self.globs(&mut section),
            user: self.reader.optional(&mut section, "user"),
            groups: self.reader.optional(&mut section, "groups"),
        };
        self.reader.finish(section);
        let wrong = if agents.agents.is_empty() && agents.template.is_none() {
            Some("makes no client an agent: add `agents = { client = \"agent\" }`")
        } else if agents.template.is_some() && agents.allow.is_empty() {
            Some("has a pattern for agents and no `allow` that says for which clients")
        } else if agents
            .template
            .as_deref()
            .is_some_and(|it| !AgentTable::is_template(it))
        {
            Some("has an `agent` that is no name with `{claim}` in it")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let message = format!("`{}` {wrong}", place.0.trim_end_matches('.'));
            let place = (place.0.as_str(), &place.1);
            self.reader
                .complain(Problem::Contradiction, place, message, None);
        }
        Some(DeclaredIssuer {
            issuer: issuer?,
            audience,
            jwks_url,
            agents,
            scopes,
        })
    }

    /// The table whose keys are clients and whose values are agents.
    fn clients(&mut self, section: &mut Section) -> BTreeMap<String, AgentId> {
        let mut table = self.reader.table(section, "agents");
        let mut agents = BTreeMap::new();
        for entry in table.take_rest() {
            let path = format!("{}{}", table.path, entry.key);
            if let Some(agent) = self.reader.read::<AgentId>(&path, &entry.node) {
                self.reader.note(path, json!(agent), entry.node.origin);
                agents.insert(entry.key, agent);
            }
        }
        agents
    }

    fn globs(&mut self, section: &mut Section) -> Vec<Glob> {
        self.reader.optional(section, "allow").unwrap_or_default()
    }

    /// `mcp.auth` where it is neither a bearer token nor nothing.
    pub(super) fn auth_grant(&mut self, auth: &mut Section) -> Option<DeclaredGrant> {
        let kinds = [
            ("client_credentials", GrantKind::ClientCredentials),
            ("token_exchange", GrantKind::TokenExchange),
        ];
        let (key, kind) = kinds.into_iter().find(|(key, _)| auth.has(key))?;
        if auth.has("bearer") || kinds.iter().filter(|(key, _)| auth.has(key)).count() > 1 {
            let message = format!(
                "`{}` has several credentials",
                auth.path.trim_end_matches('.')
            );
            let help = "write one of `bearer`, `client_credentials` and `token_exchange`";
            let place = (auth.path.as_str(), &auth.origin.clone());
            self.reader.complain(
                Problem::Contradiction,
                place,
                message,
                Some(help.to_owned()),
            );
        }
        let mut section = self.reader.table(auth, key);
        let grant = self.grant_of(kind, &mut section);
        self.reader.finish(section);
        grant
    }

    fn grant_of(&mut self, kind: GrantKind, section: &mut Section) -> Option<DeclaredGrant> {
        let issuer: Option<String> = self.reader.optional(section, "issuer");
        let token_url: Option<String> = self.reader.optional(section, "token_url");
        let client_id = self.reader.required(section, "client_id");
        let path = format!("{}client_secret", section.path);
        let node = section.take("client_secret");
        if node.is_none() {
            let message = format!("`{path}` is missing");
            let place = (section.path.as_str(), &section.origin.clone());
            let help = Some(super::secret::FORM.to_owned());
            self.reader.complain(Problem::Missing, place, message, help);
        }
        let client_secret = node.and_then(|node| self.place(&path, "client_secret", &node));
        let scopes: Option<Vec<String>> = self.reader.optional(section, "scopes");
        let resource = self.reader.optional(section, "resource");
        let place = match (issuer, token_url) {
            (Some(issuer), None) => TokenPlace::Issuer(issuer),
            (None, Some(url)) => TokenPlace::TokenUrl(url),
            _ => {
                let path = section.path.trim_end_matches('.');
                let message = format!("`{path}` has not one of `issuer` and `token_url`");
                let help = "name the authorization server, or its token endpoint: the secret goes \
                            nowhere else";
                let place = (section.path.as_str(), &section.origin.clone());
                let help = Some(help.to_owned());
                self.reader
                    .complain(Problem::Contradiction, place, message, help);
                return None;
            }
        };
        Some(DeclaredGrant {
            kind,
            place,
            client_id: client_id?,
            client_secret: client_secret?,
            scopes: scopes.unwrap_or_default(),
            resource,
        })
    }

    /// What the parts say of each other: addresses that may be asked, and people whose tokens are
    /// exchanged.
    pub(super) fn check_oauth(&mut self, config: &Config) {
        let reach = config.oauth.reach;
        let issuers = config.oauth.issuers.iter().zip(0..);
        for (issuer, number) in issuers {
            let path = format!("oauth.issuers[{number}]");
            self.check_place(&format!("{path}.issuer"), &issuer.issuer, reach);
            if let Some(url) = &issuer.jwks_url {
                self.check_place(&format!("{path}.jwks_url"), url, reach);
            }
            let same = |other: &&DeclaredIssuer| other.issuer == issuer.issuer;
            if config.oauth.issuers.iter().filter(same).count() > 1 {
                let message = format!("`{}` issues tokens twice", issuer.issuer);
                self.contradiction_at(&format!("{path}.issuer"), message, "name each issuer once");
            }
        }
        let grants = config.sources.iter().zip(0..);
        for (source, number) in grants {
            let Some(grant) = source.transport.grant() else {
                continue;
            };
            let exchange = grant.is_exchange();
            let key = if exchange {
                "token_exchange"
            } else {
                "client_credentials"
            };
            let path = format!("source[{number}].mcp.auth.{key}");
            let place = match &grant.place {
                TokenPlace::Issuer(_) => "issuer",
                TokenPlace::TokenUrl(_) => "token_url",
            };
            self.check_place(&format!("{path}.{place}"), grant.url(), reach);
            let names_users = |issuer: &DeclaredIssuer| issuer.agents.user.is_some();
            if exchange && !config.oauth.issuers.iter().any(names_users) {
                let message = format!("`{path}` exchanges tokens of users, and no issuer has any");
                let help = "say with `user` in `[[oauth.issuers]]` which claim names them";
                self.contradiction_at(&format!("{path}.client_id"), message, help);
            }
        }
    }

    fn check_place(&mut self, path: &str, url: &str, reach: Reach) {
        if let Err(why) = check_url(url, reach) {
            let help = "https is asked anywhere on the internet; private networks, and this \
                        machine over plain http, with `private_addresses = true` in `[oauth]`";
            self.contradiction_at(path, why, help);
        }
    }

    fn contradiction_at(&mut self, path: &str, message: String, help: &str) {
        let origin = self.reader.origin_of(path);
        self.contradiction((path, &origin), message, help);
    }
}
