//! People: they decide on what is frozen, rightly and wrongly, and say what became of a call.
//!
//! Each freeze is seen by several of them, at their own pace. Some decide on another digest, some
//! twice, the owner tries too. Whoever settles a call in doubt tells the truth: they look at the
//! ledger once nothing of the call is under way any more.
//!
//! Must not know: whether the driver should accept it.

use std::sync::Arc;

use toolgate_driver::Landed;
use toolgate_execution::{Choice, Status};
use toolgate_model::{ApprovalId, Digest, InvocationId};

use crate::cast::{AGENT, APPROVERS, OWNER};
use crate::executor::WORLD;
use crate::world::World;

/// What a person does with a request to approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Approve,
    Twice,
    Refuse,
    OtherDigest,
    SendBack,
}

/// Everybody hears that something waits, the owner and the agent too, who must not decide.
pub(crate) fn asked(world: &Arc<World>, approval: &ApprovalId, digest: Digest) {
    let dice = &world.workload;
    for person in APPROVERS.into_iter().chain([OWNER, AGENT]) {
        if dice.thousandth(200) {
            continue;
        }
        let manner = match dice.weighted(&[70, 12, 4, 10, 2]) {
            0 => Manner::Approve,
            1 => Manner::Twice,
            2 => Manner::Refuse,
            3 => Manner::OtherDigest,
            _ => Manner::SendBack,
        };
        // Some answer about when it lapses.
        let wait = if dice.thousandth(60) {
            dice.between(590_000, 640_000)
        } else {
            dice.between(50, 40_000)
        };
        let (own, approval) = (world.clone(), approval.clone());
        let life = async move {
            own.time.rest(wait).await;
            decide(&own, person, (approval.clone(), digest), manner);
            if manner == Manner::Twice {
                own.time.rest(700).await;
                decide(&own, person, (approval, digest), manner);
            }
        };
        world.executor.spawn(WORLD, "approver", Box::pin(life));
    }
}

fn decide(
    world: &Arc<World>,
    person: &'static str,
    (approval, digest): (ApprovalId, Digest),
    manner: Manner,
) {
    let choice = match manner {
        Manner::Approve | Manner::Twice | Manner::OtherDigest => Choice::Approve,
        Manner::Refuse => Choice::Deny,
        Manner::SendBack => Choice::SendBack,
    };
    let digest = if manner == Manner::OtherDigest {
        Digest::of(digest.to_string().as_bytes())
    } else {
        digest
    };
    let Some(token) = world.keys().person(person) else {
        return;
    };
    world.judge.voted(person, digest, choice);
    let node = world.any_node();
    let own = world.clone();
    world.request(node, "vote", |driver| async move {
        let Ok(caller) = driver.authenticate(Some(&token)).await else {
            return;
        };
        let reason = Some("as agreed".to_owned());
        let decided = driver
            .decide_approval(&caller, &approval, (digest, choice, reason))
            .await;
        let heard = decided
            .as_ref()
            .map(|outcome| outcome.invocation.status().as_str());
        own.note(format_args!(
            "{person} decides {manner:?} on {approval}: {}",
            match &heard {
                Ok(status) => (*status).to_owned(),
                Err(failed) => failed.to_string(),
            }
        ));
    });
}

/// Somebody must say what became of a call: they find out and tell the truth.
pub(crate) fn helpless(world: &Arc<World>, invocation: InvocationId) {
    let wait = world.workload.between(1_000, 200_000);
    let own = world.clone();
    let life = async move {
        own.time.rest(wait).await;
        if own.workload.thousandth(250) {
            look_now(&own, invocation.clone());
            own.time.rest(2_000).await;
        }
        while own.desk.is_under_way(invocation.as_str()) {
            own.time.rest(5_000).await;
        }
        let waits = own.judge.standing(&invocation);
        if waits.is_none_or(|waits| waits.status() != Status::NeedsOperator) {
            return;
        }
        // Nothing is under way any more, so what the ledger says now is the truth for good.
        let landed = match (own.judge.effects(&invocation) > 0, own.workload.below(3)) {
            (true, _) => Landed::Yes,
            (false, 0) => Landed::Retry,
            (false, _) => Landed::No,
        };
        own.note(format_args!("somebody says of {invocation}: {landed:?}"));
        resolve(&own, invocation, landed);
    };
    world.executor.spawn(WORLD, "operator", Box::pin(life));
}

/// Has the gate look once more, which it may find something by or come back helpless again.
fn look_now(world: &Arc<World>, invocation: InvocationId) {
    let Some(token) = world.keys().person(APPROVERS[0]) else {
        return;
    };
    world.request(world.any_node(), "look now", |driver| async move {
        if let Ok(caller) = driver.authenticate(Some(&token)).await {
            // Refused where there is no way to look.
            let _looked = driver.reconcile(&caller, &invocation).await;
        }
    });
}

fn resolve(world: &Arc<World>, invocation: InvocationId, landed: Landed) {
    let Some(token) = world.keys().person(APPROVERS[0]) else {
        return;
    };
    world.request(world.any_node(), "resolve", |driver| async move {
        let Ok(caller) = driver.authenticate(Some(&token)).await else {
            return;
        };
        let word = (landed, "looked it up in the ledger".to_owned());
        // Refused where somebody was faster; then there is nothing left to say.
        let _said = driver.resolve(&caller, &invocation, word).await;
    });
}
