//! The judge: the six invariants of execution, checked against what really happened.
//!
//! It sees every durable write in the order in which writes became durable, every request as it
//! leaves, every effect as it lands, every decision as a person sent it, and every answer as a
//! caller got it. What the driver believes counts for nothing here: a success with no effect in the
//! ledger is a violation, whatever the record says.
//!
//! Must not know: how the driver comes to what it does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use toolgate_driver::Outcome;
use toolgate_execution::{Attempt, Choice, Grounds, Invocation, RetryGround, State, Status};
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{Change, Commit};
use toolgate_model::{
    ApprovalId, Call, Descriptor, Digest, InvocationId, KeyId, Obligation, RecordId, Verdict, json,
};

use crate::cast::{AGENT, APPROVERS, OWNER, Part, Policy};
use crate::desk::Charge;

mod end;

/// From which state to which, and on what ground a further attempt ran.
pub(crate) type Path = (&'static str, &'static str, &'static str);

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in 3-execution, part 5; 0 where the log itself is not sound.
    pub invariant: u8,
    /// What was seen.
    pub text: String,
}

/// What is true at the moment of a durable write, whatever the driver knows of it.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) now: i64,
    /// The tool as this node knows it, and since when.
    pub(crate) descriptor: Option<Arc<Descriptor>>,
    pub(crate) shelf_since: i64,
    pub(crate) charge: Option<Charge>,
}

/// What a durable write sets off in the world.
#[derive(Debug)]
pub(crate) enum Happening {
    /// People are asked.
    Asked {
        approval: ApprovalId,
        digest: Digest,
    },
    /// A person must say what happened.
    Helpless { invocation: InvocationId },
}

/// All that was seen.
#[derive(Default)]
pub(crate) struct Judge(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    violations: Vec<Violation>,
    cases: BTreeMap<InvocationId, Case>,
    /// Approvals that were used, by which invocation.
    used: BTreeMap<ApprovalId, InvocationId>,
    votes: BTreeSet<(String, Digest, bool)>,
    /// When each call was sent in, and the answers that were no more than a denial in words.
    calls: BTreeMap<u64, Sent>,
    records: BTreeSet<RecordId>,
    policies: Vec<(String, Policy)>,
    policy: Option<Policy>,
    revoked: BTreeSet<KeyId>,
    /// How often a durable write led from one state to another.
    paths: BTreeMap<Path, u64>,
    entries: u64,
}

/// A call as its caller sent it.
#[derive(Clone, Debug)]
struct Sent {
    at: i64,
    allow_duplicate: bool,
    unwritten_denial: bool,
}

/// One invocation as it became durable, and what happened of it outside.
struct Case {
    last: Invocation,
    written_at: i64,
    admitted: BTreeSet<u32>,
    ordered: u32,
    sent: Vec<u32>,
    effects: usize,
    /// Whether a look answered since the newest attempt was admitted.
    looked: bool,
}

impl Seen {
    fn hold(&mut self, holds: bool, invariant: u8, text: impl FnOnce() -> String) {
        if !holds && self.violations.len() < 20 {
            let text = text();
            self.violations.push(Violation { invariant, text });
        }
    }
}

impl Judge {
    /// The violations so far.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.seen().violations.clone()
    }

    /// Whether there is any.
    pub(crate) fn is_satisfied(&self) -> bool {
        self.seen().violations.is_empty()
    }

    /// How many invocations there were.
    pub(crate) fn invocations(&self) -> usize {
        self.seen().cases.len()
    }

    /// Which ways invocations went, and how often.
    pub(crate) fn paths(&self) -> BTreeMap<Path, u64> {
        self.seen().paths.clone()
    }

    /// The ids of what may be decided on, withdrawn or resolved.
    pub(crate) fn known(&self) -> Vec<InvocationId> {
        self.seen().cases.keys().cloned().collect()
    }

    /// A caller sends a call in.
    pub(crate) fn called(&self, number: u64, call: &Call, now: i64) {
        let sent = Sent {
            at: now,
            allow_duplicate: call.allow_duplicate,
            unwritten_denial: false,
        };
        self.seen().calls.insert(number, sent);
    }

    /// A person decides; said before the driver hears of it.
    pub(crate) fn voted(&self, person: &str, digest: Digest, choice: Choice) {
        let vote = (person.to_owned(), digest, choice == Choice::Approve);
        self.seen().votes.insert(vote);
    }

    /// A change of configuration is durable.
    pub(crate) fn configured(&self, commit: &Commit) {
        let mut seen = self.seen();
        seen.write_down(commit);
        for change in &commit.changes {
            match change {
                Change::Credential(key) if key.revoked_at.is_some() => {
                    seen.revoked.insert(key.id.clone());
                }
                Change::PolicyDraft(draft) => {
                    if let Some(policy) = Policy::of(&draft.text) {
                        seen.policies.push((draft.name.clone(), policy));
                    }
                }
                Change::PolicySet(set) => {
                    let newest = set.iter().rev().find_map(|(_, number)| {
                        let place = usize::try_from(*number).ok()?.checked_sub(1)?;
                        seen.policies.get(place).map(|(_, policy)| *policy)
                    });
                    seen.policy = newest;
                }
                Change::Agent(_) | Change::Operator(_) | Change::Credential(_) => {}
            }
        }
    }

    /// A step of an invocation is durable.
    pub(crate) fn committed(
        &self,
        commit: &Commit,
        next: &Invocation,
        truth: &Truth,
    ) -> Vec<Happening> {
        let mut seen = self.seen();
        seen.write_down(commit);
        seen.recorded(commit, next);
        let before = seen
            .cases
            .get(&next.id)
            .map(|case| (case.last.clone(), case.written_at));
        seen.stepped(before.as_ref().map(|(last, _)| last), next);
        if next.attempts > before.as_ref().map_or(0, |(last, _)| last.attempts) {
            let since = before.as_ref().map(|(_, at)| *at);
            let since = since.unwrap_or_else(|| seen.sent_in_at(next));
            seen.admitted(before.as_ref().map(|(last, _)| last), next, (truth, since));
        }
        let path = path(before.as_ref().map(|(last, _)| last), next);
        *seen.paths.entry(path).or_default() += 1;
        seen.keep(next, truth.now);
        seen.ended(next);
        happenings(before.as_ref().map(|(last, _)| last), next)
    }

    /// A request leaves a process.
    pub(crate) fn sent(&self, dispatch: &Dispatch, part: Option<&Part>, shown: i64) {
        let mut seen = self.seen();
        let (id, attempt) = (dispatch.invocation().clone(), dispatch.attempt());
        let Some(case) = seen.cases.get_mut(&id) else {
            seen.hold(false, 1, || format!("{id} was sent and never admitted"));
            return;
        };
        let (status, known) = (case.last.status(), case.admitted.contains(&attempt));
        let twice = case.sent.contains(&attempt);
        case.sent.push(attempt);
        let (count, ordered) = (case.sent.len(), case.ordered as usize);
        let same = case.last.proposal.arguments == *dispatch.arguments()
            && case.last.proposal.tool == *dispatch.tool();
        let late = case.last.state.attempt().is_some_and(|newest| {
            newest.number == attempt && shown >= newest.lease_until.as_millis()
        });
        seen.hold(known, 1, || {
            format!("attempt {attempt} of {id} was sent and never admitted")
        });
        seen.hold(same, 1, || {
            format!("{id} sent other bytes than were admitted")
        });
        seen.hold(!twice, 2, || {
            format!("attempt {attempt} of {id} was sent twice")
        });
        seen.hold(!late, 2, || {
            format!("attempt {attempt} of {id} was sent after its lease")
        });
        seen.hold(!never_runs(status), 6, || {
            format!("{id} is {} and was sent", status.as_str())
        });
        let harmless = part.is_some_and(|part| part.protected() || !part.acts());
        seen.hold(harmless || count <= 1 + ordered, 2, || {
            format!("{id} has no protection and was sent {count} times")
        });
    }

    /// An effect landed.
    pub(crate) fn landed(&self, invocation: &str) {
        let mut seen = self.seen();
        let found = seen
            .cases
            .iter_mut()
            .find(|(id, _)| id.as_str() == invocation);
        let Some((_, case)) = found else {
            seen.hold(false, 1, || {
                format!("{invocation} landed and was never admitted")
            });
            return;
        };
        case.effects += 1;
        let (effects, status) = (case.effects, case.last.status());
        seen.hold(effects <= 1, 2, || {
            format!("{invocation} landed {effects} times")
        });
        let ended_without = never_runs(status) || status == Status::Failed;
        seen.hold(!ended_without, 2, || {
            format!("{invocation} is {} and its effect landed", status.as_str())
        });
    }

    /// A caller has its answer: what it says must be durable.
    pub(crate) fn answered(&self, call: u64, outcome: &Outcome) {
        let mut seen = self.seen();
        let invocation = &outcome.invocation;
        let (id, told) = (&invocation.id, invocation.status());
        let missing = outcome
            .evidence
            .iter()
            .find(|id| !seen.records.contains(id))
            .cloned();
        seen.hold(missing.is_none(), 3, || {
            format!("call {call} was given the record {missing:?}, which is not there")
        });
        let durable = seen.cases.get(id).map(|case| case.last.clone());
        match durable {
            Some(last) => {
                let true_to_it = !told.is_terminal() || last.state == invocation.state;
                let known = last.revision >= invocation.revision;
                seen.hold(true_to_it && known, 3, || {
                    format!(
                        "call {call} heard {} of {id}, which is {}",
                        told.as_str(),
                        last.status().as_str()
                    )
                });
            }
            None => {
                // Unconfirmed: the caller has an id to ask for and no record that proves anything.
                let open = !told.is_terminal() && outcome.evidence.is_empty();
                seen.hold(told == Status::Denied || open, 3, || {
                    format!(
                        "call {call} heard {} of {id}, which was never written",
                        told.as_str()
                    )
                });
                if let Some(sent) = seen.calls.get_mut(&call) {
                    sent.unwritten_denial = told == Status::Denied;
                }
            }
        }
    }

    /// The gate was shown whether the effect of this invocation is there.
    pub(crate) fn looked(&self, invocation: &str) {
        let mut seen = self.seen();
        let found = seen
            .cases
            .iter_mut()
            .find(|(id, _)| id.as_str() == invocation);
        if let Some((_, case)) = found {
            case.looked = true;
        }
    }

    /// Whether the effect of this invocation is there.
    pub(crate) fn effects(&self, id: &InvocationId) -> usize {
        self.seen().cases.get(id).map_or(0, |case| case.effects)
    }

    /// Where this invocation stands, durably.
    pub(crate) fn standing(&self, id: &InvocationId) -> Option<Invocation> {
        self.seen().cases.get(id).map(|case| case.last.clone())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn write_down(&mut self, commit: &Commit) {
        self.entries += commit.entries.len() as u64;
        self.records
            .extend(commit.entries.iter().map(|entry| entry.id.clone()));
    }

    fn sent_in_at(&self, invocation: &Invocation) -> i64 {
        let call = call_of(invocation).and_then(|call| self.calls.get(&call));
        call.map_or(i64::MIN, |sent| sent.at)
    }

    /// 3: every step is on the record, the first with the call, the last with how it ended.
    fn recorded(&mut self, commit: &Commit, next: &Invocation) {
        let about = commit
            .entries
            .iter()
            .filter(|entry| entry.invocation.as_ref() == Some(&next.id));
        let kinds: Vec<_> = about.map(|entry| entry.kind.as_str()).collect();
        let expected: &[&str] = match next.status() {
            Status::Denied => &["invocation.denied"],
            Status::Succeeded => &["invocation.succeeded"],
            Status::Failed => &["invocation.failed"],
            Status::Executing => &["invocation.admitted"],
            Status::UnknownEffect => &["invocation.unknown_effect"],
            Status::NeedsOperator => &["invocation.needs_operator"],
            _ => &[],
        };
        let whole = !kinds.is_empty() && expected.iter().all(|kind| kinds.contains(kind));
        let (id, status) = (&next.id, next.status().as_str());
        self.hold(whole, 3, || {
            format!("{id} became {status} with {kinds:?} on the record")
        });
        let first = !self.cases.contains_key(&next.id);
        let told = commit
            .entries
            .iter()
            .any(|entry| entry.data.contains_key("call"));
        self.hold(!first || told, 3, || {
            format!("{id} began with no record of its call")
        });
    }

    /// 4: terminal states never change, and nothing is written over what nobody read.
    fn stepped(&mut self, before: Option<&Invocation>, next: &Invocation) {
        let id = &next.id;
        let broken = next.check().err();
        self.hold(broken.is_none(), 4, || {
            format!("{id} was stored broken: {broken:?}")
        });
        let Some(before) = before else { return };
        self.hold(!before.status().is_terminal(), 4, || {
            format!(
                "{id} was {} and became {}",
                before.status().as_str(),
                next.status().as_str()
            )
        });
        self.hold(next.revision > before.revision, 4, || {
            format!("{id} went back in time")
        });
        self.hold(before.proposal == next.proposal, 1, || {
            format!("{id} changed what it proposed")
        });
        self.hold(
            next.attempts >= before.attempts && next.attempts <= before.attempts + 1,
            2,
            || format!("{id} skipped an attempt"),
        );
    }

    /// 1, 2, 5: an admission has its grounds, under what is in force in the store now.
    fn admitted(
        &mut self,
        before: Option<&Invocation>,
        next: &Invocation,
        (truth, since): (&Truth, i64),
    ) {
        let id = next.id.clone();
        let State::Executing { attempt, grounds } = &next.state else {
            // It may have been lost in the same write, but never admitted and ended.
            self.hold(false, 1, || {
                format!("{id} counts an attempt that never ran")
            });
            return;
        };
        let proposal = &next.proposal;
        let revoked = self.revoked.contains(&proposal.key);
        self.hold(!revoked, 1, || {
            format!("{id} was admitted on a revoked key")
        });
        let Some(part) = Part::of(proposal.tool.as_str()) else {
            self.hold(false, 1, || {
                format!("{id} was admitted for no tool of the cast")
            });
            return;
        };
        self.allowed((before, next), part, grounds);
        self.fresh((&id, next), part, (truth, since));
        if attempt.number > 1 && part.acts() {
            self.harmless((&id, attempt), part);
            let must = proposal
                .decision
                .obligations
                .contains(&Obligation::ReconcileBeforeRetry);
            let blind = self.cases.get(&id).is_some_and(|case| !case.looked);
            let by_key = attempt.again == Some(RetryGround::SameKey);
            self.hold(!(must && blind && by_key), 2, || {
                format!("{id} was sent again without the look that a rule wants")
            });
        }
    }

    /// What runs is allowed by the policy in force, or approved by enough people on these bytes.
    fn allowed(
        &mut self,
        (before, next): (Option<&Invocation>, &Invocation),
        part: &Part,
        grounds: &Grounds,
    ) {
        let (id, policy) = (next.id.clone(), self.policy);
        let amount = next
            .proposal
            .arguments
            .get("amount")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let (verdict, quorum) =
            policy.map_or((Verdict::Deny, 0), |policy| policy.says(part, amount));
        self.hold(verdict != Verdict::Deny, 1, || {
            format!("{id} was admitted while the policy in force, {policy:?}, denies it")
        });
        let votes = match grounds {
            Grounds::Allowed => 0,
            Grounds::Approved { votes, .. } => votes.len(),
        };
        // A retry repeats what was admitted already; it may never be looser than a denial.
        let first = next.attempts == 1;
        self.hold(!first || votes >= quorum, 1, || {
            format!("{id} was admitted on {votes} votes, and {policy:?} wants {quorum}")
        });
        let Grounds::Approved {
            approval,
            digest,
            votes,
            ..
        } = grounds
        else {
            return;
        };
        let frozen = before.and_then(|before| before.state.frozen());
        if let Some(frozen) = frozen {
            let snapshot = &frozen.snapshot;
            let same = snapshot.get("arguments") == Some(&next.proposal.arguments)
                && json::digest(snapshot) == *digest;
            self.hold(same, 1, || {
                format!("{id} runs other bytes than were approved")
            });
            let started = next.state.attempt().map(|attempt| attempt.started_at);
            self.hold(started.is_some_and(|at| at < frozen.expires_at), 5, || {
                format!("{id} used its approval after its expiry")
            });
        }
        self.hold(!first || frozen.is_some(), 5, || {
            format!("{id} was approved and never frozen")
        });
        let user = self.used.insert(approval.clone(), id.clone());
        let again = user.is_some_and(|user| first || user != id);
        self.hold(!again, 5, || format!("{approval} was used twice"));
        let mut people = BTreeSet::new();
        for vote in votes {
            let name = vote.voter.id.as_str();
            let cast = self.votes.contains(&(name.to_owned(), *digest, true));
            let may = APPROVERS.contains(&name) && name != OWNER && name != AGENT;
            let once = people.insert(name.to_owned());
            self.hold(cast && may && once, 5, || {
                format!("{id} runs on a vote of {name} (sent: {cast}, may: {may}, once: {once})")
            });
        }
    }

    /// What the gate must have looked at since the state before is as it saw it: the tool callable
    /// and described so, the entity the one meant.
    fn fresh(
        &mut self,
        (id, next): (&InvocationId, &Invocation),
        part: &Part,
        (truth, since): (&Truth, i64),
    ) {
        let arguments = &next.proposal.arguments;
        if truth.shelf_since < since {
            let callable = truth
                .descriptor
                .as_ref()
                .is_some_and(|tool| tool.lifecycle.is_callable());
            self.hold(callable, 1, || {
                format!("{id} was admitted while its tool is disabled")
            });
            let digest = truth.descriptor.as_ref().map(|tool| tool.digest());
            let asked = matches!(
                &next.state,
                State::Executing {
                    grounds: Grounds::Approved { .. },
                    ..
                }
            );
            let same = digest == next.proposal.descriptor || !asked || next.attempts > 1;
            // What was requeued was approved as it is described now.
            let requeued = self
                .cases
                .get(id)
                .and_then(|case| case.last.state.frozen())
                .is_some_and(|frozen| {
                    frozen.snapshot.get("descriptor")
                        == digest.map(|d| serde_json::json!(d)).as_ref()
                });
            self.hold(same || requeued, 1, || {
                format!("{id} was admitted although its tool is described otherwise than approved")
            });
        }
        let event = next.proposal.trigger.as_ref().filter(|_| part.trigger);
        let true_one = arguments
            .get("charge")
            .and_then(Value::as_str)
            .map(|charge| format!("ev_{charge}"));
        let confirmed = event.is_none_or(|event| Some(&event.id) == true_one.as_ref());
        self.hold(confirmed, 1, || {
            format!("{id} was admitted on an event that its source does not have")
        });
        let Some(charge) = truth
            .charge
            .as_ref()
            .filter(|charge| part.entity && charge.since < since)
        else {
            return;
        };
        let customer = format!("cust_{}", charge.customer);
        let meant = arguments.get("customer").and_then(Value::as_str) == Some(customer.as_str());
        self.hold(meant, 1, || {
            format!("{id} was admitted for a customer that the charge is not of")
        });
        let frozen = self.cases.get(id).and_then(|case| case.last.state.frozen());
        let approved =
            frozen.and_then(|frozen| frozen.snapshot.get("entity")?.get("amount")?.as_u64());
        self.hold(
            approved.is_none_or(|amount| amount == charge.amount),
            1,
            || format!("{id} was admitted although its charge changed since it was approved"),
        );
    }

    /// 2: a further attempt of something that acts says why it is harmless.
    fn harmless(&mut self, (id, attempt): (&InvocationId, &Attempt), part: &Part) {
        let ordered = attempt.again == Some(RetryGround::Ordered);
        if ordered && let Some(case) = self.cases.get_mut(id) {
            case.ordered += 1;
        }
        let grounded = match attempt.again {
            Some(RetryGround::SameKey) => part.keyed(),
            Some(RetryGround::NotLanded { .. }) => part.readable && part.lands_within.is_some(),
            Some(RetryGround::Ordered) => true,
            None => false,
        };
        let effects = self.cases.get(id).map_or(0, |case| case.effects);
        let (number, again) = (attempt.number, attempt.again);
        self.hold(grounded, 2, || {
            format!("attempt {number} of {id} has no ground: {again:?}")
        });
        self.hold(effects == 0 || part.keyed() || ordered, 2, || {
            format!("attempt {number} of {id} was admitted after the effect had landed")
        });
    }

    fn keep(&mut self, next: &Invocation, now: i64) {
        let case = self.cases.entry(next.id.clone()).or_insert_with(|| Case {
            last: next.clone(),
            written_at: now,
            admitted: BTreeSet::new(),
            ordered: 0,
            sent: Vec::new(),
            effects: 0,
            looked: false,
        });
        case.last = next.clone();
        case.written_at = now;
        if next.status() == Status::Executing {
            case.admitted.insert(next.attempts);
            case.looked = false;
        }
    }

    /// Success means exactly one effect, whatever else ends a call means none.
    fn ended(&mut self, next: &Invocation) {
        if !next.status().is_terminal() {
            return;
        }
        let acts = Part::of(next.proposal.tool.as_str()).is_some_and(Part::acts);
        let case = self.cases.get(&next.id);
        let effects = case.map_or(0, |case| case.effects);
        let (id, status) = (&next.id, next.status());
        let expected = usize::from(acts && status == Status::Succeeded);
        let fits = effects == expected;
        self.hold(fits, 2, || {
            format!(
                "{id} ended {} and the ledger has {effects} effects",
                status.as_str()
            )
        });
    }
}

/// Whether nothing of an invocation in this state may ever be sent.
fn never_runs(status: Status) -> bool {
    matches!(
        status,
        Status::Denied
            | Status::Rejected
            | Status::Expired
            | Status::Cancelled
            | Status::PendingApproval
            | Status::Approved
            | Status::Proposed
    )
}

fn path(before: Option<&Invocation>, next: &Invocation) -> Path {
    let from = before.map_or(Status::Proposed, Invocation::status).as_str();
    let ground = match next.state.attempt().and_then(|attempt| attempt.again) {
        Some(RetryGround::SameKey) => "same key",
        Some(RetryGround::NotLanded { .. }) => "proven absent",
        Some(RetryGround::Ordered) => "ordered",
        None => "",
    };
    let shown = if next.status() == Status::Executing {
        ground
    } else {
        ""
    };
    (from, next.status().as_str(), shown)
}

/// The number of the call that an invocation came from.
fn call_of(invocation: &Invocation) -> Option<u64> {
    let correlation = invocation.proposal.correlation.as_deref()?;
    correlation.strip_prefix("call-")?.parse().ok()
}

fn happenings(before: Option<&Invocation>, next: &Invocation) -> Vec<Happening> {
    let mut all = Vec::new();
    let asked_before = before
        .and_then(|before| before.state.frozen())
        .map(|frozen| &frozen.approval);
    if let State::PendingApproval { frozen, .. } = &next.state
        && asked_before != Some(&frozen.approval)
    {
        all.push(Happening::Asked {
            approval: frozen.approval.clone(),
            digest: frozen.digest,
        });
    }
    if next.status() == Status::NeedsOperator {
        all.push(Happening::Helpless {
            invocation: next.id.clone(),
        });
    }
    all
}
