//! The demo's world: a refund desk, an agent with a scoped profile, and two policies.
//!
//! Nothing here is special to the demo but the names: the same could stand in `toolgate.toml`.
//! Must not know: how anything is started.

use std::path::Path;

use toolgate_driver::AgentSpec;
use toolgate_model::{
    AgentId, Effect, Glob, Grant, Profile, ResourceTemplate, Risk, Role, TenantId,
};
use toolgate_policy::Document;
use toolgate_tools::{Overrides, ToolOverride};

use crate::config::{Config, DeclaredAgent, Source};
use crate::fault::Fault;

/// The agent that works at the desk.
pub(crate) const AGENT: &str = "refund_agent";

/// The person who answers for the agent, and who therefore never approves its calls.
pub(crate) const OWNER: &str = "ana@acme.com";

/// The name of the desk as a source.
pub(crate) const DESK: &str = "desk";

/// The policies by name.
pub(crate) const POLICIES: [(&str, &str); 1] = [("refunds", include_str!("refunds.json"))];

/// Adds the desk as a process of the gate, with agent and policies, to a configuration.
///
/// # Errors
/// [`Fault`] where this program does not know its own path.
pub(crate) fn add_to(config: &mut Config) -> Result<(), Fault> {
    let ledger = config.data.join("refund-desk.jsonl");
    config
        .sources
        .push(Source::stdio(DESK, desk_command(&ledger)?));
    furnish(config)
}

/// Adds agent, policies and ratings to a configuration that has the desk already.
///
/// # Errors
/// [`Fault`] where a name does not parse.
pub(crate) fn furnish(config: &mut Config) -> Result<(), Fault> {
    config.overrides.extend(overrides()?);
    config.agents.push(agent()?);
    let documents = POLICIES.iter().map(|(name, text)| Document {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    });
    config.documents.extend(documents);
    Ok(())
}

/// The desk on its standard streams, run by this same program.
fn desk_command(ledger: &Path) -> Result<Vec<String>, Fault> {
    let own = std::env::current_exe()
        .map_err(|error| Fault::failed(format!("this program has no path: {error}")))?;
    let text = |path: &Path| path.display().to_string();
    let fixed = ["refund-desk", "--stdio", "--loose-schemas", "--ledger"];
    let mut command = vec![text(&own)];
    command.extend(fixed.map(str::to_owned));
    command.push(text(ledger));
    Ok(command)
}

/// What the operator knows of the desk's tools.
fn overrides() -> Result<Overrides, Fault> {
    let read = ToolOverride {
        effect: Some(Effect::None),
        ..ToolOverride::default()
    };
    let customer = ResourceTemplate::parse("customer:{args.customer}").map_err(Fault::failed)?;
    let refund = ToolOverride {
        risk: Some(Risk::High),
        resource: Some(customer),
        ..ToolOverride::default()
    };
    let stated = [
        ("desk.get_charge", read.clone()),
        ("desk.get_customer", read.clone()),
        ("desk.list_refunds", read),
        ("desk.refund", refund),
    ];
    let named = stated.into_iter().map(|(id, stated)| {
        let id = id
            .parse()
            .map_err(|error| Fault::failed(format!("{error}")))?;
        Ok((id, stated))
    });
    named.collect()
}

/// An agent that reads everything and refunds customers whose names begin with `cust_`.
fn agent() -> Result<DeclaredAgent, Fault> {
    let reads = ["desk.get_charge", "desk.get_customer", "desk.list_refunds"];
    let grant = |tools: &[&str], resources: &[&str]| Grant {
        tools: tools.iter().copied().map(Glob::new).collect(),
        resources: resources.iter().copied().map(Glob::new).collect(),
        actions: Vec::new(),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk: Some(Risk::High),
    };
    let grants = vec![
        grant(&reads, &[]),
        grant(&["desk.refund"], &["customer:cust_*"]),
    ];
    let spec = AgentSpec {
        id: name(AGENT)?,
        owner: name(OWNER)?,
        role: Role::Agent,
        profile: Profile::Scoped { grants },
        runtime: None,
        project: None,
    };
    Ok(DeclaredAgent {
        spec,
        tenant: TenantId::default(),
    })
}

fn name(text: &str) -> Result<AgentId, Fault> {
    text.parse()
        .map_err(|error| Fault::failed(format!("{error}")))
}
