//! Hosts: callers that run themselves what they were allowed, and say what came of it, late, or
//! never.
//!
//! ```text
//! lease → (does the whole run still fit?) → its effect at the desk → report, to whichever node answers
//! approved → comes back for it, once or several times
//! ```
//! A host is a program of its own: it dies without any node noticing, and goes on while nodes die.
//! It is honest: it begins only where its lease leaves time enough by a right clock, and says only
//! what it heard itself.
//!
//! Must not know: what the driver makes of a report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{Either, select};
use toolgate_driver::{Lease, Outcome, Report, Said};
use toolgate_execution::{Failure, Invocation, Status};
use toolgate_gate::Caller;
use toolgate_gate::port::Answer;
use toolgate_model::{Code, InvocationId};

use crate::desk;
use crate::executor::WORLD;
use crate::faults::Fault;
use crate::world::World;

/// How long a host waits for the desk: the timeout of its tool, in milliseconds.
const PATIENCE: i64 = 20_000;

/// How often a host comes back for what is to be approved, and how often it repeats a report.
// LIMIT: eight; an approval that nobody came for by then lapses, and an outcome is in doubt.
const TRIES_MAX: usize = 8;

/// What the caller of a host-run call does with the answer.
pub(crate) fn follow(world: &Arc<World>, outcome: &Outcome) {
    let (own, invocation) = (world.clone(), outcome.invocation.clone());
    match (outcome.lease, invocation.status()) {
        (Some(lease), _) => {
            let life = run(own, invocation, lease);
            world.executor.spawn(WORLD, "host", Box::pin(life));
        }
        (None, Status::PendingApproval | Status::Approved) if invocation.is_hosts() => {
            let life = come_back(own, invocation.id);
            world.executor.spawn(WORLD, "host", Box::pin(life));
        }
        (None, _) => {}
    }
}

/// Runs what was leased, and reports.
async fn run(world: Arc<World>, invocation: Invocation, lease: Lease) {
    world.time.rest(world.hosts.between(0, 3_000)).await;
    let id = &invocation.id;
    if world.faults.strikes(Fault::HostDied) {
        world.note(format_args!("the host of {id} dies before it runs"));
        return;
    }
    if world.time.now() + PATIENCE >= lease.expires_at.as_millis() {
        world.note(format_args!("the host of {id} has no time left"));
        let failure = failed(Code::UpstreamUnavailable);
        return report(&world, id, (lease, Said::Failed(failure, None))).await;
    }
    world.run_by_host(&invocation, lease.attempt);
    let Some(answer) = desk::by_host(&world, &invocation, lease.attempt) else {
        return;
    };
    let said = match select(answer, world.time.rest(PATIENCE)).await {
        Either::Left((Ok(answer), _)) => heard(answer),
        Either::Left((Err(_), _)) | Either::Right(((), _)) => Said::Unknown,
    };
    if world.faults.strikes(Fault::HostDied) {
        world.note(format_args!("the host of {id} dies before it reports"));
        return;
    }
    if world.faults.strikes(Fault::HostLate) {
        world.time.rest(world.hosts.between(10_000, 150_000)).await;
    }
    report(&world, id, (lease, said)).await;
}

/// What a host can say of what it heard.
fn heard(answer: Answer) -> Said {
    match answer {
        Answer::Answered {
            result,
            failed: false,
        } => Said::Succeeded(result),
        Answer::Answered { result, .. } => Said::Failed(failed(Code::ToolError), Some(result)),
        Answer::Refused { code, .. } => Said::Failed(failed(code), None),
        Answer::Lost { .. } => Said::Unknown,
    }
}

fn failed(code: Code) -> Failure {
    Failure {
        code,
        message: "the desk did not do it".to_owned(),
        error: None,
    }
}

/// Says it until a node has heard it.
async fn report(world: &Arc<World>, id: &InvocationId, (lease, said): (Lease, Said)) {
    let settled = Arc::new(AtomicBool::new(false));
    for _ in 0..TRIES_MAX {
        let (own, told_all, id) = (world.clone(), settled.clone(), id.clone());
        let report = Report {
            attempt: lease.attempt,
            said: said.clone(),
        };
        let token = world.keys().any_agent(0).unwrap_or_default();
        world.request(world.any_node(), "report", |driver| async move {
            let Ok(Caller::Agent(identity)) = driver.authenticate(Some(&token)).await else {
                return;
            };
            let told = driver.report(&identity, &id, report).await;
            own.note(format_args!(
                "the host of {id} reports: {}",
                match &told {
                    Ok(outcome) => outcome.invocation.status().as_str().to_owned(),
                    Err(failed) => failed.to_string(),
                }
            ));
            // Refused where it has ended otherwise: then there is nothing left to say.
            let heard = !matches!(told, Err(toolgate_driver::Failed::Unavailable(_)));
            told_all.fetch_or(heard, Ordering::SeqCst);
        });
        world.time.rest(world.hosts.between(2_000, 9_000)).await;
        if settled.load(Ordering::SeqCst) {
            return;
        }
    }
}

/// Comes back until the call is not waiting any more.
async fn come_back(world: Arc<World>, id: InvocationId) {
    for _ in 0..TRIES_MAX {
        world.time.rest(world.hosts.between(1_000, 90_000)).await;
        let standing = world.judge.standing(&id).map(|known| known.status());
        if !matches!(standing, Some(Status::PendingApproval | Status::Approved)) {
            return;
        }
        let (own, id) = (world.clone(), id.clone());
        let token = world.keys().any_agent(0).unwrap_or_default();
        world.request(world.any_node(), "claim", |driver| async move {
            let Ok(Caller::Agent(identity)) = driver.authenticate(Some(&token)).await else {
                return;
            };
            if let Ok(outcome) = driver.claim(&identity, &id).await
                && outcome.lease.is_some()
            {
                follow(&own, &outcome);
            }
        });
    }
}
