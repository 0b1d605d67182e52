//! `toolgate init`: a commented configuration and a few policies to begin with.
//!
//! With `--for` a coding agent, what its hooks and its gate need. Nothing is ever written over. Must not know: what the files say; they are in `starter/`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::hook::Coder;
use crate::shell::Shell;

/// Arguments of `toolgate init`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate init my-gate && cd my-gate && toolgate serve")]
pub(crate) struct Init {
    /// Where; here, if not said
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// For the hooks of this coding agent
    #[arg(long = "for", value_enum, value_name = "AGENT")]
    coder: Option<Coder>,
}

impl Init {
    /// The files to write, each with its text.
    fn files(&self) -> Vec<(&'static str, &'static str)> {
        let Some(coder) = self.coder else {
            return FILES.to_vec();
        };
        let hooks = match coder {
            Coder::ClaudeCode => (
                ".claude/settings.json",
                include_str!("../starter/coding/claude-code.json"),
            ),
            Coder::Codex => (
                ".codex/hooks.json",
                include_str!("../starter/coding/codex.json"),
            ),
            Coder::Cursor => (
                ".cursor/hooks.json",
                include_str!("../starter/coding/cursor.json"),
            ),
            Coder::Gemini => (
                ".gemini/settings.json",
                include_str!("../starter/coding/gemini.json"),
            ),
        };
        let rules = include_str!("../../../../packs/coding-agents/coding-agents.json");
        vec![
            (
                "toolgate.toml",
                include_str!("../starter/coding/toolgate.toml"),
            ),
            ("policies/coding-agents.json", rules),
            hooks,
        ]
    }
}

/// Every file, with its text.
pub(crate) const FILES: [(&str, &str); 4] = [
    ("toolgate.toml", include_str!("../starter/toolgate.toml")),
    (
        "policies/destructive.json",
        include_str!("../starter/policies/destructive.json"),
    ),
    (
        "policies/money.json",
        include_str!("../starter/policies/money.json"),
    ),
    (
        "policies/secrets.json",
        include_str!("../starter/policies/secrets.json"),
    ),
];

impl Run for Init {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let files = self.files();
        let taken: Vec<_> = files
            .iter()
            .map(|(name, _)| self.directory.join(name))
            .filter(|path| path.exists())
            .collect();
        if let Some(first) = taken.first() {
            let message = format!(
                "`{}` is there already; nothing was written",
                first.display()
            );
            return Err(Fault::new(Exit::Conflict, message)
                .help("name an empty directory, or move the file away"));
        }
        let mut written = Vec::new();
        for (name, text) in files {
            let path = self.directory.join(name);
            write(&path, text)?;
            written.push(path.display().to_string());
        }
        shell.print(&json!({"written": written}), || {
            let list: String = written
                .iter()
                .map(|path| format!("wrote {path}\n"))
                .collect();
            format!(
                "{list}\nNext: toolgate serve --config {}/toolgate.toml",
                self.directory.display()
            )
        })?;
        Ok(Exit::Done)
    }
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let unwritable = |error: std::io::Error| {
        Fault::failed(format!("`{}` cannot be written: {error}", path.display()))
            .help("name a directory of your own")
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(unwritable)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(unwritable)
}
