//! What a host may say of a call that it ran, when, and what follows from it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod support;

use expect_test::{Expect, expect};
use support::{at, frozen, name, proposal, vote};
use toolgate_execution::{
    Answer, Choice, Failure, Input, Invocation, Loss, LossCause, Output, Report, Resolution,
    Resolved, Told,
};
use toolgate_model::{Code, Digest, Effect, InvocationId, Mode, Verdict};

/// When the lease of every attempt here ends.
const LEASE: i64 = 1_000;

fn proposed(verdict: Verdict, mode: Mode, effect: Effect) -> Invocation {
    let mut proposal = proposal(verdict, effect);
    proposal.mode = mode;
    Invocation::propose(InvocationId::mint(at(0), [3; 10]), proposal, at(0))
}

fn admitted(mode: Mode, effect: Effect) -> Invocation {
    let lease_until = at(LEASE);
    go(
        &proposed(Verdict::Allow, mode, effect),
        1,
        Input::Admit { lease_until },
    )
}

fn go(from: &Invocation, now: i64, input: Input) -> Invocation {
    from.step(at(now), input).unwrap().next
}

fn silent(from: &Invocation) -> Invocation {
    let loss = Loss {
        attempt: 1,
        cause: LossCause::LeaseLost,
        lease_until: None,
    };
    go(from, LEASE, Input::Lose(loss))
}

fn waiting(from: &Invocation) -> Invocation {
    let ground = "nobody can look".to_owned();
    go(&silent(from), LEASE, Input::Escalate { ground })
}

fn success() -> Told {
    Told::Ended(Answer::Success {
        result: "1".to_owned(),
    })
}

fn failure() -> Told {
    let failure = Failure {
        code: Code::ToolError,
        message: "no".to_owned(),
        error: None,
    };
    Told::Ended(Answer::Failure {
        failure,
        result: None,
    })
}

/// What a report at this instant comes to: the state and the record of it, or why not.
fn check(from: &Invocation, now: i64, (attempt, told): (u32, Told), expected: Expect) {
    let digest = Digest::of(b"report");
    let report = Input::Report(Report {
        attempt,
        told,
        digest,
    });
    let answer = match from.step(at(now), report) {
        Ok(step) => {
            step.next.check().unwrap();
            let event = step.events.last().unwrap();
            let data = serde_json::to_string(&event.data).unwrap();
            format!("{} {data}", event.kind)
        }
        Err(refusal) => format!("{}: {refusal}", refusal.code()),
    };
    expected.assert_eq(&answer);
}

#[test]
fn a_report_in_time_settles_the_call() {
    let running = admitted(Mode::Host, Effect::Some);
    check(
        &running,
        LEASE - 1,
        (1, success()),
        expect![[
            r#"invocation.succeeded {"attempt":1,"reconciled":false,"resolved_by":null,"late":false}"#
        ]],
    );
    check(
        &running,
        LEASE - 1,
        (1, failure()),
        expect![[
            r#"invocation.failed {"attempt":1,"reconciled":false,"resolved_by":null,"late":false,"failure":{"code":"tool_error","message":"no"}}"#
        ]],
    );
    check(
        &running,
        LEASE - 1,
        (1, Told::Unsure),
        expect![[r#"invocation.unknown_effect {"attempt":1,"cause":"host_unsure"}"#]],
    );
}

#[test]
fn a_late_report_settles_what_is_in_doubt_and_says_that_it_was_late() {
    let running = admitted(Mode::Host, Effect::Some);
    let looking = go(&silent(&running), LEASE + 1, Input::Reconcile);
    for doubt in [&running, &silent(&running), &looking, &waiting(&running)] {
        check(
            doubt,
            LEASE,
            (1, success()),
            expect![[
                r#"invocation.succeeded {"attempt":1,"reconciled":false,"resolved_by":null,"late":true}"#
            ]],
        );
    }
    check(
        &waiting(&running),
        LEASE + 5,
        (1, Told::Unsure),
        expect!["wrong_state: cannot report an invocation that is needs_operator"],
    );
}

#[test]
fn what_has_ended_has_ended() {
    let running = admitted(Mode::Host, Effect::Some);
    let word = Resolution {
        by: name("bo@acme.com"),
        resolved: Resolved::NotLanded,
        reason: "looked".to_owned(),
    };
    let resolved = go(&waiting(&running), LEASE + 1, Input::Resolve(word));
    check(
        &resolved,
        LEASE + 2,
        (1, success()),
        expect!["wrong_state: cannot report an invocation that is failed"],
    );
    // Of a read nothing can have landed: its silence has ended it.
    check(
        &silent(&admitted(Mode::Host, Effect::None)),
        LEASE + 2,
        (1, success()),
        expect!["wrong_state: cannot report an invocation that is failed"],
    );
}

#[test]
fn another_attempt_is_fenced_and_what_the_gate_runs_has_no_reports() {
    let running = admitted(Mode::Host, Effect::Some);
    for attempt in [0, 2] {
        let from = waiting(&running);
        for from in [&running, &from] {
            let digest = Digest::of(b"report");
            let told = success();
            let report = Report {
                attempt,
                told,
                digest,
            };
            let refusal = from.step(at(10), Input::Report(report)).unwrap_err();
            let expected = format!("attempt {attempt} no longer holds the lease: 1 does");
            assert_eq!(refusal.to_string(), expected);
        }
    }
    check(
        &admitted(Mode::Execute, Effect::Some),
        10,
        (1, success()),
        expect!["wrong_state: the gate runs this call itself: nobody reports what came of it"],
    );
    check(
        &proposed(Verdict::Allow, Mode::Host, Effect::Some),
        10,
        (1, success()),
        expect!["wrong_state: cannot report an invocation that is proposed"],
    );
}

#[test]
fn the_gate_neither_sends_nor_gives_up_what_a_live_host_runs() {
    let proposed = proposed(Verdict::Allow, Mode::Host, Effect::Some);
    let lease_until = at(LEASE);
    let step = proposed.step(at(1), Input::Admit { lease_until }).unwrap();
    assert_eq!(step.outputs, [Output::ArmTimer { at: lease_until }]);
    for cause in [LossCause::GateRestarted, LossCause::LeaseLost] {
        let loss = Loss {
            attempt: 1,
            cause,
            lease_until: None,
        };
        let early = step.next.step(at(LEASE - 1), Input::Lose(loss.clone()));
        assert!(early.is_err(), "{cause:?}");
        assert!(step.next.step(at(LEASE), Input::Lose(loss)).is_ok());
    }
    let word = Resolution {
        by: name("bo@acme.com"),
        resolved: Resolved::Retry {
            lease_until: at(LEASE * 3),
        },
        reason: "once more".to_owned(),
    };
    let refusal = waiting(&step.next).step(at(LEASE + 1), Input::Resolve(word));
    let expected = "a host runs this call, and the gate cannot send it: the host makes it anew";
    assert_eq!(refusal.unwrap_err().to_string(), expected);
}

#[test]
fn what_is_approved_waits_for_its_host() {
    let proposed = proposed(Verdict::RequireApproval, Mode::Host, Effect::Some);
    let snapshot = frozen("a", 1, LEASE);
    let pending = go(&proposed, 1, Input::Freeze(Box::new(snapshot.clone())));
    let approve = vote("bo@acme.com", &snapshot, Choice::Approve);
    let step = pending.step(at(2), Input::Vote(approve)).unwrap();
    // Whoever waits hears of it; nothing is read or run for a host that may be away.
    assert_eq!(step.outputs, [Output::Answer]);
}
