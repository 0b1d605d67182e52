//! One call, from proposal to outcome.
//!
//! ```text
//! standing → decide → (key known? replay) → deny | freeze | admit → run → outcome
//! ```
//!
//! Admission is optimistic: the call is decided in memory at one epoch and the commit succeeds
//! only while the store is still at it; otherwise it is decided again. So a revoked credential or
//! a changed policy binds on the next call without an extra look (3-execution, 5).

use std::sync::Arc;

use toolgate_execution::{Input, Invocation, Proposal, State, Transition};
use toolgate_gate::permit::{Clearance, Permit};
use toolgate_gate::port::{Claim, ClaimKey, Commit, CommitError, Unavailable};
use toolgate_gate::{Configuration, Evidence, Judged, Question, beside, bound, freeze, looks};
use toolgate_model::{
    ApprovalId, Call, Code, Denial, Digest, Duration, Effect, Identity, InvocationId, Mode,
    RecordId, Timestamp, ToolId, Verb, Verdict,
};

use crate::driver::{Driver, With};
use crate::entries;
use crate::history::{Decided, Reservation};
use crate::outcome::Outcome;
use crate::proposal::{proposal, refused};
use crate::replay::Earlier;
use crate::run::{Watch, patience};
use toolgate_record::Actor;

/// Time beyond the timeout that an attempt's lease lasts, to write its outcome down.
// LIMIT: thirty seconds, far above any commit; a lease that is too short only makes doubt.
pub(crate) const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// The same where the caller runs the call: nobody but that caller can say sooner what came of it.
// LIMIT: five seconds, for one request to the gate and one repeat of it.
const HOST_MARGIN: Duration = Duration::from_secs(5);

/// Until when an attempt that is admitted now holds its lease.
pub(crate) fn lease_until(proposal: &Proposal, now: Timestamp) -> Timestamp {
    let margin = match proposal.mode {
        Mode::Host => HOST_MARGIN,
        Mode::Execute | Mode::Decide | Mode::Simulate => LEASE_MARGIN,
    };
    now.plus(proposal.timeout).plus(margin)
}

/// How long a caller is kept waiting for a call in doubt to be settled, at least.
// LIMIT: ten seconds; most looks take milliseconds, and a client's patience is about a minute.
const SETTLE_HOLD: Duration = Duration::from_secs(10);

/// How often a call is decided again because the configuration moved.
// LIMIT: sixteen; each lost round means that an operator changed something meanwhile.
const ADMISSION_ROUNDS_MAX: usize = 16;

/// How often a write that a failing store may have made is looked up.
// LIMIT: three times; a store that is away for longer leaves the call to recovery.
const READ_BACK_MAX: usize = 3;

/// How long to wait between two of them.
const READ_BACK_EVERY: Duration = Duration::from_millis(500);

/// What an agent wants done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    /// It is to run, and may take so much longer than its timeout.
    Run { beyond: Duration },
    /// People are to be asked about it.
    Ask,
}

impl Intent {
    const fn beyond(self) -> Duration {
        match self {
            Self::Run { beyond } => beyond,
            Self::Ask => Duration::from_millis(0),
        }
    }
}

/// What one round of deciding came to.
enum Round {
    Done(Box<Outcome>),
    Run(Box<Invocation>, Box<Permit>, Vec<RecordId>),
    Again,
}

impl Driver {
    /// Takes one call of an authenticated agent to its outcome. What was admitted runs to its end
    /// even if nobody waits any more.
    pub async fn submit(
        self: &Arc<Self>,
        identity: &Identity,
        call: Call,
        watch: Watch,
    ) -> Outcome {
        // Its server may ask its client things meanwhile, and people take their time.
        let beyond = patience(Duration::default(), watch.peer.as_deref());
        self.take(identity, (call, Intent::Run { beyond }), watch)
            .await
    }

    /// Has people asked about a call. It runs once they approve, and not before: where the gate
    /// would let it run without them, nothing is recorded and the invocation is only proposed.
    pub async fn ask(self: &Arc<Self>, identity: &Identity, call: Call) -> Outcome {
        self.take(identity, (call, Intent::Ask), Watch::default())
            .await
    }

    async fn take(
        self: &Arc<Self>,
        identity: &Identity,
        (mut call, intent): (Call, Intent),
        watch: Watch,
    ) -> Outcome {
        let too_long = bound(&mut call);
        beside::clear(&self.configuration().settings.detector, &mut call);
        self.note_use(&identity.credential.id);
        for _ in 0..ADMISSION_ROUNDS_MAX {
            match self
                .round(identity, (&call, intent), too_long.as_ref())
                .await
            {
                Ok(Round::Done(outcome)) => {
                    if let (Some(peer), Some(_)) = (&watch.peer, outcome.invocation.state.attempt())
                    {
                        peer.begin(&outcome.invocation.id);
                    }
                    let outcome = self.hold(*outcome, watch.wait).await;
                    return match intent {
                        Intent::Run { .. } => self.claimed_with(identity, &call, outcome).await,
                        Intent::Ask => outcome,
                    };
                }
                Ok(Round::Run(invocation, permit, evidence)) => {
                    let wait = watch.wait;
                    let outcome = self.run_owned(*invocation, *permit, evidence, watch).await;
                    return self.hold(outcome, wait).await;
                }
                Ok(Round::Again) => {}
                Err(unavailable) => return self.undecided(identity, &call, &unavailable),
            }
        }
        let detail = "the configuration changes faster than a call can be decided".to_owned();
        self.undecided(
            identity,
            &call,
            &Unavailable {
                part: "configuration",
                detail,
            },
        )
    }

    async fn round(
        self: &Arc<Self>,
        identity: &Identity,
        (call, intent): (&Call, Intent),
        too_long: Option<&Denial>,
    ) -> Result<Round, Unavailable> {
        let (configuration, now) = (self.configuration(), self.now());
        let standing = configuration.standing(&identity.credential.id, now);
        let identity = match standing.and_then(|who| too_long.cloned().map_or(Ok(who), Err)) {
            Ok(standing) => standing.acting_for(identity.user.clone()),
            Err(denial) => {
                let judged = refused(denial, call, now);
                let proposal = proposal(identity, call, &judged, self.salt()?);
                let invocation = Invocation::propose(self.invocation_id()?, proposal, now);
                return self
                    .write_denial(&configuration, identity, invocation)
                    .await;
            }
        };
        let (id, salt) = (self.invocation_id()?, self.salt()?);
        let unread = Evidence::default();
        let mut decided = self.weigh(&configuration, (&identity, call, &unread), (&id, &salt));
        let mut replaces = None;
        match self
            .earlier(&decided.proposal, &decided.judged, call)
            .await?
        {
            Earlier::None => {}
            Earlier::Ended(id) => replaces = Some(id),
            Earlier::Same(outcome) => return Ok(Round::Done(outcome)),
            Earlier::Conflict(denial) => decided.conflict(denial),
        }
        // Only a call that is not answered from an earlier one is worth a look at live state.
        if !decided.is_conflict()
            && let Some(evidence) = self.live(&configuration, &identity, call).await
        {
            // The place that was reserved on less is given back before another is.
            drop(decided);
            decided = self.weigh(&configuration, (&identity, call, &evidence), (&id, &salt));
        }
        let Decided {
            judged,
            clearance,
            proposal,
            reservation,
        } = decided;
        let invocation = Invocation::propose(id, proposal, now);
        if call.mode == Mode::Simulate {
            return Ok(Round::done(Outcome::of(invocation, Vec::new())));
        }
        if call.mode == Mode::Decide {
            return self
                .write_verdict((&configuration, &identity), invocation, reservation)
                .await;
        }
        match (judged.decision.verdict, clearance) {
            // INVARIANT: who asks for approval never has the call run without it.
            (Verdict::Allow | Verdict::Sanitize, _) if intent == Intent::Ask => {
                Ok(Round::done(Outcome::of(invocation, Vec::new())))
            }
            (Verdict::Allow | Verdict::Sanitize, Some(clearance)) => {
                let taken = (invocation, reservation, intent.beyond());
                self.admit((&identity, replaces), taken, clearance).await
            }
            (Verdict::RequireApproval, _) => {
                let taken = (invocation, reservation);
                self.freeze(&configuration, (&identity, replaces), taken)
                    .await
            }
            (_, _) => {
                self.write_denial(&configuration, &identity, invocation)
                    .await
            }
        }
    }

    /// Decides the call on what is known of it, and reserves its place in the history.
    fn weigh(
        self: &Arc<Self>,
        configuration: &Configuration,
        (identity, call, evidence): (&Identity, &Call, &Evidence),
        (id, salt): (&InvocationId, &str),
    ) -> Decided {
        let proposed = |judged: &Judged| proposal(identity, call, judged, salt.to_owned());
        let question = (Question::from((call, evidence)), id, self.now());
        self.decide_reserving(configuration, identity, question, proposed)
    }

    /// What live state says of the call, where its descriptor wants that read.
    async fn live(
        &self,
        configuration: &Configuration,
        identity: &Identity,
        call: &Call,
    ) -> Option<Evidence> {
        let looks = looks(configuration, identity, call, self.now());
        if looks.entity.is_none() && looks.trigger.is_none() {
            return None;
        }
        Some(self.evidence(looks).await)
    }

    async fn admit(
        self: &Arc<Self>,
        (identity, replaces): (&Identity, Option<InvocationId>),
        (invocation, reservation, beyond): (Invocation, Reservation, Duration),
        clearance: Clearance,
    ) -> Result<Round, Unavailable> {
        let lease_until = lease_until(&invocation.proposal, self.now()).plus(beyond);
        let mut transition = first(&invocation, self.now(), Input::Admit { lease_until })?;
        let with = With {
            epoch: Some(clearance.epoch()),
            claim: self.key_claim(&invocation, replaces),
            actor: agent(identity),
        };
        match self.commit_step(None, &mut transition, with).await {
            Ok((committed, evidence)) => {
                reservation.keep();
                let permit =
                    clearance
                        .permit(&transition.next, &committed)
                        .map_err(|mismatch| Unavailable {
                            part: "gate",
                            detail: mismatch.to_string(),
                        })?;
                if transition.next.is_hosts() {
                    // Its host runs it: the permit is dropped, and sends nothing.
                    drop(permit);
                    return Ok(Round::done(Outcome::leased(transition.next, evidence)));
                }
                let admitted = Box::new(transition.next);
                Ok(Round::Run(admitted, Box::new(permit), evidence))
            }
            Err(error) => {
                self.again_unless_made(error, (transition.next, reservation))
                    .await
            }
        }
    }

    async fn freeze(
        self: &Arc<Self>,
        configuration: &Configuration,
        (identity, replaces): (&Identity, Option<InvocationId>),
        (invocation, reservation): (Invocation, Reservation),
    ) -> Result<Round, Unavailable> {
        let now = self.now();
        let terms = invocation
            .proposal
            .decision
            .approval
            .clone()
            .unwrap_or_default();
        let span = terms
            .expires_in
            .unwrap_or(configuration.settings.approval_expires_in);
        let approval = ApprovalId::mint(now, self.random()?);
        let mut frozen = freeze(
            (&invocation.id, approval),
            &invocation.proposal,
            &invocation.proposal.decision,
            (now, now.plus(span)),
        );
        frozen.escalation = configuration.settings.escalates(now, frozen.expires_at);
        let mut transition = first(&invocation, now, Input::Freeze(Box::new(frozen)))?;
        let with = With {
            epoch: Some(configuration.epoch),
            claim: self.key_claim(&invocation, replaces),
            actor: agent(identity),
        };
        match self.commit_step(None, &mut transition, with).await {
            Ok((_, evidence)) => {
                reservation.keep();
                Ok(Round::done(Outcome::of(transition.next, evidence)))
            }
            Err(error) => {
                self.again_unless_made(error, (transition.next, reservation))
                    .await
            }
        }
    }

    async fn write_denial(
        self: &Arc<Self>,
        configuration: &Configuration,
        identity: &Identity,
        invocation: Invocation,
    ) -> Result<Round, Unavailable> {
        let denial = invocation
            .proposal
            .decision
            .denial
            .clone()
            .unwrap_or_else(|| {
                Denial::new(Code::GateUnavailable, "the call was not cleared to run")
            });
        let mut transition = first(&invocation, self.now(), Input::Deny(denial))?;
        let with = With {
            epoch: Some(configuration.epoch),
            claim: None,
            actor: agent(identity),
        };
        match self.commit_step(None, &mut transition, with).await {
            Ok((_, evidence)) => Ok(Round::done(Outcome::of(transition.next, evidence))),
            Err(error) => self.again(error).await,
        }
    }

    /// A refused commit of a call that was to be taken. A store that failed may have made the write
    /// all the same, and then the caller must not hear that the call was denied.
    async fn again_unless_made(
        self: &Arc<Self>,
        error: CommitError,
        (taken, reservation): (Invocation, Reservation),
    ) -> Result<Round, Unavailable> {
        let CommitError::Unavailable(why) = error else {
            return self.again(error).await;
        };
        for _ in 0..READ_BACK_MAX {
            match self.ports.store.invocation(&taken.id).await {
                Ok(None) => return Err(why),
                Ok(Some(found)) => {
                    reservation.keep();
                    return Ok(Round::done(self.unsent(found).await));
                }
                Err(_) => {
                    let again = self.now().plus(READ_BACK_EVERY);
                    self.ports.clock.sleep_until(again).await;
                }
            }
        }
        // Nobody can say. The caller gets the id to ask for, and no proof that there is such a call.
        tracing::error!(invocation = %taken.id, %why, "a call may or may not have been taken");
        reservation.keep();
        Ok(Round::done(Outcome::of(taken, Vec::new())))
    }

    /// A refused commit: what moved is read again, and the call decided again.
    async fn again(&self, error: CommitError) -> Result<Round, Unavailable> {
        match error {
            CommitError::EpochMoved { .. } => self.reload().await.map(|()| Round::Again),
            CommitError::KeyTaken { .. }
            | CommitError::RevisionMoved { .. }
            | CommitError::NoSuchInvocation
            | CommitError::IncidentMoved => Ok(Round::Again),
            CommitError::Unavailable(unavailable) => Err(unavailable),
        }
    }

    /// Waits a little for an outcome that is still coming, if the caller asked to; an attempt that
    /// runs is waited for to its end, as its first caller does (3-execution, 2).
    async fn hold(&self, outcome: Outcome, wait: Duration) -> Outcome {
        let running = outcome.invocation.state.attempt();
        // Whoever was given a lease has work to do, and what another host runs ends when it ends.
        let unasked = wait.as_millis() == 0;
        if outcome.invocation.status().is_terminal()
            || outcome.lease.is_some()
            || (unasked && (running.is_none() || outcome.invocation.is_hosts()))
        {
            return outcome;
        }
        let asked = self.now().plus(wait);
        let until = match &outcome.invocation.state {
            // Its answer is lost and the gate is finding out: worth a moment to whoever asks.
            State::UnknownEffect { .. } | State::Reconciling { .. } => {
                asked.max(self.now().plus(SETTLE_HOLD))
            }
            // Whoever merely joins a call does not wait for what its client is asked meanwhile.
            State::Executing { attempt, .. } if !outcome.invocation.is_hosts() => {
                let alone = attempt.started_at.plus(outcome.invocation.proposal.timeout);
                asked.max(attempt.lease_until.min(alone.plus(LEASE_MARGIN)))
            }
            _ => asked,
        };
        match self.wait(&outcome.invocation.id, until).await {
            Ok(invocation) => Outcome {
                invocation,
                ..outcome
            },
            Err(_) => outcome,
        }
    }

    fn key_claim(&self, invocation: &Invocation, replaces: Option<InvocationId>) -> Option<Claim> {
        let proposal = &invocation.proposal;
        let configuration = self.configuration();
        let ttl = match proposal.idempotency_key {
            Some(_) => configuration.settings.idempotency_ttl,
            None => duplicate_window(&configuration, &proposal.tool),
        };
        claim_key(&configuration, proposal).map(|key| Claim {
            key,
            fingerprint: proposal.fingerprint,
            expires_at: self.now().plus(ttl),
            replaces,
        })
    }

    /// A verdict only, on the record and nowhere else.
    async fn write_verdict(
        self: &Arc<Self>,
        (configuration, identity): (&Configuration, &Identity),
        invocation: Invocation,
        reservation: Reservation,
    ) -> Result<Round, Unavailable> {
        let (id, capture) = (self.record_id()?, configuration.settings.capture);
        let event = toolgate_execution::Event {
            kind: "call.decided",
            data: serde_json::Map::new(),
        };
        let entry = entries::of_event(id.clone(), &invocation, &event, (&agent(identity), capture));
        let commit = Commit {
            epoch: Some(configuration.epoch),
            entries: vec![entry],
            ..Commit::default()
        };
        match self.commit_noticed(commit, &invocation).await {
            Ok(_) => {
                // Whoever asked makes the call itself: it counts.
                reservation.keep();
                Ok(Round::done(Outcome::of(invocation, vec![id])))
            }
            Err(error) => self.again(error).await,
        }
    }

    /// The gate could not decide: a denial that could not even be written down.
    fn undecided(&self, identity: &Identity, call: &Call, why: &Unavailable) -> Outcome {
        tracing::error!(
            part = why.part,
            detail = why.detail,
            "a call could not be decided"
        );
        let now = self.now();
        let denial = Denial::new(Code::GateUnavailable, "the gate could not decide this call");
        let judged = refused(denial.clone(), call, now);
        // Nothing of this is stored, so neither its id nor its salt needs to be unguessable.
        let proposal = proposal(identity, call, &judged, String::new());
        let invocation = Invocation::propose(InvocationId::mint(now, [0; 10]), proposal, now);
        let denied = invocation.step(now, Input::Deny(denial));
        Outcome::of(
            denied.map_or(invocation, |transition| transition.next),
            Vec::new(),
        )
    }

    fn salt(&self) -> Result<String, Unavailable> {
        Ok(Digest::from_bytes(self.random()?)
            .hex()
            .chars()
            .take(32)
            .collect())
    }

    pub(crate) fn invocation_id(&self) -> Result<InvocationId, Unavailable> {
        Ok(InvocationId::mint(self.now(), self.random()?))
    }
}

impl Round {
    fn done(outcome: Outcome) -> Self {
        Self::Done(Box::new(outcome))
    }
}

/// The scope and key that a proposal claims: the caller's own, and without one the call itself
/// where a second one like it would be a second effect (3-execution, 2). What only claims to read
/// is not retried by the gate, but an agent that asks it again wants to know how it is now.
pub(crate) fn claim_key(configuration: &Configuration, proposal: &Proposal) -> Option<ClaimKey> {
    let guarded = is_guarded(configuration, proposal);
    let own = || {
        // Whoever writes such a key by hand meets only the very same call of the same agent.
        let session = proposal.session.as_deref().unwrap_or_default();
        format!("\u{1}{session}\u{1}{}", proposal.fingerprint)
    };
    let key = match (&proposal.idempotency_key, &proposal.user) {
        // Two people behind one agent may well choose the same key.
        (Some(key), Some(user)) => format!("\u{2}{}\u{2}{key}", user.id),
        // Nor does anybody get there by writing such a key by hand: no name of a user is empty.
        (Some(key), None) if key.starts_with('\u{2}') => format!("\u{2}\u{2}{key}"),
        (Some(key), None) => key.clone(),
        (None, _) if guarded => own(),
        (None, _) => return None,
    };
    Some(ClaimKey {
        tenant: proposal.tenant.clone(),
        agent: proposal.agent.clone(),
        tool: proposal.tool.clone(),
        key,
    })
}

/// Whether a second call like this one would be a second effect, and nobody says that it is meant.
pub(crate) fn is_guarded(configuration: &Configuration, proposal: &Proposal) -> bool {
    let tool = configuration.catalogue.get(&proposal.tool);
    proposal.effect == Effect::Some
        // A raw request is a use of no tool of the catalogue, and lands twice all the same.
        && tool.is_none_or(|tool| tool.verb != Verb::Read)
        && matches!(proposal.mode, Mode::Execute | Mode::Host)
        && !proposal.allow_duplicate
}

/// How long the same call without a key is answered from the first one.
fn duplicate_window(configuration: &Configuration, tool: &ToolId) -> Duration {
    let stated = configuration.catalogue.get(tool);
    stated
        .and_then(|tool| tool.checks.duplicate_window)
        .unwrap_or(configuration.settings.duplicate_window)
}

pub(crate) fn agent(identity: &Identity) -> Actor {
    Actor::Agent {
        id: identity.agent.id.clone(),
        key: identity.credential.id.clone(),
        chain: Vec::new(),
    }
}

/// The first step of a fresh invocation. It can only be refused by a defect of ours, and then
/// nothing runs.
fn first(invocation: &Invocation, now: Timestamp, input: Input) -> Result<Transition, Unavailable> {
    invocation.step(now, input).map_err(|refusal| Unavailable {
        part: "machine",
        detail: refusal.to_string(),
    })
}
