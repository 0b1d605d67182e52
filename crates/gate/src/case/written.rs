//! What a case can say, as types: the call, what came before it, what must come out.
//!
//! ```text
//! {"policies": ["refunds.json"], "tools": [{"id": "stripe.refund"}], "tests": [{"name": …}]}
//! ```
//!
//! Must not know: how a file is read, how a case is run.

use serde::Deserialize;
use serde_json::{Map, Value};
use toolgate_model::{
    AgentId, ApprovalId, Call, Code, DataClasses, Denial, Descriptor, Duration, HttpRequest, Mode,
    Role, Span, TenantId, Timestamp, ToolId, Trigger, User, Verdict,
};
use toolgate_policy::ApprovalFacts;

use super::expect::Expected;
use super::run::Recognise;
use crate::posture::Posture;

/// A `*.test.json` file.
#[derive(Clone, Debug, Default)]
pub struct CaseFile {
    /// The documents that it is about, by path beside the file; none: the one of the same stem.
    pub policies: Vec<String>,
    /// The tools that its calls are of.
    pub tools: Vec<Descriptor>,
    /// The tenant's own domains; none: as configured.
    pub own_domains: Option<Vec<String>>,
    /// What a granted call gets when no rule speaks; none: as configured.
    pub posture: Option<Posture>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The file or document it stands in.
    pub file: String,
    /// Where in it.
    pub span: Option<Span>,
    /// The call.
    pub call: WrittenCall,
    /// What came before it.
    pub history: Vec<Past>,
    /// The thing that the call is about, as read live.
    pub entity: Option<Value>,
    /// The approval, where a frozen call is decided again.
    pub approval: Option<Approval>,
    /// The user's own words.
    pub user_request: Option<String>,
    /// What the tool answered; then its result rules are judged.
    pub result: Option<Value>,
    /// When.
    pub now: Timestamp,
    /// What must come out.
    pub expect: Expected,
}

/// A call as `toolgate eval` takes it: the body of `POST /v1/invocations`, with whoever calls
/// beside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenCall {
    /// The tool's full name; none for a raw request.
    #[serde(default)]
    pub tool: Option<ToolId>,
    /// A raw request instead of tool and arguments.
    #[serde(default)]
    pub http: Option<HttpRequest>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    arguments: Option<Map<String, Value>>,
    #[serde(default)]
    env: Option<String>,
    #[serde(default)]
    workflow: Option<String>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    trigger: Option<Trigger>,
    #[serde(default)]
    allow_duplicate: bool,
    #[serde(default)]
    justification: Option<String>,
    /// Who calls; an agent that is declared keeps its profile.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// Its role, where that is not the declared one.
    #[serde(default)]
    pub role: Option<Role>,
    /// Its tenant.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// Its project.
    #[serde(default)]
    pub project: Option<String>,
    /// What runs it.
    #[serde(default)]
    pub runtime: Option<String>,
    /// For whom it acts.
    #[serde(default)]
    pub user: Option<User>,
    /// When; where it is not said, whoever runs it says.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// One earlier call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// The tool.
    pub tool: ToolId,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// When: an instant, or how long before the call: `-10m`.
    #[serde(default)]
    pub at: Option<When>,
    /// Which agent; none: the caller.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// About what; none: what the tool's template makes of the arguments.
    #[serde(default)]
    pub resource: Option<String>,
    /// What became of it: `deny` or, by default, `allow`.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Classes of the data that it read, beside those that are found in `result`.
    #[serde(default)]
    pub read: DataClasses,
    /// What it returned.
    #[serde(default)]
    pub result: Option<Value>,
    /// What the user said before it.
    #[serde(default)]
    pub user_request: Option<String>,
}

/// An instant, or a span before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At this instant.
    At(Timestamp),
    /// So many milliseconds before the call.
    Before(i64),
}

/// An approval as a case writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its id.
    #[serde(default)]
    pub id: Option<ApprovalId>,
    /// `pending`, `approved`, `denied` or `expired`.
    pub state: ApprovalState,
    /// Who approved it.
    #[serde(default)]
    pub approvers: Vec<AgentId>,
    /// Until when it holds.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// How an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// The quorum is met.
    Approved,
    /// Somebody said no.
    Denied,
    /// Too late.
    Expired,
}

impl Case {
    /// The approval as rules see it.
    pub(super) fn approval(&self, now: Timestamp) -> Option<ApprovalFacts> {
        let approval = self.approval.as_ref()?;
        let id = approval.id.clone();
        Some(ApprovalFacts {
            id: id.unwrap_or_else(|| ApprovalId::mint(now, [0; 10])),
            state: match approval.state {
                ApprovalState::Pending => "pending",
                ApprovalState::Approved => "approved",
                ApprovalState::Denied => "denied",
                ApprovalState::Expired => "expired",
            },
            approvers: approval.approvers.clone(),
            expires_at: approval.expires_at.unwrap_or(now.plus(APPROVAL_TTL)),
        })
    }
}

/// How long an approval of a case holds that does not say.
const APPROVAL_TTL: Duration = Duration::from_secs(3_600);

impl WrittenCall {
    /// The call that is judged.
    ///
    /// # Errors
    /// A [`Denial`] where it is a raw request that is none.
    pub fn call(&self, recognise: Recognise<'_>, own_domains: &[String]) -> Result<Call, Denial> {
        let call = match (&self.tool, &self.http) {
            (_, Some(request)) => recognise(request, own_domains)?.call(),
            (Some(tool), None) => Call::new(tool.clone(), self.arguments()),
            (None, None) => {
                let message = "the call names no tool";
                return Err(Denial::new(Code::InvalidArguments, message));
            }
        };
        Ok(Call {
            // A verdict, whoever would run or send it.
            mode: Mode::Decide,
            version: self.version.clone(),
            env: self.env.clone(),
            workflow: self.workflow.clone(),
            resource: self.resource.clone(),
            session: self.session_id.clone(),
            trigger: self.trigger.clone(),
            allow_duplicate: self.allow_duplicate,
            justification: self.justification.clone(),
            ..call
        })
    }

    /// The same call with other arguments.
    pub(super) fn with_arguments(&self, arguments: Map<String, Value>) -> Self {
        Self {
            arguments: Some(arguments),
            ..self.clone()
        }
    }

    pub(super) fn env(&self) -> Option<&str> {
        self.env.as_deref()
    }

    pub(super) fn workflow(&self) -> Option<&str> {
        self.workflow.as_deref()
    }

    pub(super) fn session(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// Its arguments.
    pub fn arguments(&self) -> Value {
        Value::Object(self.arguments.clone().unwrap_or_default())
    }
}

impl When {
    /// The instant that it means for a call at `now`.
    pub const fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Before(millis) => Timestamp::from_millis(now.as_millis() - millis),
        }
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let text = String::deserialize(from)?;
        match text.strip_prefix('-') {
            Some(span) => {
                let span: Duration = span.parse().map_err(D::Error::custom)?;
                Ok(Self::Before(span.as_millis()))
            }
            None => text.parse().map(Self::At).map_err(D::Error::custom),
        }
    }
}
