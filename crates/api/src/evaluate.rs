//! Try a call as an agent without making it: the decision, and why, part by part.
//!
//! The same evaluation as for a real call, with a recorder; nothing is recorded, consumed or run.
//! It is what `toolgate eval --explain` asks a server. Must not know: rules.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toolgate_gate::{Configuration, Question, decide, explain, unscoped};
use toolgate_model::{
    Agent, AgentId, Code, Denial, Identity, KeyId, Permission, Recognition, Timestamp, Verdict,
};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Given, fields};
use crate::call::InvocationRequest;
use crate::envelope::{DecisionView, DenialView};
use crate::problem::Problem;
use crate::raw::JudgedRequest;
use crate::reply::{Answer, Reply};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(evaluate))
}

/// A call to try: as `POST /v1/invocations` takes it, with whom it is tried as beside.
#[derive(Debug, Deserialize)]
struct Trial {
    agent: AgentId,
    key: Option<KeyId>,
    at: Option<Timestamp>,
    #[serde(flatten)]
    call: Map<String, Value>,
}

/// What the call would get.
#[derive(Serialize, ToSchema)]
struct Evaluation {
    /// How it would be decided.
    decision: DecisionView,
    /// Why it would not run.
    denial: Option<DenialView>,
    /// The environment in force.
    env: Option<String>,
    /// The workflow in force.
    workflow: Option<String>,
    /// What the call is about, `type:id`.
    resource: Option<String>,
    /// For a raw HTTP request: the request that may be sent. None where it may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<JudgedRequest>,
    /// The truth of every part of every rule that could speak; none where no rule was asked.
    #[schema(value_type = Option<Object>)]
    explanation: Option<Value>,
}

/// Try a call
///
/// As an agent, for people who may look. Nothing is recorded, consumed or run.
#[utoipa::path(
    post, path = "/v1/evaluate", tag = "policies", operation_id = "evaluate_call",
    request_body = Trial,
    responses((status = 200, description = "What it would get.", body = Evaluation)),
)]
async fn evaluate(
    State(api): State<Api>,
    person: PersonCaller,
    Given(trial): Given<Trial>,
) -> Answer<Evaluation> {
    person.require(Permission::View)?;
    let configuration = api.driver.configuration();
    let now = trial.at.unwrap_or_else(|| api.driver.now());
    let agent = Arc::new(api.driver.agent_for(&person.caller, &trial.agent)?);
    let refused = trial.refused(&configuration, &agent, now);
    let identity = trial.identity(&configuration, agent, now)?;
    let request: InvocationRequest = fields(Value::Object(trial.call))?;
    let (call, recognition) = request.tried().call(&HeaderMap::new(), &api)?;
    let (mut judged, explanation) = api.driver.with_history(|history| {
        let question = Question::from(&call).knowing(history);
        match explain(&configuration, &identity, question, now) {
            // An explanation is plain data; one that cannot be written is left out.
            Ok((judged, explanation)) => (judged, serde_json::to_value(explanation).ok()),
            Err(_) => (decide(&configuration, &identity, question, now).0, None),
        }
    });
    if let Some(denial) = refused {
        judged.decision.verdict = Verdict::Deny;
        judged.decision.denial = Some(denial);
    }
    let arguments = judged.sanitized.as_ref().unwrap_or(&call.arguments);
    let may_be_sent = |recognition: &Recognition| {
        JudgedRequest::of(recognition, judged.decision.verdict, arguments)
    };
    let request = recognition.as_ref().and_then(may_be_sent);
    Ok(Reply::ok(Evaluation {
        request,
        decision: DecisionView::from(&judged.decision),
        denial: judged.decision.denial.map(DenialView::from),
        env: judged.env,
        workflow: judged.workflow,
        resource: judged.resource.map(|resource| resource.name),
        explanation,
    }))
}

impl Trial {
    /// Whom the call is tried as.
    fn identity(
        &self,
        configuration: &Configuration,
        agent: Arc<Agent>,
        now: Timestamp,
    ) -> Result<Identity, Problem> {
        let Some(id) = &self.key else {
            return Ok(unscoped(&agent, now));
        };
        let key = configuration.credential(id);
        let key = key.filter(|key| key.subject == agent.id && key.tenant == agent.tenant);
        let credential = key.cloned().ok_or_else(|| Problem::not_found("key", id))?;
        Ok(Identity {
            agent,
            credential,
            user: None,
        })
    }

    /// What step 1 of the gate would say: whether agent and credential stand at all.
    fn refused(
        &self,
        configuration: &Configuration,
        agent: &Agent,
        now: Timestamp,
    ) -> Option<Denial> {
        match &self.key {
            Some(key) => configuration.standing(key, now).err(),
            None => agent.suspended.then(|| {
                let message = format!("agent `{}` is suspended", agent.id);
                Denial::new(Code::CredentialRevoked, message)
            }),
        }
    }
}

/// The schema of a call, which knows no further fields, with three more.
impl PartialSchema for Trial {
    fn schema() -> RefOr<Schema> {
        let text = |said: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(said))
        };
        match InvocationRequest::schema() {
            RefOr::T(Schema::Object(call)) => ObjectBuilder::from(call)
                .property("agent", text("As which agent."))
                .property(
                    "key",
                    text("With which of its credentials. None: with one that narrows nothing."),
                )
                .property("at", text("At which instant (RFC 3339). None: now."))
                .required("agent")
                .description(Some("A call to try, with whom it is tried as beside."))
                .into(),
            other => other,
        }
    }
}

impl ToSchema for Trial {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        InvocationRequest::schemas(schemas);
    }
}
