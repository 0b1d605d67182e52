//! `toolgate completions`: what a shell needs to complete the command line.
//!
//! Must not know: any command; clap does.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell as Kind;

use crate::cli::{Cli, Run};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;

/// Arguments of `toolgate completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate completions bash > /etc/bash_completion.d/toolgate")]
pub(crate) struct Completions {
    /// Which shell
    shell: Kind,
}

impl Run for Completions {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "toolgate", &mut text);
        shell.print_raw(&String::from_utf8_lossy(&text))?;
        Ok(Exit::Done)
    }
}
