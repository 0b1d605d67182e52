//! `toolgate schema`: JSON Schemas for editors.
//!
//! Must not know: any key; `policy` and `config` publish their own.

use clap::{Args, ValueEnum};

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};

/// Arguments of `toolgate schema`.
#[derive(Debug, Args)]
#[command(after_help = "Example: toolgate schema policy > policy.schema.json")]
pub(crate) struct Schema {
    /// Of what
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// Of policy documents
    Policy,
    /// Of toolgate.toml
    Config,
    /// Of one tool in it, `[tools."source.operation"]`
    Descriptor,
}

impl Run for Schema {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let schema = match self.of {
            Of::Policy => toolgate_policy::json_schema(),
            Of::Config => crate::config::json_schema(),
            Of::Descriptor => crate::config::descriptor_schema(),
        };
        shell.print_raw(&pretty(&schema))?;
        Ok(Exit::Done)
    }
}
