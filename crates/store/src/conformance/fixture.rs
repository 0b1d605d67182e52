//! Nouns to fill a store with, made the same way every time, and a clock that is set by hand.
//!
//! Invocations are proposed and stepped by the real machine, so what is stored here is what a gate
//! would store. Number 7 has an id that is newer than number 6.
//!
//! Must not know: what any case checks.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Map, json};
use toolgate_execution::{
    Answer, Choice, Frozen, Input, Invocation, Loss, LossCause, Proposal, Refusal, Resolution,
    Resolved, Thaw, Vote, Voter,
};
use toolgate_gate::port::{
    BoxFuture, Change, Claim, ClaimKey, Clock, Commit, InvocationWrite, PolicyDraft, Publication,
    Stamp, Store,
};
use toolgate_model::{
    Agent, AgentId, ApprovalId, ApprovalTerms, Code, Credential, Decision, Denial, Digest,
    Duration, Effect, IdError, InvocationId, KeyId, Mode, Operator, Profile, RecordId, Role, Scope,
    TenantId, Timestamp, Token, TokenKind, ToolIdError, Verdict, json as strict,
};
use toolgate_record::{Actor, Entry, KeyError, Signer};

use super::Outcome;

/// A noun that could not be made, which is a fault of the suite itself.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// An id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A tool.
    #[error(transparent)]
    Tool(#[from] ToolIdError),
    /// A step.
    #[error(transparent)]
    Step(#[from] Refusal),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// When everything begins.
pub const START: Timestamp = Timestamp::from_millis(1_781_622_862_104);

/// A store, and the clock that it was given.
pub(super) struct Bench {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<HandClock>,
}

/// A clock that stands still until it is moved.
pub struct HandClock(AtomicI64);

impl Default for HandClock {
    fn default() -> Self {
        Self(AtomicI64::new(START.as_millis()))
    }
}

impl HandClock {
    /// Sets it.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Nobody moves the hands while somebody waits, so there is nothing to wait for.
    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        self.set(until.max(self.now()));
        Box::pin(std::future::ready(()))
    }
}

/// Nothing more than that two values are the same, with a name for what they are.
pub(super) fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}").into())
}

/// That something holds, with the sentence that says what.
pub(super) fn holds(what: &str, it: bool) -> Outcome {
    same(what, it, true)
}

/// The key that signs the log of every store under test.
///
/// # Errors
/// Never, as long as the name is one.
pub fn signer() -> Result<Signer, FixtureError> {
    Ok(Signer::from_seed("gate.test/log", [7; 32])?)
}

/// The instant `millis` after the start.
pub const fn after(millis: u32) -> Timestamp {
    START.plus(Duration::from_millis(millis))
}

/// Ten bytes from a number, so that ids of one instant are in its order.
fn bytes(number: u32) -> [u8; 10] {
    let [a, b, c, d] = number.to_be_bytes();
    // The bits that a UUID keeps for itself are in the first and third byte.
    [0, 0, 0, a, b, c, d, 0, 0, 0]
}

/// The id of invocation `number`.
pub fn invocation_id(number: u32) -> InvocationId {
    InvocationId::mint(after(number), bytes(number))
}

/// The id of approval request `number`.
pub fn approval_id(number: u32) -> ApprovalId {
    ApprovalId::mint(after(number), bytes(number))
}

/// The id of record `number`.
pub fn record_id(number: u32) -> RecordId {
    RecordId::mint(after(number), bytes(number))
}

/// The id of credential `number`.
pub fn key_id(number: u32) -> KeyId {
    KeyId::mint(after(number), bytes(number))
}

/// A refund that the gate allows; two proposals of one number are the same call.
///
/// # Errors
/// Never, as long as the names in it are names.
pub fn proposal(number: u32) -> Result<Proposal, FixtureError> {
    Ok(Proposal {
        allow_duplicate: false,
        entity: None,
        effect_check: None,
        user_request: None,
        session_trusted: false,
        request: None,
        tenant: TenantId::default(),
        agent: "billing_agent".parse()?,
        owner: "ana@acme.com".parse()?,
        key: key_id(1),
        chain: Vec::new(),
        user: None,
        tool: "stripe.refund".parse()?,
        version: "1.0.0".to_owned(),
        descriptor: Some(Digest::of(b"descriptor")),
        arguments: json!({"charge": format!("ch_{number}"), "amount": 640.10, "note": "Größe 😀 \u{0}"}),
        salt: "5a".repeat(16),
        env: Some("prod".to_owned()),
        workflow: None,
        resource: None,
        session: Some("s_1".to_owned()),
        correlation: None,
        trigger: None,
        justification: None,
        mode: Mode::Execute,
        effect: Effect::Some,
        timeout: Duration::from_secs(20),
        idempotency_key: None,
        fingerprint: Digest::of(&number.to_be_bytes()),
        meta: Map::new(),
        decision: decision(),
    })
}

fn decision() -> Decision {
    Decision {
        verdict: Verdict::Allow,
        denial: None,
        determining: None,
        rules: Vec::new(),
        obligations: Vec::new(),
        approval: None,
        risk: None,
        risk_score: None,
        sanitized: Vec::new(),
        notices: Vec::new(),
        policy_version: None,
        evaluated_at: START,
    }
}

/// Invocation `number`, proposed and nothing more.
///
/// # Errors
/// Never, as long as the names in it are names.
pub fn proposed(
    number: u32,
    change: impl FnOnce(&mut Proposal),
) -> Result<Invocation, FixtureError> {
    let mut proposal = proposal(number)?;
    change(&mut proposal);
    Ok(Invocation::propose(
        invocation_id(number),
        proposal,
        after(number),
    ))
}

/// Invocation `number`, executing.
///
/// # Errors
/// Never, as long as the machine admits what is proposed.
pub fn executing(number: u32) -> Result<Invocation, FixtureError> {
    admitted(&proposed(number, |_| {})?)
}

/// The invocation with its first attempt admitted.
///
/// # Errors
/// [`FixtureError::Step`] where it is past that.
pub fn admitted(invocation: &Invocation) -> Result<Invocation, FixtureError> {
    step(
        invocation,
        Input::Admit {
            lease_until: invocation.updated_at.plus(Duration::from_secs(20)),
        },
    )
}

/// The executing invocation with its answer.
///
/// # Errors
/// [`FixtureError::Step`] where it does not execute.
pub fn succeeded(invocation: &Invocation) -> Result<Invocation, FixtureError> {
    let result = r#"{"content":[{"type":"text","text":"ok 1.50"}]}"#.to_owned();
    step(
        invocation,
        Input::Answer {
            attempt: invocation.attempts,
            answer: Answer::Success { result },
        },
    )
}

/// The proposed invocation, refused.
///
/// # Errors
/// [`FixtureError::Step`] where it is past that.
pub fn denied(invocation: &Invocation) -> Result<Invocation, FixtureError> {
    let denial = Denial::new(Code::NotGranted, "not granted").with("limit", 500.25);
    step(invocation, Input::Deny(denial))
}

/// The proposed invocation, frozen as approval request `number`.
///
/// # Errors
/// [`FixtureError::Step`] where it is past that.
pub fn frozen(invocation: &Invocation, number: u32) -> Result<Invocation, FixtureError> {
    step(invocation, Input::Freeze(Box::new(snapshot(number))))
}

/// What is approved in request `number`.
pub fn snapshot(number: u32) -> Frozen {
    let snapshot = json!({"request": number, "arguments": {"amount": 640.10}});
    Frozen {
        drift: Vec::new(),
        escalation: None,
        approval: approval_id(number),
        digest: strict::digest(&snapshot),
        snapshot,
        terms: ApprovalTerms::default(),
        frozen_at: START,
        expires_at: START.plus(Duration::from_secs(3_600)),
        requeues: 0,
    }
}

/// The frozen invocation with what an approver said.
///
/// # Errors
/// [`FixtureError::Step`] where nobody is asked.
pub fn voted(invocation: &Invocation, choice: Choice) -> Result<Invocation, FixtureError> {
    let digest = invocation
        .state
        .frozen()
        .map_or(Digest::of(b""), |frozen| frozen.digest);
    let voter = Voter {
        id: "bo@acme.com".parse()?,
        role: Role::Approver,
        groups: Vec::new(),
        via: "token".to_owned(),
    };
    let vote = Vote {
        voter,
        digest,
        choice,
        reason: None,
        at: invocation.updated_at,
    };
    step(invocation, Input::Vote(vote))
}

/// The approved invocation, revalidated and executing.
///
/// # Errors
/// [`FixtureError::Step`] where it is not approved.
pub fn thawed(invocation: &Invocation) -> Result<Invocation, FixtureError> {
    let lease_until = invocation.updated_at.plus(Duration::from_secs(20));
    step(invocation, Input::Thaw(Thaw::Same { lease_until }))
}

/// The executing invocation, its answer lost.
///
/// # Errors
/// [`FixtureError::Step`] where it does not execute.
pub fn lost(invocation: &Invocation) -> Result<Invocation, FixtureError> {
    let loss = Loss {
        attempt: invocation.attempts,
        cause: LossCause::Timeout,
        lease_until: None,
    };
    step(invocation, Input::Lose(loss))
}

/// The executing invocation, lost and given up by the gate: a person must say.
///
/// # Errors
/// [`FixtureError::Step`] where it does not execute.
pub fn doubted(invocation: &Invocation) -> Result<Invocation, FixtureError> {
    let ground = "the tool has no probe".to_owned();
    step(&lost(invocation)?, Input::Escalate { ground })
}

/// The executing invocation, lost, and settled by a person.
///
/// # Errors
/// [`FixtureError::Step`] where it does not execute.
pub fn settled_by_person(invocation: &Invocation) -> Result<Invocation, FixtureError> {
    let resolution = Resolution {
        by: "ana@acme.com".parse()?,
        resolved: Resolved::Landed,
        reason: "seen in the ledger".to_owned(),
    };
    step(&doubted(invocation)?, Input::Resolve(resolution))
}

/// One step of the real machine, a millisecond later.
///
/// # Errors
/// [`FixtureError::Step`] where it does not fit.
pub fn step(invocation: &Invocation, input: Input) -> Result<Invocation, FixtureError> {
    let now = invocation.updated_at.plus(Duration::from_millis(1));
    Ok(invocation.step(now, input)?.next)
}

/// The invocation with its newest attempt forgotten, which breaks invariant 2.
pub fn broken(invocation: &Invocation) -> Invocation {
    Invocation {
        attempts: invocation.attempts + 1,
        ..invocation.clone()
    }
}

/// A commit that inserts it.
pub fn insertion(next: &Invocation) -> Commit {
    Commit {
        invocation: Some(InvocationWrite {
            expected: None,
            next: next.clone(),
        }),
        ..Commit::default()
    }
}

/// A commit that puts it in the place of the revision before.
pub fn replacement(expected: u64, next: &Invocation) -> Commit {
    Commit {
        invocation: Some(InvocationWrite {
            expected: Some(expected),
            next: next.clone(),
        }),
        ..Commit::default()
    }
}

/// A commit that puts these on the record.
pub fn appending(entries: Vec<Entry>) -> Commit {
    Commit {
        entries,
        ..Commit::default()
    }
}

/// Record `number` of this kind.
pub fn entry(number: u32, kind: &str) -> Entry {
    let mut data = Map::new();
    data.insert("amount".to_owned(), json!(640.10));
    Entry {
        id: record_id(number),
        at: after(number),
        kind: kind.to_owned(),
        tenant: TenantId::default(),
        actor: Actor::Gate,
        invocation: None,
        correlation: None,
        data,
    }
}

/// A claim of this key for `invocation`, until `expires_at`.
pub fn claim(invocation: &Invocation, key: &str, expires_at: Timestamp) -> Claim {
    let proposal = &invocation.proposal;
    Claim {
        key: ClaimKey {
            tenant: proposal.tenant.clone(),
            agent: proposal.agent.clone(),
            tool: proposal.tool.clone(),
            key: key.to_owned(),
        },
        fingerprint: proposal.fingerprint,
        expires_at,
        replaces: None,
    }
}

/// An agent of this name.
///
/// # Errors
/// [`FixtureError::Id`] where it is no name.
pub fn agent(name: &str, role: Role) -> Result<Agent, FixtureError> {
    Ok(Agent {
        id: name.parse()?,
        tenant: TenantId::default(),
        owner: "ana@acme.com".parse()?,
        role,
        profile: Profile::default(),
        runtime: Some("langgraph".to_owned()),
        project: None,
        trusted_host: false,
        suspended: false,
        created_at: START,
    })
}

/// A person of this name.
///
/// # Errors
/// [`FixtureError::Id`] where it is no name.
pub fn operator(name: &str, role: Role) -> Result<Operator, FixtureError> {
    Ok(Operator {
        id: name.parse()?,
        tenant: TenantId::default(),
        role,
        groups: vec!["finance".to_owned()],
        disabled: false,
        created_at: START,
    })
}

/// Credential `number` of `billing_agent`.
///
/// # Errors
/// Never, as long as the name in it is one.
pub fn credential(number: u32) -> Result<Credential, FixtureError> {
    let id = key_id(number);
    let token = Token::mint(TokenKind::Agent, id.clone(), [9; 32]);
    Ok(Credential {
        id,
        tenant: TenantId::default(),
        kind: TokenKind::Agent,
        subject: "billing_agent".parse()?,
        secret_hash: token.secret_hash(),
        scope: Scope::default(),
        created_at: START,
        expires_at: None,
        revoked_at: None,
        rotated_from: None,
    })
}

/// A version of a policy document, with a number and a mark that are the store's to set.
///
/// # Errors
/// Never, as long as the name in it is one.
pub fn draft(name: &str, text: &str) -> Result<PolicyDraft, FixtureError> {
    Ok(PolicyDraft {
        name: name.to_owned(),
        number: 77,
        digest: Digest::of(text.as_bytes()),
        text: text.to_owned(),
        author: author()?,
        message: format!("write {text}"),
        created_at: START,
        active: true,
        activated: Some(stamp(9)?),
        requested: Some(stamp(9)?),
    })
}

/// Somebody doing something after `seconds`.
///
/// # Errors
/// Never, as long as the name in it is one.
pub fn stamp(number: u32) -> Result<Stamp, FixtureError> {
    Ok(Stamp {
        by: "bo@acme.com".parse()?,
        at: after(number),
    })
}

/// These versions put in force after `number` milliseconds.
///
/// # Errors
/// Never, as long as the name in it is one.
pub fn publication(versions: &[(&str, u32)], number: u32) -> Result<Change, FixtureError> {
    let named = versions
        .iter()
        .map(|(name, number)| ((*name).to_owned(), *number));
    Ok(Change::PolicySet(Publication {
        set: named.collect(),
        stamp: stamp(number)?,
    }))
}

fn author() -> Result<AgentId, FixtureError> {
    Ok("cai@acme.com".parse()?)
}
