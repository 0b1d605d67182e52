//! The outcome envelope: the same from HTTP, MCP, the command line and the SDKs (4-interfaces, 3).
//!
//! Whatever became of a call, its answer has this one shape. A denial is data in it; an effect
//! that nobody can know of yet is `indeterminate`, never a failure. This is the one file that
//! turns an invocation into what callers read. Must not know: how it travels.

use serde::Serialize;
use serde_json::{Map, Value, json};
use toolgate_driver::Outcome;
use toolgate_execution::{Choice, Inspection, Invocation, Settlement, State, Status};
use toolgate_model::{
    Code, DataClasses, Decision, Denial, InvocationId, MatchedRule, Obligation, PolicyVersion,
    Recognition, RecordId, Risk, RiskScore, Sanitized, Timestamp, ToolId, Verdict, body_in,
};
use utoipa::ToSchema;

use crate::raw::JudgedRequest;

/// The answer to one call, whatever became of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Envelope {
    /// The gate's durable life of this call.
    #[schema(value_type = String, examples("inv_019770cd8a48700080000000000000a1"))]
    invocation_id: InvocationId,
    /// The tool.
    #[schema(value_type = String, examples("stripe.refund"))]
    capability_id: ToolId,
    /// Its version; empty where there is no such tool.
    capability_version: String,
    /// What the call belongs to.
    correlation: Correlation,
    /// `success`, `failure`, `denied`, `skipped` (the tool is disabled) or `indeterminate` (running,
    /// or an effect that nobody can know of yet).
    outcome: &'static str,
    /// Whether the outcome is `success`.
    success: bool,
    /// What the tool answered.
    data: Value,
    /// Why it failed, or why nobody can know.
    error: Option<ErrorView>,
    /// Why it did not run.
    denial: Option<DenialView>,
    /// How it was decided.
    decision: DecisionView,
    /// What was found in the tool's answer, and what rules made of it: classes of data, what was
    /// replaced (type and place, never the value), why it is withheld. None where nothing came back.
    inspection: Option<InspectionView>,
    /// The state of the invocation.
    #[schema(value_type = String, examples("succeeded", "pending_approval"))]
    status: Status,
    /// Whether an earlier call with the same idempotency key is answered again.
    replayed: bool,
    /// The earlier identical call that this one joined.
    #[schema(value_type = Option<String>)]
    duplicate_of: Option<InvocationId>,
    /// Whether live state told what became of the call, because its answer was lost; `data` is then
    /// what was read.
    reconciled: bool,
    /// How many attempts were admitted.
    attempts: u32,
    /// The records of it.
    #[schema(value_type = Vec<String>)]
    evidence_ids: Vec<RecordId>,
    /// The lease under which whoever got this answer runs the call; in no other answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseView>,
    /// With a lease: the arguments as they were judged, which are the ones to run with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    arguments: Option<Value>,
    /// For a raw HTTP request: the request that may be sent, rebuilt from what was judged. None where
    /// it may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<JudgedRequest>,
    /// When the last attempt was admitted.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
}

/// That a host may run a call, once.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Lease)]
pub(crate) struct LeaseView {
    /// The attempt to report on.
    attempt: u32,
    /// From when on silence is an unknown effect.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// What a call belongs to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Correlation {
    /// The caller's name for it.
    correlation_id: Option<String>,
}

/// Why a call failed, or why nobody can know whether it did.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CallError)]
pub(crate) struct ErrorView {
    /// `tool_error`, `upstream_unavailable`, `invalid_result` or `unknown_effect`.
    #[schema(value_type = String)]
    pub(crate) code: Code,
    /// One sentence.
    message: String,
    /// Facts beside it.
    details: Map<String, Value>,
}

/// A refusal as data.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Denial)]
pub(crate) struct DenialView {
    /// The stable code.
    #[schema(value_type = String, examples("approval_required"))]
    pub(crate) code: Code,
    /// One sentence for the caller.
    message: String,
    /// Whether the same call may succeed later without being changed.
    retryable: bool,
    /// Facts beside it: rule, approval, digest, what to do.
    details: Map<String, Value>,
}

/// How a call was decided.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
pub(crate) struct DecisionView {
    /// `allow`, `sanitize`, `require_approval` or `deny`.
    #[schema(value_type = String)]
    verdict: Verdict,
    /// The digest of the policy set in force.
    #[schema(value_type = Option<String>)]
    policy_version: Option<PolicyVersion>,
    /// The enforced rules that matched, the one that is named first in importance.
    rules: Vec<String>,
    /// Every rule that matched, also those that are only watched.
    #[schema(value_type = Vec<Object>)]
    matched: Vec<MatchedRule>,
    /// What execution owes.
    #[schema(value_type = Vec<String>)]
    obligations: Vec<Obligation>,
    /// The tool's risk.
    #[schema(value_type = Option<String>)]
    risk: Option<Risk>,
    /// The finer rating, 0.0 to 1.0.
    #[schema(value_type = Option<f64>)]
    risk_score: Option<RiskScore>,
    /// What was replaced in the arguments: type and place, never the value.
    #[schema(value_type = Vec<Object>)]
    sanitized: Vec<Sanitized>,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    evaluated_at: Timestamp,
}

/// What was found in an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Inspection)]
pub(crate) struct InspectionView {
    /// Classes of data in it.
    #[schema(value_type = Vec<String>)]
    data_class: DataClasses,
    /// Signs that it speaks to the model: `instructions`, `hidden_text`.
    signals: Vec<String>,
    /// Whether outsiders can write some of it.
    external: bool,
    /// The rules about results that matched, as `document/rule`.
    rules: Vec<String>,
    /// What was replaced: type and place, never the value.
    #[schema(value_type = Vec<Object>)]
    sanitized: Vec<Sanitized>,
    /// Why the caller does not get it. The call has run all the same.
    withheld: Option<DenialView>,
}

/// The envelope of an outcome. `public_url` starts the links in it.
pub fn envelope(outcome: &Outcome, public_url: &str) -> Value {
    // The shape has only string keys and plain values, so it can always be written.
    serde_json::to_value(Envelope::of(outcome, public_url)).unwrap_or(Value::Null)
}

impl Envelope {
    /// The envelope of an outcome.
    pub(crate) fn of(outcome: &Outcome, public_url: &str) -> Self {
        let invocation = &outcome.invocation;
        let proposal = &invocation.proposal;
        let denial = denial(invocation, public_url);
        let word = word(invocation, denial.as_ref());
        Self {
            invocation_id: invocation.id.clone(),
            capability_id: proposal.tool.clone(),
            capability_version: proposal.version.clone(),
            correlation: Correlation {
                correlation_id: proposal.correlation.clone(),
            },
            outcome: word,
            success: word == "success",
            data: data(&invocation.state),
            error: error(invocation),
            denial: denial.map(DenialView::from),
            decision: DecisionView::from(&proposal.decision),
            inspection: invocation
                .settlement()
                .and_then(|end| end.inspection.as_ref())
                .map(InspectionView::from),
            status: invocation.status(),
            replayed: outcome.replayed,
            duplicate_of: outcome.duplicate_of.clone(),
            reconciled: settlement(&outcome.invocation.state).is_some_and(|end| end.reconciled),
            attempts: invocation.attempts,
            evidence_ids: outcome.evidence.clone(),
            lease: outcome.lease.map(|lease| LeaseView {
                attempt: lease.attempt,
                expires_at: lease.expires_at,
            }),
            arguments: outcome.lease.map(|_| proposal.arguments.clone()),
            request: outcome
                .lease
                .and(proposal.request.as_ref())
                .map(JudgedRequest::from),
            started_at: started_at(invocation),
            completed_at: invocation
                .status()
                .is_terminal()
                .then_some(invocation.updated_at),
        }
    }

    /// The same, with the raw request that it is about.
    pub(crate) fn with_request(mut self, outcome: &Outcome, recognition: &Recognition) -> Self {
        let proposal = &outcome.invocation.proposal;
        let verdict = proposal.decision.verdict;
        self.request = JudgedRequest::of(recognition, verdict, &proposal.arguments);
        self
    }
}

impl From<Denial> for DenialView {
    fn from(denial: Denial) -> Self {
        Self {
            code: denial.code,
            message: denial.message,
            retryable: denial.code.is_retryable(),
            details: denial.details,
        }
    }
}

impl From<&Inspection> for InspectionView {
    fn from(found: &Inspection) -> Self {
        let enforced = found.rules.iter().filter(|rule| !rule.monitor);
        Self {
            data_class: found.classes.clone(),
            signals: found.signals.iter().cloned().collect(),
            external: found.external,
            rules: enforced.map(|rule| rule.rule.to_string()).collect(),
            sanitized: found.sanitized.clone(),
            withheld: found.withheld.clone().map(DenialView::from),
        }
    }
}

impl From<&Decision> for DecisionView {
    fn from(decision: &Decision) -> Self {
        let enforced = decision.rules.iter().filter(|rule| !rule.monitor);
        Self {
            verdict: decision.verdict,
            policy_version: decision.policy_version,
            rules: enforced.map(|rule| rule.rule.to_string()).collect(),
            matched: decision.rules.clone(),
            obligations: decision.obligations.clone(),
            risk: decision.risk,
            risk_score: decision.risk_score,
            sanitized: decision.sanitized.clone(),
            evaluated_at: decision.evaluated_at,
        }
    }
}

/// `success`, `failure`, `denied`, `skipped` or `indeterminate`.
pub(crate) fn word(invocation: &Invocation, denial: Option<&Denial>) -> &'static str {
    match (&invocation.state, denial) {
        (_, Some(denial)) if denial.code == Code::ToolDisabled => "skipped",
        (State::Succeeded { .. } | State::Proposed, None) => "success",
        (State::Failed { .. }, None) => "failure",
        (_, Some(_)) => "denied",
        (_, None) => "indeterminate",
    }
}

/// Why the call did not run, in every state in which it did not.
pub(crate) fn denial(invocation: &Invocation, public_url: &str) -> Option<Denial> {
    match &invocation.state {
        State::Proposed => invocation.proposal.decision.denial.clone(),
        State::Denied { denial } => Some(denial.clone()),
        State::PendingApproval { frozen, .. } | State::Approved { frozen, .. } => {
            let url = format!("{public_url}/approvals/{}", frozen.approval);
            let denial = waiting(invocation);
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
            let denial = Denial::new(Code::ApprovalRejected, message);
            let sent_back = vote.choice == Choice::SendBack;
            Some(
                denial
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

/// The denial that first held the call, which says which rule wants approval. After a requeue the
/// first decision may have been another one; what it waits for is approval all the same.
fn waiting(invocation: &Invocation) -> Denial {
    let first = invocation.proposal.decision.denial.clone();
    first
        .filter(|denial| denial.code == Code::ApprovalRequired)
        .unwrap_or_else(|| Denial::new(Code::ApprovalRequired, "people must approve this call"))
}

fn settlement(state: &State) -> Option<&Settlement> {
    match state {
        State::Succeeded { settlement } | State::Failed { settlement, .. } => Some(settlement),
        _ => None,
    }
}

/// What the tool answered: an MCP result as it is, and of everything else its body. The text was
/// checked when it arrived.
fn data(state: &State) -> Value {
    let result: Value = settlement(state)
        .and_then(|settlement| settlement.result.as_ref())
        .and_then(|result| serde_json::from_str(result).ok())
        .unwrap_or(Value::Null);
    body_in(&result).unwrap_or(result)
}

pub(crate) fn error(invocation: &Invocation) -> Option<ErrorView> {
    let (code, message, details) = match &invocation.state {
        State::Failed { failure, .. } => (failure.code, failure.message.clone(), Value::Null),
        State::UnknownEffect { cause, .. } | State::Reconciling { cause, .. } => (
            Code::UnknownEffect,
            format!(
                "{}: nobody can know yet whether the effect landed",
                cause.as_str()
            ),
            json!({"cause": cause}),
        ),
        State::NeedsOperator { cause, ground, .. } => (
            Code::UnknownEffect,
            format!(
                "{}, and {ground}: a person must say what happened",
                cause.as_str()
            ),
            json!({"cause": cause, "ground": ground}),
        ),
        _ => return None,
    };
    let details = details.as_object().cloned().unwrap_or_default();
    Some(ErrorView {
        code,
        message,
        details,
    })
}

fn started_at(invocation: &Invocation) -> Option<Timestamp> {
    let running = invocation.state.attempt().map(|attempt| attempt.started_at);
    running.or_else(|| settlement(&invocation.state).map(|settlement| settlement.started_at))
}
