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
    pub(crate) fn new(config: SourceConfig, own: HostConfig, overrides: &Overrides) -> Self {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::HostSource;
    use crate::config::{Overrides, SourceConfig, SourceKind};
    use crate::host::HostConfig;
    use crate::supply::Supply as _;
    use toolgate_gate::port::Unregistered;
    use toolgate_model::{Agent, HostStatement, HostTool, Profile, Role, Timestamp};

    fn agent(id: &str, tenant: &str, trusted_host: bool) -> Agent {
        Agent {
            id: id.parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            owner: "ana@acme.com".parse().unwrap(),
            role: Role::Agent,
            profile: Profile::Scoped { grants: Vec::new() },
            runtime: None,
            project: None,
            trusted_host,
            suspended: false,
            created_at: Timestamp::default(),
        }
    }

    fn tool(name: &str) -> HostTool {
        HostTool {
            name: name.to_owned(),
            description: None,
            input_schema: serde_json::Value::Null,
            stated: HostStatement::default(),
        }
    }

    /// A host with one tool of its own, and how often it told of a change.
    fn host(agents: &[&str]) -> (HostSource, Arc<AtomicUsize>) {
        let own = HostConfig {
            agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
            tools: vec![tool("fixed")],
        };
        let mut config = SourceConfig::new("app", SourceKind::Host(Box::default()));
        config.limits.tools_max = 3;
        let source = HostSource::new(config, own, &Overrides::new());
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        let on_offer = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        assert!(source.on_offer.set(Arc::new(on_offer)).is_ok());
        source.change(|_| {});
        (source, told)
    }

    #[test]
    fn who_may_register_is_named_or_trusted_and_of_the_tenant_that_runs_the_gate() {
        let home = toolgate_model::TenantId::default();
        for (agents, id, tenant, trusted, may) in [
            (&[][..], "a", home.as_str(), true, true),
            (&[], "a", home.as_str(), false, false),
            (&[], "a", "elsewhere", true, false),
            (&["billing_*"], "billing_1", home.as_str(), false, true),
            (&["billing_*"], "billing_1", "elsewhere", false, false),
            (&["billing_*"], "a", home.as_str(), true, false),
        ] {
            let (source, _) = host(agents);
            let answer = source.register(&agent(id, tenant, trusted), vec![tool("x")]);
            let refused = matches!(answer, Err(Unregistered::NotPermitted { .. }));
            assert_eq!(
                (answer.is_ok(), refused),
                (may, !may),
                "{agents:?} {id} {tenant}"
            );
        }
    }

    #[test]
    fn what_cannot_be_described_costs_no_other_tool_and_changes_nothing() {
        let (source, told) = host(&[]);
        let by = agent("a", toolgate_model::TenantId::default().as_str(), true);
        let before = told.load(Ordering::SeqCst);
        let long = HostTool {
            stated: HostStatement {
                timeout: Some(toolgate_model::Duration::from_secs(601)),
                ..HostStatement::default()
            },
            ..tool("long")
        };
        let all = vec![
            tool("a"),
            tool(""),
            long,
            tool("fixed"),
            tool("b"),
            tool("c"),
        ];
        let answers = source.register(&by, all).unwrap();
        let refused: Vec<_> = answers
            .iter()
            .filter_map(|answer| Some((answer.name.as_str(), answer.unavailable.as_deref()?)))
            .collect();
        assert_eq!(
            refused,
            [
                (
                    "",
                    "it cannot be named: `app.` is not a tool: `source.operation` of letters, digits and `_ - . /`, at most 256 bytes"
                ),
                ("long", "its timeout of 601s is longer than the 10m allowed"),
                (
                    "fixed",
                    "it stands in the configuration of the gate, which nobody registers over"
                ),
                ("c", "its source has the 3 tools that are allowed already"),
            ]
        );
        let offer = source.offer();
        let names: Vec<_> = offer.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["fixed", "a", "b"]);
        let changed = told.load(Ordering::SeqCst);
        assert_eq!(changed, before + 1);
        source.register(&by, vec![tool("a"), tool("b")]).unwrap();
        assert_eq!(
            told.load(Ordering::SeqCst),
            changed,
            "the same again is no change"
        );
    }

    #[test]
    fn only_what_was_registered_comes_back_and_only_where_it_is_not_known() {
        let (source, _) = host(&[]);
        let by = agent("a", toolgate_model::TenantId::default().as_str(), true);
        source.register(&by, vec![tool("a")]).unwrap();
        let registered = |name: &str, description: &str| HostTool {
            description: Some(description.to_owned()),
            stated: HostStatement {
                registered: true,
                ..HostStatement::default()
            },
            ..tool(name)
        };
        // Known, from the configuration once, from the configuration now, and unknown.
        let pinned = vec![
            registered("a", "old"),
            tool("gone"),
            registered("fixed", "old"),
            registered("b", "old"),
        ];
        source.recall(pinned);
        let offer = source.offer();
        let said: Vec<_> = offer
            .tools
            .iter()
            .map(|tool| {
                (
                    tool.name.as_str(),
                    tool.descriptor.definition.get("description").is_some(),
                )
            })
            .collect();
        assert_eq!(said, [("fixed", false), ("a", false), ("b", true)]);
    }
}
