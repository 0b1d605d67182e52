//! May this be done? One question, or several in one request.
//!
//! Each is decided like a call in the mode `decide`: one record an evaluation, and what limits count
//! counts it, because whoever asked does it themselves. Several are decided at once, so that they
//! share their commits, unless the semantics want them one after the other. One that is wrong in
//! itself is a no with an error beside it, and costs no other its answer.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toolgate_driver::{Outcome, Watch};
use toolgate_gate::{Caller, Question, decide};
use toolgate_model::{Call, Code, Identity, Verdict};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Access, Action, Context, Entity, Wanted};
use super::binding::{Binder, Bound, digest};
use super::decision::{AccessDecision, AccessRequestHint};
use super::mapping;
use super::requests::endpoint;
use super::tolerant::{Tolerant, Tolerates};
use super::whom::{Asked, Whom, whom};
use crate::auth::AnyCaller;
use crate::body::fields;
use crate::problem::Problem;
use crate::reply::{Answer, Reply, carried};
use crate::state::Api;

/// Questions of one request.
// LIMIT: 256, as many as the store writes in one go.
const EVALUATIONS_MAX: usize = 256;

/// The code of a question about nobody.
const SUBJECT_UNKNOWN: &str = "subject_unknown";

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(evaluation))
        .routes(routes!(evaluations))
}

/// Several questions, with what they have in common.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccessEvaluationsRequest)]
struct Several {
    /// Who, where a question does not say.
    subject: Option<Entity>,
    /// What, where a question does not say.
    action: Option<Action>,
    /// With which thing, where a question does not say.
    resource: Option<Entity>,
    /// What surrounds it, where a question does not say.
    context: Option<Context>,
    /// The questions, at most 256. None: the request is one question.
    #[schema(value_type = Option<Vec<Object>>)]
    evaluations: Option<Vec<Value>>,
    /// How they are evaluated.
    options: Option<EvaluationsOptions>,
}

/// How several questions are evaluated.
#[derive(Default, Deserialize, ToSchema)]
struct EvaluationsOptions {
    /// `execute_all` (the default), `deny_on_first_deny` or `permit_on_first_permit`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    evaluations_semantic: Option<Semantic>,
}

/// When the evaluation of several questions ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Semantic {
    /// After the last.
    #[default]
    ExecuteAll,
    /// After the first no.
    DenyOnFirstDeny,
    /// After the first yes.
    PermitOnFirstPermit,
}

/// The answer to one question, or to several.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum AccessDecisions {
    /// To several, in their order.
    Several {
        /// The decisions.
        evaluations: Vec<AccessDecision>,
    },
    /// To the one.
    One(Box<AccessDecision>),
}

impl Tolerates for Several {}

/// Ask whether something may be done
///
/// AuthZEN 1.0, Access Evaluation. An agent asks about itself, a trusted host about any agent or
/// person of its tenant, a person who may look about any agent, with nothing recorded then.
#[utoipa::path(
    post, path = "/access/v1/evaluation", tag = "authzen", operation_id = "evaluate_access",
    request_body = Wanted,
    responses((status = 200, description = "What is decided.", body = AccessDecision)),
)]
async fn evaluation(
    State(api): State<Api>,
    Extension(binder): Extension<Binder>,
    AnyCaller(caller): AnyCaller,
    Tolerant(wanted): Tolerant<Wanted>,
) -> Answer<AccessDecision> {
    let access = wanted.whole()?;
    let asker = Asker::new(&api, caller, binder);
    let work = async move { asker.ask(access).await };
    Ok(Reply::ok(carried(&api, "authzen", work).await??))
}

/// Ask whether several things may be done
///
/// AuthZEN 1.0, Access Evaluations. Parts that a question leaves open are taken from the top.
#[utoipa::path(
    post, path = "/access/v1/evaluations", tag = "authzen", operation_id = "evaluate_accesses",
    request_body = Several,
    responses((status = 200, description = "What is decided, in order.", body = AccessDecisions)),
)]
async fn evaluations(
    State(api): State<Api>,
    Extension(binder): Extension<Binder>,
    AnyCaller(caller): AnyCaller,
    Tolerant(several): Tolerant<Several>,
) -> Answer<AccessDecisions> {
    let (items, defaults, semantic) = several.parts();
    let asker = Asker::new(&api, caller, binder);
    if items.is_empty() {
        let access = defaults.whole()?;
        let work = async move { asker.ask(access).await };
        let one = carried(&api, "authzen", work).await??;
        return Ok(Reply::ok(AccessDecisions::One(Box::new(one))));
    }
    if items.len() > EVALUATIONS_MAX {
        let detail = format!(
            "{} are more than the {EVALUATIONS_MAX} of one request",
            items.len()
        );
        return Err(Problem::field("/evaluations", detail));
    }
    let questions = items.into_iter().map(|item| question(item, &defaults));
    let questions: Vec<_> = questions.collect();
    let work = async move { asker.ask_all(questions, semantic).await };
    let evaluations = carried(&api, "authzen", work).await?;
    Ok(Reply::ok(AccessDecisions::Several { evaluations }))
}

/// One of several questions, with what it leaves open filled in.
fn question(item: Value, defaults: &Wanted) -> Result<Access, Problem> {
    let wanted: Wanted = fields(item)?;
    wanted.or(defaults).whole()
}

impl Several {
    fn parts(self) -> (Vec<Value>, Wanted, Semantic) {
        let semantic = self
            .options
            .and_then(|options| options.evaluations_semantic);
        let defaults = Wanted {
            subject: self.subject,
            action: self.action,
            resource: self.resource,
            context: self.context,
        };
        let items = self.evaluations.unwrap_or_default();
        (items, defaults, semantic.unwrap_or_default())
    }
}

impl Semantic {
    /// Whether nothing more is evaluated after this answer.
    const fn ends(self, yes: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !yes,
            Self::PermitOnFirstPermit => yes,
        }
    }
}

/// Whoever asks, and the gate that they ask.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) api: Api,
    pub(super) caller: Caller,
    pub(super) binder: Binder,
}

impl Asker {
    pub(super) fn new(api: &Api, caller: Caller, binder: Binder) -> Self {
        let api = api.clone();
        Self {
            api,
            caller,
            binder,
        }
    }

    /// The name of whoever asks.
    pub(super) fn name(&self) -> &str {
        match &self.caller {
            Caller::Agent(me) => me.agent.id.as_str(),
            Caller::Person { operator, .. } => operator.id.as_str(),
        }
    }

    /// Decides one question, on the record.
    pub(super) async fn ask(&self, access: Access) -> Result<AccessDecision, Problem> {
        match self.presents(&access) {
            true => self.ask_again(access).await,
            false => self.ask_first(access).await,
        }
    }

    /// Whether an approval comes with the question. What a person tries uses none up.
    const fn presents(&self, access: &Access) -> bool {
        access.context.approval.is_some() && matches!(self.caller, Caller::Agent(_))
    }

    /// Decides one question on what is in force alone.
    pub(super) async fn ask_first(&self, access: Access) -> Result<AccessDecision, Problem> {
        let prepared = self.prepare(access).await?;
        Ok(self.decide(prepared).await)
    }

    /// Finds out whom a question is about and which call it means.
    async fn prepare(&self, access: Access) -> Result<Prepared, Problem> {
        let asked = match whom(&self.api, &self.caller, access.about())? {
            Whom::Known(asked) => asked,
            Whom::Nobody(message) => return Ok(Prepared::no(SUBJECT_UNKNOWN, message)),
        };
        let Some(call) = self.call(&access, &asked)? else {
            return Ok(Prepared::told(no_such_tool(&access)));
        };
        Ok(match asked.recorded(&self.api).await? {
            None => Prepared::told(self.try_out(&asked, &call, &access.context)),
            Some(Err(denial)) => Prepared::told(denial.into()),
            Some(Ok(identity)) => Prepared::Call(Box::new((identity, call, access))),
        })
    }

    async fn decide(&self, prepared: Prepared) -> AccessDecision {
        let (identity, call, access) = match prepared {
            Prepared::Told(told) => return *told,
            Prepared::Call(question) => *question,
        };
        let driver = Arc::clone(&self.api.driver);
        let outcome = driver.submit(&identity, call, Watch::default()).await;
        let mut told = AccessDecision::recorded(&outcome, &access.context);
        told.context.access_request = self.requestable(&outcome, &access);
        told
    }

    /// How people can be asked, where that is what a decision wants.
    fn requestable(&self, outcome: &Outcome, access: &Access) -> Option<AccessRequestHint> {
        let decision = &outcome.invocation.proposal.decision;
        if decision.verdict != Verdict::RequireApproval {
            return None;
        }
        let endpoint = endpoint(&self.api);
        let bound = Bound {
            audience: &endpoint,
            requester: self.name(),
            digest: digest(access),
        };
        let evaluation = (&outcome.invocation.id, self.api.driver.now());
        let sealed = self.binder.seal(&self.api.driver, &bound, evaluation);
        let (binding_token, expires_at) = sealed.ok()?;
        Some(AccessRequestHint {
            endpoint,
            expires_at,
            binding_token,
        })
    }

    /// Decides one question, with nothing recorded and nothing counted.
    pub(super) fn try_out(&self, asked: &Asked, call: &Call, context: &Context) -> AccessDecision {
        let (configuration, now) = (self.api.driver.configuration(), self.api.driver.now());
        let identity = match asked.tried(now) {
            Ok(identity) => identity,
            Err(denial) => return denial.into(),
        };
        let judged = self.api.driver.with_history(|history| {
            let question = Question::from(call).knowing(history);
            decide(&configuration, &identity, question, now).0
        });
        AccessDecision::of(&judged.decision, (judged.arguments(call), context))
    }

    /// The call that is asked about; none where no tool can have its name.
    pub(super) fn call(&self, access: &Access, asked: &Asked) -> Result<Option<Call>, Problem> {
        let configuration = self.api.driver.configuration();
        mapping::call(access, &configuration.catalogue, asked.word())
    }

    /// Decides several questions, each of which may be wrong in itself.
    async fn ask_all(
        &self,
        questions: Vec<Result<Access, Problem>>,
        semantic: Semantic,
    ) -> Vec<AccessDecision> {
        let (mut ready, mut told) = (Vec::new(), Vec::new());
        for question in questions {
            // One after the other: whom a host speaks for the first time is written down here.
            let next = self.ready(question).await;
            if semantic == Semantic::ExecuteAll {
                ready.push(next);
                continue;
            }
            let decision = self.settle(next).await;
            let ends = semantic.ends(decision.decision);
            told.push(decision);
            if ends {
                break;
            }
        }
        told.extend(join_all(ready.into_iter().map(|next| self.settle(next))).await);
        told
    }

    async fn ready(&self, question: Result<Access, Problem>) -> Result<Ready, Problem> {
        match question? {
            access if self.presents(&access) => Ok(Ready::Again(Box::new(access))),
            access => self.prepare(access).await.map(Ready::First),
        }
    }

    async fn settle(&self, ready: Result<Ready, Problem>) -> AccessDecision {
        let told = match ready {
            Ok(Ready::First(prepared)) => Ok(self.decide(prepared).await),
            Ok(Ready::Again(access)) => self.ask_again(*access).await,
            Err(problem) => Err(problem),
        };
        told.unwrap_or_else(AccessDecision::wrong)
    }
}

/// One of several questions, before any of them is decided.
enum Ready {
    First(Prepared),
    Again(Box<Access>),
}

/// A question that is ready to be decided, or told already.
enum Prepared {
    Told(Box<AccessDecision>),
    Call(Box<(Identity, Call, Access)>),
}

impl Prepared {
    fn told(decision: AccessDecision) -> Self {
        Self::Told(Box::new(decision))
    }

    fn no(reason: &str, message: String) -> Self {
        Self::told(AccessDecision::no(reason, message))
    }
}

fn no_such_tool(access: &Access) -> AccessDecision {
    let (action, kind) = (&access.action.name, &access.resource.kind);
    let message = format!("there is no tool for the action `{action}` on `{kind}`");
    AccessDecision::no(
        Code::ToolNotFound.as_str(),
        message.chars().take(300).collect::<String>(),
    )
}
