//! `toolgate source`: where tools come from, and how those places are doing.
//!
//! Must not know: how a source is reached.

use clap::{Args, Subcommand};

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;
use crate::table::{rows, table};

/// Arguments of `toolgate source`.
#[derive(Debug, Args)]
pub(crate) struct Source {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List all sources with their health
    Ls,
}

impl Run for Source {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        match self.what {
            What::Ls => {
                let sources = admin.body(Ask::get("/v1/sources")).await?;
                let columns = [
                    ("NAME", "/name"),
                    ("KIND", "/kind"),
                    ("HEALTH", "/health"),
                    ("TOOLS", "/tools"),
                    ("DETAIL", "/detail"),
                ];
                shell.print(&sources, || table(&rows(&sources), &columns))?;
            }
        }
        Ok(Exit::Done)
    }
}
