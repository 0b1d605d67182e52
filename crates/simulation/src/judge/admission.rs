//! The judge on admissions: what may run, on which grounds, on which look at the world.
//!
//! An admission is the moment that counts: it is durable before the first byte leaves. What is in
//! force in the store at that moment must allow it, or enough people must have approved exactly
//! these bytes; and what the gate had to read live since the state before must be as it is.
//!
//! Must not know: what happens to an attempt afterwards.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use toolgate_execution::{Attempt, Grounds, Invocation, RetryGround, State, Status, Vote};
use toolgate_model::{ApprovalId, Digest, InvocationId, Obligation, Verdict, json as canonical};

use super::{Seen, Truth};
use crate::cast::{AGENT, APPROVERS, ESCALATES_AFTER, LATER, OWNER, Part};
use crate::desk::Charge;

/// One admission, as it became durable.
struct Admission<'a> {
    before: Option<&'a Invocation>,
    next: &'a Invocation,
    part: &'static Part,
    attempt: &'a Attempt,
    grounds: &'a Grounds,
}

impl Admission<'_> {
    const fn id(&self) -> &InvocationId {
        &self.next.id
    }

    fn argument(&self, name: &str) -> Option<&Value> {
        self.next.proposal.arguments.get(name)
    }

    const fn is_first(&self) -> bool {
        self.attempt.number == 1
    }
}

impl Seen {
    /// 1, 2, 5: an admission has its grounds, under what is in force in the store now.
    pub(super) fn admitted(
        &mut self,
        before: Option<&Invocation>,
        next: &Invocation,
        (truth, since): (&Truth, i64),
    ) {
        let id = &next.id;
        let part = Part::of(next.proposal.tool.as_str());
        let (State::Executing { attempt, grounds }, Some(part)) = (&next.state, part) else {
            // It may have been lost in the same write, but never admitted and ended.
            self.hold(false, 1, || {
                format!("{id} counts an attempt that cannot run")
            });
            return;
        };
        let admission = Admission {
            before,
            next,
            part,
            attempt,
            grounds,
        };
        let revoked = self.revoked.contains(&next.proposal.key);
        self.hold(!revoked, 1, || {
            format!("{id} was admitted on a revoked key")
        });
        self.allowed(&admission);
        if let Grounds::Approved {
            approval,
            digest,
            votes,
            ..
        } = grounds
        {
            self.approved(&admission, (approval, digest));
            self.decided(id, (approval, digest), votes);
        }
        if truth.shelf_since < since {
            self.described(&admission, truth);
        }
        self.confirmed(&admission);
        let charge = truth.charge.as_ref().filter(|charge| charge.since < since);
        if let Some(charge) = charge.filter(|_| part.entity) {
            self.meant(&admission, charge);
        }
        if !admission.is_first() && part.acts() {
            self.harmless(&admission);
            self.looked_first(&admission);
        }
    }

    /// The policy in force does not deny it, and enough people decided where it wants people.
    fn allowed(&mut self, admission: &Admission<'_>) {
        let (id, policy) = (admission.id(), self.policy);
        let amount = admission.argument("amount").and_then(Value::as_i64);
        let says = policy.map(|policy| policy.says(admission.part, amount.unwrap_or_default()));
        let (verdict, quorum) = says.unwrap_or((Verdict::Deny, 0));
        self.hold(verdict != Verdict::Deny, 1, || {
            format!("{id} was admitted while the policy in force, {policy:?}, denies it")
        });
        let votes = match admission.grounds {
            Grounds::Allowed => 0,
            Grounds::Approved { votes, .. } => votes.len(),
        };
        // A retry repeats what was admitted already; it may never run against a denial.
        self.hold(!admission.is_first() || votes >= quorum, 1, || {
            format!("{id} was admitted on {votes} votes, and {policy:?} wants {quorum}")
        });
    }

    /// 5: an approval is of these bytes, has not lapsed, and was not used before.
    fn approved(&mut self, admission: &Admission<'_>, (approval, digest): (&ApprovalId, &Digest)) {
        let (id, first) = (admission.id(), admission.is_first());
        let frozen = admission.before.and_then(|before| before.state.frozen());
        let same = frozen.is_none_or(|frozen| {
            frozen.snapshot.get("arguments") == Some(&admission.next.proposal.arguments)
                && canonical::digest(&frozen.snapshot) == *digest
        });
        self.hold(same, 1, || {
            format!("{id} runs other bytes than were approved")
        });
        self.hold(!first || frozen.is_some(), 5, || {
            format!("{id} was approved and never frozen")
        });
        let lapses = self
            .frozen
            .get(approval)
            .map(|(frozen, _)| frozen.expires_at);
        let in_time = lapses.is_some_and(|at| admission.attempt.started_at < at);
        self.hold(in_time, 5, || {
            format!("{id} used its approval after its expiry")
        });
        let user = self.used.insert(approval.clone(), id.clone());
        let again = user.is_some_and(|user| first || user != *id);
        self.hold(!again, 5, || format!("{approval} was used twice"));
    }

    /// 5: each vote is one that its person sent, on this digest, and that they may give.
    fn decided(
        &mut self,
        id: &InvocationId,
        (approval, digest): (&ApprovalId, &Digest),
        votes: &[Vote],
    ) {
        let mut people = BTreeSet::new();
        for vote in votes {
            let name = vote.voter.id.as_str();
            let sent = self.votes.contains(&(name.to_owned(), *digest, true));
            let may = self.may_decide(approval, vote);
            let once = people.insert(name.to_owned());
            self.hold(sent && may && once, 5, || {
                format!("{id} runs on a vote of {name} (sent: {sent}, may: {may}, once: {once})")
            });
        }
    }

    /// Who is named may decide, and whoever is asked later from then on.
    fn may_decide(&self, approval: &ApprovalId, vote: &Vote) -> bool {
        let name = vote.voter.id.as_str();
        let Some((frozen, _)) = self.frozen.get(approval) else {
            return false;
        };
        let anybody = frozen.terms.approvers.is_empty();
        let named = anybody || frozen.terms.approvers.iter().any(|named| named == name);
        let later = name == LATER && vote.at >= frozen.frozen_at.plus(ESCALATES_AFTER);
        APPROVERS.contains(&name) && name != OWNER && name != AGENT && (named || later)
    }

    /// 1: the tool is callable, and what was approved is described as it was then.
    fn described(&mut self, admission: &Admission<'_>, truth: &Truth) {
        let id = admission.id();
        let tool = truth.descriptor.as_ref();
        let callable = tool.is_some_and(|tool| tool.lifecycle.is_callable());
        self.hold(callable, 1, || {
            format!("{id} was admitted while its tool is disabled")
        });
        let frozen = admission.before.and_then(|before| before.state.frozen());
        let digest = tool.map(|tool| json!(tool.digest()));
        let same = frozen.is_none_or(|frozen| frozen.snapshot.get("descriptor") == digest.as_ref());
        self.hold(same, 1, || {
            format!("{id} was admitted although its tool is described otherwise than approved")
        });
    }

    /// 1: the event that the agent acts on is one that its source has, about this charge.
    fn confirmed(&mut self, admission: &Admission<'_>) {
        let id = admission.id();
        let event = admission.next.proposal.trigger.as_ref();
        let charge = admission.argument("charge").and_then(Value::as_str);
        let there = charge.map(|charge| format!("ev_{charge}"));
        let named = event.filter(|_| admission.part.trigger);
        self.hold(
            named.is_none_or(|event| Some(&event.id) == there.as_ref()),
            1,
            || format!("{id} was admitted on an event that its source does not have"),
        );
    }

    /// 1: the charge is the one that the call means, and as it was approved.
    fn meant(&mut self, admission: &Admission<'_>, charge: &Charge) {
        let id = admission.id();
        let customer = json!(format!("cust_{}", charge.customer));
        self.hold(admission.argument("customer") == Some(&customer), 1, || {
            format!("{id} was admitted for a customer that the charge is not of")
        });
        let frozen = admission.before.and_then(|before| before.state.frozen());
        let approved = frozen.and_then(|frozen| frozen.snapshot.get("entity")?.get("amount"));
        let same = approved.is_none_or(|amount| *amount == json!(charge.amount));
        self.hold(same, 1, || {
            format!("{id} was admitted although its charge changed since it was approved")
        });
    }

    /// 2: a further attempt of something that acts says why it is harmless.
    fn harmless(&mut self, admission: &Admission<'_>) {
        let (id, part, again) = (admission.id(), admission.part, admission.attempt.again);
        let ordered = again == Some(RetryGround::Ordered);
        let case = self.cases.get_mut(id);
        let effects = case.map_or(0, |case| {
            case.ordered += u32::from(ordered);
            case.effects
        });
        let grounded = match again {
            Some(RetryGround::SameKey) => part.keyed(),
            Some(RetryGround::NotLanded { .. }) => part.readable && part.lands_within.is_some(),
            Some(RetryGround::Ordered) => true,
            None => false,
        };
        let number = admission.attempt.number;
        self.hold(grounded, 2, || {
            format!("attempt {number} of {id} has no ground: {again:?}")
        });
        self.hold(effects == 0 || part.keyed(), 2, || {
            format!("attempt {number} of {id} was admitted after the effect had landed")
        });
    }

    /// 2: where a rule wants a look before anything is tried again, there was one.
    fn looked_first(&mut self, admission: &Admission<'_>) {
        let id = admission.id();
        let owed = &admission.next.proposal.decision.obligations;
        let must = owed.contains(&Obligation::ReconcileBeforeRetry);
        let blind = self.cases.get(id).is_some_and(|case| !case.looked);
        let by_key = admission.attempt.again == Some(RetryGround::SameKey);
        self.hold(!(must && blind && by_key), 2, || {
            format!("{id} was sent again without the look that a rule wants")
        });
    }

    /// 5: an approved call goes back to its approvers only where something that they decided on,
    /// or who must decide, has changed.
    pub(super) fn sent_back(&mut self, before: &Invocation, next: &Invocation) {
        let (Some(old), Some(fresh)) = (before.state.frozen(), next.state.frozen()) else {
            return;
        };
        if before.status() != Status::Approved || old.approval == fresh.approval {
            return;
        }
        let then = self
            .frozen
            .get(&old.approval)
            .and_then(|(_, policy)| *policy);
        let differs = |field: &str| old.snapshot.get(field) != fresh.snapshot.get(field);
        let changed = [
            "arguments",
            "descriptor",
            "entity",
            "resource",
            "credential",
        ]
        .into_iter()
        .any(differs);
        let (id, now) = (&next.id, self.policy);
        self.hold(changed || then != now, 5, || {
            format!("{id} was approved and is asked again, and nothing has changed")
        });
    }
}
