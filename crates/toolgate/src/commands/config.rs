//! `toolgate config show`: the configuration in force, and where each value came from.
//!
//! Must not know: any key.

use clap::{Args, Subcommand};

use crate::cli::Run;
use crate::config::Listing;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;

/// Arguments of `toolgate config`.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print every effective value; secrets are shown as the places they are in
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
}

impl Run for Config {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let What::Show { origin } = self.what;
        let file = shell.config_file()?;
        let resolved = shell.resolve(Vec::new())?;
        let listing = Listing {
            file: file.as_ref(),
            origins: origin,
        };
        let value = listing.to_json(&resolved.effective);
        shell.print(&value, || listing.to_text(&resolved.effective))?;
        Ok(Exit::Done)
    }
}
