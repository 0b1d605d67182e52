//! The machine against a ledger: every order in which requests are sent, lost, land late, answer,
//! are looked for and sent again, with the number of effects counted outside the machine.
//!
//! `exploration.rs` throws every input at every state, also ones that no honest world could bring
//! about. Here the world is honest and keeps the books: a request that was sent is on its way until
//! it lands or is gone, a look sees what is there at one of the instants it took, a definite answer
//! is true, a person who settles a call knows. What the machine may never do in such a world is
//! have two effects, call a call failed whose effect is there or still to come, or call one a
//! success that has none (3-execution, 5).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

mod support;

use std::collections::{HashMap, HashSet, VecDeque};

use support::{at, frozen, name, proposal, vote};
use toolgate_execution::{
    Answer, Choice, Event, Failure, Finding, Grounds, Input, Invocation, Loss, LossCause, Output,
    Plan, Report, Resolution, Resolved, Retry, RetryGround, Sighting, State, Status, Thaw, Told,
    Transition,
};
use toolgate_model::{
    Backoff, Code, Denial, Digest, Duration, Effect, EffectCheck, EffectLook, InvocationId,
    KeyPlace, Mode, Probe, Template, Timestamp, Verdict,
};

/// Milliseconds of one tick.
const TICK: i64 = 1_000;
/// How long a lease lasts, in ticks.
const LEASE: i64 = 1;
/// Before so many ticks after it was sent a request has landed, where a bound is stated.
const BOUND: i64 = 2;
/// When an approval lapses, in ticks.
const EXPIRY: i64 = 3;

/// What the downstream is like, and what the descriptor says of it.
#[derive(Clone, Copy, Debug)]
struct Tool {
    effect: Effect,
    /// Honours the key, by answering again or by refusing.
    keyed: bool,
    readable: bool,
    bounded: bool,
    /// Run by its host, which says itself what came of it, however late.
    hosted: bool,
}

const TOOLS: [(&str, Tool); 11] = [
    ("a read", tool(Effect::None, false, false, false)),
    ("nothing", tool(Effect::Some, false, false, false)),
    ("a key", tool(Effect::Some, true, false, false)),
    ("a look", tool(Effect::Some, false, true, false)),
    ("a look with a bound", tool(Effect::Some, false, true, true)),
    ("a key and a look", tool(Effect::Some, true, true, false)),
    (
        "a key and a look with a bound",
        tool(Effect::Some, true, true, true),
    ),
    ("a host", hosted(tool(Effect::Some, false, false, false))),
    (
        "a host's read",
        hosted(tool(Effect::None, false, false, false)),
    ),
    (
        "a host and a look",
        hosted(tool(Effect::Some, false, true, false)),
    ),
    (
        "a host, a key and a look with a bound",
        hosted(tool(Effect::Some, true, true, true)),
    ),
];

const fn hosted(tool: Tool) -> Tool {
    Tool {
        hosted: true,
        ..tool
    }
}

const fn tool(effect: Effect, keyed: bool, readable: bool, bounded: bool) -> Tool {
    Tool {
        effect,
        keyed,
        readable,
        bounded,
        hosted: false,
    }
}

/// What is true outside the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Books {
    now: i64,
    /// Attempts that a node may still send, and until when.
    permits: Vec<(u32, i64)>,
    /// Requests on their way, and since when.
    flying: Vec<(u32, i64)>,
    /// The newest definite answer that may still be delivered, and what it says.
    answers: Vec<(u32, bool)>,
    /// A look under way: since when, and whether the effect was there then.
    look: Option<(i64, bool)>,
    effects: u32,
    sends: u32,
    ordered: u32,
}

/// One situation: the machine and the world around it.
type Situation = (Invocation, Books);

fn clock(books: &Books) -> Timestamp {
    at(books.now * TICK)
}

fn check_of(tool: Tool) -> Option<EffectCheck> {
    let look = EffectLook {
        probe: Probe {
            tool: "stripe.list_refunds".parse().unwrap(),
            arguments: Template::parse(serde_json::json!({})).unwrap(),
        },
        landed: "result.found".to_owned(),
    };
    (tool.keyed || tool.readable).then(|| EffectCheck {
        idempotency: tool
            .keyed
            .then(|| KeyPlace::Header("Idempotency-Key".to_owned())),
        look: tool.readable.then_some(look),
        lands_within: tool
            .bounded
            .then(|| Duration::from_millis(u32::try_from(BOUND * TICK).unwrap())),
        tries: 2,
        backoff: Backoff {
            first: Duration::from_millis(500),
            last: Duration::from_millis(500),
        },
    })
}

/// What the world does by itself.
fn outside(tool: Tool, (machine, books): &Situation) -> Vec<Situation> {
    let mut all = Vec::new();
    let mut push = |books: Books| all.push((machine.clone(), books));
    let overdue = |(_, since): &(u32, i64)| tool.bounded && books.now + 1 - since >= BOUND;
    if !books.flying.iter().any(overdue) {
        push(Books {
            now: books.now + 1,
            ..books.clone()
        });
    }
    for (place, (attempt, until)) in books.permits.iter().enumerate() {
        let mut gone = books.clone();
        gone.permits.remove(place);
        // The node dies before it sends, or sends.
        push(gone.clone());
        if books.now < *until {
            gone.flying.push((*attempt, books.now));
            gone.sends += 1;
            push(gone);
        }
    }
    for (place, (attempt, _)) in books.flying.iter().enumerate() {
        let mut arrived = books.clone();
        arrived.flying.remove(place);
        // It is lost on the way, or declined.
        push(arrived.clone());
        let mut declined = arrived.clone();
        declined.answers = vec![(*attempt, false)];
        push(declined);
        let known = tool.keyed && books.effects > 0;
        if known {
            let mut refused = arrived.clone();
            refused.answers = vec![(*attempt, false)];
            push(refused);
        } else if tool.effect == Effect::Some {
            arrived.effects += 1;
        }
        arrived.answers = vec![(*attempt, true)];
        push(arrived);
    }
    if tool.readable && books.look.is_none() && machine.status() == Status::Reconciling {
        let look = Some((books.now, books.effects > 0));
        push(Books {
            look,
            ..books.clone()
        });
    }
    all
}

/// What the world may tell the machine: nothing that is not so.
fn told(tool: Tool, (machine, books): &Situation) -> Vec<(Input, Books)> {
    let lease_until = at((books.now + LEASE) * TICK);
    let mut all = Vec::new();
    let mut say = |input: Input| all.push((input, books.clone()));
    let refused = || Denial::new(Code::PolicyDenied, "no");
    match machine.status() {
        Status::Proposed => match machine.proposal.decision.verdict {
            Verdict::Allow | Verdict::Sanitize => say(Input::Admit { lease_until }),
            Verdict::RequireApproval => {
                say(Input::Freeze(Box::new(frozen("a", 2, EXPIRY * TICK))));
            }
            Verdict::Deny => say(Input::Deny(refused())),
        },
        Status::PendingApproval | Status::Approved => {
            say(Input::Thaw(Thaw::Same { lease_until }));
            say(Input::Thaw(Thaw::Drifted(Box::new(frozen(
                "bb",
                1,
                EXPIRY * TICK,
            )))));
            say(Input::Thaw(Thaw::Forbidden(refused())));
            say(Input::Withdraw {
                by: name("billing_agent"),
            });
            say(Input::Expire);
            say(Input::Remind);
        }
        Status::NeedsOperator | Status::UnknownEffect => say(Input::Reconcile),
        _ => {}
    }
    match machine.plan() {
        Some(Plan::Ask(ground)) => say(Input::Escalate { ground }),
        Some(Plan::Exhausted) => say(Input::Escalate {
            ground: "none landed".to_owned(),
        }),
        Some(Plan::Look(_) | Plan::Retry(_)) | None => {}
    }
    say(Input::Retry(Retry::Admit { lease_until }));
    say(Input::Retry(Retry::Forbidden(refused())));
    if machine.status() == Status::PendingApproval {
        votes(&mut say);
    }
    losses(books, machine, lease_until, &mut all);
    answers(tool, books, &mut all);
    sights(books, &mut all);
    words(tool, books, lease_until, &mut all);
    all
}

/// Votes of people who may and who must not, for this snapshot and for the other one.
fn votes(say: &mut impl FnMut(Input)) {
    for snapshot in [
        frozen("a", 2, EXPIRY * TICK),
        frozen("bb", 1, EXPIRY * TICK),
    ] {
        for person in [
            "bo@acme.com",
            "cy@acme.com",
            "ana@acme.com",
            "billing_agent",
        ] {
            say(Input::Vote(vote(person, &snapshot, Choice::Approve)));
        }
        say(Input::Vote(vote("cy@acme.com", &snapshot, Choice::Deny)));
    }
}

/// A node gives up waiting, its lease runs out, or it dies with whatever it had not sent.
fn losses(books: &Books, machine: &Invocation, lease: Timestamp, all: &mut Vec<(Input, Books)>) {
    let State::Executing { attempt, .. } = &machine.state else {
        return;
    };
    let number = attempt.number;
    let lose = |cause, lease_until| {
        Input::Lose(Loss {
            attempt: number,
            cause,
            lease_until,
        })
    };
    if clock(books) >= attempt.lease_until {
        all.push((lose(LossCause::LeaseLost, None), books.clone()));
    }
    if machine.is_hosts() {
        // The gate may restart as often as it likes; a host that gives up says so.
        all.push((lose(LossCause::GateRestarted, None), books.clone()));
        let given_up = Books {
            permits: Vec::new(),
            ..books.clone()
        };
        all.push((report(number, Told::Unsure), given_up));
        return;
    }
    if books.permits.is_empty() {
        all.push((lose(LossCause::Timeout, Some(lease)), books.clone()));
    }
    let dead = Books {
        permits: Vec::new(),
        ..books.clone()
    };
    all.push((lose(LossCause::GateRestarted, None), dead));
}

/// What a host says of an attempt.
fn report(attempt: u32, told: Told) -> Input {
    Input::Report(Report {
        attempt,
        told,
        digest: Digest::of(b"report"),
    })
}

/// Definite answers, of old attempts too; and what could not be sent before its lease ran out.
fn answers(tool: Tool, books: &Books, all: &mut Vec<(Input, Books)>) {
    let answered = |attempt, answer| match tool.hosted {
        true => report(attempt, Told::Ended(answer)),
        false => Input::Answer { attempt, answer },
    };
    let failure = || Answer::Failure {
        failure: Failure {
            code: Code::ToolError,
            message: "no".to_owned(),
            error: None,
        },
        result: None,
    };
    for (place, (attempt, success)) in books.answers.iter().enumerate() {
        let mut delivered = books.clone();
        delivered.answers.remove(place);
        let answer = if *success {
            Answer::Success {
                result: "1".to_owned(),
            }
        } else {
            failure()
        };
        all.push((answered(*attempt, answer), delivered));
    }
    for (place, (attempt, until)) in books.permits.iter().enumerate() {
        let mut unsent = books.clone();
        unsent.permits.remove(place);
        if books.now >= *until {
            all.push((answered(*attempt, failure()), unsent));
        }
    }
}

/// What a look under way may report: what was there when it began, or what is there now.
fn sights(books: &Books, all: &mut Vec<(Input, Books)>) {
    let Some((began, found)) = books.look else {
        return;
    };
    let looked_at = at(began * TICK);
    let done = Books {
        look: None,
        ..books.clone()
    };
    for seen in HashSet::from([found, books.effects > 0]) {
        let finding = if seen {
            Finding::Landed { data: None }
        } else {
            Finding::NotFound { looked_at }
        };
        all.push((Input::Probe(finding), done.clone()));
    }
    let why = "no answer".to_owned();
    all.push((Input::Probe(Finding::Unclear { looked_at, why }), done));
}

/// A person speaks only when nothing is under way any more, and tells the truth.
fn words(tool: Tool, books: &Books, lease_until: Timestamp, all: &mut Vec<(Input, Books)>) {
    if !books.flying.is_empty() || !books.permits.is_empty() {
        return;
    }
    let mut say = |resolved, ordered| {
        let (by, reason) = (name("bo@acme.com"), "looked".to_owned());
        let input = Input::Resolve(Resolution {
            by,
            resolved,
            reason,
        });
        let ordered = books.ordered + ordered;
        all.push((
            input,
            Books {
                ordered,
                ..books.clone()
            },
        ));
    };
    if books.effects > 0 || tool.effect == Effect::None {
        say(Resolved::Landed, 0);
    }
    if books.effects == 0 {
        say(Resolved::NotLanded, 0);
        // LIMIT: one order; a second one is the same again.
        if books.ordered == 0 {
            say(Resolved::Retry { lease_until }, 1);
        }
    }
}

/// What the machine's outputs mean for the world.
fn perform(step: &Transition, mut books: Books) -> Situation {
    let admitted = |event: &Event| event.kind == "invocation.admitted";
    if let Some(attempt) = step.next.state.attempt()
        && step.next.is_hosts()
        && step.events.iter().any(admitted)
    {
        // Whoever was admitted holds the lease, and nobody else sends anything.
        let until = attempt.lease_until.as_millis() / TICK;
        books.permits.push((attempt.number, until));
    }
    for output in &step.outputs {
        if let Output::Dispatch { attempt } = output {
            assert!(!step.next.is_hosts(), "the gate sends what a host runs");
            let lease = step.next.state.attempt().unwrap().lease_until;
            books.permits.push((*attempt, lease.as_millis() / TICK));
        }
    }
    // A look is about the situation that it began in.
    if step.next.status() != Status::Reconciling {
        books.look = None;
    }
    (step.next.clone(), books)
}

/// What must hold in every situation, with the two before and after named where it does not.
fn hold(tool: Tool, (machine, books): &Situation) -> Result<(), String> {
    let status = machine.status();
    let ensure = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(format!("{what}: {status:?}, {books:?}"))
        }
    };
    machine.check().map_err(|broken| broken.to_string())?;
    ensure(books.effects <= 1, "invariant 2: two effects")?;
    let protected = (tool.keyed || tool.bounded || tool.effect == Effect::None) && !tool.hosted;
    ensure(
        protected || books.sends <= 1 + books.ordered,
        "invariant 2: sent again without protection",
    )?;
    ensure(
        books.sends <= machine.attempts,
        "invariant 1: sent and not admitted",
    )?;
    match status {
        Status::Succeeded => ensure(
            books.effects == 1 || tool.effect == Effect::None,
            "a success without its effect",
        ),
        Status::Failed => {
            ensure(books.effects == 0, "a failure with an effect")?;
            let lands = tool.effect == Effect::Some && !books.flying.is_empty();
            ensure(!lands, "a failure whose effect may still land")
        }
        Status::Denied | Status::Rejected | Status::Expired | Status::Cancelled => {
            ensure(books.sends == 0, "invariant 6: refused and sent")
        }
        _ => Ok(()),
    }
}

/// What one step may not do, whatever came before.
fn moved(before: &Situation, step: &Transition) -> Result<(), String> {
    let (from, now) = (&before.0, clock(&before.1));
    if from.status().is_terminal() {
        return Err(format!("invariant 4: {:?} moved", from.status()));
    }
    if step.events.is_empty() {
        return Err("invariant 3: a step left no record".to_owned());
    }
    if step.next.revision != from.revision + 1 {
        return Err("invariant 4: a step that counts wrong".to_owned());
    }
    let runs = step.next.attempts > from.attempts;
    if let (true, Some(frozen)) = (runs, from.state.frozen())
        && now >= frozen.expires_at
    {
        return Err("invariant 5: an approval was used after its expiry".to_owned());
    }
    if runs && from.status() == Status::PendingApproval {
        return Err("invariant 5: it ran before its quorum was met".to_owned());
    }
    Ok(())
}

/// Every situation that was met, and which leads to which.
#[derive(Default)]
struct Explored {
    places: HashMap<Key, usize>,
    resting: Vec<bool>,
    arrows: Vec<(usize, usize)>,
    reached: HashSet<Status>,
}

impl Explored {
    /// The place of this situation, and whether it is met for the first time.
    fn place(&mut self, tool: Tool, situation: &Situation) -> (usize, bool) {
        let fresh = self.resting.len();
        let place = *self.places.entry(key(tool, situation)).or_insert(fresh);
        if place == fresh {
            self.resting.push(at_rest(&situation.0));
            self.reached.insert(situation.0.status());
        }
        (place, place == fresh)
    }

    /// 4: how many situations there are from which no way leads to an end or to a person.
    fn lost(&self) -> usize {
        let mut back = vec![Vec::new(); self.resting.len()];
        for (from, to) in &self.arrows {
            back[*to].push(*from);
        }
        let mut home = self.resting.clone();
        let mut open: Vec<_> = (0..home.len()).filter(|place| home[*place]).collect();
        while let Some(place) = open.pop() {
            for from in &back[place] {
                if !std::mem::replace(&mut home[*from], true) {
                    open.push(*from);
                }
            }
        }
        home.iter().filter(|home| !**home).count()
    }
}

fn explore(verdict: Verdict, (name, tool): (&str, Tool)) -> Explored {
    let mut proposal = proposal(verdict, tool.effect);
    proposal.effect_check = check_of(tool);
    if tool.hosted {
        proposal.mode = Mode::Host;
    }
    let id = InvocationId::mint(at(0), [3; 10]);
    let start = (Invocation::propose(id, proposal, at(0)), Books::default());
    let mut explored = Explored::default();
    explored.place(tool, &start);
    let mut queue = VecDeque::from([(0, start)]);
    while let Some((from, situation)) = queue.pop_front() {
        let mut next = outside(tool, &situation);
        for (input, books) in told(tool, &situation) {
            if let Ok(step) = situation.0.step(clock(&situation.1), input.clone()) {
                let named = |what: String| format!("{name}, {verdict:?}, {input:?}: {what}");
                moved(&situation, &step).map_err(named).unwrap();
                next.push(perform(&step, books));
            }
        }
        for situation in next {
            let named = |what: String| format!("{name}, {verdict:?}: {what}");
            hold(tool, &situation).map_err(named).unwrap();
            let (to, fresh) = explored.place(tool, &situation);
            explored.arrows.push((from, to));
            if fresh {
                queue.push_back((to, situation));
            }
        }
    }
    explored
}

fn at_rest(machine: &Invocation) -> bool {
    machine.status().is_terminal() || machine.status() == Status::NeedsOperator
}

/// What tells two situations apart: whatever a later step or landing can depend on. Instants count
/// only by how far they are from now and from each other, so time may go on for ever.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    status: Status,
    attempts: u32,
    again: Option<RetryGround>,
    lease_left: i64,
    approval_left: i64,
    frozen: Option<(Digest, u32, usize)>,
    /// How long ago the answer was lost, how often was looked, and what the last look proves.
    doubt: (i64, u32, Option<(bool, bool)>),
    /// A look under way: whether it can prove anything, and what was there when it began.
    look: Option<(bool, bool)>,
    permits: Vec<(u32, i64)>,
    flying: Vec<(u32, i64)>,
    answers: Vec<(u32, bool)>,
    counts: [u32; 3],
}

fn key(tool: Tool, (machine, books): &Situation) -> Key {
    let ended = machine.status().is_terminal();
    let now = books.now;
    let left = |until: Timestamp| (until.as_millis() / TICK - now).max(0);
    let (lost_at, tries, last) = doubt(&machine.state);
    let lost = lost_at.map_or(now, |at| at.as_millis() / TICK);
    let proves = |began: i64| began >= lost + BOUND;
    let aged = |since: i64| {
        if tool.bounded {
            (now - since).min(BOUND)
        } else {
            0
        }
    };
    let attempt = machine.state.attempt().filter(|_| !ended);
    let frozen = machine.state.frozen();
    Key {
        status: machine.status(),
        attempts: machine.attempts,
        again: attempt.and_then(|attempt| attempt.again),
        lease_left: attempt.map_or(0, |attempt| left(attempt.lease_until)),
        approval_left: lapses(&machine.state).map_or(0, left),
        frozen: frozen.map(|frozen| (frozen.digest, frozen.requeues, votes_of(&machine.state))),
        doubt: (
            (now - lost).min(BOUND),
            tries.min(3),
            last.map(|last| (proves(last.at.as_millis() / TICK), last.unclear.is_some())),
        ),
        look: books.look.map(|(began, found)| (proves(began), found)),
        permits: books
            .permits
            .iter()
            .map(|(n, until)| (*n, (until - now).max(0)))
            .collect(),
        flying: books
            .flying
            .iter()
            .map(|(n, since)| (*n, aged(*since)))
            .collect(),
        // Whoever ended hears no answer any more.
        answers: if ended {
            Vec::new()
        } else {
            books.answers.clone()
        },
        counts: [books.effects, books.sends, books.ordered],
    }
}

fn doubt(state: &State) -> (Option<Timestamp>, u32, Option<&Sighting>) {
    match state {
        State::UnknownEffect { lost_at, .. } => (*lost_at, 0, None),
        State::Reconciling {
            lost_at,
            tries,
            last,
            ..
        }
        | State::NeedsOperator {
            lost_at,
            tries,
            last,
            ..
        } => (*lost_at, *tries, last.as_ref()),
        _ => (None, 0, None),
    }
}

/// When the approval lapses that this state waits for or runs on.
fn lapses(state: &State) -> Option<Timestamp> {
    match state {
        State::PendingApproval { frozen, .. } | State::Approved { frozen, .. } => {
            Some(frozen.expires_at)
        }
        State::Executing { grounds, .. }
        | State::UnknownEffect { grounds, .. }
        | State::Reconciling { grounds, .. }
        | State::NeedsOperator { grounds, .. } => match grounds {
            Grounds::Approved { expires_at, .. } => *expires_at,
            Grounds::Allowed => None,
        },
        _ => None,
    }
}

fn votes_of(state: &State) -> usize {
    match state {
        State::PendingApproval { votes, .. } | State::Approved { votes, .. } => votes.len(),
        _ => 0,
    }
}

#[test]
fn an_honest_world_never_sees_two_effects_or_a_lie() {
    let mut reached = HashSet::new();
    let (mut situations, mut steps) = (0, 0);
    for verdict in [Verdict::Allow, Verdict::RequireApproval, Verdict::Deny] {
        for tool in TOOLS {
            let explored = explore(verdict, tool);
            let (met, ways) = (explored.resting.len(), explored.arrows.len());
            println!(
                "{verdict:?}, {}: {met} situations, {ways} transitions",
                tool.0
            );
            assert_eq!(explored.lost(), 0, "invariant 4: {}: no way out", tool.0);
            situations += met;
            steps += ways;
            reached.extend(explored.reached);
        }
    }
    println!("{situations} situations, {steps} transitions");
    let missing: Vec<_> = Status::ALL
        .iter()
        .filter(|(status, _)| !reached.contains(status))
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
    assert!(situations > 20_000, "only {situations} situations");
}
