//! An access request as a task: what an invocation looks like to whoever asked for it.
//!
//! ```json
//! {"task": {"id": "inv_…", "status": "approved", "status_endpoint": "https://…"},
//!  "result": {"mode": "reevaluate", "approval": {"id": "apr_…", "approved_until": "…"}}}
//! ```
//!
//! | invocation | task |
//! |---|---|
//! | pending_approval | `pending` |
//! | approved, and everything after it | `approved` |
//! | rejected | `denied` |
//! | expired, cancelled | the same |
//! | denied when it was decided again | `failed` |
//!
//! Must not know: who decides, how.

use serde::Serialize;
use toolgate_execution::{Choice, Grounds, Invocation, State as Stage};
use toolgate_model::{ApprovalId, InvocationId, Timestamp};
use utoipa::ToSchema;

use super::requests::endpoint;
use crate::standing::Standing;
use crate::state::Api;

/// An invocation that was asked for.
pub(super) struct Task(pub(super) Invocation);

/// How an access request stands.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessTask)]
pub(super) struct TaskView {
    /// The task.
    task: TaskHandle,
    /// What to do with it, once it is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<TaskResult>,
}

/// The task.
#[derive(Serialize, ToSchema)]
struct TaskHandle {
    /// Its id.
    #[schema(value_type = String)]
    id: InvocationId,
    /// `pending`, `approved`, `denied`, `expired`, `cancelled` or `failed`.
    status: &'static str,
    /// Where to look at it.
    status_endpoint: String,
    /// When it lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Where else to go with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<TaskLinks>,
}

/// Where else to go with a task.
#[derive(Serialize, ToSchema)]
struct TaskLinks {
    /// Where the caller withdraws it (POST).
    cancel: String,
    /// Where people decide; for people who may approve only.
    review: String,
}

/// What to do with an approved task.
#[derive(Serialize, ToSchema)]
struct TaskResult {
    /// Always `reevaluate`: ask for the decision again, with the approval in `context.approval`.
    mode: &'static str,
    /// The approval.
    approval: ApprovalView,
}

/// An approval that completed an access request.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AccessApproval)]
pub(super) struct ApprovalView {
    /// Its id.
    #[schema(value_type = String)]
    pub(super) id: ApprovalId,
    /// When the last person who was needed approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) approved_at: Option<Timestamp>,
    /// Until when it can be used, once.
    #[schema(value_type = String, format = DateTime)]
    pub(super) approved_until: Timestamp,
}

impl Task {
    /// Its status.
    pub(super) const fn word(&self) -> &'static str {
        match &self.0.state {
            Stage::Proposed | Stage::PendingApproval { .. } => "pending",
            Stage::Approved { .. }
            | Stage::Executing { .. }
            | Stage::UnknownEffect { .. }
            | Stage::Reconciling { .. }
            | Stage::NeedsOperator { .. }
            | Stage::Succeeded { .. }
            | Stage::Failed { .. } => "approved",
            Stage::Rejected { .. } => "denied",
            Stage::Expired { .. } => "expired",
            Stage::Cancelled { .. } => "cancelled",
            Stage::Denied { .. } => "failed",
        }
    }

    /// Whether people still decide.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.0.state, Stage::PendingApproval { .. })
    }

    /// What whoever asked is told.
    pub(super) fn view(&self, api: &Api) -> TaskView {
        let frozen = self.0.state.frozen();
        let status_endpoint = format!("{}/{}", endpoint(api), self.0.id);
        let links = frozen
            .filter(|_| self.is_pending())
            .map(|frozen| TaskLinks {
                cancel: format!("{status_endpoint}/cancel"),
                review: format!("{}/approvals/{}", api.public_url, frozen.approval),
            });
        TaskView {
            task: TaskHandle {
                id: self.0.id.clone(),
                status: self.word(),
                status_endpoint,
                expires_at: frozen.map(|frozen| frozen.expires_at),
                links,
            },
            result: approval(&self.0).map(|approval| TaskResult {
                mode: "reevaluate",
                approval,
            }),
        }
    }
}

/// The approval of an invocation, where people gave one that it runs or ran on.
pub(super) fn approval(invocation: &Invocation) -> Option<ApprovalView> {
    let standing = Standing::of(invocation, None)?;
    let until = match (standing.status, standing.frozen) {
        ("approved", Some(frozen)) => frozen.expires_at,
        ("used", _) => used_until(invocation)?,
        _ => return None,
    };
    let yes = standing
        .votes
        .iter()
        .filter(|vote| vote.choice == Choice::Approve);
    Some(ApprovalView {
        id: standing.approval,
        approved_at: yes.map(|vote| vote.at).max(),
        approved_until: until,
    })
}

/// Until when an approval could have been used that was.
fn used_until(invocation: &Invocation) -> Option<Timestamp> {
    let settled = invocation.settlement().map(|end| &end.grounds);
    match settled.or_else(|| invocation.state.grounds())? {
        Grounds::Approved { expires_at, .. } => Some(expires_at.unwrap_or(invocation.updated_at)),
        Grounds::Allowed => None,
    }
}
