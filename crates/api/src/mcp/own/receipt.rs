//! `toolgate_receipt`: the proof about one of the caller's own calls, as `GET …/receipt` gives it.
//!
//! It verifies offline with nothing but the gate's verifier key: whoever the agent hands it to can
//! see what was decided and what became of it.
//!
//! Must not know: how receipts are laid out.

use serde::Deserialize;
use serde_json::{Value, json};

use super::wait::find;
use super::{arguments, structured};
use crate::mcp::face::{Asked, Face};
use crate::receipts::prove;

pub(super) const DESCRIPTION: &str = "Returns the receipt of one of your calls: what was decided \
and what became of it, signed so that anybody can verify it offline with `toolgate receipt`. Give \
the invocation id (inv_...) or approval id (apr_...) that the call's answer named.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    id: String,
}

pub(super) fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "inv_... or apr_..., as the call's answer named it."},
        },
        "required": ["id"],
        "additionalProperties": false,
    })
}

pub(super) async fn run(face: &Face, asked: &Asked, given: Value) -> Result<String, String> {
    let given: Arguments = arguments(given)?;
    let invocation = find(face, asked, &given.id).await?;
    let receipt = prove(&face.api, &invocation.id).await;
    let receipt = receipt.map_err(|_| {
        // What is wrong with the log is for the operator, and was told to them.
        "The gate cannot prove that right now: try again, or ask its operator.".to_owned()
    })?;
    Ok(structured(&receipt, asked))
}
