//! Plugins: actions over signed HTTP.
//!
//! Must not know: other sources, who may call what.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{SourceHealth, SourceStatus};

use crate::config::{Overrides, Secret, SourceConfig, url_problem};
use crate::errand::Errand;
use crate::ports::Ports;
use crate::supply::{Offer, OnOffer, Stand, Supply};
use crate::verdict;
use crate::verify::Standing;

/// A plugin: where it is, and the secret that it shares with the gate.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// Where its actions are.
    pub url: String,
    /// What requests to it are signed with.
    pub secret: Secret,
    /// Who answers for it, for people.
    pub owner: Option<String>,
}

impl PluginConfig {
    /// What is wrong with it, and how to put it right.
    pub(crate) fn problem(&self) -> Option<String> {
        url_problem(&self.url)
    }
}

/// A plugin.
pub(crate) struct PluginSource {
    config: SourceConfig,
    stand: Stand,
}

impl PluginSource {
    pub(crate) fn new(
        config: SourceConfig,
        _own: PluginConfig,
        _overrides: &Overrides,
        _ports: Ports,
    ) -> Self {
        Self {
            config,
            stand: Stand::default(),
        }
    }
}

impl Supply for PluginSource {
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
