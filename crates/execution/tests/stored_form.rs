//! The stored form of an invocation is pinned: what an older gate wrote, a newer one reads.
//!
//! A change here is a change of what lies on disks. Do not accept it without a migration
//! (docs/decisions/0004).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod support;

use expect_test::expect_file;
use support::{at, frozen, name, proposal, vote};
use toolgate_execution::{
    Answer, Choice, Failure, Input, Invocation, Loss, LossCause, Resolution, Resolved, Thaw,
};
use toolgate_model::{Code, Denial, Effect, InvocationId, Verdict};

/// One invocation in each state that is ever stored.
fn gallery() -> Vec<Invocation> {
    let id = InvocationId::mint(at(0), [3; 10]);
    let start = |verdict| Invocation::propose(id.clone(), proposal(verdict, Effect::Some), at(0));
    let go = |from: &Invocation, input: Input| from.step(at(10), input).unwrap().next;
    let lease_until = at(1_000);
    let snapshot = frozen("a", 1, 1_000);
    let failure = Failure {
        code: Code::ToolError,
        message: "no".to_owned(),
        error: None,
    };
    let lost = Loss {
        attempt: 1,
        cause: LossCause::Timeout,
        lease_until: None,
    };
    let word = Resolution {
        by: name("bo@acme.com"),
        resolved: Resolved::Landed,
        reason: "seen".to_owned(),
    };
    let denied = go(
        &start(Verdict::Deny),
        Input::Deny(Denial::new(Code::PolicyDenied, "no").with("rule", "r1")),
    );
    let executing = go(&start(Verdict::Allow), Input::Admit { lease_until });
    let unknown = go(&executing, Input::Lose(lost));
    let reconciling = go(&unknown, Input::Reconcile);
    let needs = go(
        &reconciling,
        Input::Escalate {
            ground: "no probe".to_owned(),
        },
    );
    let pending = go(
        &start(Verdict::RequireApproval),
        Input::Freeze(Box::new(snapshot.clone())),
    );
    let approved = go(
        &pending,
        Input::Vote(vote("bo@acme.com", &snapshot, Choice::Approve)),
    );
    let thawed = go(&approved, Input::Thaw(Thaw::Same { lease_until }));
    let success = Answer::Success {
        result: "{\"n\":1e2}".to_owned(),
    };
    vec![
        denied,
        go(
            &executing,
            Input::Answer {
                attempt: 1,
                answer: success,
            },
        ),
        go(
            &executing,
            Input::Answer {
                attempt: 1,
                answer: Answer::Failure {
                    failure,
                    result: None,
                },
            },
        ),
        executing,
        unknown,
        reconciling,
        go(&needs, Input::Resolve(word)),
        needs,
        go(
            &pending,
            Input::Vote(vote("bo@acme.com", &snapshot, Choice::SendBack)),
        ),
        go(
            &pending,
            Input::Withdraw {
                by: name("billing_agent"),
            },
        ),
        pending.step(at(2_000), Input::Expire).unwrap().next,
        pending,
        approved,
        thawed,
    ]
}

#[test]
fn what_was_stored_before_looks_were_kept_is_still_read() {
    for line in include_str!("stored_form_before_looks.jsonl").lines() {
        let back: Invocation = serde_json::from_str(line).unwrap();
        back.check().unwrap();
    }
}

#[test]
fn every_stored_state_is_written_and_read_as_ever() {
    let mut shown = String::new();
    for invocation in gallery() {
        let text = serde_json::to_string(&invocation).unwrap();
        let back: Invocation = serde_json::from_str(&text).unwrap();
        assert_eq!(back, invocation);
        back.check().unwrap();
        shown.push_str(&text);
        shown.push('\n');
    }
    expect_file!["stored_form.jsonl"].assert_eq(&shown);
}
