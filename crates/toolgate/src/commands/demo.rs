//! `toolgate demo`: the whole story on real parts, in one command.
//!
//! A gate on an embedded store in a directory of its own, a refund desk in a process of its own,
//! and an agent that tries everything over HTTP and MCP. The last line holds the desk's ledger
//! against the gate's record and verifies the log. Exit 0 only if all was as told.
//!
//! Must not know: the steps.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use toolgate_gate::Capture;
use toolgate_gate::port::Entropy as _;
use toolgate_store::audit::Evidence;

use super::audit;
use crate::admin::{Admin, TOKEN_FILE};
use crate::cli::Run;
use crate::config::{Config, Flags, Source, resolve};
use crate::demo::{Balance, DeskProcess, Told, tell, world};
use crate::entropy::SystemEntropy;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::gate::{self, Gate};
use crate::shell::Shell;
use crate::signal::Signals;

/// Arguments of `toolgate demo`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate demo --once")]
pub(crate) struct Demo {
    /// End when the story is told; otherwise the gate stays open
    #[arg(long)]
    once: bool,
}

impl Run for Demo {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let mut signals = Signals::new()?;
        let stage = Stage::new()?;
        let desk = DeskProcess::start(&stage.directory).await?;
        let config = stage.config(&desk)?;
        let gate = gate::start(&config, shell).await?;
        shell.say(&format!(
            "a gate on {}, a refund desk on {}\n",
            gate.local_url(),
            desk.url
        ));
        let told = play(shell, &gate, &desk).await;
        if told.is_ok() && !self.once {
            shell.say(&open(&gate));
            signals.next().await;
        }
        gate.stop().await;
        desk.stop().await;
        told
    }
}

/// A directory that ends with the demo.
struct Stage {
    directory: PathBuf,
}

impl Stage {
    fn new() -> Result<Self, Fault> {
        let mut random = [0; 8];
        let drawn = SystemEntropy.fill(&mut random);
        drawn.map_err(|error| Fault::failed(error.to_string()))?;
        let name = format!("toolgate-demo-{:016x}", u64::from_be_bytes(random));
        let directory = std::env::temp_dir().join(name);
        // Made here and by nobody before: everybody may write to where it stands.
        let made = DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|error| {
            Fault::failed(format!("`{}` cannot be made: {error}", directory.display()))
                .help("set TMPDIR to a directory of your own")
        })?;
        Ok(Self { directory })
    }

    /// The demo's own configuration: nothing of the user's own gate comes into it.
    fn config(&self, desk: &DeskProcess) -> Result<Config, Fault> {
        let flags: Flags = vec![
            ("--listen", "listen", "127.0.0.1:0".to_owned()),
            (
                "--data",
                "data",
                self.directory.join("data").display().to_string(),
            ),
        ];
        let resolved = resolve(&flags, &BTreeMap::new(), None);
        let mut config = resolved
            .map_err(|_| Fault::failed("the demo's configuration does not resolve"))?
            .config;
        config
            .sources
            .push(Source::http(world::DESK, desk.url.clone()));
        // The last line adds up what was asked for, so the record keeps it.
        config.settings.capture = Capture::Full;
        world::furnish(&mut config)?;
        Ok(config)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tracing::debug!(%error, "the demo's directory could not be removed");
        }
    }
}

/// Tells the story, and then adds up.
async fn play(shell: &Shell, gate: &Gate, desk: &DeskProcess) -> Result<Exit, Fault> {
    let admin = || {
        let token = std::fs::read_to_string(gate.data.join(TOKEN_FILE));
        let token = token.map_err(|error| Fault::failed(format!("no token: {error}")))?;
        Admin::at(&gate.local_url(), Some(token.trim().to_owned()))
    };
    let mut number = 0;
    let steps = tell(admin()?, desk, |told: &Told| {
        number += 1;
        shell.print_line(&told.envelope, || {
            format!("{number:>2}  {}\n    → {}", told.title, told.outcome)
        })
    });
    let steps = steps.await?;
    let balance = Balance::of(&admin()?, &desk.sums()?).await?;
    audit::sign(&admin()?).await?;
    let sound = verified(&gate.data)?;
    let (report, is_sound) = (audit::told(&sound), sound.is_sound());
    let sums = json!({
        "steps": steps, "balance": balance.to_json(), "log": {"sound": is_sound, "records": sound.records},
    });
    shell.print_line(&sums, || format!("\n{report}\n{}", balance.told()))?;
    let good = balance.is_even() && is_sound;
    Ok(if good { Exit::Done } else { Exit::Failed })
}

/// The log, verified as an auditor would: from the files alone.
fn verified(data: &Path) -> Result<toolgate_record::Report, Fault> {
    let broken = |error: toolgate_store::audit::AuditError| Fault::failed(error.to_string());
    let verifier = audit::key_beside(data)?;
    Evidence::open(data)
        .map_err(broken)?
        .verify(&verifier)
        .map_err(broken)
}

/// Where to go on looking.
fn open(gate: &Gate) -> String {
    let (url, data) = (gate.local_url(), gate.data.display());
    format!(
        "\nThe gate stays open at {url} until Ctrl-C. Look around in another terminal:\n  \
           toolgate log tail --data {data}\n  \
           toolgate approvals ls --data {data}\n  \
           toolgate key create {} --data {data}",
        world::AGENT,
    )
}
