//! `toolgate mcp wrap -- CMD…`: one stdio server behind a gate of its own.
//!
//! ```text
//! {"command": "toolgate", "args": ["mcp", "wrap", "--", "npx", "some-server"]}
//! ```
//!
//! What reads runs; what writes, deletes or changes access waits for a person; everything is on a
//! record. Each command has a data directory of its own, named after it. A waiting call is decided
//! in another terminal:
//!
//! ```text
//! toolgate approvals ls --data DIR
//! toolgate approve apr_… --digest 1a2b3c4d --data DIR
//! ```
//! Must not know: how a gate is put together.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use toolgate_driver::{AgentSpec, KeySpec};
use toolgate_gate::Caller;
use toolgate_model::{AgentId, Digest, Profile, Role, Scope, TenantId, Token};
use toolgate_policy::Document;
use toolgate_tools::WireNames;

use super::mcp::{on_streams, serve};
use crate::admin::TOKEN_FILE;
use crate::cli::Run;
use crate::config::{Config, DeclaredAgent, Flags, Source};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::gate::{self, Gate};
use crate::shell::Shell;

/// The agent behind the client.
const AGENT: &str = "local";

/// Who answers for that agent. Not the person with the data directory, who is to approve.
const OWNER: &str = "wrap@localhost";

/// How many clients may wrap the same command at once.
// LIMIT: eight; each has a gate and a directory of its own.
const SLOTS_MAX: usize = 8;

/// LIMIT: a source's name fits a tool's name, which clients bound.
const NAME_CHARS_MAX: usize = 32;

/// What holds where no policy file is configured.
const POLICY: &str = include_str!("../starter/wrap.json");

/// Arguments of `toolgate mcp wrap`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: toolgate mcp wrap -- npx -y @modelcontextprotocol/server-everything"
)]
pub(crate) struct Wrap {
    /// The source's name in tool ids; made from the command, if not said
    #[arg(long)]
    name: Option<String>,
    /// The server's command, with its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Run for Wrap {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let gate = self.start(shell).await?;
        shell.say(&format!(
            "toolgate wraps `{}`; what waits for you: toolgate approvals ls --data {}",
            self.command.join(" "),
            gate.data.display(),
        ));
        let token = key(&gate).await?;
        serve(gate, token).await
    }
}

impl Wrap {
    /// Starts the gate in the first directory of this command that no other client holds.
    async fn start(&self, shell: &Shell) -> Result<Gate, Fault> {
        let mut last = None;
        for slot in 0..SLOTS_MAX {
            let config = self.config(shell, slot)?;
            match gate::start(&config, shell).await {
                Err(fault) if fault.code() == "in_use" && shell.global.data.is_none() => {
                    last = Some(fault);
                }
                started => return started,
            }
        }
        Err(last.unwrap_or_else(|| Fault::failed("no directory is free")))
    }

    fn config(&self, shell: &Shell, slot: usize) -> Result<Config, Fault> {
        let mut flags: Flags = vec![("mcp wrap", "listen", "127.0.0.1:0".to_owned())];
        if shell.global.data.is_none() {
            let data = self.directory(shell, slot)?;
            flags.push(("mcp wrap", "data", data.display().to_string()));
        }
        let mut config = on_streams(shell.resolve(flags)?.config);
        let name = self.name.clone().unwrap_or_else(|| named(&self.command));
        // The client sees the names that the server gives, as if there were no gate between them.
        let source = Source::stdio(&name, self.command.clone());
        config.sources = vec![Source {
            wire_names: WireNames::Bare,
            ..source
        }];
        if config.policies.is_empty() {
            let text = POLICY.to_owned();
            config.documents.push(Document {
                name: "wrap".to_owned(),
                text,
            });
        }
        let local = id(AGENT)?;
        if config.agents.iter().all(|agent| agent.spec.id != local) {
            config.agents.push(local_agent(local)?);
        }
        Ok(config)
    }

    /// The directory of this command: the same one each time, and another one for another command.
    fn directory(&self, shell: &Shell, slot: usize) -> Result<PathBuf, Fault> {
        let state = shell.variable("XDG_STATE_HOME").map(PathBuf::from);
        let home = || {
            shell
                .variable("HOME")
                .map(|home| Path::new(home).join(".local/state"))
        };
        let base = state.or_else(home).ok_or_else(|| {
            Fault::usage("there is no home directory to keep the record in")
                .help("name a data directory with `--data`")
        })?;
        let digest: String = Digest::of(json!(self.command).to_string().as_bytes())
            .hex()
            .chars()
            .take(12)
            .collect();
        let suffix = if slot == 0 {
            String::new()
        } else {
            format!("-{}", slot + 1)
        };
        let name = format!("{}-{digest}{suffix}", named(&self.command));
        Ok(base.join("toolgate").join("wrap").join(name))
    }
}

/// Programs that run other programs: the next word says which.
const LAUNCHERS: [&str; 9] = [
    "bunx", "deno", "node", "npx", "pipx", "pnpm", "python", "python3", "uvx",
];

/// Names that say nothing: the directory around them says more.
const GENERIC: [&str; 7] = ["build", "dist", "index", "main", "run", "server", "src"];

/// A name for a command: `server-everything` for `npx -y @acme/server-everything@1.2`.
fn named(command: &[String]) -> String {
    let mut words = command.iter().filter(|word| !word.starts_with('-'));
    let program =
        words.find(|word| !LAUNCHERS.contains(&word.rsplit('/').next().unwrap_or_default()));
    let parts = program
        .map(String::as_str)
        .unwrap_or_default()
        .rsplit(['/', '\\']);
    let telling = parts.map(plain).find(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && !GENERIC.contains(&name.as_str())
    });
    telling.unwrap_or_else(|| "server".to_owned())
}

/// A part of a path without version and ending, in the letters that a source's name may have.
fn plain(part: &str) -> String {
    let part = part.split('@').next().unwrap_or_default();
    let part = [".js", ".mjs", ".cjs", ".ts", ".py"]
        .iter()
        .find_map(|ending| part.strip_suffix(ending))
        .unwrap_or(part);
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = part.chars().map(letter).take(NAME_CHARS_MAX).collect();
    name.trim_matches('-').to_owned()
}

fn local_agent(id: AgentId) -> Result<DeclaredAgent, Fault> {
    let spec = AgentSpec {
        id,
        owner: self::id(OWNER)?,
        role: Role::Service,
        profile: Profile::Admin,
        runtime: None,
        project: None,
        trusted_host: false,
    };
    Ok(DeclaredAgent {
        spec,
        tenant: TenantId::default(),
    })
}

/// A fresh key for the agent, known to this process alone.
async fn key(gate: &Gate) -> Result<String, Fault> {
    let text = std::fs::read_to_string(gate.data.join(TOKEN_FILE))
        .map_err(|error| Fault::failed(format!("the gate's own token cannot be read: {error}")))?;
    let caller: Caller = gate
        .api
        .driver
        .authenticate(Some(text.trim()))
        .await
        .map_err(|denial| Fault::new(Exit::NotPermitted, denial.message))?;
    let spec = KeySpec {
        agent: id(AGENT)?,
        ttl: None,
        scope: Scope::default(),
    };
    let issued = gate.api.driver.create_key(&caller, spec).await;
    let issued = issued.map_err(|error| Fault::failed(error.to_string()))?;
    Ok(Token::reveal(&issued.token))
}

fn id(text: &str) -> Result<AgentId, Fault> {
    text.parse()
        .map_err(|error| Fault::failed(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_command_is_named_by_what_it_runs() {
        let name = |command: &str| {
            let words: Vec<_> = command.split(' ').map(str::to_owned).collect();
            named(&words)
        };
        assert_eq!(
            name("npx -y @modelcontextprotocol/server-everything@1.2"),
            "server-everything"
        );
        assert_eq!(
            name("npx -y server-filesystem /home/me/project"),
            "server-filesystem"
        );
        assert_eq!(
            name("/usr/bin/node /opt/server-time/dist/index.js"),
            "server-time"
        );
        assert_eq!(name("uvx mcp-server-git --repository ."), "mcp-server-git");
        assert_eq!(name("./run --port 9"), "server");
        assert_eq!(name("42"), "server");
    }
}
