//! What always holds of an invocation, checked after every step and on every read from a store.
//!
//! A broken invariant stops that invocation (`poisoned`) and nothing else: the driver refuses to
//! step it and says so to an operator.

use toolgate_model::Effect;

use crate::input::{Choice, Vote};
use crate::state::{Attempt, Frozen, Grounds, Invocation, Settlement, State};

/// A broken invariant, by number and in words.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("invariant {number} is broken: {text}")]
pub struct Broken {
    /// Its number in ARCHITECTURE.md.
    pub number: u8,
    /// What should hold.
    pub text: &'static str,
}

impl Invocation {
    /// Checks everything that a single state can show.
    ///
    /// # Errors
    /// The first [`Broken`] invariant.
    pub fn check(&self) -> Result<(), Broken> {
        let held = |holds: bool, number: u8, text: &'static str| {
            if holds {
                Ok(())
            } else {
                Err(Broken { number, text })
            }
        };
        held(
            self.updated_at >= self.created_at,
            4,
            "time never runs backwards",
        )?;
        match &self.state {
            State::Proposed | State::Denied { .. } => Ok(()),
            State::PendingApproval { frozen, votes } => {
                held(
                    sound(frozen),
                    5,
                    "a frozen call names the digest of its own snapshot",
                )?;
                held(
                    agreed(frozen, votes),
                    5,
                    "votes are approvals of this digest, one a person",
                )?;
                held(
                    votes.len() < frozen.terms.quorum as usize,
                    5,
                    "a call with its quorum does not wait",
                )
            }
            State::Approved { frozen, votes } => {
                held(
                    sound(frozen),
                    5,
                    "a frozen call names the digest of its own snapshot",
                )?;
                held(
                    agreed(frozen, votes),
                    5,
                    "votes are approvals of this digest, one a person",
                )?;
                held(
                    votes.len() >= frozen.terms.quorum as usize,
                    5,
                    "an approved call has its quorum",
                )
            }
            State::Executing { attempt, grounds }
            | State::UnknownEffect {
                attempt, grounds, ..
            }
            | State::Reconciling {
                attempt, grounds, ..
            }
            | State::NeedsOperator {
                attempt, grounds, ..
            } => {
                held(self.newest(attempt), 2, "only the newest attempt is alive")?;
                held(
                    attempt.number == 1 || !self.is_hosts(),
                    2,
                    "a host is given one attempt",
                )?;
                held(
                    self.has_ground(attempt),
                    2,
                    "a further attempt that may leave a trace says why it is harmless",
                )?;
                held(
                    self.grounded(grounds),
                    1,
                    "an attempt runs on an allow or on votes",
                )
            }
            State::Succeeded { settlement } | State::Failed { settlement, .. } => {
                held(
                    settlement.attempts == self.attempts,
                    2,
                    "the newest attempt settles",
                )?;
                held(
                    self.grounded(&settlement.grounds),
                    1,
                    "what ran had grounds",
                )?;
                held(
                    self.reported(settlement),
                    2,
                    "a host reports on what it runs itself",
                )
            }
            State::Rejected { .. } | State::Expired { .. } | State::Cancelled { .. } => {
                held(self.attempts == 0, 6, "what was refused never ran")
            }
        }
    }

    fn newest(&self, attempt: &Attempt) -> bool {
        attempt.number == self.attempts
            && attempt.number > 0
            && attempt.lease_until > attempt.started_at
    }

    /// Whether a report, if there is one, is of whoever ran the call, and nobody else told.
    fn reported(&self, end: &Settlement) -> bool {
        let alone = !end.reconciled && end.resolved_by.is_none();
        end.reported.is_none() || (self.is_hosts() && alone)
    }

    fn has_ground(&self, attempt: &Attempt) -> bool {
        attempt.number == 1 || self.proposal.effect == Effect::None || attempt.again.is_some()
    }

    fn grounded(&self, grounds: &Grounds) -> bool {
        match grounds {
            Grounds::Allowed => self.proposal.decision.denial.is_none(),
            Grounds::Approved { digest, votes, .. } => {
                !votes.is_empty()
                    && votes.iter().all(|vote| {
                        vote.digest == *digest
                            && vote.choice == Choice::Approve
                            && vote.voter.id != self.proposal.owner
                            && vote.voter.id != self.proposal.agent
                    })
            }
        }
    }
}

fn sound(frozen: &Frozen) -> bool {
    toolgate_model::json::digest(&frozen.snapshot) == frozen.digest
        && frozen.terms.quorum > 0
        && frozen.expires_at > frozen.frozen_at
}

fn agreed(frozen: &Frozen, votes: &[Vote]) -> bool {
    let alone = |place: usize, vote: &Vote| {
        votes
            .iter()
            .skip(place + 1)
            .all(|other| other.voter.id != vote.voter.id)
    };
    votes.iter().enumerate().all(|(place, vote)| {
        vote.digest == frozen.digest && vote.choice == Choice::Approve && alone(place, vote)
    })
}
