//! `toolgate refund-desk`, hidden: the demo's downstream as a process of its own.
//!
//! Must not know: the gate. The desk has never heard of it either.

use clap::Args;
use toolgate_testkit::desk::{DeskArgs, run};

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::Shell;

/// Arguments of `toolgate refund-desk`.
#[derive(Debug, Args)]
pub(crate) struct RefundDesk {
    #[command(flatten)]
    desk: DeskArgs,
}

impl Run for RefundDesk {
    async fn run(self, _shell: &Shell) -> Result<Exit, Fault> {
        run(self.desk)
            .await
            .map_err(|error| Fault::failed(error.to_string()))?;
        Ok(Exit::Done)
    }
}
