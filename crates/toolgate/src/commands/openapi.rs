//! `toolgate openapi`: the machine contract of the HTTP API.
//!
//! Must not know: any endpoint.

use clap::Args;

use crate::cli::Run;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::shell::{Shell, pretty};

/// Arguments of `toolgate openapi`.
#[derive(Debug, Args)]
pub(crate) struct Openapi {}

impl Run for Openapi {
    async fn run(self, shell: &Shell) -> Result<Exit, Fault> {
        let document = serde_json::to_value(toolgate_api::openapi())
            .map_err(|error| Fault::failed(format!("no OpenAPI document: {error}")))?;
        shell.print_raw(&pretty(&document))?;
        Ok(Exit::Done)
    }
}
