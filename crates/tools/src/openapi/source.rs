//! An HTTP API as a source of tools: what it offers, how it is doing, and one errand at a time.
//!
//! Must not know: how a description is read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{Glob, SourceHealth, SourceStatus};

use super::auth::ApiAuth;
use crate::config::{Overrides, Secret, SourceConfig, header_problem, url_problem};
use crate::errand::Errand;
use crate::ports::Ports;
use crate::supply::{Offer, OnOffer, Stand, Supply};
use crate::verdict;
use crate::verify::Standing;

/// An HTTP API: where its description is, where it is, and how the gate signs in there.
#[derive(Clone, Debug, Default)]
pub struct OpenApiConfig {
    /// The description: OpenAPI 3.0, 3.1 or Swagger 2.0, in JSON or YAML.
    pub file: PathBuf,
    /// Where the API is. Nothing else is ever spoken to, whatever the description says; none: the
    /// one server that the description names.
    pub base_url: Option<String>,
    /// The gate's own credential there.
    pub auth: Vec<ApiAuth>,
    /// Credentials for single security schemes of the description, by their names.
    pub schemes: BTreeMap<String, ApiAuth>,
    /// Further headers on each request.
    pub headers: BTreeMap<String, Secret>,
    /// Whether it may be on this machine or in a private network where `base_url` names a host by
    /// name that resolves there.
    pub private_addresses: bool,
    /// Which of its operations are tools, by id or route; none: all of them.
    pub include: Vec<Glob>,
    /// Which are not, whatever `include` says.
    pub exclude: Vec<Glob>,
}

impl OpenApiConfig {
    /// What is wrong with it, and how to put it right.
    pub(crate) fn problem(&self) -> Option<String> {
        let url = self.base_url.as_deref().and_then(url_problem);
        url.or_else(|| self.headers.keys().find_map(|name| header_problem(name)))
    }
}

/// An HTTP API.
pub(crate) struct OpenApiSource {
    config: SourceConfig,
    stand: Stand,
}

impl OpenApiSource {
    pub(crate) fn new(
        config: SourceConfig,
        _own: OpenApiConfig,
        _overrides: &Overrides,
        _ports: Ports,
    ) -> Self {
        Self {
            config,
            stand: Stand::default(),
        }
    }
}

impl Supply for OpenApiSource {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn offer(&self) -> Arc<Offer> {
        self.stand.offer()
    }

    fn status(&self) -> SourceStatus {
        self.stand
            .status(&self.config.name, self.config.kind.word())
    }

    fn standing(&self) -> Standing {
        self.stand.standing()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.stand.settled())
    }

    fn disable(&self, reason: String) {
        self.stand.enter(SourceHealth::Down, Some(reason));
    }

    fn send(&self, _errand: Errand) -> BoxFuture<'_, Answer> {
        Box::pin(std::future::ready(verdict::unavailable(
            "it is being built",
        )))
    }

    fn supervise(
        self: Arc<Self>,
        stop: CancellationToken,
        on_offer: OnOffer,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.stand
                .take(Offer::new(Vec::new(), Vec::new()), &on_offer);
            stop.cancelled().await;
        })
    }
}
