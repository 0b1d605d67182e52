//! `toolgate man`: the manual page, made from the table of commands.
//!
//! Must not know: any command; clap does.

use clap::{Args, CommandFactory as _};

use crate::cli::{Cli, Run};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;

/// Arguments of `toolgate man`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate man | man -l -")]
pub(crate) struct Man {}

impl Run for Man {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let mut text = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut text)
            .map_err(|error| Fault::failed(format!("no manual page: {error}")))?;
        shell.print_raw(&String::from_utf8_lossy(&text))?;
        Ok(Exit::Done)
    }
}
