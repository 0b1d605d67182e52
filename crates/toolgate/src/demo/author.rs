//! What happens in the demo to a policy that somebody wants to change.
//!
//! The limit of 500 is to become 100. It is tried on the calls that were just made, put in force,
//! and taken back. Nothing but decisions: no money moves.
//!
//! Must not know: how steps are shown.

use serde_json::{Value, json};

use super::cast::Cast;
use super::steps::{expect, otherwise, refund, told};
use super::story::Told;
use super::world::POLICIES;
use crate::admin::Ask;
use crate::fault::Fault;

/// What one refund of 120 would get now.
async fn verdict(cast: &Cast) -> Result<Value, Fault> {
    let call = json!({"tool": "desk.refund", "arguments": refund("ch_1", 120), "mode": "simulate"});
    cast.agent.body(Ask::post("/v1/invocations", call)).await
}

/// The policy with 100 for 500.
fn stricter() -> Result<String, Fault> {
    let refunds = POLICIES.iter().find(|(name, _)| *name == "refunds");
    let (_, text) = refunds.ok_or_else(|| Fault::failed("the demo has no policy `refunds`"))?;
    Ok(text.replace("500", "100"))
}

pub(super) async fn tried(cast: &Cast) -> Result<Told, Fault> {
    let candidate = json!({"documents": [{"name": "refunds", "text": stricter()?}]});
    let report = cast
        .admin
        .body(Ask::post("/v1/policies/backtest", candidate))
        .await?;
    let count = |key: &str| report.get(key).and_then(Value::as_u64).unwrap_or_default();
    let cells = report.get("matrix").and_then(Value::as_array);
    let asked = cells.into_iter().flatten().find(|cell| {
        cell.get("present") == Some(&json!("allow"))
            && cell.get("candidate") == Some(&json!("require_approval"))
    });
    let asked = asked.and_then(|cell| cell.get("calls")?.as_u64());
    let Some(asked) = asked.filter(|asked| *asked == count("changed")) else {
        return Err(otherwise("the backtest", "more approvals", &report));
    };
    told(
        "what would a limit of 100 have done to the calls so far?",
        &format!(
            "{asked} of {} more would have waited for a person; nothing is in force",
            count("replayed")
        ),
        report,
    )
}

pub(super) async fn changed(cast: &Cast) -> Result<Told, Fault> {
    let path = "/v1/policies/refunds";
    let present = cast.admin.ask(Ask::get(path)).await?;
    let tag = present
        .tag
        .ok_or_else(|| Fault::failed("the policy has no ETag"))?;
    let body = json!({"text": stricter()?, "message": "100, not 500", "activate": true});
    cast.admin
        .body(Ask::put(path, body).header("if-match", tag))
        .await?;
    let envelope = verdict(cast).await?;
    expect(&envelope, "/decision/verdict", "require_approval")?;
    told(
        "the limit of 100 is put in force; what would a refund of 120 get?",
        "approval_required",
        envelope,
    )
}

pub(super) async fn rolled_back(cast: &Cast) -> Result<Told, Fault> {
    let rollback = Ask::post("/v1/policies/refunds/rollback", json!({}));
    cast.admin.body(rollback).await?;
    let envelope = verdict(cast).await?;
    expect(&envelope, "/decision/verdict", "allow")?;
    told(
        "and taken back: the same refund of 120",
        "it would run; both changes stand on the record",
        envelope,
    )
}
