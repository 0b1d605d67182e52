//! Programs that run their tools themselves, under a lease, and report what came of them.
//!
//! Must not know: other sources, who may call what.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture};
use toolgate_model::{SourceHealth, SourceStatus};

use crate::config::{Overrides, SourceConfig};
use crate::errand::Errand;
use crate::ports::Ports;
use crate::supply::{Offer, OnOffer, Stand, Supply};
use crate::verdict;
use crate::verify::Standing;

/// A program that runs its tools itself.
#[derive(Clone, Debug, Default)]
pub struct HostConfig {
    /// Which agents may register tools, exact or pattern; none: any trusted host.
    pub agents: Vec<String>,
}

/// A host.
pub(crate) struct HostSource {
    config: SourceConfig,
    stand: Stand,
}

impl HostSource {
    pub(crate) fn new(
        config: SourceConfig,
        _own: HostConfig,
        _overrides: &Overrides,
        _ports: Ports,
    ) -> Self {
        Self {
            config,
            stand: Stand::default(),
        }
    }
}

impl Supply for HostSource {
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
