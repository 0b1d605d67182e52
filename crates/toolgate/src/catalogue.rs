//! Tools from a file, for commands that need no server.
//!
//! `toolgate tool ls --json > tools.json` writes it; `check --tools` and `eval --tools` read it. By
//! hand, `{"tools": [{"id": "stripe.refund", "risk": "high", "input_schema": {…}}]}` is enough:
//! what is not said is taken as the strictest that is usual.
//!
//! Must not know: how tools are rated.

use std::path::Path;

use serde_json::Value;
use toolgate_gate::case::WrittenTool;
use toolgate_model::{Catalogue, Descriptor};

pub(crate) use toolgate_gate::case::assumed;

use crate::fault::Fault;
use crate::shell::read_text;

/// LIMIT: a thousand tools of 16 KiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The catalogue in this file; an empty one where none is named.
///
/// # Errors
/// [`Fault`] where the file is not a list of tools.
pub(crate) fn read(path: Option<&Path>) -> Result<Catalogue, Fault> {
    let Some(path) = path else {
        return Ok(Catalogue::default());
    };
    let shown = path.display();
    let text = read_text(path, FILE_BYTES_MAX)?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Fault::usage(format!("`{shown}` is not JSON: {error}")))?;
    of(&value).map_err(|(place, why)| {
        Fault::usage(format!("tool {place} in `{shown}` cannot be read: {why}"))
            .help("write a list of tools as `toolgate tool ls --json` prints it")
    })
}

/// The catalogue of a list of tools, as the gate answers it.
///
/// # Errors
/// The place of the first that is none, and why.
pub(crate) fn of(tools: &Value) -> Result<Catalogue, (usize, String)> {
    let tools = crate::table::rows(tools).into_iter().enumerate();
    let described = tools.map(|(place, tool)| {
        serde_path_to_error::deserialize::<_, WrittenTool>(tool)
            .map_err(|error| error.to_string())
            .and_then(WrittenTool::descriptor)
            .map_err(|why| (place, why))
    });
    Ok(Catalogue::new(
        described.collect::<Result<Vec<Descriptor>, _>>()?,
    ))
}
