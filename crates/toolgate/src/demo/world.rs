//! The demo's world: a refund desk, an agent with a scoped profile, and a policy.
//!
//! Nothing here is special to the demo but the names: what is stated about the desk is a part of
//! a `toolgate.toml`, in `desk.toml` beside this file.
//! Must not know: how anything is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toolgate_policy::Document;

use crate::config::{Config, ConfigFile, Flags, Source, resolve};
use crate::diagnostic::drawn;
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
/// [`Fault`] where what is stated about the desk does not resolve.
pub(crate) fn furnish(config: &mut Config) -> Result<(), Fault> {
    let stated = stated()?;
    config.overrides.extend(stated.overrides);
    config.agents.extend(stated.agents);
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
    let fixed = [
        "refund-desk",
        "--stdio",
        "--loose-schemas",
        "--idempotency",
        "--ledger",
    ];
    let mut command = vec![text(&own)];
    command.extend(fixed.map(str::to_owned));
    command.push(text(ledger));
    Ok(command)
}

/// What the file beside this one states.
fn stated() -> Result<Config, Fault> {
    let file = ConfigFile {
        path: PathBuf::from("desk.toml"),
        text: include_str!("desk.toml").to_owned(),
    };
    let resolved = resolve(&Flags::new(), &BTreeMap::new(), Some(&file));
    let resolved = resolved.map_err(|problems| {
        let drawn = problems.iter().map(|problem| drawn(problem, &file.text));
        Fault::failed(drawn.collect::<Vec<_>>().join("\n\n"))
    })?;
    Ok(resolved.config)
}

#[cfg(test)]
mod tests {
    use super::{AGENT, OWNER, stated};
    use toolgate_model::ToolId;

    #[test]
    fn the_file_says_who_works_at_the_desk_and_what_can_be_checked() {
        let config = stated().unwrap();
        let spec = &config.agents[0].spec;
        assert_eq!((spec.id.as_str(), spec.owner.as_str()), (AGENT, OWNER));
        let refund: ToolId = "desk.refund".parse().unwrap();
        let checks = &config.overrides[&refund].checks;
        assert!(checks.entity.is_some() && checks.effect.is_some());
    }
}
