//! Who may decide on what: each refusal of an approver has its own code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod support;

use expect_test::{Expect, expect};
use support::{at, frozen, name, proposal, vote};
use toolgate_execution::{Choice, Frozen, Input, Invocation, Vote};
use toolgate_model::{Code, Effect, InvocationId, User, Verdict};

fn pending(frozen: Frozen) -> Invocation {
    let id = InvocationId::mint(at(0), [3; 10]);
    let mut proposal = proposal(Verdict::RequireApproval, Effect::Some);
    proposal.user = Some(User {
        id: name("uma@acme.com"),
        groups: Vec::new(),
    });
    proposal.chain = vec![name("planner")];
    let invocation = Invocation::propose(id, proposal, at(0));
    invocation
        .step(at(1), Input::Freeze(Box::new(frozen)))
        .unwrap()
        .next
}

fn check(invocation: &Invocation, vote: Vote, now: i64, expected: Expect) {
    let answer = match invocation.step(at(now), Input::Vote(vote)) {
        Ok(transition) => transition.next.status().as_str().to_owned(),
        Err(refusal) => format!("{}: {refusal}", refusal.code()),
    };
    expected.assert_eq(&answer);
}

#[test]
fn each_refusal_has_its_own_code() {
    let snapshot = frozen("a", 2, 1_000);
    let waiting = pending(snapshot.clone());
    let yes = |person: &str| vote(person, &snapshot, Choice::Approve);
    for person in ["ana@acme.com", "billing_agent", "uma@acme.com", "planner"] {
        let refusal = waiting.step(at(10), Input::Vote(yes(person))).unwrap_err();
        assert_eq!(refusal.code(), Code::SelfApproval, "{person}");
    }
    check(
        &waiting,
        vote("bo@acme.com", &frozen("other", 2, 1_000), Choice::Approve),
        10,
        expect!["snapshot_changed: the snapshot has changed: decide on its present digest"],
    );
    check(
        &waiting,
        yes("bo@acme.com"),
        1_000,
        expect!["approval_expired: the approval expired at 1970-01-01T00:00:01.000Z"],
    );
    check(
        &waiting,
        yes("bo@acme.com"),
        10,
        expect!["pending_approval"],
    );
    let once = waiting
        .step(at(10), Input::Vote(yes("bo@acme.com")))
        .unwrap()
        .next;
    check(
        &once,
        yes("bo@acme.com"),
        11,
        expect!["already_voted: this person has already decided this call"],
    );
    check(&once, yes("cy@acme.com"), 11, expect!["approved"]);
    check(
        &once,
        vote("cy@acme.com", &snapshot, Choice::Deny),
        11,
        expect!["rejected"],
    );
    let done = once
        .step(at(11), Input::Vote(yes("cy@acme.com")))
        .unwrap()
        .next;
    check(
        &done,
        yes("di@acme.com"),
        12,
        expect!["wrong_state: cannot decide an invocation that is approved"],
    );
}

#[test]
fn only_named_approvers_decide_where_some_are_named() {
    let mut snapshot = frozen("a", 1, 1_000);
    snapshot.terms.approvers = vec!["bo@acme.com".to_owned(), "finance".to_owned()];
    let waiting = pending(snapshot.clone());
    let by = |person: &str, groups: &[&str]| {
        let mut cast = vote(person, &snapshot, Choice::Approve);
        cast.voter.groups = groups.iter().map(|group| (*group).to_owned()).collect();
        cast
    };
    check(&waiting, by("bo@acme.com", &[]), 10, expect!["approved"]);
    check(
        &waiting,
        by("cy@acme.com", &["finance"]),
        10,
        expect!["approved"],
    );
    check(
        &waiting,
        by("cy@acme.com", &["sales"]),
        10,
        expect!["not_eligible: not among the approvers of this call: bo@acme.com, finance"],
    );
}
