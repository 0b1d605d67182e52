//! `toolgate receipt`: the self-contained proof about one invocation.
//!
//! Its records, their inclusion proofs, the signed checkpoint, and the digests that tie together
//! what was described, approved and executed. Whoever has the verifier key checks it offline.
//!
//! Must not know: how it is made.

use clap::Args;

use crate::admin::{Admin, Ask};
use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};

/// Arguments of `toolgate receipt`.
#[derive(Debug, Args)]
pub(crate) struct Receipt {
    /// The invocation, `inv_…`
    id: String,
}

impl Run for Receipt {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let admin = Admin::open(shell)?;
        let path = format!("/v1/invocations/{}/receipt", self.id);
        let receipt = admin.body(Ask::get(path)).await?;
        shell.print(&receipt, || pretty(&receipt))?;
        Ok(Exit::Done)
    }
}
