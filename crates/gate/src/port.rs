//! What the edge must offer: signatures only, in the gate's own words.
//!
//! A store, the tools, a clock, randomness, and a place for tasks to live. Each port is small, and
//! each is handed in from one composition root, so that a simulator can hand in others. Nothing
//! here does anything.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use toolgate_execution::{Invocation, LossCause, Status};
use toolgate_model::{
    Agent, AgentId, ApprovalId, Catalogue, Code, Credential, Denial, Digest, Epoch, HostTool,
    HttpRequest, InvocationId, KeyId, Operator, Recognition, RecordId, SourceStatus, TenantId,
    Timestamp, ToolId, json::Raw,
};
use toolgate_record::{Entry, Record};

use crate::incident::{Incident, IncidentFilter, IncidentWrite};
use crate::look::Look;
use crate::permit::Dispatch;
use crate::pin::ToolPin;

/// A boxed future: ports are the seams at which futures are boxed.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells the time and waits for it. The only clock there is.
pub trait Clock: Send + Sync {
    /// The instant now.
    fn now(&self) -> Timestamp;

    /// Resolves once `until` has come.
    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()>;
}

/// Makes bytes that nobody can guess. The only source of randomness.
pub trait Entropy: Send + Sync {
    /// Fills the whole buffer, or fails.
    ///
    /// # Errors
    /// [`Unavailable`] where the system gives none; the call at hand is then denied.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable>;
}

/// Where work that outlives a request lives: named, counted and drained by its owner.
pub trait Tasks: Send + Sync {
    /// Runs `work` to its end, also when nobody waits for it any more.
    fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>);
}

/// The world did not cooperate. `detail` is for the operator's log, never for a caller.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{part} is unavailable: {detail}")]
pub struct Unavailable {
    /// Which part: `store`, `entropy`, …
    pub part: &'static str,
    /// What it said.
    pub detail: String,
}

/// Runs tools. The gate keeps the credentials of what is downstream; callers never see them.
pub trait Tools: Send + Sync {
    /// All tools known now.
    fn catalogue(&self) -> Arc<Catalogue>;

    /// How the sources are doing, ordered by name.
    fn sources(&self) -> Vec<SourceStatus>;

    /// Has what this source offers read again soon; false where there is no such source.
    fn refresh(&self, source: &str) -> bool {
        let _ = source;
        false
    }

    /// Sends one attempt, once. Never repeats it, whatever happens.
    ///
    /// Returns only definite answers as such; everything else is [`Answer::Lost`]. When
    /// `dispatch.cancelled()` resolves, it tells the tool's server (as an intent) and reports
    /// the answer as lost unless a definite one is already there.
    fn call(&self, dispatch: Dispatch) -> BoxFuture<'_, Answer>;

    /// Makes one read-only call for the gate itself, once, within its timeout.
    fn look(&self, look: Look) -> BoxFuture<'_, Answer>;

    /// Has `told` called with each `notifications/resources/updated` of this source about this
    /// URI, its parameters as written, until what is returned is dropped. `None` where the source
    /// cannot be followed.
    fn follow(&self, source: &str, uri: &str, told: ResourceSink) -> Option<Following> {
        let _ = (source, uri, told);
        None
    }

    /// What a raw HTTP request is a use of. A service that nobody knows is `http.request`.
    /// `own_domains` tell a recipient outside from one of the tenant's own.
    ///
    /// A request that can be read in two ways is recognised as one that is refused
    /// ([`toolgate_model::Recognised::refusal`]), so that it goes on the record like any other.
    ///
    /// # Errors
    /// A [`Denial`] `tool_not_found` where these tools know of no raw requests at all.
    fn recognise(
        &self,
        request: &HttpRequest,
        own_domains: &[String],
    ) -> Result<Recognition, Denial> {
        let _ = (request, own_domains);
        let message = "raw HTTP requests are not recognised here: name the tool instead";
        Err(Denial::new(Code::ToolNotFound, message))
    }

    /// Whether the gate sends raw requests to this address itself.
    fn sends(&self, request: &HttpRequest) -> bool {
        let _ = request;
        false
    }

    /// Adds or replaces, by name, tools that a host of this source runs itself. Answers for each,
    /// in order, whether it could be described, and the catalogue has them from then on.
    ///
    /// # Errors
    /// [`Unregistered`] where there is no such source, or this agent registers nothing there.
    fn register(
        &self,
        source: &str,
        by: &Agent,
        tools: Vec<HostTool>,
    ) -> Result<Vec<Registered>, Unregistered> {
        let _ = (by, tools);
        Err(Unregistered::NoSuchSource(source.to_owned()))
    }

    /// Takes back what hosts registered before the gate started, from what their tools are pinned
    /// to. What is known already, or pinned by another kind of source, is left as it is.
    fn recall(&self, pins: &[Arc<ToolPin>]) {
        let _ = pins;
    }
}

/// One tool that a host registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its full name; none where there can be no such name.
    pub id: Option<ToolId>,
    /// Its name as registered.
    pub name: String,
    /// Why it cannot be called, where that is so.
    pub unavailable: Option<String>,
}

/// Why tools were not registered.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unregistered {
    /// There is no such source.
    #[error("there is no source `{0}`")]
    NoSuchSource(String),
    /// The gate, and no host, runs the tools of this source.
    #[error(
        "the tools of `{0}` are not run by a host: register them with a source that has `host`"
    )]
    NotHosts(String),
    /// This agent may not.
    #[error(
        "`{agent}` registers no tools with `{source_name}`: name it in the `agents` of that source, \
         or register the agent with `trusted_host`"
    )]
    NotPermitted {
        /// The agent.
        agent: AgentId,
        /// The source.
        source_name: String,
    },
    /// The registration itself could not be written down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Told that a resource was updated.
pub type ResourceSink = Arc<dyn Fn(Raw) + Send + Sync>;

/// That somebody follows a resource; dropping it ends that.
pub type Following = Box<dyn Send + Sync>;

/// What became of one attempt.
#[derive(Debug)]
pub enum Answer {
    /// The tool answered.
    Answered {
        /// Its answer, exactly as it wrote it (for MCP: the `result` object).
        result: Raw,
        /// Whether it says that it failed.
        failed: bool,
    },
    /// It definitely did not run.
    Refused {
        /// `upstream_unavailable`, `tool_error` or `invalid_result`.
        code: Code,
        /// One sentence for the caller.
        message: String,
        /// The JSON-RPC error object, as the tool's server wrote it, where that is what it said.
        error: Option<Raw>,
    },
    /// Nobody can know.
    Lost {
        /// How.
        cause: LossCause,
        /// What was seen, for the operator.
        detail: String,
    },
}

/// What is configured at one epoch: everything in the store that a decision reads.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The epoch.
    pub epoch: Epoch,
    /// All agents.
    pub agents: Vec<Agent>,
    /// All people.
    pub operators: Vec<Operator>,
    /// All credentials, revoked ones too.
    pub credentials: Vec<Credential>,
    /// The documents of the policy set in force, ordered by name.
    pub policies: Vec<PolicyDocument>,
    /// What every tool was when it was first seen or last reviewed, ordered by name. Shared: there
    /// may be thousands, each with a definition, and every change makes a configuration anew.
    pub pins: Vec<Arc<ToolPin>>,
}

/// One document of a policy set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    /// Its name.
    pub name: String,
    /// Its text as written.
    pub text: String,
}

/// One version of one document, in force or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDraft {
    /// The document's name.
    pub name: String,
    /// Its version within that name, from 1.
    pub number: u32,
    /// The digest of its canonical JSON.
    pub digest: Digest,
    /// Its text as written.
    pub text: String,
    /// Who wrote it.
    pub author: AgentId,
    /// What they said about it.
    pub message: String,
    /// When.
    pub created_at: Timestamp,
    /// Whether it is in force.
    pub active: bool,
    /// Who last put it in force, if anybody ever did.
    pub activated: Option<Stamp>,
    /// Who asked for it to be put in force, while a second person has to confirm that.
    pub requested: Option<Stamp>,
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Who.
    pub by: AgentId,
    /// When.
    pub at: Timestamp,
}

/// The versions that are in force from now on, instead of whatever was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The whole set: document and number.
    pub set: Vec<(String, u32)>,
    /// Who put it in force; stamped on the versions that were not in force before.
    pub stamp: Stamp,
}

/// One atomic write: all of it becomes durable, or none. Guards are checked in the same
/// transaction, in this order.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The epoch that the decision was made at; refused when the store has moved on.
    pub epoch: Option<Epoch>,
    /// The invocation to insert or replace.
    pub invocation: Option<InvocationWrite>,
    /// The caller's key, claimed together with the insertion.
    pub claim: Option<Claim>,
    /// Changes of configuration; each commit that has any moves the epoch by one.
    pub changes: Vec<Change>,
    /// Incidents that are opened, counted on or edited.
    pub incidents: Vec<IncidentWrite>,
    /// What goes on the record, in order.
    pub entries: Vec<Entry>,
}

/// An invocation to be stored.
#[derive(Clone, Debug)]
pub struct InvocationWrite {
    /// The revision that was read; none inserts.
    pub expected: Option<u64>,
    /// The invocation after its step.
    pub next: Invocation,
}

/// A claim of a caller's idempotency key: within (tenant, agent, tool, key) the first one wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The scope and the key.
    pub key: ClaimKey,
    /// What was called.
    pub fingerprint: Digest,
    /// From when it may be forgotten, once its invocation is terminal.
    pub expires_at: Timestamp,
    /// The invocation that it is taken over from, where that one ended without its effect; refused
    /// if another one has it by then.
    pub replaces: Option<InvocationId>,
}

/// What a key is unique within (3-execution, 2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// The tool.
    pub tool: ToolId,
    /// The caller's key.
    pub key: String,
}

/// One change of configuration.
#[derive(Clone, Debug)]
pub enum Change {
    /// Add or replace an agent.
    Agent(Agent),
    /// Add or replace a person.
    Operator(Operator),
    /// Add or replace a credential.
    Credential(Credential),
    /// Add a version of a policy document; its number is the next of its name.
    PolicyDraft(PolicyDraft),
    /// Put these versions in force instead of whatever was.
    PolicySet(Publication),
    /// Note that somebody asked for this version to be put in force; a document has one such
    /// request at most, and putting any version of it in force settles that.
    PolicyRequest(String, u32, Stamp),
    /// Add or replace what a tool is pinned to.
    ToolPin(ToolPin),
}

/// A commit that is durable.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The epoch after it.
    pub epoch: Epoch,
    /// The records as they were appended, in order.
    pub records: Vec<Record>,
}

/// Why a commit was not made. Nothing of it was.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CommitError {
    /// Somebody changed the configuration: decide again.
    #[error("the configuration moved on to epoch {}", current.0)]
    EpochMoved {
        /// The epoch in force.
        current: Epoch,
    },
    /// Somebody stepped the invocation: read it again.
    #[error("the invocation moved on to revision {current}")]
    RevisionMoved {
        /// The revision in the store.
        current: u64,
    },
    /// The key is taken.
    #[error("the idempotency key belongs to {invocation}")]
    KeyTaken {
        /// By which invocation.
        invocation: InvocationId,
        /// What that one called.
        fingerprint: Digest,
    },
    /// The invocation to replace is not there, or the one to insert is.
    #[error("no such invocation, or it exists already")]
    NoSuchInvocation,
    /// An incident was opened, changed or closed meanwhile: read it again.
    #[error("the incident moved on")]
    IncidentMoved,
    /// The store cannot say; the caller of the gate is told `gate_unavailable`.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What to list, newest first. Empty fields match all.
#[derive(Clone, Debug, Default)]
pub struct InvocationFilter {
    /// Of which tenant.
    pub tenant: Option<TenantId>,
    /// Of which agent.
    pub agent: Option<AgentId>,
    /// In which states; empty: any.
    pub statuses: Vec<Status>,
    /// Of which tool.
    pub tool: Option<ToolId>,
    /// Of what belongs together.
    pub correlation: Option<String>,
    /// Older than this one.
    pub before: Option<InvocationId>,
    /// At most this many.
    pub limit: usize,
}

/// Which records to list, oldest first.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Of which tenant.
    pub tenant: Option<TenantId>,
    /// About which invocation.
    pub invocation: Option<InvocationId>,
    /// Whose kind starts so: `invocation.`, `key.revoked`.
    pub kind_prefix: Option<String>,
    /// From this index on.
    pub from: u64,
    /// At most this many.
    pub limit: usize,
    /// The newest ones instead of the first ones, still oldest first.
    pub newest: bool,
}

/// Keeps everything. Each operation is one transaction; a commit is answered once it is durable.
pub trait Store: Send + Sync {
    /// Makes one atomic write.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, CommitError>>;

    /// Reads the configuration.
    fn configuration(&self) -> BoxFuture<'_, Result<Stored, Unavailable>>;

    /// Reads one invocation.
    fn invocation<'s>(
        &'s self,
        id: &'s InvocationId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>>;

    /// Reads the invocation that an approval belongs to: pending, approved, or ended.
    fn by_approval<'s>(
        &'s self,
        id: &'s ApprovalId,
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>>;

    /// Reads which invocation a key belongs to, and what that one called.
    fn claimed<'s>(
        &'s self,
        key: &'s ClaimKey,
    ) -> BoxFuture<'s, Result<Option<(InvocationId, Digest)>, Unavailable>>;

    /// Reads the newest invocation of this agent with this fingerprint in one of these states.
    fn by_fingerprint<'s>(
        &'s self,
        key: (&'s TenantId, &'s AgentId, &'s Digest),
        statuses: &'s [Status],
    ) -> BoxFuture<'s, Result<Option<Invocation>, Unavailable>>;

    /// Lists invocations, newest first.
    fn invocations(
        &self,
        filter: InvocationFilter,
    ) -> BoxFuture<'_, Result<Vec<Invocation>, Unavailable>>;

    /// Lists every invocation that is not terminal, oldest first, from after `after`.
    fn unfinished<'s>(
        &'s self,
        after: Option<&'s InvocationId>,
        limit: usize,
    ) -> BoxFuture<'s, Result<Vec<Invocation>, Unavailable>>;

    /// Lists records.
    fn records(&self, filter: RecordFilter) -> BoxFuture<'_, Result<Vec<Record>, Unavailable>>;

    /// Reads one record.
    fn record<'s>(&'s self, id: &'s RecordId)
    -> BoxFuture<'s, Result<Option<Record>, Unavailable>>;

    /// Lists every version of the policy document, or of all, newest first.
    fn drafts<'s>(
        &'s self,
        name: Option<&'s str>,
    ) -> BoxFuture<'s, Result<Vec<PolicyDraft>, Unavailable>>;

    /// Lists incidents, newest first.
    fn incidents(
        &self,
        filter: IncidentFilter,
    ) -> BoxFuture<'_, Result<Vec<Incident>, Unavailable>>;

    /// Notes when credentials were last used. Lossy: the record is the truth.
    fn touch(&self, used: Vec<(KeyId, Timestamp)>) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// Reads when a credential was last used.
    fn last_used(&self) -> BoxFuture<'_, Result<Vec<(KeyId, Timestamp)>, Unavailable>>;

    /// Signs the log as it stands and returns the signed note; the newest one where nothing new
    /// was appended since.
    fn checkpoint(&self) -> BoxFuture<'_, Result<String, Unavailable>>;

    /// Lists all signed notes, oldest first, from this log size on.
    fn checkpoints(&self, from_size: u64) -> BoxFuture<'_, Result<Vec<String>, Unavailable>>;

    /// The text of the verifier key that checkpoints are signed with.
    fn verifier_key(&self) -> String;
}

/// Progress that a tool reports while it runs: the `params` of the notification.
pub type ProgressSink = Arc<dyn Fn(Value) + Send + Sync>;
