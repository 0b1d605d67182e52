//! The outcome envelope: the same from HTTP, MCP, the command line and the SDKs (4-interfaces, 3).

use serde_json::{Map, Value, json};
use toolgate_driver::Outcome;
use toolgate_execution::{Invocation, Settlement, State};
use toolgate_model::{Code, Decision, Denial, Timestamp};

/// The envelope of an outcome. `public_url` starts the links in it.
pub fn envelope(outcome: &Outcome, public_url: &str) -> Value {
    let invocation = &outcome.invocation;
    let proposal = &invocation.proposal;
    let denial = denial(invocation, public_url);
    let word = word(invocation, denial.as_ref());
    let settlement = settlement(&invocation.state);
    json!({
        "invocation_id": invocation.id,
        "capability_id": proposal.tool,
        "capability_version": proposal.version,
        "correlation": {"correlation_id": proposal.correlation},
        "outcome": word,
        "success": word == "success",
        "data": data(&invocation.state),
        "error": error(invocation),
        "denial": denial.map(|denial| json!({
            "code": denial.code,
            "message": denial.message,
            "retryable": denial.code.is_retryable(),
            "details": denial.details,
        })),
        "decision": decision(&proposal.decision),
        "status": invocation.status(),
        "replayed": outcome.replayed,
        "duplicate_of": outcome.duplicate_of,
        "attempts": invocation.attempts,
        "evidence_ids": outcome.evidence,
        "started_at": started_at(invocation, settlement),
        "completed_at": invocation.status().is_terminal().then_some(invocation.updated_at),
    })
}

/// `success`, `failure`, `denied`, `skipped` or `indeterminate`.
fn word(invocation: &Invocation, denial: Option<&Denial>) -> &'static str {
    match (&invocation.state, denial) {
        (_, Some(denial)) if denial.code == Code::ToolDisabled => "skipped",
        (State::Succeeded { .. } | State::Proposed, None) => "success",
        (State::Failed { .. }, None) => "failure",
        (_, Some(_)) => "denied",
        (_, None) => "indeterminate",
    }
}

/// Why the call did not run, in every state in which it did not.
fn denial(invocation: &Invocation, public_url: &str) -> Option<Denial> {
    match &invocation.state {
        State::Proposed => invocation.proposal.decision.denial.clone(),
        State::Denied { denial } => Some(denial.clone()),
        State::PendingApproval { frozen, .. } | State::Approved { frozen, .. } => {
            let denial = invocation
                .proposal
                .decision
                .denial
                .clone()
                .unwrap_or_else(|| {
                    Denial::new(Code::ApprovalRequired, "people must approve this call")
                });
            let url = format!("{public_url}/approvals/{}", frozen.approval);
            Some(
                denial
                    .with("approval_id", frozen.approval.as_str())
                    .with("digest", frozen.digest.to_string())
                    .with("expires_at", frozen.expires_at.to_string())
                    .with("url", url),
            )
        }
        State::Rejected { approval, vote } => {
            let reason = vote.reason.as_deref().unwrap_or("no reason was given");
            let message = format!("an approver refused this call: {reason}");
            let sent_back = vote.choice == toolgate_execution::Choice::SendBack;
            Some(
                Denial::new(Code::ApprovalRejected, message)
                    .with("approval_id", approval.as_str())
                    .with("sent_back", sent_back),
            )
        }
        State::Expired { approval } => {
            let message = "nobody approved this call in time";
            let denial = Denial::new(Code::ApprovalExpired, message);
            Some(denial.with("approval_id", approval.as_str()))
        }
        State::Cancelled { by, .. } => {
            let message = format!("the call was withdrawn by `{by}` before it ran");
            Some(Denial::new(Code::Cancelled, message))
        }
        State::Executing { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. } => None,
    }
}

fn settlement(state: &State) -> Option<&Settlement> {
    match state {
        State::Succeeded { settlement } | State::Failed { settlement, .. } => Some(settlement),
        _ => None,
    }
}

/// What the tool answered. The text was checked when it arrived.
fn data(state: &State) -> Value {
    settlement(state)
        .and_then(|settlement| settlement.result.as_ref())
        .and_then(|result| serde_json::from_str(result).ok())
        .unwrap_or(Value::Null)
}

fn error(invocation: &Invocation) -> Value {
    match &invocation.state {
        State::Failed { failure, .. } => {
            json!({"code": failure.code, "message": failure.message, "details": {}})
        }
        State::UnknownEffect { cause, .. } | State::Reconciling { cause, .. } => json!({
            "code": Code::UnknownEffect,
            "message": format!("{}: nobody can know yet whether the effect landed", cause.as_str()),
            "details": {"cause": cause},
        }),
        State::NeedsOperator { cause, ground, .. } => json!({
            "code": Code::UnknownEffect,
            "message": format!("{}, and {ground}: a person must say what happened", cause.as_str()),
            "details": {"cause": cause, "ground": ground},
        }),
        _ => Value::Null,
    }
}

fn decision(decision: &Decision) -> Value {
    let rules: Vec<String> = decision
        .rules
        .iter()
        .filter(|rule| !rule.monitor)
        .map(|rule| rule.rule.to_string())
        .collect();
    let mut map = Map::new();
    map.insert("verdict".to_owned(), json!(decision.verdict));
    map.insert("policy_version".to_owned(), json!(decision.policy_version));
    map.insert("rules".to_owned(), json!(rules));
    map.insert("matched".to_owned(), json!(decision.rules));
    map.insert("obligations".to_owned(), json!(decision.obligations));
    map.insert("risk".to_owned(), json!(decision.risk));
    map.insert("risk_score".to_owned(), json!(decision.risk_score));
    map.insert("sanitized".to_owned(), json!(decision.sanitized));
    map.insert("evaluated_at".to_owned(), json!(decision.evaluated_at));
    Value::Object(map)
}

fn started_at(invocation: &Invocation, settlement: Option<&Settlement>) -> Option<Timestamp> {
    let running = invocation.state.attempt().map(|attempt| attempt.started_at);
    running.or_else(|| settlement.map(|settlement| settlement.started_at))
}
