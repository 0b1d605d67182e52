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

use toolgate_driver::Outcome;
use toolgate_execution::{Choice, Frozen, Invocation, State, Status};
use toolgate_gate::port::{Change, Commit};
use toolgate_model::{ApprovalId, Call, Descriptor, Digest, InvocationId, KeyId, RecordId, ToolId};

use crate::cast::{Part, Policy};
use crate::desk::Charge;

mod admission;
mod end;
mod path;

pub(crate) use path::Path;

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

/// One attempt as it goes to the desk.
pub(crate) struct Sending<'s> {
    /// Whether a host runs it, and not the gate.
    pub(crate) by_host: bool,
    /// Of which invocation.
    pub(crate) id: &'s InvocationId,
    /// Which attempt.
    pub(crate) attempt: u32,
    /// What it calls.
    pub(crate) tool: &'s ToolId,
    /// With what.
    pub(crate) arguments: &'s serde_json::Value,
}

#[derive(Default)]
struct Seen {
    violations: Vec<Violation>,
    cases: BTreeMap<InvocationId, Case>,
    /// Approvals that were used, by which invocation.
    used: BTreeMap<ApprovalId, InvocationId>,
    /// Each approval as it was first frozen, and the policy that was in force then.
    frozen: BTreeMap<ApprovalId, (Frozen, Option<Policy>)>,
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
                Change::PolicySet(publication) => {
                    let newest = publication.set.iter().rev().find_map(|(_, number)| {
                        let place = usize::try_from(*number).ok()?.checked_sub(1)?;
                        seen.policies.get(place).map(|(_, policy)| *policy)
                    });
                    seen.policy = newest;
                }
                Change::Agent(_)
                | Change::Operator(_)
                | Change::Credential(_)
                | Change::PolicyRequest(..)
                | Change::ToolPin(_) => {}
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
        if let Some((last, _)) = &before {
            seen.sent_back(last, next);
        }
        let path = path::of(before.as_ref().map(|(last, _)| last), next);
        *seen.paths.entry(path).or_default() += 1;
        seen.keep(next, truth.now);
        seen.ended(next);
        happenings(before.as_ref().map(|(last, _)| last), next)
    }

    /// A request leaves a process of the gate, whose clock shows this, or a host.
    pub(crate) fn sent(&self, sending: &Sending<'_>, shown: Option<i64>) {
        let mut seen = self.seen();
        let (id, attempt) = (sending.id.clone(), sending.attempt);
        let Some(case) = seen.cases.get_mut(&id) else {
            seen.hold(false, 1, || format!("{id} was sent and never admitted"));
            return;
        };
        let (status, known) = (case.last.status(), case.admitted.contains(&attempt));
        let twice = case.sent.contains(&attempt);
        case.sent.push(attempt);
        let (count, ordered) = (case.sent.len(), case.ordered as usize);
        let proposal = &case.last.proposal;
        let same = proposal.arguments == *sending.arguments && proposal.tool == *sending.tool;
        let hosts = case.last.is_hosts();
        let late = case.last.state.attempt().is_some_and(|newest| {
            let until = newest.lease_until.as_millis();
            newest.number == attempt && shown.is_some_and(|shown| shown >= until)
        });
        seen.hold(known, 1, || {
            format!("attempt {attempt} of {id} was sent and never admitted")
        });
        seen.hold(same, 1, || {
            format!("{id} sent other bytes than were admitted")
        });
        seen.hold(hosts == sending.by_host, 1, || {
            format!("{id} was sent by whoever does not run it")
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
        let part = Part::of(sending.tool.as_str());
        let harmless = part.is_some_and(|part| part.protected() || !part.acts()) && !hosts;
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
        if let Some(frozen) = next.state.frozen() {
            let first = self.frozen.entry(frozen.approval.clone());
            first.or_insert_with(|| (frozen.clone(), self.policy));
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
