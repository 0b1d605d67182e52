//! The gate as a resource server: bearer tokens of issuers, beside the gate's own keys.
//!
//! ```text
//! token → taken apart → its issuer's keys → claims → client → agent, user
//! ```
//! Whatever fails proves nothing, and is said in one sentence without a word of the token.
//!
//! Must not know: HTTP requests, whether an agent stands; that is asked on every call.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_gate::port::{BoxFuture, Clock};
use toolgate_gate::trust::{Behalf, Distrust, Issuers, Vouched};

use crate::claims::{Demands, check};
use crate::fetch::Fetcher;
use crate::issuer::{Issuer, IssuerSpec};
use crate::subjects::Subjects;
use crate::token::Unverified;

/// The resource server as the operator describes it.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// What clients ask tokens for: the gate's own address (RFC 8707).
    pub resource: String,
    /// Who issues tokens for it.
    pub issuers: Vec<IssuerSpec>,
}

/// Verifies tokens that issuers signed.
pub struct ResourceServer {
    issuers: Vec<Issuer>,
    resource: String,
    scope: String,
    clock: Arc<dyn Clock>,
    subjects: Option<Subjects>,
}

impl ResourceServer {
    /// A resource server; nothing is fetched yet.
    pub fn new(spec: ServerSpec, fetcher: &Fetcher, clock: &Arc<dyn Clock>) -> Self {
        let mut scopes: Vec<String> = Vec::new();
        for scope in spec.issuers.iter().flat_map(|issuer| &issuer.scopes) {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        let known = |spec| Issuer::new(spec, fetcher.clone(), clock.clone());
        Self {
            issuers: spec.issuers.into_iter().map(known).collect(),
            resource: spec.resource,
            scope: scopes.join(" "),
            clock: clock.clone(),
            subjects: None,
        }
    }

    /// The same, keeping the tokens of users for those who exchange them.
    #[must_use]
    pub fn keeping(mut self, subjects: Subjects) -> Self {
        self.subjects = Some(subjects);
        self
    }

    async fn vouch(&self, text: &str) -> Result<Vouched, Distrust> {
        let invalid = |why: &str| Distrust::Invalid(why.to_owned());
        let token = Unverified::read(text).map_err(invalid)?;
        let of = |issuer: &&Issuer| token.issuer() == Some(&issuer.spec.issuer);
        let issuer = self.issuers.iter().find(of);
        let issuer = issuer.ok_or_else(|| invalid("the token is from somebody else"))?;
        issuer.check(&token).await?;
        let demands = Demands {
            issuer: &issuer.spec.issuer,
            audience: &issuer.spec.audience,
            scopes: &issuer.spec.scopes,
        };
        let now = self.clock.now();
        let ends = check(&token.claims, &demands, now)?;
        let (agent, user) = issuer.spec.agents.resolve(&token.claims)?;
        if let (Some(subjects), Some(user)) = (&self.subjects, &user) {
            let behalf = Behalf {
                agent: agent.clone(),
                user: user.id.clone(),
            };
            subjects.keep(behalf, text, (ends, now));
        }
        let issuer = issuer.spec.issuer.clone();
        Ok(Vouched {
            agent,
            user,
            issuer,
        })
    }
}

impl Issuers for ResourceServer {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Vouched, Distrust>> {
        Box::pin(self.vouch(token))
    }

    fn metadata(&self) -> Value {
        let issuers = self.issuers.iter().map(|issuer| &issuer.spec.issuer);
        let scopes = self.scope.split(' ').filter(|scope| !scope.is_empty());
        json!({
            "resource": self.resource,
            "authorization_servers": issuers.collect::<Vec<_>>(),
            "scopes_supported": scopes.collect::<Vec<_>>(),
            "bearer_methods_supported": ["header"],
            "resource_name": "Toolgate",
        })
    }

    fn scope(&self) -> &str {
        &self.scope
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResourceServer")
            .field(&self.resource)
            .finish()
    }
}
