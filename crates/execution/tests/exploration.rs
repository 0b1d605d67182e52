//! Every reachable state of the machine, with every input in each, and the invariants after every
//! step.
//!
//! The world here is small on purpose: two snapshots, two approvers and people who must not
//! approve, three instants (in time, late for the lease, past expiry), at most three attempts. All
//! sequences of inputs are followed until no new state turns up.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod support;

use std::collections::{HashSet, VecDeque};

use support::{at, frozen, name, proposal, vote};
use toolgate_execution::{
    Answer, Choice, Failure, Finding, Grounds, Input, Invocation, Loss, LossCause, Output,
    Proposal, REQUEUES_MAX, Report, Resolution, Resolved, Retry, State, Status, Thaw, Told,
};
use toolgate_model::{
    Backoff, Code, Denial, Digest, Duration, Effect, EffectCheck, EffectLook, InvocationId,
    KeyPlace, Mode, Probe, Template, Timestamp, Verdict,
};

const EARLY: i64 = 10;
const LATE: i64 = 10_000;
const EXPIRY: i64 = 1_000;

/// One thing that happened to an invocation on its way here, for the checks over histories.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Past {
    Sent(u32),
    VotedFor(String),
    Lost,
    Proven,
    OrderedAgain,
}

fn inputs(invocation: &Invocation) -> Vec<Input> {
    let refused = || Denial::new(Code::PolicyDenied, "no");
    // A lease of the gate's own outlives both instants; that of a host ends between them.
    let lease_until = match invocation.is_hosts() {
        true => at(LATE / 2),
        false => at(LATE * 2),
    };
    let failure = || Failure {
        code: Code::ToolError,
        message: "no".to_owned(),
        error: None,
    };
    let mut all = vec![
        Input::Deny(refused()),
        Input::Admit { lease_until },
        Input::Admit { lease_until: at(0) },
        Input::Freeze(Box::new(frozen("a", 2, EXPIRY))),
        Input::Freeze(Box::new(frozen("a", 1, EXPIRY))),
        Input::Thaw(Thaw::Same { lease_until }),
        Input::Thaw(Thaw::Drifted(Box::new(frozen("bb", 1, EXPIRY)))),
        Input::Thaw(Thaw::Forbidden(refused())),
        Input::Withdraw {
            by: name("billing_agent"),
        },
        Input::Expire,
        Input::Reconcile,
        Input::Probe(Finding::Landed { data: None }),
        Input::Probe(Finding::NotFound {
            looked_at: at(EARLY),
        }),
        Input::Probe(Finding::NotFound {
            looked_at: at(LATE),
        }),
        Input::Probe(Finding::Unclear {
            looked_at: at(LATE),
            why: "no answer".to_owned(),
        }),
        Input::Retry(Retry::Admit { lease_until }),
        Input::Retry(Retry::Forbidden(refused())),
        Input::Remind,
        Input::Escalate {
            ground: "no probe".to_owned(),
        },
    ];
    for attempt in 1..=invocation.attempts + 1 {
        all.extend(reports(attempt));
        all.push(Input::Answer {
            attempt,
            answer: Answer::Success {
                result: "1".to_owned(),
            },
        });
        let answer = Answer::Failure {
            failure: failure(),
            result: None,
        };
        all.push(Input::Answer { attempt, answer });
        for cause in [LossCause::Timeout, LossCause::Cancelled] {
            for lease_until in [Some(lease_until), None] {
                all.push(Input::Lose(Loss {
                    attempt,
                    cause,
                    lease_until,
                }));
            }
        }
    }
    for snapshot in [frozen("a", 1, EXPIRY), frozen("bb", 1, EXPIRY)] {
        for person in [
            "bo@acme.com",
            "cy@acme.com",
            "ana@acme.com",
            "billing_agent",
        ] {
            for choice in [Choice::Approve, Choice::Deny, Choice::SendBack] {
                all.push(Input::Vote(vote(person, &snapshot, choice)));
            }
        }
    }
    for resolved in [
        Resolved::Landed,
        Resolved::NotLanded,
        Resolved::Retry { lease_until },
    ] {
        let (by, reason) = (name("bo@acme.com"), "looked".to_owned());
        all.push(Input::Resolve(Resolution {
            by,
            resolved,
            reason,
        }));
    }
    all
}

/// What a host can say of an attempt, true or not.
fn reports(attempt: u32) -> Vec<Input> {
    let success = Answer::Success {
        result: "1".to_owned(),
    };
    let failure = Failure {
        code: Code::ToolError,
        message: "no".to_owned(),
        error: None,
    };
    let failed = Answer::Failure {
        failure,
        result: None,
    };
    let all = [Told::Ended(success), Told::Ended(failed), Told::Unsure];
    let report = |told: Told| {
        Input::Report(Report {
            attempt,
            digest: Digest::of(format!("{told:?}").as_bytes()),
            told,
        })
    };
    all.map(report).into()
}

/// What a step adds to the history that the invariants need.
fn remember(past: &[Past], input: &Input, outputs: &[Output]) -> Vec<Past> {
    let mut past = past.to_vec();
    match input {
        Input::Vote(vote) if vote.choice == Choice::Approve => {
            past.push(Past::VotedFor(vote.digest.to_string()));
        }
        Input::Lose(_) => past.push(Past::Lost),
        Input::Retry(Retry::Admit { .. }) => past.push(Past::Proven),
        Input::Resolve(Resolution {
            resolved: Resolved::Retry { .. },
            ..
        }) => {
            past.push(Past::OrderedAgain);
        }
        _ => {}
    }
    for output in outputs {
        if let Output::Dispatch { attempt } = output {
            past.push(Past::Sent(*attempt));
        }
    }
    past
}

/// The invariants of 3-execution, part 5, that one step can break.
fn hold(before: &Invocation, now: Timestamp, after: &Invocation, past: &[Past]) {
    after.check().unwrap();
    // 4: terminal states never change.
    assert!(
        !before.status().is_terminal(),
        "{:?} moved",
        before.status()
    );
    assert_eq!(after.revision, before.revision + 1);
    let sent: Vec<u32> = past
        .iter()
        .filter_map(|event| {
            if let Past::Sent(attempt) = event {
                Some(*attempt)
            } else {
                None
            }
        })
        .collect();
    if after.is_hosts() {
        // 1 and 2: of what a host runs the gate sends nothing, and admits one attempt at most.
        assert!(sent.is_empty() && after.attempts <= 1, "{sent:?}");
        hold_of_host(before, now, after);
    } else {
        // 2: attempts are numbered 1, 2, 3 … and never sent twice under one number.
        assert_eq!(sent, (1..=after.attempts).collect::<Vec<_>>());
        let reported = after.settlement().and_then(|end| end.reported);
        assert_eq!(reported, None, "somebody reported on what the gate runs");
    }
    // 2: a further attempt needs proof or a person's word; a tool that only reads needs a loss.
    let allowed_again = match after.proposal.effect {
        Effect::Some => {
            let grounds = [Past::Proven, Past::OrderedAgain];
            past.iter().filter(|event| grounds.contains(event)).count()
        }
        Effect::None => past
            .iter()
            .filter(|e| matches!(e, Past::Lost | Past::Proven | Past::OrderedAgain))
            .count(),
    };
    assert!(
        sent.len() <= 1 + allowed_again,
        "attempt {} has no grounds",
        after.attempts
    );
    // 1 and 5: what runs on an approval runs on votes for exactly that digest, in time.
    if let State::Executing {
        grounds: Grounds::Approved { digest, votes, .. },
        ..
    } = &after.state
    {
        let for_it = Past::VotedFor(digest.to_string());
        assert!(past.iter().filter(|event| **event == for_it).count() >= votes.len());
        if before.status() == Status::Approved {
            assert!(now < at(EXPIRY), "an approval was used after its expiry");
        }
    }
    // 1: what needs approval never runs on an allow.
    if let State::Executing {
        grounds: Grounds::Allowed,
        ..
    } = &after.state
    {
        assert_eq!(after.proposal.decision.verdict, Verdict::Allow);
    }
    // 6: a denied call reaches no tool, unless it was attempted before it was asked again.
    if after.status() == Status::Denied {
        assert!(sent.is_empty());
    }
}

/// What holds of a call that its host runs: a live lease is in doubt only by the host's own word, and
/// a report says whether it came late.
fn hold_of_host(before: &Invocation, now: Timestamp, after: &Invocation) {
    let lease = before.state.attempt().map(|attempt| attempt.lease_until);
    if let (Status::Executing, State::UnknownEffect { cause, .. }) = (before.status(), &after.state)
    {
        let alive = lease.is_some_and(|until| now < until);
        assert!(!alive || *cause == LossCause::HostUnsure, "{cause:?}");
    }
    if let Some(reported) = after.settlement().and_then(|end| end.reported) {
        assert_eq!(Some(reported.late), lease.map(|until| now >= until));
    }
}

fn explore(proposal: Proposal) -> (usize, usize, HashSet<Status>) {
    let id = InvocationId::mint(at(0), [3; 10]);
    let verdict = proposal.decision.verdict;
    let start = Invocation::propose(id, proposal, at(0));
    let mut seen = HashSet::new();
    let mut statuses = HashSet::new();
    let mut queue = VecDeque::from([(start, Vec::new())]);
    let mut steps = 0;
    while let Some((before, past)) = queue.pop_front() {
        statuses.insert(before.status());
        for now in [at(EARLY), at(LATE)] {
            for input in inputs(&before) {
                // The gate admits only what it allowed and freezes only what needs approval.
                let fits = match &input {
                    Input::Admit { .. } => verdict == Verdict::Allow,
                    Input::Freeze(_) => verdict == Verdict::RequireApproval,
                    _ => true,
                };
                let Ok(transition) = before.step(now, input.clone()) else {
                    continue;
                };
                if !fits {
                    continue;
                }
                steps += 1;
                let past = remember(&past, &input, &transition.outputs);
                hold(&before, now, &transition.next, &past);
                assert!(!transition.events.is_empty(), "{input:?} left no record");
                let bounded = transition.next.attempts <= 3 && tries(&transition.next) <= 2;
                if bounded && seen.insert(key(&transition.next, &past)) {
                    queue.push_back((transition.next, past));
                }
            }
        }
    }
    (seen.len(), steps, statuses)
}

/// What a descriptor can say of its effect: nothing, a key, a look, a look with a bound, both.
fn checks() -> Vec<Option<EffectCheck>> {
    let key = Some(KeyPlace::Header("Idempotency-Key".to_owned()));
    let look = Some(EffectLook {
        probe: Probe {
            tool: "stripe.list_refunds".parse().unwrap(),
            arguments: Template::parse(serde_json::json!({})).unwrap(),
        },
        landed: "result.found".to_owned(),
    });
    let check = |idempotency, look, lands_within| {
        Some(EffectCheck {
            idempotency,
            look,
            lands_within,
            tries: 2,
            backoff: Backoff::default(),
        })
    };
    let bound = Some(Duration::from_secs(1));
    vec![
        None,
        check(key.clone(), None, None),
        check(None, look.clone(), None),
        check(None, look.clone(), bound),
        check(key, look, bound),
    ]
}

fn tries(invocation: &Invocation) -> u32 {
    match &invocation.state {
        State::Reconciling { tries, .. } => *tries,
        _ => 0,
    }
}

/// What tells two situations apart: the state without its times and revision, and the history.
fn key(invocation: &Invocation, past: &[Past]) -> String {
    let mut shown = invocation.clone();
    shown.revision = 0;
    shown.updated_at = at(0);
    let mut past: Vec<_> = past.iter().map(|event| format!("{event:?}")).collect();
    past.sort();
    format!("{:?} {:?}", shown.state, past)
}

/// The gate runs it, or its host does.
fn modes(effect: Effect) -> [(Effect, Mode); 2] {
    [Mode::Execute, Mode::Host].map(|mode| (effect, mode))
}

#[test]
fn every_reachable_state_keeps_the_invariants() {
    let mut reached = HashSet::new();
    let (mut states, mut total) = (0, 0);
    for verdict in [Verdict::Allow, Verdict::RequireApproval, Verdict::Deny] {
        for (effect, mode) in [Effect::Some, Effect::None].into_iter().flat_map(modes) {
            for check in checks() {
                let mut proposal = proposal(verdict, effect);
                (proposal.effect_check, proposal.mode) = (check, mode);
                let (met, steps, statuses) = explore(proposal);
                states += met;
                total += steps;
                reached.extend(statuses);
            }
        }
    }
    let missing: Vec<_> = Status::ALL
        .iter()
        .filter(|(status, _)| !reached.contains(status))
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
    assert!(total > 10_000, "only {total} steps were explored");
    println!("{states} states, {total} transitions");
}

#[test]
fn drift_sends_a_call_back_a_bounded_number_of_times() {
    let id = InvocationId::mint(at(0), [3; 10]);
    let mut invocation =
        Invocation::propose(id, proposal(Verdict::RequireApproval, Effect::Some), at(0));
    let go = |from: &Invocation, input| from.step(at(EARLY), input).unwrap().next;
    invocation = go(&invocation, Input::Freeze(Box::new(frozen("a", 1, EXPIRY))));
    for round in 0..=REQUEUES_MAX {
        let waiting = invocation.state.frozen().unwrap().clone();
        assert_eq!(waiting.requeues, round);
        let approve = vote("bo@acme.com", &waiting, Choice::Approve);
        invocation = go(&invocation, Input::Vote(approve));
        let fresh = frozen(&"x".repeat(round as usize + 2), 1, EXPIRY);
        invocation = go(&invocation, Input::Thaw(Thaw::Drifted(Box::new(fresh))));
    }
    let State::Denied { denial } = &invocation.state else {
        panic!("{:?}", invocation.state)
    };
    assert_eq!(denial.code, Code::Drifted);
}
