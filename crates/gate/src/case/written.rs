//! The format of cases, read strictly: a key that no case has is an error with its place.
//!
//! ```text
//! {"policies": ["refunds.json"], "tools": [{"id": "stripe.refund"}], "tests": [{"name": …}]}
//! ```
//!
//! Must not know: how a case is run.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toolgate_model::json::{Limits, Numbers, parse};
use toolgate_model::{
    AgentId, ApprovalId, Call, Code, DataClasses, Denial, Descriptor, Diagnostic, Duration,
    HttpRequest, Role, Severity, Span, TenantId, Timestamp, ToolId, Trigger, User, Verdict,
};
use toolgate_policy::ApprovalFacts;

use super::expect::Expected;
use super::place::span;
use super::run::Recognise;
use super::tool::WrittenTool;
use crate::posture::{Posture, Stance};

/// LIMIT: a thousand cases of 4 KiB; more wants to be several files.
const FILE_LIMITS: Limits = Limits {
    bytes_max: 4 << 20,
    ..Limits::CALL
};
/// LIMIT: ten thousand cases of one file, a second of work.
const CASES_MAX: usize = 10_000;
/// LIMIT: what one case may have before it; a history of that length is a recording.
const PAST_MAX: usize = 1_000;

const NOT_JSON: &str = "T001";
const NOT_A_CASE: &str = "T002";
const EXPECTS_NOTHING: &str = "T003";
const TOO_MANY: &str = "T004";

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    tools: Vec<WrittenTool>,
    #[serde(default)]
    own_domains: Option<Vec<String>>,
    #[serde(default)]
    posture: Option<WrittenPosture>,
    tests: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPosture {
    low: Option<Stance>,
    medium: Option<Stance>,
    high: Option<Stance>,
    critical: Option<Stance>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: String,
    call: WrittenCall,
    #[serde(default)]
    history: Vec<Past>,
    #[serde(default)]
    entity: Option<Value>,
    #[serde(default)]
    approval: Option<Approval>,
    #[serde(default)]
    user_request: Option<String>,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    now: Option<Timestamp>,
    expect: Value,
}

impl CaseFile {
    /// Reads a file of cases. `file` is the name that complaints carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, with places.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let reader = Reader { file, text };
        let written: WrittenFile = reader.read(reader.json()?, "").map_err(|one| vec![one])?;
        let mut problems = Vec::new();
        let mut tools = Vec::new();
        for (place, tool) in written.tools.into_iter().enumerate() {
            match tool.descriptor() {
                Ok(tool) => tools.push(tool),
                Err(why) => {
                    problems.push(reader.wrong(NOT_A_CASE, why, &format!("/tools/{place}")))
                }
            }
        }
        let cases = reader.cases(written.tests).unwrap_or_else(|mut wrong| {
            problems.append(&mut wrong);
            Vec::new()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            policies: written.policies,
            tools,
            own_domains: written.own_domains,
            posture: written.posture.map(WrittenPosture::posture),
            cases,
        })
    }
}

impl Case {
    /// The cases that a policy document carries in its `tests`.
    ///
    /// # Errors
    /// Everything that is wrong with them, with places.
    pub fn of_document(file: &str, text: &str) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let reader = Reader { file, text };
        match reader.json()?.get_mut("tests").map(Value::take) {
            Some(Value::Array(tests)) => reader.cases(tests),
            Some(_) => Err(vec![reader.wrong(
                NOT_A_CASE,
                "`tests` is a list of cases".to_owned(),
                "/tests",
            )]),
            None => Ok(Vec::new()),
        }
    }
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

/// Reads parts of one text and says where they stand.
struct Reader<'t> {
    file: &'t str,
    text: &'t str,
}

impl Reader<'_> {
    fn json(&self) -> Result<Value, Vec<Diagnostic>> {
        parse(self.text.as_bytes(), FILE_LIMITS, Numbers::Exact)
            .map_err(|error| vec![self.wrong(NOT_JSON, error.to_string(), "")])
    }

    fn cases(&self, tests: Vec<Value>) -> Result<Vec<Case>, Vec<Diagnostic>> {
        if tests.len() > CASES_MAX {
            let message = format!("{} cases, more than {CASES_MAX}", tests.len());
            return Err(vec![self.wrong(TOO_MANY, message, "/tests")]);
        }
        let (mut cases, mut problems) = (Vec::new(), Vec::new());
        for (place, test) in tests.into_iter().enumerate() {
            match self.case(test, &format!("/tests/{place}")) {
                Ok(case) => cases.push(case),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(cases)
        } else {
            Err(problems)
        }
    }

    fn case(&self, test: Value, pointer: &str) -> Result<Case, Diagnostic> {
        let written: WrittenCase = self.read(test, pointer)?;
        let within = format!("{pointer}/expect");
        let expect = match written.expect {
            Value::String(word) => {
                Verdict::parse(&word)
                    .map(Expected::verdict)
                    .ok_or_else(|| {
                        self.wrong(NOT_A_CASE, format!("`{word}` is no verdict"), &within)
                    })?
            }
            keys => self.read(keys, &within)?,
        };
        if expect.is_empty() {
            let message = "the case expects nothing, so it could not fail".to_owned();
            return Err(self.wrong(EXPECTS_NOTHING, message, &within));
        }
        if written.history.len() > PAST_MAX {
            let message = format!("a history of more than {PAST_MAX} calls");
            return Err(self.wrong(TOO_MANY, message, &format!("{pointer}/history")));
        }
        if written.call.tool.is_some() == written.call.http.is_some() {
            let message = "a call has a `tool` or an `http` request, one of them".to_owned();
            return Err(self.wrong(NOT_A_CASE, message, &format!("{pointer}/call")));
        }
        let now = written.now.or(written.call.at).unwrap_or(CASE_NOW);
        Ok(Case {
            name: written.name,
            file: self.file.to_owned(),
            span: span(self.text, pointer),
            call: written.call,
            history: written.history,
            entity: written.entity,
            approval: written.approval,
            user_request: written.user_request,
            result: written.result,
            now,
            expect,
        })
    }

    fn read<T: DeserializeOwned>(&self, value: Value, pointer: &str) -> Result<T, Diagnostic> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let inner = pointer_of(error.path());
            self.wrong(
                NOT_A_CASE,
                error.inner().to_string(),
                &format!("{pointer}{inner}"),
            )
        })
    }

    fn wrong(&self, code: &'static str, message: String, pointer: &str) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message,
            help: None,
            file: self.file.to_owned(),
            path: pointer.to_owned(),
            span: span(self.text, pointer),
            related: Vec::new(),
        }
    }
}

/// The instant of a case that names none: a Tuesday afternoon in UTC, the same whenever it is run.
const CASE_NOW: Timestamp = Timestamp::from_millis(1_781_622_862_000);

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

impl WrittenPosture {
    fn posture(self) -> Posture {
        let usual = Posture::default();
        Posture {
            low: self.low.unwrap_or(usual.low),
            medium: self.medium.unwrap_or(usual.medium),
            high: self.high.unwrap_or(usual.high),
            critical: self.critical.unwrap_or(usual.critical),
        }
    }
}

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
