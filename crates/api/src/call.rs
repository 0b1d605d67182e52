//! A call as a request writes it: the body of `POST /v1/invocations`, and what `can` and
//! `evaluate` ask about.
//!
//! What is not available yet is refused by name, never ignored. How long each text may be is the
//! gate's own question: a call that says too much is denied, on the record, like any other.

use std::sync::Arc;

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use toolgate_model::{
    AgentId, Call, Duration, HttpRequest, Identity, Mode, Recognition, ToolId, Trigger, User,
};
use utoipa::ToSchema;

use crate::kinds::Kind;
use crate::problem::Problem;
use crate::raw::RawRequest;
use crate::state::Api;

/// Bytes of one header of trace context.
// LIMIT: 512, what W3C asks receivers of `tracestate` to carry.
const TRACE_BYTES_MAX: usize = 512;

/// Headers of trace context, which travel on to the tool.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// One proposed use of a tool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvocationRequest {
    /// The tool's full name, `{source}.{operation}`. Required, unless `http` is given.
    #[schema(value_type = Option<String>, examples("stripe.refund"))]
    tool: Option<ToolId>,
    /// Which version of it, if that matters.
    version: Option<String>,
    /// The arguments. None: `{}`.
    arguments: Option<Map<String, Value>>,
    /// The environment. Where the credential fixes one, it may be left out.
    env: Option<String>,
    /// The workflow. Where the credential fixes one, it may be left out.
    workflow: Option<String>,
    /// The resource, `type:id`. Where the arguments name one, both must agree.
    resource: Option<String>,
    /// The caller's name for its session.
    session_id: Option<String>,
    /// The caller's name for what belongs together.
    correlation_id: Option<String>,
    /// The event that the agent acts on.
    trigger: Option<TriggerBody>,
    /// The user whom the call is made for. Accepted from a trusted host only.
    on_behalf_of: Option<UserBody>,
    /// The user's own words. Accepted from a trusted host only.
    user_request: Option<String>,
    /// A raw HTTP request, instead of `tool` and `arguments`. The gate itself sends (`execute`) only
    /// what lies below the address of one of its `http` sources.
    http: Option<RawRequest>,
    /// Why, in the agent's own words. Approvers see it marked as such.
    justification: Option<String>,
    /// How long the attempt may take, in milliseconds, if shorter than the tool's own bound.
    timeout_ms: Option<u32>,
    /// How long to wait for an approval, in milliseconds, before it is answered as pending.
    wait_ms: Option<u32>,
    /// `execute`: the gate runs the tool. `host`: the caller runs it once it is allowed, under a
    /// lease, and reports what came of it. `decide`: a verdict only, recorded. `simulate`: a verdict
    /// only, nothing recorded.
    #[schema(value_type = Option<String>, examples("execute", "host", "decide", "simulate"))]
    mode: Option<Mode>,
    /// That a second identical call is meant.
    #[serde(default)]
    allow_duplicate: bool,
}

/// The event that an agent says it acts on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Trigger)]
pub(crate) struct TriggerBody {
    /// Which system says it happened.
    source: String,
    /// Its id there.
    id: String,
}

/// A user, as a trusted host names them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OnBehalfOf)]
pub(crate) struct UserBody {
    /// Their name, usually an address.
    #[schema(value_type = String)]
    id: AgentId,
    /// The groups that they belong to.
    #[serde(default)]
    groups: Vec<String>,
}

/// Groups of one user.
// LIMIT: 64 of 128 bytes; what rules name of somebody is far less, and all of it is stored.
const GROUPS_MAX: usize = 64;
const GROUP_BYTES_MAX: usize = 128;

impl InvocationRequest {
    /// The identity that makes the call: for the user that a trusted host names, where it names one.
    pub(crate) fn maker(&mut self, identity: Identity) -> Result<Identity, Problem> {
        let Some(user) = self.on_behalf_of.take() else {
            return Ok(identity);
        };
        let refused = |detail: &str| {
            let pointer = "/on_behalf_of";
            Err(Problem::at(Kind::InvalidRequest, pointer, detail))
        };
        if !identity.agent.trusted_host {
            return refused(
                "only a trusted host says for whom it makes a call: leave it out, or register the \
                 agent with `trusted_host`",
            );
        }
        if identity
            .user
            .as_ref()
            .is_some_and(|known| known.id != user.id)
        {
            return refused("the token was issued for another user: leave it out");
        }
        let long = |group: &String| group.len() > GROUP_BYTES_MAX;
        if user.groups.len() > GROUPS_MAX || user.groups.iter().any(long) {
            return refused("a user has at most 64 groups of at most 128 bytes");
        }
        let UserBody { id, groups } = user;
        Ok(identity.acting_for(Some(Arc::new(User { id, groups }))))
    }

    /// How long the caller wants to wait for an approval.
    pub(crate) fn wait(&self, wait_ms_max: u32) -> Result<Duration, Problem> {
        match self.wait_ms.unwrap_or_default() {
            wait if wait <= wait_ms_max => Ok(Duration::from_millis(wait)),
            wait => {
                let detail =
                    format!("{wait} is more than the {wait_ms_max} that a caller may wait");
                Err(Problem::field("/wait_ms", detail))
            }
        }
    }

    /// The same, to be tried and not made: a raw request can be tried whatever mode it was written
    /// for.
    pub(crate) fn tried(self) -> Self {
        let mode = if self.http.is_some() {
            Some(Mode::Simulate)
        } else {
            self.mode
        };
        Self { mode, ..self }
    }

    /// The call, with what the headers add to it, and what a raw request was recognised as.
    pub(crate) fn call(
        mut self,
        headers: &HeaderMap,
        api: &Api,
    ) -> Result<(Call, Option<Recognition>), Problem> {
        let recognition = match self.http.take() {
            Some(raw) => Some(self.recognise(raw.into(), api)?),
            None => None,
        };
        let call = match &recognition {
            Some(recognition) => recognition.clone().call(),
            None => self.named()?,
        };
        let call = Call {
            version: self.version,
            env: self.env,
            workflow: self.workflow,
            resource: self.resource,
            session: self.session_id,
            correlation: self.correlation_id,
            trigger: self.trigger.map(|trigger| Trigger {
                source: trigger.source,
                id: trigger.id,
            }),
            justification: self.justification,
            timeout: self.timeout_ms.map(Duration::from_millis),
            mode: self.mode.unwrap_or_default(),
            allow_duplicate: self.allow_duplicate,
            user_request: self.user_request,
            idempotency_key: idempotency_key(headers)?,
            meta: trace(headers),
            ..call
        };
        Ok((call, recognition))
    }

    /// The call of the tool that it names.
    fn named(&mut self) -> Result<Call, Problem> {
        let Some(tool) = self.tool.take() else {
            return Err(Problem::field("/tool", "missing: which tool is called"));
        };
        let arguments = Value::Object(self.arguments.take().unwrap_or_default());
        Ok(Call::new(tool, arguments))
    }

    /// What the raw request is a use of.
    fn recognise(&self, request: HttpRequest, api: &Api) -> Result<Recognition, Problem> {
        let both = [
            ("/tool", self.tool.is_some()),
            ("/arguments", self.arguments.is_some()),
        ];
        if let Some((pointer, _)) = both.iter().find(|(_, given)| *given) {
            let detail = "`http` stands instead of `tool` and `arguments`: leave one of them out";
            return Err(Problem::field(pointer, detail));
        }
        let executed = matches!(self.mode, None | Some(Mode::Execute));
        if executed && !api.driver.tools().sends(&request) {
            let detail = "the gate has no way to send it: add a `[[source]]` with `http = { base_url = … }` \
                          that it lies below, or send it yourself with the mode `host`";
            return Err(Problem::at(Kind::NotAvailable, "/mode", detail));
        }
        let own_domains = &api.driver.configuration().settings.own_domains;
        let recognised = api.driver.tools().recognise(&request, own_domains);
        recognised.map_err(|denial| Problem::at(Kind::NotAvailable, "/http", denial.message))
    }
}

/// The caller's own key for this call, which makes repeating it safe.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    const NAME: &str = "Idempotency-Key";
    let mut all = headers.get_all(NAME).iter();
    let value = match (all.next(), all.next()) {
        (None, _) => return Ok(None),
        (Some(only), None) => only,
        (Some(_), Some(_)) => return Err(Problem::header(NAME, "there must be only one")),
    };
    match value.to_str() {
        Ok(text) if !text.is_empty() => Ok(Some(text.to_owned())),
        _ => Err(Problem::header(NAME, "a key is printable characters")),
    }
}

/// Trace context, where it is plain and short; anything else is left behind.
fn trace(headers: &HeaderMap) -> Map<String, Value> {
    let entry = |name: &&'static str| {
        let text = headers.get(*name)?.to_str().ok()?;
        (text.len() <= TRACE_BYTES_MAX).then(|| ((*name).to_owned(), Value::from(text)))
    };
    TRACE.iter().filter_map(entry).collect()
}
