//! `vote`: one person decides on one digest.
//!
//! An approver decides on exactly the bytes that were frozen: another digest is refused, and so
//! is whoever asked, owns the agent or is acted for, whoever is not named, and a second decision
//! of the same person, whichever way they signed in (3-execution, 3).

use serde_json::json;
use toolgate_model::Timestamp;

use crate::input::{Choice, Vote};
use crate::refusal::Refusal;
use crate::state::{Frozen, Invocation, State};
use crate::transition::{Output, Transition};

pub(crate) fn step(
    invocation: &Invocation,
    now: Timestamp,
    vote: Vote,
) -> Result<Transition, Refusal> {
    match &invocation.state {
        State::PendingApproval { frozen, votes } => {
            check(invocation, now, frozen, votes, &vote)?;
            Ok(count(invocation, now, frozen, votes, vote))
        }
        State::Proposed
        | State::Denied { .. }
        | State::Approved { .. }
        | State::Executing { .. }
        | State::UnknownEffect { .. }
        | State::Reconciling { .. }
        | State::NeedsOperator { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Cancelled { .. } => Err(Refusal::wrong_state(invocation, "decide")),
    }
}

fn check(
    invocation: &Invocation,
    now: Timestamp,
    frozen: &Frozen,
    votes: &[Vote],
    vote: &Vote,
) -> Result<(), Refusal> {
    let voter = &vote.voter;
    let proposal = &invocation.proposal;
    let named = |name: &String| {
        *name == voter.id.as_str() || *name == voter.role.as_str() || voter.groups.contains(name)
    };
    if vote.digest != frozen.digest {
        Err(Refusal::SnapshotChanged)
    } else if now >= frozen.expires_at {
        Err(Refusal::Expired {
            expired_at: frozen.expires_at,
        })
    } else if voter.id == proposal.agent
        || voter.id == proposal.owner
        || proposal.chain.contains(&voter.id)
        || proposal
            .user
            .as_ref()
            .is_some_and(|user| user.id == voter.id)
    {
        Err(Refusal::SelfApproval)
    } else if !frozen.terms.approvers.is_empty() && !frozen.deciders(now).any(named) {
        Err(Refusal::NotEligible {
            approvers: frozen.deciders(now).cloned().collect(),
        })
    } else if votes.iter().any(|earlier| earlier.voter.id == voter.id) {
        Err(Refusal::AlreadyVoted)
    } else {
        Ok(())
    }
}

fn count(
    invocation: &Invocation,
    now: Timestamp,
    frozen: &Frozen,
    votes: &[Vote],
    vote: Vote,
) -> Transition {
    let data = json!({"approval": frozen.approval, "vote": vote});
    let approved = votes.len() + 1 >= frozen.terms.quorum as usize;
    let mut votes = votes.to_vec();
    match vote.choice {
        Choice::Deny | Choice::SendBack => {
            let state = State::Rejected {
                approval: frozen.approval.clone(),
                vote,
            };
            Transition::to(invocation, now, state)
                .event("approval.rejected", data)
                .output(Output::Answer)
        }
        Choice::Approve if approved => {
            votes.push(vote);
            let state = State::Approved {
                frozen: frozen.clone(),
                votes,
            };
            // What a host runs waits until it comes for it: nobody would be there to run it.
            let follows = match invocation.is_hosts() {
                true => Output::Answer,
                false => Output::Revalidate,
            };
            Transition::to(invocation, now, state)
                .event("approval.approved", data)
                .output(follows)
        }
        Choice::Approve => {
            votes.push(vote);
            let state = State::PendingApproval {
                frozen: frozen.clone(),
                votes,
            };
            Transition::to(invocation, now, state).event("approval.voted", data)
        }
    }
}

impl Frozen {
    /// Who may decide at `now`: the approvers, and whoever it was escalated to by then.
    pub fn deciders(&self, now: Timestamp) -> impl Iterator<Item = &String> {
        let escalated = self
            .escalation
            .iter()
            .filter(move |escalation| now >= escalation.at);
        let others = escalated.flat_map(|escalation| &escalation.to);
        self.terms.approvers.iter().chain(others)
    }
}
