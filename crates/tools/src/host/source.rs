//! One host as a source: what it offers changes only when somebody registers tools.
//!
//! Must not know: how a tool is described.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;
use toolgate_gate::port::{Answer, BoxFuture, Registered, Unregistered};
use toolgate_model::{Agent, Glob, HostTool, SourceHealth, SourceStatus, TenantId};

use super::HostConfig;
use super::tools::{describe_one, described};
use crate::config::{Overrides, SourceConfig};
use crate::errand::Errand;
use crate::names;
use crate::ports::Ports;
use crate::supply::{Offer, OnOffer, Stand, Supply};
use crate::verdict;
use crate::verify::Standing;

/// A host.
pub(crate) struct HostSource {
    config: SourceConfig,
    own: HostConfig,
    overrides: Overrides,
    stand: Stand,
    /// What was registered, by name. Its lock also keeps offers in order.
    registered: Mutex<BTreeMap<String, HostTool>>,
    /// Who is told of a change; nobody before the source is supervised.
    on_offer: OnceLock<OnOffer>,
}

impl HostSource {
    pub(crate) fn new(
        config: SourceConfig,
        own: HostConfig,
        overrides: &Overrides,
        _ports: Ports,
    ) -> Self {
        let mine = |id: &toolgate_model::ToolId| id.source() == config.name;
        let overrides = overrides.iter().filter(|(id, _)| mine(id));
        Self {
            overrides: overrides.map(|(id, o)| (id.clone(), o.clone())).collect(),
            config,
            own,
            stand: Stand::default(),
            registered: Mutex::default(),
            on_offer: OnceLock::new(),
        }
    }

    /// Whether this agent registers tools here. Tools belong to all tenants, so agents of the one
    /// that runs the gate do.
    fn permits(&self, agent: &Agent) -> bool {
        let named = |pattern: &String| Glob::new(pattern.as_str()).matches(agent.id.as_str());
        let listed = match self.own.agents.is_empty() {
            true => agent.trusted_host,
            false => self.own.agents.iter().any(named),
        };
        listed && agent.tenant == TenantId::default()
    }

    fn is_declared(&self, name: &str) -> bool {
        self.own.tools.iter().any(|tool| tool.name == name)
    }

    /// Changes what is registered, and offers it.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, HostTool>)) {
        let mut registered = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut registered);
        // Before it is supervised there is nobody to tell, and then all of it is offered at once.
        if let Some(on_offer) = self.on_offer.get() {
            let all = self.own.tools.iter().chain(registered.values());
            let (tools, unavailable) = described(&self.config, all, &self.overrides);
            self.stand.take(Offer::new(tools, unavailable), on_offer);
        }
    }

    /// Why this tool cannot be registered beside those that are.
    fn refusal(&self, tool: &HostTool, known: &BTreeMap<String, HostTool>) -> Option<String> {
        let max = self.config.limits.tools_max;
        let count = self.own.tools.len() + known.len();
        if self.is_declared(&tool.name) {
            let why = "it stands in the configuration of the gate, which nobody registers over";
            Some(why.to_owned())
        } else if count >= max && !known.contains_key(&tool.name) {
            Some(format!(
                "its source has the {max} tools that are allowed already"
            ))
        } else {
            describe_one(&self.config, tool, &self.overrides).err()
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
        // The gate denies such a call before it comes here; a look at such a tool ends here.
        let answer =
            verdict::unavailable("its tools run in their host, which the gate cannot reach");
        Box::pin(std::future::ready(answer))
    }

    fn register(&self, by: &Agent, tools: Vec<HostTool>) -> Result<Vec<Registered>, Unregistered> {
        if !self.permits(by) {
            return Err(Unregistered::NotPermitted {
                agent: by.id.clone(),
                source_name: self.config.name.clone(),
            });
        }
        let mut answers = Vec::new();
        self.change(|registered| {
            for mut tool in tools {
                tool.stated.registered = true;
                tool.stated.trusted = by.trusted_host;
                let unavailable = self.refusal(&tool, registered);
                answers.push(Registered {
                    id: names::tool_id(&self.config.name, &tool.name).ok(),
                    name: tool.name.clone(),
                    unavailable: unavailable.clone(),
                });
                if unavailable.is_none() {
                    registered.insert(tool.name.clone(), tool);
                }
            }
        });
        Ok(answers)
    }

    fn recall(&self, tools: Vec<HostTool>) {
        let unknown: Vec<_> = {
            let registered = self.registered.lock();
            let registered = registered.unwrap_or_else(PoisonError::into_inner);
            let known = |name: &str| registered.contains_key(name) || self.is_declared(name);
            let back = tools.into_iter().filter(|tool| tool.stated.registered);
            back.filter(|tool| !known(&tool.name)).collect()
        };
        if !unknown.is_empty() {
            self.change(|registered| {
                for tool in unknown {
                    registered.entry(tool.name.clone()).or_insert(tool);
                }
            });
        }
    }

    fn supervise(
        self: Arc<Self>,
        stop: CancellationToken,
        on_offer: OnOffer,
    ) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _first = self.on_offer.set(on_offer);
            self.change(|_| {});
            stop.cancelled().await;
        })
    }
}
