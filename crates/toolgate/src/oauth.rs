//! OAuth put together: whose tokens are taken, and how the gate gets its own.
//!
//! ```text
//! [oauth] → resource server → the faces      mcp.auth → granted tokens → the sources
//! ```
//! One client goes out for both, and it goes as far as the configuration says.
//!
//! Must not know: tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use toolgate_gate::port::Clock;
use toolgate_gate::trust::{Grants, Issuers};
use toolgate_oauth::{Fetcher, Granted, IssuerSpec, ResourceServer, ServerSpec, Subjects};

use crate::config::{Config, DeclaredIssuer, OAuthSettings, Source};
use crate::exit::Exit;
use crate::fault::Fault;

/// What both sides share.
pub(crate) struct Trust {
    fetcher: Option<Fetcher>,
    subjects: Subjects,
    clock: Arc<dyn Clock>,
    settings: OAuthSettings,
    exchanges: bool,
}

impl Trust {
    /// What the configuration needs; nothing is asked for yet.
    ///
    /// # Errors
    /// [`Fault`] where the system gives no client.
    pub(crate) fn of(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, Fault> {
        let settings = &config.oauth;
        let grants = || config.sources.iter().filter_map(|it| it.transport.grant());
        let mut places: Vec<&str> = grants().map(|grant| grant.url()).collect();
        for issuer in &settings.issuers {
            places.push(&issuer.issuer);
            places.extend(issuer.jwks_url.as_deref());
        }
        let fetcher = match places.is_empty() {
            true => None,
            false => {
                let fetcher = Fetcher::new(settings.reach, &places);
                Some(fetcher.map_err(Fault::failed)?)
            }
        };
        Ok(Self {
            fetcher,
            subjects: Subjects::default(),
            clock: clock.clone(),
            settings: settings.clone(),
            exchanges: grants().any(|grant| grant.is_exchange()),
        })
    }

    /// Who grants the gate's token for this source, where somebody does.
    ///
    /// # Errors
    /// [`Fault`] where the secret is not where it should be.
    pub(crate) fn grants(
        &self,
        source: &Source,
        variables: &BTreeMap<String, String>,
    ) -> Result<Option<Arc<dyn Grants>>, Fault> {
        let transport = &source.transport;
        let (Some(fetcher), Some(grant)) = (&self.fetcher, transport.grant()) else {
            return Ok(None);
        };
        let url = transport.url().unwrap_or_default();
        let spec = grant.opened_with(url, variables).map_err(|why| {
            let message = format!("the source `{}` has no credential: {why}", source.name);
            Fault::new(Exit::Invalid, message)
        })?;
        let granted = Granted::new(spec, fetcher, &self.clock, &self.subjects);
        Ok(Some(Arc::new(granted)))
    }

    /// Whose tokens are taken, where anybody's are. `url` is how clients reach this gate.
    pub(crate) fn issuers(&self, url: &str) -> Option<Arc<dyn Issuers>> {
        let fetcher = self.fetcher.as_ref()?;
        let settings = &self.settings;
        if settings.issuers.is_empty() {
            return None;
        }
        let own = || format!("{url}/mcp");
        let resource = settings.resource.clone().unwrap_or_else(own);
        let spec = |issuer: &DeclaredIssuer| IssuerSpec {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone().unwrap_or_else(|| resource.clone()),
            jwks_url: issuer.jwks_url.clone(),
            agents: issuer.agents.clone(),
            scopes: issuer.scopes.clone(),
        };
        let spec = ServerSpec {
            issuers: settings.issuers.iter().map(spec).collect(),
            resource: resource.clone(),
        };
        let server = ResourceServer::new(spec, fetcher, &self.clock);
        let server = match self.exchanges {
            true => server.keeping(self.subjects.clone()),
            false => server,
        };
        Some(Arc::new(server))
    }
}
