//! A decision as AuthZEN writes it: a boolean, and beside it what may help whoever asked.
//!
//! ```json
//! {"decision": false, "context": {"evaluation_id": "inv_…", "verdict": "deny",
//!   "reason": "policy_denied", "rule": "refunds/closed", "message": "Refunds above 10000 are closed."}}
//! ```
//!
//! Only an allow is `true`. A call that has to be sanitized first is `true` for whoever declared that
//! they carry out obligations of the type `custom`, and then the answer holds the arguments to use
//! (Obligations profile, draft 1); everybody else is told no. Must not know: how anything is decided.

use serde::Serialize;
use serde_json::{Map, Value};
use toolgate_driver::Outcome;
use toolgate_model::{Decision, Denial, InvocationId, Sanitized, Timestamp, Verdict};
use utoipa::ToSchema;

use super::access::Context;
use super::task::ApprovalView;
use crate::problem::Problem;

/// The obligation type of the profile that the gate issues.
pub(super) const CUSTOM: &str = "custom";

/// What the gate wants done by an obligation of its own.
const SANITIZE: &str = "sanitize";

/// What is decided, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AccessDecision)]
pub(crate) struct AccessDecision {
    /// Whether it may be done.
    pub(crate) decision: bool,
    /// What may help whoever asked.
    pub(crate) context: DecisionContext,
}

/// What may help whoever asked. What does not apply is left out.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = AccessDecisionContext)]
pub(crate) struct DecisionContext {
    /// Names this evaluation on the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) evaluation_id: Option<InvocationId>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) evaluated_at: Option<Timestamp>,
    /// `allow`, `sanitize`, `require_approval` or `deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) verdict: Option<Verdict>,
    /// Why not, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("policy_denied"))]
    pub(crate) reason: Option<String>,
    /// Why not, in words that may be shown to the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// The rule that is named, `document/rule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    /// Facts beside it, as in the denial of an invocation.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Option<Object>)]
    pub(crate) details: Map<String, Value>,
    /// What the caller must do for the decision to hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) obligations: Vec<ObligationView>,
    /// How people can be asked; only where they can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_request: Option<AccessRequestHint>,
    /// The approval that this rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) approval: Option<ApprovalView>,
    /// Until when it may be done, and where to say what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<DecisionLease>,
    /// What to do where an approval was presented and did not help: `request`, `retry` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_action: Option<&'static str>,
    /// After how many seconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u32>,
    /// What is wrong with this one of several questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<EvaluationError>,
}

/// How people can be asked for what was denied.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AccessRequestHint {
    /// Where to ask.
    pub(super) endpoint: String,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub(super) expires_at: Timestamp,
    /// To be sent back as it is, as `denial.binding_token`.
    pub(super) binding_token: String,
}

/// That the caller may do it now, once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct DecisionLease {
    /// The attempt that it reports on.
    pub(super) attempt: u32,
    /// When its silence becomes an unknown effect.
    #[schema(value_type = String, format = DateTime)]
    pub(super) expires_at: Timestamp,
    /// Where to say what came of it.
    pub(super) outcome_endpoint: String,
}

/// What the caller must do for the decision to hold.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuthzenObligation)]
pub(crate) struct ObligationView {
    /// Names it within this answer.
    id: String,
    /// Always `custom`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What to do.
    properties: SanitizeView,
}

/// To use these arguments and no others.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SanitizeObligation)]
struct SanitizeView {
    /// Always `toolgate`.
    vendor: &'static str,
    /// Always `sanitize`.
    action: &'static str,
    /// The arguments to use.
    #[schema(value_type = Object)]
    arguments: Value,
    /// What was replaced in them: type and place, never the value.
    #[schema(value_type = Vec<Object>)]
    sanitized: Vec<Sanitized>,
}

/// What is wrong with one of several questions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EvaluationError {
    /// The HTTP status that it would have had alone.
    status: u16,
    /// What is wrong.
    message: String,
}

impl AccessDecision {
    /// What was decided on the record, told to whoever asked in this context.
    pub(crate) fn recorded(outcome: &Outcome, asked: &Context) -> Self {
        let proposal = &outcome.invocation.proposal;
        let mut told = Self::of(&proposal.decision, (&proposal.arguments, asked));
        told.context.evaluation_id = Some(outcome.invocation.id.clone());
        told
    }

    /// A decision on these arguments, told to whoever asked in this context.
    pub(crate) fn of(decision: &Decision, (arguments, asked): (&Value, &Context)) -> Self {
        let mut told = Self {
            decision: decision.verdict == Verdict::Allow,
            context: DecisionContext {
                evaluated_at: Some(decision.evaluated_at),
                verdict: Some(decision.verdict),
                rule: decision.determining.as_ref().map(ToString::to_string),
                ..DecisionContext::default()
            },
        };
        if let Some(denial) = &decision.denial {
            told.because(denial.clone());
        }
        if decision.verdict == Verdict::Sanitize {
            told.oblige(&decision.sanitized, (arguments, asked));
        }
        told
    }

    /// A no with this reason.
    pub(crate) fn no(reason: &str, message: impl Into<String>) -> Self {
        Self {
            decision: false,
            context: DecisionContext {
                reason: Some(reason.to_owned()),
                message: Some(message.into()),
                ..DecisionContext::default()
            },
        }
    }

    /// A no to one of several questions, which is wrong in itself.
    pub(crate) fn wrong(problem: Problem) -> Self {
        Self {
            decision: false,
            context: DecisionContext {
                reason: Some(problem.kind.word().to_owned()),
                error: Some(EvaluationError {
                    status: problem.kind.status().as_u16(),
                    message: problem.told(),
                }),
                ..DecisionContext::default()
            },
        }
    }

    fn because(&mut self, denial: Denial) {
        self.context.reason = Some(denial.code.to_string());
        self.context.message = Some(denial.message);
        self.context.details = denial.details;
    }

    /// A yes that rests on an approval, for these arguments.
    pub(super) fn lifted(
        (decision, arguments): (&Decision, &Value),
        (approval, lease): (Option<ApprovalView>, DecisionLease),
        asked: &Context,
    ) -> Self {
        let mut told = Self {
            decision: true,
            context: DecisionContext {
                evaluated_at: Some(decision.evaluated_at),
                approval,
                lease: Some(lease),
                ..DecisionContext::default()
            },
        };
        if !decision.sanitized.is_empty() {
            told.oblige(&decision.sanitized, (arguments, asked));
        }
        told
    }

    /// INVARIANT: what must be sanitized is allowed to nobody who did not say that they can do it.
    fn oblige(&mut self, sanitized: &[Sanitized], (arguments, asked): (&Value, &Context)) {
        self.decision = sanitizes(asked);
        if !self.decision {
            self.context.reason = Some(SANITIZE.to_owned());
            let message = "the arguments must be sanitized first: declare `custom` in \
                           `context.supported_obligations`, and use those that come back";
            self.context.message = Some(message.to_owned());
            return;
        }
        self.context.obligations.push(ObligationView {
            id: SANITIZE.to_owned(),
            kind: CUSTOM,
            properties: SanitizeView {
                vendor: "toolgate",
                action: SANITIZE,
                arguments: arguments.clone(),
                sanitized: sanitized.to_vec(),
            },
        });
    }
}

/// Whether whoever asks in this context sanitizes arguments.
pub(super) fn sanitizes(asked: &Context) -> bool {
    let declared = asked.supported_obligations.iter().flatten();
    declared.into_iter().any(|kind| kind == CUSTOM)
}

impl From<Denial> for AccessDecision {
    fn from(denial: Denial) -> Self {
        let mut told = Self::no("", "");
        told.because(denial);
        told
    }
}
